//! Archives: the names that finished files get.
//!
//! A file becomes an archive by a second name, `@label.s` or `@label.u`, and the loss of its first. A crash between the
//! two leaves a file with two links, of which only the first name has to go: so the step can be repeated and never makes
//! two archives of one file.
//!
//! Names are strictly increasing whatever the clock does: the label is that of now, or one nanosecond after the newest
//! label in the directory if that is later. The directory's [`Place`] remembers the newest label that was given, as what a
//! look showed may be older: meanwhile the engine may have made an archive of a stranger's file.

use crate::logdir::archive_name::Code;
use crate::logdir::archive_name::Name;
use crate::logdir::archive_name::is_archive_name;
use crate::multilog::error::Error;
use crate::multilog::patience::Patience;
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::place::Place;
use crate::multilog::writer::trim::{Shelf, Survey};
use crate::sys::Errno;

/// Makes an archive of a file and removes archives beyond `files_max`; where very many are too many, some of them. A file
/// that is not there has been archived before. May be called again after a failure.
pub fn archive<D: Directory>(
    place: &Place<D>,
    file: &str,
    code: Code,
    files_max: u64,
    patience: &mut impl Patience,
) -> Result<(), Error> {
    archive_on(&mut Shelf::new(files_max), place, file, code, patience)
}

/// The same, with a shelf that knows afterwards whether more archives have to go.
pub fn archive_on<D: Directory>(
    shelf: &mut Shelf,
    place: &Place<D>,
    file: &str,
    code: Code,
    patience: &mut impl Patience,
) -> Result<(), Error> {
    let Place { name: shown, directory, .. } = place;
    let stat =
        directory.stat(file).map_err(|errno| Error::new(format_args!("unable to stat {shown}/{file}"), errno))?;
    let Some(stat) = stat else { return Ok(()) };
    let survey = shelf.look(place, patience)?;
    let made = if stat.links > 1 && has_archive(place, stat.identity, &survey)? {
        // The second name was given before a crash.
        remove(place, file)?;
        None
    } else {
        Some(give_name(place, file, code, &survey)?)
    };
    shelf.remember(place, survey, made, patience);
    Ok(())
}

/// Tells whether one of the archives is this file: any other second name is somebody else's.
fn has_archive<D: Directory>(place: &Place<D>, identity: (u64, u64), survey: &Survey) -> Result<bool, Error> {
    let is_it = |name: &[u8]| {
        let Ok(name) = std::str::from_utf8(name) else { return Ok(false) };
        place
            .directory
            .stat(name)
            .map(|stat| stat.is_some_and(|stat| stat.identity == identity))
            .map_err(|errno| Error::new(format_args!("unable to stat {}/{name}", place.name), errno))
    };
    // The name that was given last before a crash is the newest.
    if let Some((_, newest)) = &survey.newest
        && is_it(newest)?
    {
        return Ok(true);
    }
    let mut answer = Ok(false);
    let mut see = |name: &[u8], is_plain: bool| {
        if is_plain && is_archive_name(name) {
            answer = is_it(name);
        }
        matches!(answer, Ok(false))
    };
    let unable = |errno| Error::new(format_args!("unable to read {}", place.name), errno);
    place.directory.visit(&mut see).map_err(unable)?;
    answer
}

/// Gives the file its name and takes the first one away, with the new one on the disk before that.
fn give_name<D: Directory>(place: &Place<D>, file: &str, code: Code, survey: &Survey) -> Result<Name, Error> {
    let Place { name: shown, directory, .. } = place;
    let mut label = place.give_label(survey.newest.as_ref().map(|(newest, _)| *newest));
    loop {
        let name = Name { label, code };
        let path = name.to_string();
        let answer = match directory.link(file, &path) {
            // A file system without hard links, or a file of somebody else's that the kernel protects from them.
            Err(Errno::EPERM | Errno::EOPNOTSUPP | Errno::EMLINK) => directory.rename_to_new(file, &path),
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
            (Err(errno), _) => {
                return Err(Error::new(format_args!("unable to link to {shown}/{path}"), errno));
            }
        }
    }
}

fn sync_names<D: Directory>(place: &Place<D>) -> Result<(), Error> {
    let Place { name: shown, directory, .. } = place;
    directory.sync().map_err(|errno| Error::new(format_args!("unable to write {shown} to disk"), errno))
}

fn remove<D: Directory>(place: &Place<D>, file: &str) -> Result<(), Error> {
    let Place { name: shown, directory, .. } = place;
    match directory.unlink(file.as_bytes()) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(Error::new(format_args!("unable to remove {shown}/{file}"), errno)),
    }
}
