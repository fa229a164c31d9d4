//! Files that appear whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// Temporary names of the files that this process is writing.
static PARTS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn parts() -> MutexGuard<'static, Vec<PathBuf>> {
    PARTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes what there is of every file under way. A process calls it that is about to end without unwinding, or hidden parts of
/// files would stay behind. Whoever would begin or complete a file afterwards waits until the process has ended.
pub fn remove_parts() {
    let parts = parts();
    for part in parts.iter() {
        // Nobody is left to be told of one that cannot be removed.
        _ = std::fs::remove_file(part);
    }
    std::mem::forget(parts);
}

/// A temporary file, which [`remove_parts`] knows as long as it is there.
#[derive(Debug)]
struct Part {
    file: NamedTempFile,
    /// Dropped after the file.
    _name: PartName,
}

#[derive(Debug)]
struct PartName(PathBuf);

impl Part {
    fn new_in(folder: &Path) -> io::Result<Self> {
        let mut parts = parts();
        let file = NamedTempFile::new_in(folder)?;
        let name = file.path().to_path_buf();
        parts.push(name.clone());
        Ok(Self { file, _name: PartName(name) })
    }

    /// Gives the file its name.
    fn persist(self, path: &Path) -> io::Result<()> {
        let _no_end = parts();
        self.file.persist(path)?;
        Ok(())
    }
}

impl Drop for PartName {
    fn drop(&mut self) {
        parts().retain(|part| *part != self.0);
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
    Beside(BufWriter<Part>),
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
            Ok(Written::Beside(BufWriter::new(Part::new_in(folder)?)))
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
                    let part = writer.into_inner()?;
                    make_readable(part.file.as_file())?;
                    part.persist(&path)
                }
            }
        };
        completed().map_err(|e| OutputError { path: path.clone(), problem: without_place(&e) })
    }
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
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
    fn a_file_is_known_as_a_part_until_it_is_there() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let known = || parts().iter().filter(|part| part.starts_with(folder.path())).count();
        let path = folder.path().join("out.csv");
        let file = WholeFile::create(&path).expect("writable");
        assert_eq!(known(), 1);
        file.complete().expect("writable");
        assert!(known() == 0 && path.exists());
        drop(WholeFile::create(&path).expect("writable"));
        assert_eq!((known(), std::fs::read_dir(folder.path()).expect("readable").count()), (0, 1));
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
