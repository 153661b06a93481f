//! The text of this process in the process list: its arguments, which `ps` reads out of its memory.

use std::ffi::{CStr, c_char, c_int};
use std::slice;

/// The last argument, to be written over.
#[derive(Debug)]
pub struct Title(&'static mut [u8]);

impl Title {
    /// The bytes that the process list shows; their number stays as it is.
    pub fn text(&mut self) -> &mut [u8] {
        self.0
    }
}

/// Runs a program with its last argument as a title (`None` when there are no arguments), and returns its exit code.
///
/// # Safety
///
/// `arguments` points to `argument_count` C strings that live as long as the process and that nobody else uses.
#[doc(hidden)]
pub unsafe fn enter(
    argument_count: c_int,
    arguments: *const *const c_char,
    run: impl FnOnce(Option<Title>) -> i32,
) -> c_int {
    let title = usize::try_from(argument_count).ok().filter(|&count| count >= 2).map(|count| {
        // SAFETY: the caller vouches for the strings. C gives a program its arguments to change as it likes; the
        // reference that measures the string is gone before the slice, without the final null byte, is made.
        unsafe {
            let last = *arguments.add(count - 1);
            let length = CStr::from_ptr(last).to_bytes().len();
            Title(slice::from_raw_parts_mut(last.cast_mut().cast(), length))
        }
    });
    run(title)
}
