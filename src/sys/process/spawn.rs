//! Starting services and their supervisors.
//!
//! A service's process is not let go until it has been recorded: it waits on a pipe, the *gate*, and exits when its
//! parent dies before opening it. So there is never a service that runs and that no file tells of.
//!
//! Children get what this process inherited: signals, limits and descriptors; what we opened is closed on exec, or before it where
//! descriptors are many: see `light_fork.rs`.

use std::convert::Infallible;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::libc;
use nix::unistd::{ForkResult, fork, setsid};

use crate::sys::process::exit::exit_child;
use crate::sys::process::light_fork::light_fork;
use crate::sys::process::pid::Pid;
use crate::sys::{Errno, Result, fd, limit, pipe, signal};

/// The number of the first stored descriptor, as the convention has it.
pub const FIRST_STORED: RawFd = 3;

/// What a service's process is to be.
#[derive(Debug)]
pub struct Service<'a> {
    /// The path of the program, not searched for.
    pub program: &'a CStr,
    /// Its arguments, its own name first.
    pub arguments: &'a [&'a CStr],
    /// Whether it is to lead a session of its own.
    pub leads_session: bool,
    /// A descriptor that it gets under this number beside the inherited ones.
    pub extra: Option<(BorrowedFd<'a>, RawFd)>,
    /// The path of the socket to which it may send descriptors, for `NOTIFY_SOCKET`.
    pub notify_socket: Option<&'a CStr>,
    /// The descriptors that it gets from [`FIRST_STORED`] on, with `LISTEN_FDS` and the like.
    pub stored: &'a [BorrowedFd<'a>],
    /// Their names, separated by colons.
    pub stored_names: &'a CStr,
    /// What it must not hold even while it waits: the lock of its supervisor.
    pub withheld: BorrowedFd<'a>,
}

/// A process that waits at the gate. Dropped, it exits without having run.
#[derive(Debug)]
pub struct Waiting {
    process: Pid,
    gate: OwnedFd,
}

impl Waiting {
    /// Forks a process that waits at the gate. What goes wrong when it is let through is for `complain` to say, in the
    /// child. Only for programs of one thread.
    pub fn start(service: &Service<'_>, complain: impl Fn(Errno)) -> Result<Waiting> {
        let (waits_at, gate) = pipe::new()?;
        // SAFETY: the callers are programs of one thread, so that the child is a whole process and may do anything.
        match unsafe { fork() }? {
            ForkResult::Parent { child } => Ok(Waiting { process: child.into(), gate }),
            ForkResult::Child => {
                drop(gate);
                // SAFETY: the lock's owner in this copy of the process never runs again: it executes or exits.
                unsafe { libc::close(service.withheld.as_raw_fd()) };
                if fd::read(&waits_at, &mut [0]) != Ok(1) {
                    exit_child();
                }
                let Err(errno) = become_service(service);
                complain(errno);
                exit_child()
            }
        }
    }

    /// The process.
    #[must_use]
    pub fn process(&self) -> Pid {
        self.process
    }

    /// Opens the gate.
    pub fn let_go(self) -> Result<()> {
        fd::write_all(&self.gate, b".")
    }
}

fn become_service(service: &Service<'_>) -> Result<Infallible> {
    if service.leads_session {
        setsid()?;
    }
    let end = FIRST_STORED + RawFd::try_from(service.stored.len()).map_err(|_| Errno::EMFILE)?;
    // Nothing that is still needed may be where something is placed.
    let extra = service.extra.map(|(source, number)| above(source, end).map(|source| (source, number))).transpose()?;
    let stored = service.stored.iter().map(|source| above(*source, end)).collect::<Result<Vec<_>>>()?;
    for (source, number) in stored.iter().zip(FIRST_STORED..) {
        fd::place(source.as_fd(), number, false)?;
    }
    if let Some((source, number)) = &extra {
        fd::place(source.as_fd(), *number, false)?;
    }
    set_variables(service);
    signal::restore_in_child()?;
    limit::restore_in_child()?;
    let mut arguments: Vec<*const libc::c_char> = service.arguments.iter().map(|argument| argument.as_ptr()).collect();
    arguments.push(std::ptr::null());
    // SAFETY: the arguments are C strings and end with a null pointer; the environment is the process's own.
    unsafe { libc::execv(service.program.as_ptr(), arguments.as_ptr()) };
    Err(Errno::last())
}

/// Duplicates a descriptor at a number from `least` on.
fn above(source: BorrowedFd<'_>, least: RawFd) -> Result<OwnedFd> {
    let number = nix::fcntl::fcntl(source, nix::fcntl::FcntlArg::F_DUPFD_CLOEXEC(least))?;
    // SAFETY: the call has just made this descriptor, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Tells the program about the store. What a supervisor of supervisors said was not meant for it.
fn set_variables(service: &Service<'_>) {
    let set = |name: &CStr, value: &CStr| {
        // SAFETY: two C strings; this copy of the process has one thread.
        unsafe { libc::setenv(name.as_ptr(), value.as_ptr(), 1) };
    };
    if let Some(path) = service.notify_socket {
        set(c"NOTIFY_SOCKET", path);
    }
    if !service.stored.is_empty() {
        let text = |number: u32| CString::new(number.to_string()).expect("a number holds no NUL");
        set(c"LISTEN_PID", &text(std::process::id()));
        set(c"LISTEN_FDS", &text(u32::try_from(service.stored.len()).unwrap_or(0)));
        set(c"LISTEN_FDNAMES", service.stored_names);
    }
}

/// What a program that is looked for in PATH is to be started with.
#[derive(Debug)]
pub struct Program<'a> {
    /// Its name, or its path.
    pub name: &'a CStr,
    /// Its arguments, its own name first.
    pub arguments: &'a [&'a CStr],
    /// A path to try when it is not found in PATH.
    pub otherwise: Option<&'a CStr>,
    /// What it gets instead of the inherited standard input, output and error.
    pub standard: [Option<BorrowedFd<'a>>; 3],
    /// The whole environment, `NAME=value` each, if it is not to be the inherited one.
    pub environment: Option<&'a [&'a CStr]>,
}

impl Program<'_> {
    /// Starts the program and says its process number. What goes wrong after the fork is for `complain` to say, on the standard
    /// error of the child, which exits. Only for programs of one thread.
    pub fn start(&self, complain: impl Fn(Errno)) -> Result<Pid> {
        // SAFETY: the callers are programs of one thread.
        if let Some(child) = unsafe { light_fork(&self.standard, || self.execute_or_fail(), &complain) } {
            return Ok(child);
        }
        // SAFETY: the callers are programs of one thread, so that the child is a whole process and may do anything.
        match unsafe { fork() }? {
            ForkResult::Parent { child } => Ok(child.into()),
            ForkResult::Child => {
                complain(self.place_standard().map_or_else(|errno| errno, |()| self.execute_or_fail()));
                exit_child()
            }
        }
    }

    fn execute_or_fail(&self) -> Errno {
        let Err(errno) = self.execute();
        errno
    }

    fn place_standard(&self) -> Result<()> {
        for (descriptor, number) in self.standard.iter().zip(0..) {
            if let Some(descriptor) = descriptor {
                fd::place(*descriptor, number, false)?;
            }
        }
        Ok(())
    }

    fn execute(&self) -> Result<Infallible> {
        signal::restore_in_child()?;
        limit::restore_in_child()?;
        let ended = |strings: &[&CStr]| -> Vec<*const libc::c_char> {
            strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
        };
        let arguments = ended(self.arguments);
        let environment = self.environment.map(ended);
        let run = |path: *const libc::c_char| {
            // SAFETY: both lists hold C strings that outlive the call and end with a null pointer.
            unsafe {
                match &environment {
                    None => libc::execvp(path, arguments.as_ptr()),
                    Some(environment) => libc::execvpe(path, arguments.as_ptr(), environment.as_ptr()),
                };
            }
            Errno::last()
        };
        let errno = run(self.name.as_ptr());
        if let (Errno::ENOENT, Some(path)) = (errno, self.otherwise) {
            run(path.as_ptr());
        }
        Err(errno)
    }
}
