//! What surrounds the programs: setup, syslog, manual pages, examples, whole systems.
//!
//! | behaviour | file |
//! |---|---|
//! | logyard-setup: what it makes, leaves alone and removes; an inittab or rc.local that already starts svscan | [`setup`] |
//! | setup, boot, a service, a reboot and the removal on a whole system | [`host`] |
//! | svscan as process 1 of a container | [`container`] |
//! | the container image: kills of a logger that prints on the standard output of the container | [`image`] |
//! | the qmail server of a well-known article, logged by splogger, by multilog, and as a service | [`qmail_server`] |
//! | splogger: messages, folding, a syslog daemon that is late, slow or restarted | [`splogger`] |
//! | every command has a manual page that renders; every page is installed | [`manual`] |
//! | every message, option and exit code is in a manual page | [`messages`] |
//! | `--version` | [`version`] |
//! | the examples: executable scripts, a valid systemd unit | [`examples`] |
//!
//! Fixtures: [`root`] makes root directories and boots systems in them; [`syslogd`] runs Debian's syslog daemon.

mod container;
mod examples;
mod host;
mod image;
mod manual;
mod messages;
mod qmail_server;
mod root;
mod setup;
mod splogger;
mod syslogd;
mod version;
