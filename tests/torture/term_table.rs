//! TERM ends a logger within a second in each state of a table: input × disk × processor × standard error. And in each,
//! every line is accounted for: it is logged, or still in the input, or counted as lost.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use logyard::sys::signal::Signal;

use super::term::A_SECOND;
use testkit::logger::{Multilog, Running};
use testkit::unread::{Kind, Unread, read_available, set_non_blocking};
use testkit::{Workdir, strace, until};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Pipe,
    Fifo,
    Socket,
    File,
    Terminal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disk {
    Room,
    Full,
    FsyncFails,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Processor {
    None,
    Hanging,
    Failing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StandardError {
    Read,
    UnreadAndFull,
    Closed,
}

type Cell = (Input, Disk, Processor, StandardError);

/// No file of a full disk grows beyond this. The journal fits.
const FULL_BYTES: u64 = 5000;

fn lines(numbers: std::ops::Range<usize>) -> String {
    numbers.map(|number| format!("line number {number:06}\n")).collect()
}

/// Both ends of an input. The logger's end is held here too, so that what the logger did not take can be looked at.
struct Ends {
    writer: File,
    reader: File,
}

impl Input {
    fn keeps_what_is_read(self) -> bool {
        matches!(self, Input::Pipe | Input::Fifo)
    }

    fn open(self, dir: &Path) -> Ends {
        let path = dir.join("input");
        let (reader, writer): (OwnedFd, OwnedFd) = match self {
            Input::Pipe => Kind::Pipe.open(&path),
            Input::Fifo => {
                let (both, _) = Kind::Fifo.open(&path);
                (File::open(&path).unwrap().into(), both)
            }
            Input::Socket => Kind::Socket.open(&path),
            Input::File => {
                let writer = OpenOptions::new().create(true).append(true).open(&path).unwrap();
                (File::open(&path).unwrap().into(), writer.into())
            }
            Input::Terminal => {
                let (display, program) = Kind::Terminal.open(&path);
                (program, display)
            }
        };
        Ends { writer: writer.into(), reader: reader.into() }
    }
}

impl Ends {
    /// What the logger did not take.
    fn rest(&self) -> String {
        let is_file = self.reader.metadata().unwrap().is_file();
        if !is_file {
            set_non_blocking(&self.reader, true);
        }
        String::from_utf8(read_available(&self.reader)).unwrap()
    }
}

/// The command line before the logger's own.
fn prefix(disk: Disk, standard_error: StandardError) -> Vec<String> {
    let mut words: Vec<&str> = Vec::new();
    if standard_error == StandardError::Closed {
        words.extend(["/bin/sh", "-c", "exec \"$0\" \"$@\" 2>&-"]);
    }
    let full = FULL_BYTES.to_string();
    match disk {
        Disk::Room => {}
        // A limit on the size of files is as good as a full disk, and needs no mount.
        Disk::Full => words.extend([env!("CARGO_BIN_EXE_softlimit"), "-f", &full]),
        // It traces from aside, so that the logger itself is our child.
        Disk::FsyncFails => words.extend([
            "strace",
            "-D",
            "-qq",
            "-f",
            "-o",
            "/dev/null",
            "-e",
            "trace=fsync,fdatasync",
            "-e",
            "inject=fsync,fdatasync:error=EIO",
        ]),
    }
    words.into_iter().map(str::to_owned).chain([Multilog::Ours.path().display().to_string()]).collect()
}

/// All lines in a directory, in the order in which they were logged, and how many files were finished.
fn logged(directory: &Path) -> (String, usize) {
    let mut names: Vec<_> = fs::read_dir(directory)
        .map(|entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    names.retain(|name| name.starts_with('@') || name == "previous" || name == "current");
    // "@…" < "current" < "previous".
    names.sort_by_key(|name| {
        (["previous", "current"].iter().position(|fixed| fixed == name).map_or(0, |at| at + 1), name.clone())
    });
    let mut seen = Vec::new();
    let mut text = String::new();
    for name in &names {
        let path = directory.join(name);
        let Ok(about) = fs::metadata(&path) else { continue };
        // A file on its way to the archive may have two names.
        if !seen.contains(&about.ino()) {
            seen.push(about.ino());
            text += &fs::read_to_string(path).unwrap_or_default();
        }
    }
    (text, names.iter().filter(|name| name.starts_with('@')).count())
}

fn try_cell(cell: Cell) {
    let (input, disk, processor, standard_error) = cell;
    let dir = Workdir::in_memory();
    let main = dir.join("main");
    let mut ends = input.open(dir.path());
    if input == Input::File {
        // The end of a file is the end of the input.
        ends.writer.write_all(lines(0..700).as_bytes()).unwrap();
    }
    let mut unread = Unread::new(Kind::Pipe, &dir);
    let words = prefix(disk, standard_error);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).args(["s16000", "n50"]).current_dir(dir.path()).stdout(Stdio::null());
    if input == Input::File {
        // Nobody can rotate while it is read: a directory of smaller files gives the processor something to do.
        command.args(["./main", "s4096"]);
    }
    match processor {
        Processor::None => {}
        Processor::Hanging => {
            command.arg("!echo $$ > ../processor; trap '' TERM; while :; do sleep 0.1; done");
        }
        Processor::Failing => {
            command.arg("!echo $$ > ../processor; exit 1");
        }
    }
    command.arg(if input == Input::File { "./side" } else { "./main" }).stdin(ends.reader.try_clone().unwrap());
    let mut reading = None;
    if standard_error == StandardError::Read {
        let (reader, writer) = std::io::pipe().unwrap();
        command.stderr(writer);
        reading = Some(reader);
    } else {
        command.stderr(unread.stdio());
    }
    let mut logger = Running::start(&mut command);
    drop(command);
    let words = reading.map(|mut reader| {
        std::thread::spawn(move || {
            let mut words = String::new();
            reader.read_to_string(&mut words).unwrap();
            words
        })
    });
    let all = if input == Input::File {
        // It is read to its end at once, if nothing is in the way.
        let all = lines(0..700);
        match (processor, disk) {
            (Processor::Hanging | Processor::Failing, _) => {
                until("the processor ran", || dir.join("processor").exists());
            }
            (Processor::None, Disk::Full) => {}
            (Processor::None, _) => until("all lines are logged", || logged(&main).0.len() == all.len()),
        }
        all
    } else {
        until("the logger is ready", || main.join("current").exists());
        let first = lines(0..40);
        ends.writer.write_all(first.as_bytes()).unwrap();
        until("the first lines are logged", || logged(&main).0.len() == first.len());
        logger.signal(Signal::SIGALRM);
        match processor {
            Processor::None => until("the file is finished", || logged(&main).1 == 1),
            Processor::Hanging | Processor::Failing => until("the processor ran", || dir.join("processor").exists()),
        }
        let second = lines(40..400);
        for part in second.as_bytes().chunks(1000) {
            ends.writer.write_all(part).unwrap();
        }
        first + &second
    };
    let is_stuck = || fs::metadata(main.join("current")).is_ok_and(|current| current.len() == FULL_BYTES);
    match (input, disk) {
        (_, Disk::Full) => until("the disk is full", is_stuck),
        (Input::File, _) => {}
        _ => until("all lines are logged", || logged(&main).0.len() == all.len()),
    }

    let (status, took) = logger.terminate();

    let code = status.code();
    assert!(took < A_SECOND, "{cell:?}: TERM took {took:?}");
    assert!(matches!(code, Some(0 | 111)), "{cell:?}: it left with {code:?}");
    if disk == Disk::Room {
        assert_eq!(code, Some(0), "{cell:?}");
        assert!(!main.join("previous").exists() && !dir.join("side/previous").exists(), "{cell:?}");
    }
    let words = words.map(|words| words.join().unwrap());
    let logged = logged(&main).0;
    if input == Input::File {
        assert_eq!(self::logged(&dir.join("side")).0, logged, "{cell:?}: the directories differ");
    }
    let rest = ends.rest();
    assert!(all.starts_with(&logged), "{cell:?}: logged {} of {}", logged.len(), all.len());
    assert!(all.ends_with(&rest), "{cell:?}: left {} of {}", rest.len(), all.len());
    assert!(logged.is_empty() || logged.ends_with('\n'), "{cell:?}: logged half a line");
    let missing = &all[logged.len()..all.len() - rest.len()];
    if input.keeps_what_is_read() || input == Input::File || disk != Disk::Full {
        assert_eq!(missing, "", "{cell:?}: {words:?}");
    } else {
        assert!(!missing.is_empty() && code == Some(111), "{cell:?}: {code:?}");
        let said = format!("is lost: {} lines, {} bytes\n", missing.lines().count(), missing.len());
        assert!(words.is_none_or(|words| words.contains(&said)), "{cell:?}: {said}");
    }
    assert_eq!(unread.read(), "", "{cell:?}");
}

fn all_cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for input in [Input::Pipe, Input::Fifo, Input::Socket, Input::File, Input::Terminal] {
        for disk in [Disk::Room, Disk::Full, Disk::FsyncFails] {
            for processor in [Processor::None, Processor::Hanging, Processor::Failing] {
                for standard_error in [StandardError::Read, StandardError::UnreadAndFull, StandardError::Closed] {
                    cells.push((input, disk, processor, standard_error));
                }
            }
        }
    }
    cells
}

fn try_all(cells: Vec<Cell>) {
    let has_strace = strace("no fsync was made to fail").is_some();
    let cells: Vec<Cell> = cells.into_iter().filter(|cell| has_strace || cell.1 != Disk::FsyncFails).collect();
    let left = Mutex::new(cells.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let cell = left.lock().unwrap().next();
                    match cell {
                        Some(cell) => try_cell(cell),
                        None => return,
                    }
                }
            });
        }
    });
}

/// A third of the table: each two states of any two columns meet.
#[test]
fn term_ends_a_logger_in_a_third_of_the_states() {
    let numbers = |(input, disk, processor, standard_error): &Cell| {
        *input as usize + *disk as usize + *processor as usize + *standard_error as usize
    };
    try_all(all_cells().into_iter().filter(|cell| numbers(cell) % 3 == 0).collect());
}

#[test]
#[ignore = "starts 135 loggers: .ci/torture"]
fn term_ends_a_logger_in_every_state() {
    try_all(all_cells());
}
