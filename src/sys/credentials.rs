//! The user and the groups of this process.

use nix::unistd::{Gid, Uid, getgroups, getresgid, getresuid};

use crate::sys::Result;

/// Gives the process these groups and no others; the first becomes its group id.
pub fn set_groups(groups: &[u32]) -> Result<()> {
    let groups: Vec<Gid> = groups.iter().map(|&group| Gid::from_raw(group)).collect();
    nix::unistd::setgroups(&groups)?;
    groups.first().map_or(Ok(()), |&group| nix::unistd::setgid(group))
}

/// Gives the process to a user; for root, for good.
pub fn set_user(user: u32) -> Result<()> {
    nix::unistd::setuid(Uid::from_raw(user))
}

/// Whether the process is this user's in every respect, with exactly these groups.
pub fn is(user: u32, groups: &[u32]) -> Result<bool> {
    let users = getresuid()?;
    let first_groups = getresgid()?;
    // The kernel keeps them sorted.
    let mut all_groups: Vec<u32> = getgroups()?.into_iter().map(Gid::as_raw).collect();
    let mut wanted = groups.to_vec();
    all_groups.sort_unstable();
    wanted.sort_unstable();
    Ok([users.real, users.effective, users.saved].iter().all(|id| id.as_raw() == user)
        && [first_groups.real, first_groups.effective, first_groups.saved]
            .iter()
            .all(|id| Some(&id.as_raw()) == groups.first())
        && all_groups == wanted)
}

/// Tries to become root, and says whether that worked. Where it did, the process must not run anything more.
#[must_use]
pub fn can_become_root() -> bool {
    nix::unistd::setuid(Uid::from_raw(0)).is_ok()
}

/// Tells whether the process may do what its user may not: it is root's, or runs with another's rights.
#[must_use]
pub fn has_special_rights() -> bool {
    let (user, group) = (nix::unistd::geteuid(), nix::unistd::getegid());
    user.is_root() || user != nix::unistd::getuid() || group != nix::unistd::getgid()
}
