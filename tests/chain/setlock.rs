//! setlock: a lock that is held, waited for, or given up.

use super::transcript::same;

#[test]
fn setlock_holds_and_waits_and_gives_up() {
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
