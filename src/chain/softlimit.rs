//! `softlimit [options] child`: runs a program with other soft resource limits.
//!
//! A limit is a number, or `=` for the hard limit, which is also what any larger number means. Sizes may end in `k`, `M`
//! or `G`, in powers of 1024. The limits are set in the order they are given, after the whole command line has been read
//! and the next program made ready: from then on there may be no memory to be had.

use std::iter;

use crate::cli::{Exit, Options, Program, cause, message};
use crate::sys::Errno;
use crate::sys::limit::{self, Limit, Resource};
use crate::sys::program::Arguments;

use super::next::Next;

const PROGRAM: Program = Program("softlimit");
const OPTIONS: &[u8] = b"a:c:d:f:l:m:o:p:r:s:t:";

/// Runs the program.
#[must_use]
pub fn run(arguments: &Arguments) -> Exit {
    let mut options = Options::new(arguments, OPTIONS);
    let mut limits = Vec::new();
    for option in options.by_ref() {
        let given = match option {
            Ok(given) => given,
            Err(bad) => {
                message::say(format_args!("{bad}\n"));
                return usage();
            }
        };
        let (unit, resources) = limited(given.letter);
        let Some(wanted) = parse(given.value, unit) else {
            return usage();
        };
        limits.extend(iter::zip(resources.iter().copied(), iter::repeat(wanted)));
    }
    let Some(next) = Next::new(options.rest()) else {
        return usage();
    };
    for (resource, wanted) in limits {
        let Limit { hard, .. } = match limit::get(resource) {
            Ok(limit) => limit,
            Err(errno) => return failed("getrlimit", errno),
        };
        let soft = match wanted {
            Wanted::Hard => hard,
            Wanted::Number(number) => number.min(hard),
        };
        if let Err(errno) = limit::set(resource, Limit { soft, hard }) {
            return failed("setrlimit", errno);
        }
    }
    next.run(PROGRAM)
}

fn failed(call: &str, errno: Errno) -> Exit {
    PROGRAM.fatal(format_args!("{call} failed: {}", cause(errno)))
}

fn usage() -> Exit {
    PROGRAM.usage(
        "softlimit [-a allbytes] [-c corebytes] [-d databytes] [-f filebytes] [-l lockbytes] [-m membytes] \
         [-o openfiles] [-p processes] [-r residentbytes] [-s stackbytes] [-t cpusecs] child",
    )
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// Bytes, of which there may be thousands of thousands.
    Bytes,
    /// Seconds, files, processes. With a suffix, `5M` seconds would look like minutes.
    Single,
}

/// What an option limits.
fn limited(letter: u8) -> (Unit, &'static [Resource]) {
    use Resource::{
        RLIMIT_AS, RLIMIT_CORE, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_MEMLOCK, RLIMIT_NOFILE, RLIMIT_NPROC,
        RLIMIT_RSS, RLIMIT_STACK,
    };
    match letter {
        b'a' => (Unit::Bytes, &[RLIMIT_AS]),
        b'c' => (Unit::Bytes, &[RLIMIT_CORE]),
        b'd' => (Unit::Bytes, &[RLIMIT_DATA]),
        b'f' => (Unit::Bytes, &[RLIMIT_FSIZE]),
        b'l' => (Unit::Bytes, &[RLIMIT_MEMLOCK]),
        b'm' => (Unit::Bytes, &[RLIMIT_DATA, RLIMIT_STACK, RLIMIT_MEMLOCK, RLIMIT_AS]),
        b'o' => (Unit::Single, &[RLIMIT_NOFILE]),
        b'p' => (Unit::Single, &[RLIMIT_NPROC]),
        b'r' => (Unit::Bytes, &[RLIMIT_RSS]),
        b's' => (Unit::Bytes, &[RLIMIT_STACK]),
        _ => (Unit::Single, &[RLIMIT_CPU]),
    }
}

/// What a soft limit is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// The hard limit.
    Hard,
    /// This, or the hard limit if that is less.
    Number(u64),
}

/// Reads a limit; `None` for what is no limit. No digits at all is 0, as in 0.76; a
/// number too large for the kernel is the largest there is.
fn parse(value: &[u8], unit: Unit) -> Option<Wanted> {
    if value == b"=" {
        return Some(Wanted::Hard);
    }
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, suffix) = value.split_at(digits);
    let factor = match suffix {
        b"" => 1,
        _ if unit == Unit::Single || digits.is_empty() => return None,
        b"k" | b"K" => 1 << 10,
        b"m" | b"M" => 1 << 20,
        b"g" | b"G" => 1 << 30,
        _ => return None,
    };
    let number = digits.iter().fold(0_u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    Some(Wanted::Number(number.saturating_mul(factor)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_with_its_suffix() {
        assert_eq!(parse(b"2000000", Unit::Bytes), Some(Wanted::Number(2_000_000)));
        assert_eq!(parse(b"4k", Unit::Bytes), Some(Wanted::Number(4096)));
        assert_eq!(parse(b"3M", Unit::Bytes), Some(Wanted::Number(3 << 20)));
        assert_eq!(parse(b"1g", Unit::Bytes), Some(Wanted::Number(1 << 30)));
        assert_eq!(parse(b"=", Unit::Single), Some(Wanted::Hard));
        assert_eq!(parse(b"", Unit::Single), Some(Wanted::Number(0)));
    }

    #[test]
    fn a_number_too_large_is_the_largest() {
        assert_eq!(parse(b"18446744073709551617", Unit::Single), Some(Wanted::Number(u64::MAX)));
        assert_eq!(parse(b"99999999999999G", Unit::Bytes), Some(Wanted::Number(u64::MAX)));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for bad in [&b"-5"[..], b"=5", b"5=", b"k", b"5kB", b"5T", b"0x10", b" 5", b"5 "] {
            assert_eq!(parse(bad, Unit::Bytes), None, "{bad:?}");
        }
        assert_eq!(parse(b"5M", Unit::Single), None);
    }
}
