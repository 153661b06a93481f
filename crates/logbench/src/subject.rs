//! The programs that are compared: our own, the peers that are installed, the commands that the user gives, and the limit.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use memchr::memmem;

use crate::error::Error;
use crate::limit::Limit;
use crate::machine::package_version;
use crate::task::{Expected, LogTask, Task};
use logyard::sys::program::own_path;

/// The name of our own programs in the report.
const OURS: &str = "logyard";
/// A text that each of our programs contains, and no peer.
const MARK: &[u8] = b"logyard";
/// The names of the stand-ins.
const LIMIT: &str = "the limit";
const LIMIT_WITH_THREAD: &str = "limit, 2 threads";

/// A command line, and how its output is judged.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) name: String,
    /// For a shell, in a directory of its own.
    pub(crate) command: String,
    /// The contents of the log directory's `config`.
    pub(crate) config: Option<String>,
    /// Set for the stand-in, whose output is only measured.
    pub(crate) limit: Option<Limit>,
    /// The version of its package.
    pub(crate) version: Option<String>,
}

impl Subject {
    fn found(name: &str, program: &Path, arguments: &str) -> Subject {
        let version = if is_ours(program) { ours() } else { package_version(program) };
        let command = format!("exec {} {arguments}", quoted(program));
        Subject { name: name.to_owned(), command, config: None, limit: None, version }
    }

    /// Whether it is one of our own programs.
    pub(crate) fn is_ours(&self) -> bool {
        self.name == OURS
    }

    /// A command line, `name=command`.
    pub(crate) fn given(text: &str) -> Result<Subject, Error> {
        let (name, command) = text
            .split_once('=')
            .filter(|(name, command)| !name.is_empty() && !command.is_empty())
            .ok_or_else(|| Error::Usage(format!("{text} is not name=command")))?;
        let program = command.split_ascii_whitespace().next().unwrap_or_default();
        let program = if program.contains('/') { Some(PathBuf::from(program)) } else { on_path(program).next() };
        let version = program.and_then(|program| if is_ours(&program) { ours() } else { package_version(&program) });
        Ok(Subject { name: name.to_owned(), command: command.to_owned(), config: None, limit: None, version })
    }

    /// The stand-ins: for loggers one with a thread and one with two, for filters one.
    pub(crate) fn limits(task: &Task, expected: &Expected<'_>, input: &[u8]) -> Vec<Subject> {
        let limits = match task {
            Task::Log(task) => [(LIMIT, false), (LIMIT_WITH_THREAD, true)]
                .map(|(name, has_thread)| (name, Limit::of_loggers(task, expected, input, has_thread)))
                .to_vec(),
            Task::Filter => vec![(LIMIT, Limit::of_filters(expected, input))],
        };
        let Some(program) = own_path() else { return vec![] };
        let program = PathBuf::from(String::from_utf8_lossy(&program).into_owned());
        let subject = |(name, limit): (&str, Limit)| {
            let mut subject = Subject::found(name, &program, &format!("limit {}", limit.arguments()));
            subject.limit = Some(limit);
            subject
        };
        limits.into_iter().map(subject).collect()
    }
}

/// Our multilog and its peers, each with the script in its own language. A program that is not installed is left out.
pub(crate) fn loggers(task: &LogTask) -> Vec<Subject> {
    let mut subjects = Vec::new();
    subjects.extend(our("multilog").map(|program| Subject::found(OURS, &program, &task.text)));
    subjects.extend(peer("multilog").map(|program| Subject::found("daemontools", &program, &task.text)));
    if !task.is_plain {
        return subjects;
    }
    let LogTask { directory, size_max_bytes, files_max, .. } = task;
    let directory = quoted(Path::new(directory));
    let stamp = if task.stamps { "t " } else { "" };
    let s6 = format!("n{files_max} s{size_max_bytes} {stamp}{directory}");
    subjects.extend(peer("s6-log").map(|program| Subject::found("s6-log", &program, &s6)));
    let svlogd = format!("{}{directory}", if task.stamps { "-t " } else { "" });
    subjects.extend(peer("svlogd").map(|program| {
        let config = Some(format!("s{size_max_bytes}\nn{files_max}\n"));
        Subject { config, ..Subject::found("svlogd", &program, &svlogd) }
    }));
    subjects
}

/// A filter of ours and its peer.
pub(crate) fn filters(name: &str) -> Vec<Subject> {
    let ours = our(name).map(|program| Subject::found(OURS, &program, ""));
    let peer = peer(name).map(|program| Subject::found("daemontools", &program, ""));
    ours.into_iter().chain(peer).collect()
}

/// Our own program: beside this one, or else where a shell finds it.
pub(crate) fn our(name: &str) -> Option<PathBuf> {
    let own = PathBuf::from(String::from_utf8(own_path()?).ok()?);
    let beside = own.parent()?.join(name);
    if is_program(&beside) { Some(beside) } else { on_path(name).find(|path| is_ours(path)) }
}

/// A program of that name that is not ours.
pub(crate) fn peer(name: &str) -> Option<PathBuf> {
    on_path(name).find(|path| !is_ours(path))
}

fn on_path(name: &str) -> impl Iterator<Item = PathBuf> + use<> {
    let name = name.to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    directories.into_iter().map(move |directory| directory.join(&name)).filter(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

fn is_ours(program: &Path) -> bool {
    std::fs::read(program).is_ok_and(|bytes| memmem::find(&bytes, MARK).is_some())
}

#[expect(clippy::unnecessary_wraps, reason = "a package's version may be unknown, ours is not")]
fn ours() -> Option<String> {
    Some(env!("CARGO_PKG_VERSION").to_owned())
}

/// A word for a shell.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte)) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_command_has_a_name() {
        let subject = Subject::given("mine=multilog t ./main =status").unwrap();

        assert_eq!((&subject.name[..], &subject.command[..]), ("mine", "multilog t ./main =status"));
        for text in ["multilog", "=multilog", "mine="] {
            assert!(matches!(Subject::given(text), Err(Error::Usage(_))), "{text}");
        }
    }

    #[test]
    fn a_path_with_strange_characters_is_one_word() {
        assert_eq!(quoted(Path::new("/usr/bin/s6-log")), "/usr/bin/s6-log");
        assert_eq!(quoted(Path::new("it's here")), "'it'\\''s here'");
    }
}
