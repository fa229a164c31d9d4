//! Figures and names that tables and documents write alike.

use esn::{BitConvention, LayerEsn, Quarters};
use runner::Metric;

/// The metric in its own unit: an analog engine counts quarters of ESN_a.
pub fn metric_value(metric: Metric, expected: u128) -> String {
    match metric {
        Metric::EsnA => Quarters(expected).to_string(),
        Metric::EsnD | Metric::EsnDFilter => expected.to_string(),
    }
}

/// The nearest number to [`metric_value`].
pub fn metric_number(metric: Metric, expected: u128) -> f64 {
    match metric {
        Metric::EsnA => Quarters(expected).to_f64(),
        Metric::EsnD | Metric::EsnDFilter => expected as f64,
    }
}

/// Bits of a nonzero weight on average, `ESN_d / nonzero` with c = 1; none where every weight is pruned.
pub fn mean_bits(esn: &LayerEsn) -> Option<f64> {
    (esn.nonzero > 0).then(|| esn.esn_d as f64 / esn.nonzero as f64)
}

/// The name of a convention on the command line and in reports.
pub fn convention_name(convention: BitConvention) -> &'static str {
    match convention {
        BitConvention::NonzeroAtLeastOne => "nonzero-at-least-one",
        BitConvention::AsPrinted => "as-printed",
    }
}
