//! Process numbers.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

/// The number of a process. The kernel may give it to another process once this one has ended and has been collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(i32);

impl Pid {
    /// The process that the kernel starts first.
    pub const INIT: Pid = Pid(1);

    /// The process with this number.
    #[must_use]
    pub const fn new(number: i32) -> Pid {
        Pid(number)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }
}

impl From<i32> for Pid {
    fn from(number: i32) -> Pid {
        Pid(number)
    }
}

impl From<nix::unistd::Pid> for Pid {
    fn from(process: nix::unistd::Pid) -> Pid {
        Pid(process.as_raw())
    }
}

impl FromStr for Pid {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Pid, ParseIntError> {
        text.parse().map(Pid)
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}
