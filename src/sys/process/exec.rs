//! Executes another program in this process.
//!
//! A [`Successor`] is made ready first and run later: everything that needs memory happens when it is made, so that a
//! program may take the memory away in between. It keeps what it was given: signal mask, dispositions, and every
//! descriptor that is not closed on exec; what [`hand_on`] returns is one of those.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use crate::sys::program::Arguments;
use crate::sys::{Errno, Result, fd};

/// Where programs are looked for when `PATH` is not set.
const PATH_DEFAULT: &[u8] = b"/bin:/usr/bin";

/// The environment of a program to be run.
#[derive(Debug)]
pub struct Environment(Vec<Cow<'static, CStr>>);

impl Environment {
    /// The environment that this process has.
    #[must_use]
    pub fn inherited() -> Environment {
        unsafe extern "C" {
            static environ: *const *const c_char;
        }
        let mut entries = Vec::new();
        // SAFETY: `environ` is null or a list of C strings that a null pointer ends. Nothing in this crate changes the
        // environment of its own process, except `take_variable`, which runs before this; so list and strings stay as they
        // are for as long as the process lives.
        unsafe {
            let mut entry = environ;
            while !entry.is_null() && !(*entry).is_null() {
                entries.push(Cow::Borrowed(CStr::from_ptr(*entry)));
                entry = entry.add(1);
            }
        }
        Environment(entries)
    }

    /// Carries out one assignment: `NAME=value` sets a variable, `NAME` alone takes it away.
    ///
    /// The order is 0.76's, which `env` shows: the last entry moves to where the variable was, and a new one comes last.
    pub fn put(&mut self, assignment: CString) {
        let name = name(&assignment);
        if let Some(at) = self.0.iter().position(|entry| entry.to_bytes().contains(&b'=') && self::name(entry) == name)
        {
            self.0.swap_remove(at);
        }
        if assignment.to_bytes().contains(&b'=') {
            self.0.push(Cow::Owned(assignment));
        }
    }

    fn pointers(&self) -> Vec<*const c_char> {
        pointers(&self.0)
    }

    /// The value of a variable.
    fn value(&self, wanted: &[u8]) -> Option<&[u8]> {
        let entry = self.0.iter().find(|entry| name(entry) == wanted && entry.to_bytes().len() > wanted.len())?;
        Some(&entry.to_bytes()[wanted.len() + 1..])
    }
}

/// What is before the first `=`.
fn name(entry: &CStr) -> &[u8] {
    entry.to_bytes().split(|&byte| byte == b'=').next().unwrap_or_default()
}

/// The list that the kernel takes: pointers to the strings, and a null pointer.
fn pointers(strings: &[impl AsRef<CStr>]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ref().as_ptr()).chain([std::ptr::null()]).collect()
}

/// A program that is ready to take this process's place.
#[derive(Debug)]
pub struct Successor<'a> {
    file: &'a CStr,
    /// The directories to look in; `None` where the file's name says where it is.
    path: Option<Vec<u8>>,
    /// Large enough for every candidate's name.
    candidate: Vec<u8>,
    /// The strings of both lists are kept for `'a`, or for as long as the process lives.
    arguments: Vec<*const c_char>,
    environment: Vec<*const c_char>,
}

impl<'a> Successor<'a> {
    /// Makes a command ready: a program, looked for by this process's `PATH`, and its arguments. `None` without a
    /// program.
    #[must_use]
    pub fn new(command: &'a Arguments) -> Option<Successor<'a>> {
        let &file = command.first()?;
        let inherited = Environment::inherited();
        let path =
            (!file.to_bytes().contains(&b'/')).then(|| inherited.value(b"PATH").unwrap_or(PATH_DEFAULT).to_vec());
        let longest = path.as_ref().map_or(0, Vec::len) + "./".len() + file.to_bytes_with_nul().len();
        Some(Successor {
            file,
            path,
            candidate: Vec::with_capacity(longest),
            arguments: pointers(command),
            environment: inherited.pointers(),
        })
    }

    /// Makes a program ready that is at this path, whatever it is called in its arguments.
    #[must_use]
    pub fn at(path: &'a CStr, arguments: &'a Arguments) -> Successor<'a> {
        Successor {
            file: path,
            path: None,
            candidate: Vec::new(),
            arguments: pointers(arguments),
            environment: Environment::inherited().pointers(),
        }
    }

    /// The same command in another environment. The program is still looked for by the `PATH` of this process.
    #[must_use]
    pub fn with_environment(self, environment: &'a Environment) -> Successor<'a> {
        Successor { environment: environment.pointers(), ..self }
    }

    /// Runs the program, which gets these descriptors of this process too. Returns only if that fails, and says why; the
    /// descriptors are close-on-exec then, as before.
    pub fn run_with(&mut self, descriptors: &[RawFd]) -> Errno {
        let set_flags = |flags: i32| {
            descriptors.iter().try_for_each(|&number| {
                // SAFETY: sets a flag of a descriptor, which takes it from nobody.
                Errno::result(unsafe { libc::fcntl(number, libc::F_SETFD, flags) }).map(drop)
            })
        };
        let errno = match set_flags(0) {
            Ok(()) => self.run(),
            Err(errno) => errno,
        };
        let _ = set_flags(libc::FD_CLOEXEC);
        errno
    }

    /// Runs the program; returns only if that fails, and says why.
    ///
    /// A directory where there is no such file is passed over, and so is a file that may not be run; if none is found,
    /// the last of those is the reason. Any other failure ends the search. An empty directory name is the working
    /// directory.
    pub fn run(&mut self) -> Errno {
        let Some(path) = self.path.take() else {
            return self.execute(self.file.as_ptr());
        };
        let mut reason = Errno::ENOENT;
        for directory in path.split(|&byte| byte == b':') {
            self.candidate.clear();
            self.candidate.extend_from_slice(if directory.is_empty() { b"." } else { directory });
            self.candidate.push(b'/');
            self.candidate.extend_from_slice(self.file.to_bytes_with_nul());
            match self.execute(self.candidate.as_ptr().cast()) {
                Errno::ENOENT => {}
                errno @ (Errno::EACCES | Errno::EPERM | Errno::EISDIR) => reason = errno,
                errno => return errno,
            }
        }
        reason
    }

    /// Tries one file, a C string.
    fn execute(&self, file: *const c_char) -> Errno {
        // SAFETY: `file` comes from a `CStr`, or from bytes that end with one and hold no other null byte, as both parts
        // came out of C strings. The lists hold pointers to C strings that outlive `self`, and end with a null pointer.
        unsafe { libc::execve(file, self.arguments.as_ptr(), self.environment.as_ptr()) };
        Errno::last()
    }
}

/// Makes a descriptor one that the next program has too.
///
/// Its number is 3 or more: where this process was started with 0, 1 or 2 closed, the next program finds them closed.
pub fn hand_on(descriptor: OwnedFd) -> Result<OwnedFd> {
    if descriptor.as_raw_fd() > libc::STDERR_FILENO {
        fd::set_close_on_exec(&descriptor, false)?;
        return Ok(descriptor);
    }
    duplicate(&descriptor)
}

/// Gives the next program one more descriptor of what `descriptor` stands for; the lowest number from 3 on.
pub fn duplicate(descriptor: &OwnedFd) -> Result<OwnedFd> {
    let number = fcntl(descriptor, FcntlArg::F_DUPFD(libc::STDERR_FILENO + 1))?;
    // SAFETY: the number is new, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
