//! The program: opens what the script names, and runs the engine.

use std::ffi::CStr;

use crate::cli::standard_error::{self, Threads};
use crate::cli::{Exit, Messages, Program, standard_output};
use crate::logdir::destination::Destination;
use crate::multilog::engine::reloading::ScriptSource;
use crate::multilog::engine::{Engine, EngineParts};
use crate::multilog::error::Error;
use crate::multilog::input::Input;
use crate::multilog::input::standard::StandardInput;
use crate::multilog::journal::left_behind::lock_left_behind;
use crate::multilog::journal::publish::{discard_unfinished, reserve};
use crate::multilog::journal::record::Heading;
use crate::multilog::journal::replay::{Legacy, replay};
use crate::multilog::name::PROGRAM;
use crate::multilog::pausing::{Interruptible, Pausing};
use crate::multilog::regex_program;
use crate::multilog::script::Script;
use crate::multilog::script::automaton;
use crate::multilog::script::explain::explain;
use crate::multilog::script::expression;
use crate::multilog::script::review::Review;
use crate::multilog::script::script_file::ScriptFile;
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

/// The same program with the code for regular expressions: `multilog-regex`.
pub fn run_with_expressions(arguments: &Arguments) -> Exit {
    expression::use_compiler(automaton::COMPILER);
    run(arguments)
}

/// The same program without peeking, for comparison: if it is killed, the bytes that it has read are lost.
pub fn run_reading(arguments: &Arguments) -> Exit {
    run_on(arguments, StandardInput::reading)
}

/// How the input is made, with the signal HUP or without.
type MakeInput = fn(Messages, bool) -> sys::Result<StandardInput>;

fn run_on(arguments: &Arguments, input: MakeInput) -> Exit {
    let words = arguments.get(1..).unwrap_or_default();
    let Program(name) = PROGRAM;
    memory::end_when_exhausted(name);
    if let Some((_, words)) = words.split_first().filter(|(first, _)| is_check(first)) {
        return check(arguments, words, ScriptFile::find(words));
    }
    let file = ScriptFile::find(words);
    fd::occupy_standard();
    standard_error::never_block(PROGRAM, Threads::Allowed);
    memory::use_one_arena();
    dir::set_umask(UMASK);
    let exit = match start(words, file, input) {
        Ok(engine) => engine.run(),
        Err(error) if error.is_interruption() => Exit::OK,
        Err(error) if error.is_want_of_compiler() => regex_program::execute(arguments),
        Err(error) => PROGRAM.fatal(error),
    };
    standard_output::report_dropped(messages());
    standard_error::report_dropped();
    exit
}

fn is_check(argument: &&'static CStr) -> bool {
    argument.to_bytes() == CHECK.as_bytes()
}

/// What a buffer needs, with its thread.
fn buffer_bytes(script: &Script) -> usize {
    script.buffer.map_or(0, |buffer| buffer.bytes_max + DIRECTORY_BYTES)
}

/// Explains a script on standard output. Exits 100 if part of it is ignored or has no effect. It opens nothing but the script
/// file.
fn check(arguments: &Arguments, words: &Arguments, file: Option<ScriptFile>) -> Exit {
    let all = match file.map_or_else(|| Ok(words.to_vec()), |mut file| file.read()) {
        Ok(all) => all,
        Err(error) => {
            PROGRAM.warn(error);
            return Exit::USAGE;
        }
    };
    let (script, is_ignored) = Script::parse_marking(&all);
    if script.lacks_compiler() {
        return regex_program::execute(arguments);
    }
    let review = Review::new(&all, &script, &is_ignored);
    let mut warnings = review.warnings();
    if words.first().is_some_and(is_check) {
        warnings.push("the script begins with --check: multilog would only check it".to_owned());
    }
    if all.len() < words.len() {
        warnings.push("the script file has no action".to_owned());
    }
    for warning in &warnings {
        PROGRAM.warn(warning);
    }
    let explanation = explain(&all, &script, &is_ignored, &review);
    if let Err(errno) = fd::write_all(fd::stdout(), explanation.as_bytes()) {
        return PROGRAM.fatal(Error::unable("write to standard output", errno));
    }
    if warnings.is_empty() { Exit::OK } else { Exit::USAGE }
}

fn messages() -> Messages {
    Messages::of(PROGRAM)
}

/// Opens everything that the script names. It touches no file until every directory is locked.
fn start(
    words: &Arguments,
    mut file: Option<ScriptFile>,
    input: MakeInput,
) -> Result<Engine<PathDir, StandardInput>, Error> {
    let input = catch_signals(input, file.is_some())?;
    // A script file is read when HUP cannot be missed any more.
    let script = match &mut file {
        Some(file) => Script::parse(&file.read()?),
        None => Script::parse(words),
    };
    if script.lacks_compiler() {
        return Err(Error::want_of_compiler());
    }
    memory::look_whether_scarce(BUSY_BYTES + script.directories.len() * DIRECTORY_BYTES + buffer_bytes(&script));
    for ignored in &script.ignored {
        PROGRAM.warn(ignored);
    }
    if !script.copies.is_empty() {
        standard_output::open(PROGRAM, script.waits_for_reader);
    }
    let directories = script.directories.iter().map(LockedDirectory::new).collect::<Result<Vec<_>, _>>()?;
    warn_of_network(&directories);
    let statuses = script.statuses.iter().map(|path| StatusFile::open(path)).collect::<Result<Vec<_>, _>>()?;
    let left_behind = match (&file, input.origin()) {
        (Some(_), Some(origin)) => lock_left_behind(origin, &directories),
        _ => Vec::new(),
    };
    let claimed = Claimed { directories, left_behind };
    let mut engine = assemble(script, input, claimed, statuses, messages())?;
    if let Some(file) = file {
        engine.set_source(Box::new(FileSource(file)));
    }
    Ok(engine)
}

/// The script file, as the engine reads it again.
#[derive(Debug)]
struct FileSource(ScriptFile);

impl ScriptSource<PathDir> for FileSource {
    fn read(&mut self) -> Result<Script, Error> {
        let FileSource(file) = self;
        let script = Script::parse(&file.read()?);
        if script.lacks_compiler() {
            return Err(Error::unexplained("regular expressions are new in it, restart multilog"));
        }
        match script.ignored_besides(file.own_arguments()) {
            None => Ok(script),
            Some(ignored) => Err(Error::unexplained(ignored)),
        }
    }

    fn lock(&self, destination: &Destination) -> Result<LockedDirectory<PathDir>, Error> {
        LockedDirectory::new(destination)
    }
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

/// The directories that a logger has locked, and not touched otherwise.
#[derive(Debug)]
pub(super) struct Claimed<D: Directory> {
    /// Those of the script.
    pub directories: Vec<LockedDirectory<D>>,
    /// Others in which a predecessor's batch has to be completed.
    pub left_behind: Vec<LockedDirectory<D>>,
}

/// Completes the unfinished batch of a predecessor, repairs the directories, and creates the engine.
pub(super) fn assemble<D: Directory, I: Input>(
    script: Script,
    mut input: I,
    claimed: Claimed<D>,
    statuses: Vec<StatusFile>,
    messages: Messages,
) -> Result<Engine<D, I>, Error> {
    let Claimed { directories: mut locked, left_behind } = claimed;
    let named = locked.len();
    locked.extend(left_behind);
    for directory in &locked {
        // Left by a logger that was killed while it created its journal. It does no harm if it cannot be removed.
        let _ = discard_unfinished(directory.place());
        directory.share(messages);
    }
    let origin = input.origin().filter(|_| named > 0);
    let legacy = replay(origin, &locked, &mut Pausing::new(&mut input, messages))?;
    if legacy.left_out_bytes > 0 {
        messages.warn(format_args!(
            "{} bytes of the last logger belong to directories that the script no longer names, and are not written",
            legacy.left_out_bytes
        ));
    }
    let heading = origin.map(|origin| Heading::new(origin, legacy.last_number, &script));
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
    let mut left_behind = directories.split_off(named);
    let mut open_line = legacy.open_line().cloned();
    if let Some(line) = &mut open_line {
        line.goes_to.truncate(named);
    }
    let Legacy { mut withheld, told, has_predecessor, has_journal, .. } = legacy;
    withheld.truncate(named);
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
    engine.take_over(journal, &has_journal)?;
    engine.seal_left_behind(&mut left_behind);
    Ok(engine)
}

/// If the reader of the alerts exits, or a file reaches a size limit, the write reports an error; the signal must not
/// kill the logger.
fn catch_signals(input: MakeInput, takes_hup: bool) -> Result<StandardInput, Error> {
    [Signal::SIGPIPE, Signal::SIGXFSZ]
        .into_iter()
        .try_for_each(signal::ignore)
        .and_then(|()| signal::want_children())
        .and_then(|()| input(messages(), takes_hup))
        .map_err(|errno| Error::new("unable to catch signals", errno))
}
