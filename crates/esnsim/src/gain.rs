//! Networks held against the one that they were made of: what compression gains on each hardware.

use std::path::Path;

use network::Network;
use report::figures::{gain_svg, write_gain_svg};
use report::text::{gain_reasons, gain_table, ideal_lines, marked_name, network_name};
use report::{GainReport, GainingNetwork, write_file, write_gain_csv};
use runner::{BitCounts, ComparedNetwork, Gains, Hardware, LayerDetail, details, gains};

use crate::error::Error;
use crate::simulation::{SimulateOptions, Simulation};

/// What networks gain over the first of them, each on the same hardware. Of the first at several widths it is the widest.
pub struct Comparison<'a> {
    hardware: &'a [Hardware],
    /// The place of the network before among the runs, and its name.
    before: (usize, String),
    /// In the order of the runs; none in the place of the network before.
    after: Vec<Option<Compared>>,
}

/// One network that is held against the one before.
struct Compared {
    name: String,
    gains: Result<Gains, &'static str>,
    note: Option<String>,
}

impl<'a> Comparison<'a> {
    /// Holds every run against the first, or against that of the same network that has the most bits. All of them ran on
    /// `hardware`.
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
        let compared = |run: usize| {
            let (cost, details) = (runs[run].cost(), &all[run]);
            let bits = BitCounts::new(runs[run].network(), cost, details, runs[run].options().activation_bits());
            ComparedNetwork { cost, details, bits }
        };
        let before = widest_of_first(runs);
        let of = |run: usize| {
            let (first, after) = (runs[before].network(), runs[run].network());
            let gains = match not_comparable(first, after) {
                Some(why) => Err(why),
                None => Ok(gains(hardware, compared(before), compared(run))),
            };
            Compared { name: names[run].clone(), gains, note: other_inputs(first, after) }
        };
        let after = (0..runs.len()).map(|run| (run != before).then(|| of(run))).collect();
        Ok(Self { hardware, before: (before, names[before].clone()), after })
    }

    /// The place of the run that a run is held against; none where the two cannot be compared. The run before is held against
    /// itself.
    pub fn over(&self, run: usize) -> Option<usize> {
        let compared = self.after[run].as_ref().is_none_or(|network| network.gains.is_ok());
        compared.then_some(self.before.0)
    }

    /// The networks that cannot be compared with the one before.
    pub fn not_compared(&self) -> impl Iterator<Item = &str> {
        self.after.iter().flatten().filter(|network| network.gains.is_err()).map(|network| &*network.name)
    }

    /// The gains as a table, and for each network and hardware sentences that say what ate the difference to the ideal.
    /// `remove_dead` says how filters are removed that are zero and still there.
    pub fn text(&self, remove_dead: &str) -> String {
        let networks = self.networks();
        let reasons = gain_reasons(self.hardware, &networks, remove_dead);
        match networks.iter().any(|network| network.gains.is_ok()) {
            true => {
                let table = gain_table(self.hardware, &self.before.1, &networks);
                format!("{table}\n{}{reasons}", ideal_lines(self.hardware))
            }
            false => reasons.trim_start().to_string(),
        }
    }

    /// Writes the gains as CSV; `docs/output.md` documents the columns.
    ///
    /// # Errors
    ///
    /// [`Error::Output`] names the file; it is then as it was before.
    pub fn write_csv(&self, path: &Path) -> Result<(), Error> {
        Ok(write_file(path, |writer| write_gain_csv(writer, self.hardware, &self.before.1, &self.networks()))?)
    }

    /// What [`Comparison::write_csv`] writes, as text.
    pub fn csv(&self) -> String {
        let mut bytes = Vec::new();
        write_gain_csv(&mut bytes, self.hardware, &self.before.1, &self.networks())
            .expect("memory takes all that is written");
        String::from_utf8(bytes).expect("CSV is text")
    }

    /// Draws the gains: a panel for each network, with bars of energy and cycles for each hardware.
    ///
    /// # Errors
    ///
    /// As [`Comparison::write_csv`].
    pub fn write_svg(&self, path: &Path) -> Result<(), Error> {
        Ok(write_gain_svg(path, self.hardware, &self.before.1, &self.networks())?)
    }

    /// What [`Comparison::write_svg`] writes, as text.
    pub fn svg(&self) -> String {
        gain_svg(self.hardware, &self.before.1, &self.networks()).expect("every bar is on the axis, which the bars set")
    }

    /// What the network of a run gains, as a part of the JSON of the run; none of the network before.
    pub(crate) fn report(&self, run: usize) -> Option<GainReport<'_>> {
        let compared = self.after[run].as_ref()?;
        Some(GainReport::new(self.hardware, &self.before.1, compared.as_ref()))
    }

    fn networks(&self) -> Vec<GainingNetwork<'_>> {
        self.after.iter().flatten().map(Compared::as_ref).collect()
    }
}

impl Compared {
    fn as_ref(&self) -> GainingNetwork<'_> {
        let gains = self.gains.as_ref().map_err(|why| *why);
        GainingNetwork { name: &self.name, gains, note: self.note.as_deref() }
    }
}

/// Refuses networks of which none can be compared with the first.
///
/// # Errors
///
/// [`Error::NotCompared`] names the first of them.
pub fn check_comparable(networks: &[&Network]) -> Result<(), Error> {
    let Some((before, after)) = networks.split_first() else { return Ok(()) };
    let reasons: Option<Vec<&str>> = after.iter().map(|after| not_comparable(before, after)).collect();
    match reasons.as_deref() {
        Some([why, ..]) => Err(Error::NotCompared { name: network_name(after[0]), before: network_name(before), why }),
        Some([]) | None => Ok(()),
    }
}

/// The run of the first network that has the most bits; the first of such.
fn widest_of_first(runs: &[&Simulation<'_>]) -> usize {
    let of_first = (0..runs.len()).filter(|&run| std::ptr::eq(runs[run].network(), runs[0].network()));
    of_first.rev().max_by_key(|&run| runs[run].options().quantization.bits()).expect("the first is one of them")
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
