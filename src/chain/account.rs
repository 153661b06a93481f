//! Looks up an account: its user id and its groups.
//!
//! An account is a name, or numbers that need no looking up: `:uid:gid`, and further groups after more colons. A name is
//! looked for in `/etc/passwd` first and then with the system's name services, so that a local account costs one file
//! and is found whatever state they are in.

use std::fmt::{self, Display};

use crate::cli::{Exit, Program, Shown, cause};
use crate::sys::program::Arguments;
use crate::sys::{Errno, accounts};

use super::next::Next;

/// The ids that an account stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) user: u32,
    /// The first is the account's own group; there is always one.
    pub(super) groups: Vec<u32>,
}

/// Why there is no account.
#[derive(Clone, Copy, Debug)]
enum Error<'a> {
    /// Nobody knows it.
    Unknown(&'a [u8]),
    /// The local accounts cannot be read.
    Unreadable(Errno),
    /// The name services cannot be asked.
    Unasked(Errno),
}

impl Display for Error<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Error::Unknown(account) => write!(out, "unknown account {}", Shown(account)),
            Error::Unreadable(errno) => write!(out, "unable to read {}: {}", accounts::PASSWD, cause(errno)),
            Error::Unasked(errno) => write!(out, "unable to run {}: {}", accounts::GETENT, cause(errno)),
        }
    }
}

/// Reads the command line of a tool that is called with an account and a next program; otherwise the reason has been
/// said.
pub(super) fn read(program: Program, arguments: &Arguments) -> Result<(Account, Next<'_>), Exit> {
    let usage = || program.usage(format_args!("{} account child", program.0));
    let [_, account, command @ ..] = arguments else {
        return Err(usage());
    };
    let next = Next::new(command).ok_or_else(usage)?;
    let account = Account::look_up(account.to_bytes()).map_err(|error| program.fatal(error))?;
    Ok((account, next))
}

impl Account {
    /// Finds out who `account` is.
    fn look_up(account: &[u8]) -> Result<Account, Error<'_>> {
        if let Some(numbers) = account.strip_prefix(b":") {
            return numeric(numbers).ok_or(Error::Unknown(account));
        }
        let local = accounts::local().map_err(Error::Unreadable)?;
        if let Some(found) = local.and_then(|lines| find(&lines, account)) {
            return Ok(found);
        }
        let answer = accounts::from_name_services(account).map_err(Error::Unasked)?;
        // Asked for a number, the services answer with whose user id it is, which is not the question.
        answer.and_then(|lines| find(&lines, account)).ok_or(Error::Unknown(account))
    }
}

/// Reads `uid:gid:gid…`.
fn numeric(numbers: &[u8]) -> Option<Account> {
    let (user, groups) = split(numbers)?;
    let groups = groups.split(|&byte| byte == b':').map(id).collect::<Option<Vec<u32>>>()?;
    Some(Account { user: id(user)?, groups })
}

/// Finds an account in the form of `/etc/passwd`: `name:password:uid:gid:…`. A line without two numbers is no account.
fn find(lines: &[u8], name: &[u8]) -> Option<Account> {
    // A name with a colon would shift the fields.
    if name.is_empty() || name.contains(&b':') {
        return None;
    }
    lines.split(|&byte| byte == b'\n').find_map(|line| {
        let (_, rest) = split(line.strip_prefix(name)?.strip_prefix(b":")?)?;
        let (user, rest) = split(rest)?;
        let (group, _) = split(rest)?;
        Some(Account { user: id(user)?, groups: vec![id(group)?] })
    })
}

/// Splits at the first colon.
fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = text.iter().position(|&byte| byte == b':')?;
    Some((&text[..colon], &text[colon + 1..]))
}

/// Reads an id: digits, and not the one number that stands for "no change" in system calls.
fn id(digits: &[u8]) -> Option<u32> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let id = std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()?;
    (id != u32::MAX).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(user: u32, groups: &[u32]) -> Option<Account> {
        Some(Account { user, groups: groups.to_vec() })
    }

    #[test]
    fn a_name_is_found_as_a_whole() {
        let lines =
            b"qmailld:x:1:1::/:\n# qmaill:x:2:2::/:\nqmaill:x:7790:2107::/var/qmail:/bin/sh\nqmaill:x:3:3::/:\n";

        assert_eq!(find(lines, b"qmaill"), account(7790, &[2107]));
        assert_eq!(find(lines, b"qmail"), None);
        assert_eq!(find(lines, b"x"), None);
    }

    #[test]
    fn a_line_without_ids_is_no_account() {
        let lines =
            b"::0:0::/:\n+::::::\na:x:0\na:x:0:\na:x::0:\nb:x:-2:0::\nc:x:4294967295:0::\nd:x:0x1:0:\ne:x:+1:0:\nf:x:1:2:3:\n:";

        for name in [&b""[..], b"+", b"f:x", b"a", b"b", b"c", b"d", b"e"] {
            assert_eq!(find(lines, name), None, "{}", Shown(name));
        }
    }

    #[test]
    fn numbers_are_taken_as_they_are() {
        assert_eq!(numeric(b"1000:100"), account(1000, &[100]));
        assert_eq!(numeric(b"0:0:4:24"), account(0, &[0, 4, 24]));
        for bad in [&b""[..], b"1", b"1:", b":1", b"1:2:", b"1:-2", b"1:4294967295", b"root:root", b"1: 2"] {
            assert_eq!(numeric(bad), None, "{}", Shown(bad));
        }
    }
}
