//! Readers of images, and what is done to them before a network sees them.
//!
//! The main type is [`Images`], a list that decodes an image when it is asked for. [`Preprocessing`] turns an [`Image`]
//! into the input of a network.

mod archive;
mod arrays;
mod batch;
mod cifar;
mod content;
mod error;
mod findings;
mod folder;
mod gzip;
mod idx;
mod input;
mod manifest;
mod picture;
mod pixels;
mod placement;
mod preprocessing;
mod records;
mod resample;
mod tar;

use std::fmt::Debug;
use std::path::Path;

pub use error::ImageError;
pub use findings::{Findings, Labels, PassedOver, PassedOverKind};
pub use input::{Layout, NetworkInput};
pub use placement::ArrayLayout;
pub use preprocessing::{ChannelOrder, Fit, Preprocessing};

use cifar::CifarVariant;
use gzip::Unpacker;
use network::DataType;
use picture::Looks;
use tar::Stream;

/// So many bytes tell a tar archive.
const TAR_HEAD: usize = 512;

/// One image, planes row-major: `[channels, height, width]`. Numbers are as stored: 0…255 in picture files. An example that is
/// no picture is one, too: a signal `[channels, length]` has height 1, and further axes count as rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// File, or file and index: what messages call it.
    pub name: String,
    /// 1 for grey, 3 for red, green, blue; any number in an array.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// The numbers.
    pub data: Vec<f32>,
}

/// How images are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageFormat {
    /// CIFAR-10 binary: records of a label byte and 3,072 bytes of red, green and blue planes.
    Cifar10,
    /// CIFAR-100 binary: as CIFAR-10 with a coarse label before the label.
    Cifar100,
    /// A batch of CIFAR-10 or CIFAR-100 as a Python pickle: a dictionary with `data` and `labels` or `fine_labels`.
    CifarBatch,
    /// An array of MNIST's kind, with a file of labels beside it.
    Idx,
    /// A tar archive: one of CIFAR, of which the part for tests is taken, or one of WebDataset.
    Tar,
    /// A folder of picture files. Sub-folders are classes, by their numbers or in the order of their names; without any there
    /// are no labels.
    Folder,
    /// A table with a header, separated by commas, semicolons or tabs: column `file`, relative to the table or to the folder
    /// `images` beside it, and perhaps `label`.
    Manifest,
    /// A numpy array of images.
    Npy,
    /// A numpy archive: an array of images, as `images`, `x` or `x_test`, and perhaps one of labels, as `labels`, `y` or
    /// `y_test`.
    Npz,
    /// One picture: JPEG, PNG, WebP, TIFF, GIF, BMP, PGM or PPM.
    File,
}

/// How to open images.
#[derive(Clone, Debug, Default)]
pub struct ImageOptions {
    /// How they are stored; told by the content of the file if not given.
    pub format: Option<ImageFormat>,
    /// At most this many. Folders and manifests give the first of every class in turn; others the first of all.
    pub limit: Option<usize>,
    /// How the axes of an array lie; decided by `input` if not given.
    pub layout: Option<ArrayLayout>,
    /// What the network takes.
    pub input: Option<NetworkInput>,
    /// What else a user may choose.
    pub choices: ImageChoices,
}

/// What a user may choose about how images are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageChoices {
    /// Whether a file that is not read, or a class without a picture, is an error.
    pub strict: bool,
    /// Whether pictures stay as they are stored, instead of being turned as their EXIF orientation says. Pictures in TIFF are
    /// turned all the same, as Pillow does while it reads them.
    pub keeps_orientation: bool,
    /// Whether labels are the coarse ones, which CIFAR-100 has beside the fine ones.
    pub coarse_labels: bool,
}

/// Images in a fixed order, decoded when asked for. Many threads may ask at a time.
#[derive(Debug)]
pub struct Images {
    source: Box<dyn Source>,
    /// Indices into the source, where it is not used whole.
    chosen: Option<Vec<usize>>,
    choices: ImageChoices,
}

/// A store of images.
trait Source: Debug + Send + Sync {
    fn len(&self) -> usize;
    fn label(&self, index: usize) -> Option<usize>;
    fn get(&self, index: usize) -> Result<Image, ImageError>;
    /// An image, and how its numbers lie: as they are stored, if nothing has to be done for that.
    fn stored(&self, index: usize) -> Result<(Image, Layout), ImageError> {
        Ok((self.get(index)?, Layout::Nchw))
    }
    /// The file of an image that has one of its own.
    fn file(&self, _index: usize) -> Option<&Path> {
        None
    }
    fn classes(&self) -> Option<&[(usize, String)]> {
        None
    }
    fn element(&self) -> Option<DataType> {
        None
    }
    fn fitted(&self) -> Option<Layout> {
        None
    }
    /// Whether the labels are coarse ones, because the user chose them.
    fn is_coarse(&self) -> bool {
        false
    }
    fn findings(&self) -> Findings {
        Findings::default()
    }
    /// What of a picture a user should know before it is decoded.
    fn looks(&self, _index: usize) -> Looks {
        Looks::default()
    }
}

/// What is done to pictures while they are decoded, which their user may not expect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageLooks {
    /// Pictures that are turned or mirrored as their EXIF orientation says.
    pub turned: usize,
    /// Grey pictures of 16 bits, whose numbers above 255 become 255, as Pillow has it.
    pub clipped: usize,
}

impl Images {
    /// Opens a store of images without decoding any.
    ///
    /// # Errors
    ///
    /// [`ImageError`] if the file or folder cannot be read, breaks its format, or holds no image.
    pub fn open(path: &Path, options: &ImageOptions) -> Result<Self, ImageError> {
        if std::fs::metadata(path).map_err(ImageError::io(path))?.is_dir() {
            check_layout(path, ImageFormat::Folder, options)?;
            return Self::choose(path, Box::new(folder::open(path, options)?), true, options);
        }
        let mapped = network::map_file(path).map_err(ImageError::io(path))?;
        let (bytes, is_packed) = match gzip::is_gzip(&mapped) {
            // The archive is unpacked while it is read, so that what is not needed of it takes no memory.
            true if tar::is_tar(&gzip::head(path, &mapped, TAR_HEAD)?) => {
                check_layout(path, ImageFormat::Tar, options)?;
                let stream = Stream::Gzip(Box::new(Unpacker::new(path, mapped)));
                return Self::choose(path, archive::open(path, stream, &options.choices)?, false, options);
            }
            true => (gzip::unpack(path, &mapped)?, true),
            false => (mapped, false),
        };
        let format = match options.format {
            Some(format) => format,
            None => content::format_of(path, &bytes)?,
        };
        check_layout(path, format, options)?;
        let coarse = options.choices.coarse_labels;
        let source: Box<dyn Source> = match format {
            ImageFormat::Cifar10 => Box::new(cifar::read(path, bytes, CifarVariant::Ten, coarse)?),
            ImageFormat::Cifar100 => Box::new(cifar::read(path, bytes, CifarVariant::Hundred, coarse)?),
            ImageFormat::CifarBatch => Box::new(batch::read(path, &bytes, coarse)?),
            ImageFormat::Idx => Box::new(idx::read(path, bytes)?),
            ImageFormat::Tar => archive::open(path, Stream::Plain(bytes), &options.choices)?,
            _ if is_packed => {
                return Err(ImageError::unsupported(path, "a gzip file of this format; unpack it first"));
            }
            ImageFormat::Folder => Box::new(folder::open(path, options)?),
            ImageFormat::Manifest => Box::new(manifest::open(path, options)?),
            ImageFormat::File => Box::new(folder::PictureFiles::single(path, options)?),
            ImageFormat::Npy => Box::new(arrays::open_npy(path, options)?),
            ImageFormat::Npz => Box::new(arrays::open_npz(path, options)?),
        };
        Self::choose(path, source, format == ImageFormat::Manifest, options)
    }

    /// Reads a numpy archive from memory; `path` stands for it in messages.
    ///
    /// # Errors
    ///
    /// As [`Images::open`].
    pub fn from_npz(path: &Path, bytes: &[u8], options: &ImageOptions) -> Result<Self, ImageError> {
        let source = arrays::read_npz(path, std::io::Cursor::new(bytes), options)?;
        Self::choose(path, Box::new(source), false, options)
    }

    fn choose(
        path: &Path,
        source: Box<dyn Source>,
        by_class: bool,
        options: &ImageOptions,
    ) -> Result<Self, ImageError> {
        if source.len() == 0 {
            return Err(ImageError::invalid(path, no_image(&source.findings())));
        }
        if options.choices.coarse_labels && !source.is_coarse() {
            let problem = "it has one kind of labels at most; coarse ones beside fine ones are those of CIFAR-100";
            return Err(ImageError::unsupported(path, problem));
        }
        if options.choices.strict {
            source.findings().check_complete(path)?;
        }
        let chosen = options.limit.filter(|&limit| limit < source.len()).map(|limit| match by_class {
            true => choose_evenly(&(0..source.len()).map(|i| source.label(i)).collect::<Vec<_>>(), limit),
            false => (0..limit).collect(),
        });
        Ok(Self { source, chosen, choices: options.choices })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.chosen.as_ref().map_or(self.source.len(), Vec::len)
    }

    /// Whether a limit of 0 left none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Class of image `index`, if it is known.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`Images::len`].
    pub fn label(&self, index: usize) -> Option<usize> {
        self.source.label(self.index(index))
    }

    /// The file of image `index`, if it has one of its own.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`Images::len`].
    pub fn file(&self, index: usize) -> Option<&Path> {
        self.source.file(self.index(index))
    }

    /// Decodes image `index`.
    ///
    /// # Errors
    ///
    /// [`ImageError`] if its file cannot be read or decoded.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`Images::len`].
    pub fn get(&self, index: usize) -> Result<Image, ImageError> {
        self.source.get(self.index(index))
    }

    /// The image at `index` as the input of a network: [`Preprocessing::apply_for`], without a detour where it is stored as the
    /// network takes it.
    ///
    /// # Errors
    ///
    /// As [`Images::get`] and [`Preprocessing::apply_for`].
    ///
    /// # Panics
    ///
    /// If `index` is not below [`Images::len`].
    pub fn input(
        &self,
        index: usize,
        preprocessing: &Preprocessing,
        input: &NetworkInput,
    ) -> Result<Vec<f32>, ImageError> {
        let (image, stored) = self.source.stored(self.index(index))?;
        preprocessing.of_stored(image, stored, input)
    }

    /// Labels and names of the classes, in the order of the labels, where folders name them.
    pub fn classes(&self) -> Option<&[(usize, String)]> {
        self.source.classes()
    }

    /// Type of the numbers of an array; none of pictures, whose numbers are bytes.
    pub fn element(&self) -> Option<DataType> {
        self.source.element()
    }

    /// Where the channels lie in the input of the network that they were opened for, if the examples of an array have exactly
    /// its numbers.
    pub fn fitted(&self) -> Option<Layout> {
        self.source.fitted()
    }

    /// What the user chose about how they are read.
    pub fn choices(&self) -> ImageChoices {
        self.choices
    }

    /// What was chosen or not read.
    pub fn findings(&self) -> Findings {
        self.source.findings()
    }

    /// How many of the images are turned, and of how many what is above 255 is lost. The head of every file is read.
    pub fn looks(&self) -> ImageLooks {
        let looks = (0..self.len()).map(|index| self.source.looks(self.index(index)));
        looks.fold(ImageLooks::default(), |sum, looks| ImageLooks {
            turned: sum.turned + usize::from(looks.is_turned),
            clipped: sum.clipped + usize::from(looks.is_clipped),
        })
    }

    fn index(&self, index: usize) -> usize {
        assert!(index < self.len(), "image {index} of {}", self.len());
        self.chosen.as_ref().map_or(index, |chosen| chosen[index])
    }
}

/// Refuses a layout of what is no array.
fn check_layout(path: &Path, format: ImageFormat, options: &ImageOptions) -> Result<(), ImageError> {
    match options.layout.is_some() && !matches!(format, ImageFormat::Npy | ImageFormat::Npz) {
        true => Err(ImageError::NoArray { path: path.to_path_buf() }),
        false => Ok(()),
    }
}

/// What is said of a store without images.
fn no_image(findings: &Findings) -> String {
    match findings.passed_over.is_empty() {
        true => "there is no image in it".to_string(),
        false => format!("there is no image in it that is read, only {}", findings.passed_over_text()),
    }
}

/// The first image of every class, then the second, and so on until there are `limit`; returned in the original order.
fn choose_evenly(labels: &[Option<usize>], limit: usize) -> Vec<usize> {
    let mut seen = std::collections::HashMap::new();
    let mut ranked: Vec<(usize, usize)> = labels
        .iter()
        .enumerate()
        .map(|(index, label)| {
            let count = seen.entry(label).or_insert(0);
            *count += 1;
            (*count, index)
        })
        .collect();
    ranked.sort_unstable();
    let mut chosen: Vec<usize> = ranked.into_iter().take(limit).map(|(_, index)| index).collect();
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_takes_from_every_class_in_turn() {
        let labels = [Some(0), Some(0), Some(0), Some(1), Some(1), Some(2)];
        assert_eq!(choose_evenly(&labels, 3), [0, 3, 5]);
        assert_eq!(choose_evenly(&labels, 4), [0, 1, 3, 5]);
        assert_eq!(choose_evenly(&labels, 0), [0usize; 0]);
        assert_eq!(choose_evenly(&[None, None, None], 2), [0, 1]);
    }

    #[test]
    fn a_format_that_nothing_tells_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("images.heic");
        std::fs::write(&path, b"\x01\x02").unwrap();
        let error = Images::open(&path, &ImageOptions::default()).unwrap_err();
        assert!(matches!(error, ImageError::Unsupported { .. }), "{error}");
        assert!(matches!(
            Images::open(&folder.path().join("no"), &ImageOptions::default()),
            Err(ImageError::Io { .. })
        ));
    }
}
