//! How often a process has been given a processor. One that has not run since somebody looked is as it was then.

use crate::sys::file::File;
use crate::sys::process::pid::Pid;
use crate::sys::process::pidfd;

/// The count of a process, for programs that ask again and again. It stays that of the same process, whatever the process
/// number means by then.
#[derive(Debug)]
pub struct RunCount(File);

impl RunCount {
    /// Opens `/proc/PID/schedstat`; `None` when there is no such process, or the system does not count.
    #[must_use]
    pub fn open(process: Pid) -> Option<RunCount> {
        pidfd::file_of(process, b"schedstat").map(RunCount)
    }

    /// How often the main thread of the process has been given a processor; also to be stopped by a signal, and to go on. `None`
    /// when the process has been collected.
    #[must_use]
    pub fn read(&self) -> Option<u64> {
        let mut text = [0; 128];
        let length = self.0.read_at(0, &mut text).ok()?;
        parse(&text[..length])
    }
}

/// Reads the text of `/proc/PID/schedstat`: the time on a processor, the time in the queue for one, and the count.
fn parse(text: &[u8]) -> Option<u64> {
    let count = std::str::from_utf8(text).ok()?.split_ascii_whitespace().nth(2)?.parse().ok();
    // Some kernels have the file and do not count. Every process has run once.
    count.filter(|&count| count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::signal::{self, Signal};
    use testkit::until;

    #[test]
    fn a_kernel_that_does_not_count_is_noticed() {
        assert_eq!(parse(b"1203 44 7\n"), Some(7));
        assert_eq!(parse(b"0 0 0\n"), None);
        assert_eq!(parse(b"1203 44"), None);
    }

    #[test]
    fn a_process_that_sleeps_keeps_its_count_until_it_is_stopped() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let process = Pid::new(child.id().cast_signed());
        let count = RunCount::open(process).expect("the kernel counts");
        let mut before = None;
        until("it sleeps", || {
            let now = count.read();
            now.is_some() && std::mem::replace(&mut before, now) == now && pidfd::about(process).unwrap().state == b'S'
        });

        signal::send(process, Signal::SIGSTOP).unwrap();
        until("it is stopped", || pidfd::about(process).unwrap().is_stopped());

        assert!(count.read() > before);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(count.read(), None);
    }
}
