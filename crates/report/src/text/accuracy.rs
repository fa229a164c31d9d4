//! How a network did on images, as text.

use engine::Arithmetic;
use network::{Network, and_more};
use runner::{EngineEvaluation, Evaluation, Score};

use super::number::{counted, fraction, tail, telling_width};
use super::table::{render, table};

/// Layer names are cut to this many characters.
const NAME_WIDTH: usize = 32;

/// Accuracy of the network in float arithmetic and on every engine, and the noise of every layer.
pub fn accuracy(network: &Network, evaluation: &Evaluation) -> String {
    let mut text = format!(
        "\n{}, {}\n",
        counted(evaluation.images as u128, "image"),
        counted(evaluation.classes as u128, "class")
    );
    text += &scores(network, evaluation);
    text += &seeds(evaluation);
    if evaluation.float.is_some() {
        text += &noise(network, evaluation);
    }
    text
}

/// A row for the reference, the network as its file has it, and every group of engines.
fn scores(network: &Network, evaluation: &Evaluation) -> String {
    let Evaluation { float, reference, engines, .. } = evaluation;
    let all = reference.iter().map(|reference| &reference.score).chain(float);
    let with_top5 = all.chain(engines.iter().map(|e| &e.score)).any(|score| score.top5.is_some());
    let columns = [
        ("accuracy", true),
        ("activations", true),
        ("top-1", true),
        ("± s.e.", true),
        ("top-5", with_top5),
        ("agrees with float", float.is_some()),
        ("with reference", reference.is_some()),
    ];
    let shown = columns.map(|(_, shown)| shown);
    let header: Vec<&str> = columns.iter().filter(|(_, shown)| *shown).map(|(name, _)| *name).collect();
    let mut table = table(&header, 2);
    let share = |equal: Option<u64>| fraction(equal.map(|equal| equal as f64 / evaluation.images as f64));
    let mut add = |name: String, activations: String, score: &Score, agreements: [Option<u64>; 2]| {
        let [with_float, with_reference] = agreements.map(share);
        let (top1, error) = (fraction(score.top1_accuracy()), fraction(score.top1_standard_error()));
        let row = [name, activations, top1, error, fraction(score.top5_accuracy()), with_float, with_reference];
        table.add_row(row.into_iter().zip(shown).filter(|(_, shown)| *shown).map(|(cell, _)| cell));
    };
    if let Some(reference) = reference {
        add(format!("{} in float", file_name(&reference.file)), "float32".to_string(), &reference.score, [None; 2]);
    }
    if let Some(float) = float {
        let agreement = reference.as_ref().and_then(|reference| reference.agreement);
        let name = format!("{} in float", file_name(&network.path().display().to_string()));
        add(name, "float32".to_string(), float, [None, agreement]);
    }
    for engine in engines {
        let agreements = [engine.agreement, engine.reference_agreement];
        add(first_names(&engine.hardware), activations(evaluation, engine), &engine.score, agreements);
    }
    render(&table)
}

/// The end of a path, as far as a table has room for it.
fn file_name(path: &str) -> String {
    let name = std::path::Path::new(path).file_name().map_or(path.into(), |name| name.to_string_lossy());
    tail(&name, NAME_WIDTH)
}

/// What engines of a group get as activations.
pub(crate) fn activations(evaluation: &Evaluation, engine: &EngineEvaluation) -> String {
    match engine.arithmetic {
        Arithmetic::Real => "real".to_string(),
        Arithmetic::Integer => {
            let bits = || evaluation.activations.iter().map(|quantization| quantization.bits());
            match (bits().min(), bits().max()) {
                (Some(least), Some(most)) if least < most => format!("{least}–{most} bits"),
                (_, most) => most.map_or("integers".to_string(), |bits| format!("{bits} bits")),
            }
        }
    }
}

/// Names of hardware that computes the same: all of them, or the first and how many more there are.
fn first_names(names: &[String]) -> String {
    match names {
        [first, second, rest @ ..] if rest.len() > 1 => format!("{first}, {second}{}", and_more(rest.len())),
        names => names.join(", "),
    }
}

/// How the accuracy of random hardware spreads over seeds; empty where nobody asked.
fn seeds(evaluation: &Evaluation) -> String {
    let random: Vec<_> = evaluation.engines.iter().filter_map(|e| Some((e, e.seeds.as_ref()?))).collect();
    if random.is_empty() {
        return String::new();
    }
    let mut table = table(&["top-1 over seeds", "seeds", "mean", "std", "min", "max"], 1);
    for (engine, seeds) in random {
        let figures = [seeds.mean, seeds.standard_deviation, seeds.min, seeds.max].map(fraction);
        let row = [engine.hardware.join(", "), seeds.seeds.len().to_string()];
        table.add_row(row.into_iter().chain(figures));
    }
    format!("\n{}", render(&table))
}

/// Signal-to-quantization-noise ratio of every layer's output, in dB.
fn noise(network: &Network, evaluation: &Evaluation) -> String {
    let names: Vec<String> = evaluation.engines.iter().map(|engine| first_names(&engine.hardware)).collect();
    let mut header = vec!["SQNR of outputs, dB"];
    header.extend(names.iter().map(String::as_str));
    let mut table = table(&header, 1);
    let width = telling_width(network.layers().iter().map(|layer| layer.name.as_str()), NAME_WIDTH);
    for (l, layer) in network.layers().iter().enumerate() {
        let mut row = vec![tail(&layer.name, width)];
        let ratios = evaluation.engines.iter().map(|engine| engine.sqnr_db[l]);
        row.extend(ratios.map(|ratio| ratio.map_or("–".to_string(), |db| format!("{db:.1}"))));
        table.add_row(row);
    }
    format!("\n{}", render(&table))
}
