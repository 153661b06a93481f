//! Runs a program as another user.
#![no_main]

logyard::program!(logyard::chain::setuidgid::run);
