//! What sets a real array apart from the ideal one. Each departure vanishes at its default.

use std::borrow::Cow;

use engine::Joules;
use esn::CodeTensor;

use crate::error::DigitalError;
use crate::pattern;
use crate::planes::Planes;
use crate::spec::{ArraySpec, Granularity};

/// Most cycles of one filling of the pipeline.
const MAX_FILL_CYCLES: u64 = 1 << 16;

/// Most bits, and most cycles, of the index of one nonzero weight.
const MAX_INDEX: u64 = 1 << 10;

/// Largest buffer, in bits.
const MAX_BUFFER_BITS: u64 = 1 << 48;

/// The departures of an array from the ideal. [`Departures::default`] has none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Departures {
    /// Bit widths that elements can be set to, ascending. Every width is rounded up to one of them. An empty list
    /// stands for all widths.
    pub supported_widths: Vec<u32>,
    /// How an element takes the planes of a weight.
    pub element: Element,
    /// Which weights take no cycle. `None` stands for what the granularity of widths implies: [`ZeroSkipping::Weights`]
    /// where every weight has its own width, and [`ZeroSkipping::Filters`] elsewhere.
    pub zero_skipping: Option<ZeroSkipping>,
    /// Which planes of a weight take no cycle.
    pub plane_skipping: PlaneSkipping,
    /// What is done with activations that are zero.
    pub zero_activations: ZeroActivations,
    /// In which order filters go to the rows.
    pub schedule: Schedule,
    /// Where rows wait for one another.
    pub barrier: Barrier,
    /// Cycles that a row idles whenever it starts a tile. A tile is a filter, or the part of one that the buffer holds.
    pub fill_cycles_per_tile: u64,
    /// Cycles that a row idles whenever it starts a group of positions.
    pub fill_cycles_per_group: u64,
    /// Bits of the index that says where a weight stands. Needs [`ZeroSkipping::Weights`], or [`ZeroSkipping::Pattern`], whose
    /// index is that of a weight that is kept; layers that do not follow the pattern have none.
    pub index_bits_per_nonzero: u64,
    /// Cycles that a row idles to decode that index. Needs the same.
    pub index_cycles_per_nonzero: u64,
    /// Buffers, and what is fetched into them.
    pub buffers: Buffers,
    /// Energies beside [`ArraySpec::pe_cycle_energy`].
    pub energy: DepartureEnergies,
}

/// How an element takes the planes of a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// Planes that an element takes in one cycle, `B`, 1 to 17. A weight of `n` planes takes `ceil(n / B)` cycles: at 1
    /// the element is bit-serial, at 17 it takes every weight in one cycle.
    pub planes_per_cycle: u32,
    /// Whether an element splits where a weight leaves room. It then takes `floor(B / n)` consecutive weights of `n`
    /// planes in one cycle and adds them to its one accumulator (Bit Fusion, Sharma et al. 2018).
    pub splits: bool,
}

impl Default for Element {
    fn default() -> Self {
        Self { planes_per_cycle: 1, splits: false }
    }
}

/// Which weights take no cycle and no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ZeroSkipping {
    /// No weight: every weight of every filter is computed.
    None,
    /// The weights of filters without a nonzero weight, and those of input channels whose weights are zero in every
    /// filter of their group.
    Filters,
    /// Every weight that is zero.
    Weights,
    /// All but `keep` of every `of` neighbouring weights along the input channels of a filter, in layers that follow this
    /// pattern: of so many no more than `keep` are nonzero, in any filter. Where fewer are, zeros are computed. Other layers
    /// are computed whole, and so are those of so few channels that nothing would be left out. Example: the sparse tensor cores
    /// of GPUs, 2 of 4.
    Pattern {
        /// Weights that are computed of `of`, at least 1 and less than `of`.
        keep: u32,
        /// Weights that share a choice, at most [`MAX_PATTERN`].
        of: u32,
    },
}

/// Most neighbouring weights of a pattern.
pub const MAX_PATTERN: u32 = 1 << 10;

/// Which planes of a weight take no cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PlaneSkipping {
    /// No plane.
    #[default]
    None,
    /// Planes that are zero in the binary form of the magnitude `|code|`. Only the bits that are 1 take a cycle.
    ZeroPlanes,
    /// Planes that are zero in the canonical signed digit form of the code. No signed binary form has fewer nonzero
    /// digits.
    Csd,
}

/// What is done with activations that are zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ZeroActivations {
    /// They are multiplied like any others.
    #[default]
    Compute,
    /// The element is gated off for the cycle: no energy, the same time.
    Gate,
    /// As [`ZeroActivations::Gate`]. Also, where the activations of all elements of a row are zero, the row goes on to
    /// the next weight at once.
    Skip,
}

/// In which order filters go to the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Schedule {
    /// Filter `m` goes to row `m mod R`.
    #[default]
    InOrder,
    /// The longest filter that is left goes to the row that is free first. How long a filter takes is known from its
    /// weights alone, as if no activation were 0.
    LongestFirst,
}

/// Where rows wait for one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Barrier {
    /// Nowhere: rows run free.
    #[default]
    None,
    /// At the end of every filter.
    Filter,
    /// At the end of every group of positions.
    Position,
}

/// Buffers, and the size of what is fetched into them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buffers {
    /// Bits of the weight buffer of a row; `None` if it holds any filter. A filter that does not fit is computed in
    /// tiles of consecutive weights, each for all positions. Between two tiles its partial sums leave the array and
    /// come back.
    pub weight_bits_per_row: Option<u64>,
    /// Bits of the activation buffer, which all rows share; `None` if it holds the input of any layer. Where the input
    /// does not fit, every pass of the rows over their filters fetches its input again.
    pub activation_bits: Option<u64>,
    /// Bits of an activation; 0 only where fetching one costs nothing.
    pub bits_per_activation: u64,
    /// Bits of a partial sum; 0 only where fetching one costs nothing.
    pub bits_per_partial_sum: u64,
}

/// Energies that an ideal array does not spend.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DepartureEnergies {
    /// Energy of an element in a cycle in which it is idle.
    pub idle_pe_cycle: Joules,
    /// Energy of the control of the array in a cycle.
    pub array_cycle: Joules,
    /// Energy of the control of a row in a cycle in which the row works, fills or decodes. The control of a row that
    /// waits or has finished is gated.
    pub row_cycle: Joules,
    /// Energy of decoding one bit of an index.
    pub index_bit: Joules,
    /// Energy of fetching one bit of a weight, or of its index, into the buffer of a row.
    pub weight_bit: Joules,
    /// Energy of fetching one bit of an activation into the activation buffer.
    pub activation_bit: Joules,
    /// Energy of moving one bit of a partial sum out of the array or back into it.
    pub partial_sum_bit: Joules,
}

impl Departures {
    /// Whether one element with these departures is ideal, at this granularity.
    pub(crate) fn vanish(&self, granularity: Granularity) -> bool {
        matches!(granularity, Granularity::Weight | Granularity::Filter)
            && self.supports_every_width()
            && self.element.planes_per_cycle == 1
            && self.zero_skipping(granularity) == natural_zero_skipping(granularity)
            && self.plane_skipping == PlaneSkipping::None
            && self.zero_activations == ZeroActivations::Compute
            && [self.fill_cycles_per_tile, self.fill_cycles_per_group, self.index_cycles_per_nonzero] == [0; 3]
            && self.energy == DepartureEnergies::default()
    }

    /// The departures as they hold for a layer: one that does not follow the pattern of [`ZeroSkipping::Pattern`], or of which
    /// the pattern keeps every weight, is computed whole, and has no index.
    pub(crate) fn of_layer(&self, codes: &CodeTensor) -> Cow<'_, Departures> {
        match self.zero_skipping {
            Some(ZeroSkipping::Pattern { keep, of }) if !pattern::saves(codes, keep, of) => Cow::Owned(Departures {
                zero_skipping: Some(ZeroSkipping::Pattern { keep: of, of }),
                index_bits_per_nonzero: 0,
                index_cycles_per_nonzero: 0,
                ..self.clone()
            }),
            Some(_) | None => Cow::Borrowed(self),
        }
    }

    /// Whether no width is rounded up.
    pub(crate) fn supports_every_width(&self) -> bool {
        self.supported_widths.is_empty() || (1..=Planes::MAX_WIDTH).all(|width| self.supported_widths.contains(&width))
    }

    /// Which weights take no cycle.
    pub(crate) fn zero_skipping(&self, granularity: Granularity) -> ZeroSkipping {
        self.zero_skipping.unwrap_or(natural_zero_skipping(granularity))
    }

    /// Whose planes are useful, which means that the ideal executes them too.
    pub(crate) fn useful_granularity(&self, granularity: Granularity) -> Granularity {
        match (granularity, self.zero_skipping(granularity)) {
            (Granularity::Weight, _) | (_, ZeroSkipping::Weights | ZeroSkipping::Pattern { .. }) => Granularity::Weight,
            (
                Granularity::Filter | Granularity::Layer | Granularity::Fixed(_),
                ZeroSkipping::None | ZeroSkipping::Filters,
            ) => Granularity::Filter,
        }
    }

    /// Refuses what no array can be, or what contradicts itself.
    pub(crate) fn check(&self, spec: &ArraySpec) -> Result<(), DigitalError> {
        let problem = self
            .width_problem(spec.granularity)
            .or_else(|| self.element_problem(spec.granularity))
            .or_else(|| self.index_problem(spec.granularity))
            .or_else(|| self.pattern_problem())
            .or_else(|| self.number_problem())
            .or_else(|| self.buffer_problem());
        match problem {
            Some(problem) => Err(DigitalError::Departure { array: spec.name.clone(), problem }),
            None => Ok(()),
        }
    }

    fn width_problem(&self, granularity: Granularity) -> Option<String> {
        let max = Planes::MAX_WIDTH;
        let widths = &self.supported_widths;
        let fixed = match granularity {
            Granularity::Fixed(width) => Some(width),
            Granularity::Weight | Granularity::Filter | Granularity::Layer => None,
        };
        if let Some(width) = fixed.filter(|width| !(1..=max).contains(width)) {
            return Some(format!("fixed_width_bits is {width}; expected 1 to {max}"));
        }
        if fixed.is_some() && !widths.is_empty() {
            return Some("supported_widths_bits has no meaning beside a fixed width".to_string());
        }
        let ascending = widths.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || widths.iter().any(|width| !(1..=max).contains(width)) {
            return Some(format!("supported_widths_bits is {widths:?}; expected ascending widths of 1 to {max}"));
        }
        let own_widths = granularity == Granularity::Weight && widths.is_empty();
        (self.plane_skipping != PlaneSkipping::None && !own_widths).then(|| {
            "plane_skipping needs width_granularity \"weight\" and no supported_widths_bits: what steps through digits has \
             no width"
                .to_string()
        })
    }

    fn element_problem(&self, granularity: Granularity) -> Option<String> {
        let Element { planes_per_cycle, splits } = self.element;
        if !(1..=Planes::MAX_WIDTH).contains(&planes_per_cycle) {
            return Some(format!("planes_per_cycle is {planes_per_cycle}; expected 1 to {}", Planes::MAX_WIDTH));
        }
        if !splits {
            return None;
        }
        if planes_per_cycle == 1 {
            return Some("split_elements needs planes_per_cycle of 2 at least".to_string());
        }
        if granularity == Granularity::Weight {
            return Some(
                "split_elements needs a width that weights share, not width_granularity \"weight\"".to_string(),
            );
        }
        (self.zero_activations != ZeroActivations::Compute)
            .then(|| "split_elements needs zero_activations \"compute\": the weights of a cycle share it".to_string())
    }

    fn index_problem(&self, granularity: Granularity) -> Option<String> {
        let (bits, cycles) = (self.index_bits_per_nonzero, self.index_cycles_per_nonzero);
        for (key, value) in [("index_bits_per_nonzero", bits), ("index_cycles_per_nonzero", cycles)] {
            if value > MAX_INDEX {
                return Some(format!("{key} is {value}; expected 0 to {MAX_INDEX}"));
            }
            let says_which = match self.zero_skipping(granularity) {
                ZeroSkipping::Weights | ZeroSkipping::Pattern { .. } => true,
                ZeroSkipping::None | ZeroSkipping::Filters => false,
            };
            if value > 0 && !says_which {
                return Some(format!("{key} is {value}, but needs zero_skipping \"weights\" or a pattern, as \"2:4\""));
            }
        }
        (bits == 0 && self.energy.index_bit.0 != 0.0)
            .then(|| "index_j_per_bit needs index_bits_per_nonzero of 1 at least".to_string())
    }

    fn pattern_problem(&self) -> Option<String> {
        let Some(ZeroSkipping::Pattern { keep, of }) = self.zero_skipping else { return None };
        let is_one = (1..of).contains(&keep) && of <= MAX_PATTERN;
        let expected = format!("expected N:M with N from 1 to M - 1 and M up to {MAX_PATTERN}");
        (!is_one).then(|| format!("zero_skipping is {keep}:{of}; {expected}"))
    }

    fn number_problem(&self) -> Option<String> {
        let fills = [
            ("fill_cycles_per_tile", self.fill_cycles_per_tile),
            ("fill_cycles_per_group", self.fill_cycles_per_group),
        ];
        if let Some((key, value)) = fills.into_iter().find(|(_, value)| *value > MAX_FILL_CYCLES) {
            return Some(format!("{key} is {value}; expected 0 to {MAX_FILL_CYCLES}"));
        }
        let energy = &self.energy;
        let energies = [
            ("idle_j_per_pe_cycle", energy.idle_pe_cycle),
            ("control_j_per_array_cycle", energy.array_cycle),
            ("control_j_per_row_cycle", energy.row_cycle),
            ("index_j_per_bit", energy.index_bit),
            ("weight_fetch_j_per_bit", energy.weight_bit),
            ("activation_fetch_j_per_bit", energy.activation_bit),
            ("partial_sum_j_per_bit", energy.partial_sum_bit),
        ];
        let wrong = energies.into_iter().find(|(_, Joules(joules))| !(joules.is_finite() && *joules >= 0.0));
        wrong.map(|(key, Joules(joules))| format!("{key} is {joules}; expected joules, finite and not negative"))
    }

    fn buffer_problem(&self) -> Option<String> {
        let Buffers { weight_bits_per_row, activation_bits, bits_per_activation, bits_per_partial_sum } = self.buffers;
        let sizes = [("weight_buffer_bits_per_row", weight_bits_per_row), ("activation_buffer_bits", activation_bits)];
        for (key, size) in sizes {
            if let Some(bits) = size.filter(|bits| !(1..=MAX_BUFFER_BITS).contains(bits)) {
                return Some(format!("{key} is {bits}; expected 1 to {MAX_BUFFER_BITS}"));
            }
        }
        let words = [
            ("bits_per_activation", bits_per_activation, "activation_fetch_j_per_bit", self.energy.activation_bit),
            ("bits_per_partial_sum", bits_per_partial_sum, "partial_sum_j_per_bit", self.energy.partial_sum_bit),
        ];
        for (key, bits, energy_key, energy) in words {
            if bits > 64 {
                return Some(format!("{key} is {bits}; expected 1 to 64"));
            }
            if bits == 0 && energy.0 > 0.0 {
                return Some(format!("{energy_key} needs {key} of 1 to 64"));
            }
        }
        (activation_bits.is_some() && bits_per_activation == 0)
            .then(|| "activation_buffer_bits needs bits_per_activation of 1 to 64".to_string())
    }
}

/// The zero skipping of the ideal array.
fn natural_zero_skipping(granularity: Granularity) -> ZeroSkipping {
    match granularity {
        Granularity::Weight => ZeroSkipping::Weights,
        Granularity::Filter | Granularity::Layer | Granularity::Fixed(_) => ZeroSkipping::Filters,
    }
}
