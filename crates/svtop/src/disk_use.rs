//! How much room the files of a log directory take.

use std::time::{Duration, Instant};

use logyard::logdir::names::{PREVIOUS, PROCESSED};
use logyard::sys::Result;
use logyard::sys::clock::UnixTime;
use logyard::sys::dir::Dir;
use logyard::sys::stat::Stat;

/// A directory is listed at most for this part of the time: one with very many archives takes long.
const LISTING_SHARE: u32 = 50;

/// The sizes of the files of a directory.
#[derive(Debug, Default)]
pub(crate) struct DiskUse {
    /// All files but `current`, and when the directory was last changed before they were listed.
    others: Option<(u64, UnixTime)>,
    current_bytes: u64,
    /// The next listing is not before this.
    not_before: Option<Instant>,
}

impl DiskUse {
    /// Adds up the sizes again, as far as they may have changed. `current` is the file of that name.
    pub(crate) fn look(&mut self, dir: &Dir, current: Result<Option<Stat>>, now: Instant) {
        if let Ok(current) = current {
            self.current_bytes = current.map_or(0, |stat| stat.size_bytes);
        }
        let Ok(changed) = dir.changed() else { return };
        let is_known = self.others.is_some_and(|(_, before)| before == changed);
        if is_known || self.not_before.is_some_and(|time| now < time) {
            return;
        }
        if let Ok(bytes) = add_up(dir) {
            self.others = Some((bytes, changed));
        }
        let end = Instant::now();
        self.not_before =
            Some(end + end.duration_since(now).saturating_mul(LISTING_SHARE).min(Duration::from_secs(60)));
    }

    /// The bytes of all files; `None` if the directory could not be read.
    pub(crate) fn bytes(&self) -> Option<u64> {
        self.others.map(|(bytes, _)| bytes.saturating_add(self.current_bytes))
    }
}

fn add_up(dir: &Dir) -> Result<u64> {
    let mut bytes = 0_u64;
    dir.visit(&mut |name, is_plain| {
        let counts = name.starts_with(b"@") || name == PREVIOUS.as_bytes() || name == PROCESSED.as_bytes();
        if counts
            && is_plain
            && let Ok(Some(stat)) = dir.stat(name)
        {
            bytes = bytes.saturating_add(stat.size_bytes);
        }
        true
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::{Workdir, until};

    #[test]
    fn archives_and_current_count() {
        let workdir = Workdir::new();
        let dir = Dir::reach(workdir.path()).unwrap();
        let look = |disk_use: &mut DiskUse| disk_use.look(&dir, dir.stat(b"current"), Instant::now());
        let mut disk_use = DiskUse::default();
        assert_eq!(disk_use.bytes(), None);
        for (name, length) in
            [("@400000006b0ccb4739873a5b.s", 100), ("previous", 20), ("current", 3), ("journal", 9000)]
        {
            std::fs::write(workdir.join(name), vec![b'x'; length]).unwrap();
        }
        look(&mut disk_use);
        assert_eq!(disk_use.bytes(), Some(123));

        std::fs::write(workdir.join("current"), vec![b'x'; 7]).unwrap();
        look(&mut disk_use);
        assert_eq!(disk_use.bytes(), Some(127));

        std::fs::remove_file(workdir.join("previous")).unwrap();
        until("the listing is new", || {
            look(&mut disk_use);
            disk_use.bytes() == Some(107)
        });
    }
}
