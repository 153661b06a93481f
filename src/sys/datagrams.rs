//! Receiving datagrams in batches, so that a killed receiver's successor knows which ones it had received.
//!
//! Everything that the kernel stores for `recvmmsg` is in [`SharedMemory`]: the bytes, the sender, and the length of each
//! datagram, which is `EMPTY` before. The kernel does this within one call, before a kill takes effect.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};

use nix::libc;

use crate::sys::shared_memory::SharedMemory;
use crate::sys::{Errno, Result, uninterrupted};

/// The length of a slot that holds no datagram.
const EMPTY: u32 = u32::MAX;
/// The structure that the kernel wants of each slot, side by side with the others.
const HEADER_BYTES: usize = size_of::<libc::mmsghdr>();
/// What it names: the place of the bytes, the sender's address, its credentials.
const NAMED_BYTES: usize = 512;
const ADDRESS_AT: usize = 64;
const ADDRESS_BYTES: usize = 128;
const CONTROL_AT: usize = 192;
const CONTROL_BYTES: usize = NAMED_BYTES - CONTROL_AT;
/// The part of a slot whose pages are always there. Longer datagrams are rare.
const POPULATED_BYTES: usize = 4096;

/// Where in the memory the slots are.
#[derive(Clone, Copy, Debug)]
pub struct Slots {
    /// Where the headers begin.
    pub headers_at: usize,
    /// Where the bytes begin.
    pub bytes_at: usize,
    /// How many there are.
    pub count: usize,
    /// How long a datagram may be.
    pub bytes_max: usize,
}

/// A datagram in its slot.
#[derive(Debug, PartialEq, Eq)]
pub struct Datagram<'m> {
    /// What was sent.
    pub bytes: &'m [u8],
    /// It was longer than a slot.
    pub is_cut: bool,
    /// The sender's address, if it has one.
    pub address: Option<IpAddr>,
    /// The sender's process and user, if the socket asks for them.
    pub credentials: Option<Credentials>,
}

/// Who has sent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The process.
    pub process: i32,
    /// Its user.
    pub user: u32,
}

impl Slots {
    /// How many bytes the headers of so many slots take, and what they name.
    #[must_use]
    pub const fn header_bytes(count: usize) -> usize {
        count * (HEADER_BYTES + NAMED_BYTES)
    }

    /// Makes slots usable that are new, or that another process has mapped before. Those that hold datagrams keep them.
    pub fn prepare(&self, memory: &mut SharedMemory, are_new: bool) {
        assert!(self.headers_at.is_multiple_of(64), "structures are aligned");
        for slot in 0..self.count {
            if are_new {
                self.set_length(memory, slot, EMPTY);
            }
            if self.length(memory, slot) == EMPTY {
                self.prepare_one(memory, slot, self.bytes_max);
            }
        }
    }

    /// How many datagrams the slots hold.
    #[must_use]
    pub fn filled(&self, memory: &SharedMemory) -> usize {
        (0..self.count).take_while(|&slot| self.length(memory, slot) != EMPTY).count()
    }

    /// Receives what waits in a socket into the slots, and says how many datagrams. Never waits: `EAGAIN` if there are
    /// none. All slots must be empty.
    pub fn receive(&self, memory: &mut SharedMemory, socket: impl AsFd) -> Result<usize> {
        let headers = memory.address(self.headers_at, self.count * HEADER_BYTES);
        receive_into(headers, self.count, socket)
    }

    /// Takes so many bytes that wait in a stream out of it, as one datagram into the first slot, which must be empty.
    /// `EAGAIN` if there are none.
    pub fn take(&self, memory: &mut SharedMemory, socket: impl AsFd, bytes: usize) -> Result<usize> {
        assert!(bytes <= self.bytes_max, "a slot has room");
        memory.populate(self.bytes_at, bytes.max(1));
        self.prepare_one(memory, 0, bytes);
        let header = memory.address(self.headers_at, HEADER_BYTES);
        receive_into(header, 1, socket)?;
        Ok(self.length(memory, 0) as usize)
    }

    /// The datagram in a slot that is not empty.
    #[must_use]
    pub fn datagram<'m>(&self, memory: &'m SharedMemory, slot: usize) -> Datagram<'m> {
        let header = self.header_of(memory, slot);
        let length = (self.length(memory, slot) as usize).min(self.bytes_max);
        let named_at = self.named_at(slot);
        let address_length = (header.msg_namelen as usize).min(ADDRESS_BYTES);
        let control_length = header.msg_controllen.min(CONTROL_BYTES);
        Datagram {
            bytes: memory.bytes(self.bytes_at + slot * self.bytes_max, length),
            is_cut: header.msg_flags & libc::MSG_TRUNC != 0,
            address: address(memory.bytes(named_at + ADDRESS_AT, address_length)),
            credentials: credentials(memory.bytes(named_at + CONTROL_AT, control_length)),
        }
    }

    /// Empties the slots, the last first: whoever goes on in the middle finds that the first are filled.
    pub fn clear(&self, memory: &mut SharedMemory) {
        for slot in (0..self.filled(memory)).rev() {
            let length = self.length(memory, slot) as usize;
            self.set_length(memory, slot, EMPTY);
            self.prepare_one(memory, slot, self.bytes_max);
            if length > POPULATED_BYTES && self.bytes_max > POPULATED_BYTES {
                let bytes_at = self.bytes_at + slot * self.bytes_max;
                memory.discard(bytes_at + POPULATED_BYTES, self.bytes_max - POPULATED_BYTES);
            }
        }
    }

    fn prepare_one(&self, memory: &mut SharedMemory, slot: usize, bytes: usize) {
        let bytes_at = self.bytes_at + slot * self.bytes_max;
        memory.populate(bytes_at, POPULATED_BYTES.min(self.bytes_max));
        let named_at = self.named_at(slot);
        memory.populate(named_at, NAMED_BYTES);
        let bytes_place = memory.address(bytes_at, bytes).cast();
        let vector_place = memory.address(named_at, size_of::<libc::iovec>()).cast::<libc::iovec>();
        // SAFETY: within the mapping by `address`, and aligned as the headers are.
        unsafe { vector_place.write_volatile(libc::iovec { iov_base: bytes_place, iov_len: bytes }) };
        let address_place = memory.address(named_at + ADDRESS_AT, ADDRESS_BYTES).cast();
        let control_place = memory.address(named_at + CONTROL_AT, CONTROL_BYTES).cast();
        let header_at = self.headers_at + slot * HEADER_BYTES;
        let place = memory.address(header_at, HEADER_BYTES).cast::<libc::mmsghdr>();
        // SAFETY: as above; all zero is a valid header, and the length behind it is not touched.
        unsafe {
            let mut header: libc::msghdr = std::mem::zeroed();
            header.msg_name = address_place;
            header.msg_namelen = libc::socklen_t::try_from(ADDRESS_BYTES).expect("a small number");
            header.msg_iov = vector_place;
            header.msg_iovlen = 1;
            header.msg_control = control_place;
            header.msg_controllen = CONTROL_BYTES as _;
            (&raw mut (*place).msg_hdr).write_volatile(header);
        }
    }

    fn named_at(&self, slot: usize) -> usize {
        self.headers_at + self.count * HEADER_BYTES + slot * NAMED_BYTES
    }

    fn header_of(&self, memory: &SharedMemory, slot: usize) -> libc::msghdr {
        let bytes = memory.bytes(self.headers_at + slot * HEADER_BYTES, HEADER_BYTES);
        // SAFETY: so many bytes, aligned, and any bytes are a valid header as long as its pointers are not followed.
        unsafe { (&raw const (*bytes.as_ptr().cast::<libc::mmsghdr>()).msg_hdr).read_volatile() }
    }

    fn length_at(&self, slot: usize) -> usize {
        assert!(slot < self.count, "one of the slots");
        self.headers_at + slot * HEADER_BYTES + std::mem::offset_of!(libc::mmsghdr, msg_len)
    }

    fn length(&self, memory: &SharedMemory, slot: usize) -> u32 {
        let bytes = memory.bytes(self.length_at(slot), size_of::<u32>());
        u32::from_ne_bytes(bytes.try_into().expect("four bytes"))
    }

    fn set_length(&self, memory: &mut SharedMemory, slot: usize, length: u32) {
        memory.write(self.length_at(slot), &length.to_ne_bytes());
    }
}

fn receive_into(headers: *mut u8, count: usize, socket: impl AsFd) -> Result<usize> {
    let socket = socket.as_fd().as_raw_fd();
    let count = libc::c_uint::try_from(count).expect("a small number");
    uninterrupted(|| {
        let flags = libc::MSG_DONTWAIT as _;
        // SAFETY: `count` headers in a mapping, which name memory in it; both live as long as the call.
        let answer = unsafe { libc::recvmmsg(socket, headers.cast(), count, flags, std::ptr::null_mut()) };
        Errno::result(answer).map(|count| usize::try_from(count).unwrap_or(0))
    })
}

/// The address in a `sockaddr_in` or `sockaddr_in6`.
fn address(bytes: &[u8]) -> Option<IpAddr> {
    let family = u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?);
    match i32::from(family) {
        libc::AF_INET => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes.get(4..8)?).ok()?).into()),
        libc::AF_INET6 => {
            let address = Ipv6Addr::from(<[u8; 16]>::try_from(bytes.get(8..24)?).ok()?);
            Some(address.to_canonical())
        }
        _ => None,
    }
}

/// The credentials among control messages, of which they are the only kind that is asked for.
fn credentials(mut bytes: &[u8]) -> Option<Credentials> {
    const FRONT: usize = size_of::<libc::cmsghdr>();
    loop {
        let length = usize::from_ne_bytes(bytes.get(..size_of::<usize>())?.try_into().ok()?);
        let number = |at: usize| Some(i32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let (level, kind) = (number(FRONT - 8)?, number(FRONT - 4)?);
        if level == libc::SOL_SOCKET && kind == libc::SCM_CREDENTIALS {
            return Some(Credentials { process: number(FRONT)?, user: number(FRONT + 4)?.cast_unsigned() });
        }
        bytes = bytes.get(length.max(FRONT).next_multiple_of(size_of::<usize>())..)?;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    const SLOTS: Slots = Slots { headers_at: 4096, bytes_at: 8192, count: 4, bytes_max: 8192 };

    #[test]
    fn datagrams_are_found_by_whoever_maps_the_memory() {
        let mut memory = SharedMemory::new(8192 + 4 * 8192).unwrap();
        SLOTS.prepare(&mut memory, true);
        let (sender, receiver) = UnixDatagram::pair().unwrap();
        for message in [&b"one"[..], b"", &[b'x'; 9000]] {
            sender.send(message).unwrap();
        }

        assert_eq!(SLOTS.receive(&mut memory, &receiver), Ok(3));

        let again = memory.as_fd().try_clone_to_owned().unwrap();
        let mut memory = SharedMemory::of(again, 8192 + 4 * 8192).unwrap();
        SLOTS.prepare(&mut memory, false);
        assert_eq!(SLOTS.filled(&memory), 3);
        assert_eq!(SLOTS.datagram(&memory, 0).bytes, b"one");
        assert_eq!(SLOTS.datagram(&memory, 1).bytes, b"");
        let long = SLOTS.datagram(&memory, 2);
        assert!(long.bytes == [b'x'; 8192] && long.is_cut);

        SLOTS.clear(&mut memory);
        assert_eq!(SLOTS.filled(&memory), 0);
        sender.send(b"two").unwrap();
        assert_eq!(SLOTS.receive(&mut memory, &receiver), Ok(1));
        assert_eq!(SLOTS.datagram(&memory, 0).bytes, b"two");
        assert_eq!(SLOTS.receive(&mut memory, &receiver), Err(Errno::EAGAIN));
    }

    #[test]
    fn bytes_of_a_stream_are_taken_as_a_datagram() {
        let mut memory = SharedMemory::new(8192 + 4 * 8192).unwrap();
        SLOTS.prepare(&mut memory, true);
        let (mut sender, receiver) = std::os::unix::net::UnixStream::pair().unwrap();
        std::io::Write::write_all(&mut sender, b"hello").unwrap();

        assert_eq!(SLOTS.take(&mut memory, &receiver, 3), Ok(3));
        assert_eq!(SLOTS.datagram(&memory, 0).bytes, b"hel");
        SLOTS.clear(&mut memory);
        assert_eq!(SLOTS.take(&mut memory, &receiver, 2), Ok(2));
    }
}
