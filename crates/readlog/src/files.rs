//! The files of a log directory as one sequence, oldest first: archives, `previous` (or `processed`), `current`.
//!
//! A logger may rotate while the names are read. So readlog opens `current` and `previous`, and reads the names again until
//! they do not change: an open file stays readable, whatever its name is by then.
//!
//! During a rotation some files exist twice for a moment. Each is read once:
//!
//! - `previous` with the same content as an archive: linked, and about to be unlinked. The archive stays.
//! - `processed` beside `previous`: what the processor has written so far. `previous` stays.
//! - `processed` alone and marked as done: the processor's result, about to become an archive. It stays.
//! - svlogd's `@label.t` beside `@label.u`: what its processor has written so far. `@label.u` stays.
//! - `@label.s.gz` beside `@label.s`: being compressed. What is not compressed stays.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::frames::KnownIndex;
use crate::log_dir::LogDir;
use crate::near::{NEWEST_FILES, Near};
use crate::time_scale::Window;
use crate::warnings::Warnings;
use logyard::logdir::archive_name::is_archive_name;
use logyard::logdir::names::{CURRENT, DONE_BIT, PREVIOUS, PROCESSED};
use logyard::sys::dir::Dir;
use logyard::sys::file::File;
use logyard::sys::stat::Stat;
use logyard::sys::{Errno, Result, clock};
use logyard::tai64n::Label;

/// How often names are read that keep changing.
const ATTEMPTS_MAX: u32 = 1000;

/// File systems record times some milliseconds late. A change that is older than this is distinguished from one that happens
/// now.
const TIME_IS_SHARP_SECONDS: i64 = 2;

/// A file of the sequence.
#[derive(Clone, Debug)]
pub(super) struct LogFile {
    /// Its name.
    pub(super) name: Vec<u8>,
    /// When it was finished; none for what is no archive yet.
    pub(super) label: Option<Label>,
    /// The file, if it has been opened.
    pub(super) held: Option<Arc<File>>,
    /// The index of a file that logpack packed, once it has been read.
    pub(super) index: KnownIndex,
}

impl LogFile {
    /// An archive, by its name.
    pub(super) fn archive(name: Vec<u8>) -> Option<LogFile> {
        let label = archive_label(&name)?;
        Some(LogFile { name, label: Some(label), held: None, index: KnownIndex::default() })
    }

    /// A file that is open.
    pub(super) fn held(name: &str, file: File) -> LogFile {
        LogFile {
            name: name.as_bytes().to_vec(),
            label: None,
            held: Some(Arc::new(file)),
            index: KnownIndex::default(),
        }
    }

    /// Opens the file.
    pub(super) fn open(&self, directory: &Dir) -> Result<Arc<File>> {
        match &self.held {
            Some(file) => Ok(Arc::clone(file)),
            None => open_plain(directory, &self.name).map(Arc::new),
        }
    }

    /// Opens the file. An archive may have another ending by now, because it was compressed, or renamed by svlogd.
    pub(super) fn open_or_renamed(&self, directory: &Dir) -> Result<Arc<File>> {
        let errno = match self.open(directory) {
            Err(Errno::ENOENT) if self.label.is_some() => Errno::ENOENT,
            answer => return answer,
        };
        let label = &self.name[..Label::TEXT_BYTES];
        let mut names: Vec<Vec<u8>> = directory.names()?.into_iter().map(|(name, _)| name).collect();
        names.retain(|name| name.starts_with(label));
        names.sort_unstable();
        let name = names.into_iter().next().ok_or(errno)?;
        open_plain(directory, &name).map(Arc::new)
    }

    /// Tells whether an outage may have cut the file short: `@label.u`.
    pub(super) fn is_unfinished(&self) -> bool {
        self.name.get(Label::TEXT_BYTES..).is_some_and(|code| code.starts_with(b".u"))
    }
}

/// The label in an archive's name: of all names that begin with a label and go on with a dot, if at all.
pub(super) fn archive_label(name: &[u8]) -> Option<Label> {
    let (label, rest) = name.split_at_checked(Label::TEXT_BYTES)?;
    (rest.is_empty() || rest[0] == b'.').then(|| Label::parse(label).ok()).flatten()
}

/// Opens a file that must be a plain one.
pub(super) fn open_plain(directory: &Dir, name: &[u8]) -> Result<File> {
    let file = directory.open_to_read(name)?;
    if file.stat()?.is_plain { Ok(file) } else { Err(Errno::ENXIO) }
}

/// The names of a directory, by their meaning.
#[derive(Debug, Default, PartialEq, Eq)]
struct Names {
    /// In the order of labels.
    archives: Vec<Vec<u8>>,
    /// Whether archives are left out that are far from the window.
    is_part: bool,
    has_previous: bool,
    has_processed: bool,
    has_current: bool,
    /// Names of archives that are not log files, with the reason.
    strange: Vec<(Vec<u8>, Errno)>,
}

impl Names {
    fn read(directory: &Dir, window: &Window) -> Result<Names> {
        let mut names = Names::default();
        let mut near = Near::new(window);
        directory.visit(&mut |name, is_plain| {
            match name {
                b"previous" => names.has_previous = true,
                b"processed" => names.has_processed = true,
                b"current" => names.has_current = true,
                _ if !is_archive_name(name) => {}
                _ if archive_label(name).is_none() => names.strange.push((name.to_vec(), Errno::EINVAL)),
                _ if !is_plain => names.strange.push((name.to_vec(), Errno::ENXIO)),
                _ => near.push(name),
            }
            true
        })?;
        (names.archives, names.is_part) = near.finish();
        names.strange.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        names.archives = without_duplicates(std::mem::take(&mut names.archives));
        Ok(names)
    }
}

/// Of several names with one label, leaves out those whose content is to be read from another.
fn without_duplicates(archives: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let has_duplicates = archives.windows(2).any(|pair| pair[0][..Label::TEXT_BYTES] == pair[1][..Label::TEXT_BYTES]);
    if !has_duplicates {
        return archives;
    }
    let mut groups: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
    for name in archives {
        groups.entry(name[..Label::TEXT_BYTES].to_vec()).or_default().push(name);
    }
    let of_group = |group: Vec<Vec<u8>>| {
        let all = group.clone();
        group.into_iter().filter(move |name| {
            let code = &name[Label::TEXT_BYTES..];
            let is_being_made = code.starts_with(b".t") && all.len() > 1;
            // `@label.s.gz` has `@label.s` as its beginning.
            let is_copy = all.iter().any(|other| other.len() < name.len() && name.starts_with(other));
            !is_being_made && !is_copy
        })
    };
    groups.into_values().flat_map(of_group).collect()
}

/// A file with an identity, under a name that may become another's.
fn hold(directory: &Dir, name: &str) -> Result<Option<(File, Stat)>> {
    match open_plain(directory, name.as_bytes()) {
        Ok(file) => file.stat().map(|stat| Some((file, stat))),
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// The sequence of a directory, or what is near a window of it.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The files.
    pub(super) files: Vec<LogFile>,
    /// Whether archives are left out that are far from the window.
    pub(super) is_part: bool,
}

/// Reads the sequence of a directory.
pub(super) fn list(log_dir: &LogDir, warnings: &Warnings) -> Result<Vec<LogFile>> {
    list_near(log_dir, &Window::default(), warnings).map(|listing| listing.files)
}

/// Reads the sequence of a directory, without the archives that are far from a window if there are very many.
pub(super) fn list_near(log_dir: &LogDir, window: &Window, warnings: &Warnings) -> Result<Listing> {
    let directory = &log_dir.dir;
    if let Some(only) = &log_dir.only {
        return Ok(Listing { files: list_only(log_dir, only.clone(), warnings), is_part: false });
    }
    let mut attempt = 0;
    let (names, previous, processed, current) = loop {
        attempt += 1;
        let (now, changed) = (clock::now(), directory.changed()?);
        let names = Names::read(directory, window)?;
        let open = |is_there: bool, name: &str| if is_there { hold(directory, name) } else { Ok(None) };
        let current = open(names.has_current, CURRENT);
        let previous = open(names.has_previous, PREVIOUS);
        let processed = open(names.has_processed && !names.has_previous, PROCESSED);
        // A directory that has not changed for a while would show by its time that it did; else names are read again.
        let shows_change = changed.seconds < now.seconds - TIME_IS_SHARP_SECONDS;
        let is_unchanged = (shows_change && directory.changed()? == changed
            || names == Names::read(directory, window)?)
            && still_names(directory, CURRENT, &current)
            && still_names(directory, PREVIOUS, &previous);
        if is_unchanged || attempt == ATTEMPTS_MAX {
            break (names, previous, processed, current);
        }
    };
    for (name, errno) in &names.strange {
        warnings.unable_to_read(&log_dir.path, name, *errno);
    }
    let newest: Vec<Stat> =
        names.archives.iter().rev().take(NEWEST_FILES).filter_map(|name| directory.stat(name).ok().flatten()).collect();
    let mut files: Vec<LogFile> = names.archives.into_iter().filter_map(LogFile::archive).collect();
    for (name, answer) in [(PREVIOUS, previous), (PROCESSED, processed), (CURRENT, current)] {
        match answer {
            Ok(Some((file, stat))) => {
                let is_archived = stat.links > 1 && newest.iter().any(|archive| archive.identity == stat.identity);
                let is_partial = name == PROCESSED && stat.mode & DONE_BIT == 0;
                if !is_archived && !is_partial {
                    files.push(LogFile::held(name, file));
                }
            }
            Ok(None) => {}
            Err(errno) => warnings.unable_to_read(&log_dir.path, name.as_bytes(), errno),
        }
    }
    Ok(Listing { files, is_part: names.is_part })
}

/// Some files of a directory, by their names, in the order of the sequence.
fn list_only(log_dir: &LogDir, mut names: Vec<Vec<u8>>, warnings: &Warnings) -> Vec<LogFile> {
    // A name that is no label comes behind the archives: previous before processed before current.
    let place = |name: &[u8]| [PREVIOUS, PROCESSED, CURRENT].iter().position(|log| log.as_bytes() == name);
    names.sort_unstable_by(|one, other| place(one).cmp(&place(other)).then_with(|| one.cmp(other)));
    names.dedup();
    let mut files = Vec::new();
    for name in names {
        // Opened at once: a logger may rename it.
        match open_plain(&log_dir.dir, &name) {
            Ok(_) if archive_label(&name).is_some() => files.extend(LogFile::archive(name)),
            Ok(file) => {
                files.push(LogFile { label: None, name, held: Some(Arc::new(file)), index: KnownIndex::default() });
            }
            Err(errno) => warnings.unable_to_read(&log_dir.path, &name, errno),
        }
    }
    files
}

/// Tells whether a name still stands for what was found under it.
fn still_names(directory: &Dir, name: &str, found: &Result<Option<(File, Stat)>>) -> bool {
    match (found, directory.stat(name.as_bytes())) {
        (Ok(Some((_, before))), Ok(Some(now))) => before.identity == now.identity,
        (Ok(None), Ok(None)) | (Err(_), Ok(Some(_)) | Err(_)) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: &str = "@400000003ce2403d00000000";
    const B: &str = "@400000003ce2403e00000000";

    fn names(codes: &[(&str, &str)]) -> Vec<Vec<u8>> {
        codes.iter().map(|(label, code)| format!("{label}{code}").into_bytes()).collect()
    }

    #[test]
    fn what_is_there_twice_is_read_once() {
        let found = names(&[(A, ".s"), (A, ".s.gz"), (A, ".u"), (B, ".t"), (B, ".u")]);

        assert_eq!(without_duplicates(found), names(&[(A, ".s"), (A, ".u"), (B, ".u")]));
        assert_eq!(without_duplicates(names(&[(A, ".t")])), names(&[(A, ".t")]), "the only one");
        assert_eq!(without_duplicates(names(&[(A, ".s.gz")])), names(&[(A, ".s.gz")]), "the only one");
    }

    #[test]
    fn archives_are_named_with_a_label() {
        assert!(archive_label(format!("{A}.s").as_bytes()).is_some());
        assert!(archive_label(format!("{A}.s.zst").as_bytes()).is_some());
        assert!(archive_label(A.as_bytes()).is_some());
        assert!(archive_label(format!("{A}x").as_bytes()).is_none());
        assert!(archive_label(b"@foo").is_none());
    }

    proptest! {
        #[test]
        fn no_name_panics(name in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = archive_label(&name);
            if let Some(log_file) = LogFile::archive(name) {
                let _ = log_file.is_unfinished();
            }
        }
    }
}
