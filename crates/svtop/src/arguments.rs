//! The command line.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgAction, Command, ValueHint, value_parser};
use clap_complete::Shell;

use crate::order::Column;

/// Where services are, by custom. The first of these that exists is shown.
const SERVICES: [&str; 3] = ["/service", "/etc/service", "/var/service"];
/// The variable that names another directory, as runit has it.
const SERVICES_VARIABLE: &str = "SVDIR";
/// The shortest and the longest time between two looks, in seconds.
const INTERVAL_MIN: f64 = 0.1;
const INTERVAL_MAX: f64 = 3600.0;

const HELP: &str = "\
Press ? for the keys. The letters of svc send its commands, after a confirmation.

Exit codes: 0 quit; 100 usage error; 111 the system refused a call; 129, 130, 131 or 143 ended by HUP, INT, QUIT or TERM,
or the terminal is gone (129).";

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Request {
    /// The directory of services.
    pub(crate) directory: Vec<u8>,
    /// The time between two looks.
    pub(crate) interval: Duration,
    /// By what the rows are sorted.
    pub(crate) column: Column,
    /// Only services whose names contain this are shown.
    pub(crate) filter: String,
}

/// What a command line comes to.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// Show services.
    Request(Request),
    /// Print a text and exit: help, the version, completions.
    Text(Vec<u8>),
    /// Something is wrong with it.
    Usage(String),
}

/// The grammar.
fn command() -> Command {
    Command::new("svtop")
        .version(concat!(env!("CARGO_PKG_VERSION"), " (logyard)"))
        .about("Show a live table of supervised services and their loggers")
        .after_help(HELP)
        .override_usage("svtop [options] [dir]")
        .arg(
            Arg::new("dir").value_parser(value_parser!(OsString)).value_hint(ValueHint::DirPath).help(
                "The directory of services [default: $SVDIR, or the first of /service, /etc/service, /var/service]",
            ),
        )
        .arg(
            Arg::new("interval")
                .short('i')
                .long("interval")
                .value_name("SECONDS")
                .value_parser(interval)
                .default_value("1")
                .help("Look at the services so often"),
        )
        .arg(
            Arg::new("sort")
                .short('s')
                .long("sort")
                .value_name("COLUMN")
                .value_parser(PossibleValuesParser::new(Column::ALL.map(Column::word)).map(|word| Column::named(&word)))
                .default_value(Column::Problems.word())
                .help("Sort by this column"),
        )
        .arg(
            Arg::new("filter")
                .short('g')
                .long("filter")
                .value_name("TEXT")
                .default_value("")
                .hide_default_value(true)
                .help("Show only services whose names contain TEXT"),
        )
        .arg(
            Arg::new("completions")
                .long("completions")
                .value_name("SHELL")
                .value_parser(value_parser!(Shell))
                .action(ArgAction::Set)
                .exclusive(true)
                .help("Print the completions of a shell: bash, zsh or fish"),
        )
}

/// Reads a number of seconds.
fn interval(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (INTERVAL_MIN..=INTERVAL_MAX).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| format!("it is no number from {INTERVAL_MIN} to {INTERVAL_MAX}"))
}

/// Reads a command line; `arguments` begins with the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Parsed {
    let mut command = command();
    match command.try_get_matches_from_mut(arguments) {
        Ok(mut matches) => {
            if let Some(shell) = matches.remove_one::<Shell>("completions") {
                let mut text = Vec::new();
                clap_complete::generate(shell, &mut command, "svtop", &mut text);
                return Parsed::Text(text);
            }
            Parsed::Request(Request {
                directory: matches.remove_one("dir").map_or_else(default_directory, OsString::into_vec),
                interval: matches.remove_one("interval").expect("it has a default"),
                column: matches.remove_one("sort").expect("it has a default"),
                filter: matches.remove_one("filter").expect("it has a default"),
            })
        }
        Err(error) if !error.use_stderr() => Parsed::Text(error.to_string().into_bytes()),
        Err(error) => {
            let text = error.to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            Parsed::Usage(text.split("\n\n").next().unwrap_or(text).replace('\n', " "))
        }
    }
}

fn default_directory() -> Vec<u8> {
    std::env::var_os(SERVICES_VARIABLE).filter(|directory| !directory.is_empty()).map_or_else(
        || SERVICES.into_iter().find(|path| std::path::Path::new(path).is_dir()).unwrap_or(SERVICES[0]).into(),
        OsString::into_vec,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Parsed {
        parse(std::iter::once("svtop").chain(arguments.iter().copied()).map(OsString::from))
    }

    #[test]
    fn the_grammar_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn options_are_read() {
        let Parsed::Request(request) = parsed(&["-i", "0.5", "--sort", "lines", "-g", "mail", "/srv"]) else {
            panic!()
        };
        assert_eq!(request.directory, b"/srv");
        assert_eq!((request.interval, request.column), (Duration::from_millis(500), Column::Lines));
        assert_eq!(request.filter, "mail");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for arguments in [&["-i", "0"][..], &["-i", "x"], &["-i", "nan"], &["--sort", "colour"], &["a", "b"], &["-z"]] {
            assert!(matches!(parsed(arguments), Parsed::Usage(_)), "{arguments:?}");
        }
    }

    #[test]
    fn each_shell_has_its_completions() {
        for shell in ["bash", "zsh", "fish"] {
            let Parsed::Text(text) = parsed(&["--completions", shell]) else { panic!("a text for {shell}") };
            assert!(String::from_utf8_lossy(&text).contains("interval"), "{shell}");
        }
    }
}
