//! What a run of a layer cost: counts as integers, and the energy of each thing that is counted.

use crate::event::{EnergyGroup, Event};
use crate::exact::ExactSum;

/// An amount of energy in joules.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Joules(pub f64);

impl Joules {
    /// Energy of `count` events of this energy each.
    pub fn times(self, count: u128) -> Joules {
        Joules(self.0 * count as f64)
    }
}

/// A number of clock cycles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cycles(pub u128);

/// One kind of event in the ledger.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// What is counted.
    pub event: Event,
    /// How often it happened.
    pub count: u128,
    /// Energy of one event.
    pub unit: Joules,
}

/// The energy ledger of a run: every kind of event that the engine counts, in a fixed order.
///
/// An ideal engine has one entry, its MACs. Each departure from the ideal adds an entry of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    entries: Vec<Entry>,
}

impl Ledger {
    /// An empty ledger.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `count` events of one kind to their entry. The first call with an event makes the entry.
    ///
    /// # Panics
    ///
    /// If the entry exists with another unit, or its count passes `u128::MAX`. Both are bugs of the engine.
    pub fn add(&mut self, event: Event, count: u128, unit: Joules) {
        match self.entries.iter_mut().find(|entry| entry.event == event) {
            Some(entry) => {
                assert!(entry.unit == unit, "ledger entry {event} has one unit");
                entry.count = entry.count.checked_add(count).expect("counts of real layers fit 128 bits");
            }
            None => self.entries.push(Entry { event, count, unit }),
        }
    }

    /// Adds every entry of another ledger.
    pub fn merge(&mut self, other: &Ledger) {
        for entry in &other.entries {
            self.add(entry.event, entry.count, entry.unit);
        }
    }

    /// The entries, in the order they were first added.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of an event.
    pub fn entry(&self, event: Event) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.event == event)
    }

    /// How often an event happened; 0 where it has no entry.
    pub fn count(&self, event: Event) -> u128 {
        self.entry(event).map_or(0, |entry| entry.count)
    }

    /// Energy of all entries together, rounded once. Two runs that spend the same have the same energy to the last bit, however
    /// what they spend is shared out among events of one unit.
    pub fn energy(&self) -> Joules {
        energy_of(&mut self.entries.iter())
    }

    /// Energy of the entries of one group together, rounded once.
    pub fn energy_of(&self, group: EnergyGroup) -> Joules {
        energy_of(&mut self.entries.iter().filter(|entry| entry.event.group() == group))
    }
}

fn energy_of(entries: &mut dyn Iterator<Item = &Entry>) -> Joules {
    let mut sum = ExactSum::default();
    entries.for_each(|entry| sum.add_product(entry.count, entry.unit.0));
    Joules(sum.rounded())
}
