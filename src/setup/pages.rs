//! The manual pages, carried in the program: `cargo install` installs programs and nothing else.

/// Each page's file name and text.
pub const PAGES: [(&str, &str); 24] = [
    ("envdir.8", include_str!("../../doc/man/envdir.8")),
    ("envuidgid.8", include_str!("../../doc/man/envuidgid.8")),
    ("fghack.8", include_str!("../../doc/man/fghack.8")),
    ("logbench.1", include_str!("../../doc/man/logbench.1")),
    ("logdir.5", include_str!("../../doc/man/logdir.5")),
    ("logyard-setup.8", include_str!("../../doc/man/logyard-setup.8")),
    ("multilog.8", include_str!("../../doc/man/multilog.8")),
    ("pgrphack.8", include_str!("../../doc/man/pgrphack.8")),
    ("readlog.1", include_str!("../../doc/man/readlog.1")),
    ("readproctitle.8", include_str!("../../doc/man/readproctitle.8")),
    ("servicedir.5", include_str!("../../doc/man/servicedir.5")),
    ("setlock.8", include_str!("../../doc/man/setlock.8")),
    ("setuidgid.8", include_str!("../../doc/man/setuidgid.8")),
    ("softlimit.8", include_str!("../../doc/man/softlimit.8")),
    ("splogger.8", include_str!("../../doc/man/splogger.8")),
    ("supervise.8", include_str!("../../doc/man/supervise.8")),
    ("svc.8", include_str!("../../doc/man/svc.8")),
    ("svok.8", include_str!("../../doc/man/svok.8")),
    ("svscan.8", include_str!("../../doc/man/svscan.8")),
    ("svscanboot.8", include_str!("../../doc/man/svscanboot.8")),
    ("svstat.8", include_str!("../../doc/man/svstat.8")),
    ("svwait.8", include_str!("../../doc/man/svwait.8")),
    ("tai64n.8", include_str!("../../doc/man/tai64n.8")),
    ("tai64nlocal.8", include_str!("../../doc/man/tai64nlocal.8")),
];
