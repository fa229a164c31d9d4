//! Resizing with a triangle filter.

use super::Image;

/// The part of a resized axis that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Extent of the whole resized axis.
    pub resized: usize,
    /// First wanted index of it.
    pub start: usize,
    /// How many are wanted.
    pub len: usize,
}

/// Resizes `image` and cuts a window out, rows first. Only what is wanted is computed.
///
/// Output `i` lies at `x = (i + 1/2) · s − 1/2` of the input, `s` = input / output extent, and is the mean of the
/// inputs `k` weighted by `max(0, 1 − |k − x| / max(1, s))`: bilinear interpolation when enlarging, and without
/// aliasing when reducing. Those beyond the border have no weight.
pub(super) fn resample(image: &Image, rows: Window, columns: Window) -> Image {
    let row_taps = taps(image.height, rows);
    let column_taps = taps(image.width, columns);
    let mut data = Vec::with_capacity(image.channels * rows.len * columns.len);
    let mut row = vec![0.0; image.width];
    for plane in image.data.chunks_exact(image.height * image.width) {
        for taps in &row_taps {
            row.fill(0.0);
            for (i, &weight) in taps.weights.iter().enumerate() {
                let source = &plane[(taps.first + i) * image.width..][..image.width];
                row.iter_mut().zip(source).for_each(|(sum, x)| *sum += weight * x);
            }
            data.extend(
                column_taps
                    .iter()
                    .map(|taps| taps.weights.iter().zip(&row[taps.first..]).map(|(weight, x)| weight * x).sum::<f32>()),
            );
        }
    }
    Image { name: image.name.clone(), channels: image.channels, height: rows.len, width: columns.len, data }
}

/// The inputs that an output is made of.
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

fn taps(extent: usize, window: Window) -> Vec<Taps> {
    let scale = extent as f64 / window.resized as f64;
    let support = scale.max(1.0);
    let tap = |i: usize| {
        let center = (i as f64 + 0.5) * scale;
        let first = (center - support).max(0.0).floor() as usize;
        let end = ((center + support).ceil() as usize).min(extent);
        let weight = |k: usize| (1.0 - ((k as f64 + 0.5 - center) / support).abs()).max(0.0);
        let sum: f64 = (first..end).map(weight).sum();
        Taps { first, weights: (first..end).map(|k| (weight(k) / sum) as f32).collect() }
    };
    (window.start..window.start + window.len).map(tap).collect()
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    fn line(data: &[f32]) -> Image {
        Image { name: "line".into(), channels: 1, height: 1, width: data.len(), data: data.to_vec() }
    }

    #[test]
    fn rows_of_numbers_are_resized_as_worked_out_by_hand() {
        let one = Window { resized: 1, start: 0, len: 1 };
        let cases: [(&[f32], Window, &[f32]); 5] = [
            (&[1.0, 2.0, 3.0], Window { resized: 3, start: 0, len: 3 }, &[1.0, 2.0, 3.0]),
            (&[0.0, 4.0], Window { resized: 4, start: 0, len: 4 }, &[0.0, 1.0, 3.0, 4.0]),
            (&[0.0, 4.0], Window { resized: 4, start: 1, len: 2 }, &[1.0, 3.0]),
            // Weights of outputs at 1 and 3 over inputs at 0.5, 1.5, …: 3/8, 3/8, 1/8 of 7/8, then 1/8, 3/8, 3/8.
            (&[7.0, 0.0, 0.0, 0.0], Window { resized: 2, start: 0, len: 2 }, &[3.0, 0.0]),
            (&[5.0; 9], one, &[5.0]),
        ];
        check_all(cases, |&(input, window, expected)| {
            let output = resample(&line(input), one, window).data;
            let near = output.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5);
            assert!(near && output.len() == expected.len(), "{input:?} to {window:?}: {output:?}, not {expected:?}");
        });
    }
}
