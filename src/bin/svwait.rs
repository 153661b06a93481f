//! Waits until services are up or down: `svwait -u dir`.
#![no_main]

logyard::program!(logyard::supervise::svwait::run);
