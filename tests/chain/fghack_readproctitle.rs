//! fghack and readproctitle, which keep running.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::transcript::same;
use super::{ours, shell, theirs};
use testkit::{Workdir, until};

#[test]
fn fghack_exits_with_the_code_of_its_child() {
    same(
        "
$ fghack true
$ fghack sh -c 'exit 7'
[7]
$ fghack sh -c 'kill -9 $$'
! fghack: fatal: child crashed
[111]
$ fghack sh -c 'kill -15 $$'
! fghack: fatal: child crashed
[111]
$ fghack nosuch
! fghack: fatal: unable to run nosuch: file does not exist
[111]
$ fghack sh -c 'echo out; echo err >&2; cat' </dev/null
out
! err
",
    );
}

#[test]
fn fghack_waits_for_the_daemons_that_its_child_started() {
    for programs in [Some(ours()), theirs()].into_iter().flatten() {
        let dir = Workdir::new();
        let daemon = "(while test -e running; do sleep 0.01; done; touch stopped) </dev/null >/dev/null 2>&1 & exit 3";
        std::fs::write(dir.join("running"), "").unwrap();
        let mut fghack = shell(&programs, dir.path(), &format!("exec fghack sh -c '{daemon}'")).spawn().unwrap();

        // The child has ended: it is waited for only after the pipe.
        until("the child has ended", || is_zombie_child_of(fghack.id()));
        assert!(fghack.try_wait().unwrap().is_none());
        std::fs::remove_file(dir.join("running")).unwrap();

        assert_eq!(fghack.wait().unwrap().code(), Some(3));
        assert!(dir.join("stopped").exists());
    }
}

/// Whether a process has a child that has ended and has not been waited for.
fn is_zombie_child_of(parent: u32) -> bool {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    children.split_whitespace().any(|child| {
        let status = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        status.rsplit(')').next().is_some_and(|fields| fields.trim_start().starts_with('Z'))
    })
}

/// A readproctitle. Dropped, it gets the end of its input and exits.
struct Shown(Child);

impl Shown {
    fn new(programs: &Path, title: &[&str]) -> Shown {
        let mut program = Command::new(programs.join("readproctitle"));
        Shown(program.args(title).stdin(Stdio::piped()).spawn().unwrap())
    }

    fn write(&mut self, text: &[u8]) {
        self.0.stdin.as_mut().unwrap().write_all(text).unwrap();
    }

    /// The arguments after the name, as `ps` finds them.
    fn title(&self) -> Vec<String> {
        let line = std::fs::read(format!("/proc/{}/cmdline", self.0.id())).unwrap();
        let line = String::from_utf8_lossy(&line).into_owned();
        line.trim_end_matches('\0').split('\0').skip(1).map(str::to_owned).collect()
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
fn readproctitle_shows_the_end_of_what_it_reads() {
    for programs in [Some(ours()), theirs()].into_iter().flatten() {
        let mut shown = Shown::new(&programs, &["service errors:", "ignored to the last"]);
        until("dots are shown", || shown.title() == ["service errors:", "..................."]);

        shown.write(b"svscan: a\0b\0\n");
        until("it is shown", || shown.title() == ["service errors:", "........svscan: ab\n"]);
        shown.write(b"more than there is room for");
        until("its end is shown", || shown.title() == ["service errors:", "...here is room for"]);

        drop(shown.0.stdin.take());
        assert_eq!(shown.0.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn readproctitle_refuses_arguments_that_are_too_short() {
    same(
        "
$ readproctitle '' 1234 '' </dev/null
[100]
$ readproctitle 1 12345 </dev/null
$ readproctitle .
[100]
$ readproctitle ..... <.
[111]
",
    );
}
