//! The last line in a log directory.

use logyard::logdir::archive_name::is_archive_name;
use logyard::logdir::names::{CURRENT, PREVIOUS};
use logyard::sys::Result;
use logyard::sys::dir::Dir;
use logyard::sys::file::File;
use logyard::sys::stat::{FileId, Stat};
use logyard::tai64n::Label;
use memchr::memrchr;

use crate::text::shown;

/// How much of the end of a file is read. Of a longer line, the end is shown.
const END_BYTES: usize = 4096;

/// The last line of a log, as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct LastLine {
    /// The line, without its stamp and made visible.
    pub(crate) text: String,
    /// The file that was read, and its length then.
    seen: Option<(FileId, u64)>,
}

impl LastLine {
    /// Reads the last line again if there may be another. `current` is the file of that name.
    pub(crate) fn look(&mut self, dir: &Dir, current: Result<Option<Stat>>) {
        if current.ok().flatten().is_some_and(|stat| self.seen == Some((stat.identity, stat.size_bytes))) {
            return;
        }
        let Ok(file) = dir.open_to_read(CURRENT.as_bytes()).and_then(File::if_plain) else { return };
        let Ok(stat) = file.stat() else { return };
        let is_first = self.seen.is_none();
        if self.seen.replace((stat.identity, stat.size_bytes)) == Some((stat.identity, stat.size_bytes)) {
            return;
        }
        if let Some(text) = last_line(&file) {
            self.text = text;
        } else if is_first {
            self.text = before_current(dir).unwrap_or_default();
        }
    }
}

/// The last line of the file before `current`, if that can be read as it is.
fn before_current(dir: &Dir) -> Option<String> {
    let newest = |dir: &Dir| {
        let names = dir.names().ok()?.into_iter().map(|(name, _)| name);
        names.filter(|name| is_archive_name(name)).max()
    };
    let open = |name: &[u8]| dir.open_to_read(name).and_then(File::if_plain).ok();
    let file = open(PREVIOUS.as_bytes()).or_else(|| open(&newest(dir)?))?;
    // A processor may have compressed it.
    let mut first = [0; 4];
    let length = file.read_at(0, &mut first).ok()?;
    let is_text = first[..length].iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\n'));
    if is_text { last_line(&file) } else { None }
}

/// The last line that ends in a newline; if no line does, the beginning of the first.
fn last_line(file: &File) -> Option<String> {
    let end = end_of(file).ok()?;
    let whole = memrchr(b'\n', &end).map_or(&end[..], |newline| &end[..newline]);
    let line = memrchr(b'\n', whole).map_or(whole, |newline| &whole[newline + 1..]);
    (!end.is_empty()).then(|| shown(without_stamp(line)))
}

fn end_of(file: &File) -> Result<Vec<u8>> {
    let size = file.stat()?.size_bytes;
    let mut room = vec![0; END_BYTES];
    let length = file.read_at(size.saturating_sub(END_BYTES as u64), &mut room)?;
    room.truncate(length);
    Ok(room)
}

fn without_stamp(line: &[u8]) -> &[u8] {
    match line.split_at_checked(Label::TEXT_BYTES) {
        Some((label, rest)) if Label::parse(label).is_ok() => rest.strip_prefix(b" ").unwrap_or(rest),
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::Workdir;

    fn look(last: &mut LastLine, dir: &Workdir) -> String {
        let dir = Dir::reach(dir.path()).unwrap();
        last.look(&dir, dir.stat(b"current"));
        last.text.clone()
    }

    #[test]
    fn the_last_whole_line_is_shown_without_its_stamp() {
        let dir = Workdir::new();
        let mut last = LastLine::default();
        for (text, line) in [
            ("", ""),
            ("beginning", "beginning"),
            ("one\n", "one"),
            ("one\n@400000006b0ccb4739873a5b two \u{1b}[1m\n", "two \\x1b[1m"),
            ("one\n@400000006b0ccb4739873a5b \nthr", ""),
            ("one\ntwo\n\n", ""),
        ] {
            std::fs::write(dir.join("current"), text).unwrap();
            assert_eq!(look(&mut last, &dir), line, "{text:?}");
        }
        std::fs::write(dir.join("current"), format!("one\n{}z\n", "x".repeat(9000))).unwrap();
        assert!(look(&mut last, &dir).ends_with("xz"));
    }

    #[test]
    fn the_line_stays_when_current_is_empty_after_a_rotation() {
        let dir = Workdir::new();
        let mut last = LastLine::default();
        std::fs::write(dir.join("current"), "one\n").unwrap();
        assert_eq!(look(&mut last, &dir), "one");
        std::fs::rename(dir.join("current"), dir.join("@400000006b0ccb4739873a5b.s")).unwrap();
        std::fs::write(dir.join("current"), "").unwrap();
        assert_eq!(look(&mut last, &dir), "one");
        assert_eq!(look(&mut LastLine::default(), &dir), "one");
        std::fs::write(dir.join("@400000006b0ccb4739873a5b.s"), b"\x28\xb5\x2f\xfd\n").unwrap();
        assert_eq!(look(&mut LastLine::default(), &dir), "");
    }

    #[test]
    fn what_is_planted_as_current_is_not_read() {
        let dir = Workdir::new();
        std::os::unix::fs::symlink("/etc/passwd", dir.join("current")).unwrap();
        assert_eq!(look(&mut LastLine::default(), &dir), "");
        std::fs::remove_file(dir.join("current")).unwrap();
        nix::unistd::mkfifo(&dir.join("current"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(look(&mut LastLine::default(), &dir), "");
    }
}
