//! Descriptions of digital engines.

use digital::{ArraySpec, DigitalArray, Granularity};
use serde::{Deserialize, Serialize};

use super::{EngineKind, Hardware, HardwareFile, Metric, check_name, clock, count, energy};

/// Description of a digital engine.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DigitalFile {
    /// Name in reports.
    pub name: String,
    /// `"digital"`.
    pub engine: EngineKind,
    /// Its array.
    pub array: DigitalArrayFile,
    /// Clock in hertz; left out, latency is cycles alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_hz: Option<f64>,
    /// Its energies.
    pub energy: DigitalEnergyFile,
}

/// The array of the digital engine.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DigitalArrayFile {
    /// Rows of processing elements.
    pub rows: u64,
    /// Processing elements of a row.
    pub pes_per_row: u64,
    /// Whose bit width a weight takes.
    pub width_granularity: WidthGranularity,
}

/// Whose bit width a weight takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WidthGranularity {
    /// Its own.
    Weight,
    /// The largest of its filter.
    Filter,
}

/// Energies of the digital engine.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DigitalEnergyFile {
    /// Joules of one processing element in one busy cycle.
    pub mac_j_per_pe_cycle: f64,
}

impl DigitalFile {
    pub(super) fn build(self) -> Result<Hardware, String> {
        check_name(&self.name)?;
        let clock_hz = clock(self.clock_hz)?;
        let unit = energy("energy.mac_j_per_pe_cycle", self.energy.mac_j_per_pe_cycle)?;
        let (rows, pes) = (count("array.rows", self.array.rows)?, count("array.pes_per_row", self.array.pes_per_row)?);
        let (granularity, metric) = match self.array.width_granularity {
            WidthGranularity::Weight => (Granularity::Weight, Metric::EsnD),
            WidthGranularity::Filter => (Granularity::Filter, Metric::EsnDFilter),
        };
        let spec = ArraySpec { name: self.name.clone(), rows, pes_per_row: pes, granularity, pe_cycle_energy: unit };
        let engine = DigitalArray::new(spec).map_err(|e| e.to_string())?;
        Ok(Hardware {
            ideal: engine.is_ideal(),
            engine: Box::new(engine),
            metric,
            unit,
            clock_hz,
            exact: true,
            resolved: HardwareFile::Digital(self),
        })
    }
}
