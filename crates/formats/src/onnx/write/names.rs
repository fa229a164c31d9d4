//! Names that are unique in one file.

use std::collections::HashSet;

/// Names that are taken.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// Takes `wanted`, or `wanted_2`, `wanted_3` and so on where it is taken already.
    pub(super) fn claim(&mut self, wanted: &str) -> String {
        let wanted = if wanted.is_empty() { "unnamed" } else { wanted };
        let mut name = wanted.to_string();
        let mut number = 2;
        while !self.taken.insert(name.clone()) {
            name = format!("{wanted}_{number}");
            number += 1;
        }
        name
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
    }
}
