//! Hands everything to a new program in this process, and takes it over there: see [`reexec`](crate::supervise::reexec).

use std::ffi::CString;
use std::os::fd::RawFd;

use super::{PROGRAM, SIGNALS, Scan};
use crate::cli::{Messages, Shown, cause};
use crate::supervise::announcement::{Announcement, HandedAnnouncement};
use crate::supervise::handed_state::{HandedState, Rejection, StateReader, StateWriter};
use crate::supervise::reexec::{Reexec, Refusal};
use crate::supervise::service::{HandedService, WatchedService};
use crate::sys::passing::HandedOn;
use crate::sys::program::Arguments;
use crate::sys::signal::{self, SignalQueue};
use crate::sys::{Result as SystemResult, limit};

/// What was handed on, or why it cannot be taken.
pub(super) type Taken = Result<(HandedScan, HandedOn), String>;

/// A svscan that was handed on: descriptors are numbers.
#[derive(Debug)]
pub(super) struct HandedScan {
    path: CString,
    ignored_in_children: u64,
    /// The limit on the descriptors of children, if it is not svscan's own.
    descriptors_of_children: Option<u64>,
    announcement: HandedAnnouncement,
    unseen: Vec<Vec<u8>>,
    services: Vec<HandedService>,
}

impl HandedScan {
    /// Reads a state, and takes the descriptors that it names.
    pub(super) fn take(text: &[u8]) -> Taken {
        let (handed, numbers) = HandedScan::read(text).map_err(|rejection| rejection.to_string())?;
        let descriptors = HandedOn::take_all(numbers).map_err(|errno| cause(errno).to_owned())?;
        Ok((handed, descriptors))
    }

    /// Reads a state, and the numbers of the descriptors that it names.
    pub(super) fn read(text: &[u8]) -> Result<(HandedScan, impl IntoIterator<Item = RawFd>), Rejection> {
        let mut from = StateReader::new(PROGRAM.0, text)?;
        let mut handed = HandedScan {
            path: from.string("path")?,
            ignored_in_children: from.value("ignored")?,
            descriptors_of_children: from.value_if("descriptors")?,
            announcement: HandedAnnouncement::read(&mut from)?,
            unseen: Vec::new(),
            services: Vec::new(),
        };
        while let Some(name) = from.bytes_if("unseen") {
            handed.unseen.push(name.to_vec());
        }
        while let Some(service) = HandedService::read(&mut from)? {
            handed.services.push(service);
        }
        Ok((handed, from.finish()?))
    }
}

impl Scan {
    fn state_to_hand_on(&self) -> HandedState {
        let mut out = StateWriter::new(PROGRAM.0);
        out.put_bytes("path", self.reexec.path().to_bytes());
        out.put("ignored", signal::ignored_in_children());
        if let Some(limit) = limit::descriptors_of_children() {
            out.put("descriptors", limit);
        }
        self.announcement.write(&mut out);
        for name in &self.unseen {
            out.put_bytes("unseen", name);
        }
        for watched in self.services.values() {
            watched.write(&mut out);
        }
        out.finish()
    }

    /// Asks the file at the program's path whether it accepts the state.
    pub(super) fn begin_to_hand_on(&mut self) {
        let state = self.state_to_hand_on();
        let begun = self.reexec.begin(state, None);
        self.report_refusal(begun);
    }

    /// Executes it once it has.
    pub(super) fn hand_on(&mut self) {
        let state = self.state_to_hand_on();
        let refused = self.reexec.proceed(state, None, &mut self.signals);
        self.report_refusal(refused);
    }

    fn report_refusal(&self, outcome: Result<(), Refusal>) {
        if let Err(refusal) = outcome {
            let path = Shown(self.reexec.path().to_bytes());
            PROGRAM.warn(format_args!("unable to execute {path}, continuing as before: {refusal}"));
        }
    }

    /// Continues as the new program.
    pub(super) fn take_over(
        arguments: &Arguments,
        handed: HandedScan,
        mut descriptors: HandedOn,
    ) -> SystemResult<Scan> {
        let signals = SignalQueue::new(&SIGNALS)?;
        signal::ignore_in_children(handed.ignored_in_children);
        if let Some(limit) = handed.descriptors_of_children {
            limit::set_descriptors_of_children(limit);
        }
        // The first scan comes at once, so no change is missed that the old program was not notified of.
        let mut scan = Scan::new(signals, Reexec::new(handed.path, arguments));
        scan.announcement = Announcement::take_over(handed.announcement, &mut descriptors)?;
        scan.unseen.extend(handed.unseen);
        for service in handed.services {
            let identity = service.identity();
            scan.children.extend(service.children().map(|(process, role)| (process, (identity, role))));
            let watched = WatchedService::take_over(service, &mut descriptors, Messages::of(PROGRAM))?;
            scan.services.insert(identity, watched);
        }
        // Signals of children that have ended meanwhile may be lost; the children are not.
        scan.take_signals();
        Ok(scan)
    }
}
