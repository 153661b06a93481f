//! Lines that a directory does not get: whatever goes wrong, the log has each line or counts it, once.

use super::faults::{Calls, Fault};
use super::pipe::Pipe;
use super::tests::{End, Machine, Workload, for_calls, kill_at_calls};
use crate::cli::Exit;
use crate::sys::Errno;

const WORKLOADS: &[Workload] = &[
    Workload { name: "repeats", script: &[c"s4096", c"n1000", c"D60", c"./a"], line_bytes: &[1] },
    Workload { name: "a rate", script: &[c"s4096", c"n1000", c"L1:40", c"./a"], line_bytes: &[1] },
    Workload {
        name: "both, and everything in another directory",
        script: &[c"s4096", c"n1000", c"./a", c"L1:40", c"D60", c"./b"],
        line_bytes: &[1],
    },
    Workload {
        name: "a rate, and other lines in another directory",
        script: &[c"n1000", c"s4096", c"L1:9", c"-*j*", c"./a", c"+*", c"D60", c"L1:30", c"./b"],
        line_bytes: &[1],
    },
];

/// Lines that repeat each other here and there; some are longer than what one look shows.
fn input() -> String {
    let mut text = String::new();
    for number in 0..70_usize {
        let line = format!("{number:04} {}\n", "abcdefghij".repeat([1, 8, 0, 30, 3][number % 5]));
        text += &line.repeat([1, 1, 3, 1, 9][number % 5]);
        if number % 40 == 7 {
            text += &format!("{number:04} {}\n", "x".repeat(7000));
        }
    }
    // The last one lacks its newline.
    text.pop();
    text
}

fn machine(workload: &Workload) -> Machine {
    let machine = Machine::new(workload, 1000);
    Machine { pipe: Pipe::new(input().as_bytes()), ..machine }
}

/// What a directory has: the lines that it got, and how many lines and bytes it counts.
fn accounted(log: &[u8]) -> (Vec<String>, u64, u64) {
    let (mut got, mut lines, mut bytes) = (Vec::new(), 0, 0);
    for line in std::str::from_utf8(log).unwrap().split_inclusive('\n') {
        let Some(report) = line.strip_prefix("multilog: ") else {
            lines += 1;
            bytes += line.len() as u64;
            got.push(line.to_owned());
            continue;
        };
        let numbers: Vec<u64> = report.split(' ').filter_map(|word| word.parse().ok()).collect();
        let [more_lines, more_bytes] = numbers[..] else { panic!("{line}") };
        lines += more_lines;
        bytes += more_bytes;
    }
    (got, lines, bytes)
}

#[track_caller]
fn check(machine: &Machine, workload: &Workload, what: std::fmt::Arguments<'_>) {
    let all = input() + "\n";
    for (number, log) in machine.logs(workload).iter().enumerate() {
        let shown = format!("{}, {what}, directory {number}", workload.name);
        let selects_some = workload.name.starts_with("a rate, and") && number == 0;
        let sent: Vec<&str> = all.split_inclusive('\n').filter(|line| !selects_some || !line.contains('j')).collect();
        let (got, lines, bytes) = accounted(log);
        let expected = (sent.len() as u64, sent.iter().map(|line| line.len() as u64).sum::<u64>());
        assert_eq!((lines, bytes), expected, "{shown}");
        let mut left = sent.iter();
        assert!(got.iter().all(|line| left.any(|sent| sent == line)), "{shown}: a line is torn, or not in its place");
        assert!(got.len() < sent.len() || number == 0, "{shown}: nothing was left out");
    }
}

#[test]
fn a_kill_at_any_call_leaves_every_line_logged_or_counted() {
    for workload in WORKLOADS {
        kill_at_calls(workload, || machine(workload), |machine, what| check(machine, workload, what));
    }
}

#[test]
fn kills_of_one_logger_after_the_other_leave_every_line_logged_or_counted() {
    for workload in WORKLOADS {
        for stride in 3..40 {
            let machine = machine(workload);
            let mut at = stride;
            while machine.run(workload, &Calls::new(Fault::Kill { at }), false) == End::Killed {
                at += 1 + at / 4;
            }
            machine.run_well(workload);
            check(&machine, workload, format_args!("killed again and again by {stride}"));
        }
    }
}

#[test]
fn an_error_at_any_call_leaves_every_line_logged_or_counted() {
    for workload in WORKLOADS {
        for errno in [Errno::ENOSPC, Errno::EIO] {
            for_calls(|at| {
                let machine = machine(workload);
                let calls = Calls::new(Fault::Once { at, errno });
                machine.run(workload, &calls, false);
                machine.run_well(workload);
                check(&machine, workload, format_args!("{errno} at call {at}"));
                calls.has_fired()
            });
        }
    }
}

#[test]
fn term_during_trouble_leaves_the_counts_to_the_next_logger() {
    for workload in WORKLOADS {
        for_calls(|at| {
            let machine = machine(workload);
            let calls = Calls::new(Fault::Fail { at, errno: Errno::ENOSPC, pauses: 2 });
            machine.run(workload, &calls, true);
            machine.run_well(workload);
            check(&machine, workload, format_args!("a full disk at call {at}"));
            calls.has_fired()
        });
    }
}

#[test]
fn a_logger_without_the_actions_says_what_a_killed_one_has_counted() {
    let workload = WORKLOADS[2];
    let plain = Workload { script: &[c"s4096", c"n1000", c"./a", c"./b"], ..workload };
    let mut counted = 0;
    for_calls(|at| {
        let machine = machine(&workload);
        let calls = Calls::new(Fault::Kill { at });
        machine.run(&workload, &calls, false);
        assert_eq!(machine.run(&plain, &Calls::new(Fault::None), false), End::Left(Exit::OK));
        let all = input() + "\n";
        for log in machine.logs(&plain) {
            let (got, lines, bytes) = accounted(&log);
            counted += usize::from(got.len() < all.lines().count());
            assert_eq!((lines, bytes), (all.lines().count() as u64, all.len() as u64), "killed at call {at}");
        }
        calls.has_fired()
    });
    assert!(counted > 50, "{counted} logs count lines");
}
