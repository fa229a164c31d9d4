//! Files that appear whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use network::{ErrorKind, Failure};
use tempfile::NamedTempFile;
use thiserror::Error;

/// A file that cannot be written.
#[derive(Debug, Error)]
#[error("{}: {problem}", path.display())]
pub struct OutputError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub problem: String,
}

impl Failure for OutputError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Io
    }
}

/// A file under way: it is written under a temporary name beside its place, and takes its name when it is complete. If that
/// never comes, nothing is left of it.
#[derive(Debug)]
pub struct WholeFile {
    path: PathBuf,
    written: Written,
}

/// Where the bytes go.
#[derive(Debug)]
enum Written {
    /// To a temporary neighbour.
    Beside(BufWriter<NamedTempFile>),
    /// To something that is no regular file (`/dev/stdout`, a pipe).
    Through(BufWriter<File>),
}

impl WholeFile {
    /// Begins a file. An existing one is replaced when this one is complete; something that is not a regular file is written
    /// to directly.
    ///
    /// # Errors
    ///
    /// [`OutputError`] names the file.
    pub fn create(path: &Path) -> Result<Self, OutputError> {
        let begun = || -> io::Result<Written> {
            if path.exists() && !path.is_file() {
                return Ok(Written::Through(BufWriter::new(File::options().write(true).open(path)?)));
            }
            let folder = match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            if !folder.exists() {
                return Err(io::Error::new(
                    io::ErrorKind::NotFound,
                    format!("there is no folder {}", folder.display()),
                ));
            }
            Ok(Written::Beside(BufWriter::new(NamedTempFile::new_in(folder)?)))
        };
        let written = begun().map_err(|e| OutputError { path: path.to_path_buf(), problem: without_place(&e) })?;
        Ok(Self { path: path.to_path_buf(), written })
    }

    /// Its place.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says that it is complete.
    ///
    /// # Errors
    ///
    /// [`OutputError`] names the file; it is then as it was before.
    pub fn complete(self) -> Result<(), OutputError> {
        let Self { path, written } = self;
        let completed = || -> io::Result<()> {
            match written {
                Written::Through(mut writer) => writer.flush(),
                Written::Beside(writer) => {
                    let file = writer.into_inner()?;
                    make_readable(file.as_file())?;
                    file.persist(&path)?;
                    Ok(())
                }
            }
        };
        completed().map_err(|e| OutputError { path: path.clone(), problem: without_place(&e) })
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.written {
            Written::Beside(writer) => writer.write(bytes),
            Written::Through(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.written {
            Written::Beside(writer) => writer.flush(),
            Written::Through(writer) => writer.flush(),
        }
    }
}

/// Writes a [`WholeFile`] in one go.
///
/// # Errors
///
/// [`OutputError`] names the file; it is then as it was before.
pub fn write_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), OutputError> {
    let mut file = WholeFile::create(path)?;
    write(&mut file).map_err(|e| OutputError { path: path.to_path_buf(), problem: e.to_string() })?;
    file.complete()
}

/// What is wrong, without the temporary name that `tempfile` puts behind it: the file that was asked for is named already.
fn without_place(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" at path ").map_or(text.as_str(), |(problem, _)| problem).to_string()
}

/// A temporary file is private; a result is not.
#[cfg(unix)]
fn make_readable(file: &std::fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_file: &std::fs::File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("out.csv");
        write_file(&path, |w| w.write_all(b"old")).expect("writable");
        let failed = write_file(&path, |w| {
            w.write_all(b"half")?;
            Err(io::Error::other("no more"))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path).expect("still there"), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 1);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = write_file(Path::new("/nonexistent/out.csv"), |_| Ok(())).expect_err("no such folder");
        assert_eq!(error.to_string(), "/nonexistent/out.csv: there is no folder /nonexistent");
    }

    #[test]
    fn a_file_in_place_of_the_folder_is_told_without_a_temporary_name() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("file");
        std::fs::write(&file, b"").expect("writable");
        let error = write_file(&file.join("out.csv"), |_| Ok(())).expect_err("a file is no folder");
        let told = error.to_string();
        assert!(told.starts_with(&file.join("out.csv").display().to_string()) && !told.contains("at path"), "{told}");
    }
}
