//! Prints the state of services: `svstat dir`.
#![no_main]

logyard::program!(logyard::supervise::svstat::run);
