//! What a plan may not say, whatever the files hold that it names.

use compress::{FilterAmount, PruneOptions, Pruning, Scope};
use esn::BitWidth;
use network::architectures::Family;
use network::grouped;

use super::file::{PlanFile, PointEntry, PruneEntry, QuantizeEntry, calibration_images, eight_bits};

/// Points of a plan: what a process can count through.
pub(in crate::sweep) const MAX_POINTS: u64 = 10_000_000;

impl PlanFile {
    /// Checks what needs no file that the plan names; says the key, what was expected and what was found.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.networks.is_empty() {
            return Err("networks is empty; expected network files, or \"embedded\"".to_string());
        }
        if let Some(name) = self.architecture.as_ref().filter(|name| Family::named(name).is_none()) {
            return Err(format!("architecture is {name:?}; expected one of {}", Family::NAMES.join(", ")));
        }
        if self.hardware.is_empty() || self.reestimate.is_empty() {
            return Err("hardware and reestimate may be left out, but not be empty".to_string());
        }
        if !(1..=16).contains(&self.activation_bits) {
            return Err(format!("activation-bits is {}; expected 1 to 16", self.activation_bits));
        }
        if self.calibration_images == 0 {
            return Err("calibration-images is 0; expected at least 1".to_string());
        }
        let of_images = [
            (self.activation_bits != eight_bits(), "activation-bits"),
            (self.calibration_images != calibration_images(), "calibration-images"),
            (self.analog_accuracy, "analog-accuracy"),
        ];
        let idle = of_images.into_iter().find(|(is_given, _)| *is_given && self.images.is_none());
        if let Some((_, key)) = idle {
            return Err(format!(
                "{key} is for runs on images, and there are none: a table [images] with a path has some"
            ));
        }
        if let Some(images) = self.images.iter().chain(&self.statistics).find(|images| images.limit == Some(0)) {
            return Err(format!("limit of {} is 0; expected at least 1", images.path));
        }
        if self.reestimate.contains(&true) {
            check_statistics(self.statistics.is_some())?;
        }
        self.check_sample()?;
        self.prune.iter().try_for_each(PruneEntry::check)?;
        self.quantize.iter().try_for_each(QuantizeEntry::check)?;
        self.point.iter().try_for_each(|point| point.check(&self.networks, self.statistics.is_some()))
    }

    fn check_sample(&self) -> Result<(), String> {
        match self.sample {
            None if self.seed.is_some() => Err("seed is for a sample: sample = 1000 takes so many points".to_string()),
            None if self.method.is_some() => {
                Err("method is for a sample: sample = 1000 takes so many points".to_string())
            }
            Some(sample) if sample.get() > MAX_POINTS => {
                Err(format!("sample is {sample}; expected 1 to {}", grouped(MAX_POINTS.into())))
            }
            None | Some(_) => Ok(()),
        }
    }
}

impl PruneEntry {
    fn check(&self) -> Result<(), String> {
        if !self.each.is_empty() && !self.prunings.is_empty() {
            return Err("prune: each lists alternatives, prunings one after another; expected one of them".to_string());
        }
        let prunes = !self.each.is_empty() || !self.prunings.is_empty() || self.below.is_some();
        check_prunes(prunes, self.scope.0 != [Scope::default()], self.compact, self.bits.is_some())?;
        self.each.iter().chain(&self.prunings).try_for_each(check_pruning)?;
        check_width("prune.bits", self.bits)?;
        self.below.iter().flat_map(|below| &below.0).try_for_each(|&below| check_fraction("below", below))
    }
}

impl QuantizeEntry {
    fn check(&self) -> Result<(), String> {
        check_widths("quantize.bits", self.bits.iter().flat_map(|bits| &bits.0).copied())?;
        check_width("quantize.first-bits", self.first_bits)?;
        check_width("quantize.last-bits", self.last_bits)?;
        self.layers.iter().try_for_each(|own| check_width(&format!("quantize.layers, {}", own.layer), own.bits))?;
        for (name, widths) in &self.bits_of_layers {
            let key = format!("quantize.bits-of-layers, {name}");
            check_widths(&key, widths.0.iter().copied())?;
            if self.layers.iter().any(|own| own.layer == *name && own.bits.is_some()) {
                return Err(format!("{key}: the layer has bits in layers, too; expected one of them"));
            }
        }
        Ok(())
    }
}

impl PointEntry {
    /// Checks the point of a plan with these networks, and images for statistics or not.
    pub(in crate::sweep) fn check(&self, networks: &[String], has_statistics: bool) -> Result<(), String> {
        if self.reestimate {
            check_statistics(has_statistics)?;
        }
        if let Some(network) = self.network.as_ref().filter(|network| !networks.contains(network)) {
            return Err(format!("point: network {network:?} is not in networks"));
        }
        let PruneOptions { prunings, scope, below, compact, bits } = &self.prune;
        let prunes = !prunings.is_empty() || below.is_some();
        check_prunes(prunes, *scope != Scope::default(), *compact, bits.is_some())?;
        prunings.iter().try_for_each(check_pruning)?;
        if let Some(below) = self.prune.below {
            check_fraction("below", below)?;
        }
        check_width("quantize.bits", self.quantize.as_ref().map(|quantize| quantize.bits))
    }
}

/// Refuses words on how to prune where nothing is.
fn check_prunes(prunes: bool, scope: bool, compact: bool, bits: bool) -> Result<(), String> {
    let idle = [(scope, "scope"), (compact, "compact"), (bits, "bits")].into_iter().find(|(is_given, _)| *is_given);
    match idle {
        Some((_, key)) if !prunes => {
            Err(format!("prune: {key} says how, and nothing is pruned; expected each, prunings or below beside it"))
        }
        Some(_) | None => Ok(()),
    }
}

fn check_statistics(are_there: bool) -> Result<(), String> {
    match are_there {
        true => Ok(()),
        false => Err("reestimate needs images: a table [statistics] with a path".to_string()),
    }
}

fn check_pruning(pruning: &Pruning) -> Result<(), String> {
    match *pruning {
        Pruning::Filters(FilterAmount::Fraction(fraction)) => check_fraction("filters.fraction", fraction),
        Pruning::Filters(FilterAmount::Width(width)) => check_fraction("filters.width", width),
        Pruning::Filters(FilterAmount::Budget(_)) => Ok(()),
        Pruning::Weights(fraction) => check_fraction("weights", fraction),
        Pruning::Pattern { keep, of } if keep == 0 || keep > of => {
            Err(format!("pattern keeps {keep} of {of}; expected at least 1 and at most all"))
        }
        Pruning::Pattern { .. } => Ok(()),
    }
}

fn check_fraction(key: &str, fraction: f64) -> Result<(), String> {
    if (0.0..=1.0).contains(&fraction) { Ok(()) } else { Err(format!("{key} is {fraction}; expected 0 to 1")) }
}

/// Of several widths that are too large the largest is told: the end of a range.
fn check_widths(key: &str, widths: impl Iterator<Item = u32> + Clone) -> Result<(), String> {
    check_width(key, widths.clone().max())?;
    check_width(key, widths.min())
}

fn check_width(key: &str, bits: Option<u32>) -> Result<(), String> {
    bits.map_or(Ok(()), |bits| BitWidth::new(bits).map(|_| ()).map_err(|e| format!("{key}: {e}")))
}
