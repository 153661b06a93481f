//! Explains a script: what each argument means, and what is in force for each log directory.

use std::borrow::Cow;
use std::fmt::{self, Write};

use crate::cli::Shown;
use crate::logdir::destination::Destination;
use crate::logdir::limits::{Amount, Limits};
use crate::logdir::restraint::Rate;
use crate::multilog::script::Script;
use crate::multilog::script::buffer::{Buffer, Victims, parse_buffer};
use crate::multilog::script::numbers::{begins_with_digit, parse_interval};
use crate::multilog::script::review::{Review, WRITES_NOTHING};
use crate::sys::program::Arguments;
use crate::tai64n::Boundary;

/// Explains the arguments of a script, one a line, with what the review found.
#[must_use]
pub fn explain(arguments: &Arguments, script: &Script, is_ignored: &[bool], review: &Review<'_>) -> String {
    let mut text = String::new();
    let mut directories = script.directories.iter();
    for (place, argument) in arguments.iter().enumerate() {
        let bytes = argument.to_bytes();
        let meaning: Cow<'static, str> = match bytes.first() {
            _ if is_ignored[place] => "ignored".into(),
            Some(b't' | b'T') => "puts a timestamp before each line".into(),
            Some(b'p') => "puts a text before each line".into(),
            Some(b'r') if begins_with_digit(&bytes[1..]) => {
                format!("regular expressions examine the first {} bytes of a line", script.examined_bytes()).into()
            }
            Some(b'r') if bytes.starts_with(b"r-") => "deselects the lines that match".into(),
            Some(b'r' | b'+') => "selects the lines that match".into(),
            Some(b'-') => "deselects the lines that match".into(),
            Some(b'e') => "prints selected lines on standard error".into(),
            Some(b'1') => "prints selected lines on standard output".into(),
            Some(b'=') => "writes the last selected line to the file".into(),
            Some(b'.' | b'/') => directories.next().map_or_else(String::new, |one| Settings(one).to_string()).into(),
            Some(b'B') => memory(parse_buffer(&bytes[1..]).flatten()),
            Some(b'M') => parse_interval(argument).map_or_else(Cow::default, |(interval, _)| {
                format!("writes metrics to the file every {} seconds", interval.as_secs()).into()
            }),
            Some(_) | None => "holds for the directories that follow".into(),
        };
        let findings = &review.findings[place];
        let meaning = findings.iter().find(|finding| finding.is_all).map_or(&meaning[..], |finding| &finding.text);
        // A string takes whatever is written to it.
        let _ = write!(text, "{}: {meaning}", Shown(bytes));
        for finding in findings.iter().filter(|finding| !finding.is_all) {
            text.push_str("; ");
            text.push_str(&finding.text);
        }
        text.push('\n');
    }
    if review.writes_nothing {
        text.push_str(WRITES_NOTHING);
        text.push('\n');
    }
    text
}

/// What `B` asks for.
fn memory(buffer: Option<Buffer>) -> Cow<'static, str> {
    let Some(Buffer { bytes_max, victims }) = buffer else { return "keeps no lines in memory".into() };
    let victims = match victims {
        Victims::Oldest => "oldest",
        Victims::Newest => "newest",
    };
    format!(
        "keeps lines in memory while the disk takes none: at most {bytes_max} bytes, then drops the {victims} lines"
    )
    .into()
}

/// What is in force for a log directory.
struct Settings<'s>(&'s Destination);

impl fmt::Display for Settings<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Destination { size_max_bytes, limits, rotation, restraint, processor, group, sync_interval, .. } = self.0;
        let Limits { files_max, archive_bytes_max, age_max, free, held_bytes_max } = limits;
        write!(out, "logs selected lines: at most {files_max} files of at most {size_max_bytes} bytes")?;
        match archive_bytes_max {
            None => {}
            Some(0) => out.write_str(", no archive but the newest")?,
            Some(bytes) => write!(out, ", archives of at most {bytes} bytes in all")?,
        }
        if let Some(age) = age_max {
            write!(out, ", archives of at most {} seconds", age.as_secs())?;
        }
        if let Some(free) = free {
            let left = free.archives_left;
            match free.least {
                Amount::Bytes(bytes) => write!(out, ", {bytes} bytes free, but at least {left} archives")?,
                Amount::Percent(percent) => write!(out, ", {percent}% free, but at least {left} archives")?,
            }
        }
        if let Some(bytes) = held_bytes_max {
            write!(out, ", archives of at most {bytes} bytes beyond that until they are shipped")?;
        }
        if let Some(age) = rotation.age_max {
            write!(out, ", rotates {} seconds after the first line", age.as_secs())?;
        }
        match rotation.boundary {
            None => {}
            Some(Boundary::Hour) => out.write_str(", rotates at each local hour")?,
            Some(Boundary::Midnight) => out.write_str(", rotates at each local midnight")?,
        }
        if let Some(Rate { lines, burst }) = restraint.rate {
            write!(out, ", at most {lines} lines a second after {burst} at once")?;
        }
        if let Some(interval) = restraint.repeats {
            write!(out, ", repeated lines counted for at most {} seconds", interval.as_secs())?;
        }
        if let Some(interval) = sync_interval {
            write!(out, ", fsyncs within {} seconds", interval.as_secs())?;
        }
        if let Some(group) = group {
            write!(out, ", readable for group {group}")?;
        }
        match processor {
            None => {}
            Some(command) if command.to_bytes().trim_ascii().is_empty() => {
                out.write_str(", with an empty processor, which empties each archive")?;
            }
            Some(command) => write!(out, ", with the processor {}", Shown(command.to_bytes()))?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(arguments: &Arguments) -> String {
        let (script, is_ignored) = Script::parse_marking(arguments);
        explain(arguments, &script, &is_ignored, &Review::new(arguments, &script, &is_ignored))
    }

    #[test]
    fn each_argument_is_explained() {
        assert_eq!(
            explained(&[c"t", c"-*", c"+* fatal: *", c"e", c"=status", c"s10M", c"n30", c"./main", c"main", c""]),
            "t: puts a timestamp before each line\n\
             -*: deselects the lines that match\n\
             +* fatal: *: selects the lines that match\n\
             e: prints selected lines on standard error\n\
             =status: writes the last selected line to the file\n\
             s10M: holds for the directories that follow\n\
             n30: holds for the directories that follow\n\
             ./main: logs selected lines: at most 30 files of at most 10485760 bytes\n\
             main: ignored\n\
             : ignored\n"
        );
    }

    #[test]
    fn a_directory_shows_all_that_is_in_force() {
        let text = explained(&[
            c"s4096", c"S10k", c"A2m", c"F5%:3", c"H9k", c"R1h", c"R@hour", c"L9:20", c"D1m", c"y7", c"g=4", c"!gzip",
            c"./a",
        ]);

        assert_eq!(
            text.lines().last(),
            Some(
                "./a: logs selected lines: at most 10 files of at most 4096 bytes, archives of at most 6144 bytes in all, \
                 archives of at most 120 seconds, 5% free, but at least 3 archives, archives of at most 9216 bytes beyond \
                 that until they are shipped, rotates 3600 seconds after the first line, rotates at each local hour, \
                 at most 9 lines a second after 20 at once, repeated lines counted for at most 60 seconds, \
                 fsyncs within 7 seconds, readable for group 4, with the processor gzip"
            )
        );
    }

    #[test]
    fn an_argument_that_is_ignored_in_part_is_explained_and_names_cannot_control_a_terminal() {
        assert_eq!(
            explained(&[c"n3x", c"./a"]),
            "n3x: holds for the directories that follow\n\
             ./a: logs selected lines: at most 3 files of at most 99999 bytes\n"
        );
        assert_eq!(explained(&[c"x\x1b[2J", c"e"]), "x\\x1b[2J: ignored\ne: prints selected lines on standard error\n");
    }

    #[test]
    fn the_numbers_that_count_are_shown() {
        assert_eq!(
            explained(&[c"B1", c"B2G:newest", c"B0", c"M90000=x", c"s1", c"n", c"y", c"D9w", c"S1k", c"!", c"./a"]),
            "B1: holds for no directory: B2G:newest replaces it\n\
             B2G:newest: holds for no directory: B0 replaces it\n\
             B0: keeps no lines in memory\n\
             M90000=x: writes metrics to the file every 86400 seconds\n\
             s1: holds for the directories that follow; counts as s4096\n\
             n: holds for the directories that follow; has no number and counts as n2\n\
             y: holds for the directories that follow; has no number and counts as y0\n\
             D9w: holds for the directories that follow; counts as D86400\n\
             S1k: holds for the directories that follow\n\
             !: holds for the directories that follow\n\
             ./a: logs selected lines: at most 2 files of at most 4096 bytes, no archive but the newest, repeated lines \
             counted for at most 86400 seconds, with an empty processor, which empties each archive\n"
        );
        assert_eq!(
            explained(&[c"B1", c"./a"]).lines().next(),
            Some(
                "B1: keeps lines in memory while the disk takes none: at most 524288 bytes, then drops the oldest lines"
            )
        );
    }

    #[test]
    fn a_word_that_is_ignored_only_where_it_stands_is_explained_where_it_counts() {
        assert_eq!(
            explained(&[c"t", c"t", c"p=a", c"p=a", c"e"]),
            "t: puts a timestamp before each line\n\
             t: ignored\n\
             p=a: puts a text before each line\n\
             p=a: ignored\n\
             e: prints selected lines on standard error\n"
        );
    }

    #[test]
    fn a_script_without_an_action_that_writes_says_so() {
        assert_eq!(explained(&[]), "no action writes: every line is dropped\n");
        assert_eq!(
            explained(&[c"t", c"s5000", c"n5 "]),
            "t: puts a timestamp before each line\n\
             s5000: holds for no directory: none follows\n\
             n5 : holds for no directory: none follows; ends in a blank\n\
             no action writes: every line is dropped\n"
        );
    }
}
