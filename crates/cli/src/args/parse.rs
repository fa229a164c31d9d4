//! Words of the command line that become values of the library.

use std::ops::RangeInclusive;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use esn::{BitWidth, Grid};
use explore::sweep::Shard;
use network::architectures::Family;

use super::words::{Words, word, words};

/// Levels of quantized weights.
pub fn grid() -> Words<Grid> {
    words([
        word("mid-rise", Grid::MidRise, "±0.5, ±1.5, …: integers count half-steps"),
        word("mid-tread", Grid::MidTread, "0, ±1, ±2, …: integers count whole steps"),
    ])
}

/// A network of the literature.
pub fn architecture() -> impl TypedValueParser<Value = Family> {
    PossibleValuesParser::new(Family::NAMES).map(|name| Family::named(&name).expect("every name is that of a network"))
}

/// A bit width.
pub fn bit_width(text: &str) -> Result<BitWidth, String> {
    let bits: u32 = text.parse().map_err(|_| "expected a whole number from 1 to 16".to_string())?;
    BitWidth::new(bits).map_err(|e| e.to_string())
}

/// A number of worker threads.
pub fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (1..=1024).contains(&n) => Ok(n),
        _ => Err("expected a whole number from 1 to 1024".to_string()),
    }
}

/// A number that is at least 1.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err("expected a whole number, at least 1".to_string()),
    }
}

/// A whole number of a range.
pub fn whole<T: TryFrom<u64>>(range: RangeInclusive<u64>) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| {
        let number =
            text.parse().ok().filter(|number| range.contains(number)).and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| format!("expected a whole number from {} to {}", range.start(), range.end()))
    }
}

/// A share of weights that are 0.
pub fn sparsity(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(x) if (0.0..1.0).contains(&x) => Ok(x),
        _ => Err("expected a number from 0 to below 1, as 0.5".to_string()),
    }
}

/// `NAME=1,3,224,224`.
pub fn input_shape(text: &str) -> Result<(String, Vec<usize>), String> {
    let expected = || format!("expected NAME=1,3,224,224, not {text:?}");
    let (name, shape) = text.rsplit_once('=').ok_or_else(expected)?;
    let extents = shape.split([',', 'x']).map(|n| n.trim().parse::<usize>().ok().filter(|&n| n > 0));
    let shape = extents.collect::<Option<Vec<usize>>>().ok_or_else(expected)?;
    Ok((name.to_string(), shape))
}

/// `A..B`.
pub fn cycles(text: &str) -> Result<(u64, u64), String> {
    let numbers = text.split_once("..").and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
    match numbers {
        Some((first, end)) if first < end => Ok((first, end)),
        _ => Err("expected A..B, two cycles of which the first is smaller, as 0..1024".to_string()),
    }
}

/// `i/n`, or the word for what the environment says.
pub fn shard(text: &str) -> Result<Shard, String> {
    if text == "slurm" {
        return esnsim::slurm_shard(|name| std::env::var(name).ok()).map_err(|error| error.to_string());
    }
    let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    match numbers {
        Some((index, of)) if (1..=of).contains(&index) => Ok(Shard { index, of }),
        _ => Err("expected i/n with i from 1 to n, as 2/8, or slurm".to_string()),
    }
}

/// Bytes of a GiB.
const GIB: f64 = (1u64 << 30) as f64;

/// GiB of memory, as bytes.
pub fn gibibytes(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(x) if (0.25..=65536.0).contains(&x) => Ok((x * GIB) as u64),
        _ => Err("expected a number of GiB, at least 0.25".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_read() {
        assert_eq!(input_shape("x=1,3,8,8"), Ok(("x".to_string(), vec![1, 3, 8, 8])));
        assert!(input_shape("x=1,0").is_err() && input_shape("1,3").is_err());
    }
}
