//! The filters, the chain-loading tools, setup and splogger where a call is refused.

use testkit::kernels::tools::{Commands, every_command_works};

use testkit::program_directory;

/// Each command by name; what they need is in the working directory.
const COMMANDS: Commands = &[
    ("tai64n", "tai64n <env/ONE"),
    ("tai64nlocal", "TZ=Europe/Berlin tai64nlocal <main/current"),
    ("setlock", "setlock -n lock echo held"),
    ("setlock waits", "setlock lock setlock -n other echo held"),
    ("setlock taken", "setlock lock setlock -n lock echo both"),
    ("softlimit", "softlimit -o 20 sh -c 'ulimit -n'"),
    ("softlimit none", "softlimit echo ran"),
    ("envdir", "envdir env sh -c 'echo $ONE'"),
    ("envuidgid", "envuidgid root sh -c 'echo $UID $GID'"),
    ("setuidgid", "setuidgid root echo ran"),
    ("fghack", "fghack sh -c 'sleep 0.01 & echo behind'"),
    ("pgrphack", "pgrphack echo ran"),
    ("readproctitle", "readproctitle service errors: .......... </dev/null"),
    ("splogger", "echo text >line; SPLOGGER_SOCKET=socket splogger tag 3 <line"),
    ("svok", "svok ."),
    ("svstat", "svstat ."),
    ("svc", "svc -u ."),
    ("svwait", "svwait -d ."),
    ("logyard-setup", "logyard-setup --root root -n"),
];

#[test]
fn every_tool_works_or_reports_why_not() {
    every_command_works(COMMANDS, program_directory());
}
