//! Sends lines to syslog, as qmail's program does: `splogger [tag [facility]]`.
#![no_main]

logyard::program!(logyard::splogger::program::run);
