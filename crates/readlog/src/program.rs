//! The program: from the command line to the exit code.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

use crate::arguments::{self, Choice, Drawing, Parsed, Request};
use crate::backward::Backward;
use crate::block_search::Search;
use crate::clock::LocalClock;
use crate::context::Context;
use crate::cursor::CursorFile;
use crate::error::Error;
use crate::files::{self, Listing};
use crate::follow::{INTERRUPTED, follow};
use crate::histogram::Histogram;
use crate::hosts::announcement::announce_begun;
use crate::hosts::printing::print as print_hosts;
use crate::hosts::reader::{Found, Next, Reader};
use crate::last_lines::print_last;
use crate::log_dir::{LogDir, service_name, service_name_elsewhere, tell_apart};
use crate::merge::Merge;
use crate::output::{Paging, Printer, Sink, Style, Writer};
use crate::overview;
use crate::prefetch::Workers;
use crate::ranges::{LastFile, Probe, plan};
use crate::resolve::Operand;
use crate::sources::{Source, find as find_sources};
use crate::stream::{Span, Stream};
use crate::svg;
use crate::tail::{SplitSpans, last_label, split_behind_last_line};
use crate::time_scale::Window;
use crate::warnings::Warnings;
use logyard::cli::{Exit, Messages, Program, Shown, cause};
use logyard::logdir::names::CURRENT;
use logyard::sys::dir::Dir;
use logyard::sys::program::Arguments;
use logyard::sys::signal::{self, Signal};
use logyard::sys::{Errno, fd, limit, terminal};
use logyard::tai64n::Label;
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
        Parsed::Request(request) => read(&request),
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

/// Where warnings and hints go.
fn messages_of(request: &Request) -> Messages {
    if request.is_quiet { Messages::DROPPED } else { Messages::of(PROGRAM) }
}

fn read(request: &Request) -> Exit {
    // If the limit cannot be raised, files that cannot be opened are reported.
    let _ = limit::raise_descriptors();
    let clock = match Zone::local() {
        _ if request.is_utc => LocalClock::utc(),
        Ok(_) => LocalClock::system(),
        Err(refusal) => return PROGRAM.fatal(refusal),
    };
    // Positions in a file are of use only while nothing is left out of it.
    let search = request.read_filter().pattern.filter(|_| request.cursor.is_none());
    let search = search.map(|pattern| Search { pattern, scale: request.scale });
    let context = Rc::new(Context {
        scale: request.scale,
        clock,
        warnings: Warnings::new(messages_of(request)),
        announcements: if request.announces { Messages::of(PROGRAM) } else { Messages::DROPPED },
        workers: Workers::new(search),
        survey_bytes_max: SURVEY_BYTES
            .min(SURVEY_BYTES_ALL / request.operands.len().max(1) as u64)
            .max(SURVEY_BYTES_MIN),
    });
    announce_begun(context.announcements);
    if request.has_hosts() {
        return read_hosts(request, &context);
    }
    let sources = find_sources(request, &context);
    if sources.is_empty() {
        // Nothing that may come is waited for.
        return context.warnings.exit();
    }
    if let Some(overview) = request.overview {
        let log_dirs = open_log_dirs(&sources, &context);
        let text = overview::draw(overview, &log_dirs, request.style == Style::Json, &context);
        return match fd::write_all(fd::stdout(), text.as_bytes()) {
            Ok(()) => context.warnings.exit(),
            Err(errno) => exit(&Error::Output(errno), context.warnings.exit()),
        };
    }
    let answer = match &request.drawing {
        Some(drawing) => draw(request, &sources, drawing, &context),
        None if !request.follows
            && request.cursor.is_none()
            && (request.is_reversed || request.lines_max.is_some()) =>
        {
            print_end(request, &sources, &context)
        }
        None => print_all(request, &sources, &context),
    };
    match answer {
        Ok(()) => context.warnings.exit(),
        Err(stop) => exit(&stop, context.warnings.exit()),
    }
}

/// Reads logs of other hosts, and of this one beside them.
fn read_hosts(request: &Request, context: &Rc<Context>) -> Exit {
    let mut reader = match Reader::new(request, context) {
        Ok(reader) => reader,
        Err(problem) => {
            logyard::cli::message::say(format_args!("readlog: {problem}\n"));
            return Exit::USAGE;
        }
    };
    let services = host_services(&reader.names(), request);
    let answer = match &request.drawing {
        Some(drawing) => {
            let mut histogram = Histogram::new(drawing.interval);
            let mut count = |found: Found<'_>| {
                if let Found::Group(_, head, bytes) = found {
                    count(&mut histogram, head.label, bytes, context);
                }
                Ok(Next::Continue)
            };
            reader.read(&mut count).and_then(|()| show(&mut histogram, drawing, &services, context))
        }
        None => {
            if request.follows {
                // The other ends stop when this process is gone.
                let _ = signal::exit_on(Signal::SIGINT, INTERRUPTED);
            }
            let mut writer = writer(request, context, services, None);
            print_hosts(request, &mut reader, &mut writer).and_then(|()| writer.finish())
        }
    };
    match answer {
        Ok(()) => context.warnings.exit(),
        Err(stop) => exit(&stop, context.warnings.exit()),
    }
}

/// The names of services on hosts: `web1:qmail`; or the argument, where two would be the same.
fn host_services(names: &[Vec<u8>], request: &Request) -> Vec<Vec<u8>> {
    let name = |operand: &Operand| match operand {
        Operand::Host(address) => [address.host.as_bytes(), b":", &service_name_elsewhere(&address.path)].concat(),
        Operand::Path(_) | Operand::Service(_) => service_name(&operand.path()),
    };
    let argument = |operand: &Operand| match operand {
        Operand::Host(address) => address.argument(),
        Operand::Path(_) | Operand::Service(_) => operand.path(),
    };
    let services: Vec<Vec<u8>> = names
        .iter()
        .map(|name_of| {
            request.operands.iter().find(|operand| argument(operand) == *name_of).map_or_else(Vec::new, name)
        })
        .collect();
    let is_unique = |service: &Vec<u8>| services.iter().filter(|other| *other == service).count() == 1;
    services.iter().zip(names).map(|(service, name)| if is_unique(service) { service } else { name }.clone()).collect()
}

/// Opens the directories that can be opened.
fn open_log_dirs(sources: &[Source], context: &Context) -> Vec<Rc<LogDir>> {
    let mut opened: Vec<(Dir, Source)> = Vec::new();
    for source in sources {
        match Dir::open(&source.directory[..]) {
            Ok(dir) => match opened.iter_mut().find(|(other, _)| is_same(other, &dir)) {
                // A directory that is named twice is read once.
                Some((_, other)) => other.join(source.only.clone()),
                None => opened.push((dir, source.clone())),
            },
            Err(errno) => {
                let (path, cause) = (Shown(&source.directory), cause(errno));
                context.warnings.warn(format_args!("unable to open directory {path}: {cause}"));
            }
        }
    }
    let services = tell_apart(&paths(sources));
    let service = |path: &Vec<u8>| sources.iter().zip(&services).find(|(source, _)| source.directory == *path);
    let log_dir = |(dir, Source { directory, only, .. }): (Dir, Source)| {
        let service = service(&directory).map_or_else(Vec::new, |(_, service)| service.clone());
        Rc::new(LogDir { path: directory, service, dir, only })
    };
    opened.into_iter().map(log_dir).collect()
}

/// The directories of some sources.
fn paths(sources: &[Source]) -> Vec<Vec<u8>> {
    sources.iter().map(|source| source.directory.clone()).collect()
}

fn is_same(one: &Dir, other: &Dir) -> bool {
    matches!((one.stat_self(), other.stat_self()), (Ok(one), Ok(other)) if one.identity == other.identity)
}

/// The parts of a directory's files that are asked for.
fn spans(log_dir: &LogDir, request: &Request, context: &Context) -> Vec<Span> {
    // A run with a cursor is followed by another.
    let is_continued = request.cursor.is_some() && request.filter.window.until.is_none();
    let last_file = if is_continued { LastFile::ToEnd } else { LastFile::InWindow };
    let window = &request.filter.window;
    plan(Probe::new(log_dir, context), list(log_dir, window, context), window, last_file)
}

/// A directory's files, as far as they are near a window.
fn list(log_dir: &LogDir, window: &Window, context: &Context) -> Listing {
    files::list_near(log_dir, window, &context.warnings).unwrap_or_else(|errno| {
        context.warnings.warn(format_args!("unable to read directory {}: {}", Shown(&log_dir.path), cause(errno)));
        Listing::default()
    })
}

fn services(log_dirs: &[Rc<LogDir>]) -> Vec<Vec<u8>> {
    log_dirs.iter().map(|log_dir| log_dir.service.clone()).collect()
}

/// How lines are printed, and where.
fn writer(request: &Request, context: &Rc<Context>, services: Vec<Vec<u8>>, cursor: Option<CursorFile>) -> Writer {
    let is_terminal = terminal::is_terminal(fd::stdout());
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb") || std::env::var_os("NO_COLOR").is_some();
    let printer = Printer {
        style: request.style,
        fields: request.fields.clone(),
        context: Rc::clone(context),
        service_width_max: Printer::service_width(&services, is_terminal),
        shows_service: match request.service {
            Choice::Always => true,
            Choice::Never => false,
            Choice::Auto => services.len() > 1 && matches!(request.style, Style::Short | Style::Iso),
        },
        is_coloured: request.style != Style::Json
            && match request.color {
                Choice::Always => true,
                Choice::Never => false,
                Choice::Auto => is_terminal && !is_dumb,
            },
        is_terminal,
        shows_gaps: request.style != Style::Json && !request.announces && !request.has_hosts(),
        pattern: request.filter.pattern.clone(),
        services,
    };
    let paging = Paging { begins_at_end: request.begins_at_end, messages: messages_of(request) };
    let sink = if is_terminal && request.wants_pager && !request.follows { Sink::paged(paging) } else { Sink::Plain };
    let mut writer = Writer::new(printer, sink, cursor);
    if !request.surroundings.is_empty()
        && !request.has_hosts()
        && let Some(pattern) = request.filter.pattern.clone()
    {
        writer.select_around(pattern, request.surroundings);
    }
    writer
}

/// Prints all selected lines, oldest first; with `-f`, also the lines that are written from then on.
fn print_all(request: &Request, sources: &[Source], context: &Rc<Context>) -> Result<(), Error> {
    let cursor = request.cursor.as_deref().map(CursorFile::open).transpose()?;
    if request.follows {
        let mut writer = writer(request, context, tell_apart(&paths(sources)), cursor);
        return follow(request, sources, context, &mut writer);
    }
    let log_dirs = open_log_dirs(sources, context);
    let mut writer = writer(request, context, services(&log_dirs), cursor);
    let mut ends = Vec::new();
    let skips = request.lines_max.is_some() && writer.is_first_run();
    let mut stream = |log_dir: &Rc<LogDir>| {
        let mut stream = match writer.position(&log_dir.path) {
            Some(position) => position.resume(log_dir, list(log_dir, &Window::default(), context).files, context),
            None if skips => {
                let (end, stream) = skip_to_end(log_dir, request, context);
                ends.push(end);
                stream
            }
            None => Stream::new(Rc::clone(log_dir), Rc::clone(context), spans(log_dir, request, context)),
        };
        if request.cursor.is_some() {
            stream.files.leave_unfinished_line();
        }
        stream
    };
    let streams = log_dirs.iter().map(&mut stream).collect();
    if skips {
        print_last(request, &mut writer, ends, request.lines_max.unwrap_or(usize::MAX))?;
    }
    let mut merge = Merge::new(streams, request.read_filter());
    if !writer.print_whole(&mut merge)? {
        writer.print_merge(&mut merge)?;
    }
    writer.finish()
}

/// With a cursor and `-n`, the first run begins at the end: what is there, to be read backward, and what comes behind it.
fn skip_to_end(log_dir: &Rc<LogDir>, request: &Request, context: &Rc<Context>) -> (Backward, Stream) {
    let mut spans = spans(log_dir, request, context);
    if let Some(last) = spans.last_mut().filter(|last| last.log_file.name == CURRENT.as_bytes()) {
        last.is_live = true;
    }
    let SplitSpans { before, behind } = split_behind_last_line(log_dir, spans, context);
    let last = last_label(log_dir, &before, context);
    let mut stream = Stream::new(Rc::clone(log_dir), Rc::clone(context), behind);
    stream.resume_after(last);
    (Backward::new(Rc::clone(log_dir), Rc::clone(context), before), stream)
}

/// Prints the last lines, or all of them from the last on.
fn print_end(request: &Request, sources: &[Source], context: &Rc<Context>) -> Result<(), Error> {
    let log_dirs = open_log_dirs(sources, context);
    let directories = log_dirs
        .iter()
        .map(|log_dir| Backward::new(Rc::clone(log_dir), Rc::clone(context), spans(log_dir, request, context)))
        .collect();
    let mut writer = writer(request, context, services(&log_dirs), None);
    print_last(request, &mut writer, directories, request.lines_max.unwrap_or(usize::MAX))?;
    writer.finish()
}

/// Draws how many lines there are per interval.
fn draw(request: &Request, sources: &[Source], drawing: &Drawing, context: &Rc<Context>) -> Result<(), Error> {
    let log_dirs = open_log_dirs(sources, context);
    let streams = log_dirs
        .iter()
        .map(|log_dir| Stream::new(Rc::clone(log_dir), Rc::clone(context), spans(log_dir, request, context)))
        .collect();
    let mut merge = Merge::new(streams, request.read_filter());
    let mut histogram = Histogram::new(drawing.interval);
    merge.look_again();
    while let Some(i) = merge.next() {
        let stream = &merge.streams[i];
        let Some(group) = stream.group() else { continue };
        count(&mut histogram, group.label, stream.bytes(group), context);
    }
    show(&mut histogram, drawing, &services(&log_dirs), context)
}

/// Counts the lines of a group.
fn count(histogram: &mut Histogram, label: Option<Label>, bytes: &[u8], context: &Context) {
    let lines = memchr::memchr_iter(b'\n', bytes).count() as u64;
    let seconds = label.map(|label| context.scale.unix_seconds(label));
    histogram.count(seconds.and_then(|seconds| Some(seconds + context.clock.offset(seconds)?)), lines);
}

/// Shows a histogram on the terminal, or as a picture.
fn show(histogram: &mut Histogram, drawing: &Drawing, services: &[Vec<u8>], context: &Context) -> Result<(), Error> {
    if histogram.is_empty() {
        context.warnings.hint("no lines to draw: check the times, the pattern and the directories");
    }
    match &drawing.svg {
        None => {
            let columns = terminal::size(fd::stdout()).map_or(80, |(_, columns)| columns);
            let mut sink = Sink::Plain;
            sink.write(histogram.draw(columns).as_bytes()).map_err(Error::Output)
        }
        Some(path) => {
            let services: Vec<String> = services.iter().map(|service| Shown(service).to_string()).collect();
            let svg = svg::draw(histogram, &services.join(", "));
            std::fs::write(path, svg).map_err(|error| {
                let errno = error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
                Error::Picture(path.clone(), errno)
            })
        }
    }
}
