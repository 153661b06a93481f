//! The accounts of the system: `/etc/passwd`, and the name services behind it.
//!
//! Not the C library's `getpwnam`: in a static program it loads the name services' shared objects into a process that
//! has no shared C library. Measured with glibc 2.36 and `passwd: files systemd`: an account that is not in the file
//! ends the program with SIGSEGV. `getent` asks the same services from a process made for it.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use nix::libc;

use crate::sys::{Errno, Result};

/// The local accounts, a line each.
pub const PASSWD: &str = "/etc/passwd";

/// The local groups, a line each.
pub const GROUPS: &str = "/etc/group";

/// By its path: this runs before privileges are dropped, when a `PATH` made for the program to be run must not choose.
pub const GETENT: &str = "/usr/bin/getent";

/// Reads the local accounts; `None` where there is no such file.
pub fn local() -> Result<Option<Vec<u8>>> {
    present(std::fs::read(PASSWD))
}

/// Reads the local groups; `None` where there is no such file.
pub fn local_groups() -> Result<Option<Vec<u8>>> {
    present(std::fs::read(GROUPS))
}

/// Asks all name services of an account, and returns what they answer, in the same form; nothing where the system has
/// no way of asking, and nothing, too, when none of them knows the account.
pub fn from_name_services(account: &[u8]) -> Result<Option<Vec<u8>>> {
    let mut getent = Command::new(GETENT);
    getent.args(["passwd", "--"]).arg(OsStr::from_bytes(account));
    // What the environment says is meant for another program.
    getent.env_clear().stdin(Stdio::inherit()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let Some(mut asked) = present(getent.spawn())? else {
        return Ok(None);
    };
    let mut answer = Vec::new();
    if let Some(mut output) = asked.stdout.take() {
        output.read_to_end(&mut answer).map_err(|error| errno(&error))?;
    }
    // How it ended says no more than its answer does, and cannot be learnt where SIGCHLD is ignored.
    let _ = asked.wait();
    Ok(Some(answer))
}

fn present<T>(answer: io::Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if errno(&error) == Errno::ENOENT => Ok(None),
        Err(error) => Err(errno(&error)),
    }
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}
