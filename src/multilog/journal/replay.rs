//! Replay: completes the batch that a killed predecessor was writing, before anything else is done in its directories.
//!
//! Its journal says which bytes of the pipe it was writing. If they are still there, replay makes the same output from
//! them, by the predecessor's rules, and appends what is missing to each `current`. If they are gone, all of them had
//! been written. If anything does not match (another pipe, a file that was changed), replay touches nothing: the files
//! stay as they are, and the bytes in the pipe are logged. A torn line then gets a newline.
//!
//! Every directory of the script is searched for a journal, because the script may name another first directory now.
//! Directories are matched by their identity, and only those that this logger has locked are written to. Output for a
//! directory that the script no longer names is not written, and its size is reported.
//!
//! The journals also tell whether each `current` is whole: this boot's loggers wrote all of it, nobody else wrote to it,
//! and the disk has refused nothing. Such a file is appended to, and every other becomes an archive.

use crate::cli::standard_output;
use crate::lines::window::Window;
use crate::logdir::names::{CURRENT, JOURNAL, MODE_PRIVATE};
use crate::logdir::room::Room;
use crate::multilog::batch::Batch;
use crate::multilog::error::{Error, ResultExt};
use crate::multilog::input::Input;
use crate::multilog::input::ledger::Told;
use crate::multilog::journal::journal_file::Journal;
use crate::multilog::journal::layout::{self, Contents};
use crate::multilog::journal::record::{Heading, Origin, Record, name_hash};
use crate::multilog::open_line::OpenLine;
use crate::multilog::patience::Patience;
use crate::multilog::pausing::Pausing;
use crate::multilog::script::expression;
use crate::multilog::withheld::state::Withheld;
use crate::multilog::writer::directory::{Directory, LogFile};
use crate::multilog::writer::extent::Extent;
use crate::multilog::writer::locked_directory::LockedDirectory;
use crate::multilog::writer::place::Place;
use crate::sys::Errno;

/// The outcome of replaying a predecessor's last batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// No journal describes one.
    Nothing,
    /// It is complete, and ended in this line if that is open: the next batch continues it.
    Complete(OpenLine),
    /// It cannot be completed: what was written of it stays as it is.
    Torn,
}

/// What the previous loggers left.
#[derive(Debug)]
pub struct Legacy {
    /// The outcome for the last batch.
    pub replayed: Replayed,
    /// Of each directory, whether its `current` may be appended to.
    pub is_whole: Vec<bool>,
    /// Of each directory, whether it holds a journal.
    pub has_journal: Vec<bool>,
    /// The greatest number of a journal.
    pub last_number: u64,
    /// How much of the last batch belongs to directories that the script does not name any more: it is not written.
    pub left_out_bytes: u64,
    /// Of each directory, what is counted there that the log does not say yet.
    pub withheld: Vec<Withheld>,
    /// A journal of this boot was found, so a ledger is its logger's.
    pub has_predecessor: bool,
    /// How much the log counts of what was ever dropped.
    pub told: Option<Told>,
}

impl Legacy {
    /// Nothing is known of so many directories.
    fn none(directories: usize) -> Legacy {
        Legacy {
            replayed: Replayed::Nothing,
            is_whole: vec![false; directories],
            has_journal: vec![false; directories],
            last_number: 0,
            left_out_bytes: 0,
            withheld: vec![Withheld::default(); directories],
            has_predecessor: false,
            told: None,
        }
    }

    /// The line to continue.
    #[must_use]
    pub fn open_line(&self) -> Option<&OpenLine> {
        match &self.replayed {
            Replayed::Complete(line) if line.is_open => Some(line),
            _ => None,
        }
    }

    /// Tells whether the last line of a directory's `current` may lack its end, which will not come.
    #[must_use]
    pub fn is_torn(&self, number: usize) -> bool {
        self.replayed == Replayed::Torn
            || (self.is_whole[number] && self.open_line().is_none_or(|line| !line.goes_to[number]))
    }
}

/// A journal, and the directory that it was found in.
#[derive(Debug)]
struct FoundJournal {
    directory: usize,
    file_bytes: usize,
    contents: Contents,
}

/// Completes the batch that the journals in the locked directories describe, if its bytes are in this input, and tells
/// which files are whole.
pub fn replay<D: Directory>(
    origin: Option<Origin>,
    directories: &[LockedDirectory<D>],
    pausing: &mut Pausing<'_, impl Input>,
) -> Result<Legacy, Error> {
    // For an input without journals, none is trusted.
    let Some(origin) = origin else { return Ok(Legacy::none(directories.len())) };
    let (mut legacy, mut journals) = find_journals(origin.boot, directories);
    if let Some(found) = journals.iter_mut().find(|found| found.contents.heading.origin == origin) {
        legacy.replayed = replay_one(found, directories, pausing, &mut legacy.left_out_bytes)?;
    }
    legacy.withheld = directories.iter().map(|locked| withheld(locked, &journals)).collect();
    if legacy.open_line().is_none() {
        // The rest of that line does not come.
        legacy.withheld.iter_mut().for_each(|state| state.is_within_suppressed = false);
    }
    if origin.boot != 0 {
        legacy.is_whole = directories.iter().map(|locked| is_whole(locked, &journals)).collect();
    }
    Ok(legacy)
}

/// What the journals tell of directories that a logger which runs takes too. Their batches are not of this input any more:
/// what is in the pipe is this logger's own.
pub fn find_legacy<D: Directory>(origin: Option<Origin>, directories: &[LockedDirectory<D>]) -> Legacy {
    let Some(origin) = origin else { return Legacy::none(directories.len()) };
    let (mut legacy, journals) = find_journals(origin.boot, directories);
    if origin.boot != 0 {
        legacy.is_whole = directories.iter().map(|locked| is_whole(locked, &journals)).collect();
    }
    legacy
}

/// Reads the journals in the locked directories: those of this boot, the newest first.
fn find_journals<D: Directory>(boot: u128, directories: &[LockedDirectory<D>]) -> (Legacy, Vec<FoundJournal>) {
    let mut legacy = Legacy::none(directories.len());
    let (mut journals, mut has_unfinished) = (Vec::new(), false);
    for (number, one) in directories.iter().enumerate() {
        // An unreadable one is ignored.
        let Ok(Some(file)) = one.place().directory.load(JOURNAL, layout::BYTES_MAX) else { continue };
        legacy.has_journal[number] = true;
        match layout::read(&file) {
            Some(contents) => journals.push(FoundJournal { directory: number, file_bytes: file.len(), contents }),
            None => has_unfinished |= layout::is_foreign(&file),
        }
    }
    journals.retain(|found| {
        found.contents.heading.origin.boot == boot || {
            has_unfinished |= is_unfinished(&found.contents);
            false
        }
    });
    // Newest first.
    journals.sort_by_key(|found| std::cmp::Reverse(found.contents.heading.number));
    legacy.last_number = journals.first().map_or(0, |newest| newest.contents.heading.number);
    has_unfinished |= journals.iter().any(|found| is_unfinished(&found.contents));
    if has_unfinished {
        legacy.replayed = Replayed::Torn;
    }
    legacy.has_predecessor = !journals.is_empty();
    legacy.told = journals.iter().find_map(|found| found.contents.record.told);
    (legacy, journals)
}

/// Tells whether a line may be without its end.
fn is_unfinished(contents: &Contents) -> bool {
    !contents.is_consumed || contents.record.open_lines[1].is_open
}

/// Completes the batch of one journal, and says how much of it was left out.
fn replay_one<D: Directory>(
    found: &mut FoundJournal,
    directories: &[LockedDirectory<D>],
    pausing: &mut Pausing<'_, impl Input>,
    left_out_bytes: &mut u64,
) -> Result<Replayed, Error> {
    let Contents { heading, record, is_consumed } = &found.contents;
    let was_consumed = *is_consumed;
    // A journal that was copied to another directory, or that somebody made up, speaks of none that it is in.
    let matches =
        match_directories(heading, record, directories).filter(|matches| matches.contains(&Some(found.directory)));
    let Some(matches) = matches else {
        return Ok(if is_unfinished(&found.contents) { Replayed::Torn } else { Replayed::Nothing });
    };
    if !was_consumed {
        if heading.rules.has_expressions() && !expression::has_compiler() {
            return Err(Error::want_of_compiler());
        }
        let bytes = pausing
            .input
            .peek_again(usize::try_from(record.input_bytes).unwrap_or(usize::MAX))
            .or_unable("read standard input")?;
        let targets: Vec<_> = matches.iter().map(|matched| matched.map(|number| &directories[number])).collect();
        let is_replayed = complete(&found.contents, bytes.clone(), &targets, pausing)?;
        if is_replayed {
            // If they are gone by now, what came in their place is logged as the first bytes.
            let directory = &directories[found.directory].place().directory;
            let journal = directory.memory(JOURNAL, found.file_bytes).ok().and_then(Journal::find);
            let mut consume = |last: &mut [u8]| {
                if bytes.is_empty() {
                    // A report covers none, and is complete.
                    last[0] = record.last_byte;
                    return Ok(true);
                }
                pausing.input.consume(&bytes, last)
            };
            match journal {
                Some(mut journal) => journal.land(consume),
                // Should this logger be killed now, the next one finds other bytes in the pipe.
                None => consume(&mut [0]),
            }
            .or_unable("read standard input")?;
        }
        pausing.input.look_anew();
        if !is_replayed {
            return Ok(Replayed::Torn);
        }
        *left_out_bytes = bytes_left_out(record, &matches);
    }
    let after = &record.open_lines[1];
    if heading.origin.boot == 0 && was_consumed && after.is_open {
        // Where no boot can be told from another, nothing shows that the rest of the line is in this pipe.
        return Ok(Replayed::Torn);
    }
    let mut open_line =
        OpenLine { is_open: after.is_open, is_copied: after.is_copied, ..OpenLine::closed(directories.len()) };
    if after.is_open {
        for (number, extent) in record.extents.iter().enumerate() {
            let Some(directory) = matches[number].filter(|_| after.goes_to[number]) else { continue };
            if !is_as_left(&directories[directory], extent, was_consumed) {
                return Ok(Replayed::Torn);
            }
            open_line.goes_to[directory] = true;
        }
    }
    found.contents.is_consumed = true;
    Ok(Replayed::Complete(open_line))
}

/// Finds each directory of a record among those that are claimed: `None` for one that the script does not name any more.
/// Where the script names one that has been made anew since, the record means nothing.
fn match_directories<D: Directory>(
    heading: &Heading,
    record: &Record,
    directories: &[LockedDirectory<D>],
) -> Option<Vec<Option<usize>>> {
    let identities: Vec<_> = directories.iter().map(|locked| locked.place().directory.identity().ok()).collect();
    let names: Vec<u64> = directories.iter().map(|locked| name_hash(locked.destination())).collect();
    let matches: Vec<Option<usize>> = record
        .extents
        .iter()
        .map(|extent| identities.iter().position(|identity| *identity == Some(extent.directory)))
        .collect();
    let is_named_anew = |name: &u64| names.contains(name);
    let is_replaced = matches.iter().zip(&heading.names).any(|(found, name)| found.is_none() && is_named_anew(name));
    (!is_replaced).then_some(matches)
}

/// How much of a batch belongs to directories that the script does not name any more.
fn bytes_left_out(record: &Record, matches: &[Option<usize>]) -> u64 {
    let shares = record.extents.iter().zip(matches).filter(|(_, found)| found.is_none());
    shares.fold(0, |sum, (extent, _)| sum.saturating_add(extent.output_bytes))
}

/// Tells whether `current` is unchanged since the batch: another logger may have used the pipe meanwhile and completed
/// the line that the batch began. An empty file is the one after a rotation.
fn is_as_left<D: Directory>(locked: &LockedDirectory<D>, extent: &Extent, was_consumed: bool) -> bool {
    match locked.place().directory.stat(CURRENT) {
        Ok(Some(stat)) if stat.identity == extent.current => Some(stat.size_bytes) == extent.end_bytes(),
        Ok(Some(stat)) => was_consumed && stat.size_bytes == 0,
        Ok(None) => was_consumed,
        Err(_) => false,
    }
}

/// Tells whether the newest journal that speaks of a directory's `current` says that it is whole.
fn is_whole<D: Directory>(locked: &LockedDirectory<D>, journals: &[FoundJournal]) -> bool {
    let Place { directory, .. } = locked.place();
    let (Ok(home), Ok(Some(stat))) = (directory.identity(), directory.stat(CURRENT)) else { return false };
    if !stat.is_plain || stat.links != 1 {
        return false;
    }
    let speaks_of_it = |extent: &&Extent| extent.directory == home && extent.current == stat.identity;
    journals
        .iter()
        .find_map(|found| Some((found, found.contents.record.extents.iter().find(speaks_of_it)?)))
        .is_some_and(|(found, extent)| {
            let is_at_end = Some(stat.size_bytes) == extent.end_bytes();
            let is_at_beginning = !found.contents.is_consumed && stat.size_bytes == extent.offset_bytes;
            !extent.is_doubtful && (is_at_end || is_at_beginning)
        })
}

/// What the newest journal that speaks of a directory counts there. If its batch is not known to be complete, it is what
/// was counted before that.
fn withheld<D: Directory>(locked: &LockedDirectory<D>, journals: &[FoundJournal]) -> Withheld {
    let Place { directory, .. } = locked.place();
    let Ok(home) = directory.identity() else { return Withheld::default() };
    let find = |found: &FoundJournal| {
        let Contents { record, is_consumed, .. } = &found.contents;
        let number = record.extents.iter().position(|extent| extent.directory == home)?;
        let is_complete = *is_consumed || {
            let extent = &record.extents[number];
            let stat = directory.stat(CURRENT).ok().flatten();
            extent.output_bytes > 0
                && stat
                    .is_some_and(|stat| stat.identity == extent.current && Some(stat.size_bytes) == extent.end_bytes())
        };
        Some(record.changes.get(number)?.states[usize::from(is_complete)])
    };
    journals.iter().find_map(find).unwrap_or_default()
}

/// A `current` that a batch went to, and what is missing in it.
struct Gap<F> {
    shown: String,
    current: F,
    missing: Vec<u8>,
}

/// Makes the batch again and appends what is missing; false if what is found does not agree with it. `targets` are the
/// directories of the journal's rules, those that this logger has.
fn complete<D: Directory>(
    contents: &Contents,
    mut bytes: Vec<u8>,
    targets: &[Option<&LockedDirectory<D>>],
    pausing: &mut Pausing<'_, impl Input>,
) -> Result<bool, Error> {
    let Contents { heading, record, .. } = contents;
    if !record.covers(&bytes) {
        return Ok(false);
    }
    if record.adds_newline {
        bytes.push(b'\n');
    }
    let window = Window { bytes: &bytes, is_open: bytes.last() != Some(&b'\n') };
    let script = heading.rules.to_script();
    // The end of the batch is known, so the size limits of the files do not matter.
    let endless = Room { filled_bytes: 0, size_max_bytes: u64::MAX };
    let [before, after] = &record.open_lines;
    let mut batch = Batch::new(&script);
    batch.lift_limit();
    batch.resume(before.clone());
    batch.repeat(&script, &record.changes);
    batch.come(record.arrivals.map(|arrival| arrival.label));
    let (heads, rooms) = (record.heads(&heading.rules), targets.iter().map(|_| endless));
    if record.input_bytes == 0 {
        batch.plan_report(heads.rest(), rooms);
    } else {
        batch.plan(window, &heads, rooms);
    }
    if batch.input_bytes() != bytes.len() || batch.open_lines()[1] != after {
        return Ok(false);
    }
    let mut gaps = Vec::new();
    for (number, extent) in record.extents.iter().enumerate() {
        let output = batch.output(number, window);
        if output.len() as u64 != extent.output_bytes {
            return Ok(false);
        }
        let Some(target) = targets[number].filter(|_| !output.is_empty()) else { continue };
        match find_gap(target, extent, output) {
            Some(gap) => gaps.push(gap),
            None => return Ok(false),
        }
    }
    if standard_output::print_again(batch.copies(), pausing.messages) < batch.copies().len() {
        // The next logger finds the same journal and the same bytes.
        return Err(Error::interruption());
    }
    for Gap { shown, current, missing } in gaps {
        let mut rest = &missing[..];
        while !rest.is_empty() {
            let written = pausing.retry(|_| {
                let answer = current.write(rest).and_then(|written| match written {
                    0 => Err(Errno::ENOSPC),
                    written => Ok(written),
                });
                answer.or_unable(format_args!("write to {shown}/current"))
            })?;
            rest = &rest[written..];
        }
    }
    Ok(true)
}

/// Finds what of a batch's output is missing in `current`; `None` if that is not the file, or holds something else.
fn find_gap<D: Directory>(locked: &LockedDirectory<D>, extent: &Extent, output: &[u8]) -> Option<Gap<D::File>> {
    let place = locked.place();
    // Checked first, because opening would create it.
    let stat = place.directory.stat(CURRENT).ok()??;
    if stat.identity != extent.current || !stat.is_plain {
        return None;
    }
    let current = place.directory.append_to(CURRENT, MODE_PRIVATE).ok()?;
    let length = stat.size_bytes.checked_sub(extent.offset_bytes)?;
    let length = usize::try_from(length).ok().filter(|&length| length <= output.len())?;
    let mut written = vec![0; length];
    let mut from = 0;
    while from < length {
        let at = extent.offset_bytes.checked_add(from as u64)?;
        match current.read_at(at, &mut written[from..]).ok()? {
            0 => return None,
            read => from += read,
        }
    }
    (written == output[..length]).then(|| Gap { shown: place.name.clone(), current, missing: output[length..].into() })
}
