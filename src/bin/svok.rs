//! Tells whether a service is supervised: `svok dir`.
#![no_main]

logyard::program!(logyard::supervise::svok::run);
