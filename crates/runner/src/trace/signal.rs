//! What a trace shows, as named signals with a value in every cycle.

use engine::{Arithmetic, Cell, Elements, Lane, ProcessingElement, StageWork};

use super::record::{Sample, Trace};

/// Signals that belong to the whole hardware.
const COMMON_SIGNALS: usize = 3;

/// Signals of a stage.
const STAGE_SIGNALS: usize = 3;

/// Signals that every lane has.
const LANE_SIGNALS: usize = 5;

/// Something that has a value in every cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// The part of the hardware that the signal belongs to, as `lane0`; none for the whole.
    pub module: Option<String>,
    /// Its name within the part, as `code`.
    pub name: String,
    /// The values that it takes.
    pub kind: SignalKind,
}

/// The values of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalKind {
    /// Yes or no.
    Bit,
    /// Integers from 0 on.
    Unsigned,
    /// Integers of either sign.
    Signed,
    /// Real numbers.
    Real,
    /// Names.
    Text,
}

/// The value of a signal in a cycle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SignalValue {
    /// Of [`SignalKind::Bit`].
    Bit(bool),
    /// Of [`SignalKind::Unsigned`].
    Unsigned(u128),
    /// Of [`SignalKind::Signed`].
    Signed(i64),
    /// Of [`SignalKind::Real`] that are computed in 32 bits.
    Real32(f32),
    /// Of [`SignalKind::Real`].
    Real(f64),
    /// Of [`SignalKind::Text`].
    Text(&'static str),
    /// There is nothing to have a value.
    Undefined,
}

impl Trace {
    /// The signals of every cycle, those of one part of the hardware one after another.
    pub fn signals(&self) -> Vec<Signal> {
        signals(&self.stages, &self.lanes, self.arithmetic, self.elements)
    }

    /// The value of each of [`Trace::signals`] in one of the cycles.
    pub fn values(&self, sample: &Sample) -> Vec<SignalValue> {
        use SignalValue::{Real, Unsigned};
        let mut values = vec![Unsigned(sample.active.into()), Unsigned(sample.count), Real(self.mac_energy_j(sample))];
        for at in 0..self.stages.len() {
            stage_values(sample.stages.get(at).copied().flatten(), &mut values);
        }
        for &index in &self.lanes {
            let lane = sample.lane(index).unwrap_or(&Lane::Free(None));
            lane_values(lane, (self.arithmetic, self.elements), &mut values);
        }
        values
    }
}

/// How many signals a trace of so many stages, lanes, and elements of each lane has.
pub(super) fn count(stages: usize, lanes: usize, arithmetic: Arithmetic, elements: usize) -> u64 {
    let lane = LANE_SIGNALS.saturating_add(element_signals(arithmetic, elements));
    let all = lane.saturating_mul(lanes).saturating_add(STAGE_SIGNALS * stages).saturating_add(COMMON_SIGNALS);
    all as u64
}

/// Signals of a lane that its elements add to [`LANE_SIGNALS`].
fn element_signals(arithmetic: Arithmetic, elements: usize) -> usize {
    match arithmetic {
        Arithmetic::Integer => elements.saturating_mul(3).saturating_add(4),
        Arithmetic::Real => elements.saturating_mul(3).saturating_add(1),
    }
}

/// The signals of a trace of these stages, lanes, and elements of each lane.
pub(super) fn signals(stages: &[&str], lanes: &[usize], arithmetic: Arithmetic, elements: usize) -> Vec<Signal> {
    use SignalKind::{Bit, Real, Unsigned};
    let mut signals = Vec::new();
    let mut add = |module: Option<&str>, name: &str, kind| {
        signals.push(Signal { module: module.map(str::to_string), name: name.to_string(), kind });
    };
    add(None, "active", Unsigned);
    add(None, "mac_count", Unsigned);
    add(None, "mac_energy_j", Real);
    for stage in stages {
        add(Some(stage), "busy", Bit);
        add(Some(stage), "position", Unsigned);
        add(Some(stage), "step", Unsigned);
    }
    for lane in lanes {
        let module = format!("lane{lane}");
        lane_signals(arithmetic, elements, |name, kind| add(Some(&module), name, kind));
    }
    signals
}

/// Names the signals of a lane, in the order of [`lane_values`].
fn lane_signals(arithmetic: Arithmetic, elements: usize, mut add: impl FnMut(&str, SignalKind)) {
    use SignalKind::{Bit, Real, Signed, Text, Unsigned};
    add("busy", Bit);
    add("idle_cause", Text);
    add("filter", Unsigned);
    add("position", Unsigned);
    add("weight", Unsigned);
    match arithmetic {
        Arithmetic::Integer => {
            add("code", Signed);
            add("weights", Unsigned);
            add("plane", Unsigned);
            add("plane_value", Signed);
            for element in 0..elements {
                add(&format!("activation{element}"), Signed);
                add(&format!("product{element}"), Signed);
                add(&format!("accumulator{element}"), Signed);
            }
        }
        Arithmetic::Real => {
            for cell in 0..elements {
                add(&format!("code{cell}"), Signed);
                add(&format!("activation{cell}"), Real);
                add(&format!("product{cell}"), Real);
            }
            add("accumulator", Real);
        }
    }
}

fn stage_values(stage: Option<StageWork>, values: &mut Vec<SignalValue>) {
    use SignalValue::{Bit, Undefined, Unsigned};
    values.push(Bit(stage.is_some_and(|work| !work.waits)));
    values.extend(stage.map_or([Undefined; 2], |work| [Unsigned(work.position as u128), Unsigned(work.step.into())]));
}

fn lane_values(lane: &Lane, (arithmetic, shown): (Arithmetic, usize), values: &mut Vec<SignalValue>) {
    use SignalValue::{Bit, Text, Undefined, Unsigned};
    let end = values.len() + LANE_SIGNALS + element_signals(arithmetic, shown);
    values.push(Bit(lane.is_busy()));
    values.push(Text(lane.idle_cause().map_or("", |cause| cause.name())));
    if let Some(work) = lane.work() {
        values.extend([work.filter, work.position, work.weight].map(|index| Unsigned(index as u128)));
        match &work.elements {
            Elements::OneWeight { code, weights, plane, plane_value, elements } => {
                let plane_value = SignalValue::Signed(*plane_value);
                let code = SignalValue::Signed((*code).into());
                values.extend([code, Unsigned((*weights).into()), Unsigned((*plane).into()), plane_value]);
                values.extend(elements.iter().take(shown).flat_map(values_of_element));
            }
            Elements::OneSum { cells, accumulator } => {
                values.extend(cells.iter().take(shown).flat_map(values_of_cell));
                values.resize(end - 1, Undefined);
                values.push(SignalValue::Real32(*accumulator));
            }
        }
    }
    values.resize(end, Undefined);
}

fn values_of_element(element: &ProcessingElement) -> [SignalValue; 3] {
    [element.activation.into(), element.product, element.accumulator].map(SignalValue::Signed)
}

fn values_of_cell(cell: &Cell) -> [SignalValue; 3] {
    use SignalValue::{Real32, Signed};
    [Signed(cell.code.into()), Real32(cell.activation), Real32(cell.product)]
}
