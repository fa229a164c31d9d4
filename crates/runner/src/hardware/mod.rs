//! Hardware descriptions: TOML files that become engines.
//!
//! The main type is [`Hardware`]: an engine, and the metric that it is held against. `docs/hardware.md` documents every
//! key. A key that is left out stands for the ideal.

mod analog;
mod departures;
mod digital;
mod plausible;
mod presets;
mod pulses;

use std::fs;
use std::path::Path;

use engine::{Arithmetic, EngineError, Joules, MacEngine};
use formats::toml_problem;
use network::Network;
use serde::{Deserialize, Serialize};

use crate::error::RunnerError;

pub use analog::AnalogFile;
pub use digital::{DigitalFile, WidthGranularity, ZeroSkippingWord};

/// The largest description that is read: a document people write by hand is far smaller.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The metric that an engine's MAC energy is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Metric {
    /// Equation (2), in quarters: an analog engine counts squared half-steps.
    #[serde(rename = "ESN_a")]
    EsnA,
    /// Equation (3).
    #[serde(rename = "ESN_d")]
    EsnD,
    /// Equation (7).
    #[serde(rename = "ESN'_d")]
    EsnDFilter,
}

impl Metric {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Metric::EsnA => "ESN_a",
            Metric::EsnD => "ESN_d",
            Metric::EsnDFilter => "ESN'_d",
        }
    }
}

/// One hardware description: the engine it describes, and what the engine is compared with.
pub struct Hardware {
    /// The engine.
    pub engine: Box<dyn MacEngine>,
    /// The metric of the same kind of cost.
    pub metric: Metric,
    /// Whether the engine is ideal. Its energy and cycles must then equal the metric.
    pub ideal: bool,
    /// Energy of one unit of the metric's count.
    pub unit: Joules,
    /// Whether energies are in units of a choice, so that they are compared with those of the same hardware alone.
    pub normalized: bool,
    /// Clock in hertz, where the description names one. Cycles then have a length in seconds.
    pub clock_hz: Option<f64>,
    /// The description with every value resolved, for reports.
    pub resolved: HardwareFile,
}

/// A hardware description as it stands in a file. Unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum HardwareFile {
    /// `engine = "analog"`.
    Analog(Box<AnalogFile>),
    /// `engine = "digital"`.
    Digital(Box<DigitalFile>),
}

/// What every description starts with; the rest is read once the kind of engine is known, so that errors have lines.
#[derive(Deserialize)]
struct Kind {
    engine: EngineKind,
}

/// What a plan of a sweep has and no description of hardware.
#[derive(Deserialize)]
struct PlanOfSweep {
    #[serde(rename = "networks")]
    _networks: Vec<String>,
}

/// The kinds of engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// The class-B analog MAC engine.
    Analog,
    /// The variable-bit digital MAC array.
    Digital,
}

impl Hardware {
    /// Reads a description.
    ///
    /// # Errors
    ///
    /// [`RunnerError::Read`] if the file cannot be read; [`RunnerError::Hardware`] names the file, the key, what was
    /// expected and what was found.
    pub fn read(path: &Path) -> Result<Self, RunnerError> {
        let unread = |source| RunnerError::Read { path: path.to_path_buf(), source };
        let metadata = fs::metadata(path).map_err(unread)?;
        if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
            let problem = format!("expected a TOML file of at most {MAX_FILE_BYTES} bytes");
            return Err(RunnerError::Hardware { path: path.to_path_buf(), problem });
        }
        let no_text = || {
            let problem = "it is no text; expected a description of hardware in TOML".to_string();
            RunnerError::Hardware { path: path.to_path_buf(), problem }
        };
        let text = String::from_utf8(fs::read(path).map_err(unread)?).map_err(|_| no_text())?;
        Self::parse(path, &text)
    }

    /// The seed of its random departures; none where nothing is random.
    pub fn seed(&self) -> Option<u64> {
        self.engine.randomness().map(|randomness| randomness.seed())
    }

    /// Whether the engine adds integers exactly. All such engines compute the same sums, so that inference on one serves
    /// all.
    pub fn is_exact(&self) -> bool {
        match self.engine.arithmetic() {
            Arithmetic::Integer => true,
            Arithmetic::Real => false,
        }
    }

    /// Whether the cost has to be counted on images: it depends on the activations, and the description assumes no mean
    /// activation.
    pub fn needs_images(&self) -> bool {
        let assumes = match &self.resolved {
            HardwareFile::Analog(file) => file.assumes_input(),
            HardwareFile::Digital(_) => false,
        };
        self.engine.cost_depends_on_input() && !assumes
    }

    /// The same hardware with another seed; none where nothing is random.
    pub fn reseeded(&self, seed: u64) -> Option<Self> {
        let engine = self.engine.randomness()?.reseeded(seed);
        Some(Self { engine, resolved: self.resolved.clone(), ..*self })
    }

    /// Reads a description from memory; `path` stands for the file in messages.
    ///
    /// # Errors
    ///
    /// As [`Hardware::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, RunnerError> {
        let problem = |problem: String| RunnerError::Hardware { path: path.to_path_buf(), problem };
        let wrong = |e: toml::de::Error| problem(toml_problem(&e, text));
        if toml::from_str::<PlanOfSweep>(text).is_ok() {
            return Err(problem("it is the plan of a sweep; expected a description of hardware".to_string()));
        }
        let kind: Kind = toml::from_str(text).map_err(wrong)?;
        let hardware = match kind.engine {
            EngineKind::Analog => toml::from_str::<AnalogFile>(text).map_err(wrong)?.build().map_err(problem)?,
            EngineKind::Digital => toml::from_str::<DigitalFile>(text).map_err(wrong)?.build().map_err(problem)?,
        };
        match hardware.uncountable() {
            Some(found) => Err(problem(found)),
            None => Ok(hardware),
        }
    }
}

/// The error of an engine that refused a layer of a network.
pub(crate) fn refused(network: &Network, hardware: &Hardware, source: EngineError) -> RunnerError {
    RunnerError::Engine {
        path: network.path().to_path_buf(),
        hardware: hardware.engine.name().to_string(),
        source: Box::new(source),
    }
}

fn check_name(name: &str) -> Result<(), String> {
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        return Err(format!("name is {name:?}; expected printable characters"));
    }
    Ok(())
}

fn energy(key: &str, joules: f64) -> Result<Joules, String> {
    if joules.is_finite() && joules > 0.0 {
        Ok(Joules(joules))
    } else {
        Err(format!("{key} is {joules}; expected a positive number of joules"))
    }
}

/// A clock that cycles can be divided by.
fn clock(hertz: Option<f64>) -> Result<Option<f64>, String> {
    match hertz {
        Some(hertz) if !(hertz.is_finite() && hertz > 0.0) => {
            Err(format!("clock_hz is {hertz}; expected a positive number of hertz"))
        }
        hertz => Ok(hertz),
    }
}

/// A count of hardware: at least 1, and small enough that products of two fit 64 bits.
fn count(key: &str, value: u64) -> Result<usize, String> {
    let valid = usize::try_from(value).ok().filter(|_| (1..=1 << 31).contains(&value));
    valid.ok_or_else(|| format!("{key} is {value}; expected 1 to {}", 1u64 << 31))
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::presets::IDEAL;
    use super::*;

    fn parse(text: &str) -> Result<Hardware, String> {
        Hardware::parse(Path::new("h.toml"), text).map_err(|e| e.to_string())
    }

    #[test]
    fn the_descriptions_that_come_along_are_ideal() {
        let hardware = Hardware::ideal();
        let metrics: Vec<Metric> = hardware.iter().map(|h| h.metric).collect();
        assert_eq!(metrics, [Metric::EsnA, Metric::EsnD, Metric::EsnDFilter]);
        assert!(hardware.iter().all(|h| h.ideal && h.normalized));
    }

    #[test]
    fn a_wrong_description_is_refused_in_one_line_that_names_the_key() {
        let good = IDEAL[1].1;
        let cases = [
            (good.replace("rows = 1", "rows = 0"), "array.rows is 0"),
            (good.replace("rows = 1", "rows = -1"), "line 8"),
            (good.replace("rows = 1", "lanes = 1"), "lanes"),
            (good.replace("rows = 1", "rows = 1\nlanes = 4"), "lanes"),
            (good.replace("\"weight\"", "\"channel\""), "channel"),
            (good.replace("1.0e-15", "-1.0e-15"), "mac_j_per_pe_cycle"),
            (good.replace("1.0e-15", "nan"), "mac_j_per_pe_cycle"),
            (good.replace("engine = \"digital\"", "engine = \"optical\""), "optical"),
            (good.replace("engine = \"digital\"", "engine = \"\\u001b[2J\""), "u{1b}[2J"),
            (format!("clock = 1\n{good}"), "clock"),
            (good.replace("name = \"ideal-digital\"", "name = \"\""), "name"),
            ("rows".to_string(), "line 1"),
        ];
        check_all(cases, |(text, expected)| {
            let message = parse(text).err().unwrap_or_else(|| panic!("accepted: {text}"));
            assert!(message.starts_with("h.toml: ") && !message.contains('\n'), "{message}");
            assert!(message.contains(expected), "{message:?} should name {expected:?}");
        });
    }

    #[test]
    fn a_finite_array_is_not_ideal() {
        let finite = IDEAL[0].1.replacen("\"unbounded\"", "128", 1);
        assert!(!parse(&finite).expect("valid").ideal);
    }
}
