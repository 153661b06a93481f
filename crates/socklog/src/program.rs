//! The program: carries out what the command line asks for.

use logyard::cli::message::say;
use logyard::cli::standard_error::{self, Threads};
use logyard::cli::{Exit, Program, Shown, cause};
use logyard::sys::program::Arguments;
use logyard::sys::signal::{self, Signal, SignalQueue};
use logyard::sys::{Errno, credentials, fd, limit};

use crate::arguments::{self, Bad, Request, SYNOPSIS, Source};
use crate::output::{Output, Stop};
use crate::ring::Ring;
use crate::server::{Server, Style};
use crate::sockets::{RING, Sockets};
use crate::store::{self, Store};
use crate::ucspi;

const PROGRAM: Program = Program("socklog");

/// Runs the program.
#[must_use]
pub fn run(arguments: &Arguments) -> Exit {
    let returned = store::returned();
    fd::occupy_standard();
    standard_error::never_block(PROGRAM, Threads::None);
    let request = match arguments::parse(arguments) {
        Ok(request) => request,
        Err(Bad::Usage) => return PROGRAM.usage(SYNOPSIS),
        Err(Bad::Option(text)) => {
            say(format_args!("{text}\n"));
            return PROGRAM.usage(SYNOPSIS);
        }
        Err(Bad::Value(text)) => return PROGRAM.fatal(text),
    };
    if let Err(errno) = signal::ignore(Signal::SIGPIPE) {
        return PROGRAM.fatal(format_args!("unable to ignore signals: {}", cause(errno)));
    }
    if let Source::Ucspi(variables) = &request.source {
        return match ucspi::run(variables) {
            Ok(()) => Exit::OK,
            Err(errno) => PROGRAM.fatal(format_args!("unable to copy standard input: {}", cause(errno))),
        };
    }
    match serve(&request, returned) {
        Ok(exit) | Err(exit) => exit,
    }
}

fn serve(request: &Request, returned: Vec<store::Returned>) -> Result<Exit, Exit> {
    let failed = |what: &str, errno: Errno| PROGRAM.fatal(format_args!("unable to {what}: {}", cause(errno)));
    let signals = SignalQueue::new(&[Signal::SIGTERM]).map_err(|errno| failed("catch signals", errno))?;
    // With fewer descriptors there are fewer connections.
    let _ = limit::raise_descriptors();
    let store = Store::connect();
    let mut sockets = Sockets::returned(returned, &request.source, &store);
    let kept = sockets.ring.take().and_then(|ring| Ring::of(ring).ok());
    let mut ring = match kept {
        Some(ring) => ring,
        None => {
            let ring = Ring::new().map_err(|errno| failed("make memory for messages", errno))?;
            store.remove(RING);
            store.add(RING, &ring);
            ring
        }
    };
    if sockets.datagrams.is_empty() {
        ring.forget_dropped();
    }
    let made = sockets.complete(&request.source, request.respects_umask, &store);
    made.map_err(|error| PROGRAM.fatal(format_args!("unable to {}: {}", error.what, error.why)))?;
    let is_kept = store.is_settled();
    if store.is_there() && !is_kept {
        PROGRAM.warn("the supervisor does not keep descriptors, messages are lost if this process is killed");
    }
    drop_rights()?;
    match &request.source {
        Source::Unix { path, .. } => say(format_args!("listening on {}, starting.\n", Shown(path))),
        Source::Inet { address, .. } => say(format_args!("listening on {address}, starting.\n")),
        Source::Ucspi(_) => {}
    }
    let output = Output::new(signals, is_kept, request.discards_after);
    let style = Style { form: request.form, shows_credentials: request.shows_credentials };
    let mut server =
        Server::new(ring, output, store, style, sockets).map_err(|errno| failed("watch sockets", errno))?;
    match server.run() {
        Ok(()) => Ok(Exit::OK),
        Err(Stop::Asked) if is_kept => Ok(Exit::OK),
        Err(Stop::Asked) => {
            let bytes = server.unwritten_bytes();
            Err(PROGRAM.fatal(format_args!("standard output is blocked, {bytes} bytes are lost")))
        }
        Err(Stop::Failed(errno)) => Err(failed("write to standard output", errno)),
    }
}

/// Gives up root's rights if `UID` and `GID` say whose rights are enough.
fn drop_rights() -> Result<(), Exit> {
    let number = |name: &str| -> Result<Option<u32>, Exit> {
        let Some(value) = std::env::var_os(name) else { return Ok(None) };
        let number = value.to_str().and_then(|value| value.parse().ok());
        number.map(Some).ok_or_else(|| PROGRAM.fatal(format_args!("{name} is not a number")))
    };
    let (group, user) = (number("GID")?, number("UID")?);
    let failed = |what: &str, errno: Errno| PROGRAM.fatal(format_args!("unable to set {what}: {}", cause(errno)));
    if let Some(group) = group {
        credentials::set_groups(&[group]).map_err(|errno| failed("GID", errno))?;
    }
    if let Some(user) = user {
        credentials::set_user(user).map_err(|errno| failed("UID", errno))?;
    }
    Ok(())
}
