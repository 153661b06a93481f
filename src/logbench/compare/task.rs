//! What the loggers are to do: the script, what of the input it keeps, and how much of that must be left at least.

use std::ffi::{CStr, CString};
use std::process::{Command, Stdio};

use memchr::memchr;

use crate::logbench::compare::stop::Stop;
use crate::multilog::script::{Action, Script};
use crate::tai64n::Label;

/// A stamp and the space behind it.
pub(super) const STAMP_BYTES: u64 = Label::TEXT_BYTES as u64 + 1;
/// A logger may finish a file this early, to end it with a line.
const SLACK_BYTES: u64 = 2000;

/// What each logger does with its input.
#[derive(Debug)]
pub(super) enum Task {
    /// It logs the lines to a directory.
    Log(LogTask),
    /// It writes them, changed, to standard output.
    Filter,
}

/// A multilog script with one directory.
#[derive(Debug)]
pub(super) struct LogTask {
    /// As it was given, for a shell.
    pub(super) text: String,
    /// The log directory, as the script names it.
    pub(super) directory: String,
    pub(super) stamps: bool,
    pub(super) size_max_bytes: u64,
    pub(super) files_max: u64,
    /// Whether it is only `t`, `s`, `n` and the directory, which every logger can be told.
    pub(super) is_plain: bool,
    script: Script,
}

impl LogTask {
    /// Reads a script as a shell and multilog would.
    pub(super) fn parse(text: &str) -> Result<LogTask, Stop> {
        let words = words(text)?;
        let script = Script::parse(&words);
        if let Some(ignored) = script.ignored.first() {
            return Err(Stop::Usage(format!("the script makes no sense: {ignored}")));
        }
        let [destination] = &script.directories[..] else {
            return Err(Stop::Usage("the script must name one log directory".to_owned()));
        };
        if destination.processor.as_ref().is_some_and(|processor| !processor.is_empty()) {
            return Err(Stop::Usage("what a processor leaves cannot be compared with the input".to_owned()));
        }
        let directory = destination.path.to_str().ok().filter(|path| path.starts_with("./")).map(str::to_owned);
        let directory = directory.ok_or_else(|| Stop::Usage("the log directory must begin with ./".to_owned()))?;
        Ok(LogTask {
            text: text.to_owned(),
            directory,
            stamps: script.stamps,
            size_max_bytes: destination.size_max_bytes,
            files_max: destination.files_max,
            is_plain: script.is_uniform() && destination.sync_interval.is_none(),
            script,
        })
    }

    /// The lines that the script selects for its directory.
    fn selects(&self, line: &[u8]) -> bool {
        let mut is_selected = true;
        for action in &self.script.actions {
            match action {
                Action::Select(selector) => is_selected = is_selected || selector.matches(line),
                Action::Deselect(selector) => is_selected = is_selected && !selector.matches(line),
                Action::Log(_) => break,
                Action::Alert | Action::Status(_) => {}
            }
        }
        is_selected
    }
}

/// What must come of an input.
#[derive(Debug)]
pub(super) struct Expected<'i> {
    /// The lines, in order, with their newlines.
    pub(super) lines: Vec<&'i [u8]>,
    /// The first of them that must not be missing.
    pub(super) first_kept: usize,
    /// What a logger writes, stamps included.
    pub(super) volume_bytes: u64,
}

impl Task {
    /// What must come of `input`, whose lines all end in a newline.
    pub(super) fn expected<'i>(&self, input: &'i [u8]) -> Expected<'i> {
        let mut lines = Vec::new();
        let mut rest = input;
        while let Some(newline) = memchr(b'\n', rest) {
            let (line, behind) = rest.split_at(newline + 1);
            rest = behind;
            if matches!(self, Task::Filter) || matches!(self, Task::Log(task) if task.selects(&line[..newline])) {
                lines.push(line);
            }
        }
        let Task::Log(task) = self else {
            return Expected { lines, first_kept: 0, volume_bytes: input.len() as u64 };
        };
        let stamp_bytes = if task.stamps { STAMP_BYTES } else { 0 };
        let bytes = |line: &&[u8]| line.len() as u64 + stamp_bytes;
        let volume_bytes = lines.iter().map(bytes).sum();
        let longest_bytes = lines.iter().map(bytes).max().unwrap_or(0);
        // Each archive is full but for the line that would not fit; current may have been begun just now.
        let archive_bytes = task.size_max_bytes.saturating_sub(SLACK_BYTES.max(longest_bytes));
        let mut room = archive_bytes.saturating_mul(task.files_max - 1);
        let mut first_kept = lines.len();
        while first_kept > 0 && room >= bytes(&lines[first_kept - 1]) {
            first_kept -= 1;
            room -= bytes(&lines[first_kept]);
        }
        Expected { lines, first_kept, volume_bytes }
    }
}

/// The words that a shell makes of a text. They live as long as the process, as a program's arguments do.
fn words(text: &str) -> Result<Vec<&'static CStr>, Stop> {
    let bad = || Stop::Usage(format!("the script makes no sense to a shell: {text}"));
    let answer = Command::new("/bin/sh")
        .args(["-c", &format!("printf '%s\\0' {text}")])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map_err(|_| bad())?;
    if !answer.status.success() {
        return Err(bad());
    }
    let words = answer.stdout.split_inclusive(|&byte| byte == 0);
    let word = |bytes: &[u8]| CString::from_vec_with_nul(bytes.to_vec()).map_err(|_| bad());
    words.map(|bytes| word(bytes).map(|word| &*Box::leak(word.into_boxed_c_str()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(script: &str) -> Task {
        Task::Log(LogTask::parse(script).unwrap())
    }

    #[test]
    fn a_script_is_read_as_a_shell_reads_it() {
        let task = LogTask::parse("t s5000 n3 '-* b*' ./main").unwrap();

        assert_eq!((task.stamps, task.size_max_bytes, task.files_max), (true, 5000, 3));
        assert!(!task.is_plain);
        assert!(task.selects(b"a") && !task.selects(b"a b"));
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        for script in ["t", "t ./a ./b", "t '!gzip' ./main", "t what ./main", "t /abroad", "t './main"] {
            assert!(matches!(LogTask::parse(script), Err(Stop::Usage(_))), "{script}");
        }
    }

    #[test]
    fn all_must_be_left_where_all_has_room_and_else_what_the_archives_hold() {
        let input = b"0123456789\n".repeat(10_000);

        assert_eq!(log("s1000000 n10 ./main").expected(&input).first_kept, 0);

        let expected = log("s6000 n3 ./main").expected(&input);

        assert_eq!(expected.lines.len() - expected.first_kept, 8000 / 11);
        assert_eq!(expected.volume_bytes, 110_000);
    }
}
