//! The size policy: how full a file is, and where it may end. `multilog::batch` applies it to lines.

/// How near the largest size a file may end at a newline.
pub const NEWLINE_ZONE_BYTES: u64 = 2000;

/// How much of the largest size of `current` is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The bytes that are in `current`.
    pub filled_bytes: u64,
    /// The bytes that may be.
    pub size_max_bytes: u64,
}

impl Room {
    /// What may still be appended.
    #[must_use]
    pub fn left_bytes(self) -> u64 {
        self.size_max_bytes.saturating_sub(self.filled_bytes)
    }

    /// Tells whether the file may end here, when its last byte is a newline: in the last 2000 bytes.
    #[must_use]
    pub fn may_end_after_line(self) -> bool {
        self.filled_bytes >= self.size_max_bytes.saturating_sub(NEWLINE_ZONE_BYTES)
    }

    /// Tells whether the file is to be rotated: it is full, or it ends in a newline near its largest size.
    #[must_use]
    pub fn is_used_up(self, ends_in_newline: bool) -> bool {
        self.left_bytes() == 0 || (ends_in_newline && self.may_end_after_line())
    }

    /// The same file when it was, or will be, so full.
    #[must_use]
    pub fn at(self, filled_bytes: u64) -> Room {
        Room { filled_bytes, ..self }
    }

    /// The same file with `bytes` more in it.
    #[must_use]
    pub fn with(self, bytes: usize) -> Room {
        self.at(self.filled_bytes + bytes as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_used_up_when_full_or_when_a_line_ends_near_the_end() {
        let room = |filled_bytes| Room { filled_bytes, size_max_bytes: 4096 };

        assert!(!room(2095).is_used_up(true));
        assert!(room(2096).is_used_up(true));
        assert!(!room(4095).is_used_up(false));
        assert!(room(4096).is_used_up(false));
        assert!(room(5000).is_used_up(false), "taken over from a writer with a larger size");
    }
}
