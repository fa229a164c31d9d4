//! Right answers, counted.

use serde::Serialize;

use crate::answer::Answer;

/// From this number of classes on, top-5 accuracy is reported too.
const TOP5_CLASSES: usize = 100;

/// How many images one arithmetic named right.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Score {
    /// Images with a label.
    pub labelled: u64,
    /// Of those, images whose class is the label.
    pub top1: u64,
    /// Of those, images whose label is among the five largest logits; none below 100 classes.
    pub top5: Option<u64>,
}

impl Score {
    /// Top-1 accuracy; none without labels.
    pub fn top1_accuracy(&self) -> Option<f64> {
        (self.labelled > 0).then(|| self.top1 as f64 / self.labelled as f64)
    }

    /// [`standard_error`] of the top-1 accuracy; none without labels.
    pub fn top1_standard_error(&self) -> Option<f64> {
        (self.labelled > 0).then(|| standard_error(self.top1, self.labelled))
    }

    /// Whether no more images are right than guesses among so many classes may have right, two standard errors above the mean
    /// of guesses. None of few images tells.
    pub fn is_at_chance(&self, classes: usize) -> bool {
        /// Images a class from which on a guess is told from a network that works.
        const IMAGES_PER_CLASS: u64 = 2;
        let classes = classes as u64;
        let (guess, images) = (1.0 / classes as f64, self.labelled as f64);
        // Two standard errors above a guess is still a guess.
        let likely = images * guess + 2.0 * (images * guess * (1.0 - guess)).sqrt();
        classes > 1 && self.labelled >= IMAGES_PER_CLASS * classes && self.top1 as f64 <= likely
    }

    /// Top-5 accuracy; none without labels or below 100 classes.
    pub fn top5_accuracy(&self) -> Option<f64> {
        self.top5.filter(|_| self.labelled > 0).map(|top5| top5 as f64 / self.labelled as f64)
    }

    pub(super) fn count(&mut self, answer: &Answer, numbers: &[f32], label: Option<usize>) {
        let Some(label) = label else { return };
        self.labelled += 1;
        self.top1 += u64::from(answer.class(numbers) == label);
        if answer.classes() >= TOP5_CLASSES {
            *self.top5.get_or_insert(0) += u64::from(rank_of(numbers, label).is_some_and(|rank| rank < 5));
        }
    }
}

/// Standard error of an accuracy `p = right / images`, `sqrt(p · (1 − p) / images)`: how far it would spread over other images
/// of the same kind.
pub fn standard_error(right: u64, images: u64) -> f64 {
    let p = right as f64 / images as f64;
    (p * (1.0 - p) / images as f64).sqrt()
}

/// How many logits come before that of the label: larger ones, and equal ones of smaller index. None where the network
/// has no such class.
fn rank_of(logits: &[f32], label: usize) -> Option<usize> {
    let own = *logits.get(label)?;
    Some(logits.iter().enumerate().filter(|&(i, &x)| x > own || x == own && i < label).count())
}
