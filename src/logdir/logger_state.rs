//! The state of a logger: what it waits for and since when, and how much it has logged. Other programs read it.
//!
//! The state is the last 1024 bytes of the file `journal`. The logger stores it in the mapped file, so that neither a full
//! disk nor a hanging processor keeps it from saying so. A number without a note is little-endian.
//!
//! ```text
//! 0    "LOGSTAT" and the version, 1
//! 8    checksum of bytes 16 to 47
//! 16   lines that were logged      24  bytes of the input that were logged
//! 32   when the last of them came: a TAI64N label in binary; zeros before the first      44  zeros
//! 48   checksum of bytes 56 to the end of the text
//! 56   process number of the logger     60  error number of the step that failed; 0 if none is known
//! 64   when the process was started, as field 22 of /proc/PID/stat
//! 72   since when the logger does what it does: a TAI64N label in binary
//! 84   what it does: a letter     85  zeros      88  length of the text, at most 932      92  the text
//! ```
//!
//! A checksum that does not match means that the logger is storing at this moment, was killed while it stored, or that the
//! bytes are not a state. A reader tries again a few times.

use crate::logdir::checksum::hash;
use crate::logdir::memory::Memory;
use crate::sys::process::pid::Pid;
use crate::tai64n::Label;

/// How much of the end of a journal's file is the state.
pub const STATE_BYTES: usize = 1024;

/// What a state of this version begins with.
const MAGIC: &[u8; 8] = b"LOGSTAT\x01";
const COUNTS_CHECKSUM: usize = 8;
const COUNTS: usize = 16;
const COUNTS_END: usize = 48;
const TASK_CHECKSUM: usize = COUNTS_END;
const TASK: usize = 56;
const TEXT: usize = 92;
/// How long the text can be.
const TEXT_BYTES_MAX: usize = STATE_BYTES - TEXT;

/// What a logger has logged since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Newlines in the input.
    pub lines: u64,
    /// Bytes of the input.
    pub bytes: u64,
    /// When the last of them came.
    pub last_came: Option<Label>,
}

/// What a logger does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Logs, or waits for input.
    Logging,
    /// Waits before it tries a step again that failed.
    Retrying,
    /// Waits until the file before `current` is on the disk, as `current` is full.
    Finishing,
    /// Waits for the processor, as `current` is full.
    Processing,
    /// Waits for the reader of its standard output.
    Printing,
    /// Has been told to exit, or its input has ended.
    Exiting,
}

/// Each activity and its letter in the file.
const LETTERS: [(Activity, u8); 6] = [
    (Activity::Logging, b'l'),
    (Activity::Retrying, b'r'),
    (Activity::Finishing, b'f'),
    (Activity::Processing, b'p'),
    (Activity::Printing, b'o'),
    (Activity::Exiting, b'x'),
];

/// What a logger does, with what there is to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// What it does.
    pub activity: Activity,
    /// The error number of the step that failed; 0 if none is known.
    pub errno: i32,
    /// The directory, or the sentence that says what failed. The reader makes it visible.
    pub text: Vec<u8>,
}

impl Task {
    /// A task without more to say.
    #[must_use]
    pub fn new(activity: Activity, text: &str) -> Task {
        Task { activity, errno: 0, text: text.into() }
    }
}

/// The state of a logger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggerState {
    /// The logger.
    pub process: Pid,
    /// When its process was started, in the kernel's ticks since the system came up; 0 where that is not known.
    pub start_time: u64,
    /// What it does.
    pub task: Task,
    /// Since when.
    pub since: Label,
    /// What it has logged.
    pub counts: Counts,
}

impl LoggerState {
    /// Stores all of the state. `at` is where it begins in the memory.
    pub fn store(&self, memory: &mut impl Memory, at: usize) {
        memory.store(at, MAGIC);
        self.store_counts(memory, at);
        self.store_task(memory, at);
    }

    /// Stores the counts: in one piece, as this comes with each batch.
    pub fn store_counts(&self, memory: &mut impl Memory, at: usize) {
        let mut bytes = [0; COUNTS_END - COUNTS_CHECKSUM];
        let counts = &mut bytes[COUNTS - COUNTS_CHECKSUM..];
        counts[..8].copy_from_slice(&self.counts.lines.to_le_bytes());
        counts[8..16].copy_from_slice(&self.counts.bytes.to_le_bytes());
        if let Some(label) = self.counts.last_came {
            counts[16..28].copy_from_slice(&label.to_bytes());
        }
        let checksum = hash([&counts[..]]);
        bytes[..8].copy_from_slice(&checksum.to_le_bytes());
        memory.store(at + COUNTS_CHECKSUM, &bytes);
    }

    /// Stores what the logger does.
    pub fn store_task(&self, memory: &mut impl Memory, at: usize) {
        let text = &self.task.text[..self.task.text.len().min(TEXT_BYTES_MAX)];
        let (_, letter) = LETTERS.iter().find(|(known, _)| *known == self.task.activity).expect("each is listed");
        let mut bytes = vec![0; 8];
        bytes.extend(self.process.number().to_le_bytes());
        bytes.extend(self.task.errno.to_le_bytes());
        bytes.extend(self.start_time.to_le_bytes());
        bytes.extend(self.since.to_bytes());
        bytes.extend([*letter, 0, 0, 0]);
        bytes.extend(u32::try_from(text.len()).expect("a short text").to_le_bytes());
        bytes.extend(text);
        let checksum = hash([&bytes[8..]]);
        bytes[..8].copy_from_slice(&checksum.to_le_bytes());
        memory.store(at + TASK_CHECKSUM, &bytes);
    }

    /// Reads a state, which may be anything; `None` if it is none. What follows the text may be missing.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<LoggerState> {
        if bytes.len() > STATE_BYTES || !bytes.starts_with(MAGIC) || bytes.len() < TEXT {
            return None;
        }
        let length = usize::try_from(number(bytes, TEXT - 4)).ok().filter(|&length| length <= bytes.len() - TEXT)?;
        let is_whole = |checksum: usize, end: usize| wide(bytes, checksum) == hash([&bytes[checksum + 8..end]]);
        if !is_whole(COUNTS_CHECKSUM, COUNTS_END) || !is_whole(TASK_CHECKSUM, TEXT + length) {
            return None;
        }
        let (activity, _) = LETTERS.iter().find(|(_, letter)| *letter == bytes[84])?;
        let last_came = match label(bytes, 32)? {
            none if none.to_bytes() == [0; 12] => None,
            label => Some(label),
        };
        Some(LoggerState {
            process: Pid::new(number(bytes, TASK).cast_signed()),
            start_time: wide(bytes, 64),
            task: Task {
                activity: *activity,
                errno: number(bytes, 60).cast_signed(),
                text: bytes[TEXT..][..length].into(),
            },
            since: label(bytes, 72)?,
            counts: Counts { lines: wide(bytes, COUNTS), bytes: wide(bytes, 24), last_came },
        })
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().expect("within the state"))
}

fn wide(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*bytes[at..].first_chunk().expect("within the state"))
}

fn label(bytes: &[u8], at: usize) -> Option<Label> {
    Label::from_bytes(*bytes[at..].first_chunk().expect("within the state")).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn state(activity: Activity, text: &[u8]) -> LoggerState {
        LoggerState {
            process: Pid::new(4711),
            start_time: 123_456,
            task: Task { activity, errno: 28, text: text.into() },
            since: Label::now(),
            counts: Counts { lines: 7, bytes: 99, last_came: None },
        }
    }

    fn stored(state: &LoggerState) -> Vec<u8> {
        let mut room = vec![0; STATE_BYTES];
        state.store(&mut room, 0);
        room
    }

    #[test]
    fn every_state_is_read_back() {
        for (activity, _) in LETTERS {
            for text in [&b""[..], b"unable to write to ./main/current: out of disk space", &[0xff; TEXT_BYTES_MAX]] {
                let mut state = state(activity, text);
                assert_eq!(LoggerState::read(&stored(&state)), Some(state.clone()));
                state.counts.last_came = Some(Label::now());
                assert_eq!(LoggerState::read(&stored(&state)), Some(state));
            }
        }
    }

    #[test]
    fn a_text_that_is_too_long_is_cut() {
        let state = state(Activity::Retrying, &[b'x'; 5000]);

        let read = LoggerState::read(&stored(&state)).expect("it is a state");

        assert_eq!(read.task.text, [b'x'; TEXT_BYTES_MAX]);
    }

    #[test]
    fn a_shorter_text_replaces_a_longer_one() {
        let mut room = stored(&state(Activity::Retrying, b"a long sentence"));
        let next = state(Activity::Logging, b"");
        next.store_task(&mut room, 0);

        assert_eq!(LoggerState::read(&room), Some(next));
    }

    #[test]
    fn a_state_is_read_without_what_follows_its_text() {
        let state = state(Activity::Retrying, b"disk");
        let bytes = stored(&state);

        assert_eq!(LoggerState::read(&bytes[..TEXT + 4]), Some(state));
        for length in 0..TEXT + 4 {
            assert_eq!(LoggerState::read(&bytes[..length]), None, "{length}");
        }
    }

    #[test]
    fn a_state_of_another_version_is_none() {
        let mut bytes = stored(&state(Activity::Logging, b""));
        bytes[7] = 2;

        assert_eq!(LoggerState::read(&bytes), None);
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_noticed(at in 0..TEXT + 4, change in 1..=u8::MAX) {
            let mut bytes = stored(&state(Activity::Retrying, b"disk"));
            bytes[at] ^= change;

            prop_assert_eq!(LoggerState::read(&bytes), None);
        }

        #[test]
        fn any_bytes_can_be_read(mut bytes in proptest::collection::vec(any::<u8>(), 0..STATE_BYTES + 9), forges in any::<bool>()) {
            if forges && bytes.len() > 8 {
                bytes[..8].copy_from_slice(MAGIC);
            }
            let _ = LoggerState::read(&bytes);
        }
    }
}
