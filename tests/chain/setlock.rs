//! setlock: a lock that is held, waited for, or given up.

use super::transcript::same;
use super::{ours, shell, theirs};
use testkit::{Workdir, until};

#[test]
fn setlock_holds_its_lock_and_fails_as_its_options_say() {
    same(
        "
$ setlock lock echo ran
ran
$ ls -l lock | cut -c1-10; echo kept >lock; setlock lock cat lock
-rw-------
kept
$ setlock -n lock setlock -n lock echo never
! setlock: fatal: unable to lock lock: temporary failure
[111]
$ setlock -nx lock setlock -nx lock echo never
$ setlock -nx lock setlock -nxX lock echo never
! setlock: fatal: unable to lock lock: temporary failure
[111]
$ setlock nosuch/lock echo never
! setlock: fatal: unable to open nosuch/lock: file does not exist
[111]
$ setlock -x nosuch/lock echo never
$ setlock '' echo never
! setlock: fatal: unable to open : file does not exist
[111]
$ setlock . echo never
! setlock: fatal: unable to open .: is a directory
[111]
$ setlock lock nosuch
! setlock: fatal: unable to run nosuch: file does not exist
[111]
$ setlock -x lock nosuch
! setlock: fatal: unable to run nosuch: file does not exist
[111]
$ setlock lock sh -c 'exit 7'
[7]
$ setlock a sh -c 'flock -n a echo never || setlock b setlock -n c echo nested'
nested
",
    );
}

#[test]
fn setlock_waits_until_the_lock_is_free() {
    for programs in [Some(ours()), theirs()].into_iter().flatten() {
        let dir = Workdir::new();
        let start = |script: &str| shell(&programs, dir.path(), script).spawn().unwrap();
        let mut first =
            start("exec setlock lock sh -c 'touch held; while test -e held; do sleep 0.01; done; echo first >>order'");
        until("the first has the lock", || dir.join("held").exists());
        let mut second = start("exec setlock lock sh -c 'echo second >>order'");

        until("the second waits", || is_waiting(second.id()));
        std::fs::remove_file(dir.join("held")).unwrap();

        assert!(first.wait().unwrap().success() && second.wait().unwrap().success());
        assert_eq!(std::fs::read_to_string(dir.join("order")).unwrap(), "first\nsecond\n");
    }
}

/// Whether a process waits for a lock: `1: -> FLOCK  ADVISORY  WRITE 1234 fd:00:5678 0 EOF`.
fn is_waiting(process: u32) -> bool {
    std::fs::read_to_string("/proc/locks").unwrap().lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.get(1) == Some(&"->") && words.get(5) == Some(&process.to_string().as_str())
    })
}
