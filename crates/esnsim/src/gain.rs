//! Networks held against the one that they were made of: what compression gains on each hardware.

use std::path::Path;

use network::Network;
use report::figures::{gain_svg, write_gain_svg};
use report::text::{gain_reasons, gain_table, marked_name};
use report::{GainReport, GainingNetwork, write_file, write_gain_csv};
use runner::{ComparedNetwork, Gains, Hardware, LayerDetail, details, gains};

use crate::error::Error;
use crate::simulation::{SimulateOptions, Simulation};

/// What networks gain over the first of them, each on the same hardware.
pub struct Comparison<'a> {
    hardware: &'a [Hardware],
    before: String,
    after: Vec<Compared>,
}

/// One network that is held against the first.
struct Compared {
    name: String,
    gains: Result<Gains, &'static str>,
    note: Option<String>,
}

impl<'a> Comparison<'a> {
    /// Holds every run against the first. All of them ran on `hardware`.
    ///
    /// # Errors
    ///
    /// A layer whose weights cannot be read again.
    ///
    /// # Panics
    ///
    /// If there is no run.
    pub fn new(hardware: &'a [Hardware], runs: &[&Simulation<'_>]) -> Result<Self, Error> {
        let names = names(runs);
        let all: Vec<Vec<LayerDetail>> = runs.iter().map(|run| detail(run)).collect::<Result<_, _>>()?;
        let compared = |run: usize| ComparedNetwork { cost: runs[run].cost(), details: &all[run] };
        let of = |run: usize| {
            let (before, after) = (runs[0].network(), runs[run].network());
            let gains = match not_comparable(before, after) {
                Some(why) => Err(why),
                None => Ok(gains(hardware, compared(0), compared(run))),
            };
            Compared { name: names[run].clone(), gains, note: other_inputs(before, after) }
        };
        Ok(Self { hardware, before: names[0].clone(), after: (1..runs.len()).map(of).collect() })
    }

    /// The gains as a table, and a sentence for each network and hardware that says what ate the difference.
    /// `remove_dead` says how filters are removed that are zero and still there.
    pub fn text(&self, remove_dead: &str) -> String {
        let networks = self.networks();
        let reasons = gain_reasons(self.hardware, &networks, remove_dead);
        match networks.iter().any(|network| network.gains.is_ok()) {
            true => format!("{}{reasons}", gain_table(self.hardware, &self.before, &networks)),
            false => reasons,
        }
    }

    /// Writes the gains as CSV; `docs/output.md` documents the columns.
    ///
    /// # Errors
    ///
    /// [`Error::Output`] names the file; it is then as it was before.
    pub fn write_csv(&self, path: &Path) -> Result<(), Error> {
        Ok(write_file(path, |writer| write_gain_csv(writer, self.hardware, &self.before, &self.networks()))?)
    }

    /// What [`Comparison::write_csv`] writes, as text.
    pub fn csv(&self) -> String {
        let mut bytes = Vec::new();
        write_gain_csv(&mut bytes, self.hardware, &self.before, &self.networks())
            .expect("memory takes all that is written");
        String::from_utf8(bytes).expect("CSV is text")
    }

    /// Draws the gains: a panel for each network, with bars of energy and cycles for each hardware.
    ///
    /// # Errors
    ///
    /// As [`Comparison::write_csv`].
    pub fn write_svg(&self, path: &Path) -> Result<(), Error> {
        Ok(write_gain_svg(path, self.hardware, &self.before, &self.networks())?)
    }

    /// What [`Comparison::write_svg`] writes, as text.
    pub fn svg(&self) -> String {
        gain_svg(self.hardware, &self.before, &self.networks()).expect("every bar is on the axis, which the bars set")
    }

    /// What the network of a run gains, as a part of the JSON of the run; none of the first.
    pub(crate) fn report(&self, run: usize) -> Option<GainReport<'_>> {
        let compared = &self.after[run.checked_sub(1)?];
        Some(GainReport::new(self.hardware, &self.before, compared.as_ref()))
    }

    fn networks(&self) -> Vec<GainingNetwork<'_>> {
        self.after.iter().map(Compared::as_ref).collect()
    }
}

impl Compared {
    fn as_ref(&self) -> GainingNetwork<'_> {
        let gains = self.gains.as_ref().map_err(|why| *why);
        GainingNetwork { name: &self.name, gains, note: self.note.as_deref() }
    }
}

/// What the runs are called: their files. Those that have one file in common have their width behind it, or their place in the
/// order where they have one width, too.
fn names(runs: &[&Simulation<'_>]) -> Vec<String> {
    let files: Vec<String> = runs.iter().map(|run| marked_name(run.network())).collect();
    let bits: Vec<u32> = runs.iter().map(|run| run.options().quantization.bits().get()).collect();
    let name = |run: usize| {
        let same = || (0..runs.len()).filter(|&other| files[other] == files[run]);
        match (same().count(), same().filter(|&other| bits[other] == bits[run]).count()) {
            (1, _) => files[run].clone(),
            (_, 1) => format!("{} ({} bits)", files[run], bits[run]),
            _ => format!("{} #{}", files[run], same().take_while(|&other| other <= run).count()),
        }
    };
    (0..runs.len()).map(name).collect()
}

fn detail(run: &Simulation<'_>) -> Result<Vec<LayerDetail>, Error> {
    let SimulateOptions { quantization, convention, .. } = *run.options();
    Ok(details(run.network(), quantization, convention)?)
}

/// Why gains of one network over the other would mean nothing.
fn not_comparable(before: &Network, after: &Network) -> Option<&'static str> {
    match (before.has_graph(), after.has_graph()) {
        (true, false) => {
            Some("it has no graph, so that each of its weights counts as one MAC, and the first network has one")
        }
        (false, true) => {
            Some("it has a graph, and each weight of the first network counts as one MAC, as that has none")
        }
        (true, true) | (false, false) => None,
    }
}

/// That two networks take inputs of different sizes, which is a part of what is gained. Formats order axes differently, so that
/// their order is none of it.
fn other_inputs(before: &Network, after: &Network) -> Option<String> {
    let shapes = |network: &Network| -> Vec<Vec<usize>> {
        let graph = network.graph();
        graph.inputs().iter().map(|&id| graph.value(id).shape.clone().unwrap_or_default()).collect()
    };
    let sorted = |mut shapes: Vec<Vec<usize>>| {
        shapes.iter_mut().for_each(|shape| shape.sort_unstable());
        shapes
    };
    let text = |shapes: &[Vec<usize>]| shapes.iter().map(|shape| format!("{shape:?}")).collect::<Vec<_>>().join(", ");
    let [before, after] = [before, after].map(shapes);
    (sorted(before.clone()) != sorted(after.clone())).then(|| {
        let (before, after) = (text(&before), text(&after));
        format!("its input is {after}, and {before} of the first network: that is a part of the gains")
    })
}
