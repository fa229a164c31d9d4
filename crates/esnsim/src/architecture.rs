//! Networks of the literature, by name.

use network::architectures::{Architecture, Family, Fan, Shortcut};

use crate::error::Error;

/// A network of the literature, as a user asks for it: what is left out is that of the literature.
#[derive(Clone, Debug, PartialEq)]
pub struct ArchitectureRequest {
    /// One of [`Family::NAMES`].
    pub name: String,
    /// Factor of all channels.
    pub width: f64,
    /// Outputs of the last layer.
    pub classes: Option<usize>,
    /// Height and width of the image.
    pub input_size: Option<usize>,
    /// What the weights are made from.
    pub seed: u64,
    /// What the variance of weights is divided by.
    pub fan: Fan,
    /// How shortcuts of a ResNet for CIFAR change channels.
    pub shortcut: Option<Shortcut>,
    /// Layers of a DenseNet.
    pub depth: Option<usize>,
    /// Channels that each layer of a DenseNet adds.
    pub growth: Option<usize>,
}

impl ArchitectureRequest {
    /// The network of this name, as the literature has it.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_string(),
            width: 1.0,
            classes: None,
            input_size: None,
            seed: 0,
            fan: Fan::In,
            shortcut: None,
            depth: None,
            growth: None,
        }
    }

    /// The architecture that is asked for; `network::architectures::build` makes it.
    ///
    /// # Errors
    ///
    /// [`Error::NoArchitecture`] if the name is not known, [`Error::ForeignOption`] if an option belongs to another
    /// family.
    pub fn architecture(&self) -> Result<Architecture, Error> {
        let base = Architecture::new(self.family()?);
        Ok(Architecture {
            width: self.width,
            classes: self.classes.unwrap_or(base.classes),
            input_size: self.input_size.unwrap_or(base.input_size),
            seed: self.seed,
            fan: self.fan,
            ..base
        })
    }

    fn family(&self) -> Result<Family, Error> {
        let unknown = || Error::NoArchitecture { name: self.name.clone() };
        let mut family = Family::named(&self.name).ok_or_else(unknown)?;
        let shortcut_given = self.shortcut.map(|_| "shortcut");
        let [depth_given, growth_given] = [self.depth.map(|_| "depth"), self.growth.map(|_| "growth")];
        let foreign = match &mut family {
            Family::CifarResNet { shortcut, .. } => {
                *shortcut = self.shortcut.unwrap_or(*shortcut);
                depth_given.or(growth_given)
            }
            Family::DenseNetBc { depth, growth } => {
                *depth = self.depth.unwrap_or(*depth);
                *growth = self.growth.unwrap_or(*growth);
                shortcut_given
            }
            Family::Vgg7 | Family::ResNet18 | Family::ResNet50 => shortcut_given.or(depth_given).or(growth_given),
        };
        match foreign {
            Some(option) => Err(Error::ForeignOption { name: self.name.clone(), option }),
            None => Ok(family),
        }
    }

    /// What a file of the network says about its making: the command that makes it, and the program's version.
    pub fn provenance(&self, architecture: &Architecture) -> Vec<(String, String)> {
        let mut provenance = vec![("esnsim.command".to_string(), self.command(architecture))];
        provenance.extend(crate::provenance());
        provenance
    }

    /// The request in the words of the command line, with everything that the network depends on and nothing else.
    fn command(&self, architecture: &Architecture) -> String {
        let Architecture { family, width, classes, input_size, seed, fan } = architecture;
        let fan = if *fan == Fan::In { "in" } else { "out" };
        let mut text = format!(
            "new {} --width {width} --classes {classes} --input {input_size} --seed {seed} --fan {fan}",
            self.name
        );
        match family {
            Family::CifarResNet { shortcut, .. } => {
                text += match shortcut {
                    Shortcut::A => " --shortcut A",
                    Shortcut::Projection => " --shortcut projection",
                    Shortcut::Paper => " --shortcut paper",
                };
            }
            Family::DenseNetBc { depth, growth } => text += &format!(" --depth {depth} --growth {growth}"),
            Family::Vgg7 | Family::ResNet18 | Family::ResNet50 => {}
        }
        text
    }
}
