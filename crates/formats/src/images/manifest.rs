//! CSV tables of picture files and labels.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::ImageOptions;
use super::error::ImageError;
use super::folder::PictureFiles;

/// Names of the column of files, and of that of labels. Capitals do not matter.
const FILE_COLUMNS: [&str; 4] = ["file", "filename", "path", "image"];
const LABEL_COLUMNS: [&str; 2] = ["label", "class"];

/// Reads a table with the columns `file` and perhaps `label`; others are passed over. An empty label is none.
pub(super) fn open(path: &Path, options: &ImageOptions) -> Result<PictureFiles, ImageError> {
    let csv_error = |error: csv::Error| {
        let message = error.to_string();
        if let csv::ErrorKind::Io(source) = error.into_kind() {
            return ImageError::Io { path: path.to_path_buf(), source };
        }
        ImageError::invalid(path, message)
    };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator(path)?)
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(csv_error)?;
    let headers = reader.headers().map_err(csv_error)?.clone();
    let column = |names: &[&str]| {
        names.iter().find_map(|name| headers.iter().position(|header| header.eq_ignore_ascii_case(name)))
    };
    let file_column = column(&FILE_COLUMNS).ok_or_else(|| {
        let found: Vec<&str> = headers.iter().collect();
        ImageError::invalid(path, format!("the header must name a column `file`; it has {found:?}"))
    })?;
    let label_column = column(&LABEL_COLUMNS);
    let other_columns = match label_column {
        Some(_) => Vec::new(),
        None => {
            headers.iter().enumerate().filter(|(i, _)| *i != file_column).map(|(_, name)| name.to_string()).collect()
        }
    };
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
    Ok(PictureFiles::new(files, options).with_other_columns(other_columns))
}

/// What separates the columns: of comma, semicolon and tab the one that the first line has most of.
fn separator(path: &Path) -> Result<u8, ImageError> {
    /// No header is longer.
    const FIRST: u64 = 1 << 16;
    let mut start = Vec::new();
    let file = std::fs::File::open(path).map_err(ImageError::io(path))?;
    file.take(FIRST).read_to_end(&mut start).map_err(ImageError::io(path))?;
    let header = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let count = |separator: u8| header.iter().filter(|&&byte| byte == separator).count();
    // Of equally many the first, so that a header of one column is one of commas.
    Ok([b'\t', b';', b','].into_iter().max_by_key(|&separator| count(separator)).unwrap_or(b','))
}

/// The file beside the table, or in the folder `images` beside it if it is only there.
fn locate(folder: &Path, name: &str) -> PathBuf {
    let beside = folder.join(name);
    let inside = folder.join("images").join(name);
    if !beside.exists() && inside.exists() { inside } else { beside }
}
