//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::error::Error;
use crate::feed::Pace;
use crate::limit::Limit;
use crate::scratch_dir::SWEEP;
use crate::syslog::drain::{self, DRAIN};
use crate::syslog::request::{SyslogRequest, Transport};
use logyard_corpus::Shape;

/// Where the lines come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// They are made.
    Made { shape: Shape, seed: u64, bytes: u64 },
    /// They are somebody's own.
    File(PathBuf),
}

/// A comparison, as it is asked for.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) source: Source,
    /// Whether each line gets a label before anybody sees it.
    pub(crate) is_labelled: bool,
    pub(crate) pace: Pace,
    pub(crate) script: String,
    /// Command lines of loggers.
    pub(crate) loggers: Vec<String>,
    /// Names, or command lines, of filters; if there are any, no loggers are compared.
    pub(crate) filters: Vec<String>,
    /// Whether only given command lines take part.
    pub(crate) only_given: bool,
    pub(crate) has_limit: bool,
    pub(crate) counts_calls: bool,
    pub(crate) runs: usize,
    /// A logger that makes no progress for this long is killed.
    pub(crate) patience: Duration,
    pub(crate) baseline: Option<String>,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) json: Option<PathBuf>,
    pub(crate) svg: Option<PathBuf>,
    pub(crate) html: Option<PathBuf>,
}

/// What a command line comes to.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// Compare.
    Run(Box<Request>),
    /// Write a corpus to standard output.
    Corpus { source: Source, is_labelled: bool },
    /// Show earlier reports.
    History { reports: Vec<PathBuf>, svg: Option<PathBuf> },
    /// Compare syslog daemons.
    Syslog(SyslogRequest),
    /// Be a receiver that discards everything, at this path and with so many datagrams waiting.
    Drain(PathBuf, u32),
    /// Be the stand-in.
    Limit(Limit),
    /// Remove a directory once standard input ends.
    Sweep(PathBuf),
    /// Print a text and leave: help, the version.
    Text(String),
    /// Something is wrong with it.
    Wrong(Error),
}

const EXAMPLES: &str = "\
Examples:
  logbench                                             multilog, the installed peers, and the limit
  logbench --bytes 20M --runs 3 --shape long           less time, longer lines
  logbench --logger 'mine=mylog -r 10 ./main'          add another logger
  logbench --rate 10000 --bytes 3M                     a fixed rate: measure latency
  logbench --html report.html --json report.json       write a page and the figures
  logbench --filter tai64nlocal --labelled             filters instead of loggers
  logbench syslog --transport unix                     syslog daemons instead of loggers
  logbench corpus qmail 200M | multilog t ./main       generate a log for other experiments
  logbench history benches/record --svg history.svg    compare the figures of earlier reports

Sizes are in bytes; k, M and G stand for thousands, millions and billions.

Exit codes: 0 every log was correct; 1 a logger lost lines or failed, and the table says which; 100 usage
error; 111 the system refused a call; 130 interrupted.";

/// The command line's grammar.
fn command() -> Command {
    let corpus = Command::new("corpus")
        .about("Write a generated log to standard output; the same shape, size and seed give the same bytes")
        .arg(Arg::new("shape").required(true).value_name("SHAPE").value_parser(shapes()).help("The shape of the lines"))
        .arg(Arg::new("size").required(true).value_name("SIZE").value_parser(size).help("The size of the log in bytes"))
        .arg(seed())
        .arg(labelled());
    let history = Command::new("history")
        .about("Show the figures of earlier reports, oldest first")
        .arg(
            Arg::new("reports")
                .required(true)
                .num_args(1..)
                .value_name("REPORT")
                .value_parser(value_parser!(PathBuf))
                .value_hint(clap::ValueHint::AnyPath)
                .help("A file that --json wrote, or a directory of such files"),
        )
        .arg(path("svg", "Write one picture of all of them"));
    Command::new("logbench")
        .version(concat!(env!("CARGO_PKG_VERSION"), " (logyard)"))
        .about("Benchmark loggers and verify their output")
        .override_usage(
            "logbench [run] [options]\n       logbench syslog [options]\n       logbench corpus shape size [options]\n       \
                         logbench history report... [--svg file]",
        )
        .after_help("The command `run` is the default. `logbench run --help` lists its options.")
        .subcommand_required(true)
        .subcommand(run())
        .subcommand(syslog())
        .subcommand(corpus)
        .subcommand(history)
}

fn run() -> Command {
    let generated = ["shape", "bytes", "seed"];
    Command::new("run")
        .about("Compare loggers, or filters (the default)")
        .override_usage("logbench [run] [options]")
        .after_help(EXAMPLES)
        .arg(option("shape", "SHAPE", "The shape of the lines").value_parser(shapes()).default_value("qmail"))
        .arg(option("bytes", "SIZE", "The amount of input in each run").value_parser(size).default_value("200M"))
        .arg(seed())
        .arg(path("input", "Use the lines of FILE instead of generated lines").conflicts_with_all(generated))
        .arg(labelled())
        .arg(
            option("runs", "NUMBER", "The number of runs of each logger")
                .value_parser(value_parser!(u16).range(1..))
                .default_value("7"),
        )
        .arg(
            option("rate", "LINES", "Lines to write per second (default: as fast as the logger reads)")
                .value_parser(rate),
        )
        .arg(
            option("write-bytes", "SIZE", "The size of each write (default: 128 KiB, or one line with --rate)")
                .value_parser(size),
        )
        .arg(
            option("script", "SCRIPT", "What the loggers do, as a multilog script")
                .default_value("t s1000000 n10 ./main"),
        )
        .arg(
            option(
                "logger",
                "NAME=COMMAND",
                "Add a logger; a shell starts COMMAND in an empty directory; may be repeated",
            )
            .action(ArgAction::Append),
        )
        .arg(
            option("filter", "FILTER", "Compare filters: tai64n, tai64nlocal, or NAME=COMMAND; may be repeated")
                .action(ArgAction::Append)
                .conflicts_with_all(["logger", "script"]),
        )
        .arg(flag("only-given", "Do not search for other loggers: compare only the given commands and the limit"))
        .arg(flag("no-limit", "Omit the limit, a program that reads and writes the same volume but examines nothing"))
        .arg(flag("no-calls", "Do not count system calls (otherwise strace counts them in a separate run)"))
        .arg(
            option(
                "timeout",
                "SECONDS",
                "Kill a logger that reads nothing for SECONDS, or does not exit within SECONDS",
            )
            .value_parser(value_parser!(u64).range(1..))
            .default_value("60"),
        )
        .arg(option("baseline", "NAME", "The logger with which the others are compared (default: the first)"))
        .arg(path("dir", "Where the runs make their directories (default: /dev/shm, if it exists)").value_name("DIR"))
        .arg(path("json", "Write every run as JSON"))
        .arg(path("svg", "Write the charts as a picture"))
        .arg(path("html", "Write the report as one HTML page"))
}

fn syslog() -> Command {
    let number = || value_parser!(u32).range(1..);
    Command::new("syslog")
        .about("Compare syslog daemons: messages per second, processor time, losses when the daemon is killed")
        .override_usage("logbench syslog [options]")
        .arg(
            option("transport", "TRANSPORT", "How messages are sent; may be repeated (default: all)")
                .value_parser(PossibleValuesParser::new(Transport::ALL.map(Transport::name)))
                .action(ArgAction::Append),
        )
        .arg(
            option("daemon", "NAME", "Compare only the daemon of this name; may be repeated (default: all)")
                .action(ArgAction::Append),
        )
        .arg(option("messages", "NUMBER", "The messages of each run").value_parser(number()).default_value("500000"))
        .arg(option("senders", "NUMBER", "How many send at a time").value_parser(number()).default_value("8"))
        .arg(
            option("runs", "NUMBER", "The number of runs of each daemon")
                .value_parser(value_parser!(u16).range(1..))
                .default_value("5"),
        )
        .arg(
            option("kills", "NUMBER", "How often a daemon is killed, in one more run")
                .value_parser(value_parser!(u16))
                .default_value("10"),
        )
        .arg(path("dir", "Where the runs make their directories (default: /dev/shm, if it exists)").value_name("DIR"))
}

fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn path(name: &'static str, help: &'static str) -> Arg {
    option(name, "FILE", help).value_parser(value_parser!(PathBuf)).value_hint(clap::ValueHint::FilePath)
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

fn seed() -> Arg {
    option("seed", "NUMBER", "Generate another log of the same shape")
        .value_parser(value_parser!(u64))
        .default_value("1")
}

fn labelled() -> Arg {
    flag("labelled", "Put a TAI64N label before each line, as input for tai64nlocal; SIZE does not include the labels")
}

fn shapes() -> PossibleValuesParser {
    PossibleValuesParser::new(Shape::ALL.map(Shape::name))
}

fn size(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1000),
        Some(b'M') => (&text[..text.len() - 1], 1_000_000),
        Some(b'G') => (&text[..text.len() - 1], 1_000_000_000),
        _ => (text, 1),
    };
    let number = digits.parse::<u64>().ok().filter(|&number| number > 0).and_then(|number| number.checked_mul(unit));
    number.ok_or_else(|| "not a size".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    text.parse::<f64>().ok().filter(|rate| rate.is_finite() && *rate >= 0.001).ok_or_else(|| "not a rate".to_owned())
}

/// Reads a command line; `arguments` begins with the program's name.
pub(crate) fn parse(mut arguments: Vec<OsString>) -> Parsed {
    if let [_, word, directory] = &arguments[..]
        && word == SWEEP
    {
        return Parsed::Sweep(PathBuf::from(directory));
    }
    if arguments.get(1).is_some_and(|word| word == "limit") {
        let numbers = arguments[2..].iter().map(|number| number.to_str()?.parse().ok()).collect::<Option<Vec<u64>>>();
        return match numbers.and_then(|numbers| Limit::parse(&numbers)) {
            Some(limit) => Parsed::Limit(limit),
            None => Parsed::Wrong(Error::Usage("limit is for logbench's own use".to_owned())),
        };
    }
    if arguments.get(1).is_some_and(|word| word == DRAIN) {
        return match drain::parse(&arguments[2..]) {
            Some((path, queue)) => Parsed::Drain(path, queue),
            None => Parsed::Wrong(Error::Usage("drain is for logbench's own use".to_owned())),
        };
    }
    let commands = ["run", "syslog", "corpus", "history", "help", "--help", "-h", "--version", "-V"];
    if !arguments.get(1).is_some_and(|word| commands.iter().any(|command| word == command)) {
        arguments.insert(1.min(arguments.len()), "run".into());
    }
    match command().try_get_matches_from(arguments) {
        Ok(matches) => match matches.subcommand() {
            Some(("corpus", matches)) => {
                let bytes = *matches.get_one("size").expect("is required");
                Parsed::Corpus { source: made(matches, bytes), is_labelled: matches.get_flag("labelled") }
            }
            Some(("history", matches)) => {
                let reports = matches.get_many("reports").into_iter().flatten().cloned().collect();
                Parsed::History { reports, svg: matches.get_one("svg").cloned() }
            }
            Some(("syslog", matches)) => Parsed::Syslog(syslog_request(matches)),
            Some((_, matches)) => Parsed::Run(Box::new(request(matches))),
            None => Parsed::Wrong(Error::Usage("no command is named".to_owned())),
        },
        Err(error) if !error.use_stderr() => Parsed::Text(error.to_string()),
        Err(error) => {
            let text = error.to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            Parsed::Wrong(Error::Usage(text.split("\n\n").next().unwrap_or(text).replace('\n', " ")))
        }
    }
}

fn made(matches: &ArgMatches, bytes: u64) -> Source {
    let shape = matches.get_one::<String>("shape").and_then(|name| Shape::named(name));
    let shape = shape.expect("only shapes are accepted");
    Source::Made { shape, seed: *matches.get_one("seed").expect("has a default"), bytes }
}

fn request(matches: &ArgMatches) -> Request {
    let file = |name| matches.get_one::<PathBuf>(name).cloned();
    let texts = |name| matches.get_many::<String>(name).into_iter().flatten().cloned().collect();
    let source = match file("input") {
        Some(file) => Source::File(file),
        None => made(matches, *matches.get_one("bytes").expect("has a default")),
    };
    let write_bytes = matches.get_one::<u64>("write-bytes").map(|&bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    Request {
        source,
        is_labelled: matches.get_flag("labelled"),
        pace: Pace { rate: matches.get_one("rate").copied(), write_bytes },
        script: matches.get_one::<String>("script").expect("has a default").clone(),
        loggers: texts("logger"),
        filters: texts("filter"),
        only_given: matches.get_flag("only-given"),
        has_limit: !matches.get_flag("no-limit"),
        counts_calls: !matches.get_flag("no-calls"),
        runs: usize::from(*matches.get_one::<u16>("runs").expect("has a default")),
        patience: Duration::from_secs(*matches.get_one("timeout").expect("has a default")),
        baseline: matches.get_one::<String>("baseline").cloned(),
        directory: file("dir"),
        json: file("json"),
        svg: file("svg"),
        html: file("html"),
    }
}

fn syslog_request(matches: &ArgMatches) -> SyslogRequest {
    let chosen = matches.get_many::<String>("transport");
    let number = |name| *matches.get_one::<u32>(name).expect("has a default");
    let few = |name| usize::from(*matches.get_one::<u16>(name).expect("has a default"));
    SyslogRequest {
        transports: chosen
            .map_or_else(|| Transport::ALL.to_vec(), |names| names.filter_map(|name| Transport::named(name)).collect()),
        daemons: matches.get_many("daemon").into_iter().flatten().cloned().collect(),
        messages: number("messages"),
        senders: number("senders"),
        runs: few("runs"),
        kills: few("kills"),
        directory: matches.get_one("dir").cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Parsed {
        parse(["logbench"].iter().chain(arguments).map(OsString::from).collect())
    }

    #[test]
    fn the_grammar_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn run_is_the_default_command() {
        for arguments in [&[][..], &["run"], &["--runs", "7"], &["run", "--bytes", "200M"]] {
            let Parsed::Run(request) = parsed(arguments) else { panic!("a comparison of {arguments:?}") };

            assert_eq!((request.runs, request.has_limit), (7, true));
            assert!(matches!(request.source, Source::Made { shape: Shape::Qmail, seed: 1, bytes: 200_000_000 }));
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for arguments in [
            &["corpus"][..],
            &["corpus", "round", "1M"],
            &["corpus", "qmail", "much"],
            &["--runs", "0"],
            &["--rate", "0"],
            &["--bytes", "0"],
            &["--input", "x", "--shape", "long"],
            &["--filter", "tai64n", "--logger", "a=b"],
            &["limit", "1"],
            &["history"],
            &["what"],
        ] {
            assert!(matches!(parsed(arguments), Parsed::Wrong(Error::Usage(_))), "{arguments:?}");
        }
    }

    #[test]
    fn sizes_have_units_of_a_thousand() {
        assert_eq!(
            [size("7"), size("20k"), size("3M"), size("1G")].map(Result::unwrap),
            [7, 20_000, 3_000_000, 1_000_000_000]
        );
        assert!(size("99999999999999999999").is_err() && size("1T").is_err() && size("M").is_err());
    }
}
