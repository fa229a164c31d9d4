//! Plans of sweeps: TOML files. `docs/sweep.md` documents every key.

mod check;
mod file;
mod lists;

use std::path::{Path, PathBuf};
use std::{fs, io};

use formats::toml_problem;
use serde::Deserialize;

pub(super) use check::MAX_POINTS;
pub use file::{ImagesEntry, PlanFile, PointEntry, PruneEntry, QuantizeEntry, SampleMethod};
pub(super) use lists::{LayerWidths, normal};

use crate::error::ExploreError;

/// The word in a plan for what comes with the program: the digits network, or its images.
pub const EMBEDDED: &str = "embedded";

/// The largest plan that is read: a document people write by hand is far smaller.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// A plan and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The file; paths in it are relative to its folder.
    pub path: PathBuf,
    /// What it says, defaults filled in.
    pub file: PlanFile,
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    ///
    /// [`ExploreError::Io`] if the file cannot be read; [`ExploreError::Plan`] names the file, the key, what was
    /// expected and what was found.
    pub fn read(path: &Path) -> Result<Self, ExploreError> {
        let unread = |source| ExploreError::Io { path: path.to_path_buf(), source };
        let metadata = fs::metadata(path).map_err(unread)?;
        if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
            return Err(problem(path, format!("expected a TOML file of at most {MAX_FILE_BYTES} bytes")));
        }
        let text = String::from_utf8(fs::read(path).map_err(unread)?)
            .map_err(|_| problem(path, "it is no text; expected a plan in TOML"))?;
        Self::parse(path, &text)
    }

    /// Reads a plan from a text; `path` stands for it in messages, and its folder is where relative paths start.
    ///
    /// # Errors
    ///
    /// As [`Plan::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ExploreError> {
        if toml::from_str::<DescriptionOfHardware>(text).is_ok() {
            return Err(problem(path, "it is a description of hardware, which a plan names in its list hardware"));
        }
        let file: PlanFile = toml::from_str(text).map_err(|e| problem(path, toml_problem(&e, text)))?;
        file.check().map_err(|words| problem(path, words))?;
        Ok(Self { path: path.to_path_buf(), file })
    }

    /// A path that the plan names.
    pub fn locate(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Where the paths that it names begin.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Everything the plan says as JSON, defaults filled in.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.file).expect("a plan out of TOML has a JSON form")
    }
}

pub(super) fn problem(path: &Path, problem: impl Into<String>) -> ExploreError {
    ExploreError::Plan { path: path.to_path_buf(), problem: problem.into() }
}

/// The error of a file that a plan names.
pub(super) fn named(plan: &Plan, path: &Path, source: io::Error) -> ExploreError {
    ExploreError::Named { plan: plan.path.clone(), path: path.to_path_buf(), source }
}

/// What a description of hardware has and no plan.
#[derive(Deserialize)]
struct DescriptionOfHardware {
    #[serde(rename = "engine")]
    _engine: String,
}
