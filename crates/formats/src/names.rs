//! Names under which layers stand in weight files and topologies.

use network::{MacLayer, Names, Network, and_more};

/// Names that a message shows of many.
const SHOWN: usize = 3;

/// Names of the layers of a network, in order, as weight files have them, without `.weight`.
pub(crate) fn layer_names(network: &Network) -> Vec<String> {
    let mut names = Names::default();
    let name = |layer: &MacLayer| {
        let name = names.claim_tensor(&weight_name(network, layer));
        name.trim_end_matches(".weight").to_string()
    };
    network.layers().iter().map(name).collect()
}

/// The name of a layer's weights in a weight file. Integers end in `.weight`, by which their scale is found.
pub(crate) fn weight_name(network: &Network, layer: &MacLayer) -> String {
    let own = layer.weights.quantization.is_none() && !network.has_graph() && is_harmless(&layer.weights.name);
    if own { layer.weights.name.clone() } else { format!("{}.weight", stem(layer)) }
}

/// The name of a layer without what says that it is its weights.
fn stem(layer: &MacLayer) -> String {
    // The name that ONNX Runtime gives to integers is not theirs alone.
    let source = layer.weights.name.strip_suffix("_quantized").unwrap_or(&layer.weights.name);
    let stem = source.strip_suffix(".weight").filter(|stem| !stem.is_empty());
    let name = stem.unwrap_or(&layer.name).trim_matches('/');
    let name = tamed(name, '.');
    if name.is_empty() { "layer".to_string() } else { name }
}

/// A name with `by` for what a path or a terminal would take as its own: slashes, backslashes and control characters.
pub(crate) fn tamed(name: &str, by: char) -> String {
    name.chars().map(|c| if c.is_control() || c == '\\' || c == '/' { by } else { c }).collect()
}

/// Whether a name of a weight file can stand in another one, as a path within an archive too.
pub(crate) fn is_harmless(name: &str) -> bool {
    let odd = |part: &str| part.is_empty() || part == "." || part == "..";
    !name.contains(|c: char| c.is_control() || c == '\\') && !name.split('/').any(odd)
}

/// Bytes of the longest prefix of whole modules (`a.b.`) that all names share.
pub(crate) fn common_prefix<'a>(mut names: impl Iterator<Item = &'a str>) -> usize {
    let first = names.next().unwrap_or_default();
    let shared = names.fold(first.len(), |shared, name| {
        first.bytes().zip(name.bytes()).take(shared).take_while(|(a, b)| a == b).count()
    });
    first.as_bytes()[..shared].iter().rposition(|&byte| byte == b'.').map_or(0, |dot| dot + 1)
}

/// The first names of many, as a message shows them: `"a", "b", "c" and 2 more`.
pub(crate) fn few(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().take(SHOWN).map(|name| format!("{name:?}")).collect();
    format!("{}{}", quoted.join(", "), and_more(names.len() - quoted.len()))
}

/// As [`few`], of what is quoted already.
pub(crate) fn listed(words: &[String]) -> String {
    let shown = &words[..words.len().min(SHOWN)];
    format!("{}{}", shown.join(", "), and_more(words.len() - shown.len()))
}

/// So many tensors, in words.
pub(crate) fn tensors(count: usize) -> String {
    if count == 1 { "1 tensor".to_string() } else { format!("{count} tensors") }
}
