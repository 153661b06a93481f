//! Trimming: the oldest archives go when there are more files than asked for.
//!
//! The directory is read once for each rotation, however many archives have to go. Only plain files are counted, and
//! only they are removed. One that cannot be removed is announced and left; it stops neither the others nor the logging.
//! The archive that was just made is never the one to go.

use crate::cli::Shown;
use crate::multilog::logdir::archive::{Name, is_archive_name};
use crate::multilog::logdir::{Directory, Entry, Patience, Place, Trouble};
use crate::sys::Errno;

/// Removes the oldest archives, so that with current there are no more than `files_max` files. `entries` was read before
/// `newest` was made.
pub fn trim<D: Directory>(
    place: &Place<D>,
    entries: Vec<Entry>,
    newest: Option<Name>,
    files_max: u64,
    patience: &mut impl Patience,
) -> Result<(), Trouble> {
    for name in victims(entries, newest.is_some(), files_max) {
        if patience.is_hurried() {
            // The rest goes at the next rotation.
            break;
        }
        match place.directory.unlink(&name) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => {
                let what = format_args!("unable to remove {}/{}", place.name, Shown(&name));
                patience.complain(&Trouble::new(what, errno));
            }
        }
    }
    Ok(())
}

/// Decides which archives go: the smallest names among the plain files.
fn victims(entries: Vec<Entry>, has_new_one: bool, files_max: u64) -> Vec<Vec<u8>> {
    let mut archives: Vec<Vec<u8>> = entries
        .into_iter()
        .filter(|entry| entry.is_plain && is_archive_name(&entry.name))
        .map(|entry| entry.name)
        .collect();
    // One of the files is current.
    let kept = usize::try_from(files_max - 1).unwrap_or(usize::MAX);
    let excess = (archives.len() + usize::from(has_new_one)).saturating_sub(kept);
    archives.sort_unstable();
    archives.truncate(excess);
    archives
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, is_plain: bool) -> Entry {
        Entry { name: name.into(), is_plain }
    }

    fn names(victims: &[Vec<u8>]) -> Vec<String> {
        victims.iter().map(|name| Shown(name).to_string()).collect()
    }

    #[test]
    fn current_and_n_minus_one_archives_stay() {
        let archives: Vec<Entry> =
            (0..5).rev().map(|number| entry(&format!("@40000000000000000000000{number}.s"), true)).collect();

        let gone = victims(archives.clone(), true, 4);

        assert_eq!(
            names(&gone),
            ["@400000000000000000000000.s", "@400000000000000000000001.s", "@400000000000000000000002.s"]
        );
        assert!(victims(archives, true, 7).is_empty());
    }

    #[test]
    fn what_is_no_plain_file_is_neither_counted_nor_removed() {
        let gone = victims(
            vec![
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
        assert_eq!(names(&victims(vec![entry("@zzzzzzzzzzzzzzzzzzzzzzzz.s", true)], true, 2)).len(), 1);
        assert!(victims(vec![], true, 2).is_empty());
    }
}
