//! Descriptions that come with the program: the ideal engines and presets, each a file of `configs/`.

use std::ffi::OsStr;
use std::path::Path;

use super::Hardware;
use crate::error::RunnerError;

/// The three ideal engines.
pub(super) const IDEAL: [(&str, &str); 3] = [
    ("configs/ideal-analog.toml", include_str!("../../configs/ideal-analog.toml")),
    ("configs/ideal-digital.toml", include_str!("../../configs/ideal-digital.toml")),
    ("configs/ideal-digital-filter.toml", include_str!("../../configs/ideal-digital-filter.toml")),
];

/// File, text, and what it is in a few words.
const PRESETS: [(&str, &str, &str); 10] = [
    ("cpu-serial", include_str!("../../configs/cpu-serial.toml"), "one 8-bit MAC an instruction, skips zeros"),
    ("gpu-8bit", include_str!("../../configs/gpu-8bit.toml"), "8-bit multipliers in lock step, skips nothing"),
    ("sparse-8bit", include_str!("../../configs/sparse-8bit.toml"), "sparse 8-bit weights, each with an index"),
    (
        "multi-precision",
        include_str!("../../configs/multi-precision.toml"),
        "2, 4 or 8 bits a layer, multipliers fused",
    ),
    (
        "variable-bit-filter",
        include_str!("../../configs/variable-bit-filter.toml"),
        "one bit width a filter, in single bits",
    ),
    ("bit-serial", include_str!("../../configs/bit-serial.toml"), "each weight in its own bits, skips zeros"),
    (
        "analog-class-a",
        include_str!("../../configs/analog-class-a.toml"),
        "cells burn the energy of the largest weight",
    ),
    (
        "analog-class-ab",
        include_str!("../../configs/analog-class-ab.toml"),
        "a tenth of class A where a weight needs less",
    ),
    ("analog-class-b", include_str!("../../configs/analog-class-b.toml"), "squared amplitude of each weight alone"),
    (
        "in-memory-class-b",
        include_str!("../../configs/in-memory-class-b.toml"),
        "class B in 128 × 128 arrays with their converters",
    ),
];

/// Chips that were built and measured, as [`PRESETS`].
const CHIPS: [(&str, &str, &str); 6] = [
    ("unpu", include_str!("../../configs/silicon/unpu.toml"), "chip, 65 nm: tables, weights bit by bit"),
    ("colonnade", include_str!("../../configs/silicon/colonnade.toml"), "chip, 65 nm: digital adders in SRAM"),
    ("jia", include_str!("../../configs/silicon/jia.toml"), "chip, 65 nm: charge in SRAM, bits in columns"),
    ("sinangil", include_str!("../../configs/silicon/sinangil.toml"), "chip, 7 nm: pulses on SRAM, 4 bits"),
    ("neurram", include_str!("../../configs/silicon/neurram.toml"), "chip, 130 nm: resistive cells that integrate"),
    ("wang", include_str!("../../configs/silicon/wang.toml"), "chip, 22 nm: ladders of capacitors, 8 bits"),
];

/// Designs that were published, as [`PRESETS`].
const DESIGNS: [(&str, &str, &str); 4] = [
    (
        "tensor-core",
        include_str!("../../configs/designs/tensor-core.toml"),
        "int8 GPU, skips 2 of 4 where a layer has them",
    ),
    ("eie", include_str!("../../configs/designs/eie.toml"), "4-bit sparse weights on chip, skips zero activations"),
    ("eyeriss-v2", include_str!("../../configs/designs/eyeriss-v2.toml"), "sparse weights and activations in clusters"),
    ("isaac", include_str!("../../configs/designs/isaac.toml"), "2-bit memristors, inputs bit by bit, ADCs shared"),
];

impl Hardware {
    /// The word that stands for the three ideal engines.
    pub const ALL_IDEAL: &str = "ideal";

    /// The hardware of a name that comes along, where no file has that name; else what a file describes.
    ///
    /// # Errors
    ///
    /// As [`Hardware::read`]; [`RunnerError::UnknownHardware`] for what is neither lists the names.
    pub fn open(path: &Path) -> Result<Self, RunnerError> {
        Self::open_in(Path::new(""), path)
    }

    /// All hardware that a word stands for: `ideal` for the three ideal engines, any other as in [`Hardware::open`]. A file
    /// lies where `folder` says, with which a name that comes along has nothing to do.
    ///
    /// # Errors
    ///
    /// As [`Hardware::open`].
    pub fn open_all(folder: &Path, word: &Path) -> Result<Vec<Self>, RunnerError> {
        match word.as_os_str() == Self::ALL_IDEAL && !folder.join(word).exists() {
            true => Ok(Self::ideal()),
            false => Ok(vec![Self::open_in(folder, word)?]),
        }
    }

    fn open_in(folder: &Path, word: &Path) -> Result<Self, RunnerError> {
        let path = folder.join(word);
        if path.exists() {
            return Self::read(&path);
        }
        let mut all = Self::all().into_iter();
        match all.find(|hardware| word.as_os_str() == hardware.engine.name()) {
            Some(hardware) => Ok(hardware),
            None if word.components().count() == 1 && word.extension().is_none() => {
                Err(RunnerError::UnknownHardware { path, known: names() })
            }
            None => Self::read(&path),
        }
    }

    /// The text of a description that comes along, with its comments and sources: a start for one's own.
    ///
    /// # Errors
    ///
    /// [`RunnerError::NoSuchPreset`] for another name lists the names.
    pub fn description(name: &str) -> Result<&'static str, RunnerError> {
        let ideal = IDEAL.iter().map(|(path, text)| (Path::new(path).file_stem().unwrap_or_default(), *text));
        let mut all =
            ideal.chain(PRESETS.iter().chain(&CHIPS).chain(&DESIGNS).map(|(name, text, _)| (OsStr::new(*name), *text)));
        let found = all.find(|(known, _)| *known == name).map(|(_, text)| text);
        found.ok_or_else(|| RunnerError::NoSuchPreset { name: name.to_string(), known: names() })
    }

    /// The three ideal engines.
    pub fn ideal() -> Vec<Self> {
        IDEAL
            .iter()
            .map(|(path, text)| Self::parse(Path::new(path), text).expect("the descriptions that come along are valid"))
            .collect()
    }

    /// The presets: hardware that comes along beside the ideal engines. [`Hardware::open`] finds it by its name.
    pub fn presets() -> Vec<Self> {
        PRESETS.iter().map(Self::of_preset).collect()
    }

    /// Chips that were built and measured, which come along, too. `docs/silicon.md` holds them against what was measured.
    pub fn chips() -> Vec<Self> {
        CHIPS.iter().map(Self::of_preset).collect()
    }

    /// Designs that were published, which come along, too.
    pub fn designs() -> Vec<Self> {
        DESIGNS.iter().map(Self::of_preset).collect()
    }

    /// All hardware that comes along: the ideal engines, the presets, the chips and the designs.
    pub fn all() -> Vec<Self> {
        Self::ideal().into_iter().chain(Self::presets()).chain(Self::chips()).chain(Self::designs()).collect()
    }

    fn of_preset((name, text, _): &(&str, &str, &str)) -> Self {
        Self::parse(Path::new(name), text).expect("the descriptions that come along are valid")
    }

    /// What hardware that comes along is, in a few words.
    pub fn summary(&self) -> String {
        match PRESETS.iter().chain(&CHIPS).chain(&DESIGNS).find(|(name, ..)| *name == self.engine.name()) {
            Some((_, _, summary)) => summary.to_string(),
            None if self.ideal => format!("ideal: its energy is {}", self.metric.name()),
            None => String::new(),
        }
    }
}

/// Names of all that comes along.
fn names() -> Vec<String> {
    let ideal = IDEAL.iter().map(|(path, _)| Path::new(path).file_stem().unwrap_or_default());
    let presets = PRESETS.iter().chain(&CHIPS).chain(&DESIGNS).map(|preset| preset.0.to_string());
    ideal.map(|name| name.to_string_lossy().into_owned()).chain(presets).collect()
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    #[test]
    fn presets_are_valid_and_have_the_names_of_their_files() {
        let hardware = Hardware::presets().into_iter().chain(Hardware::chips()).chain(Hardware::designs());
        for ((name, ..), hardware) in PRESETS.iter().chain(&CHIPS).chain(&DESIGNS).zip(hardware) {
            assert_eq!(hardware.engine.name(), *name);
            assert!(hardware.clock_hz.is_some() && !hardware.summary().is_empty());
            assert!(!hardware.ideal && !hardware.normalized, "{name} pays for memory, in joules");
        }
    }

    #[test]
    fn every_description_that_comes_along_is_documented() {
        let page = include_str!("../../../../docs/hardware.md");
        check_all(names(), |name| {
            assert!(page.contains(&format!("| `{name}` |")), "{name} has no row in docs/hardware.md");
        });
    }

    #[test]
    fn a_name_opens_what_comes_along_and_nothing_else() {
        check_all(names(), |name| {
            let opened = Hardware::open(Path::new(&name)).expect("it comes along");
            assert_eq!(opened.engine.name(), name);
            let text = Hardware::description(name).expect("it comes along");
            assert_eq!(Hardware::parse(Path::new("copy.toml"), text).expect("valid").resolved, opened.resolved);
        });
        let error = Hardware::open(Path::new("abacus")).err().expect("nothing is called so").to_string();
        assert!(error.starts_with("abacus: neither") && error.contains("cpu-serial"), "{error}");
        assert!(!error.contains("did you mean"), "nothing is near: {error}");
        let error = Hardware::description("gpu8bit").expect_err("nothing is called so").to_string();
        assert!(error.ends_with("; did you mean gpu-8bit?"), "{error}");
    }
}
