//! Values of a plan of which there may be several: lists, and ranges of numbers.

use network::grouped;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use toml::Value;

/// A value, or a list of alternatives.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<T: Default> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(vec![T::default()])
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        alternatives(deserializer).map(Self)
    }
}

/// A value or a list of alternatives. Ranges in them are written out, as `"2..8"`, `"0.1..0.5 step 0.1"`, `{ from = 2, to = 8 }`
/// or `{ from = 0.1, to = 0.5, step = 0.1 }`, with both ends. A list within a table stands for as many tables.
pub(super) fn alternatives<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let written = match Value::deserialize(deserializer)? {
        Value::Array(values) => values,
        one => vec![one],
    };
    if written.is_empty() {
        return Err(D::Error::custom("an empty list leaves no point; leave the key out for its default"));
    }
    let mut all = Vec::new();
    for value in written {
        for value in written_out(value).map_err(D::Error::custom)? {
            let found = value.to_string();
            all.push(T::deserialize(value).map_err(|e| D::Error::custom(told(e.message(), &found)))?);
        }
        if all.len() > MAX_ALTERNATIVES {
            return Err(D::Error::custom(format!("over {MAX_ALTERNATIVES} alternatives in one list")));
        }
    }
    Ok(all)
}

/// What the parser says of a value, where its words mean nothing to whoever wrote a plan.
fn told(message: &str, found: &str) -> String {
    // A text in place of a number may have been meant as a range.
    if let Some((text, expected)) =
        message.strip_prefix("invalid type: string ").and_then(|rest| rest.rsplit_once(", expected "))
    {
        match expected {
            "u32" | "u64" | "usize" => return format!("expected a whole number, or a range as \"2..8\", not {text}"),
            "f64" => return format!("expected a number, or a range as \"0.1..0.5 step 0.1\", not {text}"),
            _ => {}
        }
    }
    match message.starts_with("wanted exactly 1 element") {
        true => format!("expected a table of one key, not {found}"),
        false => message.to_string(),
    }
}

/// Alternatives that a list may have.
const MAX_ALTERNATIVES: usize = 1_000_000;

/// The key whose list is one value: a target for each layer.
const ONE_LIST: &str = "esn-a-profile";

/// A value with each range in it replaced by each of its numbers, and each list in a table by each of its values.
fn written_out(value: Value) -> Result<Vec<Value>, String> {
    let table = match value {
        Value::Table(table) if table.contains_key("from") || table.contains_key("to") => {
            let found = table.to_string();
            return range(&table)
                .map_err(|expected| format!("{expected}, not {{ {} }}", found.trim().replace('\n', ", ")));
        }
        Value::Table(table) => table,
        Value::String(text) if text.contains("..") => {
            let table = range_of_text(&text)?;
            return range(&table).map_err(|expected| format!("{expected}, not {text:?}"));
        }
        other => return Ok(vec![other]),
    };
    let mut all = vec![toml::Table::new()];
    for (key, value) in table {
        let values = match value {
            Value::Array(values) if key != ONE_LIST => each_written_out(&key, values)?,
            other => written_out(other)?,
        };
        if all.len().saturating_mul(values.len()) > MAX_ALTERNATIVES {
            return Err(format!("over {MAX_ALTERNATIVES} alternatives in one table"));
        }
        let with = &|table: &toml::Table, value: &Value| {
            let mut table = table.clone();
            table.insert(key.clone(), value.clone());
            table
        };
        all = all.iter().flat_map(|table| values.iter().map(move |value| with(table, value))).collect();
    }
    Ok(all.into_iter().map(Value::Table).collect())
}

/// The values of a list within a table.
fn each_written_out(key: &str, values: Vec<Value>) -> Result<Vec<Value>, String> {
    if values.is_empty() {
        return Err(format!("{key}: an empty list leaves no point"));
    }
    let mut all = Vec::new();
    for value in values {
        all.extend(written_out(value)?);
        if all.len() > MAX_ALTERNATIVES {
            return Err(format!("{key}: over {MAX_ALTERNATIVES} alternatives in one list"));
        }
    }
    Ok(all)
}

const EXPECTED: &str =
    "expected a range as \"2..8\", \"0.1..0.5 step 0.1\", { from = 2, to = 8 } or { from = 0.1, to = 0.5, step = 0.1 }";

/// `FROM..TO` or `FROM..TO step STEP` as a table.
fn range_of_text(text: &str) -> Result<toml::Table, String> {
    let wrong = || format!("{EXPECTED}, not {text:?}");
    let number = |word: &str| {
        let word = word.trim();
        // Of three dots one would be that of a fraction.
        if word.starts_with('.') || word.ends_with('.') {
            return Err(wrong());
        }
        let whole = word.parse().map(Value::Integer);
        whole.or_else(|_| word.parse().map(Value::Float)).map_err(|_| wrong())
    };
    let (from, rest) = text.split_once("..").ok_or_else(wrong)?;
    let (to, step) = match rest.split_once("step") {
        Some((to, step)) => (to, Some(step)),
        None => (rest, None),
    };
    let mut table = toml::Table::new();
    table.insert("from".to_string(), number(from)?);
    table.insert("to".to_string(), number(to)?);
    if let Some(step) = step {
        table.insert("step".to_string(), number(step)?);
    }
    Ok(table)
}

/// The numbers of a range, both ends included. Whole numbers go by 1 where no step is given. A range that steps over its end
/// is refused. An error says what is expected.
fn range(table: &toml::Table) -> Result<Vec<Value>, String> {
    if let Some(key) = table.keys().find(|key| !["from", "to", "step"].contains(&key.as_str())) {
        return Err(format!("{EXPECTED}, without the key {key:?}"));
    }
    let (Some(from), Some(to)) = (table.get("from"), table.get("to")) else { return Err(EXPECTED.to_string()) };
    let step = table.get("step");
    match (from, to) {
        (&Value::Integer(from), &Value::Integer(to)) => {
            let step = match step {
                None => 1,
                Some(&Value::Integer(step)) => step,
                Some(_) => {
                    let words =
                        "expected a whole step in a range of whole numbers, or one of others, which begins as 0.0";
                    return Err(words.to_string());
                }
            };
            let steps = steps(to as f64 - from as f64, step as f64)?;
            Ok((0..=steps)
                .map(|i| Value::Integer((i128::from(from) + i128::from(step) * i128::from(i)) as i64))
                .collect())
        }
        _ => {
            let real = |value: &Value| value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64));
            let (Some(from), Some(to)) = (real(from), real(to)) else { return Err(EXPECTED.to_string()) };
            let step = step.ok_or("expected a range of fractions with a step, as \"0.1..0.5 step 0.1\"")?;
            let Some(step) = real(step) else { return Err(EXPECTED.to_string()) };
            // Twelve digits, so that 0.3 is 0.3.
            let number = |i: u64| ((from + step * i as f64) * 1e12).round() / 1e12;
            Ok((0..=steps(to - from, step)?).map(|i| Value::Float(number(i))).collect())
        }
    }
}

/// How many steps a range has.
fn steps(length: f64, step: f64) -> Result<u64, String> {
    if step.is_nan() || step <= 0.0 {
        return Err("expected a range with a step above 0".to_string());
    }
    if length.is_nan() || length < 0.0 {
        return Err("expected a range from its lower end to its upper one".to_string());
    }
    let steps = length / step;
    if steps >= MAX_ALTERNATIVES as f64 {
        return Err(format!("expected a range of at most {} numbers", grouped(MAX_ALTERNATIVES as u128)));
    }
    // What rounding makes of a whole number of steps.
    match (steps - steps.round()).abs() < 1e-6 {
        true => Ok(steps.round() as u64),
        false => {
            Err("expected a range that ends on its upper end, a whole number of steps from its lower one".to_string())
        }
    }
}
