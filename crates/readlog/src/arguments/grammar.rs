//! The grammar of the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgAction, Command, ValueHint, value_parser};

use crate::output::{Field, Style};
use crate::time_scale::TimeScale;

/// The styles of lines, by their names.
pub(super) const STYLES: [(&str, Style); 5] = [
    ("short", Style::Short),
    ("iso", Style::Iso),
    ("tai64n", Style::Tai64n),
    ("cat", Style::Cat),
    ("json", Style::Json),
];

/// The shells that have completions.
pub(super) const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];

const EXAMPLES: &str = "\
Times: 2026-11-22, '2026-11-22 10:30', 10:30, '10 min ago', -1h, yesterday, today, now,
'2026-11-22 10:30 UTC', 2026-11-22T10:30:00Z, @400000006b02cca2200ccfa4, @1795345560.
--since is inclusive, --until is exclusive.

Examples:
  readlog /service/qmail                              everything, oldest first
  readlog -n 20 /service/*                            the last 20 lines of all services
  readlog -u qmail -e                                 a service by its name, at the end, in a pager
  readlog --since '10 min ago' /service/*             the last ten minutes of all services
  readlog --since 10:30 --until 10:31 -g refused DIR  one word within one minute
  readlog -f -n 0 -u qmail                            only new lines, as they are written
  readlog -f --cursor seen DIR | ship                 continue where the last run stopped
  readlog --histogram --since yesterday DIR           lines per interval
  readlog -f -n web1:/service/nginx web2:/service/nginx   two other hosts, by ssh
  readlog --tai real /var/log/s6                      directories of s6 and nosh

Exit codes: 0 everything was read; 1 something could not be read, and a message names it; 100 usage error;
111 the system refused a call, or the cursor file is not a cursor; 130 interrupted while following.";

/// The grammar.
pub(super) fn command() -> Command {
    let choice = || PossibleValuesParser::new(["auto", "always", "never"]);
    let mut command = Command::new("readlog")
        .version(concat!(env!("CARGO_PKG_VERSION"), " (logyard)"))
        .about("Read log directories of multilog, svlogd and s6-log")
        .after_help(EXAMPLES)
        .override_usage("readlog [options] dir ...")
        .arg(
            Arg::new("dir")
                .value_parser(value_parser!(OsString))
                .action(ArgAction::Append)
                .value_hint(ValueHint::AnyPath)
                .help("Log directories, service directories or log files, here or as host:path; merged by time"),
        )
        .arg(
            Arg::new("unit")
                .short('u')
                .long("unit")
                .value_name("NAME")
                .value_parser(value_parser!(OsString))
                .action(ArgAction::Append)
                .help("Read the log of the service NAME, as if its directory were named"),
        );
    for group in [selection(), printing(), other()] {
        command = command.args(group);
    }
    for overview in ["list", "disk-usage"] {
        command = command.mut_arg(overview, |arg| {
            let of_lines =
                ["since", "until", "lines", "reverse", "pager-end", "grep", "follow", "cursor", "histogram", "svg"];
            arg.conflicts_with_all(of_lines)
        });
    }
    command.mut_args(|arg| {
        if ["service", "color"].contains(&arg.get_id().as_str()) { arg.value_parser(choice()) } else { arg }
    })
}

/// Which lines.
fn selection() -> Vec<Arg> {
    vec![
        text("since", Some('S'), "TIME", "Omit lines before TIME"),
        text("until", Some('U'), "TIME", "Omit lines at TIME and after"),
        number("lines", 'n', "LINES", "Print only the last LINES lines (without a number: 10)"),
        flag("reverse", Some('r'), "Print the latest lines first"),
        flag("pager-end", Some('e'), "Print the last 1000 lines, or as many as -n says; the pager begins at the end")
            .conflicts_with_all(["reverse", "follow", "cursor", "histogram", "svg"]),
        text("grep", Some('g'), "REGEX", "Print only lines that match REGEX, each with its continuation lines"),
        flag("invert-match", Some('v'), "Print only lines that do not match").requires("grep"),
        flag("ignore-case", Some('i'), "Ignore the case of letters, even if REGEX has a capital one").requires("grep"),
        flag("case-sensitive", Some('s'), "Do not ignore the case of letters, even if REGEX has no capital one")
            .requires("grep")
            .conflicts_with("ignore-case"),
        number("after-context", 'A', "LINES", "Print LINES lines after each match too"),
        number("before-context", 'B', "LINES", "Print LINES lines before each match too"),
        number("context", 'C', "LINES", "Print LINES lines before and after each match too"),
        flag("follow", Some('f'), "Print new lines as they are written, across rotations and restarts")
            .conflicts_with_all(["reverse", "until", "histogram", "svg"]),
        file("cursor", "Start after the last line that the previous run with FILE printed, and keep FILE up to date")
            .conflicts_with_all(["reverse", "histogram", "svg"]),
    ]
    .into_iter()
    .map(|arg| match arg.get_id().as_str() {
        "after-context" | "before-context" | "context" => {
            arg.requires("grep").conflicts_with_all(["cursor", "histogram", "svg"])
        }
        _ => arg,
    })
    .collect()
}

/// How lines are printed.
fn printing() -> Vec<Arg> {
    let when = |name, help| Arg::new(name).long(name).value_name("WHEN").default_value("auto").help(help);
    vec![
        Arg::new("output")
            .short('o')
            .long("output")
            .value_name("STYLE")
            .value_parser(PossibleValuesParser::new(STYLES.map(|(name, _)| name)))
            .default_value("short")
            .help("Print lines in this style"),
        Arg::new("output-fields")
            .long("output-fields")
            .value_name("FIELDS")
            .value_delimiter(',')
            .value_parser(PossibleValuesParser::new(Field::ALL.map(|(name, _)| name)))
            .help("Print only these members of the objects of -o json, separated by commas"),
        when("service", "Print the name of each line's service"),
        Arg::new("tai")
            .long("tai")
            .value_name("SCALE")
            .value_parser(PossibleValuesParser::new(["djb", "real"]).map(|scale| match &scale[..] {
                "real" => TimeScale::Real,
                _ => TimeScale::Djb,
            }))
            .default_value("djb")
            .help("How labels count time: djb (multilog, svlogd) or real (s6, nosh: with leap seconds)"),
        flag("utc", None, "Print and read times in UTC"),
        when("color", "Use colours").alias("colour"),
        flag("no-pager", None, "Do not start a pager"),
        flag("quiet", Some('q'), "Print no warnings and no hints; the exit code still tells"),
    ]
}

/// What is printed in the place of lines.
fn other() -> Vec<Arg> {
    vec![
        Arg::new("histogram")
            .long("histogram")
            .value_name("INTERVAL")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("auto")
            .conflicts_with_all(["lines", "reverse"])
            .help("Draw a chart of the number of lines per INTERVAL (10s, 5m, 1h, 1d)"),
        file("svg", "Write the histogram to FILE as a picture").conflicts_with_all(["lines", "reverse"]),
        flag("list", None, "List directories, or all services: first and last time, files and bytes"),
        flag("disk-usage", None, "Show the disk usage of directories, or of all services").conflicts_with("list"),
        Arg::new("ssh")
            .long("ssh")
            .value_name("COMMAND")
            .value_parser(value_parser!(OsString))
            .allow_hyphen_values(true)
            .help("Log in at other hosts with COMMAND, such as 'ssh -p 2222'"),
        // For readlog at the other end.
        flag("announce", None, "Announce on standard error what has been printed").hide(true),
        Arg::new("completions")
            .long("completions")
            .value_name("SHELL")
            .value_parser(PossibleValuesParser::new(SHELLS))
            .exclusive(true)
            .help("Print the completions of a shell: bash, zsh or fish"),
    ]
}

fn text(name: &'static str, short: Option<char>, value: &'static str, help: &'static str) -> Arg {
    let arg = Arg::new(name).long(name).value_name(value).allow_hyphen_values(true).help(help);
    match short {
        Some(letter) => arg.short(letter),
        None => arg,
    }
}

fn number(name: &'static str, short: char, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).short(short).long(name).value_name(value).value_parser(value_parser!(usize)).help(help)
}

fn flag(name: &'static str, short: Option<char>, help: &'static str) -> Arg {
    Arg::new(name).short(short).long(name).action(ArgAction::SetTrue).help(help)
}

fn file(name: &'static str, help: &'static str) -> Arg {
    let arg = Arg::new(name).long(name).value_name("FILE").value_parser(value_parser!(PathBuf));
    arg.value_hint(ValueHint::FilePath).help(help)
}
