//! What papers printed, and what the descriptions say of it.

use std::sync::LazyLock;

use esnsim_tests::repository;

use super::chips;

/// One printed figure.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Printed {
    pub chip: String,
    /// Figure or table of the paper.
    pub source: String,
    pub quantity: String,
    pub unit: String,
    pub weight_bits: u32,
    pub input_bits: Option<u32>,
    pub output_bits: Option<u32>,
    /// Phases in which an input is applied.
    pub phases: Option<u32>,
    /// Mean of the outputs, of 15.
    pub mean_output: Option<u32>,
    /// Supply, as printed.
    pub volts: String,
    pub measured: f64,
}

/// How a figure is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// A constant was fitted to it.
    Fitted,
    /// It is predicted.
    Predicted,
}

/// A printed figure beside what the description says.
#[derive(Clone, Debug)]
pub struct Point {
    pub printed: Printed,
    /// The model's figure; none where the description does not say it.
    pub model: Option<(f64, Use)>,
}

impl Point {
    /// The model's figure over the measured one, less one.
    pub fn error(&self) -> Option<f64> {
        self.model.map(|(model, _)| model / self.printed.measured - 1.0)
    }
}

/// All figures, in the order of the table.
pub static POINTS: LazyLock<Vec<Point>> = LazyLock::new(|| {
    let all = printed();
    all.iter().map(|printed| Point { printed: printed.clone(), model: chips::model(&all, printed) }).collect()
});

fn printed() -> Vec<Printed> {
    let mut table = csv::Reader::from_path(repository("docs/silicon/measured.csv")).expect("it is in the repository");
    table.deserialize().map(|row| row.expect("a row of figures")).collect()
}
