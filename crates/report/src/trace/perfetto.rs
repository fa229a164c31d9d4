//! A trace as a timeline.

use std::io::{self, Write};

use engine::{Elements, IdleCause, Lane, LaneWork, StageWork};
use runner::trace::{Sample, Trace};
use serde::Serialize;
use serde_json::{Value, json};

/// The only process of the file: the layer on its hardware.
const PROCESS: u32 = 1;

/// Writes the trace as Chrome trace events: a JSON object that ui.perfetto.dev and chrome://tracing open. Every stage and
/// every lane has a track. Neighbouring cycles in which it does the same are one slice. On the track of a lane a slice for
/// a filter at a position holds the slices of its weights and of its idle causes. Times are in microseconds, and 1 µs
/// stands for one cycle, so that every time is a whole number.
///
/// # Errors
///
/// Those of the writer.
pub fn write_perfetto(writer: &mut dyn Write, trace: &Trace) -> io::Result<()> {
    let about = json!({
        "layer": trace.layer,
        "hardware": trace.hardware,
        "clock_hz": trace.clock_hz,
        "time": "1 us stands for 1 cycle",
    });
    write!(writer, "{{\"displayTimeUnit\":\"ns\",\"otherData\":{about},\"traceEvents\":[")?;
    let mut events = Events { writer, separator: "\n" };
    let named = |name: &str| json!({ "name": name });
    events.metadata("process_name", 0, named(&format!("{} on {}", trace.layer, trace.hardware)))?;
    for (track, thread) in tracks(trace).into_iter().zip(1..) {
        events.metadata("thread_name", thread, named(&track.name))?;
        events.metadata("thread_sort_index", thread, json!({ "sort_index": thread }))?;
        slices(&mut events, thread, &trace.samples, &track.levels)?;
    }
    counter(&mut events, "active", &trace.samples, |sample| sample.active)?;
    counter(&mut events, "mac_count", &trace.samples, |sample| u64::try_from(sample.count).unwrap_or(u64::MAX))?;
    events.writer.write_all(b"\n]}\n")
}

/// A line of the timeline.
struct Track<'a> {
    name: String,
    /// What the track shows of a cycle, the outer slice first.
    levels: Vec<Level<'a>>,
}

type Level<'a> = Box<dyn Fn(&Sample) -> Option<State> + 'a>;

/// The tracks of all stages, then those of all lanes.
fn tracks(trace: &Trace) -> Vec<Track<'_>> {
    let stage = |(at, name): (usize, &&str)| Track {
        name: name.to_string(),
        levels: vec![Box::new(move |sample: &Sample| sample.stages.get(at).copied().flatten().map(State::Step))],
    };
    let lane = |&index: &usize| Track {
        name: format!("lane{index}"),
        levels: vec![
            Box::new(move |sample: &Sample| sample.lane(index).and_then(State::outer)),
            Box::new(move |sample: &Sample| sample.lane(index).and_then(State::inner)),
        ],
    };
    trace.stages.iter().enumerate().map(stage).chain(trace.lanes.iter().map(lane)).collect()
}

/// What a track does in a cycle.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// A stage has a step of an input vector.
    Step(StageWork),
    /// A lane has work.
    Place { filter: usize, position: usize },
    /// A lane multiplies.
    Weight { weight: usize, code: Option<i32> },
    /// A lane does no work.
    Idle(IdleCause),
}

impl State {
    /// The work of a lane, or why it has none.
    fn outer(lane: &Lane) -> Option<Self> {
        match lane {
            Lane::Busy(LaneWork { filter, position, .. }) | Lane::Stalled(LaneWork { filter, position, .. }, _) => {
                Some(State::Place { filter: *filter, position: *position })
            }
            Lane::Free(cause) => cause.map(State::Idle),
        }
    }

    /// What a lane does of its work.
    fn inner(lane: &Lane) -> Option<Self> {
        match lane {
            Lane::Busy(work) => Some(State::Weight { weight: work.weight, code: code(&work.elements) }),
            Lane::Stalled(_, cause) => Some(State::Idle(*cause)),
            Lane::Free(_) => None,
        }
    }

    fn name(self) -> String {
        match self {
            State::Step(StageWork { waits: true, .. }) => "waiting for the next stage".to_string(),
            State::Step(StageWork { position, step, .. }) => format!("position {position}, step {step}"),
            State::Place { filter, position } => format!("filter {filter}, position {position}"),
            State::Weight { weight, code: Some(code) } => format!("weight {weight}, code {code}"),
            State::Weight { weight, code: None } => format!("weights from {weight}"),
            State::Idle(cause) => cause.name().to_string(),
        }
    }

    /// The category, by which viewers filter.
    fn category(self) -> &'static str {
        match self {
            State::Step(StageWork { waits: true, .. }) | State::Idle(_) => "idle",
            State::Step(_) | State::Weight { .. } => "busy",
            State::Place { .. } => "work",
        }
    }

    /// What a viewer shows of a slice: its first cycle, and the numbers of the state.
    fn arguments(self, cycle: u128) -> Value {
        match self {
            State::Step(StageWork { position, step, .. }) => {
                json!({ "cycle": cycle, "position": position, "step": step })
            }
            State::Place { filter, position } => {
                json!({ "cycle": cycle, "filter": filter, "position": position })
            }
            State::Weight { weight, code: Some(code) } => {
                json!({ "cycle": cycle, "weight": weight, "code": code })
            }
            State::Weight { weight, code: None } => json!({ "cycle": cycle, "weight": weight }),
            State::Idle(_) => json!({ "cycle": cycle }),
        }
    }
}

/// The code of the weight that all elements share.
fn code(elements: &Elements) -> Option<i32> {
    match elements {
        Elements::OneWeight { code, .. } => Some(*code),
        Elements::OneSum { .. } => None,
    }
}

/// Writes a slice for each run of cycles in the same state, and within it those of the levels below.
fn slices(events: &mut Events<'_>, thread: u32, samples: &[Sample], levels: &[Level<'_>]) -> io::Result<()> {
    let Some((level, below)) = levels.split_first() else { return Ok(()) };
    for run in samples.chunk_by(|a, b| level(a) == level(b)) {
        if let Some(state) = level(&run[0]) {
            events.slice(thread, run, state)?;
            slices(events, thread, run, below)?;
        }
    }
    Ok(())
}

/// Writes the value of a counter wherever it changes.
fn counter(events: &mut Events<'_>, name: &str, samples: &[Sample], value: impl Fn(&Sample) -> u64) -> io::Result<()> {
    for run in samples.chunk_by(|a, b| value(a) == value(b)) {
        let arguments = json!({ name: value(&run[0]) });
        events.write(&Event { ph: "C", ts: Some(run[0].cycle), ..Event::new(name, 0, arguments) })?;
    }
    Ok(())
}

/// The events of the file, as they are written.
struct Events<'w> {
    writer: &'w mut dyn Write,
    /// What stands before the next event.
    separator: &'static str,
}

impl Events<'_> {
    fn metadata(&mut self, name: &str, thread: u32, arguments: Value) -> io::Result<()> {
        self.write(&Event::new(name, thread, arguments))
    }

    fn slice(&mut self, thread: u32, run: &[Sample], state: State) -> io::Result<()> {
        self.write(&Event {
            cat: Some(state.category()),
            ph: "X",
            ts: Some(run[0].cycle),
            dur: Some(run.len()),
            ..Event::new(&state.name(), thread, state.arguments(run[0].cycle))
        })
    }

    fn write(&mut self, event: &Event<'_>) -> io::Result<()> {
        self.writer.write_all(self.separator.as_bytes())?;
        self.separator = ",\n";
        serde_json::to_writer(&mut *self.writer, event).map_err(io::Error::from)
    }
}

/// An event with the field names of the format.
#[derive(Serialize)]
struct Event<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cat: Option<&'static str>,
    ph: &'static str,
    pid: u32,
    tid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<u128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<usize>,
    args: Value,
}

impl<'a> Event<'a> {
    /// An event of metadata.
    fn new(name: &'a str, thread: u32, arguments: Value) -> Self {
        Event { name, cat: None, ph: "M", pid: PROCESS, tid: thread, ts: None, dur: None, args: arguments }
    }
}

#[cfg(test)]
mod tests {
    use engine::{Arithmetic, Joules};

    use super::*;

    fn work(weight: usize, code: i32) -> LaneWork {
        let elements = Elements::OneWeight { code, weights: 1, plane: 0, plane_value: 1, elements: Vec::new() };
        LaneWork { filter: 3, position: 8, weight, elements }
    }

    /// Six cycles from the second on: a lane that fills, takes two cycles for one weight and one for the next, and is done.
    fn traced() -> Trace {
        let (fill, early) = (IdleCause::new("pipeline fill"), IdleCause::new("row finished early"));
        let lanes = [
            Lane::Stalled(work(0, 5), fill),
            Lane::Busy(work(0, 5)),
            Lane::Busy(work(0, 5)),
            Lane::Busy(work(1, -1)),
            Lane::Free(Some(early)),
            Lane::Free(Some(early)),
        ];
        let step = |waits| Some(StageWork { position: 8, step: 1, waits });
        let stages = [None, step(false), step(false), step(true), None, None];
        let sample = |((cycle, lane), stage): ((u128, Lane), Option<StageWork>)| Sample {
            cycle,
            active: u64::from(lane.is_busy()),
            count: 0,
            stages: vec![stage],
            lanes: vec![(2, lane)],
        };
        Trace {
            layer: "conv \"1\"".to_string(),
            hardware: "rows".to_string(),
            arithmetic: Arithmetic::Integer,
            clock_hz: Some(2e8),
            unit: Joules(1.0),
            normalized: false,
            total_cycles: 9,
            lanes: vec![2],
            elements: 0,
            stages: vec!["adc"],
            samples: (1..).zip(lanes).zip(stages).map(sample).collect(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn neighbouring_cycles_in_one_state_are_a_slice_within_that_of_their_work() {
        let mut file = Vec::new();
        write_perfetto(&mut file, &traced()).expect("memory is writable");
        let expected = r#"{"displayTimeUnit":"ns","otherData":{"layer":"conv \"1\"","hardware":"rows","clock_hz":200000000.0,"time":"1 us stands for 1 cycle"},"traceEvents":[
{"name":"process_name","ph":"M","pid":1,"tid":0,"args":{"name":"conv \"1\" on rows"}},
{"name":"thread_name","ph":"M","pid":1,"tid":1,"args":{"name":"adc"}},
{"name":"thread_sort_index","ph":"M","pid":1,"tid":1,"args":{"sort_index":1}},
{"name":"position 8, step 1","cat":"busy","ph":"X","pid":1,"tid":1,"ts":2,"dur":2,"args":{"cycle":2,"position":8,"step":1}},
{"name":"waiting for the next stage","cat":"idle","ph":"X","pid":1,"tid":1,"ts":4,"dur":1,"args":{"cycle":4,"position":8,"step":1}},
{"name":"thread_name","ph":"M","pid":1,"tid":2,"args":{"name":"lane2"}},
{"name":"thread_sort_index","ph":"M","pid":1,"tid":2,"args":{"sort_index":2}},
{"name":"filter 3, position 8","cat":"work","ph":"X","pid":1,"tid":2,"ts":1,"dur":4,"args":{"cycle":1,"filter":3,"position":8}},
{"name":"pipeline fill","cat":"idle","ph":"X","pid":1,"tid":2,"ts":1,"dur":1,"args":{"cycle":1}},
{"name":"weight 0, code 5","cat":"busy","ph":"X","pid":1,"tid":2,"ts":2,"dur":2,"args":{"cycle":2,"weight":0,"code":5}},
{"name":"weight 1, code -1","cat":"busy","ph":"X","pid":1,"tid":2,"ts":4,"dur":1,"args":{"cycle":4,"weight":1,"code":-1}},
{"name":"row finished early","cat":"idle","ph":"X","pid":1,"tid":2,"ts":5,"dur":2,"args":{"cycle":5}},
{"name":"active","ph":"C","pid":1,"tid":0,"ts":1,"args":{"active":0}},
{"name":"active","ph":"C","pid":1,"tid":0,"ts":2,"args":{"active":1}},
{"name":"active","ph":"C","pid":1,"tid":0,"ts":5,"args":{"active":0}},
{"name":"mac_count","ph":"C","pid":1,"tid":0,"ts":1,"args":{"mac_count":0}}
]}
"#;
        assert_eq!(String::from_utf8(file).expect("the file is text"), expected);
    }
}
