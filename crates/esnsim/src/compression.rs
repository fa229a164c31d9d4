//! A network made cheaper: pruned, put on a grid, its statistics re-estimated.

mod words;

use std::path::{Path, PathBuf};

use compress::{
    Allocation, Allotment, Choice, CompressError, FindStepReport, Granularity, LayerOptions, Original, PruneOptions,
    PruneReport, QuantizeOptions, QuantizeReport, ReestimateOptions, ReestimateReport, Sensitivity, SensitivityPlan,
    StepRule,
};
use esn::{BitConvention, BitWidth, Grid};
use explore::pareto::{Cost, JOULES, LayerCosts};
use formats::ReadOptions;
use inference::Samples;
use network::{Network, Note, NoteKind};
use report::text::{allotment_table, grouped, joules, pruning_table, quantization_table, totals_table};
use report::{EsnFigures, write_file};
use runner::{DEFAULT_BITS, LayerDetail, NetworkCost, Quantization, is_quantized};
use serde::{Serialize, Serializer};

use crate::error::{Error, Need};
use crate::images::{ImageRequest, NetworkImages, images};
use crate::open::{check_graph, find_steps, find_steps_watched};
use crate::progress::{Progress, Quiet, Stage};
use crate::simulation::ACTIVATION_BITS;

pub use words::{allocation, layer_options, pruning};

/// A budget that is shared out among layers, by how far the network's output moves when each is quantized.
#[derive(Clone)]
pub struct Allocate<'a> {
    /// What the budget counts.
    pub cost: Cost,
    /// How much of it, for one image.
    pub budget: f64,
    /// Levels.
    pub grid: Grid,
    /// Images that the output is looked at on; labels play no part.
    pub images: &'a dyn Samples,
    /// At most so many of them, spread evenly.
    pub limit: usize,
}

impl Allocate<'_> {
    /// The error of a budget below the `least` that the layers can cost, in units.
    fn too_small(&self, least: u128) -> CompressError {
        let (budget, least) = (in_words(&self.cost, self.budget), in_words(&self.cost, self.cost.amount(least)));
        let cost = self.cost.id();
        let zeros = match self.grid {
            Grid::MidRise => ", or the grid mid-tread, on which weights may become 0",
            Grid::MidTread => "",
        };
        let problem = format!(
            "a budget of {budget} of {cost}; expected at least {least}, what the cheapest choices of all layers come to: it takes a larger budget{zeros}"
        );
        CompressError::Option { option: "allocate", problem }
    }
}

/// An amount of a cost, as a message tells it.
fn in_words(cost: &Cost, amount: f64) -> String {
    if cost.unit(&[]) == Some(JOULES) { joules(amount) } else { amount.to_string() }
}

/// How a budget was shared out.
#[derive(Clone, Debug, Serialize)]
pub struct Allocated {
    /// What the budget counts.
    #[serde(serialize_with = "id_of")]
    pub metric: Cost,
    /// How much of it was there.
    pub budget: f64,
    /// What every layer's quantization does to the output.
    #[serde(flatten)]
    pub sensitivity: Sensitivity,
    /// What was chosen.
    pub chosen: Allotment,
}

impl Allocated {
    /// That the budget is more than the layers have a use for, if it is.
    fn excess(&self) -> Option<Note> {
        let cost = &self.metric;
        let most = cost.amount(self.sensitivity.most_cost());
        if self.budget <= most {
            return None;
        }
        let (id, budget, most) = (cost.id(), in_words(cost, self.budget), in_words(cost, most));
        let text = format!(
            "the budget of {budget} of {id} is more than its layers have a use for: each has the way that moves the output least, and together they cost {most}"
        );
        Some(Note::new(NoteKind::Consequence, text))
    }
}

fn id_of<S: Serializer>(cost: &Cost, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&cost.id())
}

/// What is done to a network, in the order of the fields.
#[derive(Clone, Default)]
pub struct CompressOptions<'a> {
    /// Prunes.
    pub prune: Option<PruneOptions>,
    /// Looks for the grid that real weights already lie on.
    pub find_steps: bool,
    /// Shares out a budget among layers, and quantizes weights as that comes out.
    pub allocate: Option<Allocate<'a>>,
    /// Quantizes weights: [`QuantizeRequest::options`].
    pub quantize: Option<QuantizeOptions>,
    /// Re-estimates BatchNorm statistics on these images.
    pub reestimate: Option<&'a dyn Samples>,
    /// Whether it is an error that a pruning comes to less than was asked for, or a target is missed.
    pub strict: bool,
    /// Who may stop it, by [`Progress::check`]. Nobody is told of a stage.
    pub progress: Option<&'a dyn Progress>,
}

impl CompressOptions<'_> {
    fn is_empty(&self) -> bool {
        let changes_weights = self.prune.is_some() || self.allocate.is_some() || self.quantize.is_some();
        !changes_weights && self.reestimate.is_none() && !self.find_steps
    }
}

/// A network that was compressed, what was asked for, and what came of it. It serializes as the JSON report of a
/// compression, which `docs/output.md` documents.
#[derive(Clone, Debug, Serialize)]
pub struct Compressed {
    /// The network.
    #[serde(skip)]
    pub network: Network,
    /// How it was pruned.
    pub prune: Option<(PruneOptions, PruneReport)>,
    /// Steps that were found.
    pub find_step: Option<FindStepReport>,
    /// How a budget was shared out among layers, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocate: Option<Allocated>,
    /// How it was quantized.
    pub quantize: Option<(QuantizeOptions, QuantizeReport)>,
    /// What re-estimation did.
    pub reestimate: Option<ReestimateReport>,
    /// That a budget was more than could be spent, that a memory needs more bits than it counts, or that the network is the one that it
    /// was.
    #[serde(skip)]
    pub of_the_whole: Vec<Note>,
}

/// Compresses a network: prune, find steps, quantize, re-estimate, each where it is asked for.
///
/// # Errors
///
/// [`Error::NothingToDo`] if nothing is asked for, [`Error::NeedsGraph`] for what needs images of weights alone, and
/// those of each step; with [`CompressOptions::strict`] [`Error::Short`].
pub fn compress(original: &Network, options: CompressOptions<'_>) -> Result<Compressed, Error> {
    if options.is_empty() {
        return Err(Error::NothingToDo);
    }
    if options.reestimate.is_some() {
        check_graph(original, Need::Reestimation)?;
    }
    if options.allocate.is_some() {
        check_graph(original, Need::Images)?;
    }
    let in_file = Error::compress(original.path());
    let watch = || options.progress.iter().for_each(|progress| progress.check());
    let network = original.clone();
    let mut done = Compressed {
        network,
        prune: None,
        find_step: None,
        allocate: None,
        quantize: None,
        reestimate: None,
        of_the_whole: Vec::new(),
    };
    if let Some(prune) = options.prune {
        let (network, report) = compress::prune_watched(&done.network, &prune, &watch).map_err(&in_file)?;
        done.network = network;
        done.prune = Some((prune, report));
        done.check_complete(options.strict)?;
    }
    if options.find_steps {
        let opened = find_steps_watched(&done.network, None, options.progress.unwrap_or(&Quiet))?;
        done.network = opened.network;
        done.find_step = opened.steps;
    }
    let mut quantize = options.quantize;
    if let Some(allocate) = options.allocate {
        let allocated =
            done.share_out(original, &allocate, options.reestimate.is_some(), options.progress.unwrap_or(&Quiet));
        let allocated = allocated.map_err(&in_file)?;
        quantize = Some(allocated.chosen.options());
        done.of_the_whole.extend(allocated.excess());
        done.allocate = Some(allocated);
    }
    if let Some(quantize) = quantize {
        let (network, report) = compress::quantize_watched(&done.network, &quantize, &watch).map_err(&in_file)?;
        done.network = network;
        done.quantize = Some((quantize, report));
        let more = done.more_in_memory().map_err(&in_file)?;
        done.of_the_whole.extend(more);
        done.check_complete(options.strict)?;
    }
    if let Some(samples) = options.reestimate {
        let reestimate = ReestimateOptions::default();
        let original = Original { network: original, pruned: done.prune.as_ref().map(|(_, report)| report) };
        let (network, report) =
            compress::reestimate(&done.network, original, samples, &reestimate).map_err(&in_file)?;
        done.network = network;
        done.reestimate = Some(report);
    }
    if done.changes_nothing() {
        let text = "nothing of what was asked for changed anything: the network is the one that was read";
        done.of_the_whole.push(Note::new(NoteKind::Unchanged, text));
    }
    Ok(done)
}

impl Compressed {
    /// Shares out a budget among the layers of the network so far.
    fn share_out(
        &self,
        original: &Network,
        allocate: &Allocate<'_>,
        reestimate: bool,
        progress: &dyn Progress,
    ) -> Result<Allocated, CompressError> {
        let no_budget = || {
            let problem =
                format!("a budget of {} of {}; expected a number above 0", allocate.budget, allocate.cost.id());
            CompressError::Option { option: "allocate", problem }
        };
        let budget = allocate.cost.units(allocate.budget).ok_or_else(no_budget)?;
        let choices = Choice::usual(allocate.grid);
        let costs = LayerCosts { hardware: &[], activation_bits: ACTIVATION_BITS };
        let cost = |network: &Network| costs.of(network, &allocate.cost);
        // Costs are known in a moment, and what is measured takes minutes.
        let least = least_cost(&compress::costs_of_choices(&self.network, &choices, &cost)?);
        if least > budget {
            return Err(allocate.too_small(least));
        }
        let sensitivity = compress::sensitivity(&SensitivityPlan {
            network: &self.network,
            original: Original { network: original, pruned: self.prune.as_ref().map(|(_, report)| report) },
            images: allocate.images,
            limit: allocate.limit,
            choices: &choices,
            cost: &cost,
            reestimate,
            progress: &|done, of| match done {
                0 => progress.begin(Stage::Sensitivity, of as u64),
                _ => progress.advance(1),
            },
        })?;
        progress.end(Stage::Sensitivity, sensitivity.layers.len() as u64);
        // A way whose outputs are not finite is none, so that the least may be more than it was.
        let least = sensitivity.least_cost();
        if least > budget {
            return Err(allocate.too_small(least));
        }
        let chosen = sensitivity.allocate(budget)?;
        Ok(Allocated { metric: allocate.cost.clone(), budget: allocate.budget, sensitivity, chosen })
    }

    /// That a memory needs more bits for the weights than a budget counts of them, if it does.
    fn more_in_memory(&self) -> Result<Option<Note>, CompressError> {
        let counts_them = |allocated: &&Allocated| allocated.metric.counts_bits_of_weights();
        let Some(allocated) = self.allocate.as_ref().filter(counts_them) else { return Ok(None) };
        let costs = LayerCosts { hardware: &[], activation_bits: ACTIVATION_BITS };
        let counted: u128 = costs.of(&self.network, &Cost::ModelBits)?.iter().sum();
        let LayerDetail { memory_bits, live_memory_bits, .. } = LayerCosts::detail(&self.network)?;
        Ok((memory_bits > counted).then(|| {
            let (id, counted, memory) = (allocated.metric.id(), grouped(counted), grouped(memory_bits));
            let removed = match live_memory_bits == memory_bits {
                true => String::new(),
                false => format!(", or {} if they are removed", grouped(live_memory_bits)),
            };
            let text = format!(
                "{id} counts {counted} bits of weights, by equation (3) and without pruned filters and channels; a memory with a code for every weight needs {memory}{removed}"
            );
            Note::new(NoteKind::Consequence, text)
        }))
    }

    /// Whether no step did anything.
    fn changes_nothing(&self) -> bool {
        let prunes = self.prune.as_ref().is_some_and(|(_, report)| !report.changes_nothing);
        let finds = self.find_step.as_ref().is_some_and(|steps| steps.found().next().is_some());
        !prunes && !finds && self.quantize.is_none() && self.reestimate.is_none()
    }

    /// Refuses a result that is less than what was asked for.
    fn check_complete(&self, strict: bool) -> Result<(), Error> {
        let mut short = self.notes().filter(|note| strict && note.kind() == NoteKind::OffTarget);
        let Some(first) = short.next() else { return Ok(()) };
        Err(Error::Short { path: self.network.path().to_path_buf(), first: first.to_string(), more: short.count() })
    }

    /// What a file of the network says about its making: the program's version and what was asked for, by key.
    pub fn provenance(&self) -> Vec<(String, String)> {
        let asked = serde_json::json!({
            "prune": self.prune.as_ref().map(|(options, _)| options),
            "find_step": self.find_step.is_some(),
            "quantize": self.quantize.as_ref().map(|(options, _)| options),
            "reestimated_on_images": self.reestimate.as_ref().map(|report| report.images),
        });
        let mut provenance = crate::provenance();
        provenance.push(("esnsim.compress".to_string(), asked.to_string()));
        provenance
    }

    /// Notes of every step, in order, but for those of the search for steps, which are the network's.
    pub fn notes(&self) -> impl Iterator<Item = &Note> {
        let prune = self.prune.iter().flat_map(|(_, report)| &report.notes);
        let quantize = self.quantize.iter().flat_map(|(_, report)| &report.notes);
        let reestimate = self.reestimate.iter().flat_map(|report| &report.notes);
        prune.chain(quantize).chain(reestimate).chain(&self.of_the_whole)
    }

    /// Writes what was done, by layer, and what the network costs before and after, as JSON.
    ///
    /// # Errors
    ///
    /// [`Error::Output`] names the file; it is then as it was before.
    pub fn write_json(&self, path: &Path, costs: &CompressionCosts) -> Result<(), Error> {
        let document = self.json(costs);
        Ok(write_file(path, |writer| writer.write_all(document.as_bytes()))?)
    }

    /// What [`Compressed::write_json`] writes, as text.
    pub fn json(&self, costs: &CompressionCosts) -> String {
        let document = Document {
            compressed: self,
            baseline_bits: costs.baseline.map(BitWidth::get),
            before: EsnFigures::of(&costs.before.total_row()),
            after: EsnFigures::of(&costs.after.total_row()),
        };
        serde_json::to_string_pretty(&document).expect("figures and words are JSON") + "\n"
    }

    /// The tables of every step and the costs, as a terminal shows them.
    pub fn text(&self, costs: &CompressionCosts) -> String {
        let mut text = String::new();
        if let Some((_, report)) = &self.prune {
            text += &pruning_table(report);
        }
        if let Some(allocated) = &self.allocate {
            text += &allotment_table(&allocated.metric, allocated.budget, &allocated.chosen);
        }
        if let Some((_, report)) = &self.quantize {
            text += &quantization_table(report);
        }
        if let Some(report) = &self.reestimate {
            text += &format!(
                "statistics of {} BatchNorms re-estimated, {} layers corrected, on {} images\n\n",
                report.batch_norms, report.corrected_layers, report.images
            );
        }
        text + &totals_table(&costs.before, &costs.after)
    }
}

/// What layers cost together if each takes its cheapest way; `costs` has a list of all layers for each way.
fn least_cost(costs: &[Vec<u128>]) -> u128 {
    let layers = costs.first().map_or(0, Vec::len);
    (0..layers).map(|layer| costs.iter().map(|way| way[layer]).min().unwrap_or(0)).sum()
}

/// How weights are to be quantized, as a user says it: what is left out depends on what is not.
#[derive(Clone, Debug)]
pub struct QuantizeRequest {
    /// Bit width; left out: 4, or at most 16 where a target or an allocation decides.
    pub bits: Option<BitWidth>,
    /// Levels.
    pub grid: Grid,
    /// What shares a step; left out: a layer, or a filter where bits are shared out among filters.
    pub granularity: Option<Granularity>,
    /// How steps are chosen; left out: the grid ends at the largest magnitude.
    pub step: Option<StepRule>,
    /// Shares out bits among filters.
    pub allocation: Option<Allocation>,
    /// Restores the norm of each filter.
    pub bias_correction: bool,
    /// Width of the first layer, where it is another.
    pub first_bits: Option<BitWidth>,
    /// Width of the last layer, where it is another.
    pub last_bits: Option<BitWidth>,
    /// Layers that are quantized in another way than the rest; they ask for quantization.
    pub layers: Vec<LayerOptions>,
}

impl Default for QuantizeRequest {
    /// Asks for nothing.
    fn default() -> Self {
        Self {
            bits: None,
            grid: Grid::MidRise,
            granularity: None,
            step: None,
            allocation: None,
            bias_correction: false,
            first_bits: None,
            last_bits: None,
            layers: Vec::new(),
        }
    }
}

impl QuantizeRequest {
    /// The request with everything decided; none where it asks for nothing: neither a width, a rule, an allocation nor
    /// a correction.
    ///
    /// # Errors
    ///
    /// [`Error::NoQuantization`] if it asks for nothing and says how, by a grid, a granularity or a width of the first or
    /// last layer.
    pub fn options(&self) -> Result<Option<QuantizeOptions>, Error> {
        let rules = self.step.is_some() || self.allocation.is_some() || !self.layers.is_empty();
        let asks = self.bits.is_some() || rules || self.bias_correction;
        if !asks {
            return match self.manner() {
                Some(option) => Err(Error::NoQuantization { option }),
                None => Ok(None),
            };
        }
        let default = QuantizeOptions::default();
        let targets_cost = matches!(self.step, Some(StepRule::EsnA(_) | StepRule::EsnAProfile(_) | StepRule::Snr(_)));
        let widest = if self.allocation.is_some() || targets_cost { 16 } else { default.bits };
        Ok(Some(QuantizeOptions {
            bits: self.bits.map_or(widest, |bits| bits.get()),
            mid_rise: self.grid == Grid::MidRise,
            granularity: match (self.granularity, self.allocation) {
                (Some(granularity), _) => granularity,
                (None, None) => Granularity::Layer,
                (None, Some(_)) => Granularity::Filter,
            },
            step: self.step.clone().unwrap_or_default(),
            allocation: self.allocation,
            bias_correction: self.bias_correction,
            first_bits: self.first_bits.map(|bits| bits.get()),
            last_bits: self.last_bits.map(|bits| bits.get()),
            layers: self.layers.clone(),
        }))
    }

    /// An option that asks for no quantization and says how it is done.
    fn manner(&self) -> Option<&'static str> {
        if self.granularity.is_some() {
            return Some("what shares a step");
        }
        if self.first_bits.is_some() {
            return Some("a width of the first layer");
        }
        if self.last_bits.is_some() {
            return Some("a width of the last layer");
        }
        (self.grid != QuantizeRequest::default().grid).then_some("a grid")
    }
}

/// A budget to be shared out among layers, as a user asks for it.
#[derive(Clone, Debug)]
pub struct AllocateRequest {
    /// What the budget counts.
    pub cost: Cost,
    /// How much of it, for one image.
    pub budget: f64,
    /// The images that the output is looked at on, where statistics are not re-estimated on some: those are taken then.
    pub images: ImageRequest,
    /// At most so many of them, spread evenly.
    pub limit: usize,
}

/// A compression as a user asks for it. Nothing in it needs the network: [`CompressRequest::options`] decides what does.
#[derive(Clone, Debug, Default)]
pub struct CompressRequest {
    /// How the network is read, and that of the target profile.
    pub read: ReadOptions,
    /// Prunes. Budgets of bits are counted at the width of `quantize` where the pruning names none.
    pub prune: Option<PruneOptions>,
    /// Looks for the grid that real weights already lie on.
    pub find_steps: bool,
    /// Shares out a budget among layers, which are quantized as that comes out, on the grid of `quantize`.
    pub allocate: Option<AllocateRequest>,
    /// Quantizes weights.
    pub quantize: QuantizeRequest,
    /// The file whose ESN_a of each layer the steps are chosen for, in place of the rule of `quantize`:
    /// [`target_profile`].
    pub target_profile: Option<PathBuf>,
    /// The images that BatchNorm statistics are re-estimated on.
    pub reestimate: Option<ImageRequest>,
    /// Bits that real weights are costed at, before and after; left out: 8.
    pub baseline: Option<BitWidth>,
    /// Whether it is an error that a pruning comes to less than was asked for, or a target is missed.
    pub strict: bool,
}

/// What a network costs before and after compression.
#[derive(Clone, Debug)]
pub struct CompressionCosts {
    /// The network as its file has it: integers on their own grid, and where steps were looked for real weights on the
    /// grid that was found.
    pub before: NetworkCost,
    /// The compressed network.
    pub after: NetworkCost,
    /// Bits of weights that are real before or after, at the mid-rise grid that ends at the largest; none where no weight
    /// is.
    pub baseline: Option<BitWidth>,
}

/// Bits that real weights are costed at beside a compressed network, unless a request says otherwise.
const BASELINE_BITS: u32 = 8;

/// The JSON of a compression.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    compressed: &'a Compressed,
    baseline_bits: Option<u32>,
    before: EsnFigures,
    after: EsnFigures,
}

impl CompressRequest {
    /// Opens the images that statistics are re-estimated on, or a budget is shared out by; none where nobody asks for it, or
    /// the request names none: the images of the embedded network are there to be tested on. `embedded` says whether the
    /// network is that one, which has a preprocessing of its own.
    ///
    /// # Errors
    ///
    /// [`Error::NeedsGraph`] for images of weights alone; those of [`images()`].
    pub fn images(&self, network: &Network, embedded: bool) -> Result<Option<NetworkImages>, Error> {
        let of_allocation = self.allocate.as_ref().map(|allocate| &allocate.images);
        let request = self.reestimate.as_ref().or(of_allocation);
        let Some(request) = request.filter(|request| request.path.is_some()) else { return Ok(None) };
        check_graph(network, if self.reestimate.is_some() { Need::Reestimation } else { Need::Images })?;
        images(network, embedded, request)
    }

    /// The request for this network, with the images of [`CompressRequest::images`]. `progress` is told of what takes long.
    ///
    /// # Errors
    ///
    /// [`Error::NoImages`] if something needs images and there are none; those of [`target_profile`] and
    /// [`QuantizeRequest::options`].
    pub fn options<'a>(
        &self,
        network: &Network,
        images: Option<&'a NetworkImages>,
        progress: &'a dyn Progress,
    ) -> Result<CompressOptions<'a>, Error> {
        let samples = images.map(|images| &images.samples as &dyn Samples);
        if samples.is_none() && (self.reestimate.is_some() || self.allocate.is_some()) {
            return Err(Error::NoImages);
        }
        let mut quantize = self.quantize.clone();
        if let Some(path) = &self.target_profile {
            let profile = target_profile(path, network, &self.read, quantize.bits)?;
            quantize.step = Some(StepRule::EsnAProfile(profile));
        }
        let bits = self.quantize.bits.map(|bits| bits.get());
        Ok(CompressOptions {
            prune: self.prune.clone().map(|prune| PruneOptions { bits: prune.bits.or(bits), ..prune }),
            find_steps: self.find_steps,
            allocate: self.allocate.as_ref().zip(samples).map(|(asked, images)| {
                let AllocateRequest { cost, budget, limit, .. } = asked.clone();
                Allocate { cost, budget, grid: self.quantize.grid, images, limit }
            }),
            // A budget that is shared out decides how layers are quantized.
            quantize: if self.allocate.is_some() { None } else { quantize.options()? },
            reestimate: samples.filter(|_| self.reestimate.is_some()),
            strict: self.strict,
            progress: Some(progress),
        })
    }

    /// What the network cost as its file has it, and what it costs compressed.
    ///
    /// # Errors
    ///
    /// Those of [`find_steps()`] and [`crate::esn()`].
    pub fn costs(&self, original: &Network, compressed: &Compressed) -> Result<CompressionCosts, Error> {
        let found = if self.find_steps { Some(find_steps(original, None)?.network) } else { None };
        let before = found.as_ref().unwrap_or(original);
        let default = || BitWidth::new(BASELINE_BITS).expect("8 is a width");
        let bits = self.baseline.unwrap_or_else(default);
        let is_real = |network: &Network| !network.layers().iter().all(is_quantized);
        let cost = |network: &Network| {
            let quantization = Quantization::new(Some(bits).filter(|_| is_real(network)));
            crate::esn(network, quantization, BitConvention::NonzeroAtLeastOne)
        };
        Ok(CompressionCosts {
            before: cost(before)?,
            after: cost(&compressed.network)?,
            baseline: Some(bits).filter(|_| is_real(before) || is_real(&compressed.network)),
        })
    }
}

/// ESN_a with c = 1 of every layer, as a target: out of a training trace (`.json`), or of another network file
/// quantized to `bits` (4 where it is left out).
///
/// # Errors
///
/// Those of reading the file; [`Error::Compress`] if the trace does not fit the network.
pub fn target_profile(
    path: &Path,
    network: &Network,
    read: &ReadOptions,
    bits: Option<BitWidth>,
) -> Result<Vec<f64>, Error> {
    let in_file = Error::compress(path);
    if path.extension().is_some_and(|extension| extension == "json") {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_path_buf(), source })?;
        return compress::esn_a_trace(&text, network, None).map_err(in_file);
    }
    let other = formats::read(path, read)?;
    compress::esn_a_profile(&other, bits.map_or(DEFAULT_BITS, |bits| bits.get())).map_err(in_file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_width_is_decided_by_what_else_is_asked() {
        let asked = |request: QuantizeRequest| {
            let options = request.options().expect("it asks for quantization, or says nothing of it");
            options.map(|options| (options.bits, options.granularity))
        };
        let default = QuantizeRequest::default;
        assert_eq!(asked(default()), None);
        assert_eq!(asked(QuantizeRequest { step: Some(StepRule::Mse), ..default() }), Some((4, Granularity::Layer)));
        assert_eq!(
            asked(QuantizeRequest { step: Some(StepRule::Snr(9.0)), ..default() }),
            Some((16, Granularity::Layer))
        );
        let shared_out = QuantizeRequest { allocation: Some(Allocation::AverageBits(3.0)), ..default() };
        assert_eq!(asked(shared_out), Some((16, Granularity::Filter)));
        let manner = QuantizeRequest { last_bits: BitWidth::new(8).ok(), ..default() };
        assert!(matches!(manner.options(), Err(Error::NoQuantization { .. })), "nothing asks for quantization");
        let manner = QuantizeRequest { grid: Grid::MidTread, ..default() };
        assert!(matches!(manner.options(), Err(Error::NoQuantization { option: "a grid" })), "nothing asks for it");
    }
}
