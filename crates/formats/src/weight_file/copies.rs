//! Copies of one network in a file: averages of its weights, teachers, targets, encoders of keys. One of them is taken.
//!
//! Blocks of one network have equal shapes as well, and so have the queries and keys of attention. Names and shapes
//! together tell a copy: its name is one that training scripts give to copies, and the module beside it holds each of
//! its weights under the same name and in the same shape. Where a name may mean something else, the name of the module beside
//! it has to be the other one of the pair.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use network::{Mend, Note, NoteKind};

use super::{Content, WeightTensor};
use crate::names::{common_prefix, few, listed, tensors};
use crate::reading::fault::{Fault, unsupported};

/// Words in names that copies have and nothing else.
const COPIES: [&str; 6] = ["ema", "teacher", "swa", "averaged", "shadow", "momentum"];

/// Words that mean a copy beside a module whose name has one of the other words in their place: keys of attention are no copy
/// of its queries, and an encoder of the target language is none of that of the source.
const DOUBTFUL: [(&str, &[&str]); 3] = [("k", &["q"]), ("key", &["query"]), (TARGET, &["online", "policy", "main"])];

/// Beside this word the other name may also be without it: `critic_target` is a copy of `critic`.
const TARGET: &str = "target";

/// Words for a whole network. Heads of attention have networks of keys, but no encoders.
const NETWORKS: [&str; 9] = ["net", "network", "model", "encoder", "backbone", "critic", "actor", "policy", "q"];
const ENCODERS: [&str; 2] = ["encoder", "backbone"];

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

/// The tensors under a module, wherever it lies. Where several have its name, which of them is meant is not clear.
fn under(mut found: Content, state: &str) -> Result<Content, Fault> {
    let within = format!(".{state}.");
    // In a name with a dot before it, the module ends where it begins in the name itself.
    let path = |tensor: &WeightTensor| {
        let at = format!(".{}", tensor.name).find(&within)?;
        Some(tensor.name[..at + state.len()].to_string())
    };
    let all = std::mem::take(&mut found.tensors);
    let prefix = common_prefix(all.iter().map(|tensor| tensor.name.as_str()));
    let module = |tensor: &WeightTensor| tensor.name[prefix..].split('.').next().unwrap_or_default().to_string();
    let paths: Vec<String> = all.iter().filter_map(path).collect::<BTreeSet<_>>().into_iter().collect();
    if paths.len() > 1 {
        return Err(unsupported!(
            "{} modules are called {state:?}: {}; expected the path of one",
            paths.len(),
            few(&paths)
        ));
    }
    let (taken, left): (Vec<_>, Vec<_>) = all.into_iter().partition(|tensor| path(tensor).is_some());
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
    let copies = named_as_copies(&found.tensors);
    if copies.len() > MAX_COPIES {
        let count = copies.len();
        let text = format!(
            "{count} modules have names that copies of a network have; only the first {MAX_COPIES} of them, those that hold \
             the most, are compared with what is beside them"
        );
        found.notes.push(Note::new(NoteKind::Assumed, text).mended_by(Mend::NameState));
    }
    for copy in copies.into_iter().take(MAX_COPIES) {
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

/// Modules whose names are those of copies: those that hold the most first, those of one depth in the order of the file.
fn named_as_copies(tensors: &[WeightTensor]) -> Vec<String> {
    let mut seen = HashSet::new();
    let named = tensors.iter().flat_map(|tensor| copies_above(&tensor.name));
    let mut named: Vec<&str> = named.filter(|copy| seen.insert(*copy)).collect();
    named.sort_by_key(|copy| copy.matches('.').count());
    named.into_iter().map(str::to_string).collect()
}

/// The modules on the way to a tensor whose names are those of copies.
fn copies_above(name: &str) -> impl Iterator<Item = &str> {
    let modules = name.match_indices('.').take(MAX_DEPTH).map(|(end, _)| &name[..end]);
    modules.filter(|module| {
        let last = module.rsplit('.').next().unwrap_or_default();
        last == WRAPPER || is_named_as_copy(last) || doubtful_word(last).is_some()
    })
}

fn is_named_as_copy(module: &str) -> bool {
    words(module).iter().any(|word| COPIES.contains(&word.as_str()))
}

/// The word in a name that means a copy beside a partner, with what the partner may have in its place.
fn doubtful_word(module: &str) -> Option<(&'static str, &'static [&'static str])> {
    let words = words(module);
    let any = |of: &[&str]| words.iter().any(|word| of.contains(&word.as_str()));
    let (word, others) = *DOUBTFUL.iter().find(|(word, _)| any(&[word]))?;
    let is_network = if word == TARGET { any(&NETWORKS) || words.len() == 1 } else { any(&ENCODERS) };
    is_network.then_some((word, others))
}

/// Whether `module` has the name that a copy called `copy` has its own from.
fn are_partners(copy: &str, module: &str) -> bool {
    let Some((word, others)) = doubtful_word(copy) else { return true };
    let (copy, module) = (words(copy), words(module));
    let with = |other: &&str| copy.iter().map(|own| if own == word { other } else { own.as_str() }).eq(&module);
    let without = || copy.iter().filter(|own| *own != word).eq(&module);
    others.iter().any(with) || (word == TARGET && without())
}

/// The words of a name in small letters.
fn words(module: &str) -> Vec<String> {
    module.to_lowercase().split('_').filter(|word| !word.is_empty()).map(str::to_string).collect()
}

/// The module beside `copy` that holds each of its weights: `Some(None)` where they stand beside it without a module. Where
/// the name may mean something else, one weight in common is too little.
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
    let least = if doubtful_word(own).is_some() { 2 } else { 1 };
    let holds =
        |weights: &HashMap<String, &[usize]>| copied.iter().all(|(name, shape)| weights.get(name) == Some(shape));
    let may_be = |module: &str, weights| copied.len() >= least && are_partners(own, module) && holds(weights);
    let found = modules.iter().filter(|(module, weights)| may_be(module, weights));
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
    use super::{are_partners, copies_above};

    #[test]
    fn names_of_copies_are_known() {
        let cases: [(&str, &[&str]); 14] = [
            ("ema.conv.weight", &["ema"]),
            ("module.encoder_k.conv.weight", &["module", "module.encoder_k"]),
            ("net.key_encoder.conv.weight", &["net.key_encoder"]),
            ("g_ema.conv.weight", &["g_ema"]),
            ("model_ema.convweight", &["model_ema"]),
            ("teacher.conv.weight", &["teacher"]),
            ("target_net.conv.weight", &["target_net"]),
            ("actor_target.0.weight", &["actor_target"]),
            ("target.0.weight", &["target"]),
            ("attention.k.weight", &[]),
            ("attention.key_net.weight", &[]),
            ("layer.0.attention.self.key.weight", &[]),
            ("target_embed.weight", &[]),
            ("ema", &[]),
        ];
        testkit::check_all(cases, |(name, expected)| {
            assert_eq!(copies_above(name).collect::<Vec<_>>(), *expected, "{name}");
        });
    }

    #[test]
    fn doubtful_names_have_partners() {
        let cases = [
            ("encoder_k", "encoder_q", true),
            ("encoder_k", "encoder", false),
            ("key_encoder", "query_encoder", true),
            ("key_encoder", "encoder_query", false),
            ("target_net", "policy_net", true),
            ("target_network", "online_network", true),
            ("critic_target", "critic", true),
            ("critic_target", "actor", false),
            ("target_encoder", "source_encoder", false),
            ("target", "online", true),
            ("target", "", true),
            ("ema", "anything", true),
        ];
        testkit::check_all(cases, |(copy, module, expected)| {
            assert_eq!(are_partners(copy, module), *expected, "{copy} of {module}");
        });
    }
}
