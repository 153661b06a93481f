//! Runs a program in a child to ask it a question, before it takes the place of this process.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc;
use nix::unistd::{ForkResult, fork};

use crate::sys::process::exit::exit_child;
use crate::sys::process::pid::Pid;
use crate::sys::program::Arguments;
use crate::sys::{Errno, Result, dir, fd, limit, signal};

/// What the child answers if the program cannot be executed: this, and the number of the error.
pub const NOT_EXECUTED: &[u8] = b"not executed ";

/// What is asked of which program.
#[derive(Debug)]
pub struct Trial<'a> {
    /// Its path. It is not searched for, and a file that is no program is not given to a shell.
    pub path: &'a CStr,
    /// Its arguments, its own name first.
    pub arguments: &'a Arguments,
    /// Its standard input.
    pub question: BorrowedFd<'a>,
    /// Its standard output.
    pub answer: BorrowedFd<'a>,
    /// What the child must not hold even for a moment: the lock of its parent.
    pub withheld: Option<BorrowedFd<'a>>,
}

impl Trial<'_> {
    /// Starts the program in the root directory. Only for programs of one thread.
    pub fn start(&self) -> Result<Pid> {
        // SAFETY: the callers are programs of one thread, so that the child is a whole process and may do anything.
        match unsafe { fork() }? {
            ForkResult::Parent { child } => Ok(child.into()),
            ForkResult::Child => {
                if let Some(withheld) = self.withheld {
                    // SAFETY: the lock's owner in this copy of the process never runs again: it executes or exits.
                    unsafe { libc::close(withheld.as_raw_fd()) };
                }
                let errno = self.execute().err().unwrap_or(Errno::UnknownErrno);
                let answer = [NOT_EXECUTED, (errno as i32).to_string().as_bytes()].concat();
                let _ = fd::write_all(self.answer, &answer);
                exit_child()
            }
        }
    }

    fn execute(&self) -> Result<()> {
        dir::change_to(c"/")?;
        fd::place(self.answer, 1, false)?;
        fd::place(self.question, 0, false)?;
        signal::restore_in_child()?;
        limit::restore_in_child()?;
        let arguments: Vec<*const libc::c_char> =
            self.arguments.iter().map(|argument| argument.as_ptr()).chain([std::ptr::null()]).collect();
        // SAFETY: the arguments are C strings and end with a null pointer; the environment is the process's own.
        unsafe { libc::execv(self.path.as_ptr(), arguments.as_ptr()) };
        Err(Errno::last())
    }
}
