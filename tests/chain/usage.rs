//! How the programs are called: usage, options, and the search for the next program.

use super::transcript::{differs, same};

#[test]
fn wrong_arguments_print_the_usage() {
    same(
        "
$ setuidgid
! setuidgid: usage: setuidgid account child
[100]
$ setuidgid root
! setuidgid: usage: setuidgid account child
[100]
$ setuidgid -h
! setuidgid: usage: setuidgid account child
[100]
$ envuidgid
! envuidgid: usage: envuidgid account child
[100]
$ envuidgid nosuch
! envuidgid: usage: envuidgid account child
[100]
$ envdir
! envdir: usage: envdir dir child
[111]
$ envdir nosuch
! envdir: usage: envdir dir child
[111]
$ setlock
! setlock: usage: setlock [ -nNxX ] file program [ arg ... ]
[100]
$ setlock lock; test -e lock
! setlock: usage: setlock [ -nNxX ] file program [ arg ... ]
[1]
$ setlock -nx lock
! setlock: usage: setlock [ -nNxX ] file program [ arg ... ]
[100]
$ fghack
! fghack: usage: fghack child
[100]
$ pgrphack
! pgrphack: usage: pgrphack child
[100]
$ readproctitle
[100]
$ readproctitle 1234
[100]
$ readproctitle 12345
$ readproctitle 12345 <&-
[111]
",
    );
}

#[test]
fn options_are_parsed_as_in_0_76() {
    same(
        "
$ setlock -Z lock true
! setlock: illegal option -- Z
! setlock: usage: setlock [ -nNxX ] file program [ arg ... ]
[100]
$ setlock -nxZ lock true
! setlock: illegal option -- Z
! setlock: usage: setlock [ -nNxX ] file program [ arg ... ]
[100]
$ setlock -nNxX -n -x lock echo bundled
bundled
$ setlock -- lock echo after two dashes
after two dashes
$ setlock --anything lock echo after two dashes and more
after two dashes and more
$ setlock -- -n echo a file named -n
a file named -n
$ ls ./-n
./-n
$ setlock - echo a file named -
a file named -
$ softlimit -- echo after two dashes
after two dashes
$ softlimit -o10 - true
! softlimit: fatal: unable to run -: file does not exist
[111]
$ setuidgid -- root true
! setuidgid: fatal: unknown account --
[111]
$ envuidgid root -- true
! envuidgid: fatal: unable to run --: file does not exist
[111]
$ pgrphack -- true
! pgrphack: fatal: unable to run --: file does not exist
[111]
$ fghack -- true
! fghack: fatal: unable to run --: file does not exist
[111]
$ fghack -Z
! fghack: fatal: unable to run -Z: file does not exist
[111]
",
    );
}

#[test]
fn the_next_program_is_searched_in_path() {
    same(
        "
$ mkdir first second odd; touch first/prog odd/not-a-directory; mkdir second/prog
$ pgrphack nosuch
! pgrphack: fatal: unable to run nosuch: file does not exist
[111]
$ pgrphack ./nosuch
! pgrphack: fatal: unable to run ./nosuch: file does not exist
[111]
$ pgrphack /
! pgrphack: fatal: unable to run /: access denied
[111]
$ pgrphack first/prog/x
! pgrphack: fatal: unable to run first/prog/x: not a directory
[111]
$ echo 'no interpreter' >script; chmod 755 script; pgrphack ./script
! pgrphack: fatal: unable to run ./script: exec format error
[111]
$ PATH=$PWD/nosuch:$PATH pgrphack echo passed over
passed over
$ pgrphack=$(command -v pgrphack); PATH=first:second $pgrphack prog
! pgrphack: fatal: unable to run prog: access denied
[111]
$ pgrphack=$(command -v pgrphack); PATH=first:/usr/bin:/bin $pgrphack prog
! pgrphack: fatal: unable to run prog: access denied
[111]
$ pgrphack=$(command -v pgrphack); PATH=odd/not-a-directory:/usr/bin:/bin $pgrphack echo never
! pgrphack: fatal: unable to run echo: not a directory
[111]
$ pgrphack=$(command -v pgrphack); PATH= $pgrphack echo never
! pgrphack: fatal: unable to run echo: file does not exist
[111]
$ ln -s /bin/echo here; pgrphack=$(command -v pgrphack); PATH= $pgrphack here is the working directory
is the working directory
$ pgrphack=$(command -v pgrphack); PATH=/nosuch: $pgrphack here too
too
$ pgrphack=$(command -v pgrphack); unset PATH; $pgrphack echo without a path
without a path
$ env - \"$(command -v pgrphack)\" env
",
    );
}

#[test]
fn control_characters_in_a_name_are_escaped_in_messages() {
    differs(
        "$ pgrphack \"$(printf 'a\\033b')\"\n! pgrphack: fatal: unable to run a\\x1bb: file does not exist\n[111]\n",
        "$ pgrphack \"$(printf 'a\\033b')\"\n! pgrphack: fatal: unable to run a\x1bb: file does not exist\n[111]\n",
    );
}

#[test]
fn pgrphack_starts_a_session_of_its_own() {
    let is_leader = r"read -r pid name state parent group session rest </proc/$$/stat; test $$ = $group && test $$ = $session && echo mine";
    same(&format!(
        "$ pgrphack sh -c '{is_leader}'\nmine\n$ pgrphack pgrphack sh -c '{is_leader}'\nmine\n$ pgrphack sh -c 'exit 7'\n[7]\n"
    ));
}
