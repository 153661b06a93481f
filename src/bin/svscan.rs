//! Starts the services in a directory and watches it: `svscan dir`.
#![no_main]

logyard::program!(logyard::supervise::svscan::run);
