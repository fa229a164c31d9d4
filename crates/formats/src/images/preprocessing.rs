//! What is done to an image before a network sees it.

use std::fmt;
use std::path::Path;

use network::{DataType, Network};
use serde::{Deserialize, Serialize};

use super::Image;
use super::error::ImageError;
use super::input::{Layout, NetworkInput};
use super::pixels;
use super::placement::canonical;
use super::resample::{Window, resample};
use crate::document::toml_problem;

/// From an image to the input of a network: resize, order the channels, then `y = (x / scale − mean) / std`.
///
/// The file `NET.preprocess.toml` beside `NET.onnx` holds these fields; all may be left out, unknown ones are refused.
///
/// ```toml
/// scale = 255.0                     # the default; 1 keeps 0…255
/// mean = [0.485, 0.456, 0.406]      # one number, or one a channel of the network; default 0
/// std = [0.229, 0.224, 0.225]       # likewise; default 1
/// crop_fraction = 0.875             # side of the network's input / short side of the resized image; default 1
/// fit = "crop"                      # or "stretch", which resizes both sides and cuts nothing
/// channel_order = "rgb"             # or "bgr"
/// layout = "nchw"                   # or "nhwc"; default: where the network reads channels, else where it has 1 or 3
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Preprocessing {
    /// Divides the stored numbers.
    pub scale: f32,
    /// Subtracted after that; empty, one number, or one a channel of the network.
    pub mean: Vec<f32>,
    /// Divides last; empty, one number, or one a channel of the network.
    pub std: Vec<f32>,
    /// Side of the network's input over the short side of the resized image, above 0 and at most 1.
    pub crop_fraction: f32,
    /// How an image of another aspect ratio is made to fit.
    pub fit: Fit,
    /// Order of the channels that the network takes.
    pub channel_order: ChannelOrder,
    /// Where the channels lie in the network's input; `None`: where its graph reads them, else where there are 1 or 3.
    pub layout: Option<Layout>,
}

/// How an image of another size is made to fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// Resize until it just covers the network's input over `crop_fraction`, then cut out the centre.
    #[default]
    Crop,
    /// Cut out the centre, `crop_fraction` of each side, and resize it to the network's input.
    Stretch,
}

/// Order of colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum ChannelOrder {
    #[default]
    Rgb,
    Bgr,
}

impl Default for Preprocessing {
    /// Numbers from 0 to 1 and nothing else.
    fn default() -> Self {
        Self {
            scale: 255.0,
            mean: Vec::new(),
            std: Vec::new(),
            crop_fraction: 1.0,
            fit: Fit::Crop,
            channel_order: ChannelOrder::Rgb,
            layout: None,
        }
    }
}

impl fmt::Display for Preprocessing {
    /// The equation with its numbers, then what is not the default.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = |numbers: &[f32], none: &str| match numbers {
            [] => none.to_string(),
            [one] => one.to_string(),
            many => format!("{many:?}"),
        };
        write!(f, "(x / {} − {}) / {}", self.scale, numbers(&self.mean, "0"), numbers(&self.std, "1"))?;
        if self.crop_fraction != 1.0 {
            write!(f, ", crop fraction {}", self.crop_fraction)?;
        }
        if self.fit == Fit::Stretch {
            f.write_str(", stretched")?;
        }
        if self.channel_order == ChannelOrder::Bgr {
            f.write_str(", blue first")?;
        }
        match self.layout {
            None => Ok(()),
            Some(Layout::Nchw) => f.write_str(", channels first"),
            Some(Layout::Nhwc) => f.write_str(", channels last"),
        }
    }
}

impl Preprocessing {
    /// The names that [`Preprocessing::named`] knows.
    pub const NAMES: [&str; 3] = ["unit", "imagenet", "none"];

    /// The preprocessing of a name, else of a TOML file.
    ///
    /// # Errors
    ///
    /// As [`Preprocessing::read`]; [`ImageError::UnknownPreprocessing`] for a word that is neither.
    pub fn open(folder: &Path, word: &Path) -> Result<Self, ImageError> {
        if let Some(named) = word.to_str().and_then(Self::named) {
            return Ok(named);
        }
        let path = folder.join(word);
        match path.exists() || word.components().count() > 1 || word.extension().is_some() {
            true => Self::read(&path),
            false => Err(ImageError::UnknownPreprocessing { word: word.to_path_buf() }),
        }
    }

    /// A preprocessing known by name: `unit` (0…1, the default), `none` (as stored, 0…255), `imagenet` (0…1, then the
    /// mean and standard deviation of ImageNet).
    pub fn named(name: &str) -> Option<Self> {
        let unit = Self::default();
        match name {
            "unit" => Some(unit),
            "none" => Some(Self { scale: 1.0, ..unit }),
            "imagenet" => Some(Self { mean: vec![0.485, 0.456, 0.406], std: vec![0.229, 0.224, 0.225], ..unit }),
            _ => None,
        }
    }

    /// What a network takes of which nothing is said. `numbers` is the type of those of an array; none of pictures, which are
    /// bytes.
    ///
    /// Numbers of the input's own type are taken as they are, and real numbers by a network that takes real numbers. Else they
    /// are those of pixels: a network of real numbers takes them from 0 to 1, one of 8-bit integers takes bytes (unsigned) or
    /// those minus 128 (signed), and one of wider integers takes them as they are.
    pub fn default_for(network: &Network, numbers: Option<DataType>) -> Self {
        let input = network.graph().inputs().first().map(|&id| network.graph().value(id));
        let raw = Self { scale: 1.0, ..Self::default() };
        match input.and_then(|input| input.data_type) {
            own if own.is_some() && own == numbers => raw,
            Some(DataType::I8) => Self { mean: vec![128.0], ..raw },
            Some(integer) if !integer.is_real() => raw,
            Some(_) | None if numbers.is_some_and(DataType::is_real) => raw,
            Some(_) | None => Self::default(),
        }
    }

    /// Reads the file `NET.preprocess.toml` beside the network file `NET.onnx`; `None` if there is none.
    ///
    /// # Errors
    ///
    /// As [`Preprocessing::read`].
    pub fn for_network(network: &Path) -> Result<Option<Self>, ImageError> {
        let path = network.with_extension("preprocess.toml");
        if path.exists() { Self::read(&path).map(Some) } else { Ok(None) }
    }

    /// Reads a TOML file.
    ///
    /// # Errors
    ///
    /// [`ImageError`] if it cannot be read, has unknown fields, or numbers that are no preprocessing.
    pub fn read(path: &Path) -> Result<Self, ImageError> {
        let text = std::fs::read_to_string(path).map_err(ImageError::io(path))?;
        Self::parse(path, &text)
    }

    /// Reads a TOML text; `path` stands for it in messages.
    ///
    /// # Errors
    ///
    /// As [`Preprocessing::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ImageError> {
        let wrong = |error: toml::de::Error| ImageError::invalid(path, toml_problem(&error, text));
        let preprocessing: Self = toml::from_str(text).map_err(wrong)?;
        preprocessing.check().map_err(|problem| ImageError::invalid(path, problem))?;
        Ok(preprocessing)
    }

    /// The text of a file that says the same, every value written out.
    pub fn to_toml(&self) -> String {
        let numbers = "numbers and words have a TOML form";
        toml::to_string(self).expect(numbers) + "\n"
    }

    /// Checks the numbers.
    ///
    /// # Errors
    ///
    /// Names the field and what it must be.
    pub fn check(&self) -> Result<(), String> {
        let positive = |x: f32| x.is_finite() && x > 0.0;
        if !positive(self.scale) {
            return Err(format!("scale is {}; it must be above 0", self.scale));
        }
        if !(positive(self.crop_fraction) && self.crop_fraction <= 1.0) {
            return Err(format!("crop_fraction is {}; it must be above 0 and at most 1", self.crop_fraction));
        }
        if let Some(std) = self.std.iter().find(|&&std| !positive(std)) {
            return Err(format!("std has {std}; all must be above 0"));
        }
        match self.mean.iter().find(|mean| !mean.is_finite()) {
            Some(mean) => Err(format!("mean has {mean}")),
            None => Ok(()),
        }
    }

    /// Makes an image the input of a network of real numbers: `input_shape` is the network's, batch first, and the result one
    /// image of it in its layout. A network that takes `[N, K]` gets the `K` numbers of an image, planes one after another.
    ///
    /// A grey image becomes three equal channels if the network takes three. A coloured one becomes its luma,
    /// `0.299 R + 0.587 G + 0.114 B`, if the network takes one. Pictures are resized; an example of other channels, or of an
    /// input that has not two axes beside the channels, must have the numbers of the input.
    ///
    /// # Errors
    ///
    /// [`ImageError::Misfit`] names the image if it cannot become such an input; [`ImageError::InputLayout`] if it could in two
    /// ways.
    pub fn apply(&self, image: &Image, input_shape: &[usize]) -> Result<Vec<f32>, ImageError> {
        self.apply_for(image, &input_shape.into())
    }

    /// As [`Preprocessing::apply`], for an input of which more is known. Where it takes integers, resized pixels and luma are
    /// rounded.
    ///
    /// # Errors
    ///
    /// As [`Preprocessing::apply`]; [`ImageError::Number`] for what is no integer of the input's type.
    pub fn apply_for(&self, image: &Image, input: &NetworkInput) -> Result<Vec<f32>, ImageError> {
        self.of_stored(image.clone(), Layout::Nchw, input)
    }

    /// As [`Preprocessing::apply_for`], of an image whose numbers lie as `stored` says.
    pub(super) fn of_stored(&self, image: Image, stored: Layout, input: &NetworkInput) -> Result<Vec<f32>, ImageError> {
        let name = image.name.clone();
        let misfit = |problem| ImageError::Misfit { image: name.clone(), problem };
        self.check().map_err(misfit)?;
        if image.data.is_empty() || image.data.len() != image.channels * image.height * image.width {
            return Err(misfit(format!("{} numbers cannot be an image", image.data.len())));
        }
        if !lanes::all(&image.data, |number| !number.is_nan()) {
            let data = pixels::image_of_planes(image, stored).data;
            let place = data.iter().position(|number| number.is_nan()).expect("one of them is");
            return Err(misfit(format!("number {place} of {} is NaN", data.len())));
        }
        let (layout, size) = self.target(&image, input)?;
        let values = if stored == layout && self.changes_nothing(&image, size) {
            image.data
        } else {
            let image = pixels::image_of_planes(image, stored);
            self.to_values(image, layout, size, input.takes_integers()).map_err(misfit)?
        };
        let Some(data_type) = input.data_type.filter(|data_type| !data_type.is_real()) else { return Ok(values) };
        let short = data_type.range().filter(|(least, most)| *least >= -(1 << 16) && *most <= 1 << 16);
        if short.is_some_and(|(least, most)| lanes::are_integers(&values, least as f32, most as f32)) {
            return Ok(values);
        }
        let bounds = data_type.range().map(|(least, most)| least as f64..=most as f64);
        let is_one = |value: f64| value.fract() == 0.0 && bounds.as_ref().is_none_or(|bounds| bounds.contains(&value));
        let changed = self.scale != 1.0 || !self.mean.is_empty() || !self.std.is_empty();
        match values.iter().find(|&&value| !is_one(value.into())) {
            Some(&number) => Err(ImageError::Number { image: name, number, data_type, changed }),
            None => Ok(values),
        }
    }

    /// Channels, height and width of an image as the network takes it.
    ///
    /// # Errors
    ///
    /// As [`Preprocessing::apply`], if the input of the network tells no such form.
    pub fn input_size(&self, image: &Image, input: &NetworkInput) -> Result<[usize; 3], ImageError> {
        self.target(image, input).map(|(_, size)| size)
    }

    fn to_values(
        &self,
        image: Image,
        layout: Layout,
        [channels, height, width]: [usize; 3],
        round: bool,
    ) -> Result<Vec<f32>, String> {
        let (is_exact, found) = (self.is_exact(&image, height, width), image.channels);
        let mut colored = match_channels(self.resize(image, height, width), channels)?;
        if round && (colored.channels < found || !is_exact) {
            colored.data.iter_mut().for_each(|x| *x = x.round());
        }
        if self.channel_order == ChannelOrder::Bgr {
            reverse_planes(&mut colored)?;
        }
        self.normalize(&mut colored)?;
        Ok(match layout {
            Layout::Nchw => colored.data,
            Layout::Nhwc => pixels::of_planes(&colored.data, colored.channels),
        })
    }

    /// Layout, channels, height and width of one image of the network's input.
    fn target(&self, image: &Image, input: &NetworkInput) -> Result<(Layout, [usize; 3]), ImageError> {
        let shape = &input.shape;
        let misfit = |problem| ImageError::Misfit { image: image.name.clone(), problem };
        let size = [image.channels, image.height, image.width];
        if shape.contains(&0) {
            return Err(misfit(format!("a network input of {shape:?}")));
        }
        let is_picture = input.example().len() == 3;
        if !is_picture && input.example().iter().product::<usize>() != image.data.len() {
            return Err(misfit(format!("{} numbers for a network input of {shape:?}", image.data.len())));
        }
        if input.example().len() < 2 {
            return Ok((Layout::Nchw, size));
        }
        let found = match self.layout.or(input.channels_lie()) {
            Some(layout) => Some((layout, canonical(input.example(), layout))),
            // Rows and columns of a grey picture, of a network that knows no channels.
            None if input.example() == [image.height, image.width] && image.channels == 1 => Some((Layout::Nchw, size)),
            None => None,
        };
        let Some((layout, target)) = found else {
            return Err(ImageError::InputLayout { images: image.name.clone(), input: shape.clone() });
        };
        match (is_picture, target == size) {
            (true, _) => Ok((layout, target)),
            (false, false) => Err(misfit(format!("{size:?} numbers for a network input of {shape:?}"))),
            (false, true) if self.crop_fraction != 1.0 => {
                Err(misfit(format!("a network input of {shape:?} is no picture that could be cut")))
            }
            (false, true) => Ok((layout, target)),
        }
    }

    fn is_exact(&self, image: &Image, height: usize, width: usize) -> bool {
        image.height == height && image.width == width && self.crop_fraction == 1.0
    }

    /// Whether an image of the size that is asked for keeps its numbers.
    fn changes_nothing(&self, image: &Image, [channels, height, width]: [usize; 3]) -> bool {
        let is_rgb = self.channel_order == ChannelOrder::Rgb;
        image.channels == channels && self.is_exact(image, height, width) && is_rgb && self.keeps_numbers()
    }

    /// Whether `(x / scale − mean) / std` is `x`.
    fn keeps_numbers(&self) -> bool {
        let is_all = |numbers: &[f32], number: f32| numbers.len() <= 1 && numbers.iter().all(|&x| x == number);
        self.scale == 1.0 && is_all(&self.mean, 0.0) && is_all(&self.std, 1.0)
    }

    fn resize(&self, image: Image, height: usize, width: usize) -> Image {
        if self.is_exact(&image, height, width) {
            return image;
        }
        // How much larger than the network's input the resized image is, along height and width.
        let grow = |extent: usize| (extent as f64 / f64::from(self.crop_fraction)).round();
        let covered = [grow(height), grow(width)];
        let factors = [covered[0] / image.height as f64, covered[1] / image.width as f64];
        let resized = match self.fit {
            Fit::Stretch => covered,
            // The side that is left over is rounded down, as torchvision does it.
            Fit::Crop if factors[0] >= factors[1] => {
                [covered[0], (covered[0] * image.width as f64 / image.height as f64).floor()]
            }
            Fit::Crop => [(covered[1] * image.height as f64 / image.width as f64).floor(), covered[1]],
        };
        let window = |resized: f64, len: usize| {
            let resized = (resized as usize).max(len);
            Window { resized, start: (resized - len) / 2, len }
        };
        resample(&image, window(resized[0], height), window(resized[1], width))
    }

    /// Whether there is one number for all channels, or one for each of so many.
    ///
    /// # Errors
    ///
    /// Which numbers are more or fewer.
    pub fn check_channels(&self, channels: usize) -> Result<(), String> {
        let wrong = [("mean", &self.mean), ("std", &self.std)];
        let wrong = wrong.into_iter().find(|(_, numbers)| numbers.len() > 1 && numbers.len() != channels);
        let plural = if channels == 1 { "" } else { "s" };
        wrong.map_or(Ok(()), |(what, numbers)| {
            let found = numbers.len();
            Err(format!(
                "{what} has {found} numbers for {channels} channel{plural}; expected one, or one for each channel"
            ))
        })
    }

    fn normalize(&self, image: &mut Image) -> Result<(), String> {
        self.check_channels(image.channels)?;
        if self.keeps_numbers() {
            return Ok(());
        }
        let of = |numbers: &[f32], channel: usize, default: f32| match numbers {
            [] => default,
            [one] => *one,
            many => many[channel],
        };
        let plane = image.height * image.width;
        for (channel, plane) in image.data.chunks_exact_mut(plane).enumerate() {
            let (mean, std) = (of(&self.mean, channel, 0.0), of(&self.std, channel, 1.0));
            plane.iter_mut().for_each(|x| *x = (*x / self.scale - mean) / std);
        }
        Ok(())
    }
}

fn match_channels(mut image: Image, channels: usize) -> Result<Image, String> {
    let plane = image.height * image.width;
    match (image.channels, channels) {
        (found, expected) if found == expected => {}
        (1, 3) => image.data = image.data.repeat(3),
        (3, 1) => {
            let (red, rest) = image.data.split_at(plane);
            let (green, blue) = rest.split_at(plane);
            let luma = |((r, g), b): ((&f32, &f32), &f32)| 0.299 * r + 0.587 * g + 0.114 * b;
            image.data = red.iter().zip(green).zip(blue).map(luma).collect();
        }
        (found, expected) => return Err(format!("{found} channels; the network takes {expected}")),
    }
    image.channels = channels;
    Ok(image)
}

fn reverse_planes(image: &mut Image) -> Result<(), String> {
    if image.channels != 3 {
        return Err(format!("channel order bgr for {} channels", image.channels));
    }
    let plane = image.height * image.width;
    let (red, rest) = image.data.split_at_mut(plane);
    red.swap_with_slice(&mut rest[plane..]);
    Ok(())
}
