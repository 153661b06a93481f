//! The memory through which every message passes on its way from a socket to the log pipe.
//!
//! It outlives the process: the supervisor keeps its descriptor. The kernel itself notes there what it has received, and how
//! far it has moved the output into the pipe; so a successor goes on exactly where a killed reader was.
//!
//! ```text
//! socket ──recvmmsg──▶ slots ──format──▶ output ──splice──▶ log pipe
//! ```
//!
//! Each step is made idempotent by one store:
//!
//! 1. The kernel fills slots and notes the length of each.
//! 2. Some slots are formatted into the output. [`Ring::commit`] says by one store where the output ends and which slots are
//!    done.
//! 3. The kernel moves the output, and notes the offset.
//! 4. When all slots are done, they are cleared from the last to the first.
//!
//! A stream is peeked at instead: its bytes are formatted and moved, and then the kernel takes them out of the stream and
//! notes that. The record names the stream by its socket's cookie.

use std::os::fd::{AsFd, OwnedFd};

use logyard::sys::datagrams::{Datagram, Slots};
use logyard::sys::shared_memory::SharedMemory;
use logyard::sys::{Errno, Result, fd, pipe};

use crate::frame::MESSAGE_BYTES_MAX;

/// What the memory begins with; another number for each layout.
const MAGIC: u64 = 0x6c6f_6779_6172_6401;
const MAGIC_AT: usize = 0;
/// Which of the two records counts.
const WHICH_AT: usize = 8;
/// Up to where the output has been moved to the pipe, an offset in the memory. The kernel stores this.
const SENT_AT: usize = 16;
/// How many datagrams were discarded, in all.
const DISCARDED_AT: usize = 24;
const RECORDS_AT: [usize; 2] = [64, 128];

/// How many datagrams are received at a time.
pub const SLOT_COUNT: usize = 64;

/// What was last taken out of a stream.
const TAKEN: Slots = Slots { headers_at: 4096, bytes_at: TAKEN_BYTES_AT, count: 1, bytes_max: MESSAGE_BYTES_MAX };
/// The datagrams.
const SLOTS: Slots =
    Slots { headers_at: 8192, bytes_at: SLOTS_BYTES_AT, count: SLOT_COUNT, bytes_max: MESSAGE_BYTES_MAX };
const OUTPUT_AT: usize = 64 * 1024;
const OUTPUT_BYTES: usize = 8 * 1024 * 1024;
const OUTPUT_END: usize = OUTPUT_AT + OUTPUT_BYTES;
const TAKEN_BYTES_AT: usize = OUTPUT_END;
const SLOTS_BYTES_AT: usize = TAKEN_BYTES_AT + MESSAGE_BYTES_MAX;
const LENGTH: usize = SLOTS_BYTES_AT + SLOT_COUNT * MESSAGE_BYTES_MAX;
const _: () = assert!(8192 + Slots::header_bytes(SLOT_COUNT) <= OUTPUT_AT);

/// The output begins again at the front after so many bytes, or eight pipes full: the memory in use stays small.
const TURN_BYTES: usize = 1024 * 1024;
/// It never goes so far that a long message has no room behind it.
const TURN_BYTES_MAX: usize = 5 * 1024 * 1024;

/// Where things stand. One of two records counts; the other is written before they are exchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Where the output ends.
    end: u64,
    /// Where the output ended when it last began again at the front; 0 if nothing behind the front can be in the pipe.
    turned_at: u64,
    /// How many of the slots are in the output.
    pub slots_done: u64,
    /// How many datagrams the kernel had dropped when this was last written to the output.
    pub dropped: u64,
    /// How many datagrams were discarded when this was last written to the output.
    pub discarded: u64,
    /// The stream from which bytes are in the output.
    pub stream: u64,
    /// How many; 0 if they have been taken out of it.
    pub stream_bytes: u64,
}

/// The memory.
#[derive(Debug)]
pub struct Ring {
    memory: SharedMemory,
}

impl Ring {
    /// Makes an empty one.
    pub fn new() -> Result<Ring> {
        let mut memory = SharedMemory::new(LENGTH)?;
        SLOTS.prepare(&mut memory, true);
        TAKEN.prepare(&mut memory, true);
        memory.store(SENT_AT, OUTPUT_AT as u64);
        let mut ring = Ring { memory };
        ring.write_record(0, Record { end: OUTPUT_AT as u64, ..Record::default() });
        ring.memory.store(MAGIC_AT, MAGIC);
        Ok(ring)
    }

    /// Goes on with what a predecessor has left; `EINVAL` if it is something else.
    pub fn of(descriptor: OwnedFd) -> Result<Ring> {
        let mut ring = Ring { memory: SharedMemory::of(descriptor, LENGTH)? };
        let end = ring.record().end;
        let is_sound = (OUTPUT_AT as u64..=OUTPUT_END as u64).contains(&end);
        if ring.memory.load(MAGIC_AT) != MAGIC || !is_sound {
            return Err(Errno::EINVAL);
        }
        SLOTS.prepare(&mut ring.memory, false);
        TAKEN.prepare(&mut ring.memory, false);
        // Taken out, and the record says so.
        if ring.record().stream_bytes == 0 {
            TAKEN.clear(&mut ring.memory);
        }
        // Everything was sent, and the output was about to begin again at the front.
        if ring.memory.load(SENT_AT) > end {
            ring.memory.store(SENT_AT, end);
        }
        Ok(ring)
    }

    /// Where things stand.
    #[must_use]
    pub fn record(&self) -> Record {
        let at = RECORDS_AT[usize::from(!self.memory.load(WHICH_AT).is_multiple_of(2))];
        let [end, turned_at, slots_done, dropped, discarded, stream, stream_bytes] =
            std::array::from_fn(|field| self.memory.load(at + field * size_of::<u64>()));
        Record { end, turned_at, slots_done, dropped, discarded, stream, stream_bytes }
    }

    fn write_record(&mut self, which: usize, record: Record) {
        let Record { end, turned_at, slots_done, dropped, discarded, stream, stream_bytes } = record;
        let fields = [end, turned_at, slots_done, dropped, discarded, stream, stream_bytes];
        for (field, number) in fields.into_iter().enumerate() {
            self.memory.store(RECORDS_AT[which] + field * size_of::<u64>(), number);
        }
        self.memory.store(WHICH_AT, which as u64);
    }

    fn change(&mut self, change: impl FnOnce(&mut Record)) {
        let mut record = self.record();
        change(&mut record);
        let other = usize::from(self.memory.load(WHICH_AT).is_multiple_of(2));
        self.write_record(other, record);
    }

    /// How many bytes of the output are not in the pipe yet.
    #[must_use]
    pub fn unsent(&self) -> usize {
        usize::try_from(self.record().end.saturating_sub(self.memory.load(SENT_AT))).expect("within the memory")
    }

    /// Moves output to a pipe, or writes it to a file. Never waits for a pipe: `EAGAIN` if it is full.
    pub fn send(&mut self, sink: impl AsFd) -> Result<()> {
        let unsent = self.unsent();
        if unsent == 0 {
            return Ok(());
        }
        match self.memory.splice(SENT_AT, &sink, unsent) {
            // Neither a pipe, nor anything that could tell a successor how much was written.
            Err(Errno::EINVAL) => {
                let sent = self.memory.load(SENT_AT);
                let at = usize::try_from(sent).expect("within the memory");
                let written = fd::write(&sink, self.memory.bytes(at, unsent))?;
                self.memory.store(SENT_AT, sent + written as u64);
                Ok(())
            }
            answer => answer.map(drop),
        }
    }

    /// Makes room for so many bytes of output where nothing can be that the pipe still refers to. Says whether there is
    /// such a place; if not, the pipe must be read first. Everything must have been sent.
    pub fn make_room(&mut self, bytes: usize, sink: impl AsFd) -> bool {
        let pipe_bytes = fd::pipe_size(&sink).unwrap_or(0);
        // A reader may still refer to what it has just taken out of the pipe.
        let reach = 2 * pipe_bytes as u64;
        let turns_at = (8 * pipe_bytes).clamp(TURN_BYTES, TURN_BYTES_MAX);
        let record = self.record();
        let used = usize::try_from(record.end).expect("within the memory") - OUTPUT_AT;
        let is_full = used + bytes > OUTPUT_BYTES;
        if is_full || (used >= turns_at && bytes <= turns_at / 8) {
            self.change(|record| {
                record.turned_at = record.end;
                record.end = OUTPUT_AT as u64;
            });
            self.memory.store(SENT_AT, OUTPUT_AT as u64);
        }
        let Record { end, turned_at, .. } = self.record();
        let is_beyond_reach = end - OUTPUT_AT as u64 >= reach;
        let is_free = turned_at == 0 || is_beyond_reach || end + bytes as u64 + reach <= turned_at;
        if !is_free && pipe_bytes > 0 && pipe::waiting_bytes(&sink).is_ok_and(|waiting| waiting > 0) {
            return false;
        }
        if !is_free {
            self.change(|record| record.turned_at = 0);
        }
        true
    }

    /// Adds output, and notes in the same step what `change` says. There must be room.
    pub fn commit(&mut self, lines: &[u8], change: impl FnOnce(&mut Record)) {
        let end = usize::try_from(self.record().end).expect("within the memory");
        assert!(end + lines.len() <= OUTPUT_END, "there is room");
        self.memory.write(end, lines);
        self.change(|record| {
            record.end += lines.len() as u64;
            change(record);
        });
    }

    /// How many datagrams the slots hold.
    #[must_use]
    pub fn filled(&self) -> usize {
        SLOTS.filled(&self.memory)
    }

    /// A datagram.
    #[must_use]
    pub fn datagram(&self, slot: usize) -> Datagram<'_> {
        SLOTS.datagram(&self.memory, slot)
    }

    /// Receives datagrams into the slots, which must be clear.
    pub fn receive(&mut self, socket: impl AsFd) -> Result<usize> {
        SLOTS.receive(&mut self.memory, socket)
    }

    /// Clears the slots, which are all done.
    pub fn clear_slots(&mut self) {
        SLOTS.clear(&mut self.memory);
        self.change(|record| record.slots_done = 0);
    }

    /// Takes out of a stream what the record says, unless that has happened.
    pub fn take_from_stream(&mut self, stream: impl AsFd) -> Result<()> {
        let bytes = usize::try_from(self.record().stream_bytes).map_err(|_| Errno::EINVAL)?;
        if bytes > 0 && TAKEN.filled(&self.memory) == 0 {
            TAKEN.take(&mut self.memory, stream, bytes)?;
        }
        self.forget_stream();
        Ok(())
    }

    /// Takes so many bytes out of a stream, without output.
    pub fn take_aside(&mut self, stream: impl AsFd, bytes: usize) -> Result<Vec<u8>> {
        TAKEN.take(&mut self.memory, stream, bytes)?;
        let taken = TAKEN.datagram(&self.memory, 0).bytes.to_vec();
        TAKEN.clear(&mut self.memory);
        Ok(taken)
    }

    /// Nothing is to be taken out of a stream any more.
    pub fn forget_stream(&mut self) {
        self.change(|record| record.stream_bytes = 0);
        TAKEN.clear(&mut self.memory);
    }

    /// A datagram was discarded.
    pub fn count_discarded(&mut self) {
        self.memory.store(DISCARDED_AT, self.discarded() + 1);
    }

    /// How many datagrams were discarded, in all.
    #[must_use]
    pub fn discarded(&self) -> u64 {
        self.memory.load(DISCARDED_AT)
    }

    /// Begins to count at zero what the kernel drops: the socket is a new one.
    pub fn forget_dropped(&mut self) {
        self.change(|record| record.dropped = 0);
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.memory.as_fd()
    }
}
