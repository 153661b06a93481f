//! Settling: what a killed predecessor had begun to write is completed, before anything else is done in its directories.
//!
//! The journal says which bytes of the pipe it was writing. If they are still there, the same output is made of them
//! again, and what is not yet in each `current` is appended. If they are gone, all of them had been written. Where
//! anything does not agree (another pipe, another script, a file that somebody changed) nothing is touched: what is in the
//! files stays, and what is in the pipe is logged. A line that was torn then gets its newline.

use crate::multilog::batch::{Batch, OpenLine, Window};
use crate::multilog::input::Intake;
use crate::multilog::journal::{Entry, Extent, Journal, Memory, Origin, Record};
use crate::multilog::logdir::{CURRENT, Claim, Directory, LogFile, MODE_PRIVATE, Patience, Room, Trouble};
use crate::multilog::pausing::Pausing;
use crate::multilog::script::Script;

/// What became of a predecessor's last batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// None was begun that could be known of.
    Nothing,
    /// It is complete, and ended in this line if that is open: the next batch continues it.
    Complete(OpenLine),
    /// It cannot be completed: what was written of it stays as it is.
    Torn,
}

impl Settled {
    /// The line to continue.
    #[must_use]
    pub fn open_line(&self) -> Option<&OpenLine> {
        match self {
            Settled::Complete(line) if line.is_open => Some(line),
            _ => None,
        }
    }
}

/// Completes what the journal says was begun.
pub fn settle<D: Directory>(
    journal: &mut Journal<impl Memory>,
    origin: Origin,
    script: &Script,
    claims: &[Claim<D>],
    input: &mut impl Intake,
) -> Result<Settled, Trouble> {
    let Entry::Begun(record, is_consumed) = journal.entry() else { return Ok(Settled::Nothing) };
    if record.origin != origin || record.currents.len() != claims.len() {
        return Ok(if is_consumed { Settled::Nothing } else { Settled::Torn });
    }
    if !is_consumed {
        let unable = |errno| Trouble::new("unable to read standard input", errno);
        let bytes = input.peek_again(usize::try_from(record.input_bytes).unwrap_or(usize::MAX)).map_err(unable)?;
        let is_settled = complete(&record, bytes.clone(), script, claims, input)?;
        if is_settled {
            // If they are gone by now, what came in their place is logged as the first bytes.
            journal.land(|last| input.consume(&bytes, last)).map_err(unable)?;
        }
        input.look_anew();
        if !is_settled {
            journal.clear();
            return Ok(Settled::Torn);
        }
    }
    let is_ours = claims.iter().zip(&record.currents).all(|(claim, extent)| is_as_left(claim, extent, is_consumed));
    let [_, after] = record.open_lines;
    Ok(if after.is_open && !is_ours { Settled::Torn } else { Settled::Complete(after) })
}

/// Tells whether nobody has written to `current` since the batch was: another logger that had the pipe meanwhile may
/// have ended the line that the batch began. An empty file is what the batch's was rotated to.
fn is_as_left<D: Directory>(claim: &Claim<D>, extent: &Extent, is_consumed: bool) -> bool {
    let end_bytes = extent.offset_bytes + extent.output_bytes;
    match claim.place().directory.stat(CURRENT) {
        Ok(Some(stat)) if stat.identity == extent.identity => stat.size_bytes == end_bytes,
        Ok(Some(stat)) => is_consumed && stat.size_bytes == 0,
        Ok(None) => is_consumed,
        Err(_) => false,
    }
}

/// A `current` that a batch went to, and what is missing in it.
struct Gap<F> {
    shown: String,
    current: F,
    missing: Vec<u8>,
}

/// Makes the batch again and appends what is missing; false if what is found does not agree with it.
fn complete<D: Directory>(
    record: &Record,
    mut bytes: Vec<u8>,
    script: &Script,
    claims: &[Claim<D>],
    input: &mut impl Intake,
) -> Result<bool, Trouble> {
    if bytes.len() as u64 != record.input_bytes || bytes.last() != Some(&record.last_byte) {
        return Ok(false);
    }
    if record.adds_newline {
        bytes.push(b'\n');
    }
    let window = Window { bytes: &bytes, is_open: bytes.last() != Some(&b'\n') };
    let rooms = claims.iter().zip(&record.currents).map(|(claim, extent)| Room {
        filled_bytes: extent.offset_bytes,
        size_max_bytes: claim.destination().size_max_bytes,
    });
    let [before, after] = &record.open_lines;
    let mut batch = Batch::new(script);
    batch.resume(before.clone());
    batch.plan(script, window, &record.stamps(), rooms);
    if batch.input_bytes() != bytes.len() || batch.open_lines()[1] != after {
        return Ok(false);
    }
    let mut gaps = Vec::new();
    for (number, claim) in claims.iter().enumerate() {
        let output = batch.output(number, window);
        if output.is_empty() {
            continue;
        }
        let Extent { identity, offset_bytes, .. } = record.currents[number];
        match find_gap(claim, identity, offset_bytes, output) {
            Some(gap) => gaps.push(gap),
            None => return Ok(false),
        }
    }
    for Gap { shown, current, missing } in gaps {
        let mut rest = &missing[..];
        while !rest.is_empty() {
            let written = Pausing(input).retry(|_| {
                current
                    .write(rest)
                    .map_err(|errno| Trouble::new(format_args!("unable to write to {shown}/current"), errno))
            })?;
            rest = &rest[written..];
        }
    }
    Ok(true)
}

/// Finds what of a batch's output is missing in `current`; `None` if that is not the file, or holds something else.
fn find_gap<D: Directory>(claim: &Claim<D>, identity: (u64, u64), offset: u64, output: &[u8]) -> Option<Gap<D::File>> {
    let place = claim.place();
    // Looked at first: opening it would make it.
    let stat = place.directory.stat(CURRENT).ok()??;
    if stat.identity != identity || !stat.is_plain {
        return None;
    }
    let current = place.directory.append_to(CURRENT, MODE_PRIVATE).ok()?;
    let length = usize::try_from(stat.size_bytes.checked_sub(offset)?).ok().filter(|&length| length <= output.len())?;
    let mut written = vec![0; length];
    let mut from = 0;
    while from < length {
        match current.read_at(offset + from as u64, &mut written[from..]).ok()? {
            0 => return None,
            read => from += read,
        }
    }
    (written == output[..length]).then(|| Gap { shown: place.name.clone(), current, missing: output[length..].into() })
}
