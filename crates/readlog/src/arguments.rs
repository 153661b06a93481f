//! The command line.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use clap_complete::Shell;
use jiff::Zoned;

use crate::clock::LocalClock;
use crate::filter::{Filter, Pattern};
use crate::histogram::Interval;
use crate::output::Style;
use crate::time_arg;
use crate::time_scale::{TimeScale, Window};

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
    pub(super) directories: Vec<Vec<u8>>,
    pub(super) filter: Filter,
    pub(super) scale: TimeScale,
    pub(super) is_utc: bool,
    pub(super) lines_max: Option<usize>,
    pub(super) is_reversed: bool,
    pub(super) follows: bool,
    pub(super) cursor: Option<PathBuf>,
    pub(super) style: Style,
    pub(super) service: Choice,
    pub(super) color: Choice,
    pub(super) wants_pager: bool,
    pub(super) drawing: Option<Drawing>,
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

const STYLES: [(&str, Style); 5] = [
    ("short", Style::Short),
    ("iso", Style::Iso),
    ("tai64n", Style::Tai64n),
    ("cat", Style::Cat),
    ("json", Style::Json),
];

const EXAMPLES: &str = "\
Times: 2026-11-22, '2026-11-22 10:30', 10:30, '10 min ago', -1h, yesterday, today, now,
2026-11-22T10:30:00Z, @400000006b02cca2200ccfa4, @1795345560. --since is inclusive, --until is exclusive.

Examples:
  readlog /service/qmail/log/main                     everything, oldest first
  readlog -n 20 /service/*/log/main                   the last 20 lines of all services
  readlog --since '10 min ago' /service/*/log/main    the last ten minutes of all services
  readlog --since 10:30 --until 10:31 -g refused DIR  one word within one minute
  readlog -f -n 0 /service/qmail/log/main             only new lines, as they are written
  readlog -f --cursor seen DIR | ship                 continue where the last run stopped
  readlog --histogram --since yesterday DIR           lines per interval
  readlog --tai real /var/log/s6                      directories of s6 and nosh

Exit codes: 0 everything was read; 1 something could not be read, and a message names it; 100 usage error;
111 the system refused a call, or the cursor file is not a cursor; 130 interrupted while following.";

/// The command line's grammar.
pub(super) fn command() -> Command {
    let choice = || PossibleValuesParser::new(["auto", "always", "never"]);
    Command::new("readlog")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Read log directories of multilog, svlogd and s6-log")
        .after_help(EXAMPLES)
        .override_usage("readlog [options] dir ...")
        .arg(
            Arg::new("dir")
                .value_parser(value_parser!(OsString))
                .action(ArgAction::Append)
                .value_hint(clap::ValueHint::DirPath)
                .help("Log directories or service directories; lines of several are merged by time"),
        )
        .arg(text("since", 'S', "TIME", "Omit lines before TIME"))
        .arg(text("until", 'U', "TIME", "Omit lines at TIME and after"))
        .arg(
            Arg::new("lines")
                .short('n')
                .long("lines")
                .value_name("LINES")
                .value_parser(value_parser!(usize))
                .help("Print only the last LINES lines"),
        )
        .arg(flag("reverse", Some('r'), "Print the latest lines first"))
        .arg(text("grep", 'g', "REGEX", "Print only lines that match REGEX, each with its continuation lines"))
        .arg(flag("invert-match", Some('v'), "Print only lines that do not match").requires("grep"))
        .arg(flag("ignore-case", Some('i'), "Ignore the case of letters").requires("grep"))
        .arg(
            flag("follow", Some('f'), "Print new lines as they are written, across rotations and restarts")
                .conflicts_with_all(["reverse", "until", "histogram", "svg"]),
        )
        .arg(
            Arg::new("cursor")
                .long("cursor")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .value_hint(clap::ValueHint::FilePath)
                .conflicts_with_all(["reverse", "lines", "histogram", "svg"])
                .help("Start after the last line that the previous run with FILE printed, and keep FILE up to date"),
        )
        .arg(
            Arg::new("output")
                .short('o')
                .long("output")
                .value_name("STYLE")
                .value_parser(PossibleValuesParser::new(STYLES.map(|(name, _)| name)))
                .default_value("short")
                .help("Print lines in this style"),
        )
        .arg(
            Arg::new("service")
                .long("service")
                .value_name("WHEN")
                .value_parser(choice())
                .default_value("auto")
                .help("Print the name of each line's service"),
        )
        .arg(
            Arg::new("tai")
                .long("tai")
                .value_name("SCALE")
                .value_parser(PossibleValuesParser::new(["djb", "real"]).map(|scale| match &scale[..] {
                    "real" => TimeScale::Real,
                    _ => TimeScale::Djb,
                }))
                .default_value("djb")
                .help("How labels count time: djb (multilog, svlogd) or real (s6, nosh: with leap seconds)"),
        )
        .arg(flag("utc", None, "Print and read times in UTC"))
        .arg(
            Arg::new("histogram")
                .long("histogram")
                .value_name("INTERVAL")
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("auto")
                .conflicts_with_all(["lines", "reverse"])
                .help("Draw a chart of the number of lines per INTERVAL (10s, 5m, 1h, 1d)"),
        )
        .arg(
            Arg::new("svg")
                .long("svg")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .value_hint(clap::ValueHint::FilePath)
                .conflicts_with_all(["lines", "reverse"])
                .help("Write the histogram to FILE as a picture"),
        )
        .arg(
            Arg::new("color")
                .long("color")
                .alias("colour")
                .value_name("WHEN")
                .value_parser(choice())
                .default_value("auto")
                .help("Use colours"),
        )
        .arg(flag("no-pager", None, "Do not start a pager"))
        .arg(
            Arg::new("completions")
                .long("completions")
                .value_name("SHELL")
                .value_parser(value_parser!(Shell))
                .exclusive(true)
                .help("Print the completions of a shell: bash, zsh or fish"),
        )
}

fn text(name: &'static str, short: char, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).short(short).long(name).value_name(value).allow_hyphen_values(true).help(help)
}

fn flag(name: &'static str, short: Option<char>, help: &'static str) -> Arg {
    Arg::new(name).short(short).long(name).action(ArgAction::SetTrue).help(help)
}

/// Reads a command line; `arguments` begins with the program's name.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Parsed {
    let mut command = command();
    match command.try_get_matches_from_mut(arguments) {
        Ok(matches) => match matches.get_one::<Shell>("completions") {
            Some(shell) => {
                let mut text = Vec::new();
                clap_complete::generate(*shell, &mut command, "readlog", &mut text);
                Parsed::Text(text)
            }
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
    let pattern = matches
        .get_one::<String>("grep")
        .map(|text| Pattern::new(text, matches.get_flag("ignore-case"), matches.get_flag("invert-match")))
        .transpose()?;
    let interval = matches.get_one::<String>("histogram");
    let svg = matches.get_one::<PathBuf>("svg").cloned();
    let drawing = match (interval.map(String::as_str), &svg) {
        (None, None) => None,
        (None | Some("auto"), _) => Some(Drawing { interval: None, svg }),
        (Some(text), _) => Some(Drawing { interval: Some(Interval::parse(text)?), svg }),
    };
    let style = matches.get_one::<String>("output").expect("has a default");
    let style = STYLES.iter().find(|(name, _)| name == style).expect("only these values are accepted").1;
    let directories: Vec<Vec<u8>> =
        matches.get_many::<OsString>("dir").into_iter().flatten().map(|dir| dir.clone().into_vec()).collect();
    if directories.is_empty() {
        return Err("no directory is named".to_owned());
    }
    Ok(Request {
        directories,
        filter: Filter { window, pattern },
        scale,
        is_utc,
        lines_max: matches.get_one::<usize>("lines").copied(),
        is_reversed: matches.get_flag("reverse"),
        follows: matches.get_flag("follow"),
        cursor: matches.get_one::<PathBuf>("cursor").cloned(),
        style,
        service: choice(matches, "service"),
        color: choice(matches, "color"),
        wants_pager: !matches.get_flag("no-pager"),
        drawing,
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
            &["-n", "many", "x"],
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
