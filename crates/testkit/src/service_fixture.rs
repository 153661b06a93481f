//! Services under test: a directory of their own, the supervision programs of one family, and the end of every process that
//! was started there.

use std::cell::RefCell;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{DEADLINE, Workdir, executable, until};

/// The variable that marks the processes of a fixture. Its value is the fixture's directory.
const MARK: &str = "LOGYARD_FIXTURE";

/// The programs of one maker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// This repository.
    Ours,
    /// Debian's daemontools 0.76.
    Theirs,
}

impl Maker {
    /// The path of one of its programs.
    pub fn program(self, name: &str) -> PathBuf {
        match self {
            Maker::Ours => crate::program(name),
            Maker::Theirs => Path::new("/usr/bin").join(name),
        }
    }

    /// Whether the programs are here; says so if they are not.
    pub fn is_here(self) -> bool {
        self == Maker::Ours || crate::peer("supervise").is_some()
    }
}

/// A process as `/proc` shows it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub pid: i32,
    pub parent: i32,
    pub state: char,
    /// The arguments, separated by spaces.
    pub command: String,
}

/// A directory with the service directories in `sv`. Dropped, it kills every process that was started in it.
pub struct ServiceFixture {
    work: Workdir,
    children: RefCell<Vec<Child>>,
}

#[allow(clippy::new_without_default)] // Each test says when it makes one.
impl ServiceFixture {
    pub fn new() -> ServiceFixture {
        let fixture = ServiceFixture { work: Workdir::new(), children: RefCell::new(Vec::new()) };
        fs::create_dir(fixture.path("sv")).expect("a directory can be made");
        fixture
    }

    /// The same with the service `sv/a`, whose `run` is this script.
    pub fn with_service(run: &str) -> ServiceFixture {
        let fixture = ServiceFixture::new();
        fixture.script("sv/a/run", run);
        fixture
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.work.join(name)
    }

    /// Makes an executable shell script.
    pub fn script(&self, path: &str, body: &str) {
        executable::script(&self.path(path), body);
    }

    pub fn write(&self, path: &str, text: &str) {
        fs::write(self.path(path), text).expect("a file can be written");
    }

    pub fn read(&self, path: &str) -> String {
        fs::read(self.path(path)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    pub fn exists(&self, path: &str) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    /// A command that runs in the fixture's directory with its mark, and finds our programs first.
    pub fn command(&self, program: impl AsRef<Path>, arguments: &[&str]) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .args(arguments)
            .current_dir(self.work.path())
            .env(MARK, self.work.path())
            .env("PATH", format!("{}:/usr/bin:/bin", crate::program_directory().display()))
            .stdin(Stdio::null());
        command
    }

    /// Starts a daemon whose standard output and error go to the file `name`; returns its process.
    pub fn start(&self, name: &str, maker: Maker, program: &str, arguments: &[&str]) -> i32 {
        self.start_command(name, self.command(maker.program(program), arguments))
    }

    /// Starts our supervise for a service; what it and the service print goes to `out`.
    pub fn supervise(&self, service: &str) -> i32 {
        self.start("out", Maker::Ours, "supervise", &[service])
    }

    /// Starts our svscan in a directory; what it and everything below it print goes to `out`.
    pub fn svscan(&self, directory: &str) -> i32 {
        self.start("out", Maker::Ours, "svscan", &[directory])
    }

    /// Runs our svc to its end.
    pub fn svc(&self, arguments: &[&str]) -> Output {
        self.run(Maker::Ours, "svc", arguments)
    }

    pub fn start_command(&self, name: &str, mut command: Command) -> i32 {
        let output = fs::OpenOptions::new().create(true).append(true).open(self.path(name)).expect("a file");
        command.stdout(output.try_clone().expect("a second descriptor"));
        self.start_with_stderr(command, output.into())
    }

    /// Starts a daemon with a standard error of its own.
    pub fn start_with_stderr(&self, mut command: Command, stderr: Stdio) -> i32 {
        let child = command.stderr(stderr).spawn().expect("the program can be started");
        let process = child.id().cast_signed();
        self.children.borrow_mut().push(child);
        process
    }

    /// Waits until a daemon that was started here ends; returns its exit code.
    pub fn wait(&self, process: i32) -> Option<i32> {
        let start = Instant::now();
        loop {
            let mut children = self.children.borrow_mut();
            let at =
                children.iter().position(|child| child.id().cast_signed() == process).expect("a child of the fixture");
            if let Some(status) = children[at].try_wait().expect("it can be waited for") {
                drop(children.remove(at));
                return status.code();
            }
            drop(children);
            assert!(start.elapsed() < DEADLINE, "the daemon has not ended; left: {:#?}", self.processes());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Runs a program to its end.
    pub fn run(&self, maker: Maker, program: &str, arguments: &[&str]) -> Output {
        self.command(maker.program(program), arguments).output().expect("the program can be started")
    }

    /// The line of our svstat about a service.
    pub fn stat(&self, dir: &str) -> String {
        String::from_utf8_lossy(&self.run(Maker::Ours, "svstat", &[dir]).stdout).trim_end().to_owned()
    }

    /// Whether svstat's line begins with these words after the name, or has them behind a comma.
    pub fn is(&self, dir: &str, words: &str) -> bool {
        let line = self.stat(dir);
        let Some(said) = line.strip_prefix(&format!("{dir}: ")) else { return false };
        said.split(", ").any(|part| part.starts_with(words))
    }

    #[track_caller]
    pub fn until_stat(&self, dir: &str, words: &str) {
        until(&format!("{dir} is {words:?}"), || self.is(dir, words));
    }

    /// Waits until a service runs its program, and returns its process. One that has not come so far ends if its supervisor is
    /// killed, and then runs nothing.
    #[track_caller]
    pub fn until_runs(&self, dir: &str) -> i32 {
        let command = || fs::read_to_string(format!("/proc/{}/comm", self.pid(dir))).unwrap_or_default();
        until(&format!("{dir} runs"), || self.is(dir, "up") && !["", "supervise\n"].contains(&&command()[..]));
        self.pid(dir)
    }

    /// The process of a service, 0 when there is none.
    pub fn pid(&self, dir: &str) -> i32 {
        let status = fs::read(self.path(dir).join("supervise/status")).unwrap_or_default();
        status.get(12..16).map_or(0, |bytes| i32::from_le_bytes(bytes.try_into().expect("four bytes")))
    }

    /// Whether a supervisor has `ok` open, asked without another program.
    pub fn is_supervised(&self, dir: &str) -> bool {
        let mut options = fs::OpenOptions::new();
        options.write(true).custom_flags(nix::libc::O_NONBLOCK);
        options.open(self.path(dir).join("supervise/ok")).is_ok()
    }

    /// All processes of the fixture: those with its mark, and those whose working directory is in it.
    pub fn processes(&self) -> Vec<Seen> {
        let mark = format!("{MARK}={}", self.work.path().display());
        let mut seen = Vec::new();
        for entry in fs::read_dir("/proc").expect("/proc is there").flatten() {
            let name = entry.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            let read = |file: &str| fs::read(entry.path().join(file)).unwrap_or_default();
            let is_marked = read("environ").split(|&byte| byte == 0).any(|entry| entry == mark.as_bytes());
            let is_inside = fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(self.work.path()));
            if !is_marked && !is_inside {
                continue;
            }
            let stat = String::from_utf8_lossy(&read("stat")).into_owned();
            let Some((_, fields)) = stat.rsplit_once(") ") else { continue };
            let mut fields = fields.split(' ');
            let state = fields.next().and_then(|state| state.chars().next()).unwrap_or('?');
            let parent = fields.next().and_then(|parent| parent.parse().ok()).unwrap_or(0);
            let command = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ").trim_end().to_owned();
            seen.push(Seen { pid, parent, state, command });
        }
        seen
    }

    /// The processes whose command is this.
    pub fn processes_of(&self, command: &str) -> Vec<i32> {
        let ends = |seen: &Seen| seen.command == command || seen.command.ends_with(&format!("/{command}"));
        self.processes().iter().filter(|seen| ends(seen)).map(|seen| seen.pid).collect()
    }
}

impl Drop for ServiceFixture {
    fn drop(&mut self) {
        let start = Instant::now();
        loop {
            let left = self.processes();
            for child in self.children.borrow_mut().iter_mut() {
                let _ = child.try_wait();
            }
            if left.iter().all(|seen| seen.state == 'Z') {
                break;
            }
            if start.elapsed() > DEADLINE {
                let _ = writeln!(std::io::stderr(), "left behind: {left:#?}");
                break;
            }
            for seen in left {
                kill_by_id(seen.pid);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        for mut child in self.children.borrow_mut().drain(..) {
            let _ = child.wait();
        }
    }
}

/// Kills one process.
pub fn kill_by_id(process: i32) {
    send(process, Signal::SIGKILL);
}

pub fn send(process: i32, signal: Signal) {
    assert!(process > 1, "never everybody");
    let _ = kill(Pid::from_raw(process), signal);
}

/// A line of svstat with the process and the seconds left out.
pub fn masked(line: &str) -> String {
    line.split(' ')
        .map(|word| {
            let digits = word.trim_end_matches(')');
            if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
                word.replace(digits, "N")
            } else {
                word.to_owned()
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// What a program printed and how it ended.
pub fn transcript(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}
