//! The command line.

use std::ffi::CStr;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use logyard::cli::{Options, Shown};
use logyard::sys::program::Arguments;

use crate::line::Form;

/// Where messages come from if nothing is said.
const DEV_LOG: &[u8] = b"/dev/log";
/// The port if nothing is said.
const PORT: u16 = 514;
/// How many variables a connection may be described by.
const VARIABLES_MAX: usize = 8;
/// How the program is called.
pub const SYNOPSIS: &str = "socklog [-rRUpstu] [-d seconds] [unix [path] | inet [ip [port]] | ucspi [variable ...]]";

/// What the program is to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// Where messages come from.
    pub source: Source,
    /// What is written of each.
    pub form: Form,
    /// Each line says who has sent it.
    pub shows_credentials: bool,
    /// The umask counts for the socket.
    pub respects_umask: bool,
    /// Messages are discarded when the output has been blocked for so long.
    pub discards_after: Option<Duration>,
}

/// Where messages come from.
#[derive(Debug, PartialEq, Eq)]
pub enum Source {
    /// A socket in the file system.
    Unix {
        /// Its path.
        path: Vec<u8>,
        /// It accepts connections.
        is_stream: bool,
    },
    /// The network.
    Inet {
        /// The address and port.
        address: SocketAddr,
        /// Datagrams are received.
        has_udp: bool,
        /// Connections are accepted.
        has_tcp: bool,
    },
    /// Standard input is a connection, which these variables describe.
    Ucspi(Vec<String>),
}

/// Why a command line makes no sense.
#[derive(Debug, PartialEq, Eq)]
pub enum Bad {
    /// It is to be explained how the program is called.
    Usage,
    /// An option does not exist, or lacks its value.
    Option(String),
    /// An option, an address or a number makes no sense.
    Value(String),
}

/// Reads the command line.
pub fn parse(arguments: &Arguments) -> Result<Request, Bad> {
    let mut options = Options::without_words(arguments, b"rRUpstud:");
    let (mut is_raw, mut is_only_raw, mut respects_umask) = (false, false, false);
    let (mut shows_credentials, mut is_stream, mut only_tcp, mut only_udp) = (false, false, false, false);
    let mut discards_after = None;
    for option in options.by_ref() {
        let given = option.map_err(|bad| Bad::Option(bad.to_string()))?;
        match given.letter {
            b'r' => is_raw = true,
            b'R' => is_only_raw = true,
            b'U' => respects_umask = true,
            b'p' => shows_credentials = true,
            b's' => is_stream = true,
            b't' => only_tcp = true,
            b'u' => only_udp = true,
            _ => {
                let seconds = text(given.value).parse().map_err(|_| bad("bad number of seconds", given.value))?;
                discards_after = Some(Duration::from_secs(seconds));
            }
        }
    }
    let words: Vec<&[u8]> = options.rest().iter().map(|word| CStr::to_bytes(word)).collect();
    let source = match words[..] {
        [] | [b"unix"] => Source::Unix { path: DEV_LOG.to_vec(), is_stream },
        [b"unix", path] => Source::Unix { path: path.to_vec(), is_stream },
        [b"inet", ref place @ ..] if place.len() <= 2 => {
            let ip = place.first().map_or(Ok(Ipv4Addr::UNSPECIFIED.into()), |ip| parse_ip(ip))?;
            let port = place.get(1).map_or(Ok(PORT), |port| parse_port(port))?;
            Source::Inet { address: (ip, port).into(), has_udp: !only_tcp || only_udp, has_tcp: !only_udp || only_tcp }
        }
        [b"ucspi", ref names @ ..] if names.len() <= VARIABLES_MAX => {
            Source::Ucspi(names.iter().map(|name| text(name)).collect())
        }
        _ => return Err(Bad::Usage),
    };
    let form = match (is_raw, is_only_raw) {
        (_, true) => Form::Raw,
        (true, false) => Form::RawAndNamed,
        (false, false) => Form::Named,
    };
    Ok(Request { source, form, shows_credentials, respects_umask, discards_after })
}

/// Reads an address. One that begins with 0 stands for all.
fn parse_ip(word: &[u8]) -> Result<IpAddr, Bad> {
    if word.starts_with(b"0") {
        return Ok(Ipv4Addr::UNSPECIFIED.into());
    }
    text(word).parse().map_err(|_| bad("bad ip address", word))
}

fn parse_port(word: &[u8]) -> Result<u16, Bad> {
    text(word).parse().map_err(|_| bad("bad port number", word))
}

fn bad(what: &str, word: &[u8]) -> Bad {
    Bad::Value(format!("{what}: {}", Shown(word)))
}

fn text(word: &[u8]) -> String {
    String::from_utf8_lossy(word).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(arguments: &Arguments) -> Source {
        parse(arguments).unwrap().source
    }

    #[test]
    fn what_is_left_out_has_the_defaults_of_the_original() {
        let dev_log = Source::Unix { path: b"/dev/log".to_vec(), is_stream: false };
        assert_eq!(source(&[c"socklog"]), dev_log);
        assert_eq!(source(&[c"socklog", c"unix"]), dev_log);
        let all = Source::Inet { address: ([0, 0, 0, 0], 514).into(), has_udp: true, has_tcp: true };
        assert_eq!(source(&[c"socklog", c"inet"]), all);
        assert_eq!(source(&[c"socklog", c"inet", c"0"]), all);
    }

    #[test]
    fn protocols_can_be_chosen() {
        let request = parse(&[c"socklog", c"-tR", c"inet", c"127.0.0.1", c"1514"]).unwrap();
        let address = ([127, 0, 0, 1], 1514).into();
        assert_eq!(request.source, Source::Inet { address, has_udp: false, has_tcp: true });
        assert_eq!(request.form, Form::Raw);
        assert!(matches!(source(&[c"socklog", c"-u", c"inet"]), Source::Inet { has_udp: true, has_tcp: false, .. }));
        assert!(matches!(source(&[c"socklog", c"-ut", c"inet"]), Source::Inet { has_udp: true, has_tcp: true, .. }));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        assert_eq!(parse(&[c"socklog", c"-x"]), Err(Bad::Option("socklog: illegal option -- x".into())));
        assert_eq!(parse(&[c"socklog", c"--syslog"]), Err(Bad::Option("socklog: illegal option --syslog".into())));
        assert_eq!(parse(&[c"socklog", c"pipe"]), Err(Bad::Usage));
        assert_eq!(parse(&[c"socklog", c"inet", c"1.2.3"]), Err(Bad::Value("bad ip address: 1.2.3".into())));
        assert_eq!(parse(&[c"socklog", c"inet", c"::1", c"abc"]), Err(Bad::Value("bad port number: abc".into())));
        assert_eq!(parse(&[c"socklog", c"-d", c"-1"]), Err(Bad::Value("bad number of seconds: -1".into())));
    }
}
