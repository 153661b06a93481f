//! `supervise/status`: the state of a service in 18 bytes.
//!
//! | bytes | meaning |
//! |---|---|
//! | 0–11 | when the process last changed, a TAI64N label |
//! | 12–15 | the number of the process, little-endian; 0: none |
//! | 16 | 1 if it was paused, else 0 |
//! | 17 | what is wanted: `u` up, `d` down, 0 until it ends |
//!
//! runit and daemontools-encore write more after these bytes, which is ignored.

use crate::supervise::state::Want;
use crate::sys::process::pid::Pid;
use crate::tai64n::Label;

/// The state of a service, as its supervisor last wrote it.
///
/// ```
/// use logyard::{supervise::{status::Status, state::Want}, tai64n::Label};
/// let status = Status { changed: Label::now(), process: Some(258.into()), is_paused: false, want: Want::Up };
/// assert_eq!(status.to_bytes()[12..], [2, 1, 0, 0, 0, b'u']);
/// assert_eq!(Status::from_bytes(&status.to_bytes()), Some(status));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// When the process last started or ended.
    pub changed: Label,
    /// The process, if there is one.
    pub process: Option<Pid>,
    /// Whether it was stopped with `svc -p`.
    pub is_paused: bool,
    /// What the administrator wants.
    pub want: Want,
}

impl Status {
    /// The length of the record.
    pub const BYTES: usize = 18;

    /// The record.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Status::BYTES] {
        let mut bytes = [0; Status::BYTES];
        bytes[..12].copy_from_slice(&self.changed.to_bytes());
        bytes[12..16].copy_from_slice(&self.process.map_or(0, Pid::number).to_le_bytes());
        bytes[16] = u8::from(self.is_paused);
        bytes[17] = match self.want {
            Want::Up => b'u',
            Want::Down => b'd',
            Want::Once => 0,
        };
        bytes
    }

    /// Reads a record; `None` when it is too short or begins with no label.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Status> {
        let record: &[u8; Status::BYTES] = bytes.first_chunk()?;
        let process = i32::from_le_bytes([record[12], record[13], record[14], record[15]]);
        Some(Status {
            changed: Label::from_bytes(*record.first_chunk()?).ok()?,
            process: (process != 0).then(|| Pid::new(process)),
            is_paused: record[16] != 0,
            want: match record[17] {
                b'u' => Want::Up,
                b'd' => Want::Down,
                _ => Want::Once,
            },
        })
    }

    /// The seconds since the last change; 0 if the clock was set back.
    #[must_use]
    pub fn age_seconds(&self) -> u64 {
        u64::try_from(Label::now().unix_seconds() - self.changed.unix_seconds()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_of_0_76_is_understood() {
        // Written by 0.76 for a service that is up and wanted up.
        let bytes = [0x40, 0, 0, 0, 0x6b, 2, 0x7e, 0xf6, 0x0b, 0x8b, 0x6b, 0xe4, 0x8b, 0x63, 0, 0, 0, b'u'];

        let status = Status::from_bytes(&bytes).expect("this is a record");

        assert_eq!((status.process, status.is_paused, status.want), (Some(Pid::new(25483)), false, Want::Up));
        assert_eq!(status.to_bytes(), bytes);
    }

    #[test]
    fn what_is_too_short_is_no_record() {
        assert_eq!(Status::from_bytes(&[0; 17]), None);
    }

    #[test]
    fn what_follows_the_record_is_left_alone() {
        let status = Status { changed: Label::now(), process: None, is_paused: true, want: Want::Once };
        let mut bytes = status.to_bytes().to_vec();
        bytes.extend(b"more");

        assert_eq!(Status::from_bytes(&bytes), Some(status));
    }
}
