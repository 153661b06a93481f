//! The first step of a rotation: renames `current` to `previous`, and archives a file that has that name.

use crate::logdir::names::{CURRENT, DONE_BIT, PREVIOUS, PROCESSED};
use crate::multilog::error::{Error, ResultExt};
use crate::multilog::patience::Patience;
use crate::multilog::writer::archive::{Candidate, archive};
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::place::Place;
use crate::sys::Errno;
use crate::sys::stat::Stat;

/// What remains to be done of a rotation before `current` can be appended to again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RotationStep {
    /// No rotation is going on.
    Appending,
    /// `current` becomes `previous`.
    Rename,
    /// A new `current` is made.
    Create,
    /// Without a thread: the engine finishes the rotated file.
    Finish,
}

/// Renames `current` to `previous`. `has_given_up_file` is true if the finisher gave up a file when the logger began to exit.
pub(super) fn rename_to_previous<D: Directory>(
    place: &Place<D>,
    has_given_up_file: bool,
    patience: &mut impl Patience,
) -> Result<(), Error> {
    let Place { name, directory, .. } = place;
    let stat = |file| directory.stat(file).or_unable(format_args!("stat {name}/{file}"));
    let is_done = |stat: Stat| stat.is_plain && stat.mode & DONE_BIT != 0;
    if has_given_up_file && stat(PREVIOUS)?.is_none() && stat(PROCESSED)?.is_some_and(is_done) {
        // All that is left of the file that the finisher gave up.
        archive(place, Candidate::safe(PROCESSED), patience)?;
    }
    match directory.rename_to_new(CURRENT, PREVIOUS) {
        Err(Errno::EEXIST) => {
            // A previous that is not ours to overwrite: left by a stranger beside a clean current, or by the finisher
            // when the logger began to exit. What a processor has made of it is not to become an archive too.
            place.remove(PROCESSED).or_unable(format_args!("remove {name}/processed"))?;
            archive(place, Candidate::unfinished(PREVIOUS), patience)?;
            directory.rename_to_new(CURRENT, PREVIOUS)
        }
        answer => answer,
    }
    .or_unable(format_args!("rename current to previous in directory {name}"))
}
