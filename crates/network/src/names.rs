//! Names of which each stands for one thing.

use std::collections::HashMap;

/// Names that are taken, each with how many names were tried for it: a name that many ask for costs each of them little.
///
/// The three ways to take a name differ in what becomes of one that comes twice. Files depend on it, so that each kind
/// of file keeps its own. One `Names` is for one kind.
///
/// ```
/// use network::Names;
///
/// let mut names = Names::default();
/// assert_eq!(["conv", "conv"].map(|wanted| names.claim(wanted)), ["conv", "conv_2"]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Names(HashMap<String, usize>);

impl Names {
    /// Takes a name of a graph that is read: the second `conv` becomes `conv#2`. However many ask for the same name,
    /// each gets its own at once, so that a small file cannot ask for much work.
    pub fn counted(&mut self, wanted: String) -> String {
        let mut name = wanted;
        loop {
            let count = self.0.entry(name.clone()).or_insert(0);
            *count += 1;
            match *count {
                1 => return name,
                n => name = format!("{name}#{n}"),
            }
        }
    }

    /// Takes a name of a graph that is written or changed: the second `conv` becomes `conv_2`, and no name `unnamed`.
    pub fn claim(&mut self, wanted: &str) -> String {
        let wanted = if wanted.is_empty() { "unnamed" } else { wanted };
        self.first_free(wanted, (2..).map(|number| format!("{wanted}_{number}")))
    }

    /// Takes a name of a weight file, in which the part behind the last dot stays: the second `conv.weight` becomes
    /// `conv_1.weight`.
    pub fn claim_tensor(&mut self, wanted: &str) -> String {
        let (stem, last) = wanted.rsplit_once('.').unwrap_or((wanted, ""));
        let numbered = |n| if last.is_empty() { format!("{stem}_{n}") } else { format!("{stem}_{n}.{last}") };
        self.first_free(wanted, (1..).map(numbered))
    }

    /// Whether something has this name.
    pub fn is_taken(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Takes `wanted`, or the first of the others that is free.
    fn first_free(&mut self, wanted: &str, others: impl Iterator<Item = String>) -> String {
        // Those that were tried before are still taken.
        let tried = self.0.get(wanted).copied().unwrap_or(0);
        let mut candidates = std::iter::once(wanted.to_string()).chain(others).enumerate().skip(tried);
        let (place, name) = candidates.find(|(_, name)| !self.is_taken(name)).expect("there are numbers without end");
        self.0.insert(name.clone(), 1);
        self.0.insert(wanted.to_string(), place + 1);
        name
    }
}

impl<S: Into<String>> FromIterator<S> for Names {
    /// Names that are taken from the start.
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        Self(names.into_iter().map(|name| (name.into(), 1)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_comes_twice() {
        let mut names = Names::default();
        let claimed = ["a", "a_2", "a", "", ""].map(|wanted| names.claim(wanted));
        assert_eq!(claimed, ["a", "a_2", "a_3", "unnamed", "unnamed_2"]);
        let mut names = Names::from_iter(["a", "b"]);
        assert_eq!(["a", "b", "c"].map(|wanted| names.claim(wanted)), ["a_2", "b_2", "c"]);
    }

    #[test]
    fn each_kind_of_file_numbers_in_its_own_way() {
        let mut names = Names::default();
        let counted = ["a", "a#2", "a", "a"].map(|wanted| names.counted(wanted.to_string()));
        assert_eq!(counted, ["a", "a#2", "a#2#2", "a#3"]);
        let mut names = Names::default();
        let claimed = ["a.weight", "a.weight", "b", "b", "c.", "c."].map(|wanted| names.claim_tensor(wanted));
        assert_eq!(claimed, ["a.weight", "a_1.weight", "b", "b_1", "c.", "c_1"]);
    }
}
