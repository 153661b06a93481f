//! Which kernel runs: for faults that no call tells of.

/// The first two numbers of the kernel's version; `None` if it does not tell.
#[must_use]
pub(crate) fn version() -> Option<(u32, u32)> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    let mut numbers = release.split(|other: char| !other.is_ascii_digit()).map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}
