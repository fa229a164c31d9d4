//! Where outputs may go.

use std::path::{Path, PathBuf};

use crate::error::Error;

/// Refuses outputs that would overwrite an input or each other, or whose folder does not exist, before any work is done.
///
/// # Errors
///
/// [`Error::Place`] names the first such output.
pub fn check_outputs<'a>(outputs: &[Option<&Path>], inputs: impl Iterator<Item = &'a PathBuf>) -> Result<(), Error> {
    let mut taken: Vec<PathBuf> = inputs.filter_map(|path| path.canonicalize().ok()).collect();
    for output in outputs.iter().flatten() {
        let wrong = |problem: String| Error::Place { path: output.to_path_buf(), problem };
        let folder = match output.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let Ok(folder) = folder.canonicalize() else {
            return Err(wrong(format!("there is no folder {}", folder.display())));
        };
        if !folder.is_dir() {
            return Err(wrong(format!("{} is no folder", folder.display())));
        }
        if output.is_dir() {
            return Err(wrong("expected a file to write, found a folder".to_string()));
        }
        let place = output.canonicalize().unwrap_or_else(|_| folder.join(output.file_name().unwrap_or_default()));
        if taken.contains(&place) && !place.starts_with("/dev") {
            return Err(wrong("is also an input or another output of this run".to_string()));
        }
        taken.push(place);
    }
    Ok(())
}
