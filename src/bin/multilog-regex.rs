//! `multilog` executes this program if its script has regular expressions: see [`logyard::multilog::regex_program`].
#![no_main]

logyard::program!(logyard::multilog::program::run_with_expressions);
logyard::without_resolver!();
