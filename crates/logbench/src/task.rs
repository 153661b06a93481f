//! The task of the loggers: the script, the lines that it selects from the input, and how many of these the log must hold.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::process::{Command, Stdio};

use crate::error::Error;
use logyard::multilog::script::automaton::COMPILER;
use logyard::multilog::script::expression::use_compiler;
use logyard::multilog::script::matcher::Matcher;
use logyard::multilog::script::pattern::Pattern;
use logyard::multilog::script::{Action, Script};
use logyard::tai64n::{Label, Stamp, StampForm};

/// A stamp and the space behind it.
pub(crate) const STAMP_BYTES: u64 = Label::TEXT_BYTES as u64 + 1;
/// A logger may finish a file this early, to end it with a line.
const SLACK_BYTES: u64 = 2000;

/// What each logger does with its input.
#[derive(Debug)]
pub(crate) enum Task {
    /// It logs the lines to a directory.
    Log(Box<LogTask>),
    /// It writes them, changed, to standard output.
    Filter,
}

/// A multilog script with one directory.
#[derive(Debug)]
pub(crate) struct LogTask {
    /// As it was given, for a shell.
    pub(crate) text: String,
    /// The log directory, as the script names it.
    pub(crate) directory: String,
    pub(crate) stamps: bool,
    pub(crate) size_max_bytes: u64,
    pub(crate) files_max: u64,
    /// Whether it is only `t`, `s`, `n` and the directory, which every logger understands.
    pub(crate) is_plain: bool,
    script: Script,
}

impl LogTask {
    /// Reads a script as a shell and multilog would.
    pub(crate) fn parse(text: &str) -> Result<LogTask, Error> {
        let words = words(text)?;
        use_compiler(COMPILER);
        let script = Script::parse(&words);
        if let Some(ignored) = script.ignored.first() {
            return Err(Error::Usage(format!("the script makes no sense: {ignored}")));
        }
        let [destination] = &script.directories[..] else {
            return Err(Error::Usage("the script must name one log directory".to_owned()));
        };
        if destination.processor.as_ref().is_some_and(|processor| !processor.is_empty()) {
            return Err(Error::Usage("what a processor leaves cannot be compared with the input".to_owned()));
        }
        let stamps = match script.head.stamp {
            _ if !script.head.prefix.is_empty() => None,
            None => Some(false),
            Some(StampForm::Label) => Some(true),
            Some(_) => None,
        };
        let stamps = stamps.ok_or_else(|| Error::Usage("only timestamps of the action t can be checked".to_owned()))?;
        let directory = destination.path.to_str().ok().filter(|path| path.starts_with("./")).map(str::to_owned);
        let directory = directory.ok_or_else(|| Error::Usage("the log directory must begin with ./".to_owned()))?;
        Ok(LogTask {
            text: text.to_owned(),
            directory,
            stamps,
            size_max_bytes: destination.size_max_bytes,
            files_max: destination.limits.files_max,
            is_plain: script.is_uniform() && destination.sync_interval.is_none(),
            script,
        })
    }

    /// Samples of stamps: of each digit, and of several digits. A script whose selectors match certain digits in a row may be
    /// taken for one that does not depend on the stamp.
    fn sample_stamps(&self) -> Vec<Vec<u8>> {
        if !self.stamps {
            return vec![Vec::new()];
        }
        let now = Stamp::from(Label::now()).as_bytes().to_vec();
        // During a run the first digits do not change.
        let with_digits = |digits: &[u8]| {
            let mut stamp = now.clone();
            stamp[12..Label::TEXT_BYTES].copy_from_slice(digits);
            stamp
        };
        let mixed = [b"0123456789abc", b"3456789abcdef", b"fedcba9876543"].map(|digits| with_digits(digits));
        let alike = b"0123456789abcdef".map(|digit| with_digits(&[digit; 13]));
        let selectors = || {
            self.script.actions.iter().filter_map(|action| match action {
                Action::Select(Pattern::Star(selector)) | Action::Deselect(Pattern::Star(selector)) => Some(selector),
                _ => None,
            })
        };
        let mut known = BTreeSet::new();
        let stamps = [now].into_iter().chain(mixed).chain(alike);
        stamps.filter(|stamp| known.insert(selectors().map(|one| one.start(stamp)).collect::<Vec<_>>())).collect()
    }

    /// Of each line whether the script selects it for its directory; `None` if that depends on the stamp.
    fn selected(&self, lines: &[&[u8]]) -> Vec<Option<bool>> {
        let mut matcher = Matcher::new(&self.script);
        let mut selected = Vec::new();
        for stamp in self.sample_stamps() {
            matcher.begin(&stamp);
            let verdicts = lines.iter().map(|line| {
                let verdict = matcher.match_line(line);
                Some(!matcher.verdict(verdict).directories.is_empty())
            });
            let verdicts: Vec<_> = verdicts.collect();
            if selected.is_empty() {
                selected = verdicts;
            } else {
                let others = selected.iter_mut().zip(verdicts).filter(|(known, verdict)| *known != verdict);
                others.for_each(|(known, _)| *known = None);
            }
        }
        selected
    }
}

/// The log that is expected for an input.
#[derive(Debug)]
pub(crate) struct Expected<'i> {
    /// The lines, in order, with their newlines.
    pub(crate) lines: Vec<&'i [u8]>,
    /// The numbers of the lines that may be missing, because it depends on their stamps whether they are selected.
    pub(crate) optional: BTreeSet<usize>,
    /// The number of the first line that must not be missing.
    pub(crate) first_kept: usize,
    /// The volume that a logger writes, stamps included.
    pub(crate) volume_bytes: u64,
}

impl Task {
    /// The log that is expected for `input`, whose lines all end in a newline.
    pub(crate) fn expected<'i>(&self, input: &'i [u8]) -> Expected<'i> {
        let all: Vec<&[u8]> = input.split_inclusive(|&byte| byte == b'\n').collect();
        let mut optional = BTreeSet::new();
        let Task::Log(task) = self else {
            return Expected { lines: all, optional, first_kept: 0, volume_bytes: input.len() as u64 };
        };
        let lines = if task.script.is_uniform() {
            all
        } else {
            let bare: Vec<&[u8]> = all.iter().map(|line| line.strip_suffix(b"\n").unwrap_or(line)).collect();
            let mut lines = Vec::new();
            for (line, is_selected) in all.into_iter().zip(task.selected(&bare)).filter(|(_, one)| *one != Some(false))
            {
                if is_selected.is_none() {
                    optional.insert(lines.len());
                }
                lines.push(line);
            }
            lines
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
        Expected { lines, optional, first_kept, volume_bytes }
    }
}

/// The words that a shell makes of a text. They live as long as the process, as a program's arguments do.
fn words(text: &str) -> Result<Vec<&'static CStr>, Error> {
    let bad = || Error::Usage(format!("the script makes no sense to a shell: {text}"));
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
        Task::Log(Box::new(LogTask::parse(script).unwrap()))
    }

    #[test]
    fn a_script_is_read_as_a_shell_reads_it() {
        let task = LogTask::parse("t s5000 n3 '-* b*' ./main").unwrap();

        assert_eq!((task.stamps, task.size_max_bytes, task.files_max), (true, 5000, 3));
        assert!(!task.is_plain);
    }

    #[test]
    fn a_line_that_its_stamp_may_deselect_may_be_missing() {
        let input = b"a fog\na bog\na dog\n";

        let expected = log("t '-*z*' '-@* a bog' '-*dog' ./main").expected(input);
        assert_eq!(expected.lines, [b"a fog\n", b"a dog\n"], "the d of the stamp comes first, if there is one");
        assert_eq!(expected.optional, BTreeSet::from([1]));

        let expected = log("'-* bog' '-*dog' ./main").expected(input);
        assert_eq!((expected.lines, expected.optional), (vec![&b"a fog\n"[..]], BTreeSet::new()));
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        for script in [
            "t",
            "t ./a ./b",
            "t '!gzip' ./main",
            "T@utc ./main",
            "p=a ./main",
            "t what ./main",
            "t /abroad",
            "t './main",
        ] {
            assert!(matches!(LogTask::parse(script), Err(Error::Usage(_))), "{script}");
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
