//! Shows what it reads in the process list.
#![no_main]

logyard::program!(title: logyard::chain::readproctitle::run);
