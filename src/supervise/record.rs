//! `supervise/process`: which process the service is, so that the successor of a killed supervisor recognises it.
//!
//! One line: what runs (`run` or `finish`), its number, when it was started in the kernel's ticks, and the kernel's id
//! of this run of the system. A number alone may belong to another process by now.

use crate::sys::boot_id;
use crate::sys::process::pid::Pid;
use crate::sys::process::pidfd;

/// What was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceScript {
    /// `./run`.
    Run,
    /// `./finish`.
    Finish,
}

/// A process, identified unambiguously.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessRecord {
    /// What it runs.
    pub script: ServiceScript,
    /// Its number.
    pub process: Pid,
    /// When it was started, in ticks since the system came up.
    pub start_time: u64,
    /// Which run of the system that is.
    pub boot: u128,
}

impl ProcessRecord {
    /// The longest text of a record.
    pub const TEXT_BYTES_MAX: usize = 128;

    /// Identifies a running process; `None` if the system does not provide the data.
    #[must_use]
    pub fn of(script: ServiceScript, process: Pid, boot: u128) -> Option<ProcessRecord> {
        Some(ProcessRecord { script, process, start_time: pidfd::start_time(process)?, boot })
    }

    /// The record's line.
    #[must_use]
    pub fn to_text(&self) -> String {
        let script = match self.script {
            ServiceScript::Run => "run",
            ServiceScript::Finish => "finish",
        };
        format!("{script} {} {} {:032x}\n", self.process, self.start_time, self.boot)
    }

    /// Reads a record from its line.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<ProcessRecord> {
        let mut words = std::str::from_utf8(text).ok()?.strip_suffix('\n')?.split(' ');
        let script = match words.next()? {
            "run" => ServiceScript::Run,
            "finish" => ServiceScript::Finish,
            _ => return None,
        };
        let process = words.next()?.parse().ok().filter(|process: &Pid| process.number() > 0)?;
        let start_time = words.next()?.parse().ok()?;
        let boot = u128::from_str_radix(words.next()?, 16).ok()?;
        words.next().is_none().then_some(ProcessRecord { script, process, start_time, boot })
    }

    /// Whether the process still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        boot_id::id() == self.boot && pidfd::start_time(self.process) == Some(self.start_time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> ProcessRecord {
        ProcessRecord::of(ServiceScript::Run, pidfd::own(), boot_id::id()).expect("this process runs")
    }

    #[test]
    fn a_record_survives_its_text() {
        let record = own();

        assert_eq!(ProcessRecord::parse(record.to_text().as_bytes()), Some(record));
        assert!(record.to_text().len() <= ProcessRecord::TEXT_BYTES_MAX);
    }

    #[test]
    fn only_the_same_process_of_the_same_run_of_the_system_is_alive() {
        let record = own();

        assert!(record.is_alive());
        assert!(!ProcessRecord { start_time: record.start_time + 1, ..record }.is_alive());
        assert!(!ProcessRecord { boot: record.boot + 1, ..record }.is_alive());
        assert!(!ProcessRecord { process: Pid::new(i32::MAX), ..record }.is_alive());
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for text in ["", "run", "run 1 2\n", "walk 1 2 3\n", "run 1 2 3", "run -1 2 3\n", "run 0 2 3\n", "run 1 2 x\n"]
        {
            assert_eq!(ProcessRecord::parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
