//! What a run of a layer cost: counts as integers, and the energy of each thing that is counted.

use std::iter::Sum;
use std::ops::Add;

use crate::event::{EnergyGroup, Event};

/// An amount of energy in joules.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Joules(pub f64);

impl Joules {
    /// Energy of `count` events of this energy each.
    pub fn times(self, count: u128) -> Joules {
        Joules(self.0 * count as f64)
    }
}

impl Add for Joules {
    type Output = Joules;
    fn add(self, other: Joules) -> Joules {
        Joules(self.0 + other.0)
    }
}

impl Sum for Joules {
    fn sum<I: Iterator<Item = Joules>>(iter: I) -> Joules {
        iter.fold(Joules(0.0), Add::add)
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

    /// Energy of all entries together.
    pub fn energy(&self) -> Joules {
        self.entries.iter().map(|entry| entry.unit.times(entry.count)).sum()
    }

    /// Energy of the entries of one group together.
    pub fn energy_of(&self, group: EnergyGroup) -> Joules {
        let entries = self.entries.iter().filter(|entry| entry.event.group() == group);
        entries.map(|entry| entry.unit.times(entry.count)).sum()
    }
}
