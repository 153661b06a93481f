//! The layout of an installation: the commands, their links, the manual pages, the scan directory.
//!
//! The commands are copied, not linked to where `cargo install` put them: init must not run what an ordinary user may
//! replace, nor depend on a home directory that is mounted later. Each copy has the names that scripts of 0.76 expect:
//!
//! ```text
//! /usr/local/bin/multilog -> /command/multilog -> /usr/local/lib/logyard/multilog
//! ```

use crate::setup::manifest::HOME;
use crate::setup::pages::PAGES;
use crate::setup::resource::{Content, Resource};

/// The directory of commands in 0.76.
const COMMAND: &str = "/command";
/// A directory in the search path of shells.
const BIN: &str = "/usr/local/bin";
/// The scan directory.
const SERVICE: &str = "/service";
/// The directory of manual pages.
const MAN: &str = "/usr/local/share/man";

/// The commands that every installation has.
pub const COMMANDS: [&str; 21] = [
    "envdir",
    "envuidgid",
    "fghack",
    "logyard-setup",
    "multilog",
    "multilog-regex",
    "pgrphack",
    "readproctitle",
    "setlock",
    "setuidgid",
    "softlimit",
    "splogger",
    "supervise",
    "svc",
    "svok",
    "svscan",
    "svscanboot",
    "svstat",
    "svwait",
    "tai64n",
    "tai64nlocal",
];

/// The commands that can be left out when the package is built.
pub const OPTIONAL: [&str; 6] = ["logbench", "logpack", "logship", "readlog", "socklog", "svtop"];

/// Lists the resources of an installation, apart from those that start it at boot. `has_program` tells which commands exist.
pub fn things(has_program: impl Fn(&str) -> bool) -> Vec<Resource> {
    let commands: Vec<&str> =
        COMMANDS.into_iter().chain(OPTIONAL.into_iter().filter(|command| has_program(command))).collect();
    let mut things = Vec::new();
    for command in &commands {
        things.push(Resource::file(format!("{HOME}/{command}"), 0o755, Content::Program((*command).to_owned())));
    }
    for command in &commands {
        things.push(Resource::link(format!("{COMMAND}/{command}"), format!("{HOME}/{command}")));
        things.push(Resource::link(format!("{BIN}/{command}"), format!("{COMMAND}/{command}")));
    }
    for (name, text) in PAGES {
        let section = name.rsplit('.').next().unwrap_or_default();
        things.push(Resource::file(format!("{MAN}/man{section}/{name}"), 0o644, Content::Text(text)));
    }
    things.push(Resource::directory(SERVICE.to_owned()));
    things
}
