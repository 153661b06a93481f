//! Says how services are: `svstat dir`.
#![no_main]

logyard::program!(logyard::supervise::svstat::run);
