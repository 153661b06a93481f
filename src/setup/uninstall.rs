//! `--remove`: removes everything in the manifest, latest first.

use crate::cli::Messages;
use crate::setup::boot::Method;
use crate::setup::config_line;
use crate::setup::error::{Error, text};
use crate::setup::manifest::{ASIDE, Manifest, ManifestEntry};
use crate::setup::options::Options;
use crate::setup::report::Report;
use crate::setup::whole_file::split;
use crate::sys::dir::Dir;
use crate::sys::root_dir::Tree;
use crate::sys::{Errno, Result as Answer};

/// Removes the installation.
pub fn remove(tree: &Tree, options: &Options, report: &mut Report, messages: Messages) -> Result<(), String> {
    let record = Manifest::read(tree).map_err(text)?;
    if record.is_empty() {
        return Ok(());
    }
    let method = Method::of_record(&record);
    let stops = options.now && method.can_stop();
    if stops {
        report.say(format_args!("stop svscan now ({method})"));
        if !options.dry_run {
            method.stop().map_err(|command| format!("unable to stop svscan: {command} failed"))?;
        }
    }
    let mut failed = false;
    for entry in record.latest_first().filter(|entry| !matches!(entry, ManifestEntry::Directory(_))) {
        if let Err(error) = take_away(tree, entry, report) {
            messages.warn(error);
            failed = true;
        }
    }
    if failed {
        return Err("unable to remove everything: correct the cause and run it again".to_owned());
    }
    if !options.dry_run {
        Manifest::remove(tree).map_err(text)?;
    }
    for entry in record.latest_first().filter(|entry| matches!(entry, ManifestEntry::Directory(_))) {
        if let Err(error) = take_away(tree, entry, report) {
            messages.warn(error);
        }
    }
    if stops && !options.dry_run {
        method.forget().map_err(|command| format!("unable to stop svscan: {command} failed"))?;
    }
    if !stops && let Some(words) = method.stop_words() {
        report.note(format_args!("svscan runs until it is stopped ({method}): {words}"));
    }
    Ok(())
}

fn take_away(tree: &Tree, entry: &ManifestEntry, report: &mut Report) -> Result<(), Error> {
    let (parent, name) = split(entry.path());
    match tree.dir(parent) {
        Ok(dir) => undo(&dir, name, entry, report).map_err(Error::at("remove", entry.path())),
        Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(Error::at("read", parent)(errno)),
    }
}

/// Undoes one entry. A resource that is missing or was changed since belongs to the administrator, and is not touched.
fn undo(dir: &Dir, name: &[u8], entry: &ManifestEntry, report: &mut Report) -> Answer<()> {
    let path = entry.path();
    let is_dry = report.is_dry;
    if let ManifestEntry::Moved(_) = entry {
        let aside = [name, ASIDE.as_bytes()].concat();
        if dir.stat(&aside)?.is_some() {
            report.say(format_args!("move {path}{ASIDE} to {path}"));
            return if is_dry { Ok(()) } else { dir.rename_to_new(&aside, name) };
        }
        return Ok(());
    }
    let Some(stat) = dir.stat(name)? else { return Ok(()) };
    match entry {
        ManifestEntry::File(_) | ManifestEntry::Link(..) => {
            let is_ours = match entry {
                ManifestEntry::Link(_, target) => dir.read_link(name)?.as_deref() == Some(target.as_bytes()),
                _ => stat.is_plain,
            };
            if !is_ours {
                report.note(format_args!("keeping {path}: it was changed or replaced"));
                return Ok(());
            }
            report.say(format_args!("remove {path}"));
            if is_dry { Ok(()) } else { dir.unlink(name) }
        }
        ManifestEntry::Line(_, line) if !config_line::has(dir, name, line)? => {
            report.note(format_args!("keeping {path}: it was changed or replaced"));
            Ok(())
        }
        ManifestEntry::Line(_, line) => {
            report.say(format_args!("remove from {path}: {line}"));
            if is_dry { Ok(()) } else { config_line::remove(dir, name, line).map(drop) }
        }
        ManifestEntry::Directory(_) if is_dry => {
            report.say(format_args!("remove directory {path} if it is empty"));
            Ok(())
        }
        ManifestEntry::Directory(_) => match dir.remove_dir(name) {
            Ok(()) => {
                report.say(format_args!("remove directory {path}"));
                Ok(())
            }
            Err(Errno::ENOTEMPTY | Errno::EEXIST) => {
                report.note(format_args!("keeping {path}: directory not empty"));
                Ok(())
            }
            Err(errno) => Err(errno),
        },
        ManifestEntry::Moved(_) => Ok(()),
    }
}
