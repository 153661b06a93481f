//! Runs svscan for the whole system, with its messages in the process list: `svscanboot`.
#![no_main]

logyard::program!(logyard::supervise::svscanboot::run);
