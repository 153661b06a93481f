//! Numbers of bytes as a person reads them.

/// What a size is counted in, from 1024 of the unit before it on.
const UNITS: [&str; 6] = ["B", "K", "M", "G", "T", "P"];

/// A size with one decimal, in a unit that makes it readable.
///
/// ```
/// # use logyard::cli::size::human;
/// assert_eq!([human(999), human(99_999_999)], ["999B", "95.4M"]);
/// ```
#[must_use]
pub fn human(bytes: u64) -> String {
    let mut unit = 0;
    let mut size = bytes as f64;
    // 1023.95 would be shown as 1024.0.
    while size >= 1023.95 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes}{}", UNITS[0]) } else { format!("{size:.1}{}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_readable() {
        for (bytes, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.0K"),
            (1536, "1.5K"),
            (1_048_575, "1.0M"),
            (99_999_999, "95.4M"),
            (u64::MAX, "16384.0P"),
        ] {
            assert_eq!(human(bytes), text, "{bytes}");
        }
    }
}
