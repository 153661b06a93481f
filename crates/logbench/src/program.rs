//! The program: from the command line to the exit code.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use crate::arguments::{self, Parsed, Request, Source};
use crate::error::Error;
use crate::machine::Machine;
use crate::measure::Runner;
use crate::report_file::ReportFile;
use crate::results::{Report, SubjectResults};
use crate::scratch_dir::{self, ScratchDir};
use crate::subject::{self, Subject};
use crate::task::{Expected, LogTask, Task};
use crate::{calls, chart, history, history_chart, html, json, syslog, table, watch};
use logyard::cli::{Exit, Messages, Program, Shown};
use logyard::sys::program::Arguments;
use logyard::sys::signal::{self, Signal, SignalQueue};
use logyard::sys::{fd, memory, terminal};
use logyard_corpus::{Corpus, Counts};

/// The exit code if a log was not right.
const WRONG: Exit = Exit(1);
/// A directory in memory.
const IN_MEMORY: &str = "/dev/shm";
/// The second of the first label, and the nanoseconds from label to label.
const LABELS_FROM: u64 = (1 << 62) + 10 + 1_790_000_000;
const LABELS_STEP: u64 = 1_234_567;

/// The name in messages.
const PROGRAM: Program = Program("logbench");

/// The usage line.
const SYNOPSIS: &str = "logbench [run] [options] | logbench syslog [options] | logbench corpus shape size | logbench history report... (logbench --help tells more)";

/// Runs `logbench`.
#[must_use]
pub fn run(arguments: &Arguments) -> Exit {
    fd::occupy_standard();
    let words: Vec<OsString> = arguments.iter().map(|word| OsStr::from_bytes(word.to_bytes()).to_os_string()).collect();
    let answer = match arguments::parse(words.clone()) {
        Parsed::Limit(limit) => limit.run().map(|()| Exit::OK),
        Parsed::Sweep(directory) => return scratch_dir::sweep(&directory),
        Parsed::Wrong(stop) => Err(stop),
        Parsed::Text(text) => print(text.as_bytes()).map(|()| Exit::OK),
        Parsed::Corpus { source, is_labelled } => corpus(&source, is_labelled).map(|()| Exit::OK),
        Parsed::History { reports, svg } => show_history(&reports, svg.as_deref()).map(|()| Exit::OK),
        Parsed::Syslog(request) => {
            let directory = request.directory.clone().unwrap_or_else(in_memory);
            let command_line =
                words.iter().map(|word| shell_word(&word.to_string_lossy())).collect::<Vec<_>>().join(" ");
            syslog::compare(&request, &directory, &command_line, Messages::of(PROGRAM))
                .and_then(|report| print(report.as_bytes()))
                .map(|()| Exit::OK)
        }
        Parsed::Drain(path, queue) => syslog::drain::run(&path, queue).map(|()| Exit::OK),
        Parsed::Run(request) => compare(&request, &words),
    };
    answer.unwrap_or_else(exit)
}

/// Prints why logbench exits, and returns the exit code.
fn exit(error: Error) -> Exit {
    match error {
        Error::Usage(problem) => {
            logyard::cli::message::say(format_args!("logbench: {problem}\n"));
            PROGRAM.usage(SYNOPSIS)
        }
        Error::System(text) => PROGRAM.fatal(text),
        Error::Interrupted => Exit(130),
    }
}

fn print(text: &[u8]) -> Result<(), Error> {
    fd::write_all(fd::stdout(), text).map_err(|errno| Error::unable("write to standard output", errno))
}

fn show_history(reports: &[PathBuf], svg: Option<&Path>) -> Result<(), Error> {
    let svg = svg.map(ReportFile::open).transpose()?;
    let all = history::read(reports)?;
    print(history::draw(&all).as_bytes())?;
    svg.map_or(Ok(()), |file| file.write(&history_chart::draw(&all)))
}

/// Standard output, as a corpus is written to it.
struct Out;

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(fd::write(fd::stdout(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn corpus(source: &Source, is_labelled: bool) -> Result<(), Error> {
    match source {
        &Source::Made { shape, seed, bytes } if !is_labelled => {
            let written = Corpus::new(shape, seed, bytes).write_to(&mut Out);
            written.map(drop).map_err(|error| Error::file("write to", Path::new("standard output"), &error))
        }
        _ => print(&lines(source, is_labelled)?),
    }
}

/// The input of the runs: whole lines.
fn lines(source: &Source, is_labelled: bool) -> Result<Vec<u8>, Error> {
    let mut input = match source {
        &Source::Made { shape, seed, bytes } => Corpus::new(shape, seed, bytes).into_bytes(),
        Source::File(path) => std::fs::read(path).map_err(|error| Error::file("read", path, &error))?,
    };
    if input.last().is_some_and(|&last| last != b'\n') {
        input.push(b'\n');
    }
    if !is_labelled {
        return Ok(input);
    }
    let mut labelled = Vec::with_capacity(input.len() + input.len() / 2);
    let mut nanoseconds = 0;
    for line in input.split_inclusive(|&byte| byte == b'\n') {
        let (seconds, rest) = (LABELS_FROM + nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
        nanoseconds += LABELS_STEP;
        labelled.extend_from_slice(format!("@{seconds:016x}{rest:08x} ").as_bytes());
        labelled.extend_from_slice(line);
    }
    Ok(labelled)
}

fn compare(request: &Request, words: &[OsString]) -> Result<Exit, Error> {
    let machine = Machine::this();
    let moment = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string();
    let task =
        if request.filters.is_empty() { Task::Log(Box::new(LogTask::parse(&request.script)?)) } else { Task::Filter };
    let mut subjects = subjects(request, &task)?;
    let files = report_files(request)?;
    let interruptions = SignalQueue::new(&[Signal::SIGINT, Signal::SIGTERM]);
    let interruptions = interruptions.map_err(|errno| Error::unable("receive signals", errno))?;
    // A logger that ends early is reported, not followed.
    signal::ignore(Signal::SIGPIPE).map_err(|errno| Error::unable("ignore SIGPIPE", errno))?;
    let input = lines(&request.source, request.is_labelled)?;
    memory::keep_from_children(&input);
    let expected = task.expected(&input);
    memory::keep_from_children(&expected.lines);
    if request.has_limit {
        subjects.extend(Subject::limits(&task, &expected, &input));
    }
    let baseline = baseline(request, &subjects)?;
    let directory = request.directory.clone().unwrap_or_else(in_memory);
    check_room(&directory, &task, &expected)?;
    let scratch_dir = ScratchDir::new(&directory)?;
    let mut runner = Runner {
        task: &task,
        input: &input,
        expected: &expected,
        pace: request.pace,
        scratch_dir: &scratch_dir,
        wants_latency: request.pace.rate.is_some(),
        patience: request.patience,
        interruptions,
    };
    announce(request.runs, &subjects, input.len());
    let results = measure(request, subjects, &mut runner)?;
    let source = match &request.source {
        Source::Made { shape, .. } => shape.name().to_owned(),
        Source::File(path) => Shown(path.as_os_str().as_bytes()).to_string(),
    };
    let report = Report {
        machine,
        command_line: words.iter().map(|word| shell_word(&word.to_string_lossy())).collect::<Vec<String>>().join(" "),
        moment,
        source,
        counts: Counts::of(&input),
        script: matches!(task, Task::Log(_)).then(|| request.script.clone()),
        pace: request.pace,
        directory: directory.to_string_lossy().into_owned(),
        results,
        baseline,
    };
    print(table::draw(&report).as_bytes())?;
    for (file, format) in files {
        file.write(&format(&report))?;
    }
    Ok(if report.results.iter().all(|results| results.fault().is_none()) { Exit::OK } else { WRONG })
}

/// Writes a report in one of its formats.
type Format = fn(&Report) -> String;

/// Opens the files that reports go to.
fn report_files(request: &Request) -> Result<Vec<(ReportFile, Format)>, Error> {
    let formats: [(_, Format); 3] =
        [(&request.json, json::write), (&request.svg, chart::draw_all), (&request.html, html::write)];
    let wanted = formats.into_iter().filter_map(|(path, format)| Some((path.as_ref()?, format)));
    wanted.map(|(path, format)| Ok((ReportFile::open(path)?, format))).collect()
}

/// Refuses a directory whose file system has too little room for what one run leaves.
fn check_room(directory: &Path, task: &Task, expected: &Expected<'_>) -> Result<(), Error> {
    let kept_bytes = match task {
        Task::Log(task) => expected.volume_bytes.min(task.size_max_bytes.saturating_mul(task.files_max)),
        Task::Filter => expected.volume_bytes,
    };
    // If the file system does not answer, the runs will show it.
    match watch::free_bytes(directory) {
        Ok(free_bytes) if free_bytes < kept_bytes => Err(Error::full(directory)),
        _ => Ok(()),
    }
}

/// The subjects, without the limit.
fn subjects(request: &Request, task: &Task) -> Result<Vec<Subject>, Error> {
    let mut subjects = Vec::new();
    let mut given = Vec::new();
    match task {
        Task::Log(task) if !request.only_given => {
            subjects.extend(subject::loggers(task));
            if !subjects.first().is_some_and(Subject::is_ours) {
                PROGRAM.warn("there is no multilog of ours beside this program or in PATH");
            }
        }
        Task::Log(_) | Task::Filter => {}
    }
    for text in request.loggers.iter().chain(&request.filters) {
        if text.contains('=') || matches!(task, Task::Log(_)) {
            given.push(Subject::given(text)?);
        } else if ["tai64n", "tai64nlocal"].contains(&&text[..]) {
            subjects.extend(subject::filters(text));
        } else {
            return Err(Error::Usage(format!("{text} is neither tai64n nor tai64nlocal nor name=command")));
        }
    }
    subjects.extend(given);
    if subjects.is_empty() && !request.has_limit {
        return Err(Error::Usage("nobody takes part".to_owned()));
    }
    Ok(subjects)
}

fn baseline(request: &Request, subjects: &[Subject]) -> Result<usize, Error> {
    let mut names: Vec<&str> = subjects.iter().map(|subject| &subject.name[..]).collect();
    let number = match &request.baseline {
        None => Some(0),
        Some(name) => names.iter().position(|known| known == name),
    };
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    if names.len() < count {
        return Err(Error::Usage("two have the same name".to_owned()));
    }
    number.ok_or_else(|| Error::Usage(format!("nobody has the baseline's name; there are {}", names.join(", "))))
}

/// A directory in memory, or else the one for temporary files.
fn in_memory() -> PathBuf {
    let in_memory = PathBuf::from(IN_MEMORY);
    if in_memory.is_dir() { in_memory } else { std::env::temp_dir() }
}

/// Says what is to be run, which takes minutes: a progress bar is shown on a terminal only.
fn announce(turns: usize, subjects: &[Subject], input_bytes: usize) {
    let names: Vec<&str> = subjects.iter().map(|subject| &subject.name[..]).collect();
    let megabytes = input_bytes as f64 / 1e6;
    PROGRAM.say(format_args!(
        "{turns} runs of each of {} subjects, {megabytes:.1} MB of input each: {}",
        names.len(),
        names.join(", ")
    ));
}

/// Runs the subjects in turns, and shows the progress.
fn measure(request: &Request, subjects: Vec<Subject>, runner: &mut Runner<'_>) -> Result<Vec<SubjectResults>, Error> {
    let counts_calls = request.counts_calls && calls::can_be_counted();
    let mut results: Vec<SubjectResults> = subjects
        .into_iter()
        .map(|subject| SubjectResults { subject, runs: Vec::with_capacity(request.runs), calls_per_megabyte: None })
        .collect();
    let steps = results.len() * (request.runs + usize::from(counts_calls));
    let bar = ProgressBar::new(steps as u64);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}").expect("the template is well formed"));
    let start = Instant::now();
    for turn in 0..request.runs {
        if turn == 1 && !terminal::is_terminal(fd::stderr()) {
            let rest = start.elapsed() * u32::try_from(request.runs - 1).unwrap_or(u32::MAX);
            PROGRAM
                .say(format_args!("the first run of each is done, about {} seconds are left", rest.as_secs().max(1)));
        }
        for turn_of in 0..results.len() {
            let number = (turn + turn_of) % results.len();
            bar.set_message(results[number].subject.name.clone());
            bar.tick();
            let run = runner.measure(&results[number].subject)?;
            results[number].runs.push(run);
            bar.inc(1);
        }
    }
    for results in results.iter_mut().filter(|_| counts_calls) {
        bar.set_message(format!("{}: system calls", results.subject.name));
        bar.tick();
        results.calls_per_megabyte = calls::count(&results.subject, runner)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(results)
}

/// A word quoted for a shell.
fn shell_word(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+=,:@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
