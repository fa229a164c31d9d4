//! Images that lie in a file one after another, a byte for each number.

use bytes::Bytes;

use super::error::ImageError;
use super::findings::Findings;
use super::placement::numbers_of;
use super::{Image, Source};

/// Records of equal length, each of which holds the planes of an image: `[channels, height, width]`, row-major.
#[derive(Debug)]
pub(super) struct Records {
    /// What messages call the file.
    pub name: String,
    pub bytes: Bytes,
    /// Where the planes of the first image begin.
    pub start: usize,
    /// From the planes of an image to those of the next.
    pub stride: usize,
    /// Channels, height, width.
    pub size: [usize; 3],
    pub count: usize,
    /// One for each image, if any.
    pub labels: Option<Vec<usize>>,
    /// Whether the labels are coarse because the user asked for them.
    pub is_coarse: bool,
    pub findings: Findings,
}

impl Source for Records {
    fn len(&self) -> usize {
        self.count
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.labels.as_ref().map(|labels| labels[index])
    }

    fn get(&self, index: usize) -> Result<Image, ImageError> {
        let [channels, height, width] = self.size;
        let planes = &self.bytes[self.start + index * self.stride..][..numbers_of(&self.size)];
        Ok(Image {
            name: format!("{}[{index}]", self.name),
            channels,
            height,
            width,
            data: planes.iter().map(|&byte| byte.into()).collect(),
        })
    }

    fn findings(&self) -> Findings {
        self.findings.clone()
    }

    fn is_coarse(&self) -> bool {
        self.is_coarse
    }
}
