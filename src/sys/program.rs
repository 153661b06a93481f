//! The C `main` through which every program enters.
//!
//! Rust's own start-up ignores SIGPIPE and opens /dev/null on closed descriptors 0 to 2. A program that runs another
//! would hand both on, and 0.76 does neither; so the programs are `#![no_main]` and start here, with the process as it
//! was inherited.

use std::ffi::{CStr, c_char, c_int};
use std::os::unix::ffi::OsStringExt;
use std::slice;

use nix::fcntl::readlink;
use nix::libc;

use crate::sys::{Errno, Result};

/// The command line, the program's own name first. The strings live as long as the process.
pub type Arguments = [&'static CStr];

/// The path of the program that runs; `None` without `/proc`.
#[must_use]
pub fn own_path() -> Option<Vec<u8>> {
    readlink("/proc/self/exe").ok().map(OsStringExt::into_vec)
}

/// The path that this program was executed by, from the root. If it leads through links, it does so again when it is used
/// again. To be called before the program changes its directory.
///
/// Not inlined: a supervisor would hold the stack that this needs as long as it runs.
#[inline(never)]
#[must_use]
pub fn path_at_start() -> Option<Vec<u8>> {
    // SAFETY: asks for one of the numbers that the kernel gave this process when it was executed.
    let address = unsafe { libc::getauxval(libc::AT_EXECFN) };
    let Some(name) = std::ptr::NonNull::new(std::ptr::with_exposed_provenance_mut::<c_char>(address as usize)) else {
        return own_path();
    };
    // SAFETY: this number is the address of a C string that the kernel put there, and nothing changes it.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) }.to_bytes();
    // Executed by a descriptor: the name means nothing to another process.
    if name.starts_with(b"/dev/fd/") || name.starts_with(b"/proc/") {
        return own_path();
    }
    if name.starts_with(b"/") {
        return Some(name.to_vec());
    }
    let mut path = std::env::current_dir().ok()?.into_os_string().into_vec();
    path.push(b'/');
    path.extend(name);
    Some(path)
}

/// Takes a variable out of the environment, and returns its value. Only for programs of one thread.
pub fn take_variable(name: &CStr) -> Result<Option<Vec<u8>>> {
    // SAFETY: the name is a C string, and no other thread changes the environment.
    let value = unsafe { libc::getenv(name.as_ptr()) };
    if value.is_null() {
        return Ok(None);
    }
    // SAFETY: what getenv finds is a C string, which stays until the environment is changed.
    let value = unsafe { CStr::from_ptr(value) }.to_bytes().to_vec();
    // SAFETY: the name is a C string, and no other thread reads the environment.
    Errno::result(unsafe { libc::unsetenv(name.as_ptr()) })?;
    Ok(Some(value))
}

/// Defines the C `main` of a program. [`program!`](crate::program) does so for the commands.
#[doc(hidden)]
#[macro_export]
macro_rules! c_main {
    ($run:path, $enter:path) => {
        #[doc(hidden)]
        #[allow(unsafe_code)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn main(
            argument_count: ::std::ffi::c_int,
            arguments: *const *const ::std::ffi::c_char,
        ) -> ::std::ffi::c_int {
            // SAFETY: these are the arguments that the C start-up code hands to main.
            unsafe { $enter(argument_count, arguments, |words| i32::from($run(words))) }
        }
    };
}

/// Runs a program with the arguments of the C `main`, and returns its exit code.
///
/// # Safety
///
/// `arguments` points to `argument_count` C strings that live as long as the process.
#[doc(hidden)]
pub unsafe fn enter(
    argument_count: c_int,
    arguments: *const *const c_char,
    run: impl FnOnce(&Arguments) -> i32,
) -> c_int {
    let count = usize::try_from(argument_count).unwrap_or(0);
    let pointers = if count == 0 {
        &[]
    } else {
        // SAFETY: the caller vouches for `argument_count` pointers.
        unsafe { slice::from_raw_parts(arguments, count) }
    };
    let arguments: Vec<&'static CStr> = pointers
        .iter()
        // SAFETY: the caller vouches that each is a C string that lives as long as the process.
        .map(|&argument| unsafe { CStr::from_ptr(argument) })
        .collect();
    run(&arguments)
}
