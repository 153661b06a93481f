//! The limits on the archives of a log directory, as the script gives them. The strictest one decides.

use std::time::Duration;

/// How many archives `F` leaves if it does not name a number.
pub const ARCHIVES_LEFT_DEFAULT: u64 = 2;
/// How often at least a directory with limits beyond a number is checked, and how often at most.
const CHECK_LONGEST: Duration = Duration::from_secs(60);
const CHECK_SHORTEST: Duration = Duration::from_secs(1);
/// How often free space is checked: another program may fill the disk quickly.
const CHECK_OF_SPACE: Duration = Duration::from_secs(10);
/// An age is checked so many times before it is reached: archives stay at most an eighth longer.
const CHECKS_PER_AGE: u32 = 8;

/// What may stay in a log directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many files are kept, current included; at least 2.
    pub files_max: u64,
    /// How many bytes all archives may have together. The rest of `S` is for current.
    pub archive_bytes_max: Option<u64>,
    /// How old an archive may become.
    pub age_max: Option<Duration>,
    /// How much of the file system is to stay free.
    pub free: Option<FreeSpace>,
    /// How many bytes the archives may have that stay beyond the other limits because they are not shipped. Free space has
    /// precedence.
    pub held_bytes_max: Option<u64>,
}

/// The space that is to stay free on the file system of a log directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeSpace {
    /// How much.
    pub least: Amount,
    /// How many archives stay in any case, as another program may fill the disk; at least 1.
    pub archives_left: u64,
}

/// A part of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// So many bytes.
    Bytes(u64),
    /// So many percent of what everybody may use: 0 to 100.
    Percent(u64),
}

impl Limits {
    /// Only a number of files, current included.
    #[must_use]
    pub const fn of_number(files_max: u64) -> Limits {
        Limits { files_max, archive_bytes_max: None, age_max: None, free: None, held_bytes_max: None }
    }

    /// How often the directory is checked although nothing is rotated; `None` if only a rotation can exceed a limit.
    #[must_use]
    pub fn check_interval(&self) -> Option<Duration> {
        let bytes = self.archive_bytes_max.map(|_| CHECK_LONGEST);
        let age = self.age_max.map(|age| (age / CHECKS_PER_AGE).clamp(CHECK_SHORTEST, CHECK_LONGEST));
        let free = self.free.map(|_| CHECK_OF_SPACE);
        // An archive that has been shipped is no longer held.
        let held = self.held_bytes_max.map(|_| CHECK_LONGEST);
        [bytes, age, free, held].into_iter().flatten().min()
    }
}

impl Amount {
    /// How many bytes that is of a file system that has `total_bytes`.
    #[must_use]
    pub fn of(self, total_bytes: u64) -> u64 {
        match self {
            Amount::Bytes(bytes) => bytes,
            // Not first multiplied: that would overflow on a file system of some hundred petabytes.
            Amount::Percent(percent) => total_bytes / 100 * percent + total_bytes % 100 * percent / 100,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_with_a_number_only_is_never_checked_between_rotations() {
        assert_eq!(Limits::of_number(10).check_interval(), None);
    }

    #[test]
    fn the_shortest_interval_of_all_limits_counts() {
        let limits = Limits { archive_bytes_max: Some(1), ..Limits::of_number(10) };
        assert_eq!(limits.check_interval(), Some(CHECK_LONGEST));
        let month = Limits { age_max: Some(Duration::from_secs(30 * 86_400)), ..limits };
        assert_eq!(month.check_interval(), Some(CHECK_LONGEST));
        let moment = Limits { age_max: Some(Duration::from_secs(16)), ..limits };
        assert_eq!(moment.check_interval(), Some(Duration::from_secs(2)));
        let free = FreeSpace { least: Amount::Percent(10), archives_left: 2 };
        assert_eq!(Limits { free: Some(free), ..limits }.check_interval(), Some(CHECK_OF_SPACE));
    }

    #[test]
    fn percents_are_exact_and_do_not_overflow() {
        assert_eq!(Amount::Percent(10).of(1999), 199);
        assert_eq!(Amount::Percent(100).of(u64::MAX), u64::MAX);
        assert_eq!(Amount::Bytes(7).of(1), 7);
    }
}
