//! The local time zone: `TZ`, or `/etc/localtime`.
//!
//! `jiff` knows the rules. It does not know leap seconds, so a `right/` zone, whose clock counts them, is refused
//! instead of being shown up to 27 seconds wrong.

use std::env;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Where zones are kept unless `TZDIR` says otherwise.
const ZONE_DIRECTORY: &str = "/usr/share/zoneinfo";
/// The zone of the host.
const HOST_ZONE: &str = "/etc/localtime";

/// The months as syslog's protocol names them.
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A time zone.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

/// The zone's clock counts leap seconds.
#[derive(Debug)]
pub struct CountsLeapSeconds(PathBuf);

impl fmt::Display for CountsLeapSeconds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "unable to use time zone {}: it counts leap seconds", self.0.display())
    }
}

impl std::error::Error for CountsLeapSeconds {}

impl Zone {
    /// The zone that `TZ` names, or that of the host; UTC where neither makes sense, as the C library has it.
    pub fn local() -> Result<Zone, CountsLeapSeconds> {
        if let Some(file) = zone_file()
            && counts_leap_seconds(&file)
        {
            return Err(CountsLeapSeconds(file));
        }
        Ok(Zone(TimeZone::try_system().unwrap_or(TimeZone::UTC)))
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

/// The file that describes the local zone, if one does.
fn zone_file() -> Option<PathBuf> {
    let Some(name) = env::var_os("TZ") else { return Some(HOST_ZONE.into()) };
    let name = name.to_str()?;
    let name = name.strip_prefix(':').unwrap_or(name);
    // An empty name is UTC, and a path of its own replaces the directory.
    let directory = env::var_os("TZDIR").map_or_else(|| ZONE_DIRECTORY.into(), PathBuf::from);
    (!name.is_empty()).then(|| directory.join(name))
}

/// Reads in the header of a TZif file (RFC 8536) how many leap seconds it counts.
fn counts_leap_seconds(file: &Path) -> bool {
    let mut header = [0; 32];
    let is_read = File::open(file).is_ok_and(|mut file| file.read_exact(&mut header).is_ok());
    is_read && header.starts_with(b"TZif") && header[28..32] != [0; 4]
}
