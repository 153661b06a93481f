//! What a look through a directory shows of its archives, and which of them have to go.

use std::collections::BinaryHeap;

use crate::logdir::archive_name::{NAME_BYTES, Name, is_archive_name};
use crate::logdir::limits::Limits;
use crate::multilog::error::{Error, ResultExt};
use crate::multilog::patience::Patience;
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::place::Place;
use crate::sys::memory;
use crate::tai64n::Label;

/// How many archives are removed in one piece: some milliseconds of work.
pub(super) const PIECE: usize = 256;
/// How many of the oldest names one look keeps: some hundred kB.
const OLDEST_MAX: usize = 4096;

/// One of the oldest archives. They are ordered by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Old {
    pub name: Vec<u8>,
    /// 0 unless the script limits bytes.
    pub size_bytes: u64,
}

/// What a look through a directory shows.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// The newest name that begins with a label.
    pub newest: Option<(Label, Vec<u8>)>,
    /// How many archives there are.
    archives: u64,
    /// How many bytes they have; 0 unless the script limits them.
    bytes: u64,
    /// The oldest, the oldest of all at the end.
    oldest: Vec<Old>,
    /// There are more than those.
    has_more: bool,
    /// The last one that was removed, or that could not be.
    tried: Option<Vec<u8>>,
    /// How many could not be, and their bytes.
    stuck: u64,
    stuck_bytes: u64,
    /// The archive that was made last since.
    made: Option<Vec<u8>>,
    /// How much the file system lacks of what is to be free.
    missing_bytes: u64,
    /// The time of the look.
    now_seconds: i64,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// No limit is exceeded.
    Done,
    /// Those that are known are gone, and there may be more.
    LookAgain,
    /// The oldest one stays.
    Skip,
    /// The oldest one goes.
    Remove,
}

impl Survey {
    /// Looks through a directory. Of the oldest archives those up to `tried` are left out, and `kept`.
    pub(super) fn make<D: Directory>(
        place: &Place<D>,
        tried: Option<&[u8]>,
        kept: Option<&[u8]>,
        patience: &mut impl Patience,
    ) -> Result<Survey, Error> {
        let now_seconds = match place.rules().limits.age_max {
            Some(_) => place.directory.now().unix_seconds(),
            None => 0,
        };
        let mut look = Look { tried, kept, now_seconds, ..Look::default() };
        let wants_sizes = place.rules().limits.archive_bytes_max.is_some();
        let mut is_interrupted = false;
        let mut see = |name: &[u8], is_plain: bool| {
            look.see(name, is_plain, || if wants_sizes { size_bytes(place, name) } else { 0 });
            // Asked now and then: a look at half a million names takes a good part of a second.
            is_interrupted = look.names.is_multiple_of(1024) && patience.is_interrupted();
            !is_interrupted
        };
        place.directory.visit(&mut see).or_unable(format_args!("read {}", place.name))?;
        if is_interrupted { Err(Error::interruption()) } else { Ok(look.end()) }
    }

    /// Adds an archive that has just been made.
    pub(super) fn add(&mut self, name: Name, size_bytes: u64) {
        let text = name.to_string().into_bytes();
        self.archives += 1;
        self.bytes = self.bytes.saturating_add(size_bytes);
        self.newest = Some((name.label, text.clone()));
        self.made = Some(text);
    }

    /// The archive that was made last.
    pub(super) fn made(&self) -> Option<&[u8]> {
        self.made.as_deref()
    }

    /// Finds out how much space the file system lacks, if the script wants some to be free.
    pub(super) fn ask_for_space<D: Directory>(&mut self, place: &Place<D>, patience: &mut impl Patience) {
        let Some(free) = place.rules().limits.free else { return };
        match place.directory.space() {
            Ok(space) => self.missing_bytes = free.least.of(space.total_bytes).saturating_sub(space.free_bytes),
            // Nothing is removed because of a number that is not known.
            Err(errno) => {
                self.missing_bytes = 0;
                patience.complain(&Error::unable(format_args!("find the free space of {}", place.name), errno));
            }
        }
    }

    /// Tells whether what is known of the oldest archives is used up.
    pub(super) fn needs_look(&self) -> bool {
        self.oldest.is_empty()
    }

    /// The last archive that was tried.
    pub(super) fn tried(&self) -> Option<&[u8]> {
        self.tried.as_deref()
    }

    /// Goes on with what a later look shows.
    pub(super) fn replace(&mut self, next: Survey) {
        let tried = self.tried.take();
        let &mut Survey { stuck, stuck_bytes, missing_bytes, .. } = self;
        *self = Survey { stuck, stuck_bytes, missing_bytes, tried, ..next };
    }

    /// Decides about the oldest archive.
    pub(super) fn decide(&self, limits: &Limits) -> Decision {
        let archives = self.archives.saturating_sub(self.stuck);
        if archives <= 1 {
            return Decision::Done;
        }
        // One of the files is current.
        let is_over = archives > limits.files_max - 1
            || limits.archive_bytes_max.is_some_and(|most| self.bytes.saturating_sub(self.stuck_bytes) > most)
            || limits.free.is_some_and(|free| self.missing_bytes > 0 && archives > free.archives_left);
        if !is_over && limits.age_max.is_none() {
            return Decision::Done;
        }
        let Some(old) = self.oldest.last() else {
            return if self.has_more { Decision::LookAgain } else { Decision::Done };
        };
        if self.newest.as_ref().is_some_and(|(_, newest)| *newest == old.name) {
            return Decision::Skip;
        }
        if is_over {
            return Decision::Remove;
        }
        let Some(age_max) = limits.age_max else { return Decision::Done };
        // A clock that was set back makes no archive old.
        match Label::parse(&old.name[..Label::TEXT_BYTES]) {
            Ok(label) if self.age_seconds(label) > age_max.as_secs() => Decision::Remove,
            Ok(_) => Decision::Done,
            Err(_) => Decision::Skip,
        }
    }

    fn age_seconds(&self, label: Label) -> u64 {
        u64::try_from(self.now_seconds.saturating_sub(label.unix_seconds())).unwrap_or(0)
    }

    /// Takes the oldest archive, which is to be removed. If the script wants space, its size is what it occupies.
    pub(super) fn take_oldest<D: Directory>(&mut self, place: &Place<D>) -> Option<Old> {
        let old = self.oldest.pop()?;
        if self.missing_bytes > 0 {
            let occupied = place.directory.stat(&old.name).ok().flatten().map_or(0, |stat| stat.allocated_bytes);
            self.missing_bytes = self.missing_bytes.saturating_sub(occupied);
        }
        self.tried = Some(old.name.clone());
        Some(old)
    }

    /// Leaves the oldest archive where it is.
    pub(super) fn skip(&mut self) {
        self.tried = self.oldest.pop().map(|old| old.name);
    }

    /// An archive is gone.
    pub(super) fn note_removed(&mut self, old: &Old) {
        self.archives = self.archives.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(old.size_bytes);
    }

    /// An archive could not be removed.
    pub(super) fn note_stuck(&mut self, old: &Old) {
        self.stuck += 1;
        self.stuck_bytes = self.stuck_bytes.saturating_add(old.size_bytes);
    }
}

/// How many bytes a file has; none if somebody has removed it meanwhile.
fn size_bytes<D: Directory>(place: &Place<D>, name: &[u8]) -> u64 {
    place.directory.stat(name).ok().flatten().map_or(0, |stat| stat.size_bytes)
}

/// A look that is going on.
#[derive(Debug, Default)]
struct Look<'n> {
    tried: Option<&'n [u8]>,
    kept: Option<&'n [u8]>,
    now_seconds: i64,
    names: u64,
    survey: Survey,
    oldest: BinaryHeap<Old>,
}

impl Look<'_> {
    fn see(&mut self, name: &[u8], is_plain: bool, size_bytes: impl FnOnce() -> u64) {
        self.names += 1;
        if name.len() >= NAME_BYTES
            && let Ok(label) = Label::parse(&name[..Label::TEXT_BYTES])
            && self.survey.newest.as_ref().is_none_or(|(newest, _)| label > *newest)
        {
            self.survey.newest = Some((label, name.to_vec()));
        }
        if is_plain && is_archive_name(name) {
            let size_bytes = size_bytes();
            self.survey.archives += 1;
            self.survey.bytes = self.survey.bytes.saturating_add(size_bytes);
            if self.tried.is_none_or(|tried| name > tried) && self.kept != Some(name) {
                self.keep_if_old(name, size_bytes);
            }
        }
    }

    /// Keeps a name if it is one of the oldest so far.
    fn keep_if_old(&mut self, name: &[u8], size_bytes: u64) {
        let most = if memory::is_scarce() { PIECE } else { OLDEST_MAX };
        if self.oldest.len() < most {
            self.oldest.push(Old { name: name.to_vec(), size_bytes });
            return;
        }
        self.survey.has_more = true;
        if let Some(mut newest) = self.oldest.peek_mut()
            && name < &newest.name[..]
        {
            *newest = Old { name: name.to_vec(), size_bytes };
        }
    }

    fn end(self) -> Survey {
        let mut oldest = self.oldest.into_sorted_vec();
        oldest.reverse();
        Survey { oldest, now_seconds: self.now_seconds, ..self.survey }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::cli::Shown;
    use crate::logdir::archive_name::Code;
    use crate::logdir::limits::{Amount, FreeSpace};
    use crate::sys::clock::UnixTime;

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
        entries.iter().for_each(|entry| look.see(&entry.name, entry.is_plain, || 100));
        let mut survey = look.end();
        if has_new_one {
            let label = Label::from(UnixTime { seconds: 4_000_000_000, nanoseconds: 0 });
            survey.add(Name { label, code: Code::Safe }, 100);
        }
        removed(survey, &Limits::of_number(files_max))
    }

    /// Removes what a survey says.
    fn removed(mut survey: Survey, limits: &Limits) -> Vec<Vec<u8>> {
        let mut gone = Vec::new();
        loop {
            match survey.decide(limits) {
                Decision::Remove => {
                    let old = survey.oldest.pop().unwrap();
                    survey.note_removed(&old);
                    survey.missing_bytes = survey.missing_bytes.saturating_sub(old.size_bytes);
                    gone.push(old.name);
                }
                Decision::Skip => survey.skip(),
                Decision::Done | Decision::LookAgain => return gone,
            }
        }
    }

    /// Ten archives of 100 bytes, the number of seconds in the label.
    fn ten() -> Survey {
        let mut look = Look { now_seconds: 1000, ..Look::default() };
        for second in 990..1000 {
            let label = Label::from(UnixTime { seconds: second, nanoseconds: 0 });
            look.see(format!("{label}.s").as_bytes(), true, || 100);
        }
        look.end()
    }

    #[test]
    fn the_strictest_limit_decides() {
        let number = Limits::of_number(100);
        let bytes = Limits { archive_bytes_max: Some(500), ..number };
        let age = Limits { age_max: Some(Duration::from_secs(3)), ..number };

        assert_eq!(removed(ten(), &number).len(), 0);
        assert_eq!(removed(ten(), &bytes).len(), 5);
        // Those of 997 and later are no older than three seconds.
        assert_eq!(removed(ten(), &age).len(), 7);
        assert_eq!(removed(ten(), &Limits { age_max: age.age_max, ..bytes }).len(), 7);
        assert_eq!(removed(ten(), &Limits { files_max: 3, ..bytes }).len(), 8);
    }

    #[test]
    fn the_newest_archive_stays_whatever_the_limits() {
        let strict = Limits { archive_bytes_max: Some(0), age_max: Some(Duration::ZERO), ..Limits::of_number(100) };

        assert_eq!(removed(ten(), &strict).len(), 9);
        // Also where a stranger's file has a name that sorts behind it.
        let mut look = Look { now_seconds: 2_000_000_000, ..Look::default() };
        let newest = format!("{}.s", Label::from(UnixTime { seconds: 5, nanoseconds: 0 }));
        look.see(newest.as_bytes(), true, || 100);
        look.see(b"@zzzzzzzzzzzzzzzzzzzzzzzzz", true, || 100);
        assert_eq!(names(&removed(look.end(), &strict)), ["@zzzzzzzzzzzzzzzzzzzzzzzzz"]);
    }

    #[test]
    fn free_space_leaves_the_archives_that_the_user_names() {
        let space = |least, archives_left| Limits {
            free: Some(FreeSpace { least: Amount::Bytes(least), archives_left }),
            ..Limits::of_number(100)
        };
        let after = |limits: &Limits| {
            let mut survey = ten();
            survey.missing_bytes = limits.free.unwrap().least.of(0);
            removed(survey, limits).len()
        };

        assert_eq!(after(&space(250, 2)), 3);
        assert_eq!(after(&space(1_000_000, 2)), 8);
        assert_eq!(after(&space(1_000_000, 6)), 4);
        assert_eq!(after(&space(1_000_000, 20)), 0);
    }

    #[test]
    fn a_name_that_is_no_time_has_no_age_and_hides_nothing() {
        let mut look = Look { now_seconds: 2_000_000_000, ..Look::default() };
        look.see(b"@2026-01-01-archive-of-mine.gz", true, || 100);
        for second in 1..=3 {
            let label = Label::from(UnixTime { seconds: second, nanoseconds: 0 });
            look.see(format!("{label}.s").as_bytes(), true, || 100);
        }

        let gone = removed(look.end(), &Limits { age_max: Some(Duration::from_secs(60)), ..Limits::of_number(100) });

        assert_eq!(gone.len(), 2, "{:?}", names(&gone));
        assert!(names(&gone).iter().all(|name| name.starts_with("@4")));
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
        (0..count).for_each(|number| look.see(format!("@{:024x}.s", number * 7919 % count).as_bytes(), true, || 0));

        let survey = look.end();

        assert_eq!((survey.archives, survey.has_more), (count as u64, true));
        let expected: Vec<Vec<u8>> = (0..OLDEST_MAX).map(|number| format!("@{number:024x}.s").into_bytes()).collect();
        assert!(survey.oldest.into_iter().rev().map(|old| old.name).eq(expected));
    }
}
