//! The state that svscan or a supervisor hands to the program that takes its place, as text.
//!
//! A header names the version and the program; then come records, each a name, a space, a value and a NUL, in an order that
//! both programs know; the last one is `end`. A program accepts only its own version, and no record that it does not
//! expect: so it accepts everything or nothing. Whoever changes a record changes [`VERSION`].

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fmt::{self, Display};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::str::FromStr;
use std::time::Duration;

/// The version of the records of svscan and supervise.
pub const VERSION: u32 = 1;
/// The beginning of the header, with the version. In one piece, so that it stands in the program as it stands here.
const HEADER: &str = "logyard state, version 1, of ";
/// The name of the last record.
const END: &str = "end";

/// A state, ready to be handed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedState {
    /// Its text.
    pub text: Vec<u8>,
    /// The descriptors that it names.
    pub descriptors: Vec<RawFd>,
}

/// Writes a state, record by record.
#[derive(Debug)]
pub struct StateWriter(HandedState);

impl StateWriter {
    /// Begins the state of a program.
    #[must_use]
    pub fn new(program: &str) -> StateWriter {
        let text = [HEADER.as_bytes(), program.as_bytes(), b"\0"].concat();
        StateWriter(HandedState { text, descriptors: Vec::new() })
    }

    /// Adds a record.
    pub fn put(&mut self, name: &str, value: impl Display) {
        let value = value.to_string();
        self.put_bytes(name, value.as_bytes());
    }

    /// Adds a record with any bytes but NUL.
    pub fn put_bytes(&mut self, name: &str, value: &[u8]) {
        debug_assert!(!value.contains(&0), "a NUL ends the record");
        self.0.text.extend_from_slice(name.as_bytes());
        self.0.text.push(b' ');
        self.0.text.extend_from_slice(value);
        self.0.text.push(0);
    }

    /// Adds a record with a moment or a time; `None` adds none.
    pub fn put_time(&mut self, name: &str, time: Option<Duration>) {
        if let Some(time) = time {
            self.put(name, format_args!("{}.{:09}", time.as_secs(), time.subsec_nanos()));
        }
    }

    /// Adds a record with a descriptor, which is handed on.
    pub fn put_descriptor(&mut self, name: &str, descriptor: impl AsFd) {
        let number = descriptor.as_fd().as_raw_fd();
        self.0.descriptors.push(number);
        self.put(name, number);
    }

    /// Ends the state.
    #[must_use]
    pub fn finish(mut self) -> HandedState {
        self.put_bytes(END, b"");
        self.0
    }
}

/// Why a state is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// It is that of another version or of another program, or none at all.
    Header,
    /// There is no such record where it is expected, or its value is wrong.
    Record(&'static str),
    /// Something follows.
    Surplus,
}

impl Display for Rejection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejection::Header => out.write_str("its version is unknown"),
            Rejection::Record(name) => write!(out, "its record {name} is missing or wrong"),
            Rejection::Surplus => out.write_str("it has an unknown record"),
        }
    }
}

/// Reads a state, record by record.
#[derive(Debug)]
pub struct StateReader<'t> {
    rest: &'t [u8],
    descriptors: BTreeSet<RawFd>,
}

type ReadResult<T> = Result<T, Rejection>;

impl<'t> StateReader<'t> {
    /// Begins to read the state of a program.
    pub fn new(program: &str, text: &'t [u8]) -> ReadResult<StateReader<'t>> {
        let rest = text.strip_prefix(HEADER.as_bytes());
        let rest = rest.and_then(|rest| rest.strip_prefix(program.as_bytes())?.strip_prefix(b"\0"));
        rest.map(|rest| StateReader { rest, descriptors: BTreeSet::new() }).ok_or(Rejection::Header)
    }

    /// Takes the next record if it has this name.
    pub fn bytes_if(&mut self, name: &str) -> Option<&'t [u8]> {
        let end = self.rest.iter().position(|&byte| byte == 0)?;
        let value = self.rest[..end].strip_prefix(name.as_bytes())?.strip_prefix(b" ")?;
        self.rest = &self.rest[end + 1..];
        Some(value)
    }

    /// Takes the next record, which must have this name.
    pub fn bytes(&mut self, name: &'static str) -> ReadResult<&'t [u8]> {
        self.bytes_if(name).ok_or(Rejection::Record(name))
    }

    /// The same, with a value that is a C string.
    pub fn string(&mut self, name: &'static str) -> ReadResult<CString> {
        CString::new(self.bytes(name)?).map_err(|_| Rejection::Record(name))
    }

    /// The same, with a value that has a text.
    pub fn value<T: FromStr>(&mut self, name: &'static str) -> ReadResult<T> {
        self.value_if(name)?.ok_or(Rejection::Record(name))
    }

    /// The same, if the next record has this name.
    pub fn value_if<T: FromStr>(&mut self, name: &'static str) -> ReadResult<Option<T>> {
        let Some(bytes) = self.bytes_if(name) else { return Ok(None) };
        let value = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
        value.map(Some).ok_or(Rejection::Record(name))
    }

    /// The same, with a value that is `true` or `false`.
    pub fn flag(&mut self, name: &'static str) -> ReadResult<bool> {
        self.value(name)
    }

    /// The same, with one of these words.
    pub fn word<T: Copy>(&mut self, name: &'static str, words: &[(&str, T)]) -> ReadResult<T> {
        let bytes = self.bytes(name)?;
        let found = words.iter().find(|(word, _)| word.as_bytes() == bytes);
        found.map(|(_, meaning)| *meaning).ok_or(Rejection::Record(name))
    }

    /// Takes the next record if it has this name; its value is a moment or a time.
    pub fn time_if(&mut self, name: &'static str) -> ReadResult<Option<Duration>> {
        let Some(text) = self.value_if::<String>(name)? else { return Ok(None) };
        let parse = || {
            let (seconds, nanoseconds) = text.split_once('.')?;
            let nanoseconds = nanoseconds.parse().ok().filter(|nanoseconds| *nanoseconds < 1_000_000_000)?;
            Some(Duration::new(seconds.parse().ok()?, nanoseconds))
        };
        parse().map(Some).ok_or(Rejection::Record(name))
    }

    /// Takes the next record, a moment or a time.
    pub fn time(&mut self, name: &'static str) -> ReadResult<Duration> {
        self.time_if(name)?.ok_or(Rejection::Record(name))
    }

    /// Takes the next record, the number of a descriptor. No number may occur twice.
    pub fn descriptor(&mut self, name: &'static str) -> ReadResult<RawFd> {
        self.descriptor_if(name)?.ok_or(Rejection::Record(name))
    }

    /// The same, if the next record has this name.
    pub fn descriptor_if(&mut self, name: &'static str) -> ReadResult<Option<RawFd>> {
        let Some(number) = self.value_if::<RawFd>(name)? else { return Ok(None) };
        // Lower numbers are those of standard input, output and error.
        if number < 3 || !self.descriptors.insert(number) {
            return Err(Rejection::Record(name));
        }
        Ok(Some(number))
    }

    /// Ends reading; returns the descriptors that were read.
    pub fn finish(mut self) -> ReadResult<BTreeSet<RawFd>> {
        match self.bytes_if(END) {
            Some(b"") if self.rest.is_empty() => Ok(self.descriptors),
            Some(_) => Err(Rejection::Surplus),
            None if self.rest.is_empty() => Err(Rejection::Record(END)),
            None => Err(Rejection::Surplus),
        }
    }
}

/// The word of a meaning.
#[must_use]
pub fn word_of<'w, T: PartialEq>(words: &[(&'w str, T)], meaning: &T) -> &'w str {
    words.iter().find(|(_, known)| known == meaning).map_or("", |(word, _)| *word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::pipe;

    fn state() -> HandedState {
        let mut writer = StateWriter::new("test");
        writer.put("number", 7);
        writer.put_bytes("name", b" \xff\n");
        writer.put_time("due", Some(Duration::new(5, 6)));
        writer.put_time("never", None);
        writer.finish()
    }

    fn read(text: &[u8]) -> ReadResult<()> {
        let mut reader = StateReader::new("test", text)?;
        assert_eq!(reader.value("number"), Ok(7));
        assert_eq!(reader.bytes("name")?, b" \xff\n");
        assert_eq!(reader.time_if("due")?, Some(Duration::new(5, 6)));
        assert_eq!(reader.time_if("never")?, None);
        reader.finish().map(drop)
    }

    #[test]
    fn a_state_survives_its_text() {
        assert_eq!(read(&state().text), Ok(()));
    }

    #[test]
    fn another_version_or_program_is_not_accepted() {
        let text = String::from_utf8_lossy(&state().text).into_owned();
        let newer = text.replace(&format!("version {VERSION},"), &format!("version {},", VERSION + 1));
        assert_ne!(newer, text, "the header names the version");

        assert_eq!(read(newer.as_bytes()), Err(Rejection::Header));
        assert_eq!(StateReader::new("other", text.as_bytes()).err(), Some(Rejection::Header));
        assert_eq!(read(b""), Err(Rejection::Header));
    }

    #[test]
    fn what_is_cut_short_or_has_more_is_not_accepted() {
        let text = state().text;
        let last = text.len() - "end \0".len();

        assert_eq!(read(&text[..last]), Err(Rejection::Record("end")));
        assert_eq!(read(&[&text[..last], b"more 1\0end \0"].concat()), Err(Rejection::Surplus));
        assert_eq!(read(&[&text[..], b"x"].concat()), Err(Rejection::Surplus));
    }

    #[test]
    fn a_descriptor_occurs_once_and_is_none_of_the_standard_ones() {
        let (reads, _writes) = pipe::new().unwrap();
        let mut writer = StateWriter::new("test");
        writer.put_descriptor("a", &reads);
        writer.put_descriptor("b", &reads);
        let state = writer.finish();
        let mut reader = StateReader::new("test", &state.text).unwrap();

        assert_eq!(reader.descriptor("a"), Ok(state.descriptors[0]));
        assert_eq!(reader.descriptor("b"), Err(Rejection::Record("b")));

        let mut writer = StateWriter::new("test");
        writer.put("a", 2);
        let state = writer.finish();
        assert_eq!(StateReader::new("test", &state.text).unwrap().descriptor("a"), Err(Rejection::Record("a")));
    }
}
