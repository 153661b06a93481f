//! One connection on standard input, as a server such as tcpserver starts the program for each.
//!
//! Standard output is the connection too, so the lines go to standard error, which such a server shares with its logger.
//! Each line, or text that ends with a zero byte, is a message. Variables that the server sets say where it comes from.

use std::os::unix::ffi::OsStrExt;

use logyard::sys::{Result, fd};

use crate::frame::MESSAGE_BYTES_MAX;
use crate::line::append_named;

const READ_BYTES: usize = 64 * 1024;

/// Writes the messages on standard input until it ends.
pub fn run(variables: &[String]) -> Result<()> {
    let mut origin = Vec::new();
    for value in variables.iter().filter_map(std::env::var_os) {
        crate::line::append_escaped(&mut origin, value.as_bytes());
        origin.extend_from_slice(b": ");
    }
    let (mut room, mut begun, mut lines) = (vec![0; READ_BYTES], Vec::new(), Vec::new());
    loop {
        let count = fd::read(fd::stdin(), &mut room)?;
        begun.extend_from_slice(&room[..count]);
        let is_end = |byte: &u8| matches!(byte, b'\n' | 0);
        let end = match begun.iter().rposition(is_end) {
            Some(last) => last + 1,
            None if count == 0 || begun.len() >= MESSAGE_BYTES_MAX => begun.len(),
            None => 0,
        };
        let end = if count == 0 { begun.len() } else { end };
        for message in begun[..end].split(is_end).filter(|message| !message.is_empty()) {
            append_named(&mut lines, &origin, message);
        }
        begun.drain(..end);
        fd::write_all(fd::stderr(), &lines)?;
        lines.clear();
        if count == 0 {
            return Ok(());
        }
    }
}
