//! The program: opens what the script names, and runs the engine.

use crate::cli::standard_error::{self, Threads};
use crate::cli::{Exit, Messages, Program};
use crate::multilog::engine::{Engine, EngineParts};
use crate::multilog::error::Error;
use crate::multilog::input::Input;
use crate::multilog::input::standard::StandardInput;
use crate::multilog::journal::publish::{discard_unfinished, reserve};
use crate::multilog::journal::record::Heading;
use crate::multilog::journal::replay::{Legacy, replay};
use crate::multilog::name::PROGRAM;
use crate::multilog::pausing::{Interruptible, Pausing};
use crate::multilog::script::Script;
use crate::multilog::script::explain::explain;
use crate::multilog::status::StatusFile;
use crate::multilog::writer::directory::{Directory, PathDir};
use crate::multilog::writer::locked_directory::LockedDirectory;
use crate::multilog::writer::log_dir::LogDir;
use crate::sys::program::Arguments;
use crate::sys::signal::{self, Signal};
use crate::sys::{self, dir, fd, memory};

/// Sets the modes of new files, whatever umask the parent had.
const UMASK: u32 = 0o022;

/// As the first argument: explain the script and do nothing else.
const CHECK: &str = "--check";

/// The address space that a busy logger may need, and what each log directory adds, including a thread's stack. If the
/// limit is lower, multilog uses less.
const BUSY_BYTES: usize = 3 * 1024 * 1024;
const DIRECTORY_BYTES: usize = 1024 * 1024;

/// The program: logs standard input as the arguments say.
pub fn run(arguments: &Arguments) -> Exit {
    run_on(arguments, StandardInput::new)
}

/// The same program without peeking, for comparison: if it is killed, the bytes that it has read are lost.
pub fn run_reading(arguments: &Arguments) -> Exit {
    run_on(arguments, StandardInput::reading)
}

fn run_on(arguments: &Arguments, input: fn(Messages) -> sys::Result<StandardInput>) -> Exit {
    if let Some((_, script)) =
        arguments.get(1..).and_then(|rest| rest.split_first()).filter(|(first, _)| first.to_bytes() == CHECK.as_bytes())
    {
        return check(script);
    }
    fd::occupy_standard();
    standard_error::never_block(PROGRAM, Threads::Allowed);
    let Program(name) = PROGRAM;
    memory::end_when_exhausted(name);
    memory::use_one_arena();
    dir::set_umask(UMASK);
    let script = Script::parse(arguments.get(1..).unwrap_or_default());
    memory::look_whether_scarce(BUSY_BYTES + script.directories.len() * DIRECTORY_BYTES + buffer_bytes(&script));
    for ignored in &script.ignored {
        PROGRAM.warn(ignored);
    }
    let exit = match start(script, input) {
        Ok(engine) => engine.run(),
        Err(error) if error.is_interruption() => Exit::OK,
        Err(error) => PROGRAM.fatal(error),
    };
    standard_error::report_dropped();
    exit
}

/// What a buffer needs, with its thread.
fn buffer_bytes(script: &Script) -> usize {
    script.buffer.map_or(0, |buffer| buffer.bytes_max + DIRECTORY_BYTES)
}

/// Explains a script on standard output. Exits 100 if part of it is ignored. It opens nothing.
fn check(arguments: &Arguments) -> Exit {
    let script = Script::parse(arguments);
    for ignored in &script.ignored {
        PROGRAM.warn(ignored);
    }
    if let Err(errno) = fd::write_all(fd::stdout(), explain(arguments, &script).as_bytes()) {
        return PROGRAM.fatal(Error::unable("write to standard output", errno));
    }
    if script.ignored.is_empty() { Exit::OK } else { Exit::USAGE }
}

fn messages() -> Messages {
    Messages::of(PROGRAM)
}

/// Opens everything that the script names. It touches no file until every directory is locked.
fn start(
    script: Script,
    input: fn(Messages) -> sys::Result<StandardInput>,
) -> Result<Engine<PathDir, StandardInput>, Error> {
    let input = catch_signals(input)?;
    let directories = script.directories.iter().map(LockedDirectory::new).collect::<Result<Vec<_>, _>>()?;
    warn_of_network(&directories);
    let statuses = script.statuses.iter().map(|path| StatusFile::open(path)).collect::<Result<Vec<_>, _>>()?;
    assemble(script, input, directories, statuses, messages())
}

/// Warns once if a directory is on a file system on which kills are untested.
fn warn_of_network(directories: &[LockedDirectory<PathDir>]) {
    let found = directories
        .iter()
        .map(LockedDirectory::place)
        .find_map(|place| Some((place, place.directory.network_file_system()?)));
    if let Some((place, kind)) = found {
        let name = &place.name;
        PROGRAM.warn(format_args!("{name} is on a network file system ({kind}): kills are untested there"));
    }
}

/// Completes the unfinished batch of a predecessor, repairs the directories, and creates the engine.
pub(super) fn assemble<D: Directory, I: Input>(
    script: Script,
    mut input: I,
    locked: Vec<LockedDirectory<D>>,
    statuses: Vec<StatusFile>,
    messages: Messages,
) -> Result<Engine<D, I>, Error> {
    for directory in &locked {
        // Left by a logger that was killed while it created its journal. It does no harm if it cannot be removed.
        let _ = discard_unfinished(directory.place());
    }
    let origin = input.origin().filter(|_| !locked.is_empty());
    let legacy = replay(origin, &locked, &mut Pausing::new(&mut input, messages))?;
    if legacy.left_out_bytes > 0 {
        messages.warn(format_args!(
            "{} bytes of the last logger belong to directories that the script no longer names, and are not written",
            legacy.left_out_bytes
        ));
    }
    let heading = origin.map(|origin| Heading::new(origin, legacy.last_number, &script, &locked));
    let journal = heading.as_ref().and_then(|heading| {
        let reserved = reserve(locked[0].place(), heading);
        reserved.inspect_err(|error| messages.warn(error)).ok()
    });
    let mut patience = Interruptible(Pausing::new(&mut input, messages));
    let mut directories: Vec<LogDir<_>> = Vec::new();
    for (number, directory) in locked.into_iter().enumerate() {
        // Without a journal, the next logger could not know whether this file is whole.
        let is_whole = legacy.is_whole[number] && journal.is_some();
        directories.push(directory.prepare(is_whole, legacy.is_torn(number), &mut patience)?);
    }
    drop(patience);
    let open_line = legacy.open_line().cloned();
    let Legacy { withheld, told, has_predecessor, .. } = legacy;
    let parts = EngineParts {
        script,
        input,
        directories,
        statuses,
        heading,
        open_line,
        withheld,
        told,
        has_predecessor,
        messages,
    };
    let mut engine = Engine::new(parts);
    engine.take_over(journal, &legacy.has_journal)?;
    Ok(engine)
}

/// If the reader of the alerts exits, or a file reaches a size limit, the write reports an error; the signal must not
/// kill the logger.
fn catch_signals(input: fn(Messages) -> sys::Result<StandardInput>) -> Result<StandardInput, Error> {
    [Signal::SIGPIPE, Signal::SIGXFSZ]
        .into_iter()
        .try_for_each(signal::ignore)
        .and_then(|()| signal::want_children())
        .and_then(|()| input(messages()))
        .map_err(|errno| Error::new("unable to catch signals", errno))
}
