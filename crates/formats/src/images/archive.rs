//! Tar archives of images: the official ones of CIFAR, and those of WebDataset.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::cifar::{self, CifarVariant};
use super::error::ImageError;
use super::findings::{Findings, Labels, PassedOver, PassedOverKind};
use super::tar::{Entry, Stream, entries};
use super::{Image, ImageChoices, Source, batch, picture};

/// The parts of CIFAR's archives that are to be tested on. Those of CIFAR-10 are named `test_batch`.
const TEST_PARTS: [&str; 4] = ["test_batch.bin", "test_batch", "test.bin", "test"];

/// Opens an archive: of one of CIFAR the part for tests, of any other the pictures.
pub(super) fn open(path: &Path, stream: Stream, choices: &ImageChoices) -> Result<Box<dyn Source>, ImageError> {
    let is_wanted = |name: &str| {
        let (_, ending) = split(name);
        TEST_PARTS.contains(&base(name)) || picture::is_ending(&ending) || ending == LABEL_ENDING
    };
    let entries = entries(path, stream, is_wanted)?;
    let part = TEST_PARTS.iter().find_map(|part| entries.iter().find(|entry| base(&entry.name) == *part));
    match part {
        Some(Entry { name, bytes: Some(bytes) }) => part_of_cifar(path, name, bytes, choices),
        _ => Ok(Box::new(Samples::new(path, entries, choices)?)),
    }
}

/// The part of an archive of CIFAR, told by its content.
fn part_of_cifar(
    path: &Path,
    name: &str,
    bytes: &Bytes,
    choices: &ImageChoices,
) -> Result<Box<dyn Source>, ImageError> {
    let within = path.join(name);
    let mut records = match batch::is_pickle(bytes) {
        true => batch::read(&within, bytes, choices.coarse_labels)?,
        false => {
            let variant = cifar::variant_of(bytes).unwrap_or(CifarVariant::Ten);
            cifar::read(&within, bytes.clone(), variant, choices.coarse_labels)?
        }
    };
    records.findings.part = Some(name.to_string());
    Ok(Box::new(records))
}

/// The end of the names of labels.
const LABEL_ENDING: &str = "cls";

/// Pictures of an archive of WebDataset: the files of a sample have one name and several endings, and lie one behind another.
#[derive(Debug)]
struct Samples {
    /// Archive and name, content, label.
    pictures: Vec<(PathBuf, Bytes, Option<usize>)>,
    turn: bool,
    findings: Findings,
}

impl Samples {
    fn new(path: &Path, entries: Vec<Entry>, choices: &ImageChoices) -> Result<Self, ImageError> {
        let mut pictures: Vec<(String, Bytes, String)> = Vec::new();
        let mut labels = HashMap::new();
        let mut passed_over: BTreeMap<PassedOverKind, (usize, String)> = BTreeMap::new();
        let first = entries.first().map_or("none".to_string(), |entry| entry.name.clone());
        for Entry { name, bytes } in entries {
            let (sample, ending) = split(&name);
            match bytes {
                Some(bytes) if ending == LABEL_ENDING => {
                    labels.insert(sample.to_string(), label(path, &name, &bytes)?);
                }
                Some(bytes) if !is_hidden(&name) => pictures.push((sample.to_string(), bytes, name.clone())),
                bytes => {
                    let kind =
                        if bytes.is_some() { PassedOverKind::Hidden } else { PassedOverKind::of_ending(&ending) };
                    passed_over.entry(kind).or_insert_with(|| (0, name.clone())).0 += 1;
                }
            }
        }
        if pictures.is_empty() {
            let expected = "expected pictures, as in WebDataset, or a part for tests of CIFAR (test_batch or test)";
            return Err(ImageError::unsupported(
                path,
                format!("a tar archive without pictures, first {first}; {expected}"),
            ));
        }
        let twice = pictures.windows(2).find(|pair| pair[0].0 == pair[1].0);
        if let Some([first, second]) = twice {
            let problem = format!("one sample has the pictures {} and {}; one of each is read", first.2, second.2);
            return Err(ImageError::unsupported(path, problem));
        }
        let missing = labels.is_empty().then(|| Labels::Missing(format!("NAME.{LABEL_ENDING} in the archive")));
        let passed_over = passed_over.into_iter().map(|(kind, (count, first))| PassedOver { kind, count, first });
        let findings = Findings { passed_over: passed_over.collect(), labels: missing, ..Findings::default() };
        let with_label =
            |(sample, bytes, name): (String, Bytes, String)| (path.join(name), bytes, labels.get(&sample).copied());
        let pictures = pictures.into_iter().map(with_label).collect();
        Ok(Self { pictures, turn: !choices.keeps_orientation, findings })
    }
}

/// A class number in text.
fn label(path: &Path, name: &str, bytes: &[u8]) -> Result<usize, ImageError> {
    /// No class number is longer.
    const LONGEST: usize = 32;
    let text = std::str::from_utf8(&bytes[..bytes.len().min(LONGEST)]).unwrap_or_default().trim();
    let number = text.parse::<u32>().ok().filter(|_| bytes.len() <= LONGEST);
    number
        .map(|class| class as usize)
        .ok_or_else(|| ImageError::invalid(path, format!("{name}: label {text:?}; expected a class number from 0")))
}

/// The name without its folders.
fn base(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// What the files of one sample share of their names, and the ending of this one: `a/b.seg.png` is `seg.png` of `a/b`.
///
/// Source: `base_plus_ext` of `webdataset/tariterators.py`.
fn split(name: &str) -> (&str, String) {
    let base = base(name);
    // A point at the beginning ends nothing.
    let point = base.char_indices().skip(1).find(|(_, letter)| *letter == '.');
    match point {
        Some((at, _)) => (&name[..name.len() - base.len() + at], base[at + 1..].to_lowercase()),
        None => (name, String::new()),
    }
}

/// Whether a file or a folder above it begins with a point, as copies of macOS do.
fn is_hidden(name: &str) -> bool {
    name.split('/').any(|part| part.starts_with('.') && part != "." && part != "..")
}

impl Source for Samples {
    fn len(&self) -> usize {
        self.pictures.len()
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.pictures[index].2
    }

    fn get(&self, index: usize) -> Result<Image, ImageError> {
        let (path, bytes, _) = &self.pictures[index];
        picture::decode_bytes(path, bytes, self.turn)
    }

    fn findings(&self) -> Findings {
        self.findings.clone()
    }

    fn looks(&self, index: usize) -> picture::Looks {
        let (path, bytes, _) = &self.pictures[index];
        let looks = picture::looks_of(path, bytes);
        picture::Looks { is_turned: looks.is_turned && self.turn, ..looks }
    }
}
