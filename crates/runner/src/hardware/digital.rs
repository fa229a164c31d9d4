//! Descriptions of digital engines.

use digital::{
    ArraySpec, Barrier, Buffers, DepartureEnergies, Departures, DigitalArray, Element, Granularity, PlaneSkipping,
    Schedule, ZeroActivations, ZeroSkipping,
};
use engine::Joules;
use serde::{Deserialize, Serialize};

use super::{EngineKind, Hardware, HardwareFile, Metric, check_name, clock, count, energy};

/// Description of a digital engine. Every key that is optional and left out stands for the ideal.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DigitalFile {
    /// Name in reports.
    pub name: String,
    /// `"digital"`.
    pub engine: EngineKind,
    /// Its array.
    pub array: DigitalArrayFile,
    /// Its buffers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buffers: Option<DigitalBuffersFile>,
    /// Clock in hertz; left out, latency is cycles alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_hz: Option<f64>,
    /// Its energies.
    pub energy: DigitalEnergyFile,
}

/// The array of the digital engine.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DigitalArrayFile {
    /// Rows of processing elements.
    pub rows: u64,
    /// Processing elements of a row.
    pub pes_per_row: u64,
    /// Whose bit width a weight takes.
    pub width_granularity: WidthGranularity,
    /// The width of every weight, where the granularity is `"fixed"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed_width_bits: Option<u64>,
    /// Widths that elements can be set to, ascending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supported_widths_bits: Option<Vec<u64>>,
    /// Planes that an element takes in a cycle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planes_per_cycle: Option<u64>,
    /// Whether an element splits to take several narrow weights in a cycle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_elements: Option<bool>,
    /// Which weights take no cycle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zero_skipping: Option<ZeroSkippingWord>,
    /// Which planes take no cycle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plane_skipping: Option<PlaneSkippingWord>,
    /// What is done with zero activations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zero_activations: Option<ZeroActivationsWord>,
    /// In which order filters go to the rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleWord>,
    /// Where rows wait for one another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub barrier: Option<BarrierWord>,
    /// Idle cycles of a row at the start of a tile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fill_cycles_per_tile: Option<u64>,
    /// Idle cycles of a row at the start of a group of positions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fill_cycles_per_group: Option<u64>,
    /// Bits that say where a nonzero weight stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index_bits_per_nonzero: Option<u64>,
    /// Idle cycles of a row to decode them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index_cycles_per_nonzero: Option<u64>,
}

/// Buffers of the digital engine, and the sizes of what is fetched.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DigitalBuffersFile {
    /// Weight buffer of a row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_buffer_bits_per_row: Option<u64>,
    /// Activation buffer of the array.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation_buffer_bits: Option<u64>,
    /// Size of an activation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_per_activation: Option<u64>,
    /// Size of a partial sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_per_partial_sum: Option<u64>,
}

/// Energies of the digital engine.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DigitalEnergyFile {
    /// Whether the energies are in units of a choice and no joules.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub normalized: bool,
    /// Joules of one processing element for one bit plane.
    pub mac_j_per_pe_cycle: f64,
    /// Joules of an idle element in a cycle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_j_per_pe_cycle: Option<f64>,
    /// Joules of the array's control in a cycle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_j_per_array_cycle: Option<f64>,
    /// Joules of an active row's control in a cycle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_j_per_row_cycle: Option<f64>,
    /// Joules of decoding one bit of an index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index_j_per_bit: Option<f64>,
    /// Joules of fetching one bit of a weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_fetch_j_per_bit: Option<f64>,
    /// Joules of fetching one bit of an activation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation_fetch_j_per_bit: Option<f64>,
    /// Joules of moving one bit of a partial sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partial_sum_j_per_bit: Option<f64>,
}

/// Whose bit width a weight takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WidthGranularity {
    /// Its own.
    Weight,
    /// The largest of its filter.
    Filter,
    /// The largest of its layer.
    Layer,
    /// That of `fixed_width_bits`.
    Fixed,
}

/// Which weights take no cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum ZeroSkippingWord {
    /// None.
    None,
    /// Those of pruned filters and channels.
    Filters,
    /// Every weight that is zero.
    Weights,
    /// All but N of every M neighbouring ones along input channels, in layers that follow the pattern: `"2:4"`.
    Pattern(u32, u32),
}

impl TryFrom<String> for ZeroSkippingWord {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let pattern = |text: &str| {
            let (keep, of) = text.split_once(':')?;
            let is_number = |text: &str| !text.starts_with('0') && text.bytes().all(|digit| digit.is_ascii_digit());
            let both = is_number(keep) && is_number(of);
            both.then_some(ZeroSkippingWord::Pattern(keep.parse().ok()?, of.parse().ok()?))
        };
        match text.as_str() {
            "none" => Ok(ZeroSkippingWord::None),
            "filters" => Ok(ZeroSkippingWord::Filters),
            "weights" => Ok(ZeroSkippingWord::Weights),
            other => pattern(other).ok_or_else(|| {
                format!("unknown variant `{other}`, expected `none`, `filters`, `weights` or a pattern `N:M`")
            }),
        }
    }
}

impl From<ZeroSkippingWord> for String {
    fn from(word: ZeroSkippingWord) -> String {
        match word {
            ZeroSkippingWord::None => "none".to_string(),
            ZeroSkippingWord::Filters => "filters".to_string(),
            ZeroSkippingWord::Weights => "weights".to_string(),
            ZeroSkippingWord::Pattern(keep, of) => format!("{keep}:{of}"),
        }
    }
}

/// Which planes take no cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlaneSkippingWord {
    /// None.
    None,
    /// Zero bits of the magnitude.
    ZeroPlanes,
    /// Zero digits of the canonical signed digit form.
    Csd,
}

/// What is done with zero activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ZeroActivationsWord {
    /// They are computed.
    Compute,
    /// They cost no energy.
    Gate,
    /// They cost no energy, and no time where a row has no other.
    Skip,
}

/// In which order filters go to the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleWord {
    /// In turn.
    InOrder,
    /// The longest to the row that is free first.
    LongestFirst,
}

/// Where rows wait for one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BarrierWord {
    /// Nowhere.
    None,
    /// After every filter.
    Filter,
    /// After every group of positions.
    Position,
}

impl DigitalFile {
    pub(super) fn build(self) -> Result<Hardware, String> {
        check_name(&self.name)?;
        let clock_hz = clock(self.clock_hz)?;
        let unit = energy("energy.mac_j_per_pe_cycle", self.energy.mac_j_per_pe_cycle)?;
        let (rows, pes) = (count("array.rows", self.array.rows)?, count("array.pes_per_row", self.array.pes_per_row)?);
        let (granularity, departures) = (self.array.granularity()?, self.departures()?);
        let spec = ArraySpec { name: self.name.clone(), rows, pes_per_row: pes, granularity, pe_cycle_energy: unit };
        let engine =
            DigitalArray::new(spec).and_then(|array| array.with_departures(departures)).map_err(|e| e.to_string())?;
        let metric = match engine.useful_granularity() {
            Granularity::Weight => Metric::EsnD,
            Granularity::Filter | Granularity::Layer | Granularity::Fixed(_) => Metric::EsnDFilter,
        };
        Ok(Hardware {
            ideal: engine.is_ideal(),
            engine: Box::new(engine),
            metric,
            unit,
            normalized: self.energy.normalized,
            clock_hz,
            resolved: HardwareFile::Digital(Box::new(self)),
        })
    }

    fn departures(&self) -> Result<Departures, String> {
        let array = &self.array;
        Ok(Departures {
            supported_widths: array.supported_widths()?,
            element: Element {
                planes_per_cycle: narrow("array.planes_per_cycle", array.planes_per_cycle.unwrap_or(1))?,
                splits: array.split_elements.unwrap_or(false),
            },
            zero_skipping: array.zero_skipping.map(ZeroSkippingWord::engine),
            plane_skipping: array.plane_skipping.map_or(PlaneSkipping::None, PlaneSkippingWord::engine),
            zero_activations: array.zero_activations.map_or(ZeroActivations::Compute, ZeroActivationsWord::engine),
            schedule: array.schedule.map_or(Schedule::InOrder, ScheduleWord::engine),
            barrier: array.barrier.map_or(Barrier::None, BarrierWord::engine),
            fill_cycles_per_tile: array.fill_cycles_per_tile.unwrap_or(0),
            fill_cycles_per_group: array.fill_cycles_per_group.unwrap_or(0),
            index_bits_per_nonzero: array.index_bits_per_nonzero.unwrap_or(0),
            index_cycles_per_nonzero: array.index_cycles_per_nonzero.unwrap_or(0),
            buffers: self.buffers.as_ref().map_or(Buffers::default(), DigitalBuffersFile::engine),
            energy: self.energy.departures(),
        })
    }
}

impl DigitalArrayFile {
    fn granularity(&self) -> Result<Granularity, String> {
        match (self.width_granularity, self.fixed_width_bits) {
            (WidthGranularity::Fixed, Some(width)) => Ok(Granularity::Fixed(narrow("array.fixed_width_bits", width)?)),
            (WidthGranularity::Fixed, None) => {
                Err("array.fixed_width_bits is missing; width_granularity \"fixed\" needs it".to_string())
            }
            (_, Some(_)) => Err("array.fixed_width_bits needs width_granularity \"fixed\"".to_string()),
            (WidthGranularity::Weight, None) => Ok(Granularity::Weight),
            (WidthGranularity::Filter, None) => Ok(Granularity::Filter),
            (WidthGranularity::Layer, None) => Ok(Granularity::Layer),
        }
    }

    fn supported_widths(&self) -> Result<Vec<u32>, String> {
        let Some(widths) = &self.supported_widths_bits else { return Ok(Vec::new()) };
        if widths.is_empty() {
            return Err("array.supported_widths_bits is empty; expected a width at least".to_string());
        }
        widths.iter().map(|&width| narrow("array.supported_widths_bits", width)).collect()
    }
}

impl DigitalBuffersFile {
    fn engine(&self) -> Buffers {
        Buffers {
            weight_bits_per_row: self.weight_buffer_bits_per_row,
            activation_bits: self.activation_buffer_bits,
            bits_per_activation: self.bits_per_activation.unwrap_or(0),
            bits_per_partial_sum: self.bits_per_partial_sum.unwrap_or(0),
        }
    }
}

impl DigitalEnergyFile {
    fn departures(&self) -> DepartureEnergies {
        let joules = |value: Option<f64>| Joules(value.unwrap_or(0.0));
        DepartureEnergies {
            idle_pe_cycle: joules(self.idle_j_per_pe_cycle),
            array_cycle: joules(self.control_j_per_array_cycle),
            row_cycle: joules(self.control_j_per_row_cycle),
            index_bit: joules(self.index_j_per_bit),
            weight_bit: joules(self.weight_fetch_j_per_bit),
            activation_bit: joules(self.activation_fetch_j_per_bit),
            partial_sum_bit: joules(self.partial_sum_j_per_bit),
        }
    }
}

impl ZeroSkippingWord {
    fn engine(self) -> ZeroSkipping {
        match self {
            ZeroSkippingWord::None => ZeroSkipping::None,
            ZeroSkippingWord::Filters => ZeroSkipping::Filters,
            ZeroSkippingWord::Weights => ZeroSkipping::Weights,
            ZeroSkippingWord::Pattern(keep, of) => ZeroSkipping::Pattern { keep, of },
        }
    }
}

impl PlaneSkippingWord {
    fn engine(self) -> PlaneSkipping {
        match self {
            PlaneSkippingWord::None => PlaneSkipping::None,
            PlaneSkippingWord::ZeroPlanes => PlaneSkipping::ZeroPlanes,
            PlaneSkippingWord::Csd => PlaneSkipping::Csd,
        }
    }
}

impl ZeroActivationsWord {
    fn engine(self) -> ZeroActivations {
        match self {
            ZeroActivationsWord::Compute => ZeroActivations::Compute,
            ZeroActivationsWord::Gate => ZeroActivations::Gate,
            ZeroActivationsWord::Skip => ZeroActivations::Skip,
        }
    }
}

impl ScheduleWord {
    fn engine(self) -> Schedule {
        match self {
            ScheduleWord::InOrder => Schedule::InOrder,
            ScheduleWord::LongestFirst => Schedule::LongestFirst,
        }
    }
}

impl BarrierWord {
    fn engine(self) -> Barrier {
        match self {
            BarrierWord::None => Barrier::None,
            BarrierWord::Filter => Barrier::Filter,
            BarrierWord::Position => Barrier::Position,
        }
    }
}

/// A number of bits or planes; the engine knows how many there may be.
fn narrow(key: &str, value: u64) -> Result<u32, String> {
    u32::try_from(value).map_err(|_| format!("{key} is {value}; expected a number of bits"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use testkit::check_all;

    use super::*;
    use crate::hardware::presets::IDEAL;

    fn parse(text: &str) -> Result<Hardware, String> {
        Hardware::parse(Path::new("h.toml"), text).map_err(|e| e.to_string())
    }

    /// The ideal description with lines in its array and energy sections, and a section of buffers.
    fn description(granularity: &str, array: &str, energy: &str, buffers: &str) -> String {
        let text = IDEAL[1]
            .1
            .replace("width_granularity = \"weight\"", &format!("width_granularity = {granularity:?}\n{array}"));
        format!("{text}{energy}\n[buffers]\n{buffers}\n")
    }

    #[test]
    fn a_hostile_description_is_refused_in_one_line_that_names_the_key() {
        let huge = 1u64 << 60;
        let array_lines = [
            ("weight", "fixed_width_bits = 4".to_string(), "fixed_width_bits"),
            ("fixed", String::new(), "fixed_width_bits"),
            ("fixed", "fixed_width_bits = 0".to_string(), "fixed_width_bits"),
            ("fixed", format!("fixed_width_bits = {huge}"), "fixed_width_bits"),
            ("fixed", "fixed_width_bits = 4\nsupported_widths_bits = [4]".to_string(), "supported_widths_bits"),
            ("weight", "supported_widths_bits = []".to_string(), "supported_widths_bits"),
            ("weight", "supported_widths_bits = [4, 2]".to_string(), "supported_widths_bits"),
            ("weight", "supported_widths_bits = [0, 2]".to_string(), "supported_widths_bits"),
            ("weight", format!("supported_widths_bits = [2, {huge}]"), "supported_widths_bits"),
            ("weight", "supported_widths_bits = [2, 2]".to_string(), "supported_widths_bits"),
            ("weight", "planes_per_cycle = 0".to_string(), "planes_per_cycle"),
            ("weight", format!("planes_per_cycle = {huge}"), "planes_per_cycle"),
            ("weight", "planes_per_cycle = 4\nsplit_elements = true".to_string(), "split_elements"),
            ("filter", "split_elements = true".to_string(), "split_elements"),
            (
                "filter",
                "planes_per_cycle = 4\nsplit_elements = true\nzero_activations = \"skip\"".to_string(),
                "split_elements",
            ),
            ("filter", "plane_skipping = \"csd\"".to_string(), "plane_skipping"),
            ("weight", "plane_skipping = \"csd\"\nsupported_widths_bits = [8]".to_string(), "plane_skipping"),
            ("filter", "index_bits_per_nonzero = 4".to_string(), "index_bits_per_nonzero"),
            (
                "weight",
                "zero_skipping = \"none\"\nindex_cycles_per_nonzero = 1".to_string(),
                "index_cycles_per_nonzero",
            ),
            ("weight", format!("index_bits_per_nonzero = {huge}"), "index_bits_per_nonzero"),
            ("weight", format!("fill_cycles_per_tile = {huge}"), "fill_cycles_per_tile"),
            ("weight", format!("fill_cycles_per_group = {huge}"), "fill_cycles_per_group"),
            ("weight", "fill_cycles_per_group = -1".to_string(), "line "),
            ("weight", "barrier = \"layer\"".to_string(), "layer"),
            (
                "weight",
                "zero_skipping = \"some\"".to_string(),
                "zero_skipping is \"some\"; expected none, filters, weights, N:M",
            ),
            ("weight", "zero_skipping = \"2:\"".to_string(), "zero_skipping is \"2:\"; expected none"),
            (
                "layer",
                "zero_skipping = \"4:4\"".to_string(),
                "zero_skipping is 4:4; expected N:M with N from 1 to M - 1",
            ),
            ("layer", "zero_skipping = \"0:4\"".to_string(), "zero_skipping is \"0:4\""),
            ("layer", "zero_skipping = \"1:4096\"".to_string(), "M up to 1024"),
        ];
        check_all(array_lines, |(granularity, array, key)| {
            refused(&description(granularity, array, "", ""), key);
        });
        let others = [
            ("idle_j_per_pe_cycle = nan", "", "idle_j_per_pe_cycle"),
            ("control_j_per_array_cycle = -1e-15", "", "control_j_per_array_cycle"),
            ("control_j_per_row_cycle = inf", "", "control_j_per_row_cycle"),
            ("index_j_per_bit = 1e-15", "", "index_j_per_bit"),
            ("activation_fetch_j_per_bit = 1e-15", "", "activation_fetch_j_per_bit"),
            ("partial_sum_j_per_bit = 1e-15", "", "partial_sum_j_per_bit"),
            ("", "weight_buffer_bits_per_row = 0", "weight_buffer_bits_per_row"),
            ("", "activation_buffer_bits = 1152921504606846976", "activation_buffer_bits"),
            ("", "activation_buffer_bits = 8", "activation_buffer_bits"),
            ("", "bits_per_activation = 65", "bits_per_activation"),
            ("", "bytes = 65", "bytes"),
        ];
        check_all(others, |&(energy, buffers, key)| {
            refused(&description("weight", "", energy, buffers), key);
        });
    }

    fn refused(text: &str, key: &str) {
        let message = parse(text).err().unwrap_or_else(|| panic!("accepted: {text}"));
        assert!(message.starts_with("h.toml: ") && !message.contains('\n'), "{message}");
        assert!(message.contains(key), "{message:?} should name {key:?}");
    }

    #[test]
    fn what_is_spelled_out_at_its_default_is_ideal() {
        let array = "planes_per_cycle = 1\nsplit_elements = false\nzero_skipping = \"weights\"\nplane_skipping = \"none\"\n\
             zero_activations = \"compute\"\nschedule = \"in-order\"\nbarrier = \"none\"\nfill_cycles_per_tile = 0\n\
             fill_cycles_per_group = 0\nindex_bits_per_nonzero = 0\nindex_cycles_per_nonzero = 0";
        let energy = "idle_j_per_pe_cycle = 0.0\ncontrol_j_per_array_cycle = 0.0\ncontrol_j_per_row_cycle = 0.0\n\
             index_j_per_bit = 0.0\nweight_fetch_j_per_bit = 0.0\nactivation_fetch_j_per_bit = 0.0\n\
             partial_sum_j_per_bit = 0.0";
        let buffers = "weight_buffer_bits_per_row = 1024\nactivation_buffer_bits = 1024\nbits_per_activation = 8\n\
             bits_per_partial_sum = 32";
        assert!(parse(&description("weight", array, energy, buffers)).expect("valid").ideal);
        assert!(!parse(&description("weight", "fill_cycles_per_tile = 1", "", "")).expect("valid").ideal);
    }

    #[test]
    fn the_metric_follows_what_is_skipped() {
        let metric = |granularity, array| parse(&description(granularity, array, "", "")).expect("valid").metric;
        assert_eq!(metric("weight", "zero_skipping = \"none\""), Metric::EsnD);
        assert_eq!(metric("layer", "zero_skipping = \"weights\""), Metric::EsnD);
        assert_eq!(metric("layer", "zero_skipping = \"2:4\""), Metric::EsnD);
        assert_eq!(metric("layer", ""), Metric::EsnDFilter);
        assert_eq!(metric("fixed", "fixed_width_bits = 8"), Metric::EsnDFilter);
    }
}
