//! The loggers under test, and what they are asked in their own words.

use std::fs::{self, File, OpenOptions};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use testkit::peer;

/// A logger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Ours,
    /// daemontools 0.76.
    Multilog,
    S6Log,
    Svlogd,
}

/// A directory, as a case describes it.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub name: &'static str,
    /// A line of this class stays out.
    pub without: Option<char>,
}

impl Target {
    /// The classes of the lines that belong here.
    pub fn classes(self) -> &'static [u8] {
        match self.without {
            Some('b') => b"ac",
            Some('c') => b"ab",
            _ => b"abc",
        }
    }
}

/// What a logger is asked to do.
#[derive(Clone, Debug)]
pub struct Task {
    pub is_stamped: bool,
    pub size_bytes: u64,
    pub processor: Option<&'static str>,
    pub targets: Vec<Target>,
}

impl Subject {
    /// The program; `None`, with a notice, where it is not installed.
    pub fn program(self) -> Option<PathBuf> {
        match self {
            Subject::Ours => Some(env!("CARGO_BIN_EXE_multilog").into()),
            Subject::Multilog => peer("multilog"),
            Subject::S6Log => peer("s6-log"),
            Subject::Svlogd => peer("svlogd"),
        }
    }

    /// The arguments for a task, with whatever the logger needs to find in its directories.
    pub fn arguments(self, task: &Task, dir: &Path) -> Vec<String> {
        let stamp = |word: &str| task.is_stamped.then(|| word.to_owned());
        match self {
            Subject::Ours | Subject::Multilog => {
                let mut arguments: Vec<String> = stamp("t").into_iter().collect();
                arguments.extend([format!("s{}", task.size_bytes), "n100000000".into()]);
                arguments.extend(task.processor.map(|command| format!("!{command}")));
                let before = if task.is_stamped { "* " } else { "" };
                for target in &task.targets {
                    arguments.push("+*".into());
                    arguments.extend(target.without.map(|class| format!("-{before}{class}*")));
                    arguments.push(format!("./{}", target.name));
                }
                arguments
            }
            Subject::S6Log => {
                let mut arguments: Vec<String> =
                    ["-b", "-l", "0", "--", "n100000000"].iter().map(|&word| word.to_owned()).collect();
                arguments.push(format!("s{}", task.size_bytes));
                arguments.extend(task.processor.map(|command| format!("!{command}")));
                for target in &task.targets {
                    arguments.push("+".into());
                    arguments.extend(target.without.map(|class| format!("-^{class}")));
                    arguments.extend(stamp("t"));
                    arguments.push(format!("./{}", target.name));
                }
                arguments
            }
            Subject::Svlogd => {
                let mut arguments: Vec<String> = stamp("-t").into_iter().collect();
                for target in &task.targets {
                    let mut config = format!("s{}\nn100000000\n", task.size_bytes);
                    config.extend(target.without.map(|class| format!("-{class}*\n")));
                    config.extend(task.processor.map(|command| format!("!{command}\n")));
                    fs::create_dir_all(dir.join(target.name)).unwrap();
                    fs::write(dir.join(target.name).join("config"), config).unwrap();
                    arguments.push(format!("./{}", target.name));
                }
                arguments
            }
        }
    }
}

/// A logger that runs. Dropped, it is killed.
pub struct Logger {
    child: Child,
    program: PathBuf,
}

impl Logger {
    /// Starts a logger in `dir`; what it says goes to `dir/messages`.
    pub fn start(program: &Path, arguments: &[String], dir: &Path, stdin: Stdio) -> Logger {
        Logger::spawn(Command::new(program).args(arguments), dir, stdin)
    }

    /// Starts what has been prepared.
    pub fn spawn(command: &mut Command, dir: &Path, stdin: Stdio) -> Logger {
        let messages = OpenOptions::new().create(true).append(true).open(dir.join("messages")).unwrap();
        let program = command.get_program().into();
        let child = command.current_dir(dir).stdin(stdin).stdout(Stdio::null()).stderr(messages).spawn().unwrap();
        Logger { child, program }
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Kills it, and waits until it is gone.
    pub fn kill(mut self) -> ExitStatus {
        self.signal(Signal::SIGKILL);
        self.child.wait().unwrap()
    }

    /// Where this is strace: kills what it started, and then strace itself.
    pub fn kill_traced(&mut self) {
        let pid = self.pid();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end, at most so long.
    #[track_caller]
    pub fn wait(&mut self, most: Duration) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(start.elapsed() < most, "{} has not ended after {most:?}", self.program.display());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Tells it to end, and says how long that took. While the machine is so busy that a wait of some milliseconds lasts
    /// longer, nobody can be blamed for being late: of each wait no more than three times its length counts.
    #[track_caller]
    pub fn terminate(mut self, most: Duration) -> (ExitStatus, Duration) {
        const WAIT: Duration = Duration::from_millis(5);
        let start = Instant::now();
        self.signal(Signal::SIGTERM);
        let mut took = Duration::ZERO;
        loop {
            if let Some(status) = self.ended() {
                return (status, took);
            }
            assert!(start.elapsed() < most, "{} does not end", self.program.display());
            let before = Instant::now();
            std::thread::sleep(WAIT);
            took += before.elapsed().min(3 * WAIT);
        }
    }
}

impl Drop for Logger {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.kill_traced();
        }
    }
}

/// Tells whether a logger left in good order.
pub fn is_ok(status: ExitStatus) -> bool {
    status.code() == Some(0) && status.signal().is_none()
}

/// An end of nothing, for a logger that has no input.
pub fn nothing() -> Stdio {
    File::open("/dev/null").unwrap().into()
}
