//! The loggers under test, ours and the peers, and one task in the words of each.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testkit::logger::{Multilog, Running};
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
            Subject::Ours => Some(Multilog::Ours.path()),
            Subject::Multilog => peer("multilog"),
            Subject::S6Log => peer("s6-log"),
            Subject::Svlogd => peer("svlogd"),
        }
    }

    /// Starts the logger in `dir` with some arguments; what it says goes to `dir/messages`.
    #[track_caller]
    pub fn start(self, arguments: &[impl AsRef<OsStr>], dir: &Path, stdin: impl Into<Stdio>) -> Running {
        let program = self.program().expect("only loggers that are installed are started");
        Running::start_in(Command::new(program).args(arguments), dir, stdin)
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
