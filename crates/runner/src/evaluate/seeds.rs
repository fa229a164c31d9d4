//! Statistics of accuracy over several seeds.

use serde::Serialize;

use super::score::Score;

/// Top-1 accuracy over several seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeedStatistics {
    /// The seeds, in order.
    pub seeds: Vec<u64>,
    /// Images with a label, the same for all.
    pub labelled: u64,
    /// Images named right, by seed.
    pub top1: Vec<u64>,
    /// Mean of the accuracy; none without labels.
    pub mean: Option<f64>,
    /// Standard deviation of the accuracy, of the sample (n − 1); none below two seeds and without labels.
    pub standard_deviation: Option<f64>,
    /// Least accuracy; none without labels.
    pub min: Option<f64>,
    /// Largest accuracy; none without labels.
    pub max: Option<f64>,
}

impl SeedStatistics {
    /// The statistics of these seeds and scores, one a seed.
    pub fn new(seeds: Vec<u64>, scores: &[Score]) -> Self {
        let accuracies: Vec<f64> = scores.iter().filter_map(Score::top1_accuracy).collect();
        let count = accuracies.len() as f64;
        let mean = (count > 0.0).then(|| accuracies.iter().sum::<f64>() / count);
        let squares = mean.map(|mean| accuracies.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>());
        Self {
            seeds,
            labelled: scores.first().map_or(0, |score| score.labelled),
            top1: scores.iter().map(|score| score.top1).collect(),
            mean,
            standard_deviation: squares.filter(|_| count > 1.0).map(|squares| (squares / (count - 1.0)).sqrt()),
            min: accuracies.iter().copied().reduce(f64::min),
            max: accuracies.iter().copied().reduce(f64::max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(labelled: u64, top1: u64) -> Score {
        Score { labelled, top1, top5: None }
    }

    #[test]
    fn statistics_are_those_of_the_sample() {
        let found = SeedStatistics::new(vec![7, 8, 9], &[score(10, 5), score(10, 7), score(10, 9)]);
        assert_eq!((found.min, found.max, found.top1), (Some(0.5), Some(0.9), vec![5, 7, 9]));
        assert!((found.mean.expect("there are labels") - 0.7).abs() < 1e-15);
        assert!((found.standard_deviation.expect("three seeds") - 0.2).abs() < 1e-15);
    }

    #[test]
    fn what_does_not_exist_is_not_made_up() {
        let one = SeedStatistics::new(vec![0], &[score(4, 4)]);
        assert_eq!((one.mean, one.standard_deviation), (Some(1.0), None));
        let unlabelled = SeedStatistics::new(vec![0, 1], &[score(0, 0), score(0, 0)]);
        assert_eq!((unlabelled.mean, unlabelled.standard_deviation, unlabelled.min), (None, None, None));
    }
}
