//! The user and the groups of the next program, and how accounts are looked up.

use std::path::Path;

use super::transcript::{differs, same};
use super::{can, open_to_all, said};
use testkit::{Workdir, is_root, skipped};

#[test]
fn unknown_accounts_are_refused() {
    same("
$ setuidgid nosuch true
! setuidgid: fatal: unknown account nosuch
[111]
$ setuidgid '' true
! setuidgid: fatal: unknown account 
[111]
$ setuidgid 0 true
! setuidgid: fatal: unknown account 0
[111]
$ setuidgid : true
! setuidgid: fatal: unknown account :
[111]
$ setuidgid :0 true
! setuidgid: fatal: unknown account :0
[111]
$ setuidgid root:root true
! setuidgid: fatal: unknown account root:root
[111]
$ envuidgid nosuch true
! envuidgid: fatal: unknown account nosuch
[111]
$ envuidgid root nosuch
! envuidgid: fatal: unable to run nosuch: file does not exist
[111]
$ env - PATH=$PATH GID=a X=b UID=c Y=d envuidgid root env | grep -v ^PATH
Y=d
X=b
GID=0
UID=0
$ envuidgid daemon sh -c 'test $UID = $(id -u daemon) && test $GID = $(id -g daemon) && test $(id -u) != $UID && echo kept'
kept
");
}

#[test]
fn numeric_ids_need_no_account() {
    differs(
        "
$ envuidgid :123:456 env | grep ID=
GID=456
UID=123
$ envuidgid :123:456:789 env
! envuidgid: fatal: no variable holds more than one group
[111]
$ envuidgid :123 env
! envuidgid: fatal: unknown account :123
[111]
$ envuidgid :123:4294967295 env
! envuidgid: fatal: unknown account :123:4294967295
[111]
",
        "$ envuidgid :123:456 env\n! envuidgid: fatal: unknown account :123:456\n[111]\n",
    );
}

#[test]
fn only_root_may_become_another_user() {
    if nix::unistd::geteuid().is_root() {
        same(
            "
$ setuidgid nobody setuidgid nobody true
! setuidgid: fatal: unable to setgid: permission denied
[111]
",
        );
    } else {
        same(
            "
$ setuidgid nobody true
! setuidgid: fatal: unable to setgid: permission denied
[111]
",
        );
    }
}

/// What tells who runs: user, group, and all groups.
const WHO: &str = "sh -c 'echo $(id -u) $(id -g) $(id -G)'";

#[test]
fn the_next_program_runs_with_the_groups_of_the_account_only() {
    if !is_root("become another user") {
        return;
    }
    let who = |command: &str| format!("$ {command} {WHO}\n");
    let nobody = said(Path::new("/"), "echo $(id -u nobody) $(id -g nobody) $(id -g nobody)");
    same(&format!("{}{nobody}", who("setuidgid nobody")));
    same(&format!("{}0 0 0\n", who("setuidgid root")));
    same("$ setuidgid nobody sh -c 'HOME=/nosuch; echo $USER$LOGNAME$UID$GID'\n\n");

    // 0.76 knows no numbers, and would say so.
    let dir = Workdir::new();
    assert_eq!(said(dir.path(), &format!("setuidgid :1234:567 {WHO}")), "1234 567 567\n");
    assert_eq!(said(dir.path(), &format!("setuidgid :1234:567:89:10 {WHO}")), "1234 567 567 10 89\n");
    assert_eq!(said(dir.path(), &format!("setuidgid :0:567 {WHO}")), "0 567 567\n");
}

#[test]
fn every_id_and_every_capability_changes() {
    if !is_root("become another user") {
        return;
    }
    let dir = Workdir::new();

    let status = said(dir.path(), "setuidgid :1234:567 grep -E '^(Uid|Gid|CapPrm|CapEff)' /proc/self/status");

    assert_eq!(
        status,
        "Uid:\t1234\t1234\t1234\t1234\nGid:\t567\t567\t567\t567\n\
         CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
    );
}

#[test]
fn a_process_that_could_become_root_again_runs_no_program() {
    let keeping =
        "setpriv --reuid 1234 --regid 567 --clear-groups --inh-caps +setuid,+setgid --ambient-caps +setuid,+setgid";
    if !is_root("hand capabilities on") || !can(&format!("{keeping} true")) {
        return;
    }
    let dir = open_to_all(&["setuidgid"]);

    let refused = said(dir.path(), &format!("{keeping} bin/setuidgid nobody echo never"));

    assert_eq!(refused, "setuidgid: fatal: privileges are not gone: the child could become root again\n");
}

/// Runs a script where it can put files over the system's with `mount --bind`, without anybody else seeing it.
fn said_elsewhere(script: &str) -> Option<String> {
    if !is_root("put files over the system's") || !can("unshare -m true") {
        return None;
    }
    let dir = Workdir::new();
    std::fs::write(dir.join("script"), script).unwrap();
    Some(said(dir.path(), "unshare -m sh ./script"))
}

#[test]
fn an_account_that_is_not_local_is_found_by_the_name_services() {
    // systemd's name service knows nobody without the file.
    let Some(said) = said_elsewhere(
        "grep -v ^nobody: /etc/passwd >passwd; mount --bind passwd /etc/passwd
         asked=$(getent passwd nobody | cut -d: -f3)
         echo \"$asked $(setuidgid nobody id -u)\"",
    ) else {
        return;
    };
    let (asked, found) = said.trim().split_once(' ').unwrap_or_default();
    if asked.is_empty() {
        skipped("no name service of this system knows an account that is not local");
        return;
    }
    assert_eq!(found, asked);
}

#[test]
fn a_local_account_is_found_if_the_name_services_fail() {
    let Some(said) = said_elsewhere(
        "echo local:x:1234:567::/: >passwd; mount --bind passwd /etc/passwd
         mount --bind /dev/null /usr/bin/getent
         setuidgid local id -u; setuidgid nosuch id -u; envuidgid nosuch id -u",
    ) else {
        return;
    };

    assert_eq!(
        said,
        "1234\nsetuidgid: fatal: unable to run /usr/bin/getent: access denied\n\
         envuidgid: fatal: unable to run /usr/bin/getent: access denied\n"
    );
}

#[test]
fn unreadable_accounts_are_not_reported_as_unknown() {
    // What cannot be read for anybody: a process's memory, where nothing is mapped.
    let Some(said) = said_elsewhere("mount --bind /proc/$$/mem /etc/passwd; setuidgid root true") else {
        return;
    };

    assert_eq!(said, "setuidgid: fatal: unable to read /etc/passwd: input/output error\n");
}
