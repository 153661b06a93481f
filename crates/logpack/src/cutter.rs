//! Cuts the input into frames at line ends.

use std::os::fd::BorrowedFd;

use memchr::{memchr, memrchr};

use logyard::sys::{Errno, Result, fd, poll};

/// A line that makes a frame longer than its size by more than this is cut, so that memory stays bounded.
pub(crate) const SURPLUS_BYTES_MAX: usize = 16 << 20;

/// Cuts an input into frames.
#[derive(Debug)]
pub(crate) struct Cutter<'f> {
    input: BorrowedFd<'f>,
    frame_bytes: usize,
    /// By how much a long line may make a frame longer.
    surplus_bytes_max: usize,
    /// What has been read and belongs to the next frame.
    rest: Vec<u8>,
    is_in_line: bool,
}

impl<'f> Cutter<'f> {
    /// Cuts an input into frames of at most `frame_bytes` bytes, or of one line if that is longer by at most
    /// `surplus_bytes_max`.
    pub(crate) fn new(input: BorrowedFd<'f>, frame_bytes: usize, surplus_bytes_max: usize) -> Cutter<'f> {
        Cutter { input, frame_bytes, surplus_bytes_max, rest: Vec::new(), is_in_line: false }
    }

    /// Reads the next frame into `text`, which is overwritten, and tells whether it begins within a line; `None` at the end.
    pub(crate) fn next(&mut self, text: &mut Vec<u8>) -> Result<Option<bool>> {
        text.clear();
        text.append(&mut self.rest);
        let begins_in_line = self.is_in_line;
        let mut searched = 0;
        let mut size = self.frame_bytes;
        let mut is_end = false;
        loop {
            if text.len() >= size || (is_end && searched > 0) {
                let unsearched = &text[searched..];
                let newline = if searched == 0 { memrchr(b'\n', unsearched) } else { memchr(b'\n', unsearched) };
                if let Some(newline) = newline {
                    let end = searched + newline + 1;
                    self.rest.extend_from_slice(&text[end..]);
                    text.truncate(end);
                    self.is_in_line = false;
                    return Ok(Some(begins_in_line));
                }
                searched = text.len();
                size = searched + self.frame_bytes;
            }
            if is_end || searched >= self.frame_bytes + self.surplus_bytes_max {
                self.is_in_line = true;
                return Ok((!text.is_empty()).then_some(begins_in_line));
            }
            is_end = self.read(text, size - text.len())? == 0;
        }
    }

    fn read(&self, text: &mut Vec<u8>, most: usize) -> Result<usize> {
        loop {
            match fd::read_behind(self.input, text, most) {
                // Somebody made the shared descriptor non-blocking.
                Err(Errno::EAGAIN) => drop(poll::readable([self.input], None)?),
                answer => return answer,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};
    use std::os::fd::AsFd;

    use super::*;

    fn frames(text: &[u8], frame_bytes: usize) -> Vec<(Vec<u8>, bool)> {
        frames_with_surplus(text, frame_bytes, SURPLUS_BYTES_MAX)
    }

    fn frames_with_surplus(text: &[u8], frame_bytes: usize, surplus_bytes_max: usize) -> Vec<(Vec<u8>, bool)> {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(text).expect("room");
        file.rewind().expect("a plain file");
        let mut cutter = Cutter::new(file.as_fd(), frame_bytes, surplus_bytes_max);
        let (mut frames, mut frame) = (Vec::new(), Vec::new());
        while let Some(begins_in_line) = cutter.next(&mut frame).expect("a file can be read") {
            frames.push((frame.clone(), begins_in_line));
        }
        frames
    }

    #[test]
    fn frames_end_at_line_ends() {
        let whole = |texts: &[&[u8]]| texts.iter().map(|text| (text.to_vec(), false)).collect::<Vec<_>>();

        assert_eq!(frames(b"", 8), []);
        assert_eq!(frames(b"a\nb\n", 8), whole(&[b"a\nb\n"]));
        assert_eq!(frames(b"aa\nbb\ncc\ndd\n", 8), whole(&[b"aa\nbb\n", b"cc\ndd\n"]));
        assert_eq!(
            frames(b"a\na line of many bytes\nb\nno end", 8),
            whole(&[b"a\n", b"a line of many bytes\n", b"b\n", b"no end"])
        );
        assert_eq!(frames(b"12345678\nb\n", 8), whole(&[b"12345678\n", b"b\n"]));
    }

    #[test]
    fn a_line_that_is_too_long_is_cut() {
        let text = [&vec![b'x'; SURPLUS_BYTES_MAX + 9000][..], b"\nnext\n"].concat();

        let frames = frames(&text, 4096);

        assert_eq!(frames.iter().map(|(_, begins_in_line)| *begins_in_line).collect::<Vec<_>>(), [false, true, false]);
        assert!(frames[0].0.len() <= SURPLUS_BYTES_MAX + 2 * 4096);
        assert!(frames.into_iter().flat_map(|(text, _)| text).eq(text));
    }

    #[test]
    fn without_a_surplus_a_line_is_cut_at_the_size_of_a_frame() {
        let part = |text: &[u8], begins_in_line| (text.to_vec(), begins_in_line);

        assert_eq!(
            frames_with_surplus(b"a\n1234567890123456789\nb\nc", 8, 0),
            [part(b"a\n", false), part(b"12345678", false), part(b"90123456", true), part(b"789\nb\nc", true)]
        );
        assert_eq!(
            frames_with_surplus(b"1234567\n12345678", 8, 0),
            [part(b"1234567\n", false), part(b"12345678", false)]
        );
    }
}
