//! The outputs of a layer whose amplitudes are in the cells, tile by tile instead of cycle by cycle.

use engine::kernel::RealConv;
use engine::{Activations, Conversions, EngineError, Layer, Outputs, PreparedLayer};
use network::{Geometry, GeometrySpec};

use crate::converters::{Drive, Rounding, add_scaled, scale};
use crate::departures::Dac;
use crate::gaussian::Gaussian;
use crate::integers::IntegerColumns;
use crate::physical::{Physical, Source, join, random};
use crate::spec::ArraySpec;

/// A layer in the cells, computed a whole tile at a time.
pub(crate) struct HeldLayer {
    name: String,
    geometry: Geometry,
    columns_per_filter: usize,
    dac: Option<Dac>,
    columns: Columns,
}

/// What makes the sums of columns.
enum Columns {
    Real(Box<RealColumns>),
    Integer(Box<IntegerColumns>),
}

/// Columns of any cells, driven by any numbers.
struct RealColumns {
    geometry: Geometry,
    columns_per_filter: usize,
    sums: RealConv,
    rounding: Option<Rounding>,
    reads: Option<ReadNoise>,
}

/// Read noise of whole columns.
///
/// A cell whose amplitude has an independent Gaussian error of deviation σ adds `σ · x` times a standard Gaussian
/// number to its column. The error of the column is therefore Gaussian, of deviation `σ · sqrt(Σ x²)` over the rows of
/// its tile.
struct ReadNoise {
    sigma: f32,
    sequence: Gaussian,
    /// `Σ x²` of each tile of each group.
    squares: RealConv,
}

impl HeldLayer {
    pub(crate) fn new(spec: &ArraySpec, layer: &Layer<'_>) -> Result<Self, EngineError> {
        let departures = &spec.departures;
        let physical = Physical::new(spec, layer)?;
        let (noise, name) = (&departures.noise, layer.name());
        let rounding = Rounding::new(departures.adc, &physical);
        let sigma = physical.read_sigma(noise);
        let columns = match IntegerColumns::new(name, &physical, departures, rounding.as_ref())? {
            Some(integers) => Columns::Integer(Box::new(integers)),
            None => Columns::Real(Box::new(RealColumns {
                geometry: *layer.geometry(),
                columns_per_filter: physical.per_filter,
                sums: RealConv::new(name, &physical.geometry, &physical.amplitudes(noise, name), spec.rows)?,
                rounding,
                reads: if sigma > 0.0 { Some(ReadNoise::new(spec, layer, sigma)?) } else { None },
            })),
        };
        Ok(Self {
            name: name.to_string(),
            geometry: *layer.geometry(),
            columns_per_filter: physical.per_filter,
            dac: departures.dac,
            columns,
        })
    }
}

impl RealColumns {
    /// Sums of all columns over tiles and steps, as [`IntegerColumns::forward`] has them.
    fn forward(
        &self,
        drive: &Drive<'_>,
        input: &[f32],
        conversions: &mut Conversions,
    ) -> Result<Vec<f32>, EngineError> {
        let noise = self.reads.as_ref().map(|reads| reads.sequence.of_numbers(input));
        let mut sums = self.columns(drive, 0, noise, conversions)?;
        if let Drive::Integer { .. } = drive {
            scale(&mut sums, drive.weight(0));
            for step in 1..drive.steps() {
                let columns = self.columns(drive, step, noise, conversions)?;
                add_scaled(&mut sums, &columns, drive.weight(step));
            }
        }
        Ok(sums)
    }

    /// Sums of all columns over the tiles, `[repeats, columns, out_height, out_width]`, in one step of the input.
    fn columns(
        &self,
        drive: &Drive<'_>,
        step: u32,
        noise: Option<Gaussian>,
        conversions: &mut Conversions,
    ) -> Result<Vec<f32>, EngineError> {
        let digits = drive.digits(step);
        if let Some(sums) = self.plain() {
            return sums.forward(&digits);
        }
        let len = self.geometry.output_len() * self.columns_per_filter;
        let (mut sums, mut partial, mut numbers) = (vec![0.0f32; len], vec![0.0f32; len], Vec::new());
        for tile in 0..self.sums.tiles() {
            self.sums.forward_tile(tile, &digits, |at, sums| partial[at..at + sums.len()].copy_from_slice(sums))?;
            if let (Some(reads), Some(noise)) = (&self.reads, noise) {
                let deviations = reads.deviations(tile, &digits)?;
                numbers.resize(len, 0.0);
                noise.fill((u64::from(step) * self.sums.tiles() as u64 + tile as u64) * len as u64, &mut numbers);
                self.add_noise(&deviations, &numbers, &mut partial);
            }
            self.convert(tile, drive.full_scale(), &mut partial, conversions);
            let (sums, partial) = (sums.as_mut_slice(), partial.as_slice());
            lanes::run(
                #[inline(always)]
                move || {
                    for (sum, partial) in sums.iter_mut().zip(partial) {
                        *sum += partial;
                    }
                },
            );
        }
        Ok(sums)
    }

    /// What makes the sums, where nothing is done to them.
    fn plain(&self) -> Option<&RealConv> {
        (self.rounding.is_none() && self.reads.is_none()).then_some(&self.sums)
    }

    /// Adds noise to all partial sums: to each its number times the deviation of its group at its position.
    fn add_noise(&self, deviations: &[f32], numbers: &[f32], partial: &mut [f32]) {
        let positions = self.geometry.positions_per_repeat();
        let group = self.geometry.columns() * self.columns_per_filter * positions;
        let groups = partial.chunks_exact_mut(group).zip(numbers.chunks_exact(group));
        for ((partial, numbers), deviations) in groups.zip(deviations.chunks_exact(positions)) {
            for (partial, numbers) in partial.chunks_exact_mut(positions).zip(numbers.chunks_exact(positions)) {
                lanes::run(
                    #[inline(always)]
                    move || {
                        for ((partial, number), deviation) in partial.iter_mut().zip(numbers).zip(deviations) {
                            *partial += number * deviation;
                        }
                    },
                );
            }
        }
    }

    fn convert(&self, tile: usize, full_scale: f32, partial: &mut [f32], conversions: &mut Conversions) {
        let Some(rounding) = &self.rounding else { return };
        let columns = self.geometry.spec().filters * self.columns_per_filter;
        conversions.total += partial.len() as u64;
        for (plane, partial) in partial.chunks_exact_mut(self.geometry.positions_per_repeat()).enumerate() {
            let converter = rounding.converter(tile, plane % columns, full_scale);
            let mut clipped = 0;
            let count = &mut clipped;
            lanes::run(
                #[inline(always)]
                move || {
                    // Runs whose count 32 bits hold.
                    for run in partial.chunks_mut(1 << 16) {
                        *count += u64::from(run.iter().map(|&sum| u32::from(converter.clips(sum))).sum::<u32>());
                        run.iter_mut().for_each(|sum| *sum = converter.convert(*sum));
                    }
                },
            );
            conversions.clipped += clipped;
        }
    }
}

impl ReadNoise {
    fn new(spec: &ArraySpec, layer: &Layer<'_>, sigma: f32) -> Result<Self, EngineError> {
        let of_layer = layer.geometry().spec();
        // A filter of ones for each group.
        let geometry = Geometry::new(GeometrySpec { filters: of_layer.groups, ..*of_layer })
            .expect("a layer with fewer filters is no larger");
        let ones = vec![1.0; of_layer.groups * geometry.rows()];
        Ok(Self {
            sigma,
            sequence: random(spec.departures.noise.seed, layer.name(), Source::ColumnRead),
            squares: RealConv::new(layer.name(), &geometry, &ones, spec.rows)?,
        })
    }

    /// `σ · sqrt(Σ x²)` of one tile, `[repeats, groups, out_height, out_width]`.
    fn deviations(&self, tile: usize, digits: &[f32]) -> Result<Vec<f32>, EngineError> {
        let squared: Vec<f32> = digits.iter().map(|x| x * x).collect();
        let mut deviations = Vec::new();
        self.squares.forward_tile(tile, &squared, |at, sums| {
            deviations.resize(deviations.len().max(at + sums.len()), 0.0);
            let (sigma, to) = (self.sigma, &mut deviations[at..at + sums.len()]);
            lanes::run(
                #[inline(always)]
                move || {
                    for (deviation, sum) in to.iter_mut().zip(sums) {
                        *deviation = sigma * sum.sqrt();
                    }
                },
            );
        })?;
        Ok(deviations)
    }
}

impl PreparedLayer for HeldLayer {
    fn forward(&self, input: Activations<'_>) -> Result<Outputs, EngineError> {
        self.forward_counting(input, &mut Conversions::default())
    }

    fn forward_counting(&self, input: Activations<'_>, conversions: &mut Conversions) -> Result<Outputs, EngineError> {
        let input = input.finite_reals(&self.name, &self.geometry)?;
        let drive = Drive::new(self.dac, input);
        let sums = match (&self.columns, &drive) {
            (Columns::Integer(columns), Drive::Integer { codes, step, .. }) => {
                columns.forward(codes, *step, conversions)?
            }
            (Columns::Real(columns), drive) => columns.forward(drive, input, conversions)?,
            (Columns::Integer(_), Drive::Real(_)) => unreachable!("columns of integers have a DAC"),
        };
        Ok(Outputs::Real(join(sums, self.columns_per_filter, self.geometry.positions_per_repeat())))
    }

    fn reals(&self) -> Option<&RealConv> {
        match &self.columns {
            Columns::Real(columns) if self.dac.is_none() && self.columns_per_filter == 1 => columns.plain(),
            Columns::Real(_) | Columns::Integer(_) => None,
        }
    }
}
