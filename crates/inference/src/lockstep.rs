//! Many images through one network, node by node.

use network::{LayerId, MacLayer, Network, Op, ValueId};
use rayon::prelude::*;

use crate::array::Array;
use crate::error::InferenceError;
use crate::executor::MacExecutor;
use crate::moments::{Moments, channel_moments, merge_all};
use crate::samples::{Samples, gather};
use crate::session::{Session, Workspace};

/// Runs a network on all images at once, every image as far as the same node, so that what all of them make there can
/// decide how the network goes on: statistics of a BatchNorm, weights and bias of a MAC layer.
///
/// Images advance in parallel and what is computed of them is added up in their order: results are the same at any number
/// of threads. Where all live activations of all images would need more than the memory given, nothing is held and each
/// question runs the images again from the start; the answers are the same, more slowly.
///
/// Nodes are those of [`network::Graph::nodes`], by index, and questions must come in their order.
pub struct Lockstep<'a> {
    session: Session,
    samples: &'a dyn Samples,
    /// What is alive of each batch before node `position`; `None` where that is too much to hold.
    held: Option<Vec<Alive>>,
    position: usize,
}

/// What is found of so many batches is kept at a time before it is merged.
const CHUNK: usize = 256;

/// Live values of one batch by their number.
type Alive = Vec<(usize, Array)>;

impl<'a> Lockstep<'a> {
    /// Makes ready to run `network` on all samples, holding at most `memory_bytes` of activations.
    ///
    /// # Errors
    ///
    /// As [`Session::new`]; [`InferenceError::Invalid`] if there is no sample.
    pub fn new(network: &Network, samples: &'a dyn Samples, memory_bytes: u64) -> Result<Self, InferenceError> {
        if samples.is_empty() {
            let problem = "there is none; at least one is expected".to_string();
            return Err(InferenceError::Invalid { place: "images".to_string(), problem });
        }
        let session = Session::new(network)?;
        let batches = samples.len().div_ceil(session.batch());
        let needed = session.plan.most_alive().0 * batches as u128;
        let held = (needed <= u128::from(memory_bytes)).then(|| vec![Alive::new(); batches]);
        Ok(Self { session, samples, held, position: 0 })
    }

    /// Whether images are run again from the start for every question, for want of memory.
    pub fn restarts(&self) -> bool {
        self.held.is_none()
    }

    /// Mean and variance by channel, over all images and positions, of the first input of a node. Channels are its axis 1.
    ///
    /// # Errors
    ///
    /// [`InferenceError`] if an image cannot be read or a node before fails, or the input has no channels.
    ///
    /// # Panics
    ///
    /// If there is no such node, or if it comes before that of an earlier question.
    pub fn input_moments(&mut self, node: usize, mac: &dyn MacExecutor) -> Result<Vec<Moments>, InferenceError> {
        self.survey(node, mac, |session, workspace, images| {
            let step = &session.plan.steps[node];
            let x = session.value(&workspace.values, step.inputs[0].value);
            let &[rows, channels, ref space @ ..] = x.shape.as_slice() else {
                let problem = format!("an input of shape {:?}; axis 1 is expected to hold channels", x.shape);
                return Err(InferenceError::Invalid { place: step.name.clone(), problem });
            };
            let inner: usize = space.iter().product();
            let own = rows / session.batch() * images * channels * inner;
            Ok(channel_moments(&x.data[..own], channels, inner))
        })
    }

    /// Mean and variance by filter, over all images and positions, of what a MAC layer makes, bias included.
    ///
    /// # Errors
    ///
    /// As [`Lockstep::input_moments`], and errors of the executor.
    ///
    /// # Panics
    ///
    /// As [`Lockstep::input_moments`], and if the node is no MAC layer.
    pub fn output_moments(&mut self, node: usize, mac: &dyn MacExecutor) -> Result<Vec<Moments>, InferenceError> {
        self.survey(node, mac, |session, workspace, images| {
            let step = &session.plan.steps[node];
            let Op::Mac(id) = step.op else { panic!("node {node} is no MAC layer") };
            let mut moments = Vec::new();
            let mut observe = |_, _: &[f32], output: &[f32]| {
                moments = filter_moments(&session.layers[id.0], output, session.batch(), images);
            };
            let output = session.run_mac(step, id, workspace, mac, &mut Some(&mut observe))?;
            workspace.buffers.give(output.data);
            Ok(moments)
        })
    }

    /// The same images at the same node, which go on by themselves from here.
    #[must_use]
    pub fn branch(&self) -> Self {
        let session = self.session.with_own_workspaces();
        Self { session, samples: self.samples, held: self.held.clone(), position: self.position }
    }

    /// Brings all images to just before a node. Where images are run again for every question, nothing is done.
    ///
    /// # Errors
    ///
    /// [`InferenceError`] if an image cannot be read or a node before fails.
    ///
    /// # Panics
    ///
    /// As [`Lockstep::input_moments`].
    pub fn advance(&mut self, node: usize, mac: &dyn MacExecutor) -> Result<(), InferenceError> {
        match self.restarts() {
            true => Ok(()),
            false => self.each(node, mac, |_, _, _| Ok(()), |_| {}),
        }
    }

    /// Runs all images to the end, and returns their outputs, one image after another.
    ///
    /// # Errors
    ///
    /// [`InferenceError`] if an image cannot be read or a node fails.
    pub fn outputs(mut self, mac: &dyn MacExecutor) -> Result<Vec<f32>, InferenceError> {
        let mut outputs = Vec::new();
        let end = self.session.plan.steps.len();
        let look = |session: &Session, workspace: &mut Workspace, images: usize| {
            let output = workspace.values[session.plan.output].take();
            let mut output = output.expect("the plan checks that a node makes the output").data;
            output.truncate(output.len() / session.batch() * images);
            Ok(output)
        };
        self.each(end, mac, look, |found: Vec<Vec<f32>>| {
            found.iter().for_each(|part| outputs.extend_from_slice(part))
        })?;
        Ok(outputs)
    }

    /// Replaces a constant that nodes from here on read, elements row-major in its shape.
    ///
    /// # Panics
    ///
    /// If the value is no constant that a node reads, or has another number of elements.
    pub fn set_constant(&mut self, value: ValueId, elements: Vec<f32>) {
        let constant = self.session.plan.constants[value.0].as_mut().expect("a constant that some node reads");
        assert_eq!(constant.data.len(), elements.len(), "elements of constant {}", value.0);
        constant.data = elements;
    }

    /// Replaces a MAC layer from here on: its bias and `alpha`; weights are the executor's.
    ///
    /// # Panics
    ///
    /// If there is no such layer.
    pub fn set_layer(&mut self, id: LayerId, layer: MacLayer) {
        self.session.layers[id.0] = layer;
    }

    /// Brings all images to just before a node, looks at each, and merges the moments that are found in the order of images.
    fn survey(
        &mut self,
        node: usize,
        mac: &dyn MacExecutor,
        look: impl Fn(&Session, &mut Workspace, usize) -> Result<Vec<Moments>, InferenceError> + Sync,
    ) -> Result<Vec<Moments>, InferenceError> {
        let mut total = Vec::new();
        self.each(node, mac, look, |found| total = merge_all(std::mem::take(&mut total), found))?;
        Ok(total)
    }

    /// Brings all images to just before a node, looks at each batch, and hands on what is found, in the order of images and
    /// some batches at a time. `look` is told how many images of the batch are not stand-ins.
    fn each<T: Send>(
        &mut self,
        node: usize,
        mac: &dyn MacExecutor,
        look: impl Fn(&Session, &mut Workspace, usize) -> Result<T, InferenceError> + Sync,
        mut take: impl FnMut(Vec<T>),
    ) -> Result<(), InferenceError> {
        assert!(node >= self.position, "node {node} comes after node {} was passed", self.position);
        let (session, samples, position) = (&self.session, self.samples, self.position);
        let batch = session.batch();
        let advance = |workspace: &mut Workspace, index: usize| {
            if position == 0 {
                let (input, _) = gather(samples, index * batch, batch)?;
                session.start(&input, workspace)?;
            }
            session.run_steps(position..node, workspace, mac, None)?;
            look(session, workspace, batch.min(samples.len() - index * batch))
        };
        for start in (0..samples.len().div_ceil(batch)).step_by(CHUNK) {
            let found: Result<Vec<T>, InferenceError> = match &mut self.held {
                Some(held) => held[start..]
                    .par_iter_mut()
                    .take(CHUNK)
                    .enumerate()
                    .map_init(Workspace::default, |workspace, (offset, alive)| {
                        wake(workspace, alive, session.plan.constants.len());
                        let found = advance(workspace, start + offset);
                        *alive = sleep(workspace);
                        found
                    })
                    .collect(),
                None => (start..samples.len().div_ceil(batch).min(start + CHUNK))
                    .into_par_iter()
                    .map_init(Workspace::default, |workspace, index| {
                        let found = advance(workspace, index);
                        sleep(workspace).into_iter().for_each(|(_, array)| workspace.buffers.give(array.data));
                        found
                    })
                    .collect(),
            };
            take(found?);
        }
        if self.held.is_some() {
            self.position = node;
        }
        Ok(())
    }
}

/// Puts live values into a workspace.
fn wake(workspace: &mut Workspace, alive: &mut Alive, values: usize) {
    workspace.values.resize_with(values, || None);
    for (value, array) in alive.drain(..) {
        workspace.values[value] = Some(array);
    }
}

/// Takes live values out of a workspace, each in no more memory than it fills.
fn sleep(workspace: &mut Workspace) -> Alive {
    let values = workspace.values.iter_mut().enumerate();
    let alive = values.filter_map(|(value, array)| Some((value, array.take()?)));
    alive
        .map(|(value, mut array)| {
            array.data.shrink_to_fit();
            (value, array)
        })
        .collect()
}

/// Mean and variance by filter of what every MAC layer makes, bias included, over all images and positions, in the order
/// of [`Network::layers`].
///
/// # Errors
///
/// As [`Session::new`] and [`Session::run`]; [`InferenceError::Sample`] if an image cannot be read.
pub fn mac_output_moments(
    network: &Network,
    samples: &dyn Samples,
    mac: &dyn MacExecutor,
) -> Result<Vec<Vec<Moments>>, InferenceError> {
    let session = Session::new(network)?;
    let batch = session.batch();
    let of_batch = |index: usize| {
        let (input, _) = gather(samples, index * batch, batch)?;
        let images = batch.min(samples.len() - index * batch);
        let mut found = vec![Vec::new(); network.layers().len()];
        let mut observe = |id: LayerId, _: &[f32], output: &[f32]| {
            found[id.0] = filter_moments(&network.layers()[id.0], output, batch, images);
        };
        session.run(&input, mac, Some(&mut observe))?;
        Ok(found)
    };
    let mut layers = vec![Vec::new(); network.layers().len()];
    let batches = samples.len().div_ceil(batch);
    for start in (0..batches).step_by(CHUNK) {
        let found = (start..batches.min(start + CHUNK)).into_par_iter().map(of_batch);
        // Of several errors that of the first batch, whichever is found first.
        let found: Vec<Result<_, InferenceError>> = found.collect();
        for of_layers in found {
            let of_layers: Vec<_> = of_layers?;
            layers
                .iter_mut()
                .zip(of_layers)
                .for_each(|(total, part)| *total = merge_all(std::mem::take(total), [part]));
        }
    }
    Ok(layers)
}

/// Moments of an executor's output, `[repeats · batch, out_channels, positions]`, for the first `images` of the batch.
fn filter_moments(layer: &MacLayer, output: &[f32], batch: usize, images: usize) -> Vec<Moments> {
    let own = output.len() / batch * images;
    channel_moments(&output[..own], layer.out_channels(), layer.out_positions())
}
