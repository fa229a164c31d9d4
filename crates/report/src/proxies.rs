//! Proxies beside hardware: sentences, CSV and JSON. `docs/output.md` documents the columns and names.

use std::fmt::Display;
use std::io::{self, Write};

use explore::pareto::{Cost, Fraction};
use explore::proxies::{Agreement, Fit, OfHardware, PROXIES, Parts, Subject, Subjects, TERMS, Target};
use explore::store::{HardwareRow, Spent};
use serde::Serialize;

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

/// A proxy that is this much further from 1 than the best misleads.
const MISLEADS: f64 = 0.1;

/// Proxies that are named as being as good as the best.
const NAMED: usize = 3;

/// Ranks of fewer networks say little of a proxy.
pub(crate) const FEW_NETWORKS: usize = 10;

/// A proxy whose rank correlation is below this one ranks poorly.
const POOR: f64 = 0.5;

/// A part of the energy that explains why a proxy misleads.
const EXPLAINS: f64 = 0.3;

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

/// What to choose by on a hardware, and what misleads there; none where no proxy ranks anything, or there are few networks.
///
/// `on in-memory-class-b choose by ESN'_d (τ 0.93); ESN_a misleads (τ 0.61): converters are 96 % of the energy`
pub fn proxy_sentence(hardware: &OfHardware) -> Option<String> {
    let best = hardware.best(Target::Energy).filter(|best| best.networks >= FEW_NETWORKS)?;
    let most = best.tau?;
    let (name, best_name) = (&hardware.name, proxy_name(&best.proxy));
    if most < POOR {
        let spent = spent_on(hardware).map(|words| format!(": {words}")).unwrap_or_default();
        return Some(format!("on {name} no number ranks well; the best is {best_name} (τ {most:.2}){spent}"));
    }
    let mut text = format!("on {name} choose by {best_name} (τ {most:.2})");
    let is_as_good = |other: &&Agreement| {
        other.proxy != best.proxy
            && (other.tau == best.tau || other.interval.is_some_and(|interval| interval.high >= most))
    };
    let equal: Vec<String> = hardware.energy.iter().filter(is_as_good).map(|other| proxy_name(&other.proxy)).collect();
    match equal.as_slice() {
        [] => {}
        [one] => text += &format!(", or {one}, which is as good"),
        some => {
            let more = if some.len() > NAMED { format!(" and {} more", some.len() - NAMED) } else { String::new() };
            text += &format!(", or {}{more}, which are as good", some[..some.len().min(NAMED)].join(", "));
        }
    }
    let apart = without_memory(hardware, best);
    text += apart.as_deref().unwrap_or_default();
    if let Some((misled, tau)) = misleading(hardware, most) {
        let is_one = matches!(misled.proxy, Cost::EsnA | Cost::EsnD | Cost::EsnDFilter | Cost::EsnDTraffic);
        let verb = if is_one { "misleads" } else { "mislead" };
        text += &format!("; {} {verb} (τ {tau:.2})", proxy_name(&misled.proxy));
        let reason = spent_on(hardware).filter(|_| apart.is_none() && is_reason(hardware, misled));
        text += &reason.map(|words| format!(": {words}")).unwrap_or_default();
    }
    Some(text)
}

/// What to choose by if memory did not count, where it does count and another number is then the best.
fn without_memory(hardware: &OfHardware, best: &Agreement) -> Option<String> {
    let [_, memory] = hardware.spent.filter(|[_, memory]| *memory >= EXPLAINS)?;
    let other = hardware.best(Target::Array).filter(|other| other.proxy != best.proxy)?;
    let (name, share) = (proxy_name(&other.proxy), 100.0 * memory);
    Some(format!("; without memory, which is {share:.0} % of the energy, by {name} (τ {:.2})", other.tau?))
}

/// The metric that the hardware is an engine of, if it misleads; else the worst of all numbers that do.
fn misleading(hardware: &OfHardware, most: f64) -> Option<(&Agreement, f64)> {
    let misleads = |agreement: &&Agreement| {
        let is_as_good = agreement.interval.is_some_and(|interval| interval.high >= most);
        !is_as_good && agreement.tau.is_some_and(|tau| tau < most - MISLEADS)
    };
    let own =
        hardware.energy.iter().find(|agreement| proxy_name(&agreement.proxy) == *hardware.metric).filter(misleads);
    let worst = || {
        let all = hardware.energy.iter().filter(misleads);
        all.min_by(|a, b| a.tau.unwrap_or_default().total_cmp(&b.tau.unwrap_or_default()))
    };
    own.or_else(worst).and_then(|agreement| Some((agreement, agreement.tau?)))
}

/// Whether what the energy goes to can be why a number misleads: converters, or memory without which the number ranks better.
fn is_reason(hardware: &OfHardware, misled: &Agreement) -> bool {
    let alone =
        hardware.array.iter().find(|agreement| agreement.proxy == misled.proxy).and_then(|agreement| agreement.tau);
    hardware.spent.is_some_and(|[conversion, memory]| conversion > memory) || alone > misled.tau
}

/// What much of the energy goes to that is not computing; none where little does.
fn spent_on(hardware: &OfHardware) -> Option<String> {
    let [conversion, memory] = hardware.spent?;
    let (words, share) = if conversion > memory { ("converters are", conversion) } else { ("memory is", memory) };
    (share >= EXPLAINS).then(|| format!("{words} {:.0} % of the energy", 100.0 * share))
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
    }
}
