//! What makes an installation of the programs: setup, syslog, manual pages, examples.

mod article;
mod container;
mod examples;
mod host;
mod manual;
mod messages;
mod root;
mod setup;
mod splogger;
mod syslogd;
