//! Starts `./run` and `./finish`: each process is recorded before it may run.

use std::ffi::CString;
use std::os::fd::AsFd;

use super::{PROGRAM, Running, Supervisor};
use crate::cli::{Shown, cause};
use crate::supervise::files::{NOTIFY, PROCESS, STARTS};
use crate::supervise::last_exit::LastExit;
use crate::supervise::options::Options;
use crate::supervise::record::{ProcessRecord, ServiceScript};
use crate::supervise::state::Event;
use crate::sys::fifo::{Access, Fifo};
use crate::sys::process::pid::Pid;
use crate::sys::process::spawn::{self, Waiting};
use crate::sys::{clock, fd};
use crate::tai64n::Label;

impl Supervisor {
    pub(super) fn start(&mut self, script: ServiceScript) {
        let notification = if script == ServiceScript::Run { self.notification() } else { None };
        let arguments = self.arguments(script);
        let arguments: Vec<_> = arguments.iter().map(CString::as_c_str).collect();
        let stored = self.stored_for(script, notification.as_ref().map(|(_, number)| *number));
        let names = CString::new(self.store.names()).expect("names hold no NUL");
        let service = spawn::Service {
            program: arguments[0],
            arguments: &arguments,
            leads_session: Options(&self.service).leads_session(),
            extra: notification.as_ref().map(|(fifo, number)| (fifo.as_fd(), *number)),
            withheld: self.lock.as_fd(),
            notify_socket: if script == ServiceScript::Run { self.store.path().map(CString::as_c_str) } else { None },
            stored: &stored,
            stored_names: &names,
        };
        let started = Waiting::start(&service, |errno| {
            let (name, file) = (Shown(&self.name), Shown(&arguments[0].to_bytes()[2..]));
            let _ = PROGRAM.fatal(format_args!("unable to start {name}/{file}: {}", cause(errno)));
        });
        let now = clock::uptime();
        match started {
            Ok(waiting) => {
                let process = waiting.process();
                self.record(script, process);
                self.running = Some(Running { process, script, adopted: None });
                self.waiting = Some(waiting);
                if script == ServiceScript::Run {
                    self.changed = Label::now();
                    self.throttle.started(now);
                    self.starts += 1;
                    self.write(STARTS, format!("{}\n", self.starts).as_bytes());
                    self.notify = notification.map(|(fifo, _)| fifo);
                    self.was_asked = false;
                    self.has_refused = false;
                } else {
                    self.limit_time();
                }
                self.feed(Event::Started);
                // Fails only if the process was killed already; its end is handled later.
                let _ = self.waiting.take().map(Waiting::let_go);
            }
            Err(errno) => {
                let wait = self.throttle.not_started(now).as_secs();
                let unit = if wait == 1 { "second" } else { "seconds" };
                let (name, why) = (Shown(&self.name), cause(errno));
                PROGRAM.warn(format_args!("unable to fork for {name}, sleeping {wait} {unit}: {why}"));
                self.feed(Event::NotStarted);
            }
        }
    }

    /// The arguments of the script, its own name first.
    pub(super) fn arguments(&self, script: ServiceScript) -> Vec<CString> {
        match script {
            ServiceScript::Run => vec![c"./run".to_owned()],
            ServiceScript::Finish => {
                let (code, signal) = match self.last_exit {
                    LastExit::Exit(code) => (code, 0),
                    LastExit::Signal(signal) => (-1, signal),
                    LastExit::Unknown => (-1, 0),
                };
                let number = |number: i32| CString::new(number.to_string()).expect("a number holds no NUL");
                vec![c"./finish".to_owned(), number(code), number(signal)]
            }
        }
    }

    /// Records the service's process, for the next supervisor if this one is killed.
    pub(super) fn record(&self, script: ServiceScript, process: Pid) {
        // Without /proc, processes with the same number cannot be distinguished, so there is no record.
        let record = ProcessRecord::of(script, process, self.boot).filter(|_| self.boot != 0);
        match record {
            Some(record) => self.write(PROCESS, record.to_text().as_bytes()),
            None => self.files.remove(PROCESS),
        }
    }

    /// The FIFO on which the service reports that it is ready, emptied, and the service's descriptor number for it.
    ///
    /// It is open for reading and writing on both sides: a write while there is no supervisor does not kill the
    /// service, and the next supervisor reads it.
    pub(super) fn notification(&mut self) -> Option<(Fifo, i32)> {
        let number = self.option(Options::notification_fd)?;
        if self.running.is_none() {
            // What an earlier process has left running may still write to the FIFO that it got.
            self.files.remove_own_fifo(NOTIFY);
        }
        match self.files.fifo_to_share(NOTIFY, Access::Both) {
            Ok((fifo, _)) => {
                if self.running.is_none() {
                    while fd::read(&fifo, &mut [0; 256]).is_ok_and(|count| count > 0) {}
                }
                Some((fifo, number))
            }
            Err(error) => {
                self.warn("open", "supervise/notify", &error);
                None
            }
        }
    }
}
