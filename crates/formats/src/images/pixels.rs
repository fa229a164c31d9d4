//! Planes of channels, and pixels whose channels lie side by side.

use super::{Image, Layout};

/// An image whose numbers lie in planes, as those of all images do that are handed out.
pub(super) fn image_of_planes(image: Image, stored: Layout) -> Image {
    match stored {
        Layout::Nchw => image,
        Layout::Nhwc => Image { data: to_planes(&image.data, image.channels), ..image },
    }
}

/// `[positions, channels]` as `[channels, positions]`.
pub(super) fn to_planes(pixels: &[f32], channels: usize) -> Vec<f32> {
    let mut planes = vec![0.0; pixels.len()];
    let positions = pixels.len() / channels.max(1);
    if channels == 3 {
        let ([red, green, blue], pixels) = (thirds(&mut planes, positions), pixels.as_chunks::<3>().0);
        lanes::run(
            #[inline(always)]
            || {
                for (((red, green), blue), pixel) in
                    red.iter_mut().zip(green.iter_mut()).zip(blue.iter_mut()).zip(pixels)
                {
                    [*red, *green, *blue] = *pixel;
                }
            },
        );
        return planes;
    }
    for (channel, plane) in planes.chunks_exact_mut(positions.max(1)).enumerate() {
        plane.iter_mut().zip(pixels[channel..].iter().step_by(channels)).for_each(|(to, &x)| *to = x);
    }
    planes
}

/// `[channels, positions]` as `[positions, channels]`.
pub(super) fn of_planes(planes: &[f32], channels: usize) -> Vec<f32> {
    let mut pixels = vec![0.0; planes.len()];
    let positions = planes.len() / channels.max(1);
    if channels == 3 {
        let (red, rest) = planes.split_at(positions);
        let ((green, blue), pixels) = (rest.split_at(positions), pixels.as_chunks_mut::<3>().0);
        lanes::run(
            #[inline(always)]
            || {
                for (((pixel, &red), &green), &blue) in pixels.iter_mut().zip(red).zip(green).zip(blue) {
                    *pixel = [red, green, blue];
                }
            },
        );
    } else {
        for (channel, plane) in planes.chunks_exact(positions.max(1)).enumerate() {
            pixels[channel..].iter_mut().step_by(channels).zip(plane).for_each(|(to, &x)| *to = x);
        }
    }
    pixels
}

fn thirds(planes: &mut [f32], positions: usize) -> [&mut [f32]; 3] {
    let (red, rest) = planes.split_at_mut(positions);
    let (green, blue) = rest.split_at_mut(positions);
    [red, green, blue]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_become_planes_and_pixels_again() {
        for channels in 1..=5 {
            for positions in [1, 2, 15, 16, 100] {
                let number = |channel: usize, position: usize| (channel * 1000 + position) as f32;
                let planes: Vec<f32> = (0..channels)
                    .flat_map(|channel| (0..positions).map(move |position| number(channel, position)))
                    .collect();
                let pixels: Vec<f32> = (0..positions)
                    .flat_map(|position| (0..channels).map(move |channel| number(channel, position)))
                    .collect();
                assert_eq!(to_planes(&pixels, channels), planes);
                assert_eq!(of_planes(&planes, channels), pixels);
            }
        }
        assert!(to_planes(&[], 3).is_empty() && of_planes(&[], 0).is_empty());
    }
}
