//! The wall clock.

use nix::libc;
use std::mem::MaybeUninit;
use std::time::{Duration, SystemTime};

/// A moment by the system's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixTime {
    /// Seconds since 1970-01-01 00:00:00 UTC, negative before.
    pub seconds: i64,
    /// Nanoseconds into that second, below 1,000,000,000.
    pub nanoseconds: u32,
}

impl From<SystemTime> for UnixTime {
    fn from(time: SystemTime) -> UnixTime {
        let (is_before, distance) = match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => (false, after),
            Err(before) => (true, before.duration()),
        };
        let seconds = i64::try_from(distance.as_secs()).unwrap_or(i64::MAX);
        match (is_before, distance.subsec_nanos()) {
            (false, nanoseconds) => UnixTime { seconds, nanoseconds },
            (true, 0) => UnixTime { seconds: -seconds, nanoseconds: 0 },
            (true, nanoseconds) => UnixTime { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds },
        }
    }
}

/// Reads the wall clock.
///
/// By the C library's function and not by a system call of our own: it is answered without entering the kernel.
#[must_use]
pub fn now() -> UnixTime {
    read(libc::CLOCK_REALTIME)
}

/// Reads the clock that is never set, for deadlines; its zero is some moment in the past.
#[must_use]
pub fn monotonic() -> UnixTime {
    read(libc::CLOCK_MONOTONIC)
}

/// The time since the zero of [`monotonic`].
#[must_use]
pub fn uptime() -> Duration {
    let time = monotonic();
    Duration::new(time.seconds.unsigned_abs(), time.nanoseconds)
}

fn read(clock: libc::clockid_t) -> UnixTime {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the pointer is to a timespec of ours; the call fails only for a clock that does not exist, and both
    // clocks asked for exist on every Linux. The struct is plain numbers and fully written by a call that succeeded.
    let time = unsafe {
        assert_eq!(libc::clock_gettime(clock, time.as_mut_ptr()), 0, "a clock that every system has");
        time.assume_init()
    };
    // The C types differ from one machine to the next.
    #[allow(clippy::useless_conversion)]
    UnixTime {
        seconds: i64::from(time.tv_sec),
        nanoseconds: u32::try_from(time.tv_nsec).expect("the kernel keeps nanoseconds below a second"),
    }
}
