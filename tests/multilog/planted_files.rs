//! Links, FIFOs and other things that somebody puts into a log directory, at the start and within a rotation: no line goes
//! where they lead, and nothing waits for them.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Write, pipe};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use testkit::logdir::LogDirFiles;
use testkit::logger::{LoggerFixture, Multilog, Running, messages};
use testkit::{Workdir, strace, until};

/// What can be where a file of the logger's should be.
#[derive(Clone, Copy, Debug)]
enum Plant {
    Fifo,
    Link,
    DanglingLink,
    Directory,
    Socket,
    /// A second name of a file elsewhere.
    SecondName,
}

const OUTSIDE: &str = "somebody else's\n";

impl Plant {
    fn put(self, workdir: &Workdir, name: &str) {
        let path = workdir.join("main").join(name);
        let outside = workdir.join("outside");
        match self {
            Plant::Fifo => mkfifo(&path, Mode::from_bits_truncate(0o644)).unwrap(),
            Plant::Link => symlink(outside, path).unwrap(),
            Plant::DanglingLink => symlink(workdir.join("nowhere"), path).unwrap(),
            Plant::Directory => fs::create_dir(path).unwrap(),
            Plant::Socket => drop(UnixListener::bind(path).unwrap()),
            Plant::SecondName => fs::hard_link(outside, path).unwrap(),
        }
    }
}

/// Holds a FIFO open as an eavesdropper does, and says what has come through it.
fn eavesdrop(path: &Path) -> impl FnMut() -> Vec<u8> + use<> {
    let mut reader = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path).unwrap();
    move || {
        let mut heard = Vec::new();
        match reader.read_to_end(&mut heard) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        heard
    }
}

#[test]
fn nothing_planted_before_the_start_diverts_a_line_or_blocks_the_logger() {
    let names = ["current", "previous", "processed", "state", "newstate", "lock", "journal", "rewritten"];
    let plants = [Plant::Fifo, Plant::Link, Plant::DanglingLink, Plant::Directory, Plant::Socket, Plant::SecondName];
    for name in names {
        for plant in plants {
            if matches!((name, plant), ("processed" | "newstate", Plant::Directory)) {
                // Nothing that a processor can be given: it waits until somebody removes it, as 0.76 does.
                continue;
            }
            let workdir = Workdir::in_memory();
            let main = workdir.join("main");
            fs::create_dir(&main).unwrap();
            fs::write(workdir.join("outside"), OUTSIDE).unwrap();
            plant.put(&workdir, name);
            let mut hear = matches!(plant, Plant::Fifo).then(|| eavesdrop(&main.join(name)));
            let lines = "a line of the log\n".repeat(500);
            let (input, mut output) = pipe().unwrap();
            output.write_all(lines.as_bytes()).unwrap();
            drop(output);

            let script = ["s4096", "n100", "!cat", "./main"];
            let mut command = Multilog::Ours.command(workdir.path(), &script);
            let (status, words) = Running::start(command.stdin(input)).end_and_words();

            let shown = format!("{plant:?} as {name}: {status}; {words}");
            assert_eq!(fs::read_to_string(workdir.join("outside")).unwrap(), OUTSIDE, "{shown}");
            assert!(!workdir.join("nowhere").exists(), "{shown}");
            assert!(hear.as_mut().is_none_or(|hear| hear().is_empty()), "{shown}");
            match status.code() {
                Some(0) => {
                    let logged = LogDirFiles::read(&main).joined();
                    let logged = String::from_utf8_lossy(&logged).replace(OUTSIDE, "");
                    assert!(logged == lines, "{shown}: {} bytes of {}", logged.len(), lines.len());
                }
                Some(111) => assert!(name == "lock" || words.contains(name), "{shown}"),
                _ => panic!("{shown}"),
            }
        }
    }
}

/// Logs some lines by a logger that waits a second between the two steps of its first rotation, and returns when it waits.
fn begin_rotation(lines: &str) -> Option<(Workdir, Running)> {
    let mut strace = strace("nothing was planted within a rotation")?;
    let LoggerFixture { workdir, input, mut output } = LoggerFixture::new();
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", "inject=renameat2:delay_exit=1000000:when=1"]);
    strace.arg(Multilog::Ours.path()).args(["s4096", "n100", "./main"]);
    let logger = Running::start_in(&mut strace, workdir.path(), input);
    output.write_all(lines.as_bytes()).unwrap();
    drop(output);
    let main = workdir.join("main");
    until("the rotation has begun", || main.join("previous").exists() && !main.join("current").exists());
    Some((workdir, logger))
}

#[test]
fn what_is_planted_as_current_within_a_rotation_becomes_an_archive() {
    for plant in [Plant::Fifo, Plant::Link, Plant::DanglingLink, Plant::Directory, Plant::Socket, Plant::SecondName] {
        let lines = "a line of the log\n".repeat(400);
        let Some((workdir, mut logger)) = begin_rotation(&lines) else { return };
        let main = workdir.join("main");
        fs::write(workdir.join("outside"), OUTSIDE).unwrap();

        plant.put(&workdir, "current");
        let mut hear = matches!(plant, Plant::Fifo).then(|| eavesdrop(&main.join("current")));
        let status = logger.end();

        let words = messages(&workdir);
        assert!(status.success(), "{plant:?}: {status}; {words}");
        assert!(hear.as_mut().is_none_or(|hear| hear().is_empty()), "{plant:?}: lines went into it");
        assert_eq!(fs::read_to_string(workdir.join("outside")).unwrap(), OUTSIDE, "{plant:?}");
        assert!(!workdir.join("nowhere").exists());
        let logged = String::from_utf8(LogDirFiles::read(&main).joined()).unwrap().replace(OUTSIDE, "");
        assert!(logged == lines, "{plant:?}: {} bytes of {}; {words}", logged.len(), lines.len());
        if let Plant::Fifo = plant {
            let is_fifo = |entry: &fs::DirEntry| entry.file_type().unwrap().is_fifo();
            let planted = fs::read_dir(&main).unwrap().map(Result::unwrap).find(is_fifo).unwrap().file_name();
            assert!(planted.to_str().is_some_and(|name| name.starts_with('@') && name.ends_with(".u")), "{planted:?}");
        }
    }
}

#[test]
fn a_plain_file_that_appears_as_current_within_a_rotation_is_appended_to() {
    let Some((workdir, mut logger)) = begin_rotation(&"a line of the log\n".repeat(200)) else { return };
    let main = workdir.join("main");

    fs::write(main.join("current"), OUTSIDE).unwrap();
    let status = logger.end();

    assert!(status.success(), "{status}");
    let current = fs::read_to_string(main.join("current")).unwrap();
    assert!(current.starts_with(OUTSIDE), "{current}");
}
