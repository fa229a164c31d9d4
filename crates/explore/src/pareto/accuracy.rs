//! The accuracies that points are compared by.

use std::cmp::Ordering;
use std::str::FromStr;

use crate::store::PointFigures;

/// A measure of accuracy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accuracy {
    /// The label has the largest logit, on engines on integers.
    Top1,
    /// The label is among the five largest.
    Top5,
    /// The same class as the float network before compression.
    Agreement,
    /// Top-1 on a hardware that computes on real numbers, by its name.
    Hardware(String),
}

impl Accuracy {
    /// The name on the command line.
    pub fn id(&self) -> String {
        match self {
            Accuracy::Top1 => "top1".to_string(),
            Accuracy::Top5 => "top5".to_string(),
            Accuracy::Agreement => "agreement".to_string(),
            Accuracy::Hardware(name) => format!("top1:{name}"),
        }
    }

    /// The name on an axis.
    pub fn label(&self) -> String {
        match self {
            Accuracy::Top1 => "top-1 accuracy".to_string(),
            Accuracy::Top5 => "top-5 accuracy".to_string(),
            Accuracy::Agreement => "agreement with the original in float".to_string(),
            Accuracy::Hardware(name) => format!("top-1 accuracy on {name}"),
        }
    }

    /// How accurate a point is; none where it has no such figure.
    pub fn of(&self, point: &PointFigures) -> Option<Fraction> {
        let accuracy = point.accuracy.as_ref()?;
        let score = &accuracy.score;
        let (count, of) = match self {
            Accuracy::Top1 => (score.top1, score.labelled),
            Accuracy::Top5 => (score.top5?, score.labelled),
            Accuracy::Agreement => (accuracy.agreement, accuracy.images),
            Accuracy::Hardware(name) => (point.costs.as_ref()?.on(name)?.score.as_ref()?.top1, accuracy.score.labelled),
        };
        (of > 0).then_some(Fraction { count, of })
    }

    /// How accurate the float network before compression is, where it has such a figure.
    pub fn of_float(&self, point: &PointFigures) -> Option<Fraction> {
        let float = &point.accuracy.as_ref()?.float;
        let count = match self {
            Accuracy::Top1 | Accuracy::Hardware(_) => float.top1,
            Accuracy::Top5 => float.top5?,
            Accuracy::Agreement => return None,
        };
        (float.labelled > 0).then_some(Fraction { count, of: float.labelled })
    }
}

impl FromStr for Accuracy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "top1" => Ok(Accuracy::Top1),
            "top5" => Ok(Accuracy::Top5),
            "agreement" => Ok(Accuracy::Agreement),
            _ => match text.split_once(':') {
                Some(("top1", name)) if !name.is_empty() => Ok(Accuracy::Hardware(name.to_string())),
                _ => Err("expected top1, top5, agreement or top1:HARDWARE".to_string()),
            },
        }
    }
}

/// Some of a number of images. Fractions compare exactly: 1 of 2 equals 500 of 1,000.
#[derive(Clone, Copy, Debug)]
pub struct Fraction {
    /// The part.
    pub count: u64,
    /// The whole, above 0.
    pub of: u64,
}

impl Fraction {
    /// The nearest float64.
    pub fn to_f64(self) -> f64 {
        self.count as f64 / self.of as f64
    }

    /// [`runner::standard_error`] of the proportion.
    pub fn standard_error(self) -> f64 {
        runner::standard_error(self.count, self.of)
    }

    /// Whether two proportions differ by no more than the standard error of their difference, as if their images had nothing
    /// in common.
    pub fn is_within_noise_of(self, other: Self) -> bool {
        let error = self.standard_error().hypot(other.standard_error());
        (self.to_f64() - other.to_f64()).abs() <= error
    }
}

impl Ord for Fraction {
    fn cmp(&self, other: &Self) -> Ordering {
        let cross = |a: &Self, b: &Self| u128::from(a.count) * u128::from(b.of);
        cross(self, other).cmp(&cross(other, self))
    }
}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Fraction {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Fraction {}
