//! A landscape as text.

use explore::landscape::{LandscapePoint, PointCost, Sweep};
use runner::Hardware;

use super::number::joules;
use super::table::{render, table};

/// Columns of the summary: what is varied, and the bits or the per cent pruned.
const SHOWN: [(&str, Sweep, u32); 8] = [
    ("8 bits", Sweep::Bits, 8),
    ("4 bits", Sweep::Bits, 4),
    ("2 bits", Sweep::Bits, 2),
    ("1 bit", Sweep::Bits, 1),
    ("½ weights", Sweep::PrunedWeights, 50),
    ("0.1 weights", Sweep::PrunedWeights, 90),
    ("½ filters", Sweep::PrunedFilters, 50),
    ("0.1 filters", Sweep::PrunedFilters, 90),
];

/// Energy on every hardware: of a MAC of the dense layer at `bits` bits, and of fewer bits and weights relative to it.
pub fn landscape_table(hardware: &[Hardware], points: &[LandscapePoint], bits: u32) -> String {
    let mut header = vec!["energy", "a MAC, with memory"];
    header.extend(SHOWN.iter().map(|(name, ..)| *name));
    let mut table = table(&header, 1);
    for hardware in hardware {
        let name = hardware.engine.name();
        let own: Vec<&LandscapePoint> = points.iter().filter(|point| point.hardware == name).collect();
        let find = |sweep: Sweep, value: u32| {
            let of = |point: &&&LandscapePoint| if sweep == Sweep::Bits { point.bits } else { point.pruned_percent };
            own.iter().find(|point| point.sweep == sweep && of(point) == value).and_then(|point| point.cost)
        };
        let joules_of =
            |cost: PointCost| if hardware.normalized { "–".to_string() } else { joules(cost.energy_per_mac_j) };
        let dense = find(Sweep::PrunedWeights, 0).map_or("–".to_string(), joules_of);
        let relative =
            SHOWN.iter().map(|&(_, sweep, value)| find(sweep, value).and_then(|cost| cost.relative_without_memory));
        let cells = relative.map(|x| x.map_or("–".to_string(), |x| format!("{x:.3}")));
        table.add_row([name.to_string(), dense].into_iter().chain(cells));
    }
    format!(
        "a 3×3 convolution, 64 to 64 channels, 16×16 pixels; a MAC of the dense layer at {bits} bits in joules, memory \
         included; the others without memory, over the dense layer at 8 bits\n{}",
        render(&table)
    )
}
