//! The program: from the command line to the exit code.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

use crate::arguments::{self, Choice, Drawing, Parsed, Request};
use crate::backward::Backward;
use crate::clock::LocalClock;
use crate::context::Context;
use crate::cursor::CursorFile;
use crate::error::Error;
use crate::files::{self, LogFile};
use crate::follow::follow;
use crate::histogram::Histogram;
use crate::last_lines::print_last;
use crate::log_dir::{LogDir, tell_apart};
use crate::merge::Merge;
use crate::output::{Printer, Sink, Style, Writer};
use crate::prefetch::{Search, Workers};
use crate::ranges::{LastFile, Probe, plan};
use crate::resolve::{Resolved, resolve};
use crate::stream::{Span, Stream};
use crate::svg;
use crate::warnings::Warnings;
use logyard::cli::{Exit, Messages, Program, Shown, cause};
use logyard::sys::dir::Dir;
use logyard::sys::program::Arguments;
use logyard::sys::{Errno, fd, limit, terminal};
use logyard::tai64n::zone::Zone;

/// How much is read line by line to find a window of time: of a directory, of all directories together, and of each at least.
const SURVEY_BYTES: u64 = 32 << 20;
const SURVEY_BYTES_ALL: u64 = 256 << 20;
const SURVEY_BYTES_MIN: u64 = 2 << 20;

/// The name in messages.
const PROGRAM: Program = Program("readlog");

/// Runs `readlog`.
#[must_use]
pub fn run(arguments: &Arguments) -> Exit {
    fd::occupy_standard();
    let words = arguments.iter().map(|word| OsStr::from_bytes(word.to_bytes()).to_os_string());
    match arguments::parse(words.collect::<Vec<OsString>>()) {
        Parsed::Text(text) => match fd::write_all(fd::stdout(), &text) {
            Ok(()) => Exit::OK,
            Err(errno) => exit(&Error::Output(errno), Exit::OK),
        },
        Parsed::Usage(problem) => {
            logyard::cli::message::say(format_args!("readlog: {problem}\n"));
            PROGRAM.usage("readlog [options] dir ... (readlog --help tells more)")
        }
        Parsed::Request(request) => read(*request),
    }
}

/// Prints why readlog exits, and returns the exit code. If the reader of the output has gone, that is no error: the code is
/// `of_printed`.
fn exit(error: &Error, of_printed: Exit) -> Exit {
    match error {
        Error::Output(Errno::EPIPE) => of_printed,
        _ => PROGRAM.fatal(error),
    }
}

fn read(mut request: Request) -> Exit {
    // If the limit cannot be raised, files that cannot be opened are reported.
    let _ = limit::raise_descriptors();
    let clock = match Zone::local() {
        _ if request.is_utc => LocalClock::utc(),
        Ok(_) => LocalClock::system(),
        Err(refusal) => return PROGRAM.fatal(refusal),
    };
    // Positions in a file are of use only while nothing is left out of it.
    let search = request.filter.pattern.clone().filter(|_| request.cursor.is_none());
    let search = search.map(|pattern| Search { pattern, scale: request.scale });
    let context = Rc::new(Context {
        scale: request.scale,
        clock,
        warnings: Warnings::new(Messages::of(PROGRAM)),
        workers: Workers::new(search),
        survey_bytes_max: SURVEY_BYTES
            .min(SURVEY_BYTES_ALL / request.directories.len().max(1) as u64)
            .max(SURVEY_BYTES_MIN),
    });
    request.directories = log_directories(&request, &context);
    if request.directories.is_empty() {
        // Nothing that may come is waited for.
        return context.warnings.exit();
    }
    let answer = match &request.drawing {
        Some(drawing) => draw(&request, drawing, &context),
        None if !request.follows && (request.is_reversed || request.lines_max.is_some()) => {
            print_end(&request, &context)
        }
        None => print_all(&request, &context),
    };
    match answer {
        Ok(()) => context.warnings.exit(),
        Err(stop) => exit(&stop, context.warnings.exit()),
    }
}

/// The log directories that the arguments mean. With `-f`, a directory need not exist yet.
fn log_directories(request: &Request, context: &Context) -> Vec<Vec<u8>> {
    let log_directory = |path: &Vec<u8>| match resolve(path) {
        Resolved::Log(path) => Some(path),
        Resolved::Nothing { path, .. } if request.follows => Some(path),
        Resolved::Nothing { warning, .. } | Resolved::Several(warning) => {
            context.warnings.warn(warning);
            None
        }
    };
    request.directories.iter().filter_map(log_directory).collect()
}

/// Opens the directories that can be opened.
fn open_log_dirs(request: &Request, context: &Context) -> Vec<Rc<LogDir>> {
    let mut log_dirs: Vec<Rc<LogDir>> = Vec::new();
    for (path, service) in request.directories.iter().zip(tell_apart(&request.directories)) {
        match Dir::open(&path[..]) {
            // A directory that is named twice is read once.
            Ok(directory) if log_dirs.iter().any(|log_dir| is_same(&log_dir.dir, &directory)) => {}
            Ok(directory) => log_dirs.push(Rc::new(LogDir { path: path.clone(), service, dir: directory })),
            Err(errno) => {
                let (path, cause) = (Shown(path), cause(errno));
                context.warnings.warn(format_args!("unable to open directory {path}: {cause}"));
            }
        }
    }
    log_dirs
}

fn is_same(one: &Dir, other: &Dir) -> bool {
    matches!((one.stat_self(), other.stat_self()), (Ok(one), Ok(other)) if one.identity == other.identity)
}

/// The parts of a directory's files that are asked for.
fn spans(log_dir: &LogDir, request: &Request, context: &Context) -> Vec<Span> {
    // A run with a cursor is followed by another.
    let is_continued = request.cursor.is_some() && request.filter.window.until.is_none();
    let last_file = if is_continued { LastFile::ToEnd } else { LastFile::InWindow };
    plan(Probe::new(log_dir, context), list(log_dir, context), &request.filter.window, last_file)
}

/// A directory's files.
fn list(log_dir: &LogDir, context: &Context) -> Vec<LogFile> {
    match files::list(log_dir, &context.warnings) {
        Ok(files) => files,
        Err(errno) => {
            context.warnings.warn(format_args!("unable to read directory {}: {}", Shown(&log_dir.path), cause(errno)));
            Vec::new()
        }
    }
}

fn services(log_dirs: &[Rc<LogDir>]) -> Vec<Vec<u8>> {
    log_dirs.iter().map(|log_dir| log_dir.service.clone()).collect()
}

/// How lines are printed, and where.
fn printer(request: &Request, context: &Rc<Context>, services: Vec<Vec<u8>>) -> (Printer, Sink) {
    let is_terminal = terminal::is_terminal(fd::stdout());
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb") || std::env::var_os("NO_COLOR").is_some();
    let printer = Printer {
        style: request.style,
        context: Rc::clone(context),
        service_bytes_max: services.iter().map(Vec::len).max().unwrap_or(0),
        services,
        shows_service: match request.service {
            Choice::Always => true,
            Choice::Never => false,
            Choice::Auto => request.directories.len() > 1 && matches!(request.style, Style::Short | Style::Iso),
        },
        is_coloured: request.style != Style::Json
            && match request.color {
                Choice::Always => true,
                Choice::Never => false,
                Choice::Auto => is_terminal && !is_dumb,
            },
        is_terminal,
        pattern: request.filter.pattern.clone(),
    };
    let sink = if is_terminal && request.wants_pager && !request.follows {
        Sink::paged(Messages::of(PROGRAM))
    } else {
        Sink::Plain
    };
    (printer, sink)
}

/// Prints all selected lines, oldest first; with `-f`, also the lines that are written from then on.
fn print_all(request: &Request, context: &Rc<Context>) -> Result<(), Error> {
    let cursor = request.cursor.as_deref().map(CursorFile::open).transpose()?;
    if request.follows {
        let (printer, sink) = printer(request, context, tell_apart(&request.directories));
        return follow(request, context, &mut Writer::new(printer, sink, cursor));
    }
    let log_dirs = open_log_dirs(request, context);
    let (printer, sink) = printer(request, context, services(&log_dirs));
    let mut writer = Writer::new(printer, sink, cursor);
    let stream = |log_dir: &Rc<LogDir>| {
        let mut stream = match writer.position(&log_dir.path) {
            Some(position) => position.resume(log_dir, list(log_dir, context), context),
            None => Stream::new(Rc::clone(log_dir), Rc::clone(context), spans(log_dir, request, context)),
        };
        if request.cursor.is_some() {
            stream.files.leave_unfinished_line();
        }
        stream
    };
    let streams = log_dirs.iter().map(stream).collect();
    let mut merge = Merge::new(streams, request.filter.clone());
    if !writer.print_whole(&mut merge)? {
        writer.print_merge(&mut merge)?;
    }
    writer.finish()
}

/// Prints the last lines, or all of them from the last on.
fn print_end(request: &Request, context: &Rc<Context>) -> Result<(), Error> {
    let log_dirs = open_log_dirs(request, context);
    let directories = log_dirs
        .iter()
        .map(|log_dir| Backward::new(Rc::clone(log_dir), Rc::clone(context), spans(log_dir, request, context)))
        .collect();
    let (printer, sink) = printer(request, context, services(&log_dirs));
    let mut writer = Writer::new(printer, sink, None);
    print_last(request, &mut writer, directories, request.lines_max.unwrap_or(usize::MAX))?;
    writer.finish()
}

/// Draws how many lines there are per interval.
fn draw(request: &Request, drawing: &Drawing, context: &Rc<Context>) -> Result<(), Error> {
    let log_dirs = open_log_dirs(request, context);
    let streams = log_dirs
        .iter()
        .map(|log_dir| Stream::new(Rc::clone(log_dir), Rc::clone(context), spans(log_dir, request, context)))
        .collect();
    let mut merge = Merge::new(streams, request.filter.clone());
    let mut histogram = Histogram::new(drawing.interval);
    merge.look_again();
    while let Some(i) = merge.next() {
        let stream = &merge.streams[i];
        let Some(group) = stream.group() else { continue };
        let lines = memchr::memchr_iter(b'\n', stream.bytes(group)).count() as u64;
        let seconds = group.label.map(|label| context.scale.unix_seconds(label));
        histogram.count(seconds.and_then(|seconds| Some(seconds + context.clock.offset(seconds)?)), lines);
    }
    match &drawing.svg {
        None => {
            let columns = terminal::size(fd::stdout()).map_or(80, |(_, columns)| columns);
            let mut sink = Sink::Plain;
            sink.write(histogram.draw(columns).as_bytes()).map_err(Error::Output)
        }
        Some(path) => {
            let services: Vec<String> = log_dirs.iter().map(|log_dir| Shown(&log_dir.service).to_string()).collect();
            let svg = svg::draw(&mut histogram, &services.join(", "));
            std::fs::write(path, svg).map_err(|error| {
                let errno = error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
                Error::Picture(path.clone(), errno)
            })
        }
    }
}
