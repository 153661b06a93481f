//! The program: from the command line to the exit code.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

use crate::arguments::{self, Choice, Drawing, Parsed, Request};
use crate::backward::Backward;
use crate::clock::LocalClock;
use crate::cursor::CursorFile;
use crate::files::{self, LogFile};
use crate::follow::follow;
use crate::histogram::Histogram;
use crate::last_lines::print_last;
use crate::log_dir::{LogDir, tell_apart};
use crate::merge::Merge;
use crate::output::{Printer, Sink, Style, Writer};
use crate::prefetch::{Search, Workers};
use crate::ranges::plan;
use crate::resolve::{Resolved, resolve};
use crate::stop::Stop;
use crate::stream::{Common, Span, Stream};
use crate::svg;
use crate::warnings::{PROGRAM, Warnings};
use logyard::cli::{Exit, Shown, cause};
use logyard::sys::dir::Dir;
use logyard::sys::program::Arguments;
use logyard::sys::{Errno, fd, limit, terminal};
use logyard::tai64n::zone::Zone;

/// How much of a directory is looked through to find a window of time; of all together; and of each at least.
const SURVEY_BYTES: u64 = 32 << 20;
const SURVEY_BYTES_ALL: u64 = 256 << 20;
const SURVEY_BYTES_MIN: u64 = 2 << 20;

/// Runs `readlog`.
#[must_use]
pub fn run(arguments: &Arguments) -> Exit {
    fd::occupy_standard();
    let words = arguments.iter().map(|word| OsStr::from_bytes(word.to_bytes()).to_os_string());
    match arguments::parse(words.collect::<Vec<OsString>>()) {
        Parsed::Text(text) => match fd::write_all(fd::stdout(), &text) {
            Ok(()) => Exit::OK,
            Err(errno) => Stop::Output(errno).exit(Exit::OK),
        },
        Parsed::Usage(problem) => {
            logyard::cli::message::say(format_args!("readlog: {problem}\n"));
            PROGRAM.usage("readlog [options] dir ... (readlog --help tells more)")
        }
        Parsed::Request(request) => read(*request),
    }
}

fn read(mut request: Request) -> Exit {
    // Where there are no more, what cannot be opened is told.
    let _ = limit::raise_descriptors();
    let clock = match Zone::local() {
        _ if request.is_utc => LocalClock::utc(),
        Ok(_) => LocalClock::system(),
        Err(refusal) => return PROGRAM.fatal(refusal),
    };
    // Positions in a file are of use only while nothing is left out of it.
    let search = request.filter.pattern.clone().filter(|_| request.cursor.is_none());
    let search = search.map(|pattern| Search { pattern, scale: request.scale });
    let common = Rc::new(Common {
        scale: request.scale,
        clock,
        warnings: Warnings::default(),
        workers: Workers::new(search),
        survey_bytes_max: SURVEY_BYTES
            .min(SURVEY_BYTES_ALL / request.directories.len().max(1) as u64)
            .max(SURVEY_BYTES_MIN),
    });
    request.directories = log_directories(&request, &common);
    if request.directories.is_empty() {
        // Nothing that may come is waited for.
        return common.warnings.exit();
    }
    let answer = match &request.drawing {
        Some(drawing) => draw(&request, drawing, &common),
        None if !request.follows && (request.is_reversed || request.lines_max.is_some()) => {
            print_end(&request, &common)
        }
        None => print_all(&request, &common),
    };
    match answer {
        Ok(()) => common.warnings.exit(),
        Err(stop) => stop.exit(common.warnings.exit()),
    }
}

/// The log directories that are meant. Where there is none, one may come while it is followed.
fn log_directories(request: &Request, common: &Common) -> Vec<Vec<u8>> {
    let log_directory = |path: &Vec<u8>| match resolve(path) {
        Resolved::Log(path) => Some(path),
        Resolved::Nothing { path, .. } if request.follows => Some(path),
        Resolved::Nothing { complaint, .. } | Resolved::Several(complaint) => {
            common.warnings.warn(complaint);
            None
        }
    };
    request.directories.iter().filter_map(log_directory).collect()
}

/// Opens the directories that can be opened.
fn open_places(request: &Request, common: &Common) -> Vec<Rc<LogDir>> {
    let mut places: Vec<Rc<LogDir>> = Vec::new();
    for (path, service) in request.directories.iter().zip(tell_apart(&request.directories)) {
        match Dir::open(&path[..]) {
            // Named twice, it is read once.
            Ok(directory) if places.iter().any(|place| is_same(&place.directory, &directory)) => {}
            Ok(directory) => places.push(Rc::new(LogDir { path: path.clone(), service, directory })),
            Err(errno) => {
                let (path, cause) = (Shown(path), cause(errno));
                common.warnings.warn(format_args!("unable to open directory {path}: {cause}"));
            }
        }
    }
    places
}

fn is_same(one: &Dir, other: &Dir) -> bool {
    matches!((one.stat_self(), other.stat_self()), (Ok(one), Ok(other)) if one.identity == other.identity)
}

/// The parts of a directory's files that are asked for.
fn spans(place: &LogDir, request: &Request, common: &Common) -> Vec<Span> {
    // A run with a cursor is followed by another.
    let goes_on = request.cursor.is_some() && request.filter.window.until.is_none();
    plan(place, list(place, common), &request.filter.window, goes_on, common)
}

/// A directory's files.
fn list(place: &LogDir, common: &Common) -> Vec<LogFile> {
    match files::list(place, &common.warnings) {
        Ok(pieces) => pieces,
        Err(errno) => {
            common.warnings.warn(format_args!("unable to read directory {}: {}", Shown(&place.path), cause(errno)));
            Vec::new()
        }
    }
}

fn services(places: &[Rc<LogDir>]) -> Vec<Vec<u8>> {
    places.iter().map(|place| place.service.clone()).collect()
}

/// How lines are shown, and where they go.
fn printer(request: &Request, common: &Rc<Common>, services: Vec<Vec<u8>>) -> (Printer, Sink) {
    let is_terminal = terminal::is_terminal(fd::stdout());
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb") || std::env::var_os("NO_COLOR").is_some();
    let printer = Printer {
        style: request.style,
        common: Rc::clone(common),
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
    let sink = if is_terminal && request.wants_pager && !request.follows { Sink::paged() } else { Sink::Plain };
    (printer, sink)
}

/// Prints everything that is asked for, oldest first; and then what comes.
fn print_all(request: &Request, common: &Rc<Common>) -> Result<(), Stop> {
    let cursor = request.cursor.as_deref().map(CursorFile::open).transpose()?;
    if request.follows {
        let (printer, sink) = printer(request, common, tell_apart(&request.directories));
        return follow(request, common, &mut Writer::new(printer, sink, cursor));
    }
    let places = open_places(request, common);
    let (printer, sink) = printer(request, common, services(&places));
    let mut writer = Writer::new(printer, sink, cursor);
    let stream = |place: &Rc<LogDir>| {
        let mut stream = match writer.position(&place.path) {
            Some(position) => position.resume(place, list(place, common), common),
            None => Stream::new(Rc::clone(place), Rc::clone(common), spans(place, request, common)),
        };
        if request.cursor.is_some() {
            stream.leave_unfinished_line();
        }
        stream
    };
    let streams = places.iter().map(stream).collect();
    let mut merge = Merge::new(streams, request.filter.clone());
    if !writer.print_whole(&mut merge)? {
        writer.print_merge(&mut merge)?;
    }
    writer.finish()
}

/// Prints the last lines, or all of them from the last on.
fn print_end(request: &Request, common: &Rc<Common>) -> Result<(), Stop> {
    let places = open_places(request, common);
    let directories = places
        .iter()
        .map(|place| Backward::new(Rc::clone(place), Rc::clone(common), spans(place, request, common)))
        .collect();
    let (printer, sink) = printer(request, common, services(&places));
    let mut writer = Writer::new(printer, sink, None);
    print_last(request, &mut writer, directories, request.lines_max.unwrap_or(usize::MAX))?;
    writer.finish()
}

/// Draws how many lines there are per interval.
fn draw(request: &Request, drawing: &Drawing, common: &Rc<Common>) -> Result<(), Stop> {
    let places = open_places(request, common);
    let streams = places
        .iter()
        .map(|place| Stream::new(Rc::clone(place), Rc::clone(common), spans(place, request, common)))
        .collect();
    let mut merge = Merge::new(streams, request.filter.clone());
    let mut histogram = Histogram::new(drawing.interval);
    merge.look_again();
    while let Some(i) = merge.next() {
        let stream = &merge.streams[i];
        let Some(group) = stream.group() else { continue };
        let lines = memchr::memchr_iter(b'\n', stream.bytes(group)).count() as u64;
        let seconds = group.label.map(|label| common.scale.unix_seconds(label));
        histogram.count(seconds.and_then(|seconds| Some(seconds + common.clock.offset(seconds)?)), lines);
    }
    match &drawing.svg {
        None => {
            let columns = terminal::size(fd::stdout()).map_or(80, |(_, columns)| columns);
            let mut sink = Sink::Plain;
            sink.write(histogram.draw(columns).as_bytes()).map_err(Stop::Output)
        }
        Some(path) => {
            let services: Vec<String> = places.iter().map(|place| Shown(&place.service).to_string()).collect();
            let svg = svg::draw(&mut histogram, &services.join(", "));
            std::fs::write(path, svg).map_err(|error| {
                let errno = error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
                Stop::Picture(path.clone(), errno)
            })
        }
    }
}
