//! Adds a line to a file that belongs to the administrator, or removes it: `/etc/inittab`, `/etc/rc.local`.
//!
//! Everything else in the file stays as it is, and the file is never seen half written.

use crate::setup::script;
use crate::setup::whole_file::{read_all, replace};
use crate::sys::Result;
use crate::sys::dir::Dir;

/// What kind of file a line goes into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFile {
    /// A table: the line comes last, behind an empty one.
    Table,
    /// A script: the line comes before a final `exit`.
    Script,
}

/// The first line of a script that is created for the line.
pub const SCRIPT_HEAD: &str = "#!/bin/sh\n";

/// The actions of init's table that start something when the system comes up.
const STARTING: [&[u8]; 6] = [b"respawn", b"once", b"wait", b"boot", b"bootwait", b"sysinit"];

impl LineFile {
    /// Whether a file starts svscan already, by our line or another. Comments and disabled lines do not count.
    #[must_use]
    pub fn has_svscanboot(self, text: &[u8]) -> bool {
        match self {
            LineFile::Script => script::outline(text).starts_svscanboot,
            LineFile::Table => {
                // The level that a boot leads to; init of busybox knows none.
                let level =
                    fields(text).find(|[_, _, action, _]| *action == b"initdefault").map(|[_, level, ..]| level);
                fields(text).any(|[_, levels, action, process]| {
                    let is_of_level =
                        level.is_none_or(|level| levels.is_empty() || level.iter().any(|level| levels.contains(level)));
                    let process = process.strip_prefix(b"+").or(process.strip_prefix(b"-")).unwrap_or(process);
                    let starts = is_of_level || action.starts_with(b"boot") || action == b"sysinit";
                    starts && STARTING.contains(&action) && script::outline(process).starts_svscanboot
                })
            }
        }
    }

    /// Adds a line to a file in a directory; a file that is missing is made.
    pub fn add(self, dir: &Dir, name: &[u8], line: &str) -> Result<()> {
        let (text, mode) = match dir.stat(name)? {
            Some(stat) => (read_all(dir, name)?, stat.mode),
            None => match self {
                LineFile::Table => (Vec::new(), 0o644),
                LineFile::Script => (SCRIPT_HEAD.as_bytes().to_vec(), 0o755),
            },
        };
        replace(dir, name, &self.with(&text, line.as_bytes()), mode)
    }

    fn with(self, text: &[u8], line: &[u8]) -> Vec<u8> {
        let mut lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
        let at = match self {
            LineFile::Table => lines.len(),
            LineFile::Script => end_of_script(text, &lines),
        };
        let newline: &[u8] = b"\n";
        let is_open = at > 0 && !lines[at - 1].ends_with(newline);
        let mut added = if is_open { vec![newline] } else { vec![] };
        if self == LineFile::Table {
            added.push(newline);
        }
        added.extend([line, newline]);
        lines.splice(at..at, added);
        lines.concat()
    }
}

/// The first line of a script that may not be reached.
fn end_of_script(text: &[u8], lines: &[&[u8]]) -> usize {
    let outline = script::outline(text);
    match outline.end {
        Some(end) => text[..end].iter().filter(|&&byte| byte == b'\n').count(),
        None if outline.is_open => lines.iter().rposition(|line| line.starts_with(b"exit")).unwrap_or(lines.len()),
        None => lines.len(),
    }
}

/// The lines of init's table that are no comments: id, levels, action, process.
fn fields(table: &[u8]) -> impl Iterator<Item = [&[u8]; 4]> {
    table.split(|&byte| byte == b'\n').filter_map(|line| {
        let line = line.trim_ascii_start();
        let mut fields = line.splitn(4, |&byte| byte == b':');
        let fields = [fields.next()?, fields.next()?, fields.next()?, fields.next()?];
        (!line.starts_with(b"#")).then_some(fields)
    })
}

/// Whether a line of init's table has this id. init ignores a second one.
#[must_use]
pub fn has_id(table: &[u8], id: &str) -> bool {
    fields(table).any(|[found, ..]| found == id.as_bytes())
}

/// Whether a file has a line.
pub fn has(dir: &Dir, name: &[u8], line: &str) -> Result<bool> {
    Ok(without(&read_all(dir, name)?, line.as_bytes()).is_some())
}

/// Removes a line from a file, with the empty line before it at the end of a table; returns whether it was found. A
/// script that was created for the line and holds nothing else is removed too.
pub fn remove(dir: &Dir, name: &[u8], line: &str) -> Result<bool> {
    let Some(stat) = dir.stat(name)? else { return Ok(false) };
    let text = read_all(dir, name)?;
    let Some(left) = without(&text, line.as_bytes()) else { return Ok(false) };
    if left.is_empty() || left == SCRIPT_HEAD.as_bytes() {
        dir.unlink(name)?;
    } else {
        replace(dir, name, &left, stat.mode)?;
    }
    Ok(true)
}

fn without(text: &[u8], line: &[u8]) -> Option<Vec<u8>> {
    let mut lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
    // The first match: after the end of a script there may be others, which are not ours.
    let at = lines.iter().position(|found| found.strip_suffix(b"\n").unwrap_or(found) == line)?;
    lines.remove(at);
    if at > 0 && lines[at - 1] == b"\n" && at == lines.len() {
        lines.remove(at - 1);
    }
    Some(lines.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[u8] = b"SV:123456:respawn:/command/svscanboot";

    #[test]
    fn a_line_comes_last_in_a_table_and_can_be_taken_out_again() {
        let table = b"id:3:initdefault:\n\nx:3:respawn:/sbin/x\n";

        let with = LineFile::Table.with(table, LINE);

        assert_eq!(with, [&table[..], b"\n", LINE, b"\n"].concat());
        assert_eq!(without(&with, LINE).as_deref(), Some(&table[..]));
    }

    #[test]
    fn a_last_line_without_a_newline_stays_a_line_of_its_own() {
        assert_eq!(LineFile::Table.with(b"a", b"b"), b"a\n\nb\n");
        assert_eq!(LineFile::Script.with(b"a", b"b"), b"a\nb\n");
    }

    #[test]
    fn a_line_comes_before_the_exit_of_a_script() {
        let script = b"#!/bin/sh\nmodprobe x\nexit 0\n";

        let with = LineFile::Script.with(script, b"/command/svscanboot &");

        assert_eq!(with, b"#!/bin/sh\nmodprobe x\n/command/svscanboot &\nexit 0\n");
        assert_eq!(without(&with, b"/command/svscanboot &").as_deref(), Some(&script[..]));
    }

    #[test]
    fn only_the_line_itself_is_taken_out() {
        assert_eq!(without(b"a\nab\n", b"b"), None);
        assert_eq!(without(b"a\n\nb\nc\n", b"b").as_deref(), Some(&b"a\n\nc\n"[..]), "the empty line is not ours here");
        assert_eq!(without(b"a\nb", b"b").as_deref(), Some(&b"a\n"[..]));
    }
}
