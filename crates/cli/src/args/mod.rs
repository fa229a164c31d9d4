//! What a user can ask for. Commands use these types; no type here knows a command.

mod completions;
mod compress;
mod convert;
mod esn;
mod groups;
mod hardware;
mod inspect;
mod landscape;
mod man;
mod new;
mod pareto;
mod parse;
mod proxies;
mod shared;
mod simulate;
mod spoken;
mod sweep;
mod trace;
mod words;

use clap::error::{ContextKind, ContextValue};
use clap::{ArgAction, CommandFactory, Parser, Subcommand};

use self::groups::GENERAL;

pub use self::completions::CompletionsOptions;
pub use self::compress::CompressOptions;
pub use self::convert::ConvertOptions;
pub use self::esn::EsnOptions;
pub use self::hardware::HardwareNameOptions;
pub use self::inspect::InspectOptions;
pub use self::landscape::LandscapeOptions;
pub use self::man::ManOptions;
pub use self::new::NewOptions;
pub use self::pareto::ParetoOptions;
pub use self::proxies::ProxiesOptions;
pub use self::shared::InferenceOptions;
pub use self::simulate::SimulateOptions;
pub use self::spoken::command_words;
pub use self::sweep::SweepOptions;
pub use self::trace::TraceOptions;

/// Cycle-level simulator of ideal MAC hardware for pruned and quantized CNNs
///
/// It streams each layer of a network through models of analog and digital hardware, counts cycles and energy, and
/// checks the counts against the effective signal norm (ESN) of the same weights.
#[derive(Parser)]
#[command(
    name = "esnsim",
    bin_name = "esnsim",
    version,
    max_term_width = 100,
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = "Example: esnsim simulate net.onnx --hardware ideal-digital --csv cost.csv"
)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,

    /// Print help: -h in short, --help with the rules
    #[arg(short = 'h', long, global = true, action = ArgAction::Help, help_heading = GENERAL, display_order = LAST)]
    help: Option<bool>,

    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version, help_heading = GENERAL, display_order = LAST)]
    version: Option<bool>,
}

/// The arguments of the process. Wrong ones end it with a message.
pub fn parse() -> Arguments {
    Arguments::try_parse().unwrap_or_else(|error| with_commands(error).exit())
}

/// The error of an option that its command does not have, with the commands that do have it. They stand in place of the advice
/// to take the option for the name of a file.
fn with_commands(mut error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else { return error };
    let option = option.clone();
    let has_it = |command: &clap::Command| {
        command.get_arguments().any(|argument| argument.get_long().is_some_and(|long| option == format!("--{long}")))
    };
    let all = Arguments::command();
    let commands: Vec<&str> =
        all.get_subcommands().filter(|command| has_it(command)).map(clap::Command::get_name).collect();
    if let ([_, ..], Some(_)) = (commands.as_slice(), error.get(ContextKind::Suggested)) {
        let tip = format!("{option} is an option of {}", commands.join(", "));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// The place behind all other options of a group.
const LAST: usize = 1000;

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Stream every layer through engines: cycles, energy, the check, accuracy
    ///
    /// Every ideal engine is checked against ESN: its count of cycles, or of energy, is that of the equations, as an
    /// integer. With images the network also runs on every engine. Exit code 1 says that a check failed.
    #[command(after_help = "Example: esnsim simulate net.onnx --hardware ideal-digital --images photos --limit 100")]
    Simulate(SimulateOptions),

    /// Compute the metric alone, by layer or of several networks side by side
    ///
    /// One network is shown layer by layer, several are compared by their totals.
    #[command(after_help = "Example: esnsim esn net.onnx --bits 8 --csv esn.csv")]
    Esn(EsnOptions),

    /// Prune, quantize, re-estimate BatchNorm statistics, and write the result
    ///
    /// The three are done in this order, each where an option asks for it. The result is a standard file.
    #[command(after_help = "Example: esnsim compress net.onnx --prune filters=0.25 --bits 4 -o small.onnx")]
    Compress(CompressOptions),

    /// Show what is in a file: graph, MAC layers, geometry, weight statistics
    #[command(after_help = "Example: esnsim inspect net.onnx --nodes")]
    Inspect(InspectOptions),

    /// Run every point of a plan into a store
    ///
    /// A plan names networks, prunings, quantizations, hardware and images. A sweep that was stopped goes on where it
    /// was. Exit code 1 says that a point failed, or that an ideal engine and its metric differ.
    #[command(after_help = "Example: esnsim sweep plan.toml -o store.db")]
    Sweep(SweepOptions),

    /// Write a network, or its weights, in another format
    ///
    /// A note says each thing that the new file does not hold.
    #[command(after_help = "Example: esnsim convert net.tflite net.onnx")]
    Convert(ConvertOptions),

    /// Make a network of the literature with random weights, as ONNX
    #[command(after_help = "Example: esnsim new resnet20 --width 0.5 -o resnet20.onnx")]
    New(NewOptions),

    /// Print the description of hardware that comes along, a start for your own
    ///
    /// It is TOML, with a comment or a source at every value. Without a name all names are listed.
    #[command(after_help = "Example: esnsim hardware gpu-8bit > my-array.toml")]
    Hardware(HardwareNameOptions),

    /// Show energy against bits and pruning, on every kind of hardware
    ///
    /// One layer is costed in many forms: with fewer bits, with pruned weights, with pruned filters. The result is a
    /// table, a CSV file and a figure.
    #[command(after_help = "Example: esnsim landscape --hardware ideal-digital --svg landscape.svg")]
    Landscape(LandscapeOptions),

    /// Show a layer on a stepped machine, cycle by cycle
    ///
    /// Waveforms show rows or columns of the machine; the table has energy and activity of every cycle.
    #[command(after_help = "Example: esnsim trace net.onnx --layer 2 --cycles 0..256 --vcd layer.vcd")]
    Trace(TraceOptions),

    /// Find the frontier of accuracy against a cost over the points of a store
    #[command(after_help = "Example: esnsim pareto store.db --cost energy:ideal-digital --html frontier.html")]
    Pareto(ParetoOptions),

    /// Find which number ranks networks as a hardware does
    ///
    /// Parameters, MACs, bit operations, ESN and others are held against energy and latency of each hardware, by Kendall's rank
    /// correlation, over the points of a store or over network files. With accuracies it tells what a choice by such a number
    /// costs.
    #[command(
        mut_args(self::proxies::shown_in_short),
        after_help = "Example: esnsim proxies store.db --csv proxies.csv --svg proxies.svg"
    )]
    Proxies(ProxiesOptions),

    /// Print a script that completes commands, options and words in a shell
    #[command(after_help = "Example: esnsim completions bash")]
    Completions(CompletionsOptions),

    /// Write a manual page for each command
    #[command(after_help = "Example: esnsim man man1")]
    Man(ManOptions),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use testkit::check_all;

    use super::Arguments;

    /// Lines and columns of the short help at the most: what a screen shows.
    const SCREEN: (usize, usize) = (48, 100);

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_option_stands_under_a_heading_and_begins_with_one_line() {
        let mut arguments = Arguments::command();
        arguments.build();
        let commands = arguments.get_subcommands().filter(|command| command.get_name() != "help");
        let options = commands.flat_map(|command| {
            let options = command.get_arguments().filter(|argument| !argument.is_positional());
            options.map(|option| {
                let place = format!("{} --{}", command.get_name(), option.get_id());
                (place, option.get_help_heading(), option.get_help().map(ToString::to_string))
            })
        });
        check_all(options, |(place, heading, help)| {
            assert!(heading.is_some(), "{place}");
            let help = help.as_ref().unwrap_or_else(|| panic!("{place}"));
            assert!(!help.ends_with('.') && help.chars().count() <= 72, "{place}: {help}");
        });
    }

    #[test]
    fn short_help_fits_a_screen_and_ends_with_a_command() {
        let mut arguments = Arguments::command();
        arguments.build();
        let commands = arguments.get_subcommands_mut().filter(|command| command.get_name() != "help");
        let helps = commands.map(|command| (command.get_name().to_string(), command.render_help().to_string()));
        check_all(helps, |(command, help)| {
            let width = help.lines().map(|line| line.chars().count()).max().unwrap_or_default();
            let size = (help.lines().count(), width);
            assert!(size.0 <= SCREEN.0 && size.1 <= SCREEN.1, "{size:?}\n{help}");
            let example = format!("Example: esnsim {command} ");
            assert!(help.lines().last().is_some_and(|line| line.starts_with(&example)), "{help}");
        });
    }
}
