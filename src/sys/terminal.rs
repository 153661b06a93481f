//! Tells whether a descriptor is a terminal, and how large it is.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};

use nix::libc;

/// Tells whether a descriptor leads to a terminal.
#[must_use]
pub fn is_terminal(descriptor: impl AsFd) -> bool {
    nix::unistd::isatty(descriptor.as_fd()).unwrap_or(false)
}

/// The terminal's rows and columns; `None` where it does not say.
#[must_use]
pub fn size(descriptor: impl AsFd) -> Option<(usize, usize)> {
    let mut size = MaybeUninit::<libc::winsize>::zeroed();
    // SAFETY: the call writes a winsize to a winsize of ours.
    let answer = unsafe { libc::ioctl(descriptor.as_fd().as_raw_fd(), libc::TIOCGWINSZ, size.as_mut_ptr()) };
    // SAFETY: plain numbers, zero at least.
    let size = unsafe { size.assume_init() };
    (answer == 0 && size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row.into(), size.ws_col.into()))
}
