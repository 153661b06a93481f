//! A service in the state that svscan hands to a new program.

use std::ffi::CString;
use std::os::fd::RawFd;
use std::time::Duration;

use super::{Role, WatchedService};
use crate::cli::Messages;
use crate::supervise::handed_state::{Rejection, StateReader, StateWriter, word_of};
use crate::supervise::logpipe::LogPipe;
use crate::supervise::pair::{Log, Pairing, Seen};
use crate::supervise::supervisor_process::SupervisorProcess;
use crate::sys::Result as SystemResult;
use crate::sys::fifo::Fifo;
use crate::sys::passing::HandedOn;
use crate::sys::process::pid::Pid;
use crate::sys::stat::FileId;

const PAIRINGS: [(&str, Pairing); 3] =
    [("alone", Pairing::Alone), ("awaiting", Pairing::Awaiting), ("paired", Pairing::Paired)];

/// A service that was handed on: descriptors are numbers.
#[derive(Debug)]
pub struct HandedService {
    name: CString,
    identity: FileId,
    is_present: bool,
    pairing: Pairing,
    pipe: Option<HandedPipe>,
    is_joined: bool,
    is_named: bool,
    service: HandedProcess,
    log: HandedProcess,
}

#[derive(Debug)]
enum HandedPipe {
    Named(RawFd),
    Nameless { reads: RawFd, writes: Option<RawFd> },
}

/// A supervisor.
#[derive(Debug)]
enum HandedProcess {
    Absent(Duration),
    Child { process: Pid, since: Duration, directory: FileId },
    Found { ok: RawFd, control: Option<RawFd> },
}

impl HandedService {
    /// Reads one from a state; `None` if no more follows.
    pub fn read(from: &mut StateReader<'_>) -> Result<Option<HandedService>, Rejection> {
        let Some(name) = from.bytes_if("service") else { return Ok(None) };
        Ok(Some(HandedService {
            name: CString::new(name).map_err(|_| Rejection::Record("service"))?,
            identity: read_identity(from)?,
            is_present: from.flag("present")?,
            pairing: from.word("pairing", &PAIRINGS)?,
            pipe: HandedPipe::read(from)?,
            is_joined: from.flag("joined")?,
            is_named: from.flag("named")?,
            service: HandedProcess::read(from)?,
            log: HandedProcess::read(from)?,
        }))
    }

    /// Which service it is.
    #[must_use]
    pub fn identity(&self) -> FileId {
        self.identity
    }

    /// The supervisors that are children.
    pub fn children(&self) -> impl Iterator<Item = (Pid, Role)> {
        [(&self.service, Role::Service), (&self.log, Role::Log)].into_iter().filter_map(|(supervisor, role)| {
            match supervisor {
                HandedProcess::Child { process, .. } => Some((*process, role)),
                HandedProcess::Absent(_) | HandedProcess::Found { .. } => None,
            }
        })
    }
}

impl HandedPipe {
    fn read(from: &mut StateReader<'_>) -> Result<Option<HandedPipe>, Rejection> {
        if let Some(number) = from.descriptor_if("pipe")? {
            return Ok(Some(HandedPipe::Named(number)));
        }
        let Some(reads) = from.descriptor_if("pipe-reads")? else { return Ok(None) };
        Ok(Some(HandedPipe::Nameless { reads, writes: from.descriptor_if("pipe-writes")? }))
    }

    fn take_over(self, descriptors: &mut HandedOn) -> SystemResult<LogPipe> {
        Ok(match self {
            HandedPipe::Named(number) => LogPipe::Named(Fifo::handed_on(descriptors.take(number)?)?),
            HandedPipe::Nameless { reads, writes } => LogPipe::Nameless {
                reads: descriptors.take(reads)?,
                writes: writes.map(|number| descriptors.take(number)).transpose()?,
            },
        })
    }
}

impl HandedProcess {
    fn read(from: &mut StateReader<'_>) -> Result<HandedProcess, Rejection> {
        if let Some(moment) = from.time_if("absent")? {
            return Ok(HandedProcess::Absent(moment));
        }
        if let Some(ok) = from.descriptor_if("found")? {
            return Ok(HandedProcess::Found { ok, control: from.descriptor_if("control")? });
        }
        let number = from.value("child")?;
        if number <= 0 {
            return Err(Rejection::Record("child"));
        }
        let since = from.time("since")?;
        Ok(HandedProcess::Child { process: Pid::new(number), since, directory: read_identity(from)? })
    }

    fn take_over(self, descriptors: &mut HandedOn) -> SystemResult<SupervisorProcess> {
        let mut fifo = |number| Fifo::handed_on(descriptors.take(number)?);
        Ok(match self {
            HandedProcess::Absent(moment) => SupervisorProcess::Absent(moment),
            HandedProcess::Child { process, since, directory } => {
                SupervisorProcess::Child { process, since, directory }
            }
            HandedProcess::Found { ok, control } => {
                SupervisorProcess::Found { ok: fifo(ok)?, control: control.map(fifo).transpose()? }
            }
        })
    }
}

fn read_identity(from: &mut StateReader<'_>) -> Result<FileId, Rejection> {
    Ok(FileId::new(from.value("device")?, from.value("inode")?))
}

fn write_identity(identity: FileId, out: &mut StateWriter) {
    out.put("device", identity.device);
    out.put("inode", identity.inode);
}

fn write_process(supervisor: &SupervisorProcess, out: &mut StateWriter) {
    match supervisor {
        SupervisorProcess::Absent(moment) => out.put_time("absent", Some(*moment)),
        SupervisorProcess::Found { ok, control } => {
            out.put_descriptor("found", ok);
            if let Some(control) = control {
                out.put_descriptor("control", control);
            }
        }
        SupervisorProcess::Child { process, since, directory } => {
            out.put("child", process);
            out.put_time("since", Some(*since));
            write_identity(*directory, out);
        }
    }
}

impl WatchedService {
    /// Writes the service to a state that is handed on. Not while svscan is exiting.
    pub fn write(&self, out: &mut StateWriter) {
        out.put_bytes("service", self.name.to_bytes());
        write_identity(self.identity, out);
        out.put("present", self.is_present);
        out.put("pairing", word_of(&PAIRINGS, &self.pairing));
        match &self.pipe {
            None => {}
            Some(LogPipe::Named(fifo)) => out.put_descriptor("pipe", fifo),
            Some(LogPipe::Nameless { reads, writes }) => {
                out.put_descriptor("pipe-reads", reads);
                if let Some(writes) = writes {
                    out.put_descriptor("pipe-writes", writes);
                }
            }
        }
        out.put("joined", self.is_joined);
        out.put("named", self.is_named);
        write_process(&self.service, out);
        write_process(&self.log, out);
    }

    /// Takes over a service that was handed on.
    pub fn take_over(
        handed: HandedService,
        descriptors: &mut HandedOn,
        messages: Messages,
    ) -> SystemResult<WatchedService> {
        // The next scan looks at the directory again.
        let unseen = Seen { is_sticky: false, log: Log::Missing };
        let mut watched = WatchedService::new(handed.name, handed.identity, unseen, messages);
        watched.is_present = handed.is_present;
        watched.pairing = handed.pairing;
        watched.pipe = handed.pipe.map(|pipe| pipe.take_over(descriptors)).transpose()?;
        watched.is_joined = handed.is_joined;
        watched.is_named = handed.is_named;
        watched.service = handed.service.take_over(descriptors)?;
        watched.log = handed.log.take_over(descriptors)?;
        Ok(watched)
    }
}
