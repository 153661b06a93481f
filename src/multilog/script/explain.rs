//! Explains a script: what each argument means, and what is in force for each log directory.

use std::fmt::{self, Write};

use crate::cli::Shown;
use crate::logdir::destination::Destination;
use crate::logdir::limits::{Amount, Limits};
use crate::logdir::restraint::Rate;
use crate::multilog::script::Script;
use crate::sys::program::Arguments;
use crate::tai64n::Boundary;

/// Explains the arguments of a script, one a line.
#[must_use]
pub fn explain(arguments: &Arguments, script: &Script) -> String {
    let mut text = String::new();
    let mut directories = script.directories.iter();
    for (number, argument) in arguments.iter().enumerate() {
        let bytes = argument.to_bytes();
        let meaning = match bytes.first() {
            Some(_) if script.is_ignored(argument) => "ignored".to_owned(),
            Some(b't' | b'T') if number == 0 => "puts a timestamp before each line".to_owned(),
            Some(b'p') => "puts a text before each line".to_owned(),
            Some(b'r') if bytes.starts_with(b"r-") => "deselects the lines that match".to_owned(),
            Some(b'r') => "selects the lines that match".to_owned(),
            Some(b'-') => "deselects the lines that match".to_owned(),
            Some(b'+') => "selects the lines that match".to_owned(),
            Some(b'e') => "prints selected lines on standard error".to_owned(),
            Some(b'1') => "prints selected lines on standard output".to_owned(),
            Some(b'=') => "writes the last selected line to the file".to_owned(),
            Some(b'.' | b'/') => directories.next().map_or_else(String::new, |one| Settings(one).to_string()),
            Some(b'B') => "keeps lines in memory while the disk takes none".to_owned(),
            Some(b'M') => "writes metrics to the file".to_owned(),
            Some(_) => "holds for the directories that follow".to_owned(),
            None => "ignored".to_owned(),
        };
        // A string takes whatever is written to it.
        let _ = writeln!(text, "{}: {meaning}", Shown(bytes));
    }
    text
}

/// What is in force for a log directory.
struct Settings<'s>(&'s Destination);

impl fmt::Display for Settings<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Destination { size_max_bytes, limits, rotation, restraint, processor, group, sync_interval, .. } = self.0;
        let Limits { files_max, archive_bytes_max, age_max, free, held_bytes_max } = limits;
        write!(out, "logs selected lines: at most {files_max} files of at most {size_max_bytes} bytes")?;
        if let Some(bytes) = archive_bytes_max {
            write!(out, ", archives of at most {bytes} bytes in all")?;
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
            Some(Boundary::Hour) => write!(out, ", rotates at each local hour")?,
            Some(Boundary::Midnight) => write!(out, ", rotates at each local midnight")?,
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
        if let Some(command) = processor {
            write!(out, ", with the processor {}", Shown(command.to_bytes()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(arguments: &Arguments) -> String {
        explain(arguments, &Script::parse(arguments))
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
        assert_eq!(explained(&[c"B1M"]), "B1M: keeps lines in memory while the disk takes none\n");
        assert_eq!(explained(&[c"n3x"]), "n3x: holds for the directories that follow\n");
        assert_eq!(explained(&[c"x\x1b[2J"]), "x\\x1b[2J: ignored\n");
    }
}
