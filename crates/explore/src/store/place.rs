//! Where a store lies: whether one can be made there, and whether SQLite's locks hold there.

use std::path::Path;

use network::ErrorKind;

use super::problem;
use crate::error::ExploreError;

/// File systems that several machines may write to, by the names that Linux has for them. Locks and shared memory of one
/// machine are unknown to another, and some do not lock at all.
const SHARED: [&str; 19] = [
    "9p",
    "acfs",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "fuse.glusterfs",
    "fuse.juicefs",
    "fuse.sshfs",
    "gfs2",
    "gpfs",
    "lustre",
    "nfs",
    "nfs4",
    "ocfs2",
    "orangefs",
    "smb3",
    "smbfs",
    "wekafs",
];

/// Refuses a place where no store can be made.
///
/// # Errors
///
/// [`ExploreError::Store`] says what is there, or is not.
pub fn check_place(path: &Path) -> Result<(), ExploreError> {
    let folder = folder_of(path);
    let wrong = |words: String| Err(problem(path, ErrorKind::Io, words));
    if path.is_dir() {
        return Err(a_folder(path));
    }
    match std::fs::metadata(folder) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => wrong(format!("{} is no folder", folder.display())),
        Err(_) => wrong(format!("there is no folder {}", folder.display())),
    }
}

/// The error of a folder where a store is expected.
pub(super) fn a_folder(path: &Path) -> ExploreError {
    problem(path, ErrorKind::Io, "expected a store, found a folder")
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

/// The file system that a store lies on, or will lie on, where several machines may write to it: SQLite's locks are not
/// safe there. None where they are, and where the system does not tell: only Linux does.
pub fn shared_file_system(store: &Path) -> Option<String> {
    let folder = folder_of(store);
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let system = file_system(&mounts, &folder.canonicalize().ok()?)?;
    SHARED.contains(&system).then(|| system.to_string())
}

/// The type of the file system of a folder, by the lines of `/proc/self/mountinfo`: the one that is mounted nearest above,
/// and of those the last.
fn file_system<'m>(mounts: &'m str, folder: &Path) -> Option<&'m str> {
    let mount = |line: &'m str| {
        let (place, rest) = line.split_once(" - ")?;
        Some((unescaped(place.split(' ').nth(4)?), rest.split(' ').next()?))
    };
    let above = mounts.lines().filter_map(mount).filter(|(place, _)| folder.starts_with(place));
    above.max_by_key(|(place, _)| Path::new(place).components().count()).map(|(_, system)| system)
}

/// Spaces and what else would end a field stand as three octal digits.
fn unescaped(field: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(field.to_string(), |text, (escaped, plain)| text.replace(escaped, plain))
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    #[test]
    fn the_nearest_mount_decides() {
        let mounts = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                      30 22 0:40 / /home rw - nfs4 server:/home rw\n\
                      31 30 0:41 / /home/a\\040b rw shared:2 - xfs /dev/sdb rw\n\
                      32 22 0:42 / /scratch rw - tmpfs none rw\n\
                      33 22 0:43 / /scratch rw - lustre s:/ rw\n";
        let cases = [
            ("/var/x", Some("ext4")),
            ("/homes", Some("ext4")),
            ("/home", Some("nfs4")),
            ("/home/a", Some("nfs4")),
            ("/home/a b/c", Some("xfs")),
            ("/scratch/run", Some("lustre")),
        ];
        check_all(cases, |&(folder, expected)| assert_eq!(file_system(mounts, Path::new(folder)), expected));
        assert_eq!(file_system("", Path::new("/")), None);
    }

    #[test]
    fn a_temporary_folder_is_of_one_machine() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(shared_file_system(&folder.path().join("s.sqlite")), None);
    }
}
