//! Archives that are held until they are shipped: whatever goes wrong, none goes before its time, and the count of those that
//! go is exact.

use super::faults::{Calls, Fault};
use super::tests::{Machine, Workload, for_calls, lines};
use crate::logdir::names::{LOST, NEWLOST, SHIPPED};
use crate::logdir::shipping::Lost;
use crate::sys::Errno;

/// More than the workload has.
const HELD: Workload = Workload {
    name: "held",
    script: &[c"s4096", c"n2", c"S4096", c"A1", c"H1000000", c"./a"],
    line_bytes: &[1, 60, 300],
};
/// Less.
const LOSING: Workload =
    Workload { name: "losing", script: &[c"s4096", c"n2", c"H9000", c"./a"], line_bytes: &[1, 60, 300] };
/// Nothing is free of a disk that holds nothing.
const FULL: Workload = Workload {
    name: "full",
    script: &[c"s4096", c"n1000", c"F8000:2", c"H1000000", c"./a"],
    line_bytes: &[1, 60, 300],
};

fn machine(workload: &Workload) -> Machine {
    let machine = Machine::new(workload, 300_000_000);
    machine.disks[0].set_capacity(1000);
    machine
}

/// Checks what is left of a log that was written to its end. The lines of an archive that cannot be read are not known.
#[track_caller]
fn check(machine: &Machine, workload: &Workload, is_readable: bool, what: std::fmt::Arguments<'_>) {
    let shown = format!("{}, {what}", workload.name);
    let log = machine.logs(workload).remove(0);
    let everything = [lines(workload).concat(), "\n".into()].concat().into_bytes();
    assert!(everything.ends_with(&log), "{shown}: what is left is not the end of the log");
    let files = machine.disks[0].files();
    let lost = files.get(LOST).map_or_else(Lost::default, |text| Lost::parse(text).expect("a whole file"));
    let gone = &everything[..everything.len() - log.len()];
    let gone_lines = gone.iter().filter(|&&byte| byte == b'\n').count() as u64;
    assert_eq!(lost.bytes, gone.len() as u64, "{shown}: {lost:?}");
    if is_readable {
        assert_eq!(lost.lines, gone_lines, "{shown}: {lost:?}");
    }
    match workload.name {
        "held" => assert!(gone.is_empty(), "{shown}: {lost:?}"),
        _ => assert!(lost.archives > 0, "{shown}: {:?}", files.keys()),
    }
    assert!(!files.contains_key(NEWLOST), "{shown}");
}

#[test]
fn a_kill_at_any_call_loses_nothing_that_is_held_and_the_count_is_exact() {
    for workload in [HELD, LOSING, FULL] {
        let cases = for_calls(|at| {
            let machine = machine(&workload);
            let calls = Calls::new(Fault::Kill { at });
            machine.run(&workload, &calls, false);
            machine.run_well(&workload);
            check(&machine, &workload, true, format_args!("killed at call {at}"));
            calls.has_fired()
        });
        assert!(cases > 100, "{}: {cases} calls", workload.name);
    }
}

#[test]
fn an_error_at_any_call_loses_nothing_that_is_held_and_the_count_is_exact() {
    for workload in [HELD, LOSING, FULL] {
        for errno in [Errno::EIO, Errno::ENOSPC, Errno::EACCES] {
            for_calls(|at| {
                let machine = machine(&workload);
                let calls = Calls::new(Fault::Once { at, errno });
                machine.run(&workload, &calls, false);
                machine.run_well(&workload);
                check(&machine, &workload, false, format_args!("{errno} at call {at}"));
                calls.has_fired()
            });
        }
    }
}

#[test]
fn what_is_shipped_goes_and_the_clock_that_was_set_back_makes_no_archive_a_shipped_one() {
    let machine = machine(&HELD);
    machine.run_well(&HELD);
    let before: Vec<String> = machine.disks[0].files().into_keys().filter(|name| name.starts_with('@')).collect();
    assert!(before.len() > 3, "{before:?}");
    machine.disks[0].put(SHIPPED, format!("{}\n", &before[before.len() - 1][..25]).into_bytes());
    machine.disks[0].set_clock(-1000);

    // The archives that were shipped go, and those of this run stay.
    machine.pipe.write(lines(&HELD).concat().as_bytes());
    machine.run_well(&HELD);

    let files = machine.disks[0].files();
    assert!(before.iter().all(|name| !files.contains_key(name)), "{:?}", files.keys());
    assert!(files.keys().filter(|name| name.starts_with('@')).count() > 3, "{:?}", files.keys());
    assert!(!files.contains_key(LOST));
}
