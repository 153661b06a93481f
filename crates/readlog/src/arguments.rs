//! The command line.
//!
//! - [`grammar`]: the options. [`lines_option`]: `-n` without a number.
//! - [`completions`]: the completions of shells.

mod completions;
mod grammar;
mod lines_option;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use clap::ArgMatches;
use jiff::Zoned;

use crate::arguments::grammar::{STYLES, command};
use crate::backward::OwnedGroup;
use crate::clock::LocalClock;
use crate::filter::{Case, Filter, Pattern};
use crate::histogram::Interval;
use crate::hosts::address::Address;
use crate::output::{Field, Style};
use crate::overview::Overview;
use crate::resolve::{Operand, all_services};
use crate::surroundings::Surroundings;
use crate::time_arg;
use crate::time_scale::{TimeScale, Window};

/// How many lines `-e` prints, unless `-n` says it.
const LINES_AT_END: usize = 1000;

/// Always, never, or automatic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Auto,
    Always,
    Never,
}

/// The histogram to draw.
#[derive(Clone, Debug)]
pub(super) struct Drawing {
    /// The interval of a bar; `None` chooses one.
    pub(super) interval: Option<Interval>,
    /// The SVG file; `None` draws on the terminal.
    pub(super) svg: Option<PathBuf>,
}

/// What the user asks for.
#[derive(Debug)]
pub(super) struct Request {
    /// What the lines are read from, in the order of the command line.
    pub(super) operands: Vec<Operand>,
    pub(super) filter: Filter,
    /// How many lines are printed around a match.
    pub(super) surroundings: Surroundings,
    pub(super) scale: TimeScale,
    pub(super) is_utc: bool,
    pub(super) lines_max: Option<usize>,
    pub(super) is_reversed: bool,
    pub(super) follows: bool,
    pub(super) cursor: Option<PathBuf>,
    pub(super) style: Style,
    /// The members of JSON objects.
    pub(super) fields: Vec<Field>,
    pub(super) service: Choice,
    pub(super) color: Choice,
    pub(super) wants_pager: bool,
    /// Whether the pager begins with the last page.
    pub(super) begins_at_end: bool,
    pub(super) is_quiet: bool,
    pub(super) drawing: Option<Drawing>,
    /// What is shown of directories in the place of lines.
    pub(super) overview: Option<Overview>,
    /// The command that logs in at other hosts.
    pub(super) ssh: Option<OsString>,
    /// Whether another readlog, at the other end of ssh, prints the lines.
    pub(super) announces: bool,
}

impl Request {
    /// Tells whether logs of other hosts are read.
    pub(super) fn has_hosts(&self) -> bool {
        self.operands.iter().any(|operand| matches!(operand, Operand::Host(_)))
    }

    /// The lines that are read: all that may be wanted around a match too.
    pub(super) fn read_filter(&self) -> Filter {
        let mut filter = self.filter.clone();
        if !self.surroundings.is_empty() {
            filter.pattern = None;
        }
        filter
    }

    /// Tells whether a line that is read is wanted for itself.
    pub(super) fn selects(&self, found: &OwnedGroup) -> bool {
        let message = &found.bytes[found.stamp.map_or(0, |stamp| stamp.bytes)..];
        self.surroundings.is_empty() || self.filter.pattern.as_ref().is_none_or(|pattern| pattern.selects(message))
    }
}

/// The result of parsing a command line.
#[derive(Debug)]
pub(super) enum Parsed {
    /// Read logs.
    Request(Box<Request>),
    /// Print a text and exit: help, the version, completions.
    Text(Vec<u8>),
    /// It is wrong.
    Usage(String),
}

/// Reads a command line; `arguments` begins with the program's name.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Parsed {
    let mut command = command();
    let arguments = lines_option::with_number(&command, arguments);
    match command.try_get_matches_from_mut(arguments) {
        Ok(matches) => match matches.get_one::<String>("completions") {
            Some(shell) => Parsed::Text(completions::script(&mut command, shell)),
            None => match request(&matches) {
                Ok(request) => Parsed::Request(Box::new(request)),
                Err(error) => Parsed::Usage(error),
            },
        },
        Err(error) if !error.use_stderr() => Parsed::Text(error.to_string().into_bytes()),
        Err(error) => {
            let text = error.to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            Parsed::Usage(text.split("\n\n").next().unwrap_or(text).replace("\n", " "))
        }
    }
}

fn request(matches: &ArgMatches) -> Result<Request, String> {
    let scale = *matches.get_one::<TimeScale>("tai").expect("has a default");
    let is_utc = matches.get_flag("utc");
    let clock = if is_utc { LocalClock::utc() } else { LocalClock::system() };
    let now = Zoned::now().with_time_zone(clock.zone().clone());
    let moment = |name| matches.get_one::<String>(name).map(|text| time_arg::parse(text, &now, scale)).transpose();
    let window = Window { since: moment("since")?, until: moment("until")? };
    let case = match (matches.get_flag("ignore-case"), matches.get_flag("case-sensitive")) {
        (true, _) => Case::Ignored,
        (_, true) => Case::Regarded,
        _ => Case::AsWritten,
    };
    let pattern = matches
        .get_one::<String>("grep")
        .map(|text| Pattern::new(text, case, matches.get_flag("invert-match")))
        .transpose()?;
    let style = matches.get_one::<String>("output").expect("has a default");
    let style = STYLES.iter().find(|(name, _)| name == style).expect("only these values are accepted").1;
    let mut operands = operands(matches)?;
    let overview = match (matches.get_flag("list"), matches.get_flag("disk-usage")) {
        (true, _) => Some(Overview::List),
        (false, true) => Some(Overview::DiskUsage),
        (false, false) => None,
    };
    if overview.is_some() && operands.is_empty() {
        operands = all_services();
    } else if operands.is_empty() {
        return Err("no directory is named".to_owned());
    }
    let begins_at_end = matches.get_flag("pager-end");
    let request = Request {
        operands,
        filter: Filter { window, pattern },
        surroundings: surroundings(matches),
        scale,
        is_utc,
        lines_max: matches.get_one::<usize>("lines").copied().or(begins_at_end.then_some(LINES_AT_END)),
        is_reversed: matches.get_flag("reverse"),
        follows: matches.get_flag("follow"),
        cursor: matches.get_one::<PathBuf>("cursor").cloned(),
        style,
        fields: fields(matches, style)?,
        service: choice(matches, "service"),
        color: choice(matches, "color"),
        wants_pager: !matches.get_flag("no-pager"),
        begins_at_end,
        is_quiet: matches.get_flag("quiet"),
        drawing: drawing(matches)?,
        overview,
        ssh: matches.get_one::<OsString>("ssh").cloned(),
        announces: matches.get_flag("announce"),
    };
    check_hosts(&request).map(|()| request)
}

/// Hosts do not go with every option.
fn check_hosts(request: &Request) -> Result<(), String> {
    let problem = if !request.has_hosts() {
        return Ok(());
    } else if !request.surroundings.is_empty() && request.lines_max.is_some() {
        "-A, -B and -C cannot be used with -n if hosts are named"
    } else if request.cursor.is_some() {
        "--cursor cannot be used with hosts"
    } else if request.overview.is_some() {
        "--list and --disk-usage cannot be used with hosts"
    } else {
        return Ok(());
    };
    Err(problem.to_owned())
}

/// The directories, files and services, in the order in which they are named.
fn operands(matches: &ArgMatches) -> Result<Vec<Operand>, String> {
    let of = |name| {
        let words = matches.get_many::<OsString>(name).into_iter().flatten();
        let places = matches.indices_of(name).into_iter().flatten();
        places.zip(words.map(|word| word.clone().into_vec()))
    };
    let mut operands: Vec<(usize, Operand)> = Vec::new();
    for (place, path) in of("dir") {
        operands.push((place, Address::parse(&path)?.map_or(Operand::Path(path), Operand::Host)));
    }
    for (place, name) in of("unit") {
        if name.is_empty() {
            return Err("the name of a service is empty".to_owned());
        }
        operands.push((place, Operand::Service(name)));
    }
    operands.sort_by_key(|(place, _)| *place);
    Ok(operands.into_iter().map(|(_, operand)| operand).collect())
}

fn surroundings(matches: &ArgMatches) -> Surroundings {
    let lines = |name| matches.get_one::<usize>(name).or(matches.get_one("context")).copied().unwrap_or(0);
    Surroundings { before: lines("before-context"), after: lines("after-context") }
}

fn fields(matches: &ArgMatches, style: Style) -> Result<Vec<Field>, String> {
    let Some(names) = matches.get_many::<String>("output-fields") else {
        return Ok(Field::ALL.map(|(_, field)| field).to_vec());
    };
    if style != Style::Json {
        return Err("--output-fields needs -o json".to_owned());
    }
    let mut fields = Vec::new();
    for name in names {
        let field = Field::ALL.iter().find(|(known, _)| known == name).expect("only these values are accepted").1;
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    Ok(fields)
}

fn drawing(matches: &ArgMatches) -> Result<Option<Drawing>, String> {
    let interval = matches.get_one::<String>("histogram");
    let svg = matches.get_one::<PathBuf>("svg").cloned();
    Ok(match (interval.map(String::as_str), &svg) {
        (None, None) => None,
        (None | Some("auto"), _) => Some(Drawing { interval: None, svg }),
        (Some(text), _) => Some(Drawing { interval: Some(Interval::parse(text)?), svg }),
    })
}

fn choice(matches: &ArgMatches, name: &str) -> Choice {
    match matches.get_one::<String>(name).map(String::as_str) {
        Some("always") => Choice::Always,
        Some("never") => Choice::Never,
        _ => Choice::Auto,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Parsed {
        parse(["readlog"].iter().chain(arguments).map(OsString::from))
    }

    #[test]
    fn the_grammar_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for arguments in [
            &[][..],
            &["-Z", "x"],
            &["-nmany", "x"],
            &["--lines=", "x"],
            &["-A", "1", "x"],
            &["-g", "x", "-C", "1", "--cursor", "seen", "x"],
            &["-g", "x", "-i", "-s", "x"],
            &["-s", "x"],
            &["-e", "-r", "x"],
            &["-u", ""],
            &["--output-fields", "time", "x"],
            &["-o", "json", "--output-fields", "when", "x"],
            &["-v", "x"],
            &["-f", "-r", "x"],
            &["-g", "(", "x"],
            &["--since", "whenever", "x"],
            &["--histogram=0s", "x"],
            &["-o", "pretty", "x"],
        ] {
            assert!(matches!(parsed(arguments), Parsed::Usage(_)), "{arguments:?}");
        }
    }

    #[test]
    fn operands_keep_their_order() {
        let Parsed::Request(request) = parsed(&["a", "-u", "b", "-n", "c", "--unit=d"]) else { panic!("a request") };

        let path = |path: &str| Operand::Path(path.into());
        let service = |name: &str| Operand::Service(name.into());
        assert_eq!(request.operands, [path("a"), service("b"), path("c"), service("d")]);
        assert_eq!(request.lines_max, Some(10));
    }

    #[test]
    fn the_end_is_a_thousand_lines_unless_a_number_is_given() {
        for (arguments, lines) in [(&["-e", "x"][..], 1000), (&["-e", "-n", "5", "x"], 5), (&["-en", "x"], 10)] {
            let Parsed::Request(request) = parsed(arguments) else { panic!("a request") };

            assert_eq!(request.lines_max, Some(lines), "{arguments:?}");
        }
    }

    #[test]
    fn a_time_may_begin_with_a_hyphen() {
        let Parsed::Request(request) = parsed(&["--since", "-10min", "x"]) else { panic!("a request") };

        assert!(request.filter.window.since.is_some());
    }

    #[test]
    fn each_shell_has_its_completions() {
        for shell in ["bash", "zsh", "fish"] {
            let Parsed::Text(text) = parsed(&["--completions", shell]) else { panic!("a text for {shell}") };

            assert!(String::from_utf8_lossy(&text).contains("histogram"), "{shell}");
        }
    }
}
