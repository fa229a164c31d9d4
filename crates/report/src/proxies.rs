//! Proxies beside hardware: CSV and JSON. `docs/output.md` documents the columns and names.

use std::fmt::Display;
use std::io::{self, Write};

use explore::pareto::{Cost, Fraction};
use explore::proxies::{Agreement, Fit, OfHardware, PROXIES, Parts, Subject, Subjects, TERMS, Target};
use explore::store::{HardwareRow, Spent};
use serde::Serialize;

use crate::proxy_sentence::{fit_warning, proxy_sentence};

/// Columns of the table of proxies.
pub const PROXY_COLUMNS: [&str; 12] = [
    "hardware",
    "target",
    "proxy",
    "networks",
    "tau",
    "low",
    "high",
    "regret_mean",
    "regret_worst",
    "regret_networks",
    "conversion_share",
    "memory_share",
];

/// What was compared, and what came of it.
#[derive(Clone, Copy)]
pub struct ProxyFigures<'a> {
    /// The networks.
    pub subjects: &'a Subjects,
    /// Every proxy against each hardware.
    pub hardware: &'a [OfHardware],
    /// A sum that was fitted to one of them.
    pub fit: Option<&'a Fit>,
}

/// What a proxy is called.
pub fn proxy_name(proxy: &Cost) -> String {
    match proxy {
        Cost::Parameters => "parameters".to_string(),
        Cost::EffectiveWeights => "nonzero weights".to_string(),
        Cost::Macs => "MACs".to_string(),
        Cost::EffectiveMacs => "effective MACs".to_string(),
        Cost::ModelBits => "model bytes".to_string(),
        Cost::BitOperations => "bit operations".to_string(),
        Cost::EffectiveBitOperations => "effective bit operations".to_string(),
        Cost::EsnA => "ESN_a".to_string(),
        Cost::EsnD => "ESN_d".to_string(),
        Cost::EsnDFilter => "ESN'_d".to_string(),
        Cost::EsnDTraffic => "ESN_d + traffic".to_string(),
        Cost::EsnAWeights
        | Cost::EsnDWeights
        | Cost::WeightBits
        | Cost::ActivationBits
        | Cost::Outputs
        | Cost::Linear(_)
        | Cost::Cycles(_)
        | Cost::Energy(_) => proxy.id(),
    }
}

/// Writes one row for each hardware, target and proxy.
///
/// # Errors
///
/// Those of the writer.
pub fn write_proxy_csv(writer: &mut dyn Write, hardware: &[OfHardware]) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(writer);
    csv.write_record(PROXY_COLUMNS)?;
    for of in hardware {
        for target in Target::ALL {
            for agreement in of.of(target) {
                csv.write_record(row(of, target, agreement))?;
            }
        }
    }
    csv.flush()
}

fn row(hardware: &OfHardware, target: Target, agreement: &Agreement) -> [String; 12] {
    let Agreement { proxy, networks, tau, interval, regret } = agreement;
    let shares = hardware.spent.filter(|_| target == Target::Energy);
    [
        hardware.name.to_string(),
        target.name().to_string(),
        proxy.id(),
        networks.to_string(),
        real(*tau),
        real(interval.map(|interval| interval.low)),
        real(interval.map(|interval| interval.high)),
        real(regret.map(|regret| regret.mean)),
        real(regret.map(|regret| regret.worst)),
        shown(regret.map(|regret| regret.networks)),
        real(shares.map(|[conversion, _]| conversion)),
        real(shares.map(|[_, memory]| memory)),
    ]
}

/// Every digit.
fn real(number: Option<f64>) -> String {
    number.map(|number| format!("{number:?}")).unwrap_or_default()
}

fn shown(value: Option<impl Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Numbers of every network that no hardware is needed for: proxies, and terms of a fit.
fn numbers() -> impl Iterator<Item = Cost> {
    PROXIES.into_iter().chain(TERMS.into_iter().filter(|term| !PROXIES.contains(term)))
}

/// Writes one row for each network: what it comes to by every proxy, and on each hardware.
///
/// # Errors
///
/// Those of the writer.
pub fn write_subject_csv(writer: &mut dyn Write, subjects: &Subjects) -> io::Result<()> {
    let hardware = subjects.hardware();
    let mut csv = csv::Writer::from_writer(writer);
    let columns = |name| [format!("energy_j:{name}"), format!("array_j:{name}"), format!("cycles:{name}")];
    let of_hardware = hardware.iter().flat_map(columns);
    let names = ["network", "name", "labelled", "right"].map(str::to_string);
    csv.write_record(names.into_iter().chain(numbers().map(|cost| cost.id())).chain(of_hardware))?;
    for subject in &subjects.all {
        let accuracy = |of: fn(Fraction) -> u64| shown(subject.accuracy.map(of));
        let own = [subject.network.to_string(), subject.name.to_string()];
        let counted = [accuracy(|right| right.of), accuracy(|right| right.count)];
        let costs = numbers().map(|cost| cost.of_costs(&subject.costs).map(|value| value.exact()).unwrap_or_default());
        let rows = hardware.iter().map(|name| hardware_row(subject, name));
        let on_hardware = rows.flat_map(|row| {
            let array = row.and_then(|row| row.spent).map(Spent::array_j);
            [real(row.map(|row| row.energy_j)), real(array), shown(row.map(|row| row.cycles))]
        });
        csv.write_record(own.into_iter().chain(counted).chain(costs).chain(on_hardware))?;
    }
    csv.flush()
}

/// What a network comes to on a hardware.
pub(crate) fn hardware_row<'a>(subject: &'a Subject, hardware: &str) -> Option<&'a HardwareRow> {
    subject.costs.on(hardware)
}

#[derive(Serialize)]
struct Document<'a> {
    networks: usize,
    failed: usize,
    hardware: Vec<HardwareDocument<'a>>,
    fit: Option<FitDocument<'a>>,
}

#[derive(Serialize)]
struct HardwareDocument<'a> {
    name: &'a str,
    metric: &'a str,
    conversion_share: Option<f64>,
    memory_share: Option<f64>,
    sentence: Option<String>,
    energy: Vec<AgreementDocument>,
    energy_without_memory: Vec<AgreementDocument>,
    latency: Vec<AgreementDocument>,
}

#[derive(Serialize)]
struct AgreementDocument {
    proxy: String,
    networks: usize,
    tau: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    regret_mean: Option<f64>,
    regret_worst: Option<f64>,
    regret_networks: Option<usize>,
}

#[derive(Serialize)]
struct FitDocument<'a> {
    hardware: &'a str,
    cost: String,
    weights_j: serde_json::Map<String, serde_json::Value>,
    networks: usize,
    parts: usize,
    parts_are: &'static str,
    seen: ErrorDocument,
    unseen: ErrorDocument,
    best_proxy: Option<String>,
    best_proxy_tau: Option<f64>,
    warning: Option<String>,
}

#[derive(Serialize)]
struct ErrorDocument {
    mean: f64,
    worst: f64,
    tau: Option<f64>,
}

/// Writes everything that was found as JSON.
///
/// # Errors
///
/// Those of the writer.
pub fn write_proxy_json(writer: &mut dyn Write, figures: &ProxyFigures<'_>) -> io::Result<()> {
    let document = Document {
        networks: figures.subjects.all.len(),
        failed: figures.subjects.failed,
        hardware: figures.hardware.iter().map(hardware_document).collect(),
        fit: figures.fit.map(fit_document),
    };
    serde_json::to_writer_pretty(&mut *writer, &document)?;
    writer.write_all(b"\n")
}

fn hardware_document(of: &OfHardware) -> HardwareDocument<'_> {
    HardwareDocument {
        name: &of.name,
        metric: &of.metric,
        conversion_share: of.spent.map(|[conversion, _]| conversion),
        memory_share: of.spent.map(|[_, memory]| memory),
        sentence: proxy_sentence(of),
        energy: of.energy.iter().map(agreement_document).collect(),
        energy_without_memory: of.array.iter().map(agreement_document).collect(),
        latency: of.latency.iter().map(agreement_document).collect(),
    }
}

fn agreement_document(agreement: &Agreement) -> AgreementDocument {
    AgreementDocument {
        proxy: agreement.proxy.id(),
        networks: agreement.networks,
        tau: agreement.tau,
        low: agreement.interval.map(|interval| interval.low),
        high: agreement.interval.map(|interval| interval.high),
        regret_mean: agreement.regret.map(|regret| regret.mean),
        regret_worst: agreement.regret.map(|regret| regret.worst),
        regret_networks: agreement.regret.map(|regret| regret.networks),
    }
}

fn fit_document(fit: &Fit) -> FitDocument<'_> {
    let (parts, parts_are) = match fit.parts {
        Parts::Networks(count) => (count, "networks"),
        Parts::Points(count) => (count, "points"),
    };
    let weights = fit.cost.terms().iter().map(|(cost, weight)| (cost.id(), (*weight).into()));
    let error =
        |error: explore::proxies::FitError| ErrorDocument { mean: error.mean, worst: error.worst, tau: error.tau };
    FitDocument {
        hardware: &fit.hardware,
        cost: Cost::Linear(fit.cost.clone()).id(),
        weights_j: weights.collect(),
        networks: fit.networks,
        parts,
        parts_are,
        seen: error(fit.seen),
        unseen: error(fit.unseen),
        best_proxy: fit.best_proxy.as_ref().map(|(proxy, _)| proxy.id()),
        best_proxy_tau: fit.best_proxy.as_ref().map(|(_, tau)| *tau),
        warning: fit_warning(fit),
    }
}
