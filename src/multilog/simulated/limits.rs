//! Limits on archives: whatever goes wrong, what is left is the end of the log, and within the limits.

use super::faults::{Calls, Fault};
use super::tests::{Machine, Workload, for_calls, kill_at_calls, lines};
use crate::logdir::names::CURRENT;
use crate::sys::Errno;

/// What the disk of the third workload holds.
const CAPACITY_BYTES: u64 = 20_000;
/// What the script asks to be free of it.
const FREE_BYTES: u64 = 8_000;
/// Each look at the clock takes so long that an archive is a second old after some of them.
const CLOCK_STEP_NANOSECONDS: i64 = 300_000_000;

const WORKLOADS: &[Workload] = &[
    Workload { name: "total", script: &[c"s4096", c"n1000", c"S13000", c"./a"], line_bytes: &[1, 60, 300] },
    Workload { name: "age", script: &[c"t", c"s4096", c"n1000", c"A1", c"./a"], line_bytes: &[1, 60, 300] },
    Workload { name: "space", script: &[c"s4096", c"n1000", c"F8000:2", c"./a"], line_bytes: &[1, 60, 300] },
    Workload {
        name: "all, with a processor",
        script: &[c"s4096", c"n4", c"S12000", c"A5", c"F8000:1", c"!cat", c"./a"],
        line_bytes: &[50, 700],
    },
];

fn machine(workload: &Workload) -> Machine {
    let machine = Machine::new(workload, CLOCK_STEP_NANOSECONDS);
    machine.disks[0].set_capacity(CAPACITY_BYTES);
    machine
}

/// Checks what is left of a log that was written to its end.
#[track_caller]
fn check(machine: &Machine, workload: &Workload, what: std::fmt::Arguments<'_>) {
    let shown = format!("{}, {what}", workload.name);
    let log = machine.logs(workload).remove(0);
    let everything = [lines(workload).concat(), "\n".into()].concat();
    assert!(everything.as_bytes().ends_with(&log), "{shown}: what is left is not the end of the log");
    let files = machine.disks[0].files();
    let archives: Vec<usize> =
        files.iter().filter(|(name, _)| name.starts_with('@')).map(|(_, bytes)| bytes.len()).collect();
    let bytes: usize = archives.iter().sum();
    assert!(!archives.is_empty(), "{shown}: the newest archive is gone");
    assert!(log.len() > files[CURRENT].len(), "{shown}: nothing but current is left");
    match workload.name {
        "total" => assert!(bytes + 4096 <= 13_000, "{shown}: {archives:?}"),
        "age" => assert!(bytes < everything.len(), "{shown}: nothing was removed"),
        "space" => {
            let used: usize = files.values().map(Vec::len).sum();
            let has_enough = used as u64 <= CAPACITY_BYTES - FREE_BYTES;
            assert!(archives.len() >= 2, "{shown}: {archives:?}");
            assert!(has_enough || archives.len() <= 3, "{shown}: {used} bytes are used");
        }
        _ => assert!(archives.len() <= 3 && bytes + 4096 <= 12_000 || archives.len() == 1, "{shown}: {archives:?}"),
    }
}

#[test]
fn a_kill_at_any_call_leaves_the_end_of_the_log_within_the_limits() {
    for workload in WORKLOADS {
        kill_at_calls(workload, || machine(workload), |machine, what| check(machine, workload, what));
    }
}

#[test]
fn an_error_at_any_call_leaves_the_end_of_the_log_within_the_limits() {
    for workload in WORKLOADS {
        for errno in [Errno::EIO, Errno::ENOSPC, Errno::EACCES] {
            for_calls(|at| {
                let machine = machine(workload);
                let calls = Calls::new(Fault::Once { at, errno });
                machine.run(workload, &calls, false);
                machine.run_well(workload);
                // An archive that could not be removed goes after the next rotation.
                machine.run_well(workload);
                check(&machine, workload, format_args!("{errno} at call {at}"));
                calls.has_fired()
            });
        }
    }
}

#[test]
fn a_power_cut_at_any_call_leaves_a_piece_of_the_log_without_a_gap() {
    for workload in WORKLOADS.iter().filter(|workload| workload.name == "total" || workload.name == "space") {
        let everything = [lines(workload).concat(), "\n".into()].concat();
        for_calls(|at| {
            let before = machine(workload);
            let calls = Calls::new(Fault::Kill { at });
            before.run(workload, &calls, false);
            for image in 0..before.disks[0].image_count() {
                let mut after = Machine { boot: 2, ..machine(workload) };
                after.pipe = super::pipe::Pipe::new(b"");
                after.disks = vec![before.disks[0].after_power_cut(image)];
                after.run_well(workload);
                let log = after.logs(workload).remove(0);
                let numbers = super::tests::line_numbers(&log);
                let is_gapless = numbers.is_sorted_by(|a, b| a < b);
                assert!(is_gapless, "{}: power cut at call {at}, image {image}: {numbers:?}", workload.name);
                assert!(log.len() <= everything.len());
            }
            calls.has_fired()
        });
    }
}

#[test]
fn a_logger_that_starts_checks_the_limits_without_a_rotation() {
    let long = Workload { name: "long", script: &[c"s4096", c"n1000", c"./a"], line_bytes: &[60] };
    let machine = machine(&long);
    machine.run_well(&long);
    let before = machine.disks[0].files().len();

    let short = Workload { name: "short", script: &[c"s4096", c"n1000", c"S9000", c"./a"], line_bytes: &[60] };
    machine.run_well(&short);

    let after = machine.disks[0].files();
    assert!(after.len() < before, "{:?}", after.keys());
    assert!(after.keys().any(|name| name.starts_with('@')), "the newest archive is gone");
}
