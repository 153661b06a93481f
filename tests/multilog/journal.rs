//! A journal that cannot be made, at the start or later, is made when it can be.

use std::fs;
use std::io::{PipeWriter, Write, pipe};
use std::path::PathBuf;
use std::process::Command;

use logyard::sys::signal::Signal;

use testkit::logdir::{current_bytes, is_in_use};
use testkit::logger::{Multilog, Running};
use testkit::{Workdir, skipped, tool, until};

/// A logger whose words go to a file.
struct World {
    workdir: Workdir,
    logger: Running,
    output: PipeWriter,
}

impl World {
    /// Starts it in a directory that `prepare` has put something into.
    fn new(prepare: impl FnOnce(&Workdir)) -> World {
        let workdir = Workdir::in_memory();
        fs::create_dir(workdir.join("main")).unwrap();
        prepare(&workdir);
        let (input, output) = pipe().unwrap();
        let mut command = Multilog::Ours.command(workdir.path(), &["./main"]);
        let words = fs::File::create(workdir.join("words")).unwrap();
        let logger = Running::start(command.stdin(input).stderr(words));
        until("the logger works", || is_in_use(&workdir.join("main")));
        World { workdir, logger, output }
    }

    fn words(&self) -> String {
        fs::read_to_string(self.workdir.join("words")).unwrap()
    }

    fn journal(&self) -> PathBuf {
        self.workdir.join("main/journal")
    }

    /// Logs a line now and then until something has happened: nothing is done for a logger that is idle.
    fn log_until(&mut self, what: &str, condition: impl Fn(&World) -> bool) {
        until(what, || {
            let before = current_bytes(&self.workdir.join("main")).unwrap_or(0);
            self.output.write_all(b"a line\n").unwrap();
            until("the line is logged", || current_bytes(&self.workdir.join("main")) > Some(before));
            std::thread::sleep(std::time::Duration::from_millis(20));
            condition(self)
        });
    }

    fn end(mut self) {
        self.logger.signal(Signal::SIGTERM);
        let status = self.logger.end();
        assert!(status.success(), "{status}");
    }
}

const UNABLE: &str = "multilog: warning: unable to keep ./main/journal: permission denied\n";
const AGAIN: &str = "multilog: warning: keeping ./main/journal again\n";

#[test]
fn a_journal_that_could_not_be_made_at_the_start_is_made_later() {
    let mut world = World::new(|workdir| fs::create_dir(workdir.join("main/journal")).unwrap());
    assert_eq!(world.words(), UNABLE);

    fs::remove_dir(world.journal()).unwrap();
    world.log_until("there is a journal", |world| world.journal().is_file());

    assert_eq!(world.words(), [UNABLE, AGAIN].concat());
    world.log_until("it tells of a batch", |world| {
        fs::read(world.journal()).is_ok_and(|page| page.starts_with(b"LOGYARD") && page[8] != 0)
    });
    world.end();
}

#[test]
fn a_journal_that_could_not_be_renewed_is_made_later() {
    let mut world = World::new(|_| ());
    // Its page goes with the next line, and its name cannot be had.
    fs::OpenOptions::new().write(true).open(world.journal()).unwrap().set_len(0).unwrap();
    fs::remove_file(world.journal()).unwrap();
    fs::create_dir(world.journal()).unwrap();
    world.log_until("it is missed", |world| !world.words().is_empty());
    assert_eq!(world.words(), UNABLE);

    fs::remove_dir(world.journal()).unwrap();
    world.log_until("there is a journal", |world| world.journal().is_file());

    assert_eq!(world.words(), [UNABLE, AGAIN].concat());
    world.end();
}

#[test]
fn a_directory_on_a_network_file_system_is_named_once() {
    let Some(strace) = tool("strace") else { return };
    let workdir = Workdir::in_memory();
    // The number of NFS, where the kernel answers.
    let inject = "inject=fstatfs:poke_exit=@arg2=6969000000000000";
    let logger = || {
        let mut command = Command::new(&strace);
        command.args(["-qq", "-o", "/dev/null", "-e", inject]).arg(Multilog::Ours.path()).args(["./one", "./two"]);
        command.current_dir(workdir.path()).stdin(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
        Running::start(&mut command).end_and_words()
    };

    let (status, words) = logger();

    if !status.success() && !words.contains("multilog") {
        skipped("strace may not trace or change answers here, so no network file system was feigned");
        return;
    }
    let expected =
        "multilog: warning: ./one is on a network file system (NFS): what a kill does to lines is untested there\n";
    assert_eq!((status.code(), &words[..]), (Some(0), expected));
}

#[test]
fn a_journal_that_was_not_completed_is_removed_whatever_comes_next() {
    for (directory, script) in [("one", &["./one"][..]), ("two", &["./one", "./two"])] {
        for is_pipe in [false, true] {
            let workdir = Workdir::in_memory();
            fs::create_dir(workdir.join(directory)).unwrap();
            let unfinished = workdir.join(directory).join("newjournal");
            fs::write(&unfinished, b"LOGYARD").unwrap();
            fs::write(workdir.join("input"), b"one\n").unwrap();
            let mut command = Multilog::Ours.command(workdir.path(), script);
            if is_pipe {
                let (input, mut output) = pipe().unwrap();
                output.write_all(b"one\n").unwrap();
                command.stdin(input);
            } else {
                command.stdin(fs::File::open(workdir.join("input")).unwrap());
            }

            let (status, words) = Running::start(&mut command).end_and_words();

            assert!(status.success() && words.is_empty(), "{status}: {words}");
            assert!(!unfinished.exists(), "{script:?}, from a pipe: {is_pipe}");
        }
    }
}
