//! Makes the standard library start children with `posix_spawn`.
//!
//! For a child with a working directory of its own, the library needs `posix_spawn_file_actions_addchdir_np`, and looks for it
//! with a weak reference, for which a linker takes nothing from a static library. It would then fork instead, and the kernel
//! copy the page tables of the test program for each child: more than a third of the processor time of all tests.

use libc::{c_char, c_int, posix_spawn_file_actions_t};

#[used]
static WITH_DIRECTORY: unsafe extern "C" fn(*mut posix_spawn_file_actions_t, *const c_char) -> c_int =
    libc::posix_spawn_file_actions_addchdir_np;
