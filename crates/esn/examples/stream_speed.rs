//! How fast one thread streams weights: nanoseconds a weight of both passes, by bit width.

use std::time::Instant;

use esn::{BitConvention, BitWidth, LayerStream, StoredWeights, WeightShape, largest_magnitude};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let shape = WeightShape { filters: 256, groups: 1, channels: 4096, taps: 1 };
    let weight = |i: u32| (i.wrapping_mul(2_654_435_761) as f32 / 2e9 - 1.0).powi(3);
    let singles: Vec<[u8; 4]> = (0..1u32 << 20).map(|i| weight(i).to_le_bytes()).collect();
    let bfloats: Vec<[u8; 2]> = singles.iter().map(|&[_, _, low, high]| [low, high]).collect();
    // Any bits whose exponent is that of finite numbers up to 1.
    let halves: Vec<[u8; 2]> = singles.iter().map(|&[_, low, high, _]| [low, high & 0xbf]).collect();
    let stored = [
        ("float32", StoredWeights::F32(&singles)),
        ("bfloat16", StoredWeights::Bf16(&bfloats)),
        ("float16", StoredWeights::F16(&halves)),
    ];
    for (name, weights) in stored {
        for bits in [1, 2, 4, 8, 16] {
            let fastest = (0..15).map(|_| run(weights, shape, bits)).collect::<Result<Vec<_>, _>>()?;
            let least = |pass: fn(&(f64, f64)) -> f64| fastest.iter().map(pass).fold(f64::INFINITY, f64::min);
            let (look, measure) = (least(|run| run.0), least(|run| run.1));
            println!("{name}, {bits} bits: look {look:.3} ns, measure {measure:.3} ns a weight");
        }
    }
    Ok(())
}

/// Both passes over all weights, in nanoseconds a weight.
fn run(weights: StoredWeights<'_>, shape: WeightShape, bits: u32) -> Result<(f64, f64), Box<dyn std::error::Error>> {
    let nanoseconds = |since: Instant| since.elapsed().as_secs_f64() * 1e9 / weights.len() as f64;
    let start = Instant::now();
    let max_abs = largest_magnitude(weights).ok_or("weights are finite")?;
    let look = nanoseconds(start);
    let start = Instant::now();
    let mut layer = LayerStream::new(shape, max_abs, BitWidth::new(bits)?, BitConvention::default())?;
    for range in layer.chunks().collect::<Vec<_>>() {
        let chunk = layer.measure(range.clone(), weights.part(range));
        layer.add(&chunk);
    }
    let (esn, _) = layer.finish(1);
    assert!(esn.nonzero > 0, "the sums are used");
    Ok((look, nanoseconds(start)))
}
