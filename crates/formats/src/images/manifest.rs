//! CSV tables of picture files and labels.

use std::path::{Path, PathBuf};

use super::error::ImageError;
use super::folder::PictureFiles;

/// Reads a table with the columns `file` and perhaps `label`; others are passed over. An empty label is none.
pub(super) fn open(path: &Path) -> Result<PictureFiles, ImageError> {
    let csv_error = |error: csv::Error| {
        let message = error.to_string();
        match error.into_kind() {
            csv::ErrorKind::Io(source) => ImageError::Io { path: path.to_path_buf(), source },
            _ => ImageError::invalid(path, message),
        }
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(csv_error)?;
    let headers = reader.headers().map_err(csv_error)?.clone();
    let column = |name: &str| headers.iter().position(|header| header == name);
    let file_column = column("file").ok_or_else(|| {
        let found: Vec<&str> = headers.iter().collect();
        ImageError::invalid(path, format!("the header must name a column `file`; it has {found:?}"))
    })?;
    let label_column = column("label");
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut files = Vec::new();
    for record in reader.records() {
        let record = record.map_err(csv_error)?;
        let line = record.position().map_or(0, csv::Position::line);
        let name = record.get(file_column).unwrap_or_default();
        if name.is_empty() {
            return Err(ImageError::invalid(path, format!("line {line}: the file's name is empty")));
        }
        if name.contains(char::is_control) {
            let problem = format!("line {line}: the file's name {name:?} has control characters");
            return Err(ImageError::invalid(path, problem));
        }
        let label = label_column.and_then(|column| record.get(column)).filter(|text| !text.is_empty());
        let label = label.map(str::parse).transpose().map_err(|_| {
            let found = label.unwrap_or_default();
            ImageError::invalid(path, format!("line {line}: label {found:?}; expected a class number from 0"))
        })?;
        files.push((locate(folder, name), label));
    }
    Ok(PictureFiles::new(files))
}

/// The file beside the table, or in the folder `images` beside it if it is only there.
fn locate(folder: &Path, name: &str) -> PathBuf {
    let beside = folder.join(name);
    let inside = folder.join("images").join(name);
    if !beside.exists() && inside.exists() { inside } else { beside }
}
