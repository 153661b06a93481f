//! Exit codes, the same in all programs.

use std::ffi::c_int;

/// How a program ends: the code that its parent sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(pub c_int);

impl Exit {
    /// All is well.
    pub const OK: Exit = Exit(0);
    /// The command line makes no sense, or the trouble is permanent: trying again will not help.
    pub const USAGE: Exit = Exit(100);
    /// Something in the system failed: trying again later may help.
    pub const TROUBLE: Exit = Exit(111);
}

impl From<Exit> for c_int {
    fn from(Exit(code): Exit) -> c_int {
        code
    }
}
