//! softlimit: limits that are read back by the next program.

use super::transcript::{differs, same};

#[test]
fn softlimit_prints_its_options_as_usage() {
    let usage = "! softlimit: usage: softlimit [-a allbytes] [-c corebytes] [-d databytes] [-f filebytes] [-l lockbytes] \
                 [-m membytes] [-o openfiles] [-p processes] [-r residentbytes] [-s stackbytes] [-t cpusecs] child";
    let calls = [
        ("softlimit", ""),
        ("softlimit -o 10", ""),
        ("softlimit -Z", "! softlimit: illegal option -- Z\n"),
        ("softlimit -o10 -Zo", "! softlimit: illegal option -- Z\n"),
        ("softlimit -a", "! softlimit: option requires an argument -- a\n"),
        ("softlimit -o 10 -a", "! softlimit: option requires an argument -- a\n"),
        ("softlimit -:", "! softlimit: illegal option -- :\n"),
        ("softlimit -a xyz true", ""),
        ("softlimit -a 5x true", ""),
        ("softlimit -t -5 true", ""),
        ("softlimit -t =5 true", ""),
        ("softlimit -t 5k true", ""),
        ("softlimit -ao 10 true", ""),
        ("ln -s \"$(command -v softlimit)\" other; ./other -Z", "! other: illegal option -- Z\n"),
    ];

    for (call, problem) in calls {
        same(&format!("$ {call}\n{problem}{usage}\n[100]\n"));
    }
}

#[test]
fn softlimit_sets_soft_limits_below_the_hard_ones() {
    same("
$ softlimit -o 10 sh -c 'ulimit -n'
10
$ softlimit -o10 -c 2048 -t 1000 -s 1024000 -d 1024000000 -f 512000 sh -c 'ulimit -n; ulimit -t; ulimit -s; ulimit -d; ulimit -f'
10
1000
1000
1000000
1000
$ softlimit -o 12 softlimit -o 11 sh -c 'ulimit -n'
11
$ softlimit -o 12 -o 11 sh -c 'ulimit -n'
11
$ softlimit -o 10 softlimit -o = sh -c 'test $(ulimit -n) = $(ulimit -Hn) && echo as high as it goes'
as high as it goes
$ softlimit -o 99999999999 sh -c 'test $(ulimit -n) = $(ulimit -Hn) && echo as high as it goes'
as high as it goes
$ sh -c 'ulimit -n 100; softlimit -o 200 sh -c \"ulimit -n; ulimit -Hn\"'
100
100
$ softlimit -m 102400000 sh -c 'ulimit -d; ulimit -s; ulimit -v'
100000
100000
100000
$ softlimit -a 102400000 sh -c 'ulimit -v'
100000
$ softlimit -p = -r 4096 -l 0 grep -E 'Max (locked|resident)' /proc/self/limits | tr -s ' ' | cut -d' ' -f1-4
Max resident set 4096
Max locked memory 0
$ softlimit -o 010 sh -c 'ulimit -n'
10
$ softlimit -t 18446744073709551615 sh -c 'ulimit -t'
unlimited
$ softlimit -o 10 nosuch
! softlimit: fatal: unable to run nosuch: file does not exist
[111]
$ softlimit -a 100 nosuch
! softlimit: fatal: unable to run nosuch: file does not exist
[111]
$ softlimit -a '' -d 0 -s 0 nosuch
! softlimit: fatal: unable to run nosuch: file does not exist
[111]
");
}

#[test]
fn softlimit_accepts_suffixes_and_large_numbers() {
    differs(
        "
$ softlimit -s 1000k -d 1M -f 3m sh -c 'ulimit -s; ulimit -d; ulimit -f'
1000
1024
6144
$ softlimit -o 18446744073709551626 sh -c 'test $(ulimit -n) = $(ulimit -Hn) && echo as high as it goes'
as high as it goes
",
        "
$ softlimit -s 1000k -d 1M -f 3m sh -c 'ulimit -s; ulimit -d; ulimit -f'
! softlimit: usage: softlimit [-a allbytes] [-c corebytes] [-d databytes] [-f filebytes] [-l lockbytes] [-m membytes] [-o openfiles] [-p processes] [-r residentbytes] [-s stackbytes] [-t cpusecs] child
[100]
$ softlimit -o 18446744073709551626 sh -c 'test $(ulimit -n) = $(ulimit -Hn) && echo as high as it goes'
[1]
",
    );
}
