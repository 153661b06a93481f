//! Trims a directory: removes the oldest archives when there are more files than the script allows.
//!
//! A [`Trimmer`] looks through the directory once for each file that becomes an archive, for the newest name and the
//! oldest names. It remembers at most some thousands of them. A few archives are removed at once. If there are more,
//! the rest is removed in pieces while the logging continues. Until then the trimmer keeps the list, so that the next
//! files need no look of their own.
//!
//! Only plain files are counted, and only they are removed. If an archive cannot be removed, multilog prints a warning
//! and continues with the others. The archive that was just made is never removed.

use std::collections::BinaryHeap;

use crate::cli::Shown;
use crate::logdir::archive_name::{NAME_BYTES, Name, is_archive_name};
use crate::multilog::error::{Error, ResultExt};
use crate::multilog::patience::Patience;
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::place::Place;
use crate::sys::{Errno, memory};
use crate::tai64n::Label;

/// How many archives are removed in one piece, which takes some milliseconds.
const PIECE: usize = 256;
/// How many of the oldest names one look keeps, which takes some hundred kB.
const OLDEST_MAX: usize = 4096;

/// What is known of the archives of a directory.
#[derive(Debug)]
pub struct Trimmer {
    files_max: u64,
    /// What the last look showed; kept only while archives remain to be removed.
    seen: Option<Survey>,
    /// The archive that was made last.
    made: Option<Vec<u8>>,
}

/// What a look through a directory shows.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// The newest name that begins with a label.
    pub newest: Option<(Label, Vec<u8>)>,
    /// How many archives there are.
    archives: u64,
    /// The oldest names; the oldest of all is last.
    oldest: Vec<Vec<u8>>,
    /// There are more archives than `oldest` holds.
    has_more: bool,
    /// The last one that was removed, or that could not be.
    tried: Option<Vec<u8>>,
    /// How many could not be.
    stuck: u64,
    /// The archive that was made last since.
    made: Option<Vec<u8>>,
}

impl Trimmer {
    /// A trimmer for `files_max` files, current included.
    #[must_use]
    pub fn new(files_max: u64) -> Trimmer {
        Trimmer { files_max, seen: None, made: None }
    }

    /// Tells whether there are more archives than the script allows.
    #[must_use]
    pub fn has_excess(&self) -> bool {
        self.seen.is_some()
    }

    /// Takes the list of the directory's archives, to add a new one. `remember` gives the list back.
    pub(super) fn look<D: Directory>(
        &mut self,
        place: &Place<D>,
        patience: &mut impl Patience,
    ) -> Result<Survey, Error> {
        match self.seen.take() {
            Some(survey) => Ok(survey),
            None => Survey::make(place, None, None, patience),
        }
    }

    /// Gives the list back, and removes some of the surplus archives.
    pub(super) fn remember<D: Directory>(&mut self, place: &Place<D>, survey: Survey, patience: &mut impl Patience) {
        if let Some(name) = &survey.made {
            self.made = Some(name.clone());
        }
        self.seen = Some(survey);
        self.remove_some(place, patience);
    }

    /// Removes one piece of the surplus archives.
    pub fn trim<D: Directory>(&mut self, place: &Place<D>, patience: &mut impl Patience) -> Result<(), Error> {
        let Some(survey) = &mut self.seen else { return Ok(()) };
        if survey.oldest.is_empty() {
            // An archive that cannot be removed is not tried again, so that it is reported once.
            let next = Survey::make(place, survey.tried.as_deref(), self.made.as_deref(), patience)?;
            *survey = Survey { stuck: survey.stuck, tried: survey.tried.take(), ..next };
        }
        self.remove_some(place, patience);
        Ok(())
    }

    fn remove_some<D: Directory>(&mut self, place: &Place<D>, patience: &mut impl Patience) {
        let Some(survey) = &mut self.seen else { return };
        for _ in 0..PIECE {
            if survey.excess(self.files_max) == 0 || (survey.oldest.is_empty() && !survey.has_more) {
                self.seen = None;
                return;
            }
            if patience.is_exiting() || patience.is_interrupted() {
                // The rest is removed later.
                return;
            }
            let Some(name) = survey.oldest.pop() else { return };
            match place.directory.unlink(&name) {
                Ok(()) | Err(Errno::ENOENT) => survey.archives = survey.archives.saturating_sub(1),
                Err(errno) => {
                    survey.stuck += 1;
                    patience.complain(&Error::unable(format_args!("remove {}/{}", place.name, Shown(&name)), errno));
                }
            }
            survey.tried = Some(name);
        }
        if survey.excess(self.files_max) == 0 {
            self.seen = None;
        }
    }
}

impl Survey {
    /// Looks through a directory. Of the oldest archives those up to `tried` are left out, and `kept`.
    fn make<D: Directory>(
        place: &Place<D>,
        tried: Option<&[u8]>,
        kept: Option<&[u8]>,
        patience: &mut impl Patience,
    ) -> Result<Survey, Error> {
        let mut look = Look { tried, kept, ..Look::default() };
        let mut is_interrupted = false;
        let mut see = |name: &[u8], is_plain: bool| {
            look.see(name, is_plain);
            // Checked regularly: half a million names take a good part of a second.
            is_interrupted = look.names.is_multiple_of(1024) && patience.is_interrupted();
            !is_interrupted
        };
        place.directory.visit(&mut see).or_unable(format_args!("read {}", place.name))?;
        if is_interrupted { Err(Error::interruption()) } else { Ok(look.end()) }
    }

    /// Adds an archive that has just been made.
    pub(super) fn add(&mut self, name: Name) {
        let text = name.to_string().into_bytes();
        self.archives += 1;
        self.newest = Some((name.label, text.clone()));
        self.made = Some(text);
    }

    /// The number of surplus archives, without those that cannot be removed.
    fn excess(&self, files_max: u64) -> u64 {
        // One of the files is current.
        self.archives.saturating_sub(self.stuck).saturating_sub(files_max - 1)
    }
}

/// A look in progress.
#[derive(Debug, Default)]
struct Look<'n> {
    tried: Option<&'n [u8]>,
    kept: Option<&'n [u8]>,
    names: u64,
    survey: Survey,
    oldest: BinaryHeap<Vec<u8>>,
}

impl Look<'_> {
    fn see(&mut self, name: &[u8], is_plain: bool) {
        self.names += 1;
        if name.len() >= NAME_BYTES
            && let Ok(label) = Label::parse(&name[..Label::TEXT_BYTES])
            && self.survey.newest.as_ref().is_none_or(|(newest, _)| label > *newest)
        {
            self.survey.newest = Some((label, name.to_vec()));
        }
        if is_plain && is_archive_name(name) {
            self.survey.archives += 1;
            if self.tried.is_none_or(|tried| name > tried) && self.kept != Some(name) {
                self.keep_if_old(name);
            }
        }
    }

    /// Keeps a name if it is one of the oldest so far.
    fn keep_if_old(&mut self, name: &[u8]) {
        let most = if memory::is_scarce() { PIECE } else { OLDEST_MAX };
        if self.oldest.len() < most {
            self.oldest.push(name.to_vec());
            return;
        }
        self.survey.has_more = true;
        if let Some(mut newest) = self.oldest.peek_mut()
            && name < &newest[..]
        {
            *newest = name.to_vec();
        }
    }

    fn end(self) -> Survey {
        let mut oldest = self.oldest.into_sorted_vec();
        oldest.reverse();
        Survey { oldest, ..self.survey }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Listed {
        name: Vec<u8>,
        is_plain: bool,
    }

    fn entry(name: &str, is_plain: bool) -> Listed {
        Listed { name: name.into(), is_plain }
    }

    /// Which archives go, the oldest first.
    fn victims(entries: &[Listed], has_new_one: bool, files_max: u64) -> Vec<Vec<u8>> {
        let mut look = Look::default();
        entries.iter().for_each(|entry| look.see(&entry.name, entry.is_plain));
        let mut survey = look.end();
        survey.archives += u64::from(has_new_one);
        let excess = usize::try_from(survey.excess(files_max)).unwrap();
        survey.oldest.into_iter().rev().take(excess).collect()
    }

    fn names(victims: &[Vec<u8>]) -> Vec<String> {
        victims.iter().map(|name| Shown(name).to_string()).collect()
    }

    #[test]
    fn current_and_n_minus_one_archives_stay() {
        let archives = || -> Vec<Listed> {
            (0..5).rev().map(|number| entry(&format!("@40000000000000000000000{number}.s"), true)).collect()
        };

        let gone = victims(&archives(), true, 4);

        assert_eq!(
            names(&gone),
            ["@400000000000000000000000.s", "@400000000000000000000001.s", "@400000000000000000000002.s"]
        );
        assert!(victims(&archives(), true, 7).is_empty());
    }

    #[test]
    fn what_is_no_plain_file_is_neither_counted_nor_removed() {
        let gone = victims(
            &[
                entry("@000000000000000000000000.s", false),
                entry("@400000000000000000000000.s", true),
                entry("@4000000000000000", true),
                entry("current", true),
            ],
            true,
            2,
        );

        assert_eq!(names(&gone), ["@400000000000000000000000.s"]);
    }

    #[test]
    fn the_least_number_keeps_the_new_one() {
        assert_eq!(names(&victims(&[entry("@zzzzzzzzzzzzzzzzzzzzzzzz.s", true)], true, 2)).len(), 1);
        assert!(victims(&[], true, 2).is_empty());
    }

    #[test]
    fn of_very_many_names_the_oldest_are_kept() {
        let mut look = Look::default();
        // In an order that is none.
        let count = 3 * OLDEST_MAX;
        (0..count).for_each(|number| look.see(format!("@{:024x}.s", number * 7919 % count).as_bytes(), true));

        let survey = look.end();

        assert_eq!((survey.archives, survey.has_more), (count as u64, true));
        let expected: Vec<Vec<u8>> = (0..OLDEST_MAX).map(|number| format!("@{number:024x}.s").into_bytes()).collect();
        assert!(survey.oldest.into_iter().rev().eq(expected));
    }
}
