//! Reloads: the script changes again and again while lines are logged, with another call going wrong each time.

use std::os::fd::BorrowedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::disk::Disk;
use super::faults::{Calls, Fault, Killed, lock};
use super::pipe::{Pipe, PipeInput};
use super::tests::for_calls;
use crate::cli::{Exit, Messages};
use crate::lines::reader::{Source, Taken};
use crate::logdir::destination::Destination;
use crate::multilog::engine::reloading::ScriptSource;
use crate::multilog::error::Error;
use crate::multilog::input::{Input, Wake};
use crate::multilog::journal::record::Origin;
use crate::multilog::program::{Claimed, assemble};
use crate::multilog::script::Script;
use crate::multilog::writer::locked_directory::LockedDirectory;
use crate::multilog::writer::place::Place;
use crate::sys::{Errno, Result};

/// Each sends every line to one directory.
const SCRIPTS: [&[&std::ffi::CStr]; 5] = [
    &[c"n1000", c"./a"],
    &[c"n1000", c"s4096", c"./b"],
    &[c"n1000", c"-*", c"./c", c"+*", c"s4500", c"./a"],
    &[c"n1000", c"./b", c"-*", c"./a"],
    &[c"n1000", c"-*", c"./a", c"./b", c"+*", c"!cat", c"./c"],
];

/// The machine: three disks, a pipe, and the number of the script that is in the file.
#[derive(Clone)]
struct Machine {
    disks: [Disk; 3],
    pipe: Pipe,
    file: Arc<Mutex<usize>>,
}

fn lines() -> Vec<String> {
    (0..150).map(|number| format!("{number:04} {}\n", "x".repeat(number * 37 % 250))).collect()
}

/// The input of a logger, to which HUP comes at every third wait, with another script in the file.
#[derive(Debug)]
struct HupInput {
    pipe: PipeInput,
    file: Arc<Mutex<usize>>,
    waits: usize,
}

impl Source for HupInput {
    fn take(&mut self, held: &[u8], room: &mut [u8]) -> Result<Option<Taken>> {
        self.pipe.take(held, room)
    }

    fn consume(&mut self, logged: &[u8], last: &mut [u8]) -> Result<bool> {
        self.pipe.consume(logged, last)
    }

    fn piece_bytes(&self) -> usize {
        self.pipe.piece_bytes()
    }
}

impl Input for HupInput {
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Wake> {
        self.waits += 1;
        if self.waits.is_multiple_of(3) {
            *lock(&self.file) += 1;
            return Ok(Wake::Reload);
        }
        self.pipe.wait(timeout)
    }

    fn rest(&mut self, time: Duration) -> bool {
        self.pipe.rest(time)
    }

    fn wait_for(&mut self, other: BorrowedFd<'_>) -> Result<bool> {
        self.pipe.wait_for(other)
    }

    fn keeps_rest(&self) -> bool {
        true
    }

    fn removed<'r>(&'r self, unwritten: &'r [u8]) -> &'r [u8] {
        self.pipe.removed(unwritten)
    }

    fn put_back(&mut self, bytes: usize) -> bool {
        self.pipe.put_back(bytes)
    }

    fn origin(&self) -> Option<Origin> {
        self.pipe.origin()
    }

    fn peek_again(&mut self, bytes: usize) -> Result<Vec<u8>> {
        self.pipe.peek_again(bytes)
    }

    fn look_anew(&mut self) {
        self.pipe.look_anew();
    }
}

/// The file with the script.
#[derive(Debug)]
struct File {
    machine: Machine,
    calls: Calls,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Machine")
    }
}

impl ScriptSource<super::disk::DiskDirectory> for File {
    fn read(&mut self) -> std::result::Result<Script, Error> {
        let answer = self.calls.call();
        answer.map_err(|errno| Error::unable("read the script", errno))?;
        Ok(self.machine.script())
    }

    fn lock(
        &self,
        destination: &Destination,
    ) -> std::result::Result<LockedDirectory<super::disk::DiskDirectory>, Error> {
        self.machine.lock(destination, &self.calls)
    }
}

impl Machine {
    fn new() -> Machine {
        let disks = [1, 2, 3].map(|device| Disk::new(device, 1000));
        Machine { disks, pipe: Pipe::new(lines().concat().as_bytes()), file: Arc::default() }
    }

    fn script(&self) -> Script {
        Script::parse(SCRIPTS[*lock(&self.file) % SCRIPTS.len()])
    }

    fn lock(
        &self,
        destination: &Destination,
        calls: &Calls,
    ) -> std::result::Result<LockedDirectory<super::disk::DiskDirectory>, Error> {
        let name = destination.path.to_str().expect("names here are text");
        let disk = &self.disks[usize::from(name.as_bytes()[2] - b'a')];
        LockedDirectory::lock(Place::new(name, disk.directory(calls), destination.limits), destination.clone())
    }

    /// Runs a logger until it ends; tells whether it logged to the end of the input.
    fn run(&self, calls: &Calls) -> bool {
        let run = || {
            let script = self.script();
            let all = Script::parse(&[c"n1000", c"./a", c"./b", c"./c"]).directories;
            let is_named = |one: &&Destination| script.directories.iter().any(|named| named.path == one.path);
            let (mut directories, mut left_behind) = (Vec::new(), Vec::new());
            for destination in &script.directories {
                directories.push(self.lock(destination, calls)?);
            }
            for destination in all.iter().filter(|one| !is_named(one)) {
                left_behind.push(self.lock(destination, calls)?);
            }
            let pipe = PipeInput {
                pipe: self.pipe.clone(),
                calls: calls.clone(),
                look_bytes: 700,
                ahead_bytes: 0,
                boot: 1,
                terms_at_pause: false,
            };
            let input = HupInput { pipe, file: Arc::clone(&self.file), waits: 0 };
            let claimed = Claimed { directories, left_behind };
            let mut engine = assemble(script, input, claimed, vec![], Messages::DROPPED)?;
            engine.set_source(Box::new(File { machine: self.clone(), calls: calls.clone() }));
            Ok::<bool, Error>(engine.run() == Exit::OK)
        };
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(end) => end.unwrap_or(false),
            Err(panic) if panic.is::<Killed>() => false,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Checks that each line is in one directory, once and whole, and in the order in which it came.
    #[track_caller]
    fn check(&self, what: std::fmt::Arguments<'_>) {
        let mut all = Vec::new();
        for disk in &self.disks {
            let files = disk.files();
            assert!(!files.contains_key("newjournal"), "{what}: a journal in the making is left");
            let archives = files.iter().filter(|(name, _)| name.starts_with('@'));
            let log: Vec<&[u8]> = archives.chain(files.get_key_value("current")).map(|(_, bytes)| &bytes[..]).collect();
            let log = String::from_utf8(log.concat()).expect("lines are text");
            let lines: Vec<String> = log.split_inclusive('\n').map(str::to_owned).collect();
            assert!(lines.is_sorted(), "{what}: lines are not in order");
            all.extend(lines);
        }
        all.sort();
        assert!(all == lines(), "{what}: {} lines instead of {}", all.len(), lines().len());
        assert!(self.pipe.bytes().is_empty(), "{what}: something is left in the pipe");
    }
}

#[test]
fn a_kill_at_any_call_loses_doubles_and_tears_nothing() {
    let cases = for_calls(|at| {
        let machine = Machine::new();
        let calls = Calls::new(Fault::Kill { at });
        machine.run(&calls);
        machine.run(&Calls::new(Fault::None));
        machine.check(format_args!("killed at call {at}"));
        calls.has_fired()
    });
    assert!(cases > 500, "{cases} calls");
}

#[test]
fn an_error_at_any_call_loses_and_doubles_nothing() {
    for errno in [Errno::EIO, Errno::ENOSPC] {
        for_calls(|at| {
            let machine = Machine::new();
            let calls = Calls::new(Fault::Once { at, errno });
            machine.run(&calls);
            machine.run(&Calls::new(Fault::None));
            machine.check(format_args!("{errno} at call {at}"));
            calls.has_fired()
        });
    }
}

#[test]
fn an_error_and_then_a_kill_lose_and_double_nothing() {
    for later in [1, 5, 40] {
        for_calls(|at| {
            let machine = Machine::new();
            let calls = Calls::new(Fault::FailAndKill { at, errno: Errno::ENOSPC, later });
            machine.run(&calls);
            machine.run(&Calls::new(Fault::None));
            machine.check(format_args!("full at call {at}, killed {later} calls later"));
            calls.has_fired()
        });
    }
}
