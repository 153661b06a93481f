//! The ledger: how many lines were ever dropped from the memory, in a file that a kill and a stalled disk leave alone.
//!
//! The file is in `/dev/shm`, which is memory, so that it can be written to while no disk takes anything. It is named after the
//! first log directory. It holds sums that only grow; the journal notes how much of them the log counts. So a successor
//! knows what is missing in the log and not counted there.
//!
//! ```text
//! 0   "LOGDROP" and the version
//! 8   when the ledger was begun, as a label
//! 20  lines    28  bytes    36  1 if the two labels are there    37  when the first of those came that are not handed on
//! 49  when the last came
//! ```

use crate::multilog::withheld::tally::{TALLY_BYTES, Tally};
use crate::sys::dir::Dir;
use crate::sys::file::{File, process_user};
use crate::sys::stat::FileId;
use crate::sys::{Errno, Result, fd};
use crate::tai64n::Label;

/// Where ledgers are.
const PLACE: &[u8] = b"/dev/shm";
/// What every ledger begins with.
const MAGIC: &[u8; 8] = b"LOGDROP\x01";
const HEAD_BYTES: usize = 8 + 12;

/// An open ledger.
#[derive(Debug)]
pub struct Ledger {
    dir: Dir,
    name: String,
    file: File,
    /// When it was begun.
    id: Label,
}

/// How much of a ledger the log counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// When the ledger was begun.
    pub id: Label,
    /// Lines.
    pub lines: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Told {
    /// What a ledger says beyond this.
    #[must_use]
    pub fn missing_in(told: Option<Told>, id: Label, all: &Tally) -> Tally {
        let told = told.filter(|told| told.id == id).unwrap_or(Told { id, lines: 0, bytes: 0 });
        let (lines, bytes) = (all.lines.saturating_sub(told.lines), all.bytes.saturating_sub(told.bytes));
        Tally { lines, bytes, ..*all }
    }
}

impl Ledger {
    /// Opens the ledger of a log directory, or begins it, and says what is in it.
    pub fn open(home: FileId) -> Result<(Ledger, Tally)> {
        let dir = Dir::open(PLACE)?;
        let name = format!("multilog-{:x}-{:x}", home.device, home.inode);
        let file = dir.open_to_change(name.as_bytes(), 0o600)?;
        let stat = file.stat()?;
        // Everybody may put files there.
        if !stat.is_plain || stat.links != 1 || stat.owner != process_user() {
            return Err(Errno::EPERM);
        }
        let mut bytes = [0; HEAD_BYTES + TALLY_BYTES];
        let is_whole = file.read_at(0, &mut bytes)? == bytes.len();
        let (head, tally) = bytes.split_at(HEAD_BYTES);
        let id = head.strip_prefix(MAGIC).and_then(|id| Label::from_bytes(id.try_into().ok()?).ok());
        let tally = tally.try_into().ok().and_then(Tally::decode);
        if let (true, Some(id), Some(tally)) = (is_whole, id, tally) {
            return Ok((Ledger { dir, name, file, id }, tally));
        }
        let ledger = Ledger { dir, name, file, id: Label::now() };
        ledger.store(&Tally::default())?;
        Ok((ledger, Tally::default()))
    }

    /// When it was begun.
    #[must_use]
    pub fn id(&self) -> Label {
        self.id
    }

    /// Stores the sums, with one call: a kill leaves the old ones or these.
    pub fn store(&self, all: &Tally) -> Result<()> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.id.to_bytes());
        all.encode(&mut bytes);
        fd::rewind(&self.file)?;
        fd::write_all(&self.file, &bytes)
    }

    /// Removes it: the log counts everything.
    pub fn remove(&self) {
        let _ = self.dir.unlink(self.name.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_is_found_with_its_sums_until_it_is_removed() {
        // No file system has this number.
        let home = FileId::new(u64::MAX, u64::from(std::process::id()));
        let Ok((ledger, sums)) = Ledger::open(home) else { return };
        assert!(sums.is_empty());
        let mut dropped = Tally::default();
        dropped.add(3, 40, Label::now());
        ledger.store(&dropped).unwrap();
        let id = ledger.id();

        let (again, sums) = Ledger::open(home).unwrap();

        assert_eq!((again.id(), sums), (id, dropped));
        again.remove();
        let (new, sums) = Ledger::open(home).unwrap();
        assert!(new.id() != id && sums.is_empty());
        new.remove();
    }

    #[test]
    fn what_the_log_counts_is_not_missing() {
        let id = Label::now();
        let all = Tally { lines: 7, bytes: 70, came: Some([id; 2]) };
        let told = Told { id, lines: 5, bytes: 50 };
        assert_eq!(Told::missing_in(Some(told), id, &all), Tally { lines: 2, bytes: 20, ..all });
        assert_eq!(Told::missing_in(None, id, &all), all);
        assert_eq!(Told::missing_in(Some(told), id.next().unwrap(), &all), all);
    }
}
