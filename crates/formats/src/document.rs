//! What is wrong with a document that people write by hand, in words for them: the line, the section, the key, what was
//! expected and found, and the word that was probably meant.

use std::path::Path;

/// What is wrong with a TOML text, in one line.
///
/// ```
/// #[derive(Debug, serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Clock {
///     clock_hz: f64,
/// }
///
/// let problem = |text| formats::toml_problem(&toml::from_str::<Clock>(text).unwrap_err(), text);
/// assert_eq!(problem("clok_hz = 1.0"), r#"line 1: there is no key "clok_hz"; did you mean clock_hz? There is clock_hz"#);
/// let expected = r#"line 1: clock_hz is "100 MHz"; expected a number: 1e8 if that is meant"#;
/// assert_eq!(problem("clock_hz = \"100 MHz\""), expected);
/// ```
pub fn toml_problem(error: &toml::de::Error, text: &str) -> String {
    let start = error.span().map(|span| span.start.min(text.len()));
    let place = start.map(|start| Place::of(text, start));
    let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
    let words = match &place {
        Some(place) => place.say(&message),
        None => message,
    };
    // Words of the file stand in it as they are.
    let visible = |c: char| if c.is_control() { c.escape_default().collect() } else { vec![c] };
    words.chars().flat_map(visible).collect()
}

/// The known word that a wrong one was probably meant for: at most three letters are wrong, missing or too many, and no more
/// than half of them.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const MOST: usize = 3;
    let wrong = wrong.to_lowercase();
    let distance = |word: &str| strsim::damerau_levenshtein(&wrong, &word.to_lowercase());
    let ranked = known.into_iter().map(|word| (distance(word), word)).min_by_key(|(distance, _)| *distance);
    let room = MOST.min(wrong.chars().count() / 2);
    ranked.filter(|(distance, _)| *distance <= room).map(|(_, word)| word)
}

/// As [`nearest`], as the end of a message; empty where nothing is near.
pub fn did_you_mean<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(wrong, known).map_or(String::new(), |word| format!("; did you mean {word}?"))
}

/// As [`did_you_mean`], for a name that was no file either.
pub fn did_you_mean_name<'a>(wrong: &Path, known: impl IntoIterator<Item = &'a str>) -> String {
    did_you_mean(&wrong.file_name().unwrap_or_default().to_string_lossy(), known)
}

/// A place in a TOML text.
struct Place<'a> {
    /// From 1 on.
    line: usize,
    /// The last header before it, as `[array]`; empty before the first.
    section: &'a str,
    /// The header that the line itself is.
    header: Option<&'a str>,
    /// The key of the line, where it has one.
    key: Option<&'a str>,
    /// What stands behind the key.
    value: &'a str,
}

impl<'a> Place<'a> {
    fn of(text: &'a str, start: usize) -> Self {
        let begins = text[..start].rfind('\n').map_or(0, |end| end + 1);
        let line = text[begins..].lines().next().unwrap_or_default();
        let mut headers = text[..begins].lines().map(str::trim).filter(|line| line.starts_with('['));
        let (key, value) = match line.split_once('=') {
            Some((key, value)) => (Some(key.trim()), value.split(" #").next().unwrap_or_default().trim()),
            None => (None, ""),
        };
        let number = text[..begins].matches('\n').count() + 1;
        let header = Some(line.trim()).filter(|line| line.starts_with('['));
        Self { line: number, header, section: headers.next_back().unwrap_or_default(), key, value }
    }

    /// The place, and what the parser says in words of TOML.
    fn say(&self, message: &str) -> String {
        let within = match (self.header, message.starts_with("missing field `")) {
            (Some(header), true) => header,
            // A table of an unknown name is no part of the table before it.
            (Some(_), false) => "",
            (None, _) => self.section,
        };
        let within = if within.is_empty() { String::new() } else { format!(", in {within}") };
        let line = format!("line {}{within}", self.line);
        let backquoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        if let (Some(rest), [wrong, known @ ..]) = (message.strip_prefix("unknown field `"), backquoted.as_slice()) {
            let nothing = rest.ends_with("there are no fields");
            let known_words = if nothing { "none".to_string() } else { known.join(", ") };
            let meant = did_you_mean(wrong, known.iter().copied());
            let end = if meant.ends_with('?') { " There is" } else { "; there is" };
            return format!("{line}: there is no key {wrong:?}{meant}{end} {known_words}");
        }
        if let ([wrong, known @ ..], true) = (backquoted.as_slice(), message.starts_with("unknown variant `")) {
            let what = match self.key {
                Some(key) if self.value.trim_matches(['"', '\'']) == *wrong => format!("{key} is {wrong:?}"),
                // The word is within the value.
                Some(key) => format!("{key}: there is no {wrong:?}"),
                None => format!("{wrong:?}"),
            };
            let meant = did_you_mean(wrong, known.iter().copied());
            return format!("{line}: {what}; expected {}{meant}", known.join(", "));
        }
        if let ([missing], true) = (backquoted.as_slice(), message.starts_with("missing field `")) {
            return format!("{line}: the key {missing} is missing");
        }
        if let (Some(header), "invalid type: map, expected a sequence") = (self.header, message) {
            let name = header.trim_matches(['[', ']']).split('.').next().unwrap_or_default();
            return format!("{line}: {header} is a table; expected an entry of a list before it, [[{name}]]");
        }
        match (message.rsplit_once("expected "), self.key) {
            (Some((found, expected)), Some(key)) if found.starts_with("invalid ") || found.is_empty() => {
                let expected = in_words(expected);
                let hint = self.hint(&expected);
                // What was found is the value, or stands in it.
                let expected = expected.strip_suffix(&format!(", not {}", self.value)).unwrap_or(&expected);
                match self.is_whole() {
                    true => format!("{line}: {key} is {}; expected {expected}{hint}", self.value),
                    false => format!("{line}: {key}: expected {expected}{hint}"),
                }
            }
            // An element of a list that goes over several lines.
            (Some((found, expected)), None) if found.starts_with("invalid ") => {
                let found = found.split_once(": ").map_or(found, |(_, what)| what).trim_end_matches(", ");
                format!("{line}: {}; expected {}", found.replace('`', ""), in_words(expected))
            }
            _ => format!("{line}: {message}"),
        }
    }

    /// Whether the value ends on its line.
    fn is_whole(&self) -> bool {
        let count = |brackets: [char; 2]| self.value.matches(brackets).count();
        count(['[', '{']) == count([']', '}'])
    }

    /// The number of a value that was written with its unit, as `"100 MHz"`.
    fn hint(&self, expected: &str) -> String {
        if !expected.starts_with("a number") {
            return String::new();
        }
        let text = self.value.trim_matches(['"', '\'']);
        let end = text.find(|c: char| !(c.is_ascii_digit() || "+-.eE_".contains(c))).unwrap_or(text.len());
        // The e of a word is none of a number.
        let number = text[..end].trim_end_matches(['e', 'E']).replace('_', "");
        let (Ok(number), Some(factor)) = (number.parse::<f64>(), factor(text[end..].trim())) else {
            return String::new();
        };
        format!(": {:e} if that is meant", number * factor)
    }
}

/// What a unit with a prefix stands for, of those that descriptions have.
fn factor(unit: &str) -> Option<f64> {
    const UNITS: [&str; 5] = ["Hz", "J", "s", "b", "V"];
    const PREFIXES: [(&str, f64); 11] = [
        ("", 1.0),
        ("T", 1e12),
        ("G", 1e9),
        ("M", 1e6),
        ("k", 1e3),
        ("m", 1e-3),
        ("µ", 1e-6),
        ("u", 1e-6),
        ("n", 1e-9),
        ("p", 1e-12),
        ("f", 1e-15),
    ];
    let prefix = UNITS.iter().find_map(|name| unit.strip_suffix(name))?;
    PREFIXES.iter().find(|(name, _)| *name == prefix).map(|(_, factor)| *factor)
}

/// A type of the parser in words of a person.
fn in_words(expected: &str) -> String {
    let number = |text: &str| {
        let bits = text.strip_prefix(['u', 'i', 'f'])?;
        (bits == "size" || bits.parse::<u8>().is_ok()).then(|| match text.as_bytes()[0] {
            b'u' => "a whole number from 0 on",
            b'i' => "a whole number",
            _ => "a number",
        })
    };
    match expected {
        "a boolean" => "true or false".to_string(),
        "a string" | "string" => "text in quotation marks".to_string(),
        "a sequence" => "a list in brackets".to_string(),
        "a map" => "a table".to_string(),
        "a nonzero u64" => "a whole number from 1 on".to_string(),
        "string only" => "a word, or a table of one key".to_string(),
        other => number(other).unwrap_or(other).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Document {
        name: String,
        array: Option<Array>,
        energy: Option<f64>,
        list: Option<Vec<Array>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Array {
        rows: Extent,
        width: Option<Width>,
        gated: Option<bool>,
        bits: Option<Vec<u32>>,
        sizes: Option<Vec<std::num::NonZeroU64>>,
        widths: Option<Vec<Width>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(untagged, expecting = "expected a whole number, or \"unbounded\"")]
    #[allow(dead_code)]
    enum Extent {
        Cells(u64),
        Word(Unbounded),
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Unbounded {
        Unbounded,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Width {
        Filter,
        Layer,
    }

    #[test]
    fn a_problem_is_told_with_its_line_section_and_key() {
        let array = |line: &str| format!("name = \"a\"\n\n[array]\nrows = 1\n{line}\n");
        let cases = [
            (
                array("rowz = 2"),
                "line 5, in [array]: there is no key \"rowz\"; did you mean rows? There is rows, width, gated, bits, sizes, widths",
            ),
            (
                array("planes = 2"),
                "line 5, in [array]: there is no key \"planes\"; there is rows, width, gated, bits, sizes, widths",
            ),
            (
                array("width = \"fliter\""),
                "line 5, in [array]: width is \"fliter\"; expected filter, layer; did you mean filter?",
            ),
            (array("gated = 1 # a choice"), "line 5, in [array]: gated is 1; expected true or false"),
            (array("bits = 4"), "line 5, in [array]: bits is 4; expected a list in brackets"),
            (array("bits = [-4]"), "line 5, in [array]: bits is [-4]; expected a whole number from 0 on"),
            (
                "name = \"a\"\n[array]\nrows = \"many\"".to_string(),
                "line 3, in [array]: rows is \"many\"; expected a whole number, or \"unbounded\"",
            ),
            (
                "name = \"a\"\nenergy = \"20.3 pJ\"".to_string(),
                "line 2: energy is \"20.3 pJ\"; expected a number: 2.03e-11 if that is meant",
            ),
            ("name = \"a\"\nenergy = \"much\"".to_string(), "line 2: energy is \"much\"; expected a number"),
            ("name = 3".to_string(), "line 1: name is 3; expected text in quotation marks"),
            (array("sizes = [\n  0,\n]"), "line 6, in [array]: integer 0; expected a whole number from 1 on"),
            (array("sizes = [1, 0]"), "line 5, in [array]: sizes is [1, 0]; expected a whole number from 1 on"),
            (
                array("widths = [\"layer\", \"fliter\"]"),
                "line 5, in [array]: widths: there is no \"fliter\"; expected filter, layer; did you mean filter?",
            ),
            (
                "name = \"a\"\n[list.of]\nrows = 1".to_string(),
                "line 2: [list.of] is a table; expected an entry of a list before it, [[list]]",
            ),
            ("energy = 1.0".to_string(), "line 1: the key name is missing"),
        ];
        for (text, expected) in cases {
            let error = toml::from_str::<Document>(&text).expect_err("it is wrong");
            assert_eq!(toml_problem(&error, &text), expected, "{text}");
        }
    }

    #[test]
    fn the_nearest_word_is_near() {
        let known = ["unit", "imagenet", "none"];
        assert_eq!(nearest("imagnet", known), Some("imagenet"));
        assert_eq!(nearest("imgnet", known), Some("imagenet"));
        assert_eq!(nearest("NONE", known), Some("none"));
        assert_eq!(nearest("zero", known), None);
        assert_eq!(nearest("x", known), None);
    }
}
