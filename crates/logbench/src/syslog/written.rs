//! Which messages are in the log.

use std::path::Path;

use memchr::memmem;

/// How often each message of each sender was found.
#[derive(Debug)]
pub(crate) struct Written {
    counts: Vec<Vec<u8>>,
}

impl Written {
    /// Reads every log file in and below a directory.
    pub(crate) fn read(directory: &Path, sent: &[u32]) -> Written {
        let mut written = Written { counts: sent.iter().map(|&count| vec![0; count as usize]).collect() };
        for file in files(directory) {
            written.add(&std::fs::read(file).unwrap_or_default());
        }
        written
    }

    fn add(&mut self, log: &[u8]) {
        const FRONT: &[u8] = b"sender[";
        const MIDDLE: &[u8] = b"]: message ";
        for at in memmem::find_iter(log, FRONT) {
            let rest = &log[at + FRONT.len()..];
            let Some((sender, rest)) = number(rest) else { continue };
            let Some((message, rest)) = rest.strip_prefix(MIDDLE).and_then(number) else { continue };
            // A message whose end is missing is torn, and does not count.
            let is_whole = rest.starts_with(b" from a program that logs a line of some length\n");
            let place = self.counts.get_mut(sender).and_then(|counts| counts.get_mut(message));
            if let Some(count) = place.filter(|_| is_whole) {
                *count = count.saturating_add(1);
            }
        }
    }

    /// How many messages were written.
    pub(crate) fn messages(&self) -> u64 {
        self.counts.iter().flatten().filter(|&&count| count > 0).count() as u64
    }

    /// How many were written more than once.
    pub(crate) fn doubled(&self) -> u64 {
        self.counts.iter().flatten().filter(|&&count| count > 1).count() as u64
    }
}

fn number(text: &[u8]) -> Option<(usize, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    Some((std::str::from_utf8(&text[..digits]).ok()?.parse().ok()?, &text[digits..]))
}

/// How many bytes the log files have.
pub(crate) fn bytes(directory: &Path) -> u64 {
    files(directory).into_iter().filter_map(|file| Some(file.metadata().ok()?.len())).sum()
}

/// The log files: those of log directories, and `messages`.
fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy();
        match entry.file_type() {
            // The dev of busybox leads to the directory itself.
            Ok(kind) if kind.is_dir() && name != "dev" && name != "supervise" => found.extend(files(&path)),
            Ok(kind) if kind.is_file() && (name == "current" || name == "messages" || name.starts_with('@')) => {
                found.push(path);
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_once_if_they_are_whole() {
        let mut written = Written { counts: vec![vec![0; 3], vec![0; 3]] };
        let line = |sender, message| {
            format!("x sender[{sender}]: message {message} from a program that logs a line of some length\n")
        };
        let torn = "sender[1]: message 2 from a program th\n";

        written.add([line(0, 0), line(1, 1), line(1, 1), line(0, 9), line(7, 0), torn.to_owned()].concat().as_bytes());

        assert_eq!((written.messages(), written.doubled()), (2, 1));
    }
}
