//! Names: one for each thing of a file, and those under which layers stand in weight files and topologies.

use std::collections::HashMap;

use network::{MacLayer, Network};

/// Names that a message shows of many.
const SHOWN: usize = 3;

/// Names that are taken, and how often each was asked for. The three ways to take one differ in what becomes of a name
/// that comes twice; files depend on it, so that each kind of file keeps its own.
#[derive(Debug, Default)]
pub(crate) struct Names(HashMap<String, usize>);

impl Names {
    /// Takes a name of a graph that is read: the second `conv` becomes `conv:2`. However many ask for the same name,
    /// each gets its own at once, so that a small file cannot ask for much work.
    pub(crate) fn counted(&mut self, wanted: String) -> String {
        let mut name = wanted;
        loop {
            let count = self.0.entry(name.clone()).or_insert(0);
            *count += 1;
            match *count {
                1 => return name,
                n => name = format!("{name}:{n}"),
            }
        }
    }

    /// Takes a name of a graph that is written: the second `conv` becomes `conv_2`, and no name `unnamed`.
    pub(crate) fn claim(&mut self, wanted: &str) -> String {
        let wanted = if wanted.is_empty() { "unnamed" } else { wanted };
        self.first_free(wanted, (2..).map(|number| format!("{wanted}_{number}")))
    }

    /// Takes a name of a weight file, in which the part behind the last dot stays: the second `conv.weight` becomes
    /// `conv_1.weight`.
    pub(crate) fn claim_tensor(&mut self, wanted: &str) -> String {
        let (stem, last) = wanted.rsplit_once('.').unwrap_or((wanted, ""));
        let numbered = |n| if last.is_empty() { format!("{stem}_{n}") } else { format!("{stem}_{n}.{last}") };
        self.first_free(wanted, (1..).map(numbered))
    }

    /// Whether something has this name.
    pub(crate) fn is_taken(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Takes `wanted`, or the first of the others that is free.
    fn first_free(&mut self, wanted: &str, others: impl Iterator<Item = String>) -> String {
        let mut candidates = std::iter::once(wanted.to_string()).chain(others);
        let name = candidates.find(|name| !self.is_taken(name)).expect("there are numbers without end");
        self.0.insert(name.clone(), 1);
        name
    }
}

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
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("{name:?}")).collect();
    let more = names.len() - shown.len();
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_comes_twice() {
        let mut names = Names::default();
        let claimed = ["a", "a_2", "a", "", ""].map(|wanted| names.claim(wanted));
        assert_eq!(claimed, ["a", "a_2", "a_3", "unnamed", "unnamed_2"]);
    }

    #[test]
    fn each_kind_of_file_numbers_in_its_own_way() {
        let mut names = Names::default();
        let counted = ["a", "a:2", "a", "a"].map(|wanted| names.counted(wanted.to_string()));
        assert_eq!(counted, ["a", "a:2", "a:2:2", "a:3"]);
        let mut names = Names::default();
        let claimed = ["a.weight", "a.weight", "b", "b", "c.", "c."].map(|wanted| names.claim_tensor(wanted));
        assert_eq!(claimed, ["a.weight", "a_1.weight", "b", "b_1", "c.", "c_1"]);
    }
}
