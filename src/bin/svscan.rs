//! Starts and watches a directory of services: `svscan dir`.
#![no_main]

logyard::program!(logyard::supervise::svscan::run);
