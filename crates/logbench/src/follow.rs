//! When each line could first be read in `current`.
//!
//! The directory is watched, and `current` read on each event: that costs the logger a little and all loggers the same. A
//! file that is renamed is read to its end before the new `current` is opened.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use memchr::memchr_iter;

use crate::feed::Written;
use crate::statistics::percentile;
use logyard::sys::inotify::Notifier;
use logyard::sys::poll;

/// How long to wait for an event before `current` is read without one.
const PATIENCE: Duration = Duration::from_millis(1);

/// Lines that could be read, counted from the first, and the moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    lines: u64,
    at: Instant,
}

/// From the write of a line to the moment when it could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Latency {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) max: Duration,
}

impl Latency {
    /// Of all lines; `None` if not each of them was seen.
    pub(crate) fn between(written: &[Written], seen: &[Seen]) -> Option<Latency> {
        let lines = written.last()?.lines;
        if seen.last()?.lines != lines {
            return None;
        }
        let mut latencies = Vec::new();
        let (mut writes, mut sights) = (written.iter().peekable(), seen.iter().peekable());
        for line in 1..=lines {
            while writes.next_if(|write| write.lines < line).is_some() {}
            while sights.next_if(|sight| sight.lines < line).is_some() {}
            latencies.push(sights.peek()?.at.saturating_duration_since(writes.peek()?.at));
        }
        latencies.sort_unstable();
        let [p50, p99, max] = [50, 99, 100].map(|hundredths| percentile(&latencies, hundredths));
        Some(Latency { p50, p99, max })
    }
}

/// Reads along in a log directory that may not be there yet, until `is_over` is set and all has been read.
pub(crate) fn follow(directory: &Path, is_over: &AtomicBool) -> Vec<Seen> {
    let current = directory.join("current");
    let mut reading = Reading { file: None, lines: 0, seen: Vec::new(), room: vec![0; 64 * 1024] };
    let notifier = loop {
        let notifier = Notifier::new().ok();
        if let Some(notifier) = notifier.filter(|notifier| notifier.watch(directory).is_ok()) {
            break notifier;
        }
        if is_over.load(Ordering::Acquire) {
            return vec![];
        }
        std::thread::sleep(PATIENCE);
    };
    loop {
        let was_over = is_over.load(Ordering::Acquire);
        reading.read(&current);
        if was_over {
            return reading.seen;
        }
        let _ = poll::readable([notifier.as_fd()], Some(PATIENCE));
        let _ = notifier.take();
    }
}

/// The file that is `current`, or was.
struct Reading {
    file: Option<File>,
    lines: u64,
    seen: Vec<Seen>,
    room: Vec<u8>,
}

impl Reading {
    fn read(&mut self, current: &Path) {
        loop {
            let named = std::fs::metadata(current).ok().map(|file| file.ino());
            self.read_to_end();
            let open = self.file.as_ref().and_then(|file| file.metadata().ok()).map(|file| file.ino());
            if named.is_none() || named == open {
                return;
            }
            // What was renamed has all that it will ever have; what was written before the renaming has been read by now.
            self.read_to_end();
            self.file = File::open(current).ok();
            if self.file.is_none() {
                return;
            }
        }
    }

    fn read_to_end(&mut self) {
        let Some(file) = &mut self.file else { return };
        while let Ok(count @ 1..) = file.read(&mut self.room) {
            let at = Instant::now();
            self.lines += memchr_iter(b'\n', &self.room[..count]).count() as u64;
            self.seen.push(Seen { lines: self.lines, at });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_the_latency_of_its_write_and_its_sight() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let written = [Written { lines: 2, at: at(0) }, Written { lines: 3, at: at(10) }];
        let seen = [Seen { lines: 1, at: at(1) }, Seen { lines: 3, at: at(15) }];

        let latency = Latency::between(&written, &seen).unwrap();

        assert_eq!((latency.p50, latency.max), (Duration::from_millis(5), Duration::from_millis(15)));
        assert_eq!(Latency::between(&written, &seen[..1]), None);
    }
}
