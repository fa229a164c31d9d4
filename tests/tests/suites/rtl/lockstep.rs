//! Circuit and machine side by side.

use std::fmt;
use std::iter::Sum;

use digital::{SteppedArray, idle};
use engine::{Activations, Event, Outputs, Silent};

use super::case::Case;
use super::circuit::{Circuit, Simulation, Simulator};
use super::image::Image;

/// What was found equal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compared {
    pub layers: usize,
    pub cycles: u128,
    /// Busy PE-cycles, with one partial sum each.
    pub pe_cycles: u128,
    pub outputs: usize,
}

impl Sum for Compared {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, this| Self {
            layers: sum.layers + this.layers,
            cycles: sum.cycles + this.cycles,
            pe_cycles: sum.pe_cycles + this.pe_cycles,
            outputs: sum.outputs + this.outputs,
        })
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layers, cycles, pe_cycles, outputs } = self;
        write!(f, "{layers} layers, {cycles} cycles, {pe_cycles} PE-cycles, {outputs} outputs")
    }
}

/// Runs the cases, all of them on arrays of one size, on circuit and machine. The error tells the first difference.
pub fn compare(circuit: &Circuit, simulator: Simulator, cases: &[Case]) -> Result<Compared, String> {
    let spec = cases.first().expect("there are cases").array.spec();
    let shape = [spec.rows, spec.pes_per_row];
    let images: Vec<Image> =
        cases.iter().map(|case| Image::new(&case.layer(), case.array.spec(), &case.input)).collect();
    let mut simulation = circuit.start(simulator, shape, &images);
    let compared: Result<Compared, String> = cases
        .iter()
        .zip(&images)
        .map(|(case, image)| {
            compare_layer(case, image, &mut simulation).map_err(|difference| format!("{}: {difference}", case.name))
        })
        .sum();
    let compared = compared?;
    match simulation.line().as_deref() {
        Some("end") => Ok(compared),
        other => Err(format!("after the last layer the circuit prints {other:?}")),
    }
}

fn compare_layer(case: &Case, image: &Image, simulation: &mut Simulation) -> Result<Compared, String> {
    let layer = case.layer();
    let mut machine = case.array.load(&layer, Activations::Integer(&case.input)).expect("a layer that it takes");
    let mut outputs = vec![0i64; case.geometry.output_len()];
    let mut rows_seen = 0;
    loop {
        let line = simulation.line().ok_or("the circuit stopped")?;
        let cycle = machine.cycles().0;
        let at = |difference: String| format!("cycle {cycle}: {difference}");
        let (kind, numbers) = line.split_once(' ').unwrap_or((&line, ""));
        let numbers: Option<Vec<i64>> = numbers.split_ascii_whitespace().map(|n| n.parse().ok()).collect();
        let numbers = numbers.ok_or_else(|| at(format!("the circuit prints `{line}`")))?;
        match kind {
            "r" => {
                compare_row(case, image, &machine, &numbers).map_err(at)?;
                rows_seen += 1;
            }
            "." => {
                let rows = (0..case.array.spec().rows).filter(|&row| machine.row(row).is_some()).count();
                if rows != rows_seen || !machine.step(&mut Silent) {
                    return Err(at(format!("{rows_seen} rows work in the circuit, {rows} in the machine")));
                }
                rows_seen = 0;
            }
            "o" => store(case, &numbers, &mut outputs).ok_or_else(|| at(format!("there is no output `{line}`")))?,
            "=" => return compare_end(machine, &numbers, outputs),
            _ => return Err(at(format!("the circuit prints `{line}`"))),
        }
    }
}

/// `ROW ENTRY PLANE FILTER POSITION SUM …`
fn compare_row(case: &Case, image: &Image, machine: &SteppedArray<'_>, numbers: &[i64]) -> Result<(), String> {
    let [index, entry, plane, filter, position, sums @ ..] = numbers else {
        return Err("the circuit prints too few numbers for a row".to_string());
    };
    let row = machine.row(*index as usize).ok_or_else(|| format!("row {index} works in the circuit alone"))?;
    let weight = image.weight_index(*entry as usize).ok_or_else(|| format!("there is no weight {entry}"))?;
    let circuit = [*filter, weight as i64, *plane, *position];
    let expected = [row.filter() as i64, row.weight() as i64, i64::from(row.plane()), row.positions().start as i64];
    if circuit != expected {
        let what = "filter, weight, plane, position";
        return Err(format!("row {index} is at {what} {circuit:?} in the circuit, {expected:?} in the machine"));
    }
    let same = row.elements().iter().map(|element| element.accumulator()).eq(sums.iter().copied());
    same.then_some(()).ok_or_else(|| {
        let machine: Vec<i64> = row.elements().iter().map(|element| element.accumulator()).collect();
        let grid = case.codes.grid();
        format!("row {index}, {grid:?}: sums {sums:?} in the circuit, {machine:?} in the machine")
    })
}

/// `FILTER POSITION SUM …` into `[repeats, filters, positions]`; none where there is no such output.
fn store(case: &Case, numbers: &[i64], outputs: &mut [i64]) -> Option<()> {
    let [filter, position, sums @ ..] = numbers else { return None };
    let (filters, per_repeat) = (case.geometry.spec().filters, case.geometry.positions_per_repeat());
    for (position, sum) in (usize::try_from(*position).ok()?..).zip(sums) {
        let (repeat, position) = (position / per_repeat, position % per_repeat);
        *outputs.get_mut((repeat * filters + usize::try_from(*filter).ok()?) * per_repeat + position)? = *sum;
    }
    Some(())
}

/// `CYCLES BUSY TAIL EARLY` and all outputs, against what the machine counted and computed.
fn compare_end(machine: SteppedArray<'_>, numbers: &[i64], outputs: Vec<i64>) -> Result<Compared, String> {
    let before = machine.cycles();
    let stepped = machine.run(&mut Silent);
    let run = &stepped.run;
    if run.cycles != before {
        return Err(format!("the circuit is done after {} cycles, the machine after {}", before.0, run.cycles.0));
    }
    let busy = run.ledger.count(Event::MAC);
    let expected = [run.cycles.0, busy, run.idle_by(idle::POSITION_TAIL), run.idle_by(idle::ROW_FINISHED_EARLY)];
    if !numbers.iter().map(|&n| n as u128).eq(expected) {
        return Err(format!("cycles, busy, tail, early {numbers:?} in the circuit, {expected:?} in the machine"));
    }
    let Outputs::Integer(sums) = &stepped.outputs else { return Err("the machine computes integers".to_string()) };
    match sums.iter().zip(&outputs).position(|(machine, circuit)| machine != circuit) {
        None => Ok(Compared { layers: 1, cycles: expected[0], pe_cycles: busy, outputs: outputs.len() }),
        Some(n) => Err(format!("output {n} is {} in the circuit, {} in the machine", outputs[n], sums[n])),
    }
}
