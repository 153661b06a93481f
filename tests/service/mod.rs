//! What makes an installation of the programs: setup, syslog, manual pages, examples.

mod container;
mod examples;
mod host;
mod manual;
mod messages;
mod qmail_server;
mod root;
mod setup;
mod splogger;
mod syslogd;
