//! The command line.

use std::ffi::CStr;
use std::thread;

use crate::pack::Settings;
use logyard::cli::Options;
use logyard::sys::program::Arguments;

/// How the program is called.
pub(crate) const USAGE: &str =
    "logpack [-p] [-c level] [-s size] [-t threads] | logpack -d [-p] [file ...] | logpack -l [file ...]";

const LETTERS: &[u8] = b"c:dlps:t:";

/// The largest frame: a reader unpacks one as a whole.
const FRAME_BYTES_MAX: usize = 1 << 30;
const FRAME_BYTES_MIN: usize = 4096;
const THREADS_MAX: usize = 256;

/// Settings that are not given. Measured: 256 KiB cost 2 % more room than one frame for all, and unpack in a quarter of a
/// millisecond.
const LEVEL: i32 = 1;
const FRAME_BYTES: usize = 256 << 10;
/// More are of no use to a processor: the logger does not fill files faster.
const THREADS_BY_DEFAULT_MAX: usize = 2;

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Task {
    /// Compress the input.
    Pack(Settings),
    /// Unpack files.
    Unpack,
    /// Show the frames of files.
    List,
}

/// A command line.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) task: Task,
    pub(crate) files: &'a [&'static CStr],
    pub(crate) keeps_priority: bool,
}

/// Reads the command line; `Err` has what is wrong with it.
pub(crate) fn parse(arguments: &Arguments) -> Result<Request<'_>, String> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let mut settings =
        Settings { level: LEVEL, frame_bytes: FRAME_BYTES, threads: processors.min(THREADS_BY_DEFAULT_MAX) };
    let (mut unpacks, mut lists, mut keeps_priority) = (false, false, false);
    let mut options = Options::without_words(arguments, LETTERS);
    for option in options.by_ref() {
        let given = option.map_err(|error| error.to_string())?;
        let bad = || format!("logpack: bad value for -{}: {}", char::from(given.letter), given.value.escape_ascii());
        match given.letter {
            b'c' => settings.level = level(given.value).ok_or_else(bad)?,
            b's' => settings.frame_bytes = size(given.value).ok_or_else(bad)?,
            b't' => settings.threads = number(given.value).filter(|n| (1..=THREADS_MAX).contains(n)).ok_or_else(bad)?,
            b'd' => unpacks = true,
            b'l' => lists = true,
            _ => keeps_priority = true,
        }
    }
    let files = options.rest();
    let task = match (unpacks, lists) {
        (false, false) if files.is_empty() => Task::Pack(settings),
        (true, false) => Task::Unpack,
        (false, true) => Task::List,
        (true, true) => return Err("logpack: -d and -l exclude each other".to_owned()),
        (false, false) => return Err("logpack: only -d and -l read files; to compress one, use < and >".to_owned()),
    };
    Ok(Request { task, files, keeps_priority })
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn level(text: &[u8]) -> Option<i32> {
    number(text).filter(|level| *level != 0 && zstd::compression_level_range().contains(level))
}

/// A number of bytes, which may end in k, M or G.
fn size(text: &[u8]) -> Option<usize> {
    let (digits, shift) = match text.split_last()? {
        (b'k' | b'K', digits) => (digits, 10),
        (b'M', digits) => (digits, 20),
        (b'G', digits) => (digits, 30),
        _ => (text, 0),
    };
    let bytes = number::<usize>(digits)?.checked_mul(1 << shift)?;
    (FRAME_BYTES_MIN..=FRAME_BYTES_MAX).contains(&bytes).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked() {
        for (text, bytes) in
            [("4096", Some(4096)), ("256k", Some(256 << 10)), ("1M", Some(1 << 20)), ("1G", Some(1 << 30))]
        {
            assert_eq!(size(text.as_bytes()), bytes, "{text}");
        }
        for text in ["", "k", "-1", "4095", "2G", "1T", "99999999999999999999G", "4096 "] {
            assert_eq!(size(text.as_bytes()), None, "{text}");
        }
        assert_eq!([level(b"1"), level(b"19"), level(b"-5")], [Some(1), Some(19), Some(-5)]);
        assert_eq!([level(b"0"), level(b"23"), level(b"x"), level(b"")], [None; 4]);
    }

    #[test]
    fn wrong_usage_is_explained() {
        let problem = |arguments: &Arguments| parse(arguments).err().unwrap_or_default();

        assert_eq!(problem(&[c"logpack", c"-z"]), "logpack: illegal option -- z");
        assert_eq!(problem(&[c"logpack", c"--level=9"]), "logpack: illegal option --level=9");
        assert_eq!(problem(&[c"logpack", c"-c", c"--fast"]), "logpack: bad value for -c: --fast");
        assert_eq!(problem(&[c"logpack", c"-p", c"-c", c"3", c"--fast"]), "logpack: illegal option --fast");
        assert_eq!(problem(&[c"logpack", c"-d", c"--", c"--file"]), "");
        assert_eq!(problem(&[c"logpack", c"-d", c"file", c"--file"]), "", "options end before the first file");
        assert_eq!(problem(&[]), "");
        assert_eq!(problem(&[c"logpack", c"-s", c"1"]), "logpack: bad value for -s: 1");
        assert_eq!(problem(&[c"logpack", c"-t0"]), "logpack: bad value for -t: 0");
        assert_eq!(problem(&[c"logpack", c"-d", c"-l"]), "logpack: -d and -l exclude each other");
        assert!(problem(&[c"logpack", c"file"]).contains("use < and >"));
        assert_eq!(problem(&[c"logpack", c"-p", c"-c3", c"-s1M", c"-t4"]), "");
    }
}
