//! What the points of a plan share (networks, images, the float reference), and the points themselves.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use formats::{ReadOptions, did_you_mean};
use network::Network;
use network::architectures::Family;
use runner::identity::{bytes_sha256, network_sha256};
use runner::{Hardware, RunnerError, Score, embedded};

use super::images::{ImageOpener, PairedImages};
use super::plan::{self, EMBEDDED, Plan, PointEntry, named, problem};
use super::points::{KeyOf, Keys};
use super::product::Way;
use crate::configuration::Configuration;
use crate::error::ExploreError;
use crate::key::PointKey;

/// Layout of [`Configuration`].
const SCHEMA: u32 = 1;

/// Everything that a plan names, open.
pub(super) struct Inputs {
    /// In the order of the plan.
    networks: Vec<Arc<SharedNetwork>>,
    /// What costs are counted on.
    pub(super) hardware: Vec<Hardware>,
    /// What accuracy is computed on: one engine on integers, and perhaps the analog ones.
    pub(super) engines: Vec<Hardware>,
    analog_accuracy: bool,
    pub(super) activation_bits: u32,
    pub(super) calibration_images: usize,
}

/// One point: what is done, and to which network.
#[derive(Clone)]
pub(super) struct Point {
    pub key: PointKey,
    pub configuration: Configuration,
    pub network: Arc<SharedNetwork>,
}

/// A network and what is the same for all its points.
pub(super) struct SharedNetwork {
    pub name: String,
    pub sha256: String,
    pub network: Network,
    pub images: Option<PairedImages>,
    pub statistics: Option<PairedImages>,
    /// The float network before compression; made by whoever needs it first.
    pub float: OnceLock<Result<FloatReference, Arc<ExploreError>>>,
}

impl SharedNetwork {
    /// How many weights its layers have.
    pub fn weights(&self) -> u64 {
        self.network.layers().iter().map(|layer| layer.geometry.weight_shape().len().unwrap_or(0) as u64).sum()
    }
}

/// What the float network says.
#[derive(Clone, Debug)]
pub(super) struct FloatReference {
    pub score: Score,
    /// The class named for each image.
    pub predictions: Vec<usize>,
}

impl Inputs {
    /// Opens everything that a plan names. At most `image_bytes` of decoded images are kept.
    ///
    /// # Errors
    ///
    /// The first file that cannot be used.
    pub fn open(plan: &Plan, image_bytes: u64) -> Result<Self, ExploreError> {
        Ok(Self {
            hardware: open_hardware(plan)?,
            networks: open_networks(plan, image_bytes)?,
            engines: open_engines(plan)?,
            analog_accuracy: plan.file.analog_accuracy,
            activation_bits: plan.file.activation_bits,
            calibration_images: plan.file.calibration_images,
        })
    }

    /// The networks, in the order of the plan.
    pub fn networks(&self) -> &[Arc<SharedNetwork>] {
        &self.networks
    }

    /// What an entry that was checked asks for.
    pub fn way(&self, entry: &PointEntry) -> Way {
        let network = entry.network.as_ref().map_or(0, |name| {
            let named = self.networks.iter().position(|network| network.name == *name);
            named.expect("the entry was checked")
        });
        let (prune, quantize) = (plan::normal(entry.prune.clone()), entry.quantize.clone());
        Way { network, prune, quantize, reestimate: entry.reestimate }
    }

    /// A point with everything that its result depends on.
    pub fn point(&self, way: Way) -> Point {
        let network = &self.networks[way.network];
        let configuration =
            Configuration { prune: way.prune, quantize: way.quantize, ..self.common(network, way.reestimate) };
        Point { key: configuration.key(), configuration, network: Arc::clone(network) }
    }

    /// What all points of a network have in common.
    fn common(&self, network: &SharedNetwork, reestimate: bool) -> Configuration {
        let resolved = |h: &Hardware| serde_json::to_value(&h.resolved).expect("descriptions have a JSON form");
        let identity = |images: &Option<PairedImages>| images.as_ref().map(|images| images.identity.clone());
        Configuration {
            schema: SCHEMA,
            network: network.sha256.clone(),
            prune: None,
            quantize: None,
            reestimate: identity(&network.statistics).filter(|_| reestimate),
            images: identity(&network.images),
            hardware: self.hardware.iter().map(resolved).collect(),
            activation_bits: self.activation_bits,
            calibration_images: self.calibration_images,
            analog_accuracy: self.analog_accuracy,
        }
    }

    /// Makes keys of points without making the points.
    pub fn keys(&self) -> Keys {
        let of = |network| [false, true].map(|reestimate| KeyOf::new(&self.common(network, reestimate)));
        Keys(self.networks.iter().map(|network| of(network)).collect())
    }
}

fn open_hardware(plan: &Plan) -> Result<Vec<Hardware>, ExploreError> {
    let mut all: Vec<Hardware> = Vec::new();
    for name in &plan.file.hardware {
        all.extend(Hardware::open_all(plan.folder(), Path::new(name)).map_err(|error| in_plan(plan, error))?);
    }
    for (i, hardware) in all.iter().enumerate() {
        let name = hardware.engine.name();
        if all[..i].iter().any(|other| other.engine.name() == name) {
            return Err(problem(&plan.path, format!("two hardware descriptions are named {name:?}")));
        }
        if hardware.needs_images() {
            return Err(ExploreError::NeedsImages { path: plan.path.clone(), hardware: name.to_string() });
        }
    }
    Ok(all)
}

/// A name that is not known is a mistake of the plan; what is wrong in a description is one of its file.
fn in_plan(plan: &Plan, error: RunnerError) -> ExploreError {
    match error {
        RunnerError::UnknownHardware { .. } => problem(&plan.path, format!("hardware: {error}")),
        error => error.into(),
    }
}

/// One engine on integers serves all; the analog ones are opened once more, each for itself.
fn open_engines(plan: &Plan) -> Result<Vec<Hardware>, ExploreError> {
    let mut engines: Vec<Hardware> = Hardware::ideal().into_iter().filter(Hardware::is_exact).take(1).collect();
    if plan.file.analog_accuracy {
        engines.extend(open_hardware(plan)?.into_iter().filter(|hardware| !hardware.is_exact()));
    }
    Ok(engines)
}

fn open_networks(plan: &Plan, image_bytes: u64) -> Result<Vec<Arc<SharedNetwork>>, ExploreError> {
    let opener = |entry| ImageOpener::new(plan, entry, image_bytes / 2);
    let mut images = plan.file.images.as_ref().map(opener).transpose()?;
    let mut statistics = plan.file.statistics.as_ref().map(opener).transpose()?;
    let mut networks: Vec<Arc<SharedNetwork>> = Vec::new();
    for name in &plan.file.networks {
        if networks.iter().any(|network| network.name == *name) {
            return Err(problem(&plan.path, format!("networks names {name:?} twice")));
        }
        let (network, sha256) = open_network(plan, name)?;
        networks.push(Arc::new(SharedNetwork {
            name: name.clone(),
            sha256,
            images: images.as_mut().map(|opener| opener.pair(&network, name, true)).transpose()?,
            statistics: statistics.as_mut().map(|opener| opener.pair(&network, name, false)).transpose()?,
            network,
            float: OnceLock::new(),
        }));
    }
    Ok(networks)
}

fn open_network(plan: &Plan, name: &str) -> Result<(Network, String), ExploreError> {
    if name == EMBEDDED {
        return Ok((embedded::embedded_network()?, bytes_sha256(embedded::NETWORK)));
    }
    let path = plan.locate(name);
    if !path.exists() {
        let meant = did_you_mean(name, [EMBEDDED]);
        return Err(problem(&plan.path, format!("networks: there is no file {}{meant}", path.display())));
    }
    let network = formats::read(&path, &ReadOptions::default())?;
    let sha256 = network_sha256(&network, Some(&path)).map_err(|source| named(plan, &path, source))?;
    let Some(architecture) = plan.file.architecture.as_deref().filter(|_| !network.has_graph()) else {
        return Ok((network, sha256));
    };
    let options = ReadOptions { architecture: Family::named(architecture), ..ReadOptions::default() };
    let fitted = formats::read(&path, &options)?;
    Ok((fitted, bytes_sha256(format!("{sha256} as {architecture}").as_bytes())))
}
