//! Programs that run where the kernel, or a sandbox, refuses a call.
//!
//! The test program starts itself as the launcher: its ignored test `kernels::launch` installs a seccomp filter, which answers
//! the call with an error, and becomes the program. What the program starts has the same filter.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::libc;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

/// What tells the launcher which calls are refused, by number, and the answer: `276,281:38`.
const CALLS: &str = "LOGYARD_REFUSED";
/// The program's path and arguments, separated by [`SEPARATOR`].
const COMMAND: &str = "LOGYARD_COMMAND";
/// A file that becomes standard output, where the harness would have printed.
const OUTPUT: &str = "LOGYARD_OUTPUT";
const SEPARATOR: &str = "\u{1f}";

/// The refusal of all of them at once.
const ALL: &str = "all of them";

/// The calls that came to Linux after 2.6.0, or that sandboxes are known to refuse, by the names of the tests.
#[rustfmt::skip]
pub const MODERN: &[(&str, &[libc::c_long])] = &[
    ("tee", &[libc::SYS_tee]),
    ("splice", &[libc::SYS_splice]),
    ("vmsplice", &[libc::SYS_vmsplice]),
    // Each does what the other cannot.
    ("vmsplice and splice", &[libc::SYS_vmsplice, libc::SYS_splice]),
    ("pidfd_open", &[libc::SYS_pidfd_open]),
    ("pidfd_send_signal", &[libc::SYS_pidfd_send_signal]),
    ("pidfd", &[libc::SYS_pidfd_open, libc::SYS_pidfd_send_signal, libc::SYS_pidfd_getfd]),
    ("waitid", &[libc::SYS_waitid]),
    ("epoll_create1", &[libc::SYS_epoll_create1]),
    ("epoll_ctl", &[libc::SYS_epoll_ctl]),
    ("epoll_wait", &[
        #[cfg(target_arch = "x86_64")]
        libc::SYS_epoll_wait,
        libc::SYS_epoll_pwait,
        libc::SYS_epoll_pwait2,
    ]),
    ("memfd_create", &[libc::SYS_memfd_create]),
    ("openat2", &[libc::SYS_openat2]),
    ("statx", &[libc::SYS_statx]),
    ("close_range", &[libc::SYS_close_range]),
    ("signalfd4", &[libc::SYS_signalfd4]),
    ("copy_file_range", &[libc::SYS_copy_file_range]),
    ("sendfile", &[libc::SYS_sendfile]),
    ("fallocate", &[libc::SYS_fallocate]),
    ("inotify_init1", &[libc::SYS_inotify_init1]),
    ("inotify_add_watch", &[libc::SYS_inotify_add_watch]),
    ("renameat2", &[libc::SYS_renameat2]),
    ("execveat", &[libc::SYS_execveat]),
    ("eventfd2", &[libc::SYS_eventfd2]),
    ("pipe2", &[libc::SYS_pipe2]),
    ("dup3", &[libc::SYS_dup3]),
    ("accept4", &[libc::SYS_accept4]),
    ("prlimit64", &[libc::SYS_prlimit64]),
    ("getrandom", &[libc::SYS_getrandom]),
    ("clone3", &[libc::SYS_clone3]),
    ("faccessat2", &[libc::SYS_faccessat2]),
    ("timer_create", &[libc::SYS_timer_create]),
    ("timer_settime", &[libc::SYS_timer_settime]),
    ("sync_file_range", &[libc::SYS_sync_file_range]),
    ("io_uring", &[libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register]),
    ("preadv2", &[libc::SYS_preadv2, libc::SYS_pwritev2]),
    ("prctl", &[libc::SYS_prctl]),
    ("rseq", &[libc::SYS_rseq]),
    ("membarrier", &[libc::SYS_membarrier]),
    ("sched_getaffinity", &[libc::SYS_sched_getaffinity]),
];

/// Calls that are refused, all together.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub name: &'static str,
    calls: Vec<libc::c_long>,
    pub answer: Errno,
}

impl Refusal {
    /// Each modern call refused in turn, and all of them at once, in both ways.
    pub fn all() -> Vec<Refusal> {
        let single = MODERN.iter().map(|(name, calls)| (*name, calls.to_vec()));
        let together = MODERN.iter().flat_map(|(_, calls)| calls.iter().copied()).collect();
        let each: Vec<_> = single.chain([(ALL, together)]).collect();
        let answers = [Errno::ENOSYS, Errno::EPERM];
        let both = |(name, calls): &(&'static str, Vec<libc::c_long>)| {
            answers.map(|answer| Refusal { name, calls: calls.clone(), answer })
        };
        each.iter().flat_map(both).collect()
    }

    /// Whether more is refused than one call: more than one thing may be weaker.
    pub fn is_of_several(&self) -> bool {
        self.name == ALL
    }

    /// Those of some names.
    pub fn of(names: &[&str]) -> Vec<Refusal> {
        Refusal::all().into_iter().filter(|refusal| names.contains(&refusal.name)).collect()
    }

    /// One of them, refused with this answer.
    pub fn with(name: &str, answer: Errno) -> Refusal {
        let (name, calls) = MODERN.iter().find(|(known, _)| *known == name).expect("it is one of them");
        Refusal { name, calls: calls.to_vec(), answer }
    }

    /// A command line under this refusal. Standard output is the file, or is not to be looked at: the launcher prints too.
    pub fn command(&self, program: &Path, arguments: &[&str], output: Option<&Path>) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("the test program has a path"));
        command.args(["--exact", "kernels::launch", "--ignored", "--nocapture"]);
        let calls: Vec<String> = self.calls.iter().map(ToString::to_string).collect();
        command.env(CALLS, format!("{}:{}", calls.join(","), self.answer as i32));
        let words = [program.as_os_str()].into_iter().chain(arguments.iter().map(OsStr::new));
        command.env(COMMAND, words.collect::<Vec<_>>().join(OsStr::new(SEPARATOR)));
        if let Some(output) = output {
            command.env(OUTPUT, output);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {:?}", self.name, self.answer)
    }
}

/// Becomes a program under a filter. Each test program that uses [`Refusal::command`] has an ignored test `kernels::launch`,
/// which calls this.
pub fn launch() {
    let (Ok(refused), Ok(words)) = (std::env::var(CALLS), std::env::var(COMMAND)) else { return };
    let (calls, answer) = refused.split_once(':').unwrap();
    let rules: BTreeMap<i64, _> = calls.split(',').map(|call| (call.parse().unwrap(), Vec::new())).collect();
    let answer = SeccompAction::Errno(answer.parse().unwrap());
    let arch = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, answer, arch).unwrap();
    let mut words = words.split(SEPARATOR);
    let mut program = Command::new(words.next().unwrap());
    program.args(words);
    if let Some(output) = std::env::var_os(OUTPUT) {
        program.stdout(File::create(output).unwrap());
    }
    for name in [CALLS, COMMAND, OUTPUT] {
        program.env_remove(name);
    }
    let compiled: BpfProgram = filter.try_into().unwrap();
    // The harness has threads: they go when this one executes.
    seccompiler::apply_filter(&compiled).unwrap();
    panic!("unable to run: {}", program.exec());
}
