//! tai64nlocal: shows the label at the beginning of a line as local time.
//!
//! A label is `@` and 24 lower-case hexadecimal digits, and no such digit behind them. Whatever else begins with `@` is
//! passed through as it is, and so is a label of a year that no calendar has.
//!
//! The clock time of a second is worked out once: lines of the same second share all but the fraction.

use std::ffi::CStr;
use std::os::fd::AsFd;

use crate::cli::{Exit, Program, Shown, cause};
use crate::filters::filter::{self, Filter, begun_bytes};
use crate::lines::prefix::{HEAD_BYTES_MAX, Head, Output, rewrite_lines};
use crate::lines::reader::Reader;
use crate::sys::fd;
use crate::sys::file::File;
use crate::sys::program::Arguments;
use crate::tai64n::zone::Zone;
use crate::tai64n::{Label, parse_hex, put_nanoseconds, unix_seconds};

const PROGRAM: Program = Program("tai64nlocal");

/// The part of a label that tells the second: `@` and 16 digits.
const SECOND_BYTES: usize = 17;

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// The program: filters the files that are named, or standard input; `-` is standard input too.
pub fn run(arguments: &Arguments) -> Exit {
    let zone = match Zone::local() {
        Ok(zone) => zone,
        Err(error) => return PROGRAM.fatal(error),
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

/// What a moment takes at most, a year of five digits with its sign and a fraction of ten digits included; no more than
/// the beginning of a line may.
const SHOWN_BYTES: usize = 40;

/// Shows labels as local time.
#[derive(Debug)]
struct Localiser {
    zone: Zone,
    /// The label's seconds that were shown last.
    second: [u8; SECOND_BYTES],
    /// How they were shown: `2002-05-15 20:02:11.`; nothing if they cannot be.
    shown: [u8; SHOWN_BYTES],
    shown_bytes: usize,
}

impl Localiser {
    fn new(zone: Zone) -> Localiser {
        Localiser { zone, second: [0; SECOND_BYTES], shown: [0; SHOWN_BYTES], shown_bytes: 0 }
    }

    /// Shows the label at the beginning of `line`, if there is one, at the front of `place`. Says how long both are.
    fn show_label(&mut self, line: &[u8], place: &mut [u8]) -> Option<(usize, usize)> {
        let (label, rest) = line.split_first_chunk::<{ Label::TEXT_BYTES }>()?;
        if rest.first().is_some_and(|&next| parse_hex(&[next]).is_ok()) {
            return None;
        }
        let (second, fraction) = label.split_at(SECOND_BYTES);
        // 0.76 shows what is no fraction of a second (1,000,000,000 nanoseconds or more) as it stands, and so do we.
        let nanoseconds = parse_hex(fraction).ok()?;
        if second != self.second {
            let seconds = parse_hex(&second[1..]).ok()?;
            self.second.copy_from_slice(second);
            let mut shown = Vec::new();
            self.zone.show(unix_seconds(seconds), &mut shown);
            self.shown_bytes = shown.len();
            self.shown[..shown.len()].copy_from_slice(&shown);
        }
        if self.shown_bytes == 0 {
            return None;
        }
        place[..SHOWN_BYTES].copy_from_slice(&self.shown);
        let fraction_bytes = show_nanoseconds(nanoseconds, &mut place[self.shown_bytes..]);
        Some((Label::TEXT_BYTES, self.shown_bytes + fraction_bytes))
    }
}

impl Head for Localiser {
    fn put(&mut self, _is_first: bool, line: &[u8], place: &mut [u8]) -> (usize, usize) {
        if line.first() == Some(&b'@') { self.show_label(line, place).unwrap_or_default() } else { (0, 0) }
    }
}

impl Filter for Localiser {
    fn filter(&mut self, reader: &Reader, is_end: bool, output: &mut Output) -> usize {
        let bytes = reader.pending();
        let begun_bytes = begun_bytes(reader);
        output.push(&bytes[..begun_bytes]);
        let lines_end = begun_bytes + rewrite_lines(&bytes[begun_bytes..], self, usize::MAX, output);
        let open_line = &bytes[lines_end..];
        if open_line.is_empty() || (!is_end && may_become_label(open_line)) {
            return lines_end;
        }
        let mut place = [0; HEAD_BYTES_MAX];
        let (label_bytes, shown_bytes) = self.put(false, open_line, &mut place);
        output.push(&place[..shown_bytes]);
        output.push(&open_line[label_bytes..]);
        bytes.len()
    }
}

/// Tells whether a line is so short that what is still to come decides whether it begins with a label.
fn may_become_label(line: &[u8]) -> bool {
    line[0] == b'@' && line.len() <= Label::TEXT_BYTES && parse_hex(&line[1..line.len().min(SECOND_BYTES)]).is_ok() && {
        let fraction = line.get(SECOND_BYTES..).unwrap_or_default();
        parse_hex(fraction).is_ok()
    }
}

/// Writes nanoseconds with at least nine digits to the front of `place`, and returns the number of digits.
fn show_nanoseconds(nanoseconds: u64, place: &mut [u8]) -> usize {
    let (seconds, nanoseconds) = (nanoseconds / NANOSECONDS_PER_SECOND, nanoseconds % NANOSECONDS_PER_SECOND);
    let leading = usize::from(seconds > 0);
    if leading == 1 {
        place[0] = b'0' + u8::try_from(seconds).expect("8 hexadecimal digits hold less than 5 seconds");
    }
    let digits = place[leading..].first_chunk_mut().expect("the place has room for ten digits");
    put_nanoseconds(digits, u32::try_from(nanoseconds).expect("less than a second"));
    leading + digits.len()
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn shown(line: &str, zone: &str) -> String {
        let zone = Zone::from(TimeZone::posix(zone).expect("a POSIX time zone"));
        let mut place = [0; HEAD_BYTES_MAX];
        let (label_bytes, shown_bytes) = Localiser::new(zone).put(false, line.as_bytes(), &mut place);
        format!("{}{}", String::from_utf8_lossy(&place[..shown_bytes]), &line[label_bytes..])
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
