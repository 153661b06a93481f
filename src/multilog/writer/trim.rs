//! Trims a directory: removes the oldest archives when there is more than the script allows.
//!
//! A [`Trimmer`] looks through the directory once for each file that becomes an archive (see `Survey`), and, if the script
//! limits more than a number, now and then when none does. A few archives are removed on the spot. Where more have to go,
//! the rest goes piece by piece, beside the logging; until then what the look has shown is kept, so that further files
//! need no look of their own.
//!
//! The strictest limit decides. Only plain files are counted, and only they are removed. One that cannot be removed is
//! announced and left; it stops neither the others nor the logging. The newest archive is never the one to go.
//!
//! If the script holds archives that are not shipped (see `shipping`), a limit other than that of free space does not remove
//! them until there are too many bytes of them.

use crate::cli::Shown;
use crate::logdir::limits::Limits;
use crate::multilog::error::Error;
use crate::multilog::patience::Patience;
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::place::Place;
use crate::multilog::writer::shipping;
use crate::multilog::writer::survey::{Decision, PIECE, Survey};
use crate::sys::Errno;

/// What is known of the archives of a directory.
#[derive(Debug, Default)]
pub struct Trimmer {
    /// What the last look showed; kept only while archives remain to be removed.
    seen: Option<Box<Survey>>,
    /// The archive that was made last.
    made: Option<Vec<u8>>,
    /// Archives that could not be removed, and of which that has been said since the last rotation.
    announced: Vec<Vec<u8>>,
}

impl Trimmer {
    /// Tells whether there are more archives than the script allows.
    #[must_use]
    pub fn has_excess(&self) -> bool {
        self.seen.is_some()
    }

    /// Takes what is known of the directory's archives, for a file that is about to become one: `remember` gives it back.
    pub(super) fn look<D: Directory>(
        &mut self,
        place: &Place<D>,
        patience: &mut impl Patience,
    ) -> Result<Survey, Error> {
        match self.seen.take() {
            Some(survey) => Ok(*survey),
            None => Survey::make(place, None, None, patience),
        }
    }

    /// Gives back what is known; removes some of the archives that are too many.
    pub(super) fn remember<D: Directory>(
        &mut self,
        place: &Place<D>,
        mut survey: Survey,
        patience: &mut impl Patience,
    ) {
        if let Some(name) = survey.made() {
            self.made = Some(name.to_vec());
        }
        survey.ask_for_space(place, patience);
        self.seen = Some(Box::new(survey));
        self.announced.clear();
        self.remove_some(place, patience);
    }

    /// Looks whether something has to go although no file has become an archive, and removes some of it.
    pub fn check<D: Directory>(&mut self, place: &Place<D>, patience: &mut impl Patience) -> Result<(), Error> {
        if self.seen.is_none() {
            let mut survey = Survey::make(place, None, self.made.as_deref(), patience)?;
            survey.ask_for_space(place, patience);
            self.seen = Some(Box::new(survey));
        }
        self.remove_some(place, patience);
        Ok(())
    }

    /// Goes on with removing what is too many: a piece of it.
    pub fn trim<D: Directory>(&mut self, place: &Place<D>, patience: &mut impl Patience) -> Result<(), Error> {
        let Some(survey) = &mut self.seen else { return Ok(()) };
        if survey.needs_look() {
            // What was tried is not tried again, or what cannot be removed would be announced again and again.
            let next = Survey::make(place, survey.tried(), self.made.as_deref(), patience)?;
            survey.replace(next);
        }
        self.remove_some(place, patience);
        Ok(())
    }

    fn remove_some<D: Directory>(&mut self, place: &Place<D>, patience: &mut impl Patience) {
        let Some(mut survey) = self.seen.take() else { return };
        let limits = place.rules().limits;
        self.remove_piece(&mut survey, &limits, place, patience);
        if let Some(bytes) = survey.unshipped_bytes() {
            place.unshipped.note_bytes(bytes);
            shipping::say(place, false, patience);
        }
        if survey.decide(&limits) != Decision::Done {
            self.seen = Some(survey);
        }
    }

    fn remove_piece<D: Directory>(
        &mut self,
        survey: &mut Survey,
        limits: &Limits,
        place: &Place<D>,
        patience: &mut impl Patience,
    ) {
        // A limit on free space is to see at once what a removal has given. Of many archives only one is freed later: a
        // thread for each would cost more than it saves.
        let mut may_free_later = limits.free.is_none();
        for _ in 0..PIECE {
            match survey.decide(limits) {
                Decision::Done | Decision::LookAgain => return,
                Decision::Skip => {
                    survey.skip();
                    continue;
                }
                Decision::Remove => {}
            }
            if patience.is_exiting() || patience.is_interrupted() {
                // The rest goes later.
                return;
            }
            let Some(old) = survey.take_oldest(place) else { return };
            let lost_before =
                if survey.is_unshipped(&old.name) { shipping::count(place, &old.name, patience) } else { None };
            let may_be_later = std::mem::take(&mut may_free_later);
            match place.freeing.remove(&place.directory, &old.name, may_be_later) {
                Ok(()) | Err(Errno::ENOENT) => survey.note_removed(&old),
                Err(errno) => {
                    if let Some(before) = lost_before {
                        shipping::take_back(place, before, patience);
                    }
                    survey.note_stuck(&old);
                    if !self.announced.contains(&old.name) {
                        let name = Shown(&old.name);
                        patience.complain(&Error::unable(format_args!("remove {}/{name}", place.name), errno));
                        // Of very many, those that go unnoted are announced again.
                        if self.announced.len() < PIECE {
                            self.announced.push(old.name);
                        }
                    }
                }
            }
        }
    }
}
