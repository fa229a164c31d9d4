//! A configuration in parts, each of which many points have in common.

use compress::{LayerOptions, PruneOptions, QuantizeOptions};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::configuration::Configuration;

/// The parts as JSON, or the numbers of these texts in a store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Parts<T> {
    /// The configuration without what the other parts have.
    pub setting: T,
    /// Descriptions of hardware.
    pub hardware: Vec<T>,
    pub prune: Option<T>,
    /// Without layers that are quantized in their own way.
    pub quantize: Option<T>,
    /// Those layers, in order.
    pub layers: Vec<T>,
}

impl Parts<String> {
    pub fn of(configuration: &Configuration) -> Self {
        let Configuration { prune, quantize, hardware, .. } = configuration;
        let rest = Configuration { prune: None, quantize: None, hardware: Vec::new(), ..configuration.clone() };
        let layers = quantize.iter().flat_map(|options| &options.layers);
        let all = |options: &QuantizeOptions| QuantizeOptions { layers: Vec::new(), ..options.clone() };
        Self {
            setting: json(&rest),
            hardware: hardware.iter().map(json).collect(),
            prune: prune.as_ref().map(json),
            layers: layers.map(json).collect(),
            quantize: quantize.as_ref().map(all).as_ref().map(json),
        }
    }
}

impl<T> Parts<T> {
    /// Each part turned into something else, in the order of the fields.
    pub fn each<U, E>(&self, of: impl Fn(&T) -> Result<U, E>) -> Result<Parts<U>, E> {
        Ok(Parts {
            setting: of(&self.setting)?,
            hardware: self.hardware.iter().map(&of).collect::<Result<_, _>>()?,
            prune: self.prune.as_ref().map(&of).transpose()?,
            quantize: self.quantize.as_ref().map(&of).transpose()?,
            layers: self.layers.iter().map(&of).collect::<Result<_, _>>()?,
        })
    }
}

impl<T: AsRef<str>> Parts<T> {
    pub fn configuration(&self) -> serde_json::Result<Configuration> {
        let mut whole: Configuration = read(&self.setting)?;
        whole.prune = self.prune.as_ref().map(read::<_, PruneOptions>).transpose()?;
        whole.quantize = self.quantize.as_ref().map(read::<_, QuantizeOptions>).transpose()?;
        if let Some(quantize) = &mut whole.quantize {
            quantize.layers = self.layers.iter().map(read::<_, LayerOptions>).collect::<Result<_, _>>()?;
        }
        whole.hardware = self.hardware.iter().map(read).collect::<Result<_, _>>()?;
        Ok(whole)
    }
}

fn json(part: &impl Serialize) -> String {
    serde_json::to_string(part).expect("configurations out of TOML have a JSON form")
}

fn read<T: AsRef<str>, P: DeserializeOwned>(part: &T) -> serde_json::Result<P> {
    serde_json::from_str(part.as_ref())
}
