//! Options whose value is one of a few words, each of which stands for a value of the library.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, Command, Error};

/// A word of the command line and what it stands for.
#[derive(Clone, Debug)]
pub struct Word<T> {
    shown: PossibleValue,
    value: T,
}

/// A word, what it stands for, and its line in the long help.
pub fn word<T>(text: &'static str, value: T, help: &'static str) -> Word<T> {
    Word { shown: PossibleValue::new(text).help(help), value }
}

impl<T> Word<T> {
    /// Also accepts another spelling, which no help shows.
    pub fn alias(mut self, text: &'static str) -> Self {
        self.shown = self.shown.alias(text);
        self
    }
}

/// Reads one of these words.
pub fn words<T, const N: usize>(table: [Word<T>; N]) -> Words<T> {
    Words(table.into())
}

/// The parser of [`words`].
#[derive(Clone, Debug)]
pub struct Words<T>(Vec<Word<T>>);

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Words<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        let shown = PossibleValuesParser::new(self.0.iter().map(|word| word.shown.clone()));
        let text = shown.parse_ref(command, argument, value)?;
        let word = self.0.iter().find(|word| word.shown.matches(&text, false));
        Ok(word.expect("the parser accepts the words of the table alone").value.clone())
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(|word| word.shown.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<u8> {
        let parser = words([word("one", 1u8, "The first."), word("two", 2, "The second.").alias("2")]);
        let command = Command::new("x").arg(Arg::new("n").value_parser(parser));
        command.try_get_matches_from(["x", text]).ok()?.get_one("n").copied()
    }

    #[test]
    fn a_word_stands_for_its_value_and_no_other_word_is_read() {
        assert_eq!([read("one"), read("two"), read("2")], [Some(1), Some(2), Some(2)]);
        assert_eq!([read("One"), read("three"), read("")], [None; 3]);
    }
}
