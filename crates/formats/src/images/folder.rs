//! Picture files: single ones, folders of them, and folders of classes.

use std::fs;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageReader, Limits};

use super::error::ImageError;
use super::{Findings, Image, Source};

/// The longest side that a picture may have, in pixels.
const MAX_SIDE: u32 = 1 << 15;
/// The most bytes that a decoder may allocate.
const MAX_DECODED_BYTES: u64 = 512 << 20;

/// Picture files and their labels.
#[derive(Debug, Default)]
pub(super) struct PictureFiles {
    files: Vec<(PathBuf, Option<usize>)>,
    class_names: Option<Vec<String>>,
    /// Columns of a manifest beside that of the files, where none has the labels.
    other_columns: Vec<String>,
}

impl PictureFiles {
    /// A list of files with their labels, without names of classes.
    pub fn new(files: Vec<(PathBuf, Option<usize>)>) -> Self {
        Self { files, ..Self::default() }
    }

    /// The same with the columns that were passed over.
    pub fn with_other_columns(self, other_columns: Vec<String>) -> Self {
        Self { other_columns, ..self }
    }

    /// One file without a label.
    pub fn single(path: &Path) -> Result<Self, ImageError> {
        fs::metadata(path).map_err(ImageError::io(path))?;
        Ok(Self::new(vec![(path.to_path_buf(), None)]))
    }
}

/// Lists a folder: its sub-folders are the classes, in sorted order, or it holds pictures itself. Hidden files and
/// files that are no pictures are passed over.
pub(super) fn open(path: &Path) -> Result<PictureFiles, ImageError> {
    let (folders, pictures) = list(path)?;
    if folders.is_empty() {
        return Ok(PictureFiles::new(pictures.into_iter().map(|file| (file, None)).collect()));
    }
    if let Some(stray) = pictures.first() {
        let problem = "a picture beside folders of classes; the folder must hold either";
        return Err(ImageError::invalid(stray, problem));
    }
    let mut files = Vec::new();
    for (label, folder) in folders.iter().enumerate() {
        let (_, pictures) = list(folder)?;
        files.extend(pictures.into_iter().map(|file| (file, Some(label))));
    }
    let name = |folder: &PathBuf| folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(PictureFiles { files, class_names: Some(folders.iter().map(name).collect()), ..PictureFiles::default() })
}

/// Folders and pictures in a folder, each sorted by name.
fn list(path: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), ImageError> {
    let (mut folders, mut pictures) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(path).map_err(ImageError::io(path))? {
        let entry = entry.map_err(ImageError::io(path))?.path();
        let hidden = entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if entry.is_dir() {
            folders.push(entry);
        } else if is_picture(&entry) {
            pictures.push(entry);
        }
    }
    folders.sort();
    pictures.sort();
    Ok((folders, pictures))
}

/// Whether the end of the name says that the file is a picture we can read.
pub(super) fn is_picture(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    ["jpg", "jpeg", "png", "bmp"].contains(&extension.as_str())
}

impl Source for PictureFiles {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.files[index].1
    }

    fn get(&self, index: usize) -> Result<Image, ImageError> {
        decode(&self.files[index].0)
    }

    fn class_names(&self) -> Option<&[String]> {
        self.class_names.as_deref()
    }

    fn findings(&self) -> Findings {
        Findings { other_columns: self.other_columns.clone(), ..Findings::default() }
    }
}

/// Decodes a picture to grey or to red, green, blue, 8 bits each. Transparency and orientation tags are left out.
fn decode(path: &Path) -> Result<Image, ImageError> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    let reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format).map_err(ImageError::io(path))?;
    let mut reader = reader;
    reader.limits(limits);
    let decoded = reader.decode().map_err(|error| match error {
        image::ImageError::IoError(source) => ImageError::Io { path: path.to_path_buf(), source },
        image::ImageError::Unsupported(error) => ImageError::unsupported(path, error.to_string()),
        image::ImageError::Limits(_) => ImageError::unsupported(
            path,
            format!("a picture with a side over {MAX_SIDE} or over {MAX_DECODED_BYTES} bytes decoded"),
        ),
        error @ (image::ImageError::Decoding(_) | image::ImageError::Encoding(_) | image::ImageError::Parameter(_)) => {
            ImageError::invalid(path, error.to_string())
        }
    })?;
    Ok(planes(path, decoded))
}

fn planes(path: &Path, decoded: DynamicImage) -> Image {
    let (height, width) = (decoded.height() as usize, decoded.width() as usize);
    let grey = !decoded.color().has_color();
    let (channels, interleaved) =
        if grey { (1, decoded.into_luma8().into_raw()) } else { (3, decoded.into_rgb8().into_raw()) };
    let data = (0..channels)
        .flat_map(|channel| interleaved.iter().skip(channel).step_by(channels).map(|&byte| f32::from(byte)))
        .collect();
    Image { name: path.display().to_string(), channels, height, width, data }
}
