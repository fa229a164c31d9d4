//! What a store of images had to choose, or did not read.

use std::fmt;
use std::path::Path;

use super::error::ImageError;

/// What a store of images had to choose, or did not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Of an archive of several arrays: the one of the images, and that of the labels.
    pub arrays: Option<(String, Option<String>)>,
    /// Columns of a manifest without labels, none of which is named as labels are.
    pub other_columns: Vec<String>,
    /// Files that are not read, by what they are.
    pub passed_over: Vec<PassedOver>,
    /// Classes without a picture.
    pub empty_classes: Vec<String>,
    /// Of an archive in parts: the name of the one that is read.
    pub part: Option<String>,
    /// Where labels lie that are not in the file of the images.
    pub labels: Option<Labels>,
}

/// Where labels lie that are not in the file of the images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Labels {
    /// In this file.
    File(String),
    /// Nowhere: this is not there.
    Missing(String),
}

impl Findings {
    /// The files that are not read, by what they are, as one line.
    pub fn passed_over_text(&self) -> String {
        self.passed_over.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    /// Refuses a store of which something is not read.
    pub(super) fn check_complete(&self, path: &Path) -> Result<(), ImageError> {
        let problem = match (self.passed_over.is_empty(), self.empty_classes.first()) {
            (false, _) => format!("files that are not read: {}", self.passed_over_text()),
            (true, Some(class)) => format!("{} of its classes without a picture: {class}", self.empty_classes.len()),
            (true, None) => return Ok(()),
        };
        Err(ImageError::incomplete(path, problem))
    }
}

/// Files of one kind that are not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// What they are.
    pub kind: PassedOverKind,
    /// How many there are.
    pub count: usize,
    /// The first of them by name.
    pub first: String,
}

/// Why a file is not read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PassedOverKind {
    /// A picture beside folders of classes.
    BesideClasses,
    /// Its name ends in this, the point included, which is no picture that is read.
    Ending(String),
    /// The end of its name tells no format.
    NoEnding,
    /// A picture whose name begins with a point.
    Hidden,
    /// A folder whose name begins with a point, with all that it holds.
    HiddenFolder,
}

impl PassedOverKind {
    /// By the end of the name of a file.
    pub(super) fn of_file(path: &Path) -> Self {
        Self::of_ending(&path.extension().unwrap_or_default().to_string_lossy().to_lowercase())
    }

    /// By the end of a name, without the point; empty where there is none.
    pub(super) fn of_ending(ending: &str) -> Self {
        if ending.is_empty() { PassedOverKind::NoEnding } else { PassedOverKind::Ending(format!(".{ending}")) }
    }
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, count, first } = self;
        match kind {
            PassedOverKind::BesideClasses => write!(f, "{count} beside the folders of classes")?,
            PassedOverKind::Ending(ending) => write!(f, "{count} {ending}")?,
            PassedOverKind::NoEnding => write!(f, "{count} without an ending")?,
            PassedOverKind::Hidden => write!(f, "{count} hidden")?,
            PassedOverKind::HiddenFolder => {
                write!(f, "{count} hidden {}", if *count == 1 { "folder" } else { "folders" })?
            }
        }
        write!(f, " ({first}{})", if *count > 1 { ", …" } else { "" })
    }
}
