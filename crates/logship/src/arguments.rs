//! The command line.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use clap_complete::Shell;
use jiff::Zoned;
use readlog::time_arg;
use readlog::time_scale::{TimeScale, Window};

use crate::get::Query;
use crate::identity::Wanted;
use crate::key::Format;
use crate::store::Access;

/// What is asked for, and of which store.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) store: String,
    pub(crate) access: Access,
    pub(crate) task: Task,
}

impl Request {
    /// The descriptor on which a supervisor waits for a newline.
    pub(crate) fn ready_fd(&self) -> Option<i32> {
        match &self.task {
            Task::Ship(ship) => ship.ready_fd,
            _ => None,
        }
    }
}

/// What is asked for.
#[derive(Debug)]
pub(crate) enum Task {
    Ship(Ship),
    Verify { directories: Vec<Vec<u8>>, wanted: Wanted, format: Format, reads_content: bool, compacted: Option<String> },
    Ls,
    Get(Query),
    Compact(Compact),
}

/// How objects are merged.
#[derive(Debug)]
pub(crate) struct Compact {
    /// The store for merged objects.
    pub(crate) into: String,
    /// Days before this one are merged.
    pub(crate) before: String,
    pub(crate) object_bytes_max: u64,
    pub(crate) level: i32,
    pub(crate) is_dry: bool,
    pub(crate) is_quiet: bool,
    pub(crate) retry_limit: Option<Duration>,
}

/// How archives are shipped.
#[derive(Debug)]
pub(crate) struct Ship {
    pub(crate) directories: Vec<Vec<u8>>,
    pub(crate) wanted: Wanted,
    pub(crate) format: Format,
    pub(crate) is_once: bool,
    pub(crate) is_dry: bool,
    pub(crate) is_quiet: bool,
    /// Whether the directories get a mark that says how far they are shipped.
    pub(crate) has_marks: bool,
    pub(crate) parallel: usize,
    pub(crate) archive_bytes_max: u64,
    pub(crate) level: i32,
    /// The store for merged objects.
    pub(crate) compacted: Option<String>,
    /// How long the store may be away; `None`: for ever.
    pub(crate) retry_limit: Option<Duration>,
    pub(crate) metrics: Option<PathBuf>,
    pub(crate) ready_fd: Option<i32>,
}

/// What a command line comes to.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// Do something.
    Request(Box<Request>),
    /// Print a text and exit: help, the version, completions.
    Text(Vec<u8>),
    /// Something is wrong with it.
    Usage(String),
}

/// How long a run with `--once` waits for a store.
const ONCE_SECONDS: u64 = 300;

const EXAMPLES: &str = "\
Stores: s3://bucket/prefix, gs://bucket/prefix, az://container/prefix, file:///srv/logs. Credentials come from the
environment, as for the clouds' own tools: AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT_URL, GOOGLE_SERVICE_ACCOUNT, …

Examples:
  logship ship --once /service/*/log/main s3://logs/raw     ship all archives, then exit
  logship ship /service/*/log/main s3://logs/raw            ship each archive as it appears
  logship ship --dry-run --once DIR file:///srv/logs        say what would be shipped
  logship verify /service/*/log/main s3://logs/raw          compare hashes and line counts
  logship ls s3://logs/raw                                  hosts, services, days, lines, bytes
  logship get s3://logs/raw --service qmail --since -1h     lines as labelled text, for readlog or tai64nlocal
  logship compact s3://logs/raw s3://logs/compacted         merge the objects of closed days into larger ones

Exit codes: 0 everything was done; 1 something was not, and a message names it; 100 usage error; 111 the store or the
system refused.";

/// The command line's grammar.
pub(crate) fn command() -> Command {
    Command::new("logship")
        .version(concat!(env!("CARGO_PKG_VERSION"), " (logyard)"))
        .about("Ship finished archives of log directories to an object store, each exactly once")
        .after_help(EXAMPLES)
        .arg(
            Arg::new("completions")
                .long("completions")
                .value_name("SHELL")
                .value_parser(value_parser!(Shell))
                .exclusive(true)
                .help("Print the completions of a shell: bash, zsh or fish"),
        )
        .subcommand(
            with_store(with_directories(Command::new("ship").about("Ship archives as Parquet files")))
                .arg(flag("once", "Exit when all archives that are there have been shipped"))
                .arg(flag("dry-run", "Say what would be shipped, and change nothing").requires("once"))
                .arg(flag("change-names", "Accept a --host or --service other than that of earlier runs"))
                .arg(flag(
                    "no-mark",
                    "Do not note in the directories how far they are shipped, for multilog's action H",
                ))
                .arg(flag("quiet", "Do not print a summary"))
                .arg(level())
                .arg(compacted())
                .arg(
                    number("parallel", "NUMBER", "Ship so many archives at a time")
                        .value_parser(value_parser!(u16).range(1..=256))
                        .default_value("4"),
                )
                .arg(
                    Arg::new("archive-max")
                        .long("archive-max")
                        .value_name("SIZE")
                        .value_parser(size)
                        .default_value("1G")
                        .help("Refuse archives with more bytes, unpacked; k, M and G multiply by 1024"),
                )
                .arg(retry("Wait so long for a store that is away [default: for ever; 300 with --once]"))
                .arg(
                    Arg::new("metrics")
                        .long("metrics")
                        .value_name("FILE")
                        .value_parser(value_parser!(PathBuf))
                        .value_hint(clap::ValueHint::FilePath)
                        .help("Keep counters in FILE, in the text format of Prometheus"),
                )
                .arg(
                    number("ready-fd", "NUMBER", "Write a newline to this descriptor when the store has been probed")
                        .value_parser(value_parser!(i32).range(3..)),
                ),
        )
        .subcommand(
            with_store(with_directories(Command::new("verify").about("Compare log directories with the store")))
                .arg(flag("content", "Also read the objects, and compare the lines in them"))
                .arg(compacted()),
        )
        .subcommand(with_store(Command::new("ls").about("List hosts, services, days, lines and bytes")))
        .subcommand(
            with_store(Command::new("get").about("Print the lines of a service as labelled text"))
                .arg(text("service", "NAME", "Print the lines of this service").required(true))
                .arg(text("host", "NAME", "Print the lines of this host only"))
                .arg(text("since", "TIME", "Omit lines before TIME").allow_hyphen_values(true))
                .arg(text("until", "TIME", "Omit lines at TIME and after").allow_hyphen_values(true))
                .arg(flag("utc", "Read times in UTC")),
        )
        .subcommand(
            with_store(Command::new("compact").about("Merge the objects of closed days into larger ones"))
                .arg(
                    Arg::new("into")
                        .required(true)
                        .value_name("COMPACTED")
                        .help("The store for merged objects and markers: another prefix than STORE"),
                )
                .arg(
                    Arg::new("before")
                        .long("before")
                        .value_name("DATE")
                        .value_parser(date)
                        .help("Merge the days before this one [default: yesterday, UTC]"),
                )
                .arg(
                    Arg::new("object-max")
                        .long("object-max")
                        .value_name("SIZE")
                        .value_parser(size)
                        .default_value("256M")
                        .help("Merge objects until they have this many bytes together"),
                )
                .arg(level())
                .arg(flag("dry-run", "Say what would be merged, and change nothing"))
                .arg(flag("quiet", "Do not print a summary"))
                .arg(retry("Wait so long for a store that is away [default: 300]")),
        )
}

fn level() -> Arg {
    number("level", "NUMBER", "The level of zstd: 1 is fast, 19 small")
        .value_parser(value_parser!(i32).range(1..=19))
        .default_value("3")
}

fn retry(help: &'static str) -> Arg {
    number("retry", "SECONDS", help).value_parser(value_parser!(u64))
}

fn compacted() -> Arg {
    text("compacted", "STORE", "An object that is missing is there if a marker of logship compact in STORE names it")
}

/// Reads a day: `2026-11-22`.
fn date(text: &str) -> Result<String, String> {
    let day: Result<jiff::civil::Date, _> = text.parse();
    day.map(|day| day.to_string()).map_err(|_| "no day such as 2026-11-22".to_owned())
}

fn with_directories(command: Command) -> Command {
    command
        .arg(
            Arg::new("dir")
                .value_parser(value_parser!(OsString))
                .action(ArgAction::Append)
                .required(true)
                .value_hint(clap::ValueHint::DirPath)
                .help("Log directories"),
        )
        .arg(text("host", "NAME", "The host in the keys [default: as in earlier runs, or this host]"))
        .arg(text("service", "NAME", "The service in the keys [default: as in earlier runs, or by the path]"))
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .value_parser(PossibleValuesParser::new(["parquet", "ndjson"]))
                .default_value("parquet")
                .help("The form of the objects"),
        )
}

fn with_store(command: Command) -> Command {
    command
        .arg(
            Arg::new("store")
                .required(true)
                .value_name("STORE")
                .help("The object store: s3://, gs://, az:// or file:///"),
        )
        .arg(
            Arg::new("ca")
                .long("ca")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .value_hint(clap::ValueHint::FilePath)
                .help("Trust the certificates in FILE instead of the public ones"),
        )
        .arg(text("endpoint", "URL", "The address of a service that speaks the protocol of S3"))
}

fn text(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn number(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

/// Reads a size: `100`, `64k`, `16M`, `1G`.
fn size(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'k') => (&text[..text.len() - 1], 1 << 10),
        Some(b'M') => (&text[..text.len() - 1], 1 << 20),
        Some(b'G') => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    let number = if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse::<u64>().ok() } else { None };
    number.and_then(|number| number.checked_mul(unit)).ok_or_else(|| "no size such as 64M".to_owned())
}

/// Reads a command line; `arguments` begins with the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Parsed {
    let mut command = command();
    match command.try_get_matches_from_mut(arguments) {
        Ok(matches) => match (matches.get_one::<Shell>("completions"), matches.subcommand()) {
            (Some(shell), _) => {
                let mut text = Vec::new();
                clap_complete::generate(*shell, &mut command, "logship", &mut text);
                Parsed::Text(text)
            }
            (None, Some((name, matches))) => match request(name, matches) {
                Ok(request) => Parsed::Request(Box::new(request)),
                Err(error) => Parsed::Usage(error),
            },
            (None, None) => Parsed::Usage("no command is named".to_owned()),
        },
        Err(error) if !error.use_stderr() => Parsed::Text(error.to_string().into_bytes()),
        Err(error) => {
            let text = error.to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            Parsed::Usage(text.split("\n\n").next().unwrap_or(text).replace('\n', " "))
        }
    }
}

fn request(name: &str, matches: &ArgMatches) -> Result<Request, String> {
    let task = match name {
        "ship" => Task::Ship(ship(matches)),
        "verify" => Task::Verify {
            directories: directories(matches),
            wanted: wanted(matches),
            format: format(matches),
            reads_content: matches.get_flag("content"),
            compacted: matches.get_one::<String>("compacted").cloned(),
        },
        "ls" => Task::Ls,
        "compact" => Task::Compact(compact(matches)),
        _ => Task::Get(query(matches)?),
    };
    let access = Access {
        ca: matches.get_one::<PathBuf>("ca").cloned(),
        endpoint: matches.get_one::<String>("endpoint").cloned(),
    };
    Ok(Request { store: matches.get_one::<String>("store").expect("is required").clone(), access, task })
}

fn ship(matches: &ArgMatches) -> Ship {
    let is_once = matches.get_flag("once");
    let retry = matches.get_one::<u64>("retry").copied().or(is_once.then_some(ONCE_SECONDS));
    Ship {
        directories: directories(matches),
        wanted: Wanted { may_change: matches.get_flag("change-names"), ..wanted(matches) },
        format: format(matches),
        is_once,
        is_dry: matches.get_flag("dry-run"),
        is_quiet: matches.get_flag("quiet"),
        has_marks: !matches.get_flag("no-mark"),
        parallel: usize::from(*matches.get_one::<u16>("parallel").expect("has a default")),
        archive_bytes_max: *matches.get_one::<u64>("archive-max").expect("has a default"),
        level: *matches.get_one::<i32>("level").expect("has a default"),
        compacted: matches.get_one::<String>("compacted").cloned(),
        retry_limit: retry.map(Duration::from_secs),
        metrics: matches.get_one::<PathBuf>("metrics").cloned(),
        ready_fd: matches.get_one::<i32>("ready-fd").copied(),
    }
}

fn compact(matches: &ArgMatches) -> Compact {
    let retry = matches.get_one::<u64>("retry").copied().unwrap_or(ONCE_SECONDS);
    let yesterday = || {
        let today = Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).date();
        today.yesterday().unwrap_or(today).to_string()
    };
    Compact {
        into: matches.get_one::<String>("into").expect("is required").clone(),
        before: matches.get_one::<String>("before").cloned().unwrap_or_else(yesterday),
        object_bytes_max: *matches.get_one::<u64>("object-max").expect("has a default"),
        level: *matches.get_one::<i32>("level").expect("has a default"),
        is_dry: matches.get_flag("dry-run"),
        is_quiet: matches.get_flag("quiet"),
        retry_limit: Some(Duration::from_secs(retry)),
    }
}

fn directories(matches: &ArgMatches) -> Vec<Vec<u8>> {
    matches.get_many::<OsString>("dir").into_iter().flatten().map(|dir| dir.clone().into_vec()).collect()
}

fn wanted(matches: &ArgMatches) -> Wanted {
    let name = |name| matches.get_one::<String>(name).cloned();
    Wanted { host: name("host"), service: name("service"), may_change: false }
}

fn format(matches: &ArgMatches) -> Format {
    match matches.get_one::<String>("format").expect("has a default").as_str() {
        "ndjson" => Format::Ndjson,
        _ => Format::Parquet,
    }
}

fn query(matches: &ArgMatches) -> Result<Query, String> {
    let now = Zoned::now();
    let now = if matches.get_flag("utc") { now.with_time_zone(jiff::tz::TimeZone::UTC) } else { now };
    let moment =
        |name| matches.get_one::<String>(name).map(|text| time_arg::parse(text, &now, TimeScale::Djb)).transpose();
    Ok(Query {
        service: matches.get_one::<String>("service").expect("is required").clone(),
        host: matches.get_one::<String>("host").cloned(),
        window: Window { since: moment("since")?, until: moment("until")? },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Parsed {
        parse(["logship"].iter().chain(arguments).map(OsString::from))
    }

    #[test]
    fn the_grammar_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn the_last_word_is_the_store() {
        let Parsed::Request(request) = parsed(&["ship", "--once", "a", "b", "file:///c"]) else { panic!("a request") };
        let Task::Ship(ship) = request.task else { panic!("to ship") };

        assert_eq!((request.store.as_str(), ship.directories), ("file:///c", vec![b"a".to_vec(), b"b".to_vec()]));
        assert_eq!(ship.retry_limit, Some(Duration::from_secs(ONCE_SECONDS)));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for arguments in [
            &[][..],
            &["ship"],
            &["ship", "--once", "file:///c"],
            &["ship", "--dry-run", "a", "file:///c"],
            &["ship", "--archive-max", "many", "a", "file:///c"],
            &["ship", "--parallel", "0", "a", "file:///c"],
            &["ship", "--ready-fd", "2", "a", "file:///c"],
            &["get", "file:///c"],
            &["get", "file:///c", "--service", "x", "--since", "whenever"],
            &["compact", "file:///c"],
            &["compact", "--before", "tomorrow", "file:///c", "file:///d"],
            &["compact", "--level", "20", "file:///c", "file:///d"],
            &["frobnicate"],
        ] {
            assert!(matches!(parsed(arguments), Parsed::Usage(_)), "{arguments:?}");
        }
    }

    #[test]
    fn a_size_has_a_unit_or_none() {
        for (text, bytes) in [("0", Ok(0)), ("64k", Ok(65_536)), ("16M", Ok(16 << 20)), ("1G", Ok(1 << 30))] {
            assert_eq!(size(text), bytes, "{text}");
        }
        for text in ["", "k", "1T", "-1", "1.5G", "99999999999G"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn each_shell_has_its_completions() {
        for shell in ["bash", "zsh", "fish"] {
            let Parsed::Text(text) = parsed(&["--completions", shell]) else { panic!("a text for {shell}") };

            assert!(String::from_utf8_lossy(&text).contains("dry-run"), "{shell}");
        }
    }
}
