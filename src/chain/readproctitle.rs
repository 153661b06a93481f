//! `readproctitle text... .....`: shows the end of what it reads in the process list.
//!
//! The last argument is the display: it fills with dots, and each byte read moves it to the left and comes in at its
//! right, for `ps` to show. It is where the messages of svscan and all its services end up when there is no better
//! place. Null bytes are left out, as `ps` takes them for the ends of arguments. The first three bytes stay dots.

use crate::cli::Exit;
use crate::sys::fd;
use crate::sys::process::proctitle::Title;

/// The smallest display.
const TITLE_BYTES_MIN: usize = 5;

/// How many dots stay, as a sign that there was more.
const ELLIPSIS: usize = 3;

/// How much is read at a time.
const READ_BYTES: usize = 4096;

/// Shows what comes in until it ends.
#[must_use]
pub fn run(title: Option<Title>) -> Exit {
    let Some(mut title) = title else {
        return Exit::USAGE;
    };
    let text = title.text();
    text.fill(b'.');
    if text.len() < TITLE_BYTES_MIN {
        return Exit::USAGE;
    }
    let display = &mut text[ELLIPSIS..];
    let mut room = [0; READ_BYTES];
    loop {
        match fd::read(fd::stdin(), &mut room) {
            Ok(0) => return Exit::OK,
            Ok(read) => show(display, &mut room[..read]),
            Err(_) => return Exit::TROUBLE,
        }
    }
}

/// Moves the display on by what came in; `news` is changed on the way.
fn show(display: &mut [u8], news: &mut [u8]) {
    let mut kept = 0;
    for at in 0..news.len() {
        if news[at] != 0 {
            news[kept] = news[at];
            kept += 1;
        }
    }
    let news = &news[kept.saturating_sub(display.len())..kept];
    display.copy_within(news.len().., 0);
    let old = display.len() - news.len();
    display[old..].copy_from_slice(news);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a display of `size` dots shows after each of `chunks` came in.
    fn shown(size: usize, chunks: &[&[u8]]) -> Vec<u8> {
        let mut display = vec![b'.'; size];
        for chunk in chunks {
            show(&mut display, &mut chunk.to_vec());
        }
        display
    }

    #[test]
    fn what_comes_in_moves_the_rest_to_the_left() {
        assert_eq!(shown(5, &[]), b".....");
        assert_eq!(shown(5, &[b"ab"]), b"...ab");
        assert_eq!(shown(5, &[b"ab", b"cde"]), b"abcde");
        assert_eq!(shown(5, &[b"ab", b"cdef"]), b"bcdef");
        assert_eq!(shown(5, &[b"ab", b"0123456789"]), b"56789");
        assert_eq!(shown(2, &[b"a\nb"]), b"\nb");
    }

    #[test]
    fn null_bytes_do_not_show() {
        assert_eq!(shown(5, &[b"\0a\0\0b\0", b"\0"]), b"...ab");
    }
}
