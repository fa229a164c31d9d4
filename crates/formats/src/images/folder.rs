//! Picture files: single ones, folders of them, and folders of classes.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::error::ImageError;
use super::findings::{Findings, PassedOver, PassedOverKind};
use super::picture;
use super::{Image, ImageOptions, Source};

/// Picture files and their labels.
#[derive(Debug, Default)]
pub(super) struct PictureFiles {
    files: Vec<(PathBuf, Option<usize>)>,
    /// Labels and names of the classes, where folders name them, in the order of the labels.
    classes: Option<Vec<(usize, String)>>,
    /// Whether a picture is turned as its EXIF orientation says.
    turn: bool,
    /// What is known of them before one is decoded.
    findings: Findings,
}

impl PictureFiles {
    /// A list of files with their labels, without names of classes.
    pub fn new(files: Vec<(PathBuf, Option<usize>)>, options: &ImageOptions) -> Self {
        Self { files, turn: !options.choices.keeps_orientation, ..Self::default() }
    }

    /// The same with the columns of a manifest that were passed over.
    pub fn with_other_columns(self, other_columns: Vec<String>) -> Self {
        Self { findings: Findings { other_columns, ..self.findings }, ..self }
    }

    /// One file without a label.
    pub fn single(path: &Path, options: &ImageOptions) -> Result<Self, ImageError> {
        fs::metadata(path).map_err(ImageError::io(path))?;
        Ok(Self::new(vec![(path.to_path_buf(), None)], options))
    }
}

/// Lists a folder as torchvision's `ImageFolder` does. Its sub-folders are the classes, numbered in the order of their names;
/// the pictures of a class lie in its folder at any depth, links followed. Where the names of all folders are numbers, they
/// are the classes of these numbers. A folder without sub-folders holds pictures without labels.
///
/// What is no picture is passed over and counted. Hidden files and folders are, too, unlike those of torchvision: programs
/// leave them behind, and a folder of theirs is no class. A hidden file that is no picture is not counted.
pub(super) fn open(path: &Path, options: &ImageOptions) -> Result<PictureFiles, ImageError> {
    let mut listing = Listing { root: path.to_path_buf(), ..Listing::default() };
    let (folders, pictures) = listing.list(path)?;
    if folders.is_empty() {
        let files = pictures.into_iter().map(|file| (file, None)).collect();
        let mut found = PictureFiles::new(files, options);
        found.findings.passed_over = listing.into_passed_over();
        return Ok(found);
    }
    pictures.iter().for_each(|stray| listing.pass_over(PassedOverKind::BesideClasses, stray));
    let name = |folder: &PathBuf| folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let names: Vec<String> = folders.iter().map(name).collect();
    let labels = labels_of(path, &names)?;
    let (mut files, mut empty_classes) = (Vec::new(), Vec::new());
    for ((label, folder), name) in labels.iter().zip(&folders).zip(&names) {
        let pictures = listing.pictures_below(folder)?;
        if pictures.is_empty() {
            empty_classes.push(name.clone());
        }
        files.extend(pictures.into_iter().map(|file| (file, Some(*label))));
    }
    let mut classes: Vec<(usize, String)> = labels.into_iter().zip(names).collect();
    classes.sort();
    // The order of the labels, so that a limit takes the first of every class in turn.
    files.sort_by_key(|(_, label)| *label);
    let mut found = PictureFiles { classes: Some(classes), ..PictureFiles::new(files, options) };
    found.findings.passed_over = listing.into_passed_over();
    found.findings.empty_classes = empty_classes;
    Ok(found)
}

/// The class of each folder.
fn labels_of(path: &Path, names: &[String]) -> Result<Vec<usize>, ImageError> {
    let is_number = |name: &String| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    if !names.iter().all(is_number) {
        return Ok((0..names.len()).collect());
    }
    let number = |name: &String| {
        let wrong = || ImageError::invalid(&path.join(name), "its name is a number, and too large for a class");
        name.parse::<u32>().map(|number| number as usize).map_err(|_| wrong())
    };
    let labels = names.iter().map(number).collect::<Result<Vec<_>, _>>()?;
    let mut seen = HashSet::new();
    match labels.iter().position(|label| !seen.insert(label)) {
        Some(i) => Err(ImageError::invalid(&path.join(&names[i]), "another folder has the same number")),
        None => Ok(labels),
    }
}

/// What is listed of a folder, and what is passed over in it.
#[derive(Debug, Default)]
struct Listing {
    root: PathBuf,
    passed_over: BTreeMap<PassedOverKind, (usize, String)>,
}

impl Listing {
    /// The pictures in a folder and below it, by the names of their folders, then by their own.
    fn pictures_below(&mut self, folder: &Path) -> Result<Vec<PathBuf>, ImageError> {
        let mut pictures = Vec::new();
        self.collect(folder, &mut Vec::new(), &mut pictures)?;
        // Of text, not of parts of paths: that is the order of Python.
        pictures.sort_by(|a, b| {
            let key = |path: &PathBuf| {
                (path.parent().map(|folder| folder.as_os_str().to_owned()), path.file_name().map(ToOwned::to_owned))
            };
            key(a).cmp(&key(b))
        });
        Ok(pictures)
    }

    /// Adds the pictures below a folder; `above` are the folders on the way to it, links resolved.
    fn collect(
        &mut self,
        folder: &Path,
        above: &mut Vec<PathBuf>,
        pictures: &mut Vec<PathBuf>,
    ) -> Result<(), ImageError> {
        /// Nobody nests folders deeper.
        const DEEPEST: usize = 64;
        let resolved = fs::canonicalize(folder).map_err(ImageError::io(folder))?;
        if above.contains(&resolved) {
            return Err(ImageError::invalid(folder, "the folder is a link to one that it lies in"));
        }
        if above.len() == DEEPEST {
            return Err(ImageError::unsupported(folder, format!("over {DEEPEST} folders in one another")));
        }
        let (folders, within) = self.list(folder)?;
        pictures.extend(within);
        above.push(resolved);
        for folder in folders {
            self.collect(&folder, above, pictures)?;
        }
        above.pop();
        Ok(())
    }

    /// Folders and pictures in a folder, each sorted by name.
    fn list(&mut self, path: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), ImageError> {
        let (mut folders, mut pictures) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(path).map_err(ImageError::io(path))? {
            let entry = entry.map_err(ImageError::io(path))?.path();
            let is_hidden = entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            match (entry.is_dir(), is_hidden, picture::is_picture(&entry)) {
                (true, false, _) => folders.push(entry),
                (true, true, _) => self.pass_over(PassedOverKind::HiddenFolder, &entry),
                (false, false, true) => pictures.push(entry),
                (false, true, true) => self.pass_over(PassedOverKind::Hidden, &entry),
                (false, true, false) => {}
                (false, false, false) => self.pass_over(PassedOverKind::of_file(&entry), &entry),
            }
        }
        folders.sort();
        pictures.sort();
        Ok((folders, pictures))
    }

    fn pass_over(&mut self, kind: PassedOverKind, path: &Path) {
        let name = path.strip_prefix(&self.root).unwrap_or(path).display().to_string();
        let (count, first) = self.passed_over.entry(kind).or_insert_with(|| (0, name.clone()));
        *count += 1;
        // The order in which a system lists a folder is its own.
        if name < *first {
            *first = name;
        }
    }

    fn into_passed_over(self) -> Vec<PassedOver> {
        let entry = |(kind, (count, first))| PassedOver { kind, count, first };
        self.passed_over.into_iter().map(entry).collect()
    }
}

impl Source for PictureFiles {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.files[index].1
    }

    fn get(&self, index: usize) -> Result<Image, ImageError> {
        picture::decode(&self.files[index].0, self.turn)
    }

    fn file(&self, index: usize) -> Option<&Path> {
        Some(&self.files[index].0)
    }

    fn classes(&self) -> Option<&[(usize, String)]> {
        self.classes.as_deref()
    }

    fn findings(&self) -> Findings {
        self.findings.clone()
    }

    fn looks(&self, index: usize) -> picture::Looks {
        let looks = picture::looks(&self.files[index].0);
        picture::Looks { is_turned: looks.is_turned && self.turn, ..looks }
    }
}
