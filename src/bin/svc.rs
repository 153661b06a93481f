//! Controls services: `svc -d dir`.
#![no_main]

logyard::program!(logyard::supervise::svc::run);
