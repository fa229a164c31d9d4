//! `esnsim new`: a network of the literature with random weights.

use anyhow::bail;
use formats::onnx::write::{WriteOptions, to_bytes};
use network::Network;
use network::architectures::{Architecture, Family, Fan, Shortcut, build};
use report::write_file;

use crate::args::{FanName, NewOptions, ShortcutName};
use crate::format::{grouped, one_line};
use crate::{input, print};

/// Runs the command. There is no check here, so it never returns `false`.
pub fn run(options: &NewOptions) -> anyhow::Result<bool> {
    let architecture = architecture(options)?;
    input::check_outputs(&[Some(&options.output)], std::iter::empty())?;
    let network = build(&architecture)?;
    let provenance = vec![
        ("esnsim.command".to_string(), command(options, &architecture)),
        ("esnsim.version".to_string(), env!("CARGO_PKG_VERSION").to_string()),
    ];
    let written = to_bytes(&network, &WriteOptions { provenance })?;
    write_file(&options.output, |writer| writer.write_all(&written.bytes))?;
    print(&summary(options, &network))?;
    Ok(true)
}

fn architecture(options: &NewOptions) -> anyhow::Result<Architecture> {
    let base = Architecture::new(family(options)?);
    Ok(Architecture {
        width: options.width,
        classes: options.classes.unwrap_or(base.classes),
        input_size: options.input.unwrap_or(base.input_size),
        seed: options.seed,
        fan: match options.fan {
            FanName::In => Fan::In,
            FanName::Out => Fan::Out,
        },
        ..base
    })
}

/// The family with the options that only some families have.
fn family(options: &NewOptions) -> anyhow::Result<Family> {
    let Some(mut family) = Family::named(&options.network) else {
        bail!("network {:?} is not known; expected one of {}", options.network, Family::NAMES.join(", "));
    };
    let mut left = vec![("--shortcut", options.shortcut.is_some())];
    left.extend([("--depth", options.depth.is_some()), ("--growth", options.growth.is_some())]);
    match &mut family {
        Family::CifarResNet { shortcut, .. } => {
            *shortcut = options.shortcut.map_or(*shortcut, shortcut_of);
            left.retain(|(option, _)| *option != "--shortcut");
        }
        Family::DenseNetBc { depth, growth } => {
            *depth = options.depth.unwrap_or(*depth);
            *growth = options.growth.unwrap_or(*growth);
            left.retain(|(option, _)| *option == "--shortcut");
        }
        Family::Vgg7 | Family::ResNet18 | Family::ResNet50 => {}
    }
    match left.iter().find(|(_, given)| *given) {
        Some((option, _)) => bail!("{option} does not belong to {}", options.network),
        None => Ok(family),
    }
}

fn shortcut_of(name: ShortcutName) -> Shortcut {
    match name {
        ShortcutName::A => Shortcut::A,
        ShortcutName::Projection => Shortcut::Projection,
        ShortcutName::Paper => Shortcut::Paper,
    }
}

/// The command with everything that the file depends on, and nothing else: not where it is written.
fn command(options: &NewOptions, architecture: &Architecture) -> String {
    let Architecture { family, width, classes, input_size, seed, fan } = architecture;
    let fan = if *fan == Fan::In { "in" } else { "out" };
    let mut text = format!(
        "new {} --width {width} --classes {classes} --input {input_size} --seed {seed} --fan {fan}",
        options.network
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

fn summary(options: &NewOptions, network: &Network) -> String {
    let layers = network.layers();
    let weights = layers.iter().map(|layer| (layer.geometry.spec().filters * layer.geometry.rows()) as u128).sum();
    let macs = layers.iter().map(|layer| layer.geometry.macs()).sum();
    format!(
        "{}\n  {}, {} MAC layers, {} weights, {} MACs an image; random weights\n",
        one_line(&options.output.display().to_string()),
        options.network,
        layers.len(),
        grouped(weights),
        grouped(macs)
    )
}
