//! svscan, supervise and the commands that control services.
//!
//! | behaviour | file |
//! |---|---|
//! | supervise: its files, restarts, `down`, a killed supervise and its successor, a failed fork | [`daemon`] |
//! | `finish`, `down-signal`, `timeout-kill`, `setsid`, readiness; svwait; `svstat -l` and `--json` | [`options`] |
//! | readiness by `notification-fd` and `NOTIFY_SOCKET`, of services and of svscan | [`readiness`] |
//! | svc: every letter in every state, between ours and 0.76 | [`control`] |
//! | usage, messages and output of svc, svstat, svok and supervise are those of 0.76 | [`transcripts`] |
//! | svscan: services that come and go; a service and its logger; a late log; the sticky bit; links | [`pairing`] |
//! | svscan exits: TERM, HUP, QUIT; services are ended before their loggers; services whose name is gone; a supervise that is stopped (SIGSTOP) | [`shutdown`] |
//! | any two processes are killed: one copy of the service, no line lost | [`kill_matrix`] |
//! | broken or hostile service directories: links, FIFOs, other owners, bad bytes | [`hostile`] |
//! | standard error is full and nobody reads it | [`unread`] |
//! | svscanboot and readproctitle | [`svscanboot`] |
//! | the first steps of a well-known article, from an empty `/service` | [`first_steps`] |
//! | starting and stopping again and again leaks nothing | [`cycles`] |
//!
//! The fixture is `testkit::service_fixture`. Refused system calls: `kernels::services`.

mod blocked;
mod control;
mod cycles;
mod daemon;
mod first_steps;
mod hostile;
mod kill_matrix;
mod options;
mod pairing;
mod readiness;
mod shutdown;
mod svscanboot;
mod transcripts;
mod unread;
