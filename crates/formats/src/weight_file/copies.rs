//! Copies of one network in a file: averages of its weights, teachers, targets, encoders of keys. One of them is taken.
//!
//! Blocks of one network have equal shapes as well, and so have the queries and keys of attention. Names and shapes
//! together tell a copy: its name is one that training scripts give to copies, and the module beside it holds each of
//! its weights under the same name and in the same shape.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use network::{Mend, Note, NoteKind};

use super::{Content, WeightTensor};
use crate::names::{common_prefix, few, listed, tensors};
use crate::reading::fault::{Fault, unsupported};

/// Words in names that copies have and nothing else.
const COPIES: [&str; 6] = ["ema", "teacher", "swa", "averaged", "shadow", "momentum"];

/// Words that mean a copy beside one of [`NETWORKS`] only: keys of attention are no copy of its queries, and words of the
/// target language none of those of the source.
const DOUBTFUL: [&str; 3] = ["k", "key", "target"];

/// Words for a whole network.
const NETWORKS: [&str; 9] = ["net", "network", "model", "encoder", "backbone", "critic", "actor", "policy", "q"];

/// What a parallel model wraps a network in. Beside the network's own tensors it is a copy.
const WRAPPER: &str = "module";

/// Copies lie below so many modules at most, and there are so many of them at most. A hostile file could have a million.
const MAX_DEPTH: usize = 4;
const MAX_COPIES: usize = 64;

/// The tensors under the module `state`, or all but copies. A note names the others.
pub(super) fn one_network(found: Content, state: Option<&str>) -> Result<Content, Fault> {
    match state {
        Some(state) => under(found, state),
        None => Ok(without_copies(found)),
    }
}

/// The tensors under a module, wherever it lies.
fn under(mut found: Content, state: &str) -> Result<Content, Fault> {
    let within = format!(".{state}.");
    let all = std::mem::take(&mut found.tensors);
    let prefix = common_prefix(all.iter().map(|tensor| tensor.name.as_str()));
    let module = |tensor: &WeightTensor| tensor.name[prefix..].split('.').next().unwrap_or_default().to_string();
    let (taken, left): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|tensor| format!(".{}", tensor.name).contains(&within));
    let mut modules: BTreeMap<String, Vec<WeightTensor>> = BTreeMap::new();
    left.into_iter().for_each(|tensor| modules.entry(module(&tensor)).or_default().push(tensor));
    if taken.is_empty() {
        let names: Vec<String> = modules.into_keys().collect();
        return Err(unsupported!("no tensor stands under {state:?}; they stand under {}", few(&names)));
    }
    if !modules.is_empty() {
        let sizes: Vec<String> = modules.iter().map(|(name, tensors)| size(name, tensors.iter())).collect();
        let text = format!("weights are those under {state:?}; left out are those under {}", listed(&sizes));
        found.notes.push(Note::new(NoteKind::LeftOut, text));
    }
    Ok(Content { tensors: taken, ..found })
}

fn without_copies(mut found: Content) -> Content {
    for copy in named_as_copies(&found.tensors) {
        let Some(original) = original(&found.tensors, &copy) else { continue };
        let start = format!("{copy}.");
        let (copied, rest): (Vec<_>, Vec<_>) =
            found.tensors.into_iter().partition(|tensor| tensor.name.starts_with(&start));
        found.tensors = rest;
        let original = original.map_or("the weights beside it".to_string(), |name| format!("{name:?}"));
        let text = format!("{} is a copy of {original}; it is left out", size(&copy, copied.iter()));
        found.notes.push(Note::new(NoteKind::LeftOut, text).mended_by(Mend::NameState));
    }
    found
}

/// The name of a module and its size, as messages show them: `"ema" (4 tensors, 296 weights)`.
fn size<'a>(name: &str, all: impl ExactSizeIterator<Item = &'a WeightTensor>) -> String {
    let count = tensors(all.len());
    let weights: usize = all.filter(|tensor| is_weight(tensor)).map(|tensor| tensor.tensor.element_count()).sum();
    format!("{name:?} ({count}, {weights} weights)")
}

/// Whether a tensor may be a layer: biases and counters of a copy may differ from those of its original.
fn is_weight(tensor: &WeightTensor) -> bool {
    tensor.shape.len() >= 2
}

/// Modules whose names are those of copies, in the order of the file.
fn named_as_copies(tensors: &[WeightTensor]) -> Vec<String> {
    let mut seen = HashSet::new();
    let named = tensors.iter().flat_map(|tensor| copies_above(&tensor.name));
    named.filter(|copy| seen.insert(*copy)).take(MAX_COPIES).map(str::to_string).collect()
}

/// The modules on the way to a tensor whose names are those of copies.
fn copies_above(name: &str) -> impl Iterator<Item = &str> {
    let modules = name.match_indices('.').take(MAX_DEPTH).map(|(end, _)| &name[..end]);
    modules.filter(|module| {
        let last = module.rsplit('.').next().unwrap_or_default();
        last == WRAPPER || is_named_as_copy(last)
    })
}

fn is_named_as_copy(module: &str) -> bool {
    let lower = module.to_lowercase();
    let any = |of: &[&str]| lower.split('_').any(|word| of.contains(&word));
    any(&COPIES) || (any(&DOUBTFUL) && any(&NETWORKS)) || lower == "target"
}

/// The module beside `copy` that holds each of its weights: `Some(None)` where they stand beside it without a module.
#[allow(clippy::option_option, reason = "an original without a name is an original")]
fn original(tensors: &[WeightTensor], copy: &str) -> Option<Option<String>> {
    let parent = copy.rfind('.').map_or("", |dot| &copy[..=dot]);
    let own = &copy[parent.len()..];
    let mut modules: BTreeMap<&str, HashMap<String, &[usize]>> = BTreeMap::new();
    let mut copied = Vec::new();
    for tensor in tensors.iter().filter(|tensor| is_weight(tensor)) {
        let Some(within) = tensor.name.strip_prefix(parent) else { continue };
        let (module, rest) = within.split_once('.').unwrap_or(("", within));
        if module == own {
            copied.push((plain(rest), tensor.shape.as_slice()));
            continue;
        }
        modules.entry("").or_default().insert(plain(within), &tensor.shape);
        if !module.is_empty() && !is_named_as_copy(module) && own != WRAPPER {
            modules.entry(module).or_default().insert(plain(rest), &tensor.shape);
        }
    }
    let holds =
        |weights: &HashMap<String, &[usize]>| copied.iter().all(|(name, shape)| weights.get(name) == Some(shape));
    let found = modules.iter().filter(|(_, weights)| !copied.is_empty() && holds(weights));
    let likest = found.map(|(module, _)| *module).min_by_key(|module| Reverse(shared_ends(module, own)));
    likest.map(|module| (!module.is_empty()).then(|| format!("{parent}{module}")))
}

/// How many characters two names begin with or end with alike: `g_ema` is a copy of `g` rather than of `d`.
fn shared_ends(a: &str, b: &str) -> usize {
    let starts = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    starts + a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count()
}

/// A name without wrappers and dots, which some averages leave out of the names of their weights.
fn plain(name: &str) -> String {
    let mut name = name;
    while let Some(inner) = ["module.", "_orig_mod."].into_iter().find_map(|wrapper| name.strip_prefix(wrapper)) {
        name = inner;
    }
    name.replace('.', "")
}

#[cfg(test)]
mod tests {
    use super::copies_above;

    #[test]
    fn names_of_copies_are_known() {
        let cases: [(&str, &[&str]); 12] = [
            ("ema.conv.weight", &["ema"]),
            ("module.encoder_k.conv.weight", &["module", "module.encoder_k"]),
            ("net.key_encoder.conv.weight", &["net.key_encoder"]),
            ("g_ema.conv.weight", &["g_ema"]),
            ("model_ema.convweight", &["model_ema"]),
            ("teacher.conv.weight", &["teacher"]),
            ("target_net.conv.weight", &["target_net"]),
            ("actor_target.0.weight", &["actor_target"]),
            ("attention.k.weight", &[]),
            ("layer.0.attention.self.key.weight", &[]),
            ("target_embed.weight", &[]),
            ("ema", &[]),
        ];
        testkit::check_all(cases, |(name, expected)| {
            assert_eq!(copies_above(name).collect::<Vec<_>>(), *expected, "{name}");
        });
    }
}
