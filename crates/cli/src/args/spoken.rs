//! The command that runs, in words that can be run again.

use std::ffi::OsStr;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory};

use super::Arguments;
use super::groups::{GENERAL, OUTPUT};

/// The command that this process was given, in the order of its help. What says where results go, or has nothing to do with
/// them, is left out: two runs that compute the same have the same words. Empty if the process was given none.
pub fn command_words() -> Vec<String> {
    let mut arguments = Arguments::command();
    arguments.build();
    let Ok(matches) = arguments.clone().try_get_matches() else { return Vec::new() };
    let Some((name, matches)) = matches.subcommand() else { return Vec::new() };
    let command = arguments.find_subcommand(name).expect("the command was parsed by it");
    let is_spoken = |argument: &&Arg| {
        let heading = argument.get_help_heading();
        let decides = heading != Some(OUTPUT) && heading != Some(GENERAL);
        decides && matches.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine)
    };
    let start = ["esnsim".to_string(), name.to_string()];
    let (positional, options): (Vec<&Arg>, Vec<&Arg>) =
        command.get_arguments().filter(is_spoken).partition(|argument| argument.is_positional());
    let values = positional.into_iter().chain(options).flat_map(|argument| words_of(argument, matches));
    start.into_iter().chain(values).collect()
}

/// An argument as it was given: each time that it was, its name and its values.
fn words_of(argument: &Arg, matches: &ArgMatches) -> Vec<String> {
    let text = |value: &OsStr| value.to_string_lossy().into_owned();
    let id = argument.get_id().as_str();
    let name = argument.get_long().map(|long| format!("--{long}"));
    if !argument.get_action().takes_values() {
        return name.into_iter().collect();
    }
    let times = matches.get_raw_occurrences(id).into_iter().flatten();
    let separator = argument.get_value_delimiter();
    times
        .flat_map(|values| {
            let values = values.map(text);
            let values = match separator {
                Some(separator) => vec![values.collect::<Vec<_>>().join(&separator.to_string())],
                None => values.collect(),
            };
            // A value that begins with a hyphen is one in this form alone.
            match &name {
                Some(name) => vec![format!("{name}={}", values.join(" "))],
                None => values,
            }
        })
        .collect()
}
