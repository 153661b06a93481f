//! Prints a group in one of the styles.

use std::rc::Rc;

use memchr::memchr;

use crate::clock::{SECOND_BYTES, put_digits};
use crate::context::Context;
use crate::filter::Pattern;
use crate::output::json::{self, Field};
use crate::output::width::width;
use crate::stamp::Stamp;
use logyard::cli::visible;
use logyard::tai64n::{Label, put_nanoseconds};

/// The length of a time with its nanoseconds, as `short` shows it.
const TIME_BYTES: usize = SECOND_BYTES + 10;

/// The escape sequences before and behind coloured text.
const DIM: &str = "\x1b[2m";
const MARK: &str = "\x1b[1;31m";
const PLAIN: &str = "\x1b[0m";
/// The colours of services.
const SERVICES: [&str; 6] = ["\x1b[36m", "\x1b[32m", "\x1b[33m", "\x1b[35m", "\x1b[34m", "\x1b[31m"];

/// How lines are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Style {
    /// Local time, as tai64nlocal prints it.
    #[default]
    Short,
    /// RFC 3339, with the offset from UTC.
    Iso,
    /// The label.
    Tai64n,
    /// The message alone.
    Cat,
    /// One object a line.
    Json,
}

/// A group, and the directory and file that it is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// The lines, with their newlines.
    pub(crate) bytes: &'a [u8],
    /// The stamp of the first.
    pub(crate) stamp: Option<Stamp>,
    /// The moment.
    pub(crate) label: Option<Label>,
    /// The number of the directory.
    pub(crate) source: usize,
    /// Its path.
    pub(crate) directory: &'a [u8],
    /// The name of the file in it.
    pub(crate) file: &'a [u8],
}

/// Prints groups.
#[derive(Debug)]
pub(crate) struct Printer {
    /// How.
    pub(crate) style: Style,
    /// The clock and the scale of labels.
    pub(crate) context: Rc<Context>,
    /// The members of JSON objects.
    pub(crate) fields: Vec<Field>,
    /// The services' names, by directory.
    pub(crate) services: Vec<Vec<u8>>,
    /// The width of their column.
    pub(crate) service_width_max: usize,
    /// Whether each line has the name of its service.
    pub(crate) shows_service: bool,
    /// Whether there are colours.
    pub(crate) is_coloured: bool,
    /// Whether control characters are made visible.
    pub(crate) is_terminal: bool,
    /// Whether it shows where lines are missing.
    pub(crate) shows_gaps: bool,
    /// The pattern to highlight.
    pub(crate) pattern: Option<Pattern>,
}

impl Printer {
    /// Tells whether lines are printed unchanged but for their stamps.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.style, Style::Short | Style::Tai64n | Style::Cat)
            && !self.shows_service
            && !self.is_coloured
            && !self.is_terminal
    }

    /// Appends a group to `out`.
    pub(crate) fn print(&self, out: &mut Vec<u8>, view: &View<'_>) {
        let mut start = 0;
        let mut stamp = view.stamp;
        while start < view.bytes.len() {
            let end = memchr(b'\n', &view.bytes[start..]).map_or(view.bytes.len(), |newline| start + newline);
            self.print_line(out, view, &view.bytes[start..end], stamp.take());
            out.push(b'\n');
            start = end + 1;
        }
    }

    /// How wide the column of the services' names is.
    pub(crate) fn service_width(services: &[Vec<u8>], is_terminal: bool) -> usize {
        let shown = |service: &Vec<u8>| {
            let mut shown = Vec::new();
            print_bytes(&mut shown, service, is_terminal);
            width(&shown)
        };
        services.iter().map(shown).max().unwrap_or(0)
    }

    /// Appends what stands where lines are missing between matches and what is around them.
    pub(crate) fn print_gap(&self, out: &mut Vec<u8>) {
        if self.shows_gaps {
            out.extend_from_slice(b"--\n");
        }
    }

    fn print_line(&self, out: &mut Vec<u8>, view: &View<'_>, line: &[u8], stamp: Option<Stamp>) {
        let message = &line[stamp.map_or(0, |stamp| stamp.bytes)..];
        match self.style {
            Style::Cat => {
                self.print_service(out, view, true);
                self.print_text(out, message);
            }
            Style::Json => {
                let time = view.label.and_then(|label| self.iso(label));
                let line = json::Line { time: time.as_deref(), service: &self.services[view.source], message };
                json::print(out, view, &line, &self.fields);
            }
            Style::Short | Style::Iso | Style::Tai64n => {
                let (Some(stamp), Some(label)) = (stamp, view.label) else {
                    // A line that belongs to the one before is printed unchanged; indented if services have a column.
                    if self.shows_service {
                        out.resize(out.len() + TIME_BYTES, b' ');
                        self.print_service(out, view, false);
                        out.push(b' ');
                    }
                    return self.print_text(out, line);
                };
                if self.is_coloured {
                    out.extend_from_slice(DIM.as_bytes());
                }
                self.print_time(out, label);
                if self.is_coloured {
                    out.extend_from_slice(PLAIN.as_bytes());
                }
                self.print_service(out, view, false);
                if !stamp.is_label {
                    out.push(b' ');
                    self.print_text(out, message);
                } else {
                    // The bytes between the label and the message are kept.
                    self.print_text(out, &line[stamp.text_bytes..]);
                }
            }
        }
    }

    fn print_service(&self, out: &mut Vec<u8>, view: &View<'_>, is_first: bool) {
        if !self.shows_service {
            return;
        }
        let service = &self.services[view.source];
        if !is_first {
            out.push(b' ');
        }
        if self.is_coloured {
            out.extend_from_slice(SERVICES[view.source % SERVICES.len()].as_bytes());
        }
        let start = out.len();
        self.print_bytes(out, service);
        let missing = self.service_width_max.saturating_sub(width(&out[start..]));
        if self.is_coloured {
            out.extend_from_slice(PLAIN.as_bytes());
        }
        out.resize(out.len() + missing, b' ');
        if is_first {
            out.push(b' ');
        }
    }

    fn print_time(&self, out: &mut Vec<u8>, label: Label) {
        match self.style {
            Style::Tai64n => out.extend_from_slice(&label.to_text()),
            Style::Iso => match self.iso(label) {
                Some(time) => out.extend_from_slice(&time),
                None => out.extend_from_slice(&label.to_text()),
            },
            _ => match self.context.clock.show(self.context.scale.unix_seconds(label)) {
                Some(second) => {
                    let mut time = [b'.'; TIME_BYTES];
                    let (place, fraction) = time.split_at_mut(SECOND_BYTES + 1);
                    place[..SECOND_BYTES].copy_from_slice(&second);
                    let fraction = fraction.try_into().expect("nine bytes are left");
                    put_nanoseconds(fraction, label.nanoseconds());
                    out.extend_from_slice(&time);
                }
                None => out.extend_from_slice(&label.to_text()),
            },
        }
    }

    /// RFC 3339 with nanoseconds.
    fn iso(&self, label: Label) -> Option<Vec<u8>> {
        let seconds = self.context.scale.unix_seconds(label);
        let mut second = self.context.clock.show(seconds)?;
        second[10] = b'T';
        let mut time = Vec::with_capacity(TIME_BYTES + 6);
        time.extend_from_slice(&second);
        time.extend_from_slice(b".000000000");
        put_digits(&mut time[SECOND_BYTES + 1..], label.nanoseconds().into());
        let offset = self.context.clock.offset(seconds)?;
        time.push(if offset < 0 { b'-' } else { b'+' });
        let minutes = offset.abs() / 60;
        time.extend_from_slice(b"00:00");
        let zone = time.len() - 5;
        put_digits(&mut time[zone..zone + 2], minutes / 60);
        put_digits(&mut time[zone + 3..], minutes % 60);
        Some(time)
    }

    /// Prints a message, with the matches of the pattern marked.
    fn print_text(&self, out: &mut Vec<u8>, text: &[u8]) {
        let regex = self.pattern.as_ref().and_then(Pattern::marks).filter(|_| self.is_coloured);
        let mut start = 0;
        for found in regex.into_iter().flat_map(|regex| regex.find_iter(text)).filter(|found| !found.is_empty()) {
            self.print_bytes(out, &text[start..found.start()]);
            out.extend_from_slice(MARK.as_bytes());
            self.print_bytes(out, found.as_bytes());
            out.extend_from_slice(PLAIN.as_bytes());
            start = found.end();
        }
        self.print_bytes(out, &text[start..]);
    }

    fn print_bytes(&self, out: &mut Vec<u8>, bytes: &[u8]) {
        print_bytes(out, bytes, self.is_terminal);
    }
}

fn print_bytes(out: &mut Vec<u8>, bytes: &[u8], is_terminal: bool) {
    if is_terminal {
        visible::print(out, bytes);
    } else {
        out.extend_from_slice(bytes);
    }
}
