//! The local time zone: `TZ`, or `/etc/localtime`, found as the C library finds it.
//!
//! What `TZ` says is the name of a file first, below the directory of zones or by a path of its own; else it is a rule as
//! [`posix`](mod@super::posix) reads it; else it makes no sense, and the zone is UTC. A rule that makes sense only
//! half way is refused.
//!
//! `jiff` knows the rules. It does not know leap seconds, so a `right/` zone, whose clock counts them, is refused
//! instead of being shown up to 27 seconds wrong.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::Shown;
use crate::tai64n::posix;

/// Where zones are kept unless `TZDIR` says otherwise.
const ZONE_DIRECTORY: &str = "/usr/share/zoneinfo";
/// The zone of the host.
const HOST_ZONE: &str = "/etc/localtime";
/// No file that describes a zone is larger.
const ZONE_BYTES_MAX: u64 = 1024 * 1024;

/// The months as syslog's protocol names them.
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A time zone.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

/// Why a zone cannot be used.
#[derive(Debug)]
pub enum Error {
    /// Its clock counts leap seconds.
    CountsLeapSeconds(PathBuf),
    /// It is a rule that makes sense only half way.
    BadFormat(OsString),
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::CountsLeapSeconds(file) => {
                let file = Shown(file.as_os_str().as_bytes());
                write!(out, "unable to use time zone {file}: it counts leap seconds")
            }
            Error::BadFormat(rule) => write!(out, "unable to use time zone {}: bad format", Shown(rule.as_bytes())),
        }
    }
}

impl std::error::Error for Error {}

impl Zone {
    /// The zone that `TZ` names, or that of the host; UTC where neither makes sense, as the C library has it.
    pub fn local() -> Result<Zone, Error> {
        let Some(name) = env::var_os("TZ") else {
            return Ok(Zone(read(Path::new(HOST_ZONE))?.unwrap_or(TimeZone::UTC)));
        };
        let name = name.as_bytes();
        let name = OsStr::from_bytes(name.strip_prefix(b":").unwrap_or(name));
        if name.is_empty() {
            return Ok(Zone::utc());
        }
        // A path of its own replaces the directory.
        let directory = env::var_os("TZDIR").filter(|directory| !directory.is_empty());
        let file = directory.map_or_else(|| ZONE_DIRECTORY.into(), PathBuf::from).join(name);
        if let Some(zone) = read(&file)? {
            return Ok(Zone(zone));
        }
        match posix::zone(name.as_bytes()) {
            Ok(zone) => Ok(Zone(zone.unwrap_or(TimeZone::UTC))),
            Err(posix::BadRule) => Err(Error::BadFormat(name.to_owned())),
        }
    }

    /// Appends a moment as `2002-05-15 20:02:11.`; nothing if its year is beyond all calendars.
    pub fn show(&self, unix_seconds: i64, output: &mut Vec<u8>) {
        let Ok(moment) = Timestamp::from_second(unix_seconds) else { return };
        let local = self.0.to_datetime(moment);
        let text = format!(
            "{}-{:02}-{:02} {:02}:{:02}:{:02}.",
            local.year(),
            local.month(),
            local.day(),
            local.hour(),
            local.minute(),
            local.second()
        );
        output.extend_from_slice(text.as_bytes());
    }

    /// How far local time is ahead of UTC at a moment, in seconds; 0 beyond all calendars.
    #[must_use]
    pub fn offset_seconds(&self, unix_seconds: i64) -> i32 {
        Timestamp::from_second(unix_seconds).map_or(0, |moment| self.0.to_offset(moment).seconds())
    }

    /// Coordinated universal time.
    #[must_use]
    pub fn utc() -> Zone {
        Zone(TimeZone::UTC)
    }

    /// Appends a moment as syslog's protocol has it, `May  5 20:02:11`; the year's end for a year beyond all calendars.
    pub fn show_for_syslog(&self, unix_seconds: i64, output: &mut Vec<u8>) {
        let moment = Timestamp::from_second(unix_seconds).unwrap_or(Timestamp::MAX);
        let local = self.0.to_datetime(moment);
        let month = MONTHS[usize::try_from(local.month() - 1).expect("months count from 1")];
        let text = format!("{month} {:2} {:02}:{:02}:{:02}", local.day(), local.hour(), local.minute(), local.second());
        output.extend_from_slice(text.as_bytes());
    }
}

impl From<TimeZone> for Zone {
    fn from(zone: TimeZone) -> Zone {
        Zone(zone)
    }
}

impl From<Zone> for TimeZone {
    fn from(zone: Zone) -> TimeZone {
        zone.0
    }
}

/// Reads the file of a zone (TZif, RFC 8536); `None` where there is no such file, or it describes none.
fn read(path: &Path) -> Result<Option<TimeZone>, Error> {
    let Ok(file) = File::open(path) else { return Ok(None) };
    if !file.metadata().is_ok_and(|data| data.is_file()) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    if file.take(ZONE_BYTES_MAX).read_to_end(&mut bytes).is_err() || !bytes.starts_with(b"TZif") {
        return Ok(None);
    }
    // The header's number of leap seconds.
    if bytes.get(28..32).is_some_and(|count| count != [0; 4]) {
        return Err(Error::CountsLeapSeconds(path.to_owned()));
    }
    Ok(TimeZone::tzif("local", &bytes).ok())
}
