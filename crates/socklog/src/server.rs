//! Receives, formats and writes, until TERM.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use logyard::cli::standard_error;
use logyard::sys::datagrams::Datagram;
use logyard::sys::watch::Watch;
use logyard::sys::{Errno, socket};

use crate::connection::{Connection, Look, PEEKED_BYTES};
use crate::line::Form;
use crate::output::{Output, Stop};
use crate::ring::{self, Ring};
use crate::sockets::{self, Sockets};
use crate::store::Store;

/// Output that is made at a time.
const LINES_BYTES: usize = 128 * 1024;
/// Between two looks at what does not tell of a change.
const TICK: Duration = Duration::from_secs(1);
/// What unfinished messages may take in memory. Beyond that their senders wait.
const ASIDE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Connections that are accepted before others are looked at.
const ACCEPTED_MAX: usize = 64;

const SIGNALS: u64 = 0;
const DATAGRAMS: u64 = 1;
const LISTENERS: u64 = 2;
/// A connection has its cookie behind these.
const CONNECTIONS: u64 = 3;

/// What is written of a message.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Named or raw.
    pub form: Form,
    /// Each line says who has sent it.
    pub shows_credentials: bool,
}

/// Everything that runs.
#[derive(Debug)]
pub struct Server {
    ring: Ring,
    output: Output,
    store: Store,
    style: Style,
    watch: Watch,
    datagrams: Vec<OwnedFd>,
    listeners: Vec<OwnedFd>,
    connections: BTreeMap<u64, Connection>,
    /// Connections that may have something to say.
    ready: BTreeSet<u64>,
    /// There was no descriptor for a connection, so nobody listens until the next tick.
    is_deaf: bool,
    /// The kernel may drop datagrams.
    may_drop: bool,
    room: Vec<u8>,
    lines: Vec<u8>,
}

impl Server {
    /// Puts the parts together.
    pub fn new(ring: Ring, output: Output, store: Store, style: Style, sockets: Sockets) -> Result<Server, Errno> {
        let watch = Watch::new()?;
        watch.add(output.signals(), SIGNALS)?;
        for (found, number) in [(&sockets.datagrams, DATAGRAMS), (&sockets.listeners, LISTENERS)] {
            for descriptor in found {
                watch.add(descriptor.as_fd(), number)?;
            }
        }
        for descriptor in sockets.datagrams.iter().filter(|_| style.shows_credentials) {
            // Datagrams that wait already come without.
            let _ = socket::want_credentials(descriptor);
        }
        let may_drop = sockets.datagrams.iter().any(|socket| socket::is_unix(socket) != Ok(true));
        let room = if sockets.listeners.is_empty() { Vec::new() } else { vec![0; PEEKED_BYTES] };
        let mut server = Server {
            ring,
            output,
            store,
            style,
            watch,
            datagrams: sockets.datagrams,
            listeners: sockets.listeners,
            connections: BTreeMap::new(),
            ready: BTreeSet::new(),
            is_deaf: false,
            may_drop,
            room,
            lines: Vec::new(),
        };
        for descriptor in sockets.connections {
            server.adopt(descriptor, false);
        }
        Ok(server)
    }

    /// Serves until TERM.
    pub fn run(&mut self) -> Result<(), Stop> {
        self.finish_predecessor()?;
        loop {
            let mut has_more = false;
            for at in 0..self.datagrams.len() {
                has_more |= self.receive(at)?;
            }
            if self.output.is_ending() && !(has_more && self.output.must_empty_sockets()) {
                return Ok(());
            }
            for cookie in std::mem::take(&mut self.ready) {
                self.look_at(cookie)?;
            }
            self.report_discarded()?;
            standard_error::report_dropped();
            self.wait(has_more || !self.ready.is_empty())?;
        }
    }

    /// Goes on where a killed predecessor was.
    fn finish_predecessor(&mut self) -> Result<(), Stop> {
        self.output.flush(&mut self.ring, &self.datagrams)?;
        let record = self.ring.record();
        if record.stream_bytes > 0 {
            match self.connections.get(&record.stream) {
                Some(connection) if self.ring.take_from_stream(connection).is_ok() => {}
                _ => self.ring.forget_stream(),
            }
        }
        self.write_slots()
    }

    /// Waits until there is something to do.
    fn wait(&mut self, has_more: bool) -> Result<(), Stop> {
        let is_timed = self.is_deaf || self.connections.values().any(Connection::is_unfinished);
        let timeout = match has_more {
            true => Some(Duration::ZERO),
            false => is_timed.then_some(TICK),
        };
        let events = self.watch.wait(timeout).map_err(Stop::Failed)?;
        if events.is_empty() && !has_more && is_timed {
            self.tick();
        }
        for event in events {
            match event.number {
                SIGNALS => self.output.take_signals(),
                DATAGRAMS => {}
                LISTENERS => self.accept(),
                number => {
                    let cookie = number - CONNECTIONS;
                    if let Some(connection) = self.connections.get_mut(&cookie) {
                        connection.has_ended |= event.has_ended;
                        self.ready.insert(cookie);
                    }
                }
            }
        }
        Ok(())
    }

    /// Some time has passed.
    fn tick(&mut self) {
        let aside: usize = self.connections.values().map(Connection::aside_bytes).sum();
        for (cookie, connection) in &mut self.connections {
            if connection.is_unfinished() {
                connection.pass_time(&mut self.ring, aside < ASIDE_BYTES_MAX);
                self.ready.insert(*cookie);
            }
        }
        if std::mem::take(&mut self.is_deaf) {
            for listener in &self.listeners {
                let _ = self.watch.add(listener.as_fd(), LISTENERS);
            }
        }
    }

    fn accept(&mut self) {
        for at in 0..self.listeners.len() {
            for _ in 0..ACCEPTED_MAX {
                match socket::accept(&self.listeners[at]) {
                    Ok(descriptor) => self.adopt(descriptor, true),
                    Err(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM) => {
                        // The next ones wait in the kernel until a connection is closed.
                        for listener in &self.listeners {
                            let _ = self.watch.remove(listener.as_fd());
                        }
                        self.is_deaf = true;
                        return;
                    }
                    Err(_) => break,
                }
            }
        }
    }

    /// Takes charge of a connection.
    fn adopt(&mut self, descriptor: OwnedFd, is_new: bool) {
        let origin = sockets::origin(&descriptor, self.style.shows_credentials);
        let Ok(connection) = Connection::new(descriptor, origin) else { return };
        let cookie = connection.cookie;
        if self.watch.add_edge(connection.as_fd(), cookie + CONNECTIONS).is_err() {
            return;
        }
        if is_new {
            self.store.add(&connection.name(), &connection);
        }
        if self.room.is_empty() {
            self.room = vec![0; PEEKED_BYTES];
        }
        self.connections.insert(cookie, connection);
        self.ready.insert(cookie);
    }

    /// Receives a batch of datagrams and writes it; says whether there may be more.
    fn receive(&mut self, at: usize) -> Result<bool, Stop> {
        let count = match self.ring.receive(&self.datagrams[at]) {
            Ok(count) => count,
            Err(Errno::EAGAIN) => return Ok(false),
            // An error of a datagram that was sent, which nobody here does; or too little memory for the moment.
            Err(_) => return Ok(true),
        };
        self.write_slots()?;
        self.report_dropped(at)?;
        Ok(count == ring::SLOT_COUNT)
    }

    /// Writes what is in the slots and not yet in the output, and clears them.
    fn write_slots(&mut self) -> Result<(), Stop> {
        let filled = self.ring.filled();
        let mut slot = usize::try_from(self.ring.record().slots_done).unwrap_or(filled);
        if filled == 0 && slot == 0 {
            return Ok(());
        }
        while slot < filled {
            self.lines.clear();
            while slot < filled && self.lines.len() < LINES_BYTES {
                append(&mut self.lines, self.style, &self.ring.datagram(slot));
                slot += 1;
            }
            self.output.put(&mut self.ring, &self.datagrams, &self.lines, |record| record.slots_done = slot as u64)?;
        }
        self.ring.clear_slots();
        Ok(())
    }

    /// Writes how many datagrams the kernel has dropped, if it is more than before.
    fn report_dropped(&mut self, at: usize) -> Result<(), Stop> {
        // Senders to a socket in the file system wait: nothing is dropped.
        if !self.may_drop {
            return Ok(());
        }
        let Ok(dropped) = socket::dropped(&self.datagrams[at]) else { return Ok(()) };
        let before = self.ring.record().dropped;
        let more = dropped.wrapping_sub(before as u32);
        if more == 0 {
            return Ok(());
        }
        self.note(&format!("{more} messages dropped by the kernel"));
        self.output.put(&mut self.ring, &self.datagrams, &self.lines, |record| record.dropped = u64::from(dropped))
    }

    /// Writes how many datagrams were discarded because the output was blocked.
    fn report_discarded(&mut self) -> Result<(), Stop> {
        let discarded = self.ring.discarded();
        let more = discarded - self.ring.record().discarded;
        if more == 0 {
            return Ok(());
        }
        self.note(&format!("{more} messages discarded while the log was blocked"));
        self.output.put(&mut self.ring, &self.datagrams, &self.lines, |record| record.discarded = discarded)
    }

    /// Makes the line of a message of our own.
    fn note(&mut self, text: &str) {
        /// `syslog.warn`.
        const PRIORITY: &str = "<44>";
        self.lines.clear();
        self.style.form.append(&mut self.lines, b"", format!("{PRIORITY}socklog: {text}").as_bytes());
    }

    /// Writes the messages that a connection has sent.
    fn look_at(&mut self, cookie: u64) -> Result<(), Stop> {
        let Some(connection) = self.connections.get_mut(&cookie) else { return Ok(()) };
        self.lines.clear();
        match connection.look(&mut self.room, self.style.form, &mut self.lines) {
            Look::Nothing => {}
            Look::Lines { bytes } => {
                self.ready.insert(cookie);
                let sockets = &self.datagrams;
                self.output.put(&mut self.ring, sockets, &self.lines, |record| {
                    (record.stream, record.stream_bytes) = (cookie, bytes as u64);
                })?;
                if self.ring.take_from_stream(&self.connections[&cookie]).is_err() {
                    self.ring.forget_stream();
                    self.close(cookie);
                }
            }
            Look::Closed(why) => {
                self.close(cookie);
                if let Some(why) = why {
                    self.note(&format!("closing a connection: {why}"));
                    self.output.put(&mut self.ring, &self.datagrams, &self.lines, |_| {})?;
                }
            }
        }
        Ok(())
    }

    fn close(&mut self, cookie: u64) {
        if let Some(connection) = self.connections.remove(&cookie) {
            self.store.remove(&connection.name());
            socket::shut_down(&connection);
        }
    }

    /// How much is in memory and not written.
    #[must_use]
    pub fn unwritten_bytes(&self) -> usize {
        self.ring.unsent()
    }
}

fn append(lines: &mut Vec<u8>, style: Style, datagram: &Datagram<'_>) {
    let mut origin = String::new();
    if let Some(address) = datagram.address {
        let _ = write!(origin, "{address}: ");
    }
    if style.shows_credentials
        && let Some(sender) = datagram.credentials
    {
        let _ = write!(origin, "uid={},pid={}: ", sender.user, sender.process);
    }
    style.form.append(lines, origin.as_bytes(), datagram.bytes);
    if datagram.is_cut {
        lines.pop();
        lines.extend_from_slice(b" (cut)\n");
    }
}
