//! Hands everything to a new program in this process, and takes it over there: see [`reexec`](crate::supervise::reexec).

use std::ffi::CString;
use std::os::fd::{AsFd, RawFd};

use super::{PROGRAM, Running, SIGNALS, Supervisor};
use crate::cli::{Exit, Shown, cause};
use crate::supervise::fdstore::{FdStore, HandedStore};
use crate::supervise::files::Files;
use crate::supervise::handed_state::{HandedState, Rejection, StateReader, StateWriter, word_of};
use crate::supervise::last_exit::LastExit;
use crate::supervise::record::ServiceScript;
use crate::supervise::reexec::{Reexec, Refusal};
use crate::supervise::state::{Phase, ServiceState, Want};
use crate::supervise::throttle::Throttle;
use crate::sys::dir::Dir;
use crate::sys::fifo::Fifo;
use crate::sys::file::{File, Lock};
use crate::sys::passing::HandedOn;
use crate::sys::process::pid::Pid;
use crate::sys::process::pidfd::Pidfd;
use crate::sys::program::Arguments;
use crate::sys::signal::{self, Signal, SignalQueue};
use crate::sys::{Errno, boot_id};
use crate::tai64n::Label;

const PHASES: [(&str, Phase); 4] =
    [("down", Phase::Down), ("delayed", Phase::Delayed), ("up", Phase::Up), ("finishing", Phase::Finishing)];
const WANTS: [(&str, Want); 3] = [("up", Want::Up), ("down", Want::Down), ("once", Want::Once)];
const SCRIPTS: [(&str, ServiceScript); 2] = [("run", ServiceScript::Run), ("finish", ServiceScript::Finish)];

/// A supervisor that was handed on: descriptors are numbers.
#[derive(Debug)]
pub(super) struct HandedSupervisor {
    path: CString,
    ignored_in_children: u64,
    service: RawFd,
    files: RawFd,
    lock: RawFd,
    control: RawFd,
    ok: RawFd,
    notify: Option<RawFd>,
    store: HandedStore,
    state: ServiceState,
    throttle: Throttle,
    changed: Label,
    running: Option<HandedRunning>,
    overdue: Option<std::time::Duration>,
    was_asked: bool,
    starts: u64,
    last_exit: LastExit,
    has_refused: bool,
}

#[derive(Debug)]
struct HandedRunning {
    script: ServiceScript,
    process: Pid,
    /// If it is no child: when it was started, and a descriptor for it.
    adopted: Option<(u64, Option<RawFd>)>,
}

impl HandedSupervisor {
    /// Reads a state, and takes the descriptors that it names.
    pub(super) fn take(text: &[u8]) -> Result<(HandedSupervisor, HandedOn), String> {
        let (handed, numbers) = HandedSupervisor::read(text).map_err(|rejection| rejection.to_string())?;
        let descriptors = HandedOn::take_all(numbers).map_err(|errno| cause(errno).to_owned())?;
        Ok((handed, descriptors))
    }

    /// Reads a state, and the numbers of the descriptors that it names.
    pub(super) fn read(text: &[u8]) -> Result<(HandedSupervisor, impl IntoIterator<Item = RawFd>), Rejection> {
        let mut from = StateReader::new(PROGRAM.0, text)?;
        let handed = HandedSupervisor {
            path: from.string("path")?,
            ignored_in_children: from.value("ignored")?,
            service: from.descriptor("service")?,
            files: from.descriptor("files")?,
            lock: from.descriptor("lock")?,
            control: from.descriptor("control")?,
            ok: from.descriptor("ok")?,
            notify: from.descriptor_if("notify")?,
            store: HandedStore::read(&mut from)?,
            state: ServiceState {
                phase: from.word("phase", &PHASES)?,
                want: from.word("want", &WANTS)?,
                is_paused: from.flag("paused")?,
                is_exiting: from.flag("exiting")?,
            },
            throttle: Throttle::read(&mut from)?,
            changed: from
                .bytes("changed")
                .and_then(|label| Label::parse(label).map_err(|_| Rejection::Record("changed")))?,
            running: HandedRunning::read(&mut from)?,
            overdue: from.time_if("overdue")?,
            was_asked: from.flag("asked")?,
            starts: from.value("starts")?,
            last_exit: from
                .bytes("last-exit")
                .and_then(|exit| LastExit::parse(exit).ok_or(Rejection::Record("last-exit")))?,
            has_refused: from.flag("refused")?,
        };
        Ok((handed, from.finish()?))
    }
}

impl HandedRunning {
    fn read(from: &mut StateReader<'_>) -> Result<Option<HandedRunning>, Rejection> {
        let Some(number) = from.value_if("process")? else { return Ok(None) };
        let script = from.word("script", &SCRIPTS)?;
        let start_time = from.value_if("adopted")?;
        let adopted = match start_time {
            Some(start_time) => Some((start_time, from.descriptor_if("pidfd")?)),
            None => None,
        };
        if number <= 0 {
            return Err(Rejection::Record("process"));
        }
        Ok(Some(HandedRunning { script, process: Pid::new(number), adopted }))
    }

    fn take_over(self, descriptors: &mut HandedOn) -> Result<Running, Errno> {
        let HandedRunning { script, process, adopted } = self;
        let adopted = match adopted {
            Some((start_time, number)) => {
                let descriptor = number.map(|number| descriptors.take(number)).transpose()?;
                Some(Pidfd::handed_on(process, start_time, descriptor))
            }
            None => None,
        };
        Ok(Running { process, script, adopted })
    }
}

impl Supervisor {
    fn state_to_hand_on(&self) -> HandedState {
        let mut out = StateWriter::new(PROGRAM.0);
        out.put_bytes("path", self.reexec.path().to_bytes());
        out.put("ignored", signal::ignored_in_children());
        out.put_descriptor("service", &self.service);
        out.put_descriptor("files", self.files.dir());
        out.put_descriptor("lock", &self.lock);
        out.put_descriptor("control", &self.control);
        if let Some(ok) = &self.ok {
            out.put_descriptor("ok", ok);
        }
        if let Some(notify) = &self.notify {
            out.put_descriptor("notify", notify);
        }
        self.store.write(&mut out);
        let ServiceState { phase, want, is_paused, is_exiting } = self.state;
        out.put("phase", word_of(&PHASES, &phase));
        out.put("want", word_of(&WANTS, &want));
        out.put("paused", is_paused);
        out.put("exiting", is_exiting);
        self.throttle.write(&mut out);
        out.put("changed", self.changed);
        if let Some(Running { process, script, adopted }) = &self.running {
            out.put("process", process);
            out.put("script", word_of(&SCRIPTS, script));
            if let Some(held) = adopted {
                out.put("adopted", held.start_time());
                if let Some(end) = held.end() {
                    out.put_descriptor("pidfd", end);
                }
            }
        }
        out.put_time("overdue", self.overdue);
        out.put("asked", self.was_asked);
        out.put("starts", self.starts);
        out.put("last-exit", self.last_exit);
        out.put("refused", self.has_refused);
        out.finish()
    }

    /// Asks the file at the program's path whether it accepts the state.
    #[inline(never)]
    pub(super) fn begin_to_hand_on(&mut self) {
        let state = self.state_to_hand_on();
        let begun = self.reexec.begin(state, Some(self.lock.as_fd()));
        self.report_refusal(begun);
    }

    /// Executes it once it has.
    #[inline(never)]
    pub(super) fn hand_on(&mut self) {
        let state = self.state_to_hand_on();
        let refused = self.reexec.proceed(state, Some(self.lock.as_fd()), &mut self.signals);
        self.report_refusal(refused);
    }

    fn report_refusal(&self, outcome: Result<(), Refusal>) {
        if let Err(refusal) = outcome {
            let (path, name) = (Shown(self.reexec.path().to_bytes()), Shown(&self.name));
            PROGRAM.warn(format_args!("unable to execute {path} for {name}, continuing as before: {refusal}"));
        }
    }

    /// Continues as the new program.
    #[inline(never)]
    pub(super) fn take_over(
        name: &[u8],
        arguments: &Arguments,
        handed: Result<(HandedSupervisor, HandedOn), String>,
    ) -> Result<Box<Supervisor>, Exit> {
        let fatal = |why: &str| PROGRAM.fatal(format_args!("unable to take over the state of {}: {why}", Shown(name)));
        let (handed, descriptors) = handed.map_err(|why| fatal(&why))?;
        let mut supervisor =
            Supervisor::continue_with(name, arguments, handed, descriptors).map_err(|errno| fatal(cause(errno)))?;
        // Signals of children that have ended meanwhile may be lost; the children are not.
        supervisor.take_signals();
        // Older versions had opened the log pipe for writing only; the service gets it anew when it is next started. If this
        // fails, the pipe stays as it was.
        let _ = supervisor.write_to_log_pipe(|is_output| is_output);
        Ok(supervisor)
    }

    fn continue_with(
        name: &[u8],
        arguments: &Arguments,
        handed: HandedSupervisor,
        mut descriptors: HandedOn,
    ) -> Result<Box<Supervisor>, Errno> {
        let signals = SignalQueue::new(&SIGNALS)?;
        signal::ignore_in_children(handed.ignored_in_children);
        signal::ignore(Signal::SIGPIPE)?;
        let running = handed.running.map(|running| running.take_over(&mut descriptors)).transpose()?;
        let mut fifo = |number| descriptors.take(number).and_then(Fifo::handed_on);
        let (control, ok) = (fifo(handed.control)?, fifo(handed.ok)?);
        let notify = handed.notify.map(&mut fifo).transpose()?;
        Ok(Box::new(Supervisor {
            name: name.to_vec(),
            service: Dir::from(descriptors.take(handed.service)?),
            files: Files::from(Dir::from(descriptors.take(handed.files)?)),
            // The lock is that of the descriptor, so nothing is locked anew.
            lock: Lock::try_exclusive(File::from(descriptors.take(handed.lock)?))?,
            control,
            ok: Some(ok),
            signals,
            boot: boot_id::id(),
            state: handed.state,
            throttle: handed.throttle,
            changed: handed.changed,
            running,
            waiting: None,
            overdue: handed.overdue,
            was_asked: handed.was_asked,
            starts: handed.starts,
            last_exit: handed.last_exit,
            notify,
            store: FdStore::take_over(handed.store, &mut descriptors)?,
            has_refused: handed.has_refused,
            reexec: Reexec::new(handed.path, arguments),
            is_to_execute: false,
            is_exiting: false,
        }))
    }
}
