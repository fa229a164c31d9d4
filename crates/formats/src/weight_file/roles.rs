//! Which tensors of a file without a graph are layers. Patterns of the user decide, else names and shapes.

use std::collections::{BTreeMap, HashMap};

use network::{Mend, Note, NoteKind};

use super::WeightTensor;
use super::quantizer::{is_named_as_state, is_state};
use crate::names::{few, listed};
use crate::options::ReadOptions;
use crate::reading::fault::{Fault, unsupported};

/// Names of features that training stores.
const FEATURES: [&str; 6] = ["queue", "memory_bank", "feature_bank", "features_bank", "prototypes", "centroids"];

/// Names of tokens and positions, which are added to activations.
const ADDED: [&str; 12] = [
    "cls_token",
    "dist_token",
    "mask_token",
    "class_token",
    "class_embedding",
    "pos_embed",
    "pos_embedding",
    "position_embedding",
    "positional_embedding",
    "absolute_pos_embed",
    "relative_position_bias_table",
    "relative_position_index",
];

/// What the names of factors of each channel begin with.
const FACTORS: [&str; 5] = ["gamma", "gain", "layer_scale", "layerscale", "lambda"];

/// Names of biases, of what normalization multiplies with and adds, and of copies that Keras keeps, whatever their shape.
const BESIDE: [&str; 8] =
    ["bias", "gamma", "beta", "alpha", "moving_mean", "moving_variance", "vector_u", "kernel_of_layer"];

/// Words in the names of tables, such as embeddings: their rows are looked up, not multiplied.
const TABLES: [&str; 4] = ["embed", "wte", "wpe", "position"];

/// What is decided of a tensor and told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Decision {
    NotNamed,
    Feature,
    Added,
    Factor,
    Beside,
    Mask,
    State,
    Table,
    Convolution,
}

impl Decision {
    /// Whether the tensor is a layer all the same.
    pub(super) fn is_layer(self) -> bool {
        match self {
            Self::Table | Self::Convolution => true,
            Self::NotNamed | Self::Feature | Self::Added | Self::Factor | Self::Beside => false,
            Self::Mask | Self::State => false,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::NotNamed => "not among the layers that are named",
            Self::Feature => "by the name features that training stored, and no layer",
            Self::Added => "by the name a token or positions, which are added, and no layer",
            Self::Factor => "by name and shape a factor of each channel, and no layer",
            Self::Beside => "by the name a bias, a factor or a statistic, and no layer",
            Self::Mask => "by the name a mask, and no layer",
            Self::State => "by name and shape state of a quantizer, and no layer",
            Self::Table => "by the name a table that is looked up; it is costed as a layer",
            Self::Convolution => "by the shape a convolution, whatever the name says; it is costed as a layer",
        }
    }
}

/// Whether a tensor holds features that training stored. A module of that name has weights as any other.
pub(super) fn is_feature(name: &str) -> bool {
    let last = last(name);
    FEATURES.contains(&last.as_str()) || last.starts_with("queue_") || last.ends_with("_queue")
}

/// What has been decided of the tensors of a file.
pub(super) struct Roles<'a> {
    patterns: &'a [String],
    /// Whether each name of the same elements is a layer: with a topology each has its own positions.
    each_name_counts: bool,
    decided: BTreeMap<Decision, Vec<String>>,
    /// The first tensor at each place, with its shape.
    first: HashMap<(*const u8, usize, &'a [usize]), &'a WeightTensor>,
    /// Further names of the same elements.
    tied: Vec<String>,
}

impl<'a> Roles<'a> {
    /// Refuses a pattern that no name matches.
    pub(super) fn new(tensors: &[WeightTensor], options: &'a ReadOptions) -> Result<Self, Fault> {
        let is_needless = |pattern: &&String| !tensors.iter().any(|tensor| matches(pattern, &tensor.name));
        if let Some(pattern) = options.layers.iter().find(is_needless) {
            let names: Vec<String> = tensors.iter().map(|tensor| tensor.name.clone()).collect();
            return Err(unsupported!("no tensor has a name like {pattern:?}; it has {}", few(&names)));
        }
        Ok(Self {
            patterns: &options.layers,
            each_name_counts: options.topology.is_some(),
            decided: BTreeMap::new(),
            first: HashMap::new(),
            tied: Vec::new(),
        })
    }

    /// What is decided of a tensor of two axes or more; `None` of a layer that nothing is told of.
    pub(super) fn decide(&self, tensor: &WeightTensor) -> Option<Decision> {
        match self.patterns {
            [] => by_name_and_shape(&tensor.name, &tensor.shape),
            patterns => {
                let is_named = patterns.iter().any(|pattern| matches(pattern, &tensor.name));
                (!is_named).then_some(Decision::NotNamed)
            }
        }
    }

    /// Tells a decision, once the tensor has become what it says.
    pub(super) fn tell(&mut self, decision: Decision, tensor: &WeightTensor) {
        self.decided.entry(decision).or_default().push(tensor.name.clone());
    }

    /// Whether a layer is one already under another name: PyTorch saves tied weights once, and names them twice.
    pub(super) fn is_counted(&mut self, tensor: &'a WeightTensor) -> bool {
        let [elements] = tensor.tensor.chunks.as_slice() else { return false };
        let place = (elements.as_ptr(), elements.len(), tensor.shape.as_slice());
        let first = *self.first.entry(place).or_insert(tensor);
        let is_same = first.name != tensor.name
            && first.tensor.data_type == tensor.tensor.data_type
            && first.transforms == tensor.transforms
            && first.quantization == tensor.quantization;
        if is_same {
            self.tied.push(format!("{:?} is {:?}", tensor.name, first.name));
        }
        is_same && !self.each_name_counts
    }

    /// What a user should know of the decisions.
    pub(super) fn notes(&self) -> Vec<Note> {
        let decided = self.decided.iter().map(|(decision, names)| {
            let note = Note::new(NoteKind::Assumed, format!("{}: {}", few(names), decision.text()));
            if *decision == Decision::NotNamed { note } else { note.mended_by(Mend::NameLayers) }
        });
        // Where each name is a layer, a note says so of layers.
        let tied = (!self.each_name_counts && !self.tied.is_empty()).then(|| {
            let counted = "they count once, and a file that is written has them once";
            Note::new(NoteKind::LeftOut, format!("names of the same elements: {}; {counted}", listed(&self.tied)))
        });
        decided.chain(tied).collect()
    }
}

/// Whether a tensor is no layer by its name and shape.
pub(super) fn is_no_layer(name: &str, shape: &[usize]) -> bool {
    by_name_and_shape(name, shape).is_some_and(|decision| !decision.is_layer())
}

fn by_name_and_shape(name: &str, shape: &[usize]) -> Option<Decision> {
    if is_feature(name) {
        return Some(Decision::Feature);
    }
    if ADDED.contains(&last(name).as_str()) {
        return Some(Decision::Added);
    }
    // A matrix `x.weight` of one row is a product with one output.
    let module = name.strip_suffix(".weight").filter(|_| shape.len() > 2).unwrap_or(name);
    let is_vector = shape.iter().filter(|&&extent| extent > 1).count() <= 1;
    if is_state(name) || (is_vector && is_named_as_state(name)) {
        return Some(Decision::State);
    }
    if last(name) == "mask" || last(name).ends_with("_mask") {
        return Some(Decision::Mask);
    }
    let is_factor = FACTORS.iter().any(|word| last(module).starts_with(word));
    if is_factor && is_vector {
        return Some(Decision::Factor);
    }
    if BESIDE.contains(&last(name).as_str()) {
        return Some(Decision::Beside);
    }
    let lower = name.to_lowercase();
    let is_table = TABLES.iter().any(|word| lower.contains(word));
    is_table.then_some(if shape.len() == 2 { Decision::Table } else { Decision::Convolution })
}

/// The last part of a name in small letters.
fn last(name: &str) -> String {
    name.rsplit(['.', '/']).next().unwrap_or_default().to_lowercase()
}

/// Whether a pattern matches a whole name: `*` stands for any text, `?` for any character.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    // After a mismatch the last star takes one character more.
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match (pattern.get(p), star) {
            (Some('*'), _) => {
                star = Some((p, n));
                p += 1;
            }
            (Some(&c), _) if c == '?' || c == name[n] => (p, n) = (p + 1, n + 1),
            (_, Some((at, taken))) => {
                star = Some((at, taken + 1));
                (p, n) = (at + 1, taken + 1);
            }
            (_, None) => return false,
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::{Decision, by_name_and_shape, matches};

    #[test]
    fn patterns_match_whole_names() {
        let cases = [
            ("*.weight", "conv.weight", true),
            ("conv?.weight", "conv1.weight", true),
            ("conv?.weight", "conv.weight", false),
            ("*a*b", "xaabab", true),
            ("a*", "ba", false),
            ("*", "", true),
            ("", "a", false),
            ("??", "éà", true),
        ];
        testkit::check_all(cases, |(pattern, name, expected)| assert_eq!(matches(pattern, name), *expected));
    }

    #[test]
    fn names_and_shapes_decide() {
        let cases: [(&str, &[usize], Option<Decision>); 19] = [
            ("module.queue", &[16, 64], Some(Decision::Feature)),
            ("text_queue", &[16, 64], Some(Decision::Feature)),
            ("prototypes.weight", &[30, 16], None),
            ("cls_token", &[1, 1, 8], Some(Decision::Added)),
            ("pos_embed", &[1, 5, 8], Some(Decision::Added)),
            ("attn.relative_position_bias_table", &[49, 4], Some(Decision::Added)),
            ("blocks.0.gamma", &[8, 1, 1], Some(Decision::Factor)),
            ("blocks.0.layer_scale", &[8, 1, 1], Some(Decision::Factor)),
            ("layer_scale_1.weight", &[8, 1, 1], Some(Decision::Factor)),
            ("lambda.weight", &[1, 8], None),
            ("gamma", &[8, 4], Some(Decision::Beside)),
            ("gamma_net.weight", &[8, 4], None),
            ("gru.bias", &[2, 12], Some(Decision::Beside)),
            ("attn.bias", &[1, 1, 8, 8], Some(Decision::Beside)),
            ("patch_embed.proj.weight", &[8, 3, 4, 4], Some(Decision::Convolution)),
            ("embed.weight", &[100, 8], Some(Decision::Table)),
            ("fc.weight", &[1, 8], None),
            ("conv.weight", &[8, 1, 1], None),
            ("tokens.weight", &[8, 4], None),
        ];
        testkit::check_all(cases, |(name, shape, expected)| {
            assert_eq!(by_name_and_shape(name, shape), *expected, "{name}");
        });
    }
}
