//! What users write to say how a network is compressed: prunings and budgets in words, and layers of their own in a file.

use std::path::Path;

use compress::{Budget, FilterAmount, LayerOptions, Pruning};
use explore::pareto::{Cost, JOULES};
use serde::Deserialize;

use crate::error::Error;

/// One way of pruning in words: `filters=0.5`, `width=0.5`, `weights=0.7`, `2:4`, or down to a budget: `esn-a=…`,
/// `esn-d=…`, `macs=…`, `parameters=…`.
///
/// # Errors
///
/// A line that says what was expected.
///
/// # Examples
///
/// ```
/// use compress::Pruning;
///
/// assert_eq!(esnsim::pruning("2:4"), Ok(Pruning::Pattern { keep: 2, of: 4 }));
/// assert!(esnsim::pruning("filters=many").is_err());
/// ```
pub fn pruning(text: &str) -> Result<Pruning, String> {
    let expected = || {
        format!("expected filters=F, width=F, weights=F, N:M, esn-a=X, esn-d=X, macs=X or parameters=X, not {text:?}")
    };
    if let Some((keep, of)) = text.split_once(':') {
        let count = |n: &str| n.parse().map_err(|_| expected());
        return Ok(Pruning::Pattern { keep: count(keep)?, of: count(of)? });
    }
    let (word, number) = text.split_once('=').ok_or_else(expected)?;
    let is_fraction = matches!(word, "filters" | "width" | "weights");
    if let Some(percent) = number.strip_suffix('%').filter(|_| is_fraction) {
        let example = percent.trim().parse().map_or(0.2, |percent: f64| percent / 100.0);
        return Err(format!("{word} takes a fraction from 0 to 1, as {word}={example}, not {number:?}"));
    }
    let number: f64 = number.parse().ok().filter(|n: &f64| n.is_finite()).ok_or_else(expected)?;
    Ok(match word {
        "filters" => Pruning::Filters(FilterAmount::Fraction(number)),
        "width" => Pruning::Filters(FilterAmount::Width(number)),
        "weights" => Pruning::Weights(number),
        "esn-a" => Pruning::Filters(FilterAmount::Budget(Budget::EsnA(number))),
        "esn-d" => Pruning::Filters(FilterAmount::Budget(Budget::EsnD(number))),
        "macs" => Pruning::Filters(FilterAmount::Budget(Budget::Macs(number))),
        "parameters" => Pruning::Filters(FilterAmount::Budget(Budget::Parameters(number))),
        _ => return Err(expected()),
    })
}

/// A budget of a cost in words: `esn-d=3e7`, `model-bits=1e6`, or in joules `linear:esn-d=3.75e-14,weight-bits=2e-11=5e-6`.
///
/// Costs are those of [`Cost`] that need no hardware and that quantization changes.
///
/// # Errors
///
/// A line that says what was expected.
///
/// # Examples
///
/// ```
/// use explore::pareto::Cost;
///
/// assert_eq!(esnsim::allocation("esn-d=3e7"), Ok((Cost::EsnD, 3e7)));
/// assert!(esnsim::allocation("esn-d").is_err());
/// ```
pub fn allocation(text: &str) -> Result<(Cost, f64), String> {
    let form = || format!("expected COST=X with X above 0, as esn-d=3e7, not {text:?}");
    if let Ok(Cost::Linear(_)) = text.parse() {
        return Err(format!("the budget is missing: expected {text}=X with X above 0, in joules"));
    }
    let (cost, number) = text.rsplit_once('=').ok_or_else(form)?;
    let cost: Cost = match cost.parse() {
        Ok(cost) => cost,
        Err(problem) if cost.starts_with("linear:") => return Err(format!("{cost:?} is no cost: {problem}")),
        Err(_) => return Err(format!("{cost:?} is no cost; {}", budgets())),
    };
    let budget: f64 = number.parse().map_err(|_| match cost.unit(&[]) {
        Some(JOULES) => format!("the budget {number:?} is no number; expected joules above 0, as 5e-6"),
        _ => form(),
    })?;
    if cost.is_of_hardware() {
        let id = cost.id();
        let advice = match cost {
            Cost::Cycles(_) => "a budget counts no cycles",
            _ => "a budget can count a sum that is fitted to its energy",
        };
        return Err(format!("{id} is a cost on a hardware; {advice}; {}", budgets()));
    }
    if cost.depends_on_pruning_alone() {
        let id = cost.id();
        let problem = "depends on pruning alone, and no way to quantize a layer changes it";
        return Err(format!("{id} {problem}; macs and parameters can be budgets of a pruning; {}", budgets()));
    }
    match cost.units(budget) {
        Some(_) => Ok((cost, budget)),
        None if budget > 0.0 => Err(format!("a budget of {budget:e} is larger than any cost; expected a smaller one")),
        None => Err(form()),
    }
}

/// The costs that a budget may count.
fn budgets() -> String {
    let names: Vec<String> =
        Cost::without_hardware().filter(|cost| !cost.depends_on_pruning_alone()).map(|cost| cost.id()).collect();
    format!("expected {} or linear:COST=WEIGHT,…", names.join(", "))
}

/// Layers that are quantized in another way than the rest, out of a TOML file: a table `[[layers]]` for each, with `layer`,
/// its name, and any of `bits`, `mid-rise`, `granularity` and `step`. A list of the same tables in JSON, as the points of a sweep
/// have it, is read, too.
///
/// # Errors
///
/// [`Error::Read`] if the file cannot be read; [`Error::LayerOptions`] names the place, what was expected and what was found.
pub fn layer_options(path: &Path) -> Result<Vec<LayerOptions>, Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(default)]
        layers: Vec<LayerOptions>,
    }
    let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_path_buf(), source })?;
    let some = |layers: Vec<LayerOptions>| match layers.is_empty() {
        true => Err("no layer is in it; expected a table [[layers]] for each layer of its own".to_string()),
        false => Ok(layers),
    };
    let layers = match is_json_list(&text) {
        true => serde_json::from_str(&text).map_err(|error| error.to_string()),
        false => {
            toml::from_str(&text).map(|file: File| file.layers).map_err(|error| formats::toml_problem(&error, &text))
        }
    };
    layers.and_then(some).map_err(|problem| Error::LayerOptions { path: path.to_path_buf(), problem })
}

/// Whether a text is a list of tables in JSON. A header of TOML begins with a bracket, too, and no brace follows it.
fn is_json_list(text: &str) -> bool {
    text.trim_start().strip_prefix('[').is_some_and(|rest| rest.trim_start().starts_with(['{', ']']))
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    #[test]
    fn layers_of_their_own_are_read_as_toml_and_as_a_point_has_them() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let read = |text: &str| {
            let path = folder.path().join("layers");
            std::fs::write(&path, text).expect("a temporary folder is writable");
            layer_options(&path).map_err(|error| network::chain(&error))
        };
        let toml =
            "[[layers]]\nlayer = \"a\"\nbits = 2\n\n[[layers]]\nlayer = \"b\"\nmid-rise = false\nstep = { snr = 9.0 }";
        let layers = read(toml).expect("two tables");
        assert_eq!(layers.len(), 2);
        let json = serde_json::to_string(&layers).expect("it has a JSON form");
        assert_eq!(json, r#"[{"layer":"a","bits":2},{"layer":"b","mid-rise":false,"step":{"snr":9.0}}]"#);
        assert_eq!(read(&json).as_ref(), Ok(&layers));
        assert_eq!(read(&format!(" \n{}", serde_json::to_string_pretty(&layers).expect("JSON"))), Ok(layers));
        check_all([r#"[{"layer":"a","bit":2}]"#, "[{", "[[layers]]\nlayer = \"a\"\nbit = 2", "bits = 2"], |wrong| {
            let problem = read(wrong).expect_err("no layers");
            assert!(!problem.contains('\n') && problem.contains("layers: "), "{problem}");
        });
    }

    #[test]
    fn a_budget_counts_any_cost_that_needs_no_hardware() {
        assert_eq!(allocation("esn-d=3e7"), Ok((Cost::EsnD, 3e7)));
        assert_eq!(allocation("model-bits=1000"), Ok((Cost::ModelBits, 1000.0)));
        let (cost, budget) =
            allocation("linear:esn-d=3.75e-14,weight-bits=2e-11=5e-6").expect("a sum, and how much of it");
        assert_eq!((cost.id().as_str(), budget), ("linear:esn-d=3.75e-14,weight-bits=2e-11", 5e-6));
        let cases = [
            ("esn-d", "expected COST=X with X above 0, as esn-d=3e7, not \"esn-d\""),
            ("esn-d=0", "expected COST=X with X above 0"),
            ("esn-d=nan", "expected COST=X with X above 0"),
            ("joy=1", "\"joy\" is no cost; expected esn-a, esn-d"),
            ("model-bits=1e99", "a budget of 1e99 is larger than any cost"),
            ("cycles:unpu=1", "cycles:unpu is a cost on a hardware; a budget counts no cycles; expected esn-a"),
            (
                "energy:unpu=1",
                "energy:unpu is a cost on a hardware; a budget can count a sum that is fitted to its energy; expected esn-a",
            ),
            (
                "macs=1",
                "macs depends on pruning alone, and no way to quantize a layer changes it; macs and parameters can be budgets of a pruning",
            ),
            ("linear:esn-d=1=5uJ", "the budget \"5uJ\" is no number; expected joules above 0, as 5e-6"),
            ("linear:esn-d=1", "the budget is missing: expected linear:esn-d=1=X"),
            ("linear:joy=1=2", "\"linear:joy=1\" is no cost: \"joy\" is no cost; expected costs without hardware"),
        ];
        check_all(cases, |(text, expected)| {
            let problem = allocation(text).expect_err("no budget");
            assert!(problem.starts_with(expected), "{problem}");
        });
    }

    #[test]
    fn a_file_without_layers_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("none.toml");
        check_all(["", "# none yet\n", "layers = []", "[]"], |text| {
            std::fs::write(&path, text).expect("a temporary folder is writable");
            let problem = network::chain(&layer_options(&path).expect_err("no layers"));
            assert!(
                problem.contains("none.toml") && problem.contains("expected a table [[layers]]"),
                "{text}: {problem}"
            );
        });
    }

    #[test]
    fn prunings_are_read() {
        assert_eq!(pruning("filters=0.5"), Ok(Pruning::Filters(FilterAmount::Fraction(0.5))));
        assert_eq!(pruning("2:4"), Ok(Pruning::Pattern { keep: 2, of: 4 }));
        assert_eq!(pruning("esn-d=3e7"), Ok(Pruning::Filters(FilterAmount::Budget(Budget::EsnD(3e7)))));
        check_all(["filters", "filters=x", "filters=nan", "depth=1", "2:x"], |wrong| {
            assert!(pruning(wrong).is_err(), "{wrong}");
        });
        let percent = pruning("filters=20%").expect_err("no fraction");
        assert_eq!(percent, "filters takes a fraction from 0 to 1, as filters=0.2, not \"20%\"");
    }
}
