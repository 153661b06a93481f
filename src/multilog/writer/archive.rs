//! Gives finished files their names as archives.
//!
//! A file becomes an archive when it gets a second name, `@label.s` or `@label.u`, and loses its first. A crash between
//! the two steps leaves a file with two names, and only the first has to be removed. So the step can be repeated, and
//! never makes two archives of one file.
//!
//! Names are strictly increasing whatever the clock does: the label is that of now, or one nanosecond after the newest
//! label in the directory if that is later. The directory's [`Place`] remembers the newest label that was given: the
//! engine may have archived another process's file since the last look at the directory.

use crate::logdir::archive_name::{Code, Name, is_archive_name};
use crate::multilog::error::{Error, ResultExt};
use crate::multilog::patience::Patience;
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::place::Place;
use crate::multilog::writer::survey::Survey;
use crate::multilog::writer::trim::Trimmer;
use crate::sys::Errno;
use crate::sys::stat::Stat;

/// A file that is to become an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub file: &'static str,
    /// What the archive's name says of it.
    pub code: Code,
}

impl Candidate {
    /// A file that is complete and on the disk.
    #[must_use]
    pub fn safe(file: &'static str) -> Candidate {
        Candidate { file, code: Code::Safe }
    }

    /// A file that an outage may have cut short.
    #[must_use]
    pub fn unfinished(file: &'static str) -> Candidate {
        Candidate { file, code: Code::Unfinished }
    }
}

/// Makes an archive of a file and removes the oldest archives if there are too many; of very many, only some. A file that
/// does not exist has been archived before. The call may be repeated after a failure.
pub fn archive<D: Directory>(
    place: &Place<D>,
    candidate: Candidate,
    patience: &mut impl Patience,
) -> Result<(), Error> {
    archive_on(&mut Trimmer::default(), place, candidate, patience)
}

/// The same; afterwards `trimmer` knows whether there are more surplus archives.
pub fn archive_on<D: Directory>(
    trimmer: &mut Trimmer,
    place: &Place<D>,
    candidate: Candidate,
    patience: &mut impl Patience,
) -> Result<(), Error> {
    let Candidate { file, .. } = candidate;
    let stat = place.directory.stat(file).or_unable(format_args!("stat {}/{file}", place.name))?;
    let Some(stat) = stat else { return Ok(()) };
    let mut survey = trimmer.look(place, patience)?;
    if has_archive(place, stat, &survey)? {
        // The second name was given before a crash.
        remove(place, file)?;
    } else {
        survey.add(give_name(place, candidate, &survey)?, stat.size_bytes);
    }
    trimmer.remember(place, survey, patience);
    Ok(())
}

/// Tells whether one of the archives is this file: any other second name is somebody else's.
fn has_archive<D: Directory>(place: &Place<D>, file: Stat, survey: &Survey) -> Result<bool, Error> {
    let is_it = |name: &[u8]| {
        let Ok(name) = std::str::from_utf8(name) else { return Ok(false) };
        let stat = place.directory.stat(name).or_unable(format_args!("stat {}/{name}", place.name))?;
        // The size too: there are FUSE file systems that give several files one number.
        Ok(stat.is_some_and(|stat| stat.identity == file.identity && stat.size_bytes == file.size_bytes))
    };
    // The name that was given last before a crash is the newest. It is compared whatever the number of links is: on FUSE
    // the kernel remembers an old number for up to a second.
    if let Some((_, newest)) = &survey.newest
        && is_it(newest)?
    {
        return Ok(true);
    }
    if file.links <= 1 {
        return Ok(false);
    }
    let mut answer = Ok(false);
    let mut see = |name: &[u8], is_plain: bool| {
        if is_plain && is_archive_name(name) {
            answer = is_it(name);
        }
        matches!(answer, Ok(false))
    };
    place.directory.visit(&mut see).or_unable(format_args!("read {}", place.name))?;
    answer
}

/// Gives the file its name and takes the first one away, with the new one on the disk before that.
fn give_name<D: Directory>(place: &Place<D>, candidate: Candidate, survey: &Survey) -> Result<Name, Error> {
    let Place { name: shown, directory, .. } = place;
    let Candidate { file, code } = candidate;
    let mut label = place.give_label(survey.newest.as_ref().map(|(newest, _)| *newest));
    loop {
        let name = Name { label, code };
        let path = name.to_string();
        let answer = match directory.link(file, &path) {
            // A file system without hard links, or a file of somebody else's that the kernel protects from them.
            Err(Errno::EPERM | Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EMLINK) => {
                directory.rename_to_new(file, &path)
            }
            Ok(()) => {
                sync_names(place)?;
                remove(place, file)?;
                return Ok(name);
            }
            answer => answer,
        };
        match (answer, label.next()) {
            (Ok(()), _) => {
                sync_names(place)?;
                return Ok(name);
            }
            (Err(Errno::EEXIST), Some(_)) => label = place.give_label(Some(label)),
            (Err(errno), _) => return Err(Error::unable(format_args!("link to {shown}/{path}"), errno)),
        }
    }
}

fn sync_names<D: Directory>(place: &Place<D>) -> Result<(), Error> {
    place.directory.sync().or_unable(format_args!("write {} to disk", place.name))
}

fn remove<D: Directory>(place: &Place<D>, file: &str) -> Result<(), Error> {
    place.remove(file).or_unable(format_args!("remove {}/{file}", place.name))
}
