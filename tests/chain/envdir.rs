//! envdir: variables from files.

use super::transcript::{differs, same};
use testkit::is_root;

#[test]
fn envdir_reads_the_first_line_of_each_file() {
    same(
        r"
$ mkdir e; printf 'one  \t\nmore' >e/A; : >e/B; printf '\n' >e/C; printf 'x\0y\n' >e/D; printf ' no newline' >e/E; printf ' \t \n' >e/F; printf hidden >e/.G; printf '\nsecond' >e/H
$ env B=was C=was D=was .G=was envdir e env | grep -av -e ^PATH= -e ^PWD= -e ^OLDPWD= -e ^SHLVL= -e ^_= | sort
.G=was
A=one
C=
D=x
E= no newline
F=
H=
y
$ cd e; envdir . sh -c 'echo $A; ls -d A'
one
A
$ envdir e sh -c 'test -e e && echo still here'
still here
$ envdir e nosuch
! envdir: fatal: unable to run nosuch: file does not exist
[111]
$ head -c 100000 /dev/zero | tr '\0' x >e/A; envdir e sh -c 'echo ${#A}'
100000
",
    );
}

#[test]
fn envdir_puts_variables_in_the_order_of_0_76() {
    same(
        "
$ mkdir e; echo new >e/B; env - PATH=$PATH B=old C=c D=d envdir e env | grep -v ^PATH
D=d
C=c
B=new
$ env - PATH=$PATH B=first C=c B=second envdir e env | grep -v ^PATH
C=c
B=new
$ : >e/B; env - PATH=$PATH B=old C=c D=d envdir e env | grep -v ^PATH
D=d
C=c
",
    );
}

#[test]
fn envdir_treats_odd_names_as_0_76_does() {
    same(
        "
$ mkdir a; echo val >a/F=G; env F=was envdir a sh -c 'echo $F'
G=val
$ mkdir b; : >b/H=I; env H=was envdir b sh -c 'echo $H'
I
$ mkdir c; echo k >c/=K; envdir c env | grep ^=K
=K=k
$ mkdir d; mkfifo d/F; env F=was envdir d sh -c 'echo ${F-unset}'
unset
$ mkdir e; echo /nosuch >e/PATH; envdir e /bin/sh -c 'echo $PATH'
/nosuch
$ envdir e sh -c 'echo found by the path that was'
found by the path that was
",
    );
}

#[test]
fn envdir_names_what_it_cannot_read() {
    same(
        "
$ mkdir -p e/sub; envdir e true
! envdir: fatal: unable to read e/sub: is a directory
[111]
$ mkdir f; ln -s L f/L; envdir f true
! envdir: fatal: unable to read f/L: symbolic link loop
[111]
$ envdir nosuch true
! envdir: fatal: unable to switch to directory nosuch: file does not exist
[111]
$ envdir '' true
! envdir: fatal: unable to switch to directory : file does not exist
[111]
$ touch file; envdir file true
! envdir: fatal: unable to switch to directory file: not a directory
[111]
$ mkdir empty; envdir empty echo nothing to do
nothing to do
",
    );
}

#[test]
fn a_dangling_link_unsets_its_variable() {
    let world = "$ mkdir e; echo value >e/A; ln -s nosuch e/Z; envdir e true\n";
    differs(
        &format!("{world}$ env Z=was envdir e sh -c 'echo A=$A ${{Z-gone}}'\nA=value gone\n"),
        // The value is the one before, in the directory's order.
        world,
    );
    // Where there is none before, it does so in 0.76 too.
    same("$ mkdir e; ln -s nosuch e/Z; env Z=was envdir e sh -c 'echo ${Z-gone}'\ngone\n");
}

#[test]
fn files_that_another_user_may_not_read_are_named() {
    if !is_root("run a program as another user") {
        return;
    }
    same(
        "
$ chmod 755 .; mkdir e locked unlisted; echo x >e/N; chmod 0 e/N; chmod 444 locked; chmod 111 unlisted
$ setuidgid nobody envdir e true
! envdir: fatal: unable to read e/N: access denied
[111]
$ setuidgid nobody envdir locked true
! envdir: fatal: unable to switch to directory locked: access denied
[111]
$ setuidgid nobody envdir unlisted true
! envdir: fatal: unable to read directory unlisted: access denied
[111]
$ setuidgid nobody setlock lock true
! setlock: fatal: unable to open lock: access denied
[111]
$ setuidgid nobody setlock -x lock true
$ setuidgid nobody ./nosuch
! setuidgid: fatal: unable to run ./nosuch: file does not exist
[111]
",
    );
    let world = "$ chmod 755 .; mkdir e private; echo v >e/N; chmod 711 private; cd private; setuidgid nobody envdir ../e sh -c 'echo $N'\n";
    differs(
        &format!("{world}v\n"),
        &format!("{world}! envdir: fatal: unable to switch to current directory: access denied\n[111]\n"),
    );
}
