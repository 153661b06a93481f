//! Alerts: selected lines are written to standard error.
//!
//! A line of more than 200 bytes is shown by its first 200 and three dots.

use crate::cli::standard_error;

/// What is shown of a long line.
const SHOWN_BYTES: usize = 200;

/// Adds the alert for a line, of which `seen` and the stamp are what selectors see.
pub fn push(alerts: &mut Vec<u8>, stamp: &[u8], seen: &[u8]) {
    let start = alerts.len();
    alerts.extend_from_slice(stamp);
    alerts.extend_from_slice(seen);
    if alerts.len() - start > SHOWN_BYTES {
        alerts.truncate(start + SHOWN_BYTES);
        alerts.extend_from_slice(b"...");
    }
    alerts.push(b'\n');
}

/// Prints alerts on standard error, several whole lines in one write if the write is atomic.
///
/// If standard error is closed or full, the logging continues and the alerts are [dropped](crate::cli::standard_error).
pub fn write(alerts: &[u8]) {
    if !alerts.is_empty() {
        standard_error::print_alerts(alerts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_the_line_or_its_first_200_bytes_and_dots() {
        let mut alerts = Vec::new();

        push(&mut alerts, b"@stamp ", &[b'x'; 193]);
        push(&mut alerts, b"@stamp ", &[b'x'; 194]);

        let lines: Vec<&[u8]> = alerts.split_inclusive(|&byte| byte == b'\n').collect();
        assert_eq!((lines[0].len(), lines[1].len()), (201, 204));
        assert!(lines[1].ends_with(b"x...\n"));
    }
}
