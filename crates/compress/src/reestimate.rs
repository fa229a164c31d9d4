//! Re-estimation of BatchNorm statistics on unlabeled images.
//!
//! The main function is [`reestimate`]. Pruning and quantization shift what a BatchNorm reads; its stored mean and
//! variance then no longer fit.

mod correct;
mod norms;

use inference::{Lockstep, Moments, Samples, dequantize, mac_output_moments};
use network::{LayerId, MacLayer, Network, Note, NoteKind, Op, ValueId};
use serde::{Deserialize, Serialize};

use crate::error::CompressError;
use crate::executor::KernelExecutor;
use crate::prune::PruneReport;
use crate::rebuild::rebuilt;
use crate::ties::parted;
use correct::{Change, NO_CHANGE, change, changed};
use norms::Norm;

/// How statistics are re-estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct ReestimateOptions {
    /// Most bytes of activations that are held at a time. Where they do not suffice, the network is run again from the
    /// images for every statistic.
    pub memory_bytes: u64,
}

impl Default for ReestimateOptions {
    fn default() -> Self {
        Self { memory_bytes: 4 << 30 }
    }
}

/// What was re-estimated.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ReestimateReport {
    /// How many images were used.
    pub images: usize,
    /// BatchNorm nodes whose mean and variance are new.
    pub batch_norms: usize,
    /// MAC layers of a folded network whose output was corrected per channel.
    pub corrected_layers: usize,
    /// What a user should know, one line each.
    #[serde(serialize_with = "crate::notes::as_texts")]
    pub notes: Vec<Note>,
}

/// The network before compression, whose layers a folded network is brought back to.
#[derive(Clone, Copy, Debug)]
pub struct Original<'a> {
    /// The network.
    pub network: &'a Network,
    /// What was pruned since, where filters may be gone from the tensors.
    pub pruned: Option<&'a PruneReport>,
}

impl<'a> From<&'a Network> for Original<'a> {
    /// A network all of whose filters are still in the tensors.
    fn from(network: &'a Network) -> Self {
        Self { network, pruned: None }
    }
}

/// Gives every BatchNorm of `network` the mean and variance that its input has on the images: plain averages over all
/// images and positions (population variance), activations in float, the BatchNorms before it already re-estimated.
///
/// Where BatchNorm is folded, each MAC layer's output is brought per filter to the mean and standard deviation that the
/// same layer of `original`, the network before compression, has on the images, the layers before it already corrected:
/// the factor goes into the filter's step and the shift into its bias. That concerns the MAC layers from which no
/// BatchNorm is reached before the next MAC layer; in a network that has BatchNorms, a layer from which no other MAC
/// layer is reached either (the classifier, which never had one) is left alone. Filters whose output never changes are
/// left alone.
///
/// All images advance together, node by node; the result is the same at any number of threads.
///
/// # Errors
///
/// [`CompressError::Option`] if there is no image; [`CompressError::Unsupported`] for a BatchNorm whose statistics are
/// computed rather than stored; errors of reading images and of running the network.
pub fn reestimate<'a>(
    network: &Network,
    original: impl Into<Original<'a>>,
    images: &dyn Samples,
    options: &ReestimateOptions,
) -> Result<(Network, ReestimateReport), CompressError> {
    if images.is_empty() {
        let problem = "there is none; at least one is expected".to_string();
        return Err(CompressError::Option { option: "images", problem });
    }
    let task = Task::new(network, original.into(), images)?;
    let mut report =
        ReestimateReport { images: images.len(), notes: task.notes.clone(), ..ReestimateReport::default() };
    let network = &task.network;
    let mut run = Run::new(network, images, options.memory_bytes)?;
    if run.lockstep.restarts() {
        let (images, limit) = (images.len(), options.memory_bytes);
        let text = format!("activations of {images} images pass {limit} bytes: run again for every statistic");
        report.notes.push(Note::new(NoteKind::Consequence, text));
    }
    let mut edited = network.edit();
    for node in 0..network.graph().nodes().len() {
        match run.renew(&task, network, node)? {
            None => {}
            Some(Renewed::Norm(statistics)) => {
                statistics.iter().for_each(|(value, elements)| norms::set(&mut edited, *value, elements));
                report.batch_norms += 1;
            }
            Some(Renewed::Layer { id, layer, left }) => {
                note_left(&layer.name, left, &mut report);
                edited.layers_mut()[id.0] = *layer;
                report.corrected_layers += 1;
            }
        }
    }
    let done = rebuilt(edited, network)?;
    report.notes.extend(parted(network, &done));
    Ok((done, report))
}

/// What is to be re-estimated of a network.
pub(crate) struct Task {
    /// The network, each of whose BatchNorms has constants of its own.
    pub network: Network,
    norms: Vec<Norm>,
    /// The layers to correct, and the moments that their filters are brought to.
    corrected: Vec<(LayerId, Vec<Moments>)>,
    notes: Vec<Note>,
}

impl Task {
    /// Finds what is to be re-estimated.
    pub fn new(network: &Network, original: Original<'_>, images: &dyn Samples) -> Result<Self, CompressError> {
        let (network, norms) = norms::own_statistics(network)?;
        let mut notes = Vec::new();
        let models = layers_to_correct(&network, original, !norms.is_empty(), &mut notes);
        let wanted = match models.is_empty() {
            true => Vec::new(),
            false => mac_output_moments(original.network, images, &KernelExecutor::from_network(original.network)?)?,
        };
        let of_filters =
            |model: &Model| model.filters.iter().map(|&filter| wanted[model.layer.0][filter]).collect::<Vec<_>>();
        let corrected = models.iter().map(|(id, model)| (*id, of_filters(model))).collect();
        Ok(Self { network, norms, corrected, notes })
    }

    /// A task that leaves all as it is.
    pub fn nothing(network: &Network) -> Self {
        Self { network: network.clone(), norms: Vec::new(), corrected: Vec::new(), notes: Vec::new() }
    }
}

/// What became new at a node.
pub(crate) enum Renewed {
    /// Mean and variance of a BatchNorm.
    Norm([(ValueId, Vec<f32>); 2]),
    /// A layer, and how many of its filters were left alone.
    Layer { id: LayerId, layer: Box<MacLayer>, left: usize },
}

/// Images on their way through a network whose statistics become new where they pass.
pub(crate) struct Run<'a> {
    lockstep: Lockstep<'a>,
    executor: KernelExecutor,
}

impl<'a> Run<'a> {
    pub fn new(network: &Network, images: &'a dyn Samples, memory_bytes: u64) -> Result<Self, CompressError> {
        let executor = KernelExecutor::from_network(network)?;
        Ok(Self { lockstep: Lockstep::new(network, images, memory_bytes)?, executor })
    }

    /// The same images at the same node, which go on by themselves from here through other layers.
    pub fn branch(&self, network: &Network, others: &[LayerId]) -> Result<Self, CompressError> {
        let mut branch = Self { lockstep: self.lockstep.branch(), executor: self.executor.clone() };
        for &id in others {
            let layer = &network.layers()[id.0];
            branch.executor.set_weights(id, layer, dequantize(network.weights(id)?))?;
            branch.lockstep.set_layer(id, layer.clone());
        }
        Ok(branch)
    }

    /// Brings the images to a node.
    pub fn advance(&mut self, node: usize) -> Result<(), CompressError> {
        Ok(self.lockstep.advance(node, &self.executor)?)
    }

    /// What the network says about the images.
    pub fn outputs(self) -> Result<Vec<f32>, CompressError> {
        Ok(self.lockstep.outputs(&self.executor)?)
    }

    /// Renews what is to be renewed at a node. `network` is that of the task, perhaps with other layers.
    pub fn renew(&mut self, task: &Task, network: &Network, node: usize) -> Result<Option<Renewed>, CompressError> {
        if let Some(norm) = task.norms.iter().find(|norm| norm.node == node) {
            return self.renew_norm(norm).map(Some);
        }
        if let Op::Mac(id) = network.graph().nodes()[node].op
            && let Some((_, wanted)) = task.corrected.iter().find(|(layer, _)| *layer == id)
        {
            return self.correct(network, node, id, wanted).map(Some);
        }
        Ok(None)
    }

    /// Gives a BatchNorm the statistics of its input.
    fn renew_norm(&mut self, norm: &Norm) -> Result<Renewed, CompressError> {
        let moments = self.lockstep.input_moments(norm.node, &self.executor)?;
        let means: Vec<f32> = moments.iter().map(|channel| channel.mean as f32).collect();
        let variances: Vec<f32> = moments.iter().map(|channel| channel.variance() as f32).collect();
        let renewed = [(norm.mean, means), (norm.variance, variances)];
        renewed.iter().for_each(|(value, elements)| self.lockstep.set_constant(*value, elements.clone()));
        Ok(Renewed::Norm(renewed))
    }

    /// Brings a layer's filters to the moments that are wanted.
    fn correct(
        &mut self,
        network: &Network,
        node: usize,
        id: LayerId,
        wanted: &[Moments],
    ) -> Result<Renewed, CompressError> {
        let found = self.lockstep.output_moments(node, &self.executor)?;
        let changes: Vec<Change> = found.iter().zip(wanted).map(|(found, wanted)| change(found, wanted)).collect();
        let (layer, weights) = changed(&network.layers()[id.0], network.weights(id)?, &changes);
        self.executor.set_weights(id, &layer, dequantize(weights))?;
        self.lockstep.set_layer(id, layer.clone());
        let left = changes.iter().filter(|&&change| change == NO_CHANGE).count();
        Ok(Renewed::Layer { id, layer: Box::new(layer), left })
    }
}

/// The layer of the original that a layer is brought back to, and those of its filters that are left, in order.
struct Model {
    layer: LayerId,
    filters: Vec<usize>,
}

/// The layers to correct, each with its model.
fn layers_to_correct(
    network: &Network,
    original: Original<'_>,
    has_norms: bool,
    notes: &mut Vec<Note>,
) -> Vec<(LayerId, Model)> {
    let mut corrected = Vec::new();
    for (index, follows) in norms::followers(network).into_iter().enumerate() {
        if follows.norm || has_norms && !follows.mac {
            continue;
        }
        let layer = &network.layers()[index];
        let filters = layer.out_channels();
        match model(&layer.name, original).filter(|model| model.filters.len() == filters) {
            Some(model) => corrected.push((LayerId(index), model)),
            None => {
                let problem = format!("the original has no layer of this name with {filters} filters; left as it is");
                notes.push(Note::of_layer(NoteKind::Unchanged, &layer.name, problem));
            }
        }
    }
    corrected
}

/// The model of the layer of this name.
fn model(name: &str, original: Original<'_>) -> Option<Model> {
    let layer = original.network.layers().iter().position(|layer| layer.name == name)?;
    let pruned = original.pruned.and_then(|report| report.layers.iter().find(|layer| layer.layer == name));
    let removed = pruned.map_or(&[][..], |layer| &layer.removed_filters);
    let filters = 0..original.network.layers()[layer].out_channels();
    Some(Model { layer: LayerId(layer), filters: filters.filter(|filter| !removed.contains(filter)).collect() })
}

fn note_left(layer: &str, left: usize, report: &mut ReestimateReport) {
    if left > 0 {
        let filters = if left == 1 { "1 filter".to_string() } else { format!("{left} filters") };
        let text = format!("the output of {filters} never changes on these images, and is left as it is");
        report.notes.push(Note::of_layer(NoteKind::Unchanged, layer, text));
    }
}
