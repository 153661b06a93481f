//! tai64nlocal: shows the label at the beginning of a line as local time.
//!
//! A label is `@` and 24 lower-case hexadecimal digits, and no such digit behind them. Whatever else begins with `@` is
//! passed through as it is, and so is a label of a year that no calendar has.
//!
//! The clock time of a second is worked out once: lines of the same second share all but the fraction.

use std::ffi::CStr;
use std::os::fd::AsFd;

use memchr::memchr;

use crate::cli::{Exit, Program, Shown, cause};
use crate::multilog::reader::Reader;
use crate::sys::fd;
use crate::sys::file::File;
use crate::sys::program::Arguments;
use crate::tai64n::filter::{self, Filter};
use crate::tai64n::zone::Zone;
use crate::tai64n::{Label, parse_hex, unix_seconds};

const PROGRAM: Program = Program("tai64nlocal");

/// The part of a label that tells the second: `@` and 16 digits.
const SECOND_BYTES: usize = 17;

/// The program: filters the files that are named, or standard input; `-` is standard input too.
pub fn run(arguments: &Arguments) -> Exit {
    let zone = match Zone::local() {
        Ok(zone) => zone,
        Err(refusal) => return PROGRAM.fatal(refusal),
    };
    let mut localiser = Localiser::new(zone);
    match arguments.get(1..).unwrap_or_default() {
        [] => filter::run(fd::stdin(), &mut localiser),
        files => files.iter().map(|file| show(file, &mut localiser)).find(|&exit| exit != Exit::OK).unwrap_or(Exit::OK),
    }
}

fn show(file: &CStr, localiser: &mut Localiser) -> Exit {
    if file == c"-" {
        return filter::run(fd::stdin(), localiser);
    }
    match File::open(file) {
        Ok(file) => filter::run(file.as_fd(), localiser),
        Err(errno) => PROGRAM.fatal(format_args!("unable to open {}: {}", Shown(file.to_bytes()), cause(errno))),
    }
}

/// Shows labels as local time.
#[derive(Debug)]
struct Localiser {
    zone: Zone,
    /// The label's seconds that were shown last.
    second: [u8; SECOND_BYTES],
    /// How they were shown: `2002-05-15 20:02:11.`; empty if they cannot be.
    shown: Vec<u8>,
}

impl Localiser {
    fn new(zone: Zone) -> Localiser {
        Localiser { zone, second: [0; SECOND_BYTES], shown: Vec::new() }
    }

    /// Shows the label at the beginning of `line`, if there is one, and says how long it was.
    fn show_label(&mut self, line: &[u8], output: &mut Vec<u8>) -> usize {
        let Some((label, rest)) = line.split_first_chunk::<{ Label::TEXT_BYTES }>() else { return 0 };
        if rest.first().is_some_and(|&next| parse_hex(&[next]).is_ok()) {
            return 0;
        }
        let (second, fraction) = label.split_at(SECOND_BYTES);
        // 0.76 shows what is no fraction of a second (1,000,000,000 nanoseconds or more) as it stands, and so do we.
        let Ok(nanoseconds) = parse_hex(fraction) else { return 0 };
        if second != self.second {
            let Ok(seconds) = parse_hex(&second[1..]) else { return 0 };
            self.second.copy_from_slice(second);
            self.shown.clear();
            self.zone.show(unix_seconds(seconds), &mut self.shown);
        }
        if self.shown.is_empty() {
            return 0;
        }
        output.extend_from_slice(&self.shown);
        push_nanoseconds(nanoseconds, output);
        Label::TEXT_BYTES
    }
}

impl Filter for Localiser {
    fn filter(&mut self, reader: &Reader, is_end: bool, output: &mut Vec<u8>) -> usize {
        let bytes = reader.pending();
        let mut at = 0;
        if reader.is_in_line() {
            at = memchr(b'\n', bytes).map_or(bytes.len(), |newline| newline + 1);
            output.extend_from_slice(&bytes[..at]);
        }
        while at < bytes.len() {
            let line = &bytes[at..];
            if line[0] == b'@' {
                if !is_end && may_become_label(line) {
                    return at;
                }
                let label_bytes = self.show_label(line, output);
                at += label_bytes;
            }
            let rest = &bytes[at..];
            let end = memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
            output.extend_from_slice(&rest[..end]);
            at += end;
        }
        at
    }
}

/// Tells whether a line is so short that what is still to come decides whether it begins with a label.
fn may_become_label(line: &[u8]) -> bool {
    line.len() <= Label::TEXT_BYTES && parse_hex(&line[1..line.len().min(SECOND_BYTES)]).is_ok() && {
        let fraction = line.get(SECOND_BYTES..).unwrap_or_default();
        parse_hex(fraction).is_ok()
    }
}

/// Writes nanoseconds with at least nine digits.
fn push_nanoseconds(nanoseconds: u64, output: &mut Vec<u8>) {
    let mut digits = [b'0'; 10];
    let mut rest = u32::try_from(nanoseconds).expect("eight hexadecimal digits fit");
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).expect("a digit is small");
        rest /= 10;
    }
    output.extend_from_slice(&digits[usize::from(digits[0] == b'0')..]);
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn shown(line: &str, zone: &str) -> String {
        let zone = Zone::from(TimeZone::posix(zone).expect("a POSIX time zone"));
        let mut output = Vec::new();
        let length = Localiser::new(zone).show_label(line.as_bytes(), &mut output);
        format!("{}{}", String::from_utf8_lossy(&output), &line[length..])
    }

    #[test]
    fn the_example_of_the_article_is_shown_in_its_local_time() {
        assert_eq!(
            shown("@400000003ce2403d3677ea94 starting delivery 3", "JST-9"),
            "2002-05-15 20:02:11.913828500 starting delivery 3"
        );
        assert_eq!(
            shown("@400000003ce24054307e7f54 new msg 257198", "JST-9"),
            "2002-05-15 20:02:34.813596500 new msg 257198"
        );
    }

    #[test]
    fn what_is_no_full_label_is_passed_through() {
        for line in [
            "@",
            "@foo",
            "@ x",
            "@400000003ce2403d",
            "@400000003ce2403d3677ea9 23 digits",
            "@400000003ce2403d3677ea944 25 digits",
            "@400000003CE2403D3677EA94 upper case",
            "@400000003ce2403d3677eaG4",
            "@ffffffffffffffff00000000 beyond every calendar",
            "@000000000000000000000000 before every calendar",
        ] {
            assert_eq!(shown(line, "UTC0"), line);
        }
    }

    #[test]
    fn nanoseconds_beyond_a_second_are_shown_as_they_stand() {
        assert_eq!(shown("@400000003ce2403d3b9aca00 x", "UTC0"), "2002-05-15 11:02:11.1000000000 x");
        assert_eq!(shown("@400000003ce2403dffffffff x", "UTC0"), "2002-05-15 11:02:11.4294967295 x");
        assert_eq!(shown("@400000003ce2403d00000007 x", "UTC0"), "2002-05-15 11:02:11.000000007 x");
    }

    #[test]
    fn a_beginning_waits_only_while_it_may_become_a_label() {
        assert!(may_become_label(b"@"));
        assert!(may_become_label(b"@400000003ce2403d3677ea94"));
        assert!(!may_become_label(b"@400000003ce2403d3677ea94 "));
        assert!(!may_become_label(b"@foo"));
        assert!(!may_become_label(b"@400000003ce2403d36\n"));
    }
}
