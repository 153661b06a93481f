//! The command that reads a log: `ssh -- HOST 'exec readlog ...'`, or this program itself for a directory of this host.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::Command;

use crate::arguments::Request;
use crate::filter::Pattern;
use crate::hosts::address::Address;
use crate::time_scale::TimeScale;

/// The program that is run, unless the user names another. A host that does not answer must not hold up the others for minutes.
const SSH: &str = "ssh -o ConnectTimeout=15";
/// The variable that names another.
const SSH_VARIABLE: &str = "LOGYARD_SSH";
/// This program, even if its file has been replaced.
const OURSELVES: &str = "/proc/self/exe";

/// The command that reads a path on another host. Every argument is quoted for the shell there.
pub(super) fn on_host(request: &Request, address: &Address) -> Result<Command, String> {
    let given = request.ssh.clone().or_else(|| std::env::var_os(SSH_VARIABLE)).unwrap_or_else(|| SSH.into());
    let words = shlex::bytes::split(given.as_bytes()).filter(|words| !words.is_empty());
    let Some(words) = words else {
        return Err(format!("unable to understand the ssh command '{}'", logyard::cli::Shown(given.as_bytes())));
    };
    let mut words = words.into_iter().map(OsString::from_vec);
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).arg("--").arg(address.ssh_host());
    let arguments = arguments(request, &address.path);
    let readlog = [OsStr::new("exec"), OsStr::new("readlog")].into_iter().chain(arguments.iter().map(|word| &word[..]));
    let line = shlex::bytes::try_join(readlog.map(OsStrExt::as_bytes)).map_err(|error| error.to_string())?;
    command.arg(OsString::from_vec(line));
    Ok(command)
}

/// The command that reads a path on this host.
pub(super) fn here(request: &Request, path: &[u8]) -> Command {
    let mut command = Command::new(OURSELVES);
    command.args(arguments(request, path));
    command
}

/// The arguments of readlog at the other end: what selects lines. How they are shown is not its business.
fn arguments(request: &Request, path: &[u8]) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::new();
    let mut add = |word: String| words.push(word.into());
    add("--announce".to_owned());
    add("--output=tai64n".to_owned());
    add("--service=never".to_owned());
    add("--color=never".to_owned());
    add("--no-pager".to_owned());
    // As labels: the other end may be in another time zone, and minutes ago are minutes before now, here.
    for (option, moment) in [("since", request.filter.window.since), ("until", request.filter.window.until)] {
        if let Some(label) = moment {
            add(format!("--{option}={label}"));
        }
    }
    for (option, lines) in [
        ("lines", request.lines_max),
        ("before-context", Some(request.surroundings.before).filter(|lines| *lines > 0)),
        ("after-context", Some(request.surroundings.after).filter(|lines| *lines > 0)),
    ] {
        if let Some(lines) = lines {
            add(format!("--{option}={lines}"));
        }
    }
    if let Some(pattern) = &request.filter.pattern {
        add(format!("--grep={}", pattern.text()));
        add(if pattern.ignores_case() { "--ignore-case" } else { "--case-sensitive" }.to_owned());
    }
    for (option, is_set) in [
        ("invert-match", request.filter.pattern.as_ref().is_some_and(Pattern::is_inverted)),
        ("reverse", request.is_reversed),
        ("follow", request.follows),
        ("tai=real", request.scale == TimeScale::Real),
        ("utc", request.is_utc),
        ("quiet", request.is_quiet),
    ] {
        if is_set {
            add(format!("--{option}"));
        }
    }
    add("--".to_owned());
    words.push(OsString::from_vec(path.to_vec()));
    words
}
