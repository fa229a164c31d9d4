//! A frontier that grows point by point.

use super::accuracy::Fraction;
use super::measure::CostValue;
use crate::key::PointKey;

/// Points that no other beats in cost and accuracy: none other is at most as costly and at least as accurate, and better in
/// one of the two. Points come in any order, one after another, and only those on the frontier are kept.
///
/// ```
/// use explore::PointKey;
/// use explore::pareto::{CostValue, Fraction, Frontier};
///
/// let mut frontier = Frontier::default();
/// for (number, (cost, right)) in [(4, 70), (1, 50), (2, 50), (3, 70), (3, 70), (9, 69)].into_iter().enumerate() {
///     frontier.add(PointKey([number as u8; 16]), CostValue::Count(cost), Fraction { count: right, of: 100 });
/// }
/// let costs: Vec<f64> = frontier.entries().iter().map(|entry| entry.cost.to_f64()).collect();
/// assert_eq!((costs, frontier.entries()[1].count), (vec![1.0, 3.0], 2));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    /// Cheapest first, so that accuracies rise.
    entries: Vec<FrontierEntry>,
}

/// Points on a frontier that are equal in cost and accuracy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrontierEntry {
    /// What they cost.
    pub cost: CostValue,
    /// How accurate they are.
    pub accuracy: Fraction,
    /// How many they are.
    pub count: u64,
    /// The smallest of their keys, which stands for all of them.
    pub key: PointKey,
}

impl Frontier {
    /// Shows the frontier a point, which is added where no other beats it. Those that it beats go.
    pub fn add(&mut self, key: PointKey, cost: CostValue, accuracy: Fraction) {
        self.merge(FrontierEntry { cost, accuracy, count: 1, key });
    }

    /// As [`Frontier::add`], with points that are equal.
    pub fn merge(&mut self, entry: FrontierEntry) {
        let Some(place) = self.place_unless_beaten(&entry) else { return };
        if let Some(same) = self.entries.get_mut(place).filter(|other| other.cost == entry.cost) {
            if same.accuracy == entry.accuracy {
                same.count += entry.count;
                same.key = same.key.min(entry.key);
                return;
            }
            if same.accuracy > entry.accuracy {
                return;
            }
        }
        let beaten = self.entries[place..].partition_point(|other| other.accuracy <= entry.accuracy);
        self.entries.splice(place..place + beaten, [entry]);
    }

    /// How many points cost less; none where one of these is as accurate. Most points are beaten by one of the first that a search
    /// looks at, so that it need not go on.
    fn place_unless_beaten(&self, entry: &FrontierEntry) -> Option<usize> {
        let (mut place, mut end) = (0, self.entries.len());
        while place < end {
            let middle = place.midpoint(end);
            let other = &self.entries[middle];
            if other.cost >= entry.cost {
                end = middle;
            } else if other.accuracy >= entry.accuracy {
                return None;
            } else {
                place = middle + 1;
            }
        }
        Some(place)
    }

    /// What is on the frontier, cheapest first.
    pub fn entries(&self) -> &[FrontierEntry] {
        &self.entries
    }

    /// How many points are on the frontier, equal ones too.
    pub fn points(&self) -> u64 {
        self.entries.iter().map(|entry| entry.count).sum()
    }

    /// Whether points of this cost and accuracy are on the frontier.
    pub fn has(&self, cost: CostValue, accuracy: Fraction) -> bool {
        let place = self.entries.partition_point(|other| other.cost < cost);
        self.entries.get(place).is_some_and(|entry| entry.cost == cost && entry.accuracy == accuracy)
    }

    /// Whether more images could change the place of a point that the frontier was shown: its accuracy and that of the most
    /// accurate point that costs less differ by no more than the standard error of the difference.
    pub fn is_within_noise(&self, cost: CostValue, accuracy: Fraction) -> bool {
        let place = self.entries.partition_point(|other| other.cost < cost);
        place > 0 && accuracy.is_within_noise_of(self.entries[place - 1].accuracy)
    }
}
