//! The figures of one daemon.

use crate::syslog::daemons::Daemon;
use crate::syslog::kills::Kills;
use crate::syslog::speed::Speed;

/// What is measured of one daemon.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) daemon: Daemon,
    pub(crate) speeds: Vec<Speed>,
    pub(crate) kills: Option<Kills>,
}
