//! The kinds of what a run counts, each with the name that reports give it.

use std::fmt;

/// A kind of thing that an engine counts in its ledger. Most are work that costs energy; some are work that was saved,
/// at 0 J.
///
/// The engine that counts an event owns it, as a constant: [`Event::MAC`] belongs to all engines, `analog::event::ADC`
/// to the analog one and `digital::event::WEIGHT_FETCH` to the digital one. A consumer asks for an event. It reads the
/// name only to write it down.
///
/// ```
/// use engine::{Event, Joules, Ledger};
///
/// /// Reads of a memory that some engine has.
/// const READ: Event = Event::memory("read");
///
/// let mut ledger = Ledger::new();
/// ledger.add(Event::MAC, 6, Joules(2.0));
/// ledger.add(READ, 4, Joules(0.5));
/// assert_eq!((ledger.count(Event::MAC), ledger.count(READ)), (6, 4));
/// assert_eq!(ledger.entries()[1].event.name(), "read");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    name: &'static str,
    group: EnergyGroup,
}

/// What the energy of an event is spent on. Hardware differs in its arithmetic and its converters; what it pays for memory
/// says at least as much about where the borders of a description were drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EnergyGroup {
    /// Multiplying, adding, and what controls it, memories inside of a row or an array included.
    Compute,
    /// Conversion between numbers and voltages or currents.
    Conversion,
    /// Moving weights, activations and partial sums between the arrays and the memories beside them.
    Memory,
}

impl EnergyGroup {
    /// All of them, in the order of reports.
    pub const ALL: [EnergyGroup; 3] = [EnergyGroup::Compute, EnergyGroup::Conversion, EnergyGroup::Memory];

    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            EnergyGroup::Compute => "compute",
            EnergyGroup::Conversion => "conversion",
            EnergyGroup::Memory => "memory",
        }
    }
}

impl Event {
    /// The multiply-accumulate work, which every engine counts and which the metric is held against. Without
    /// departures an analog engine counts squared half-steps of its weights and a digital one busy PE-cycles. With them
    /// the analog one counts units of its energy law, and the digital one the planes that the ideal executes too.
    pub const MAC: Event = Event::new("mac");

    /// An event of [`EnergyGroup::Compute`]. Two events of one engine have different names.
    pub const fn new(name: &'static str) -> Self {
        Self { name, group: EnergyGroup::Compute }
    }

    /// An event of [`EnergyGroup::Conversion`].
    pub const fn conversion(name: &'static str) -> Self {
        Self { name, group: EnergyGroup::Conversion }
    }

    /// An event of [`EnergyGroup::Memory`].
    pub const fn memory(name: &'static str) -> Self {
        Self { name, group: EnergyGroup::Memory }
    }

    /// The name in reports.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// What its energy is spent on.
    pub const fn group(self) -> EnergyGroup {
        self.group
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A reason for which hardware did no work.
///
/// The engine that counts a cause owns it, as a constant: `analog::idle::ROW_EDGE` is of cells,
/// `digital::idle::PIPELINE_FILL` of PE-cycles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IdleCause(&'static str);

impl IdleCause {
    /// A cause of this name. Two causes of one engine have different names.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The name in reports.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for IdleCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
