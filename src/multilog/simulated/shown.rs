//! What other programs can read of a logger, whenever they look.

use super::faults::{Calls, Fault};
use super::tests::{End, Machine, Workload, for_calls, lines};
use crate::logdir::logger_state::{Activity, LoggerState, STATE_BYTES};
use crate::logdir::names::JOURNAL;
use crate::sys::Errno;
use crate::sys::process::pidfd;

const PLAIN: Workload = Workload { name: "plain", script: &[c"s4096", c"n1000", c"./a"], line_bytes: &[1, 60, 300] };
const STAMPED: Workload =
    Workload { name: "stamped", script: &[c"t", c"s4096", c"n1000", c"./a"], line_bytes: &[1, 60, 300, 2500, 9000] };
const CHOSEN: Workload = Workload {
    name: "chosen",
    script: &[c"t", c"s4096", c"n1000", c"-*j*", c"./a", c"s5000", c"+*", c"./b"],
    line_bytes: &[5, 400, 6000],
};
const PROCESSED: Workload =
    Workload { name: "processor", script: &[c"s4096", c"n1000", c"!cat", c"./a"], line_bytes: &[50, 700] };

/// What the journal shows; `None` if there is no journal, or no state in it.
fn shown(machine: &Machine) -> Option<LoggerState> {
    let journal = machine.disks[0].files().remove(JOURNAL)?;
    LoggerState::read(&journal[journal.len() - STATE_BYTES..])
}

#[test]
fn an_idle_logger_shows_all_that_it_has_logged() {
    for workload in [PLAIN, STAMPED, CHOSEN, PROCESSED] {
        let machine = Machine::new(&workload, 1000);
        assert_eq!(machine.run(&workload, &Calls::new(Fault::KillIdle), false), End::Killed);

        let state = shown(&machine).expect("it shows something");

        let logged = lines(&workload).concat();
        let in_pipe = machine.pipe.bytes().len();
        assert_eq!(state.counts.bytes, (logged.len() - in_pipe) as u64, "{}", workload.name);
        // The last line lacks its end.
        assert_eq!(state.counts.lines, logged.matches('\n').count() as u64, "{}", workload.name);
        assert_eq!((state.task.activity, state.process), (Activity::Logging, pidfd::own()), "{}", workload.name);
    }
}

#[test]
fn a_logger_that_is_killed_at_any_call_shows_the_truth_or_nothing() {
    for workload in [PLAIN, STAMPED, PROCESSED] {
        let (mut seen, length) = (0, lines(&workload).concat().len());
        for_calls(|at| {
            let machine = Machine::new(&workload, 1000);
            let end = machine.run(&workload, &Calls::new(Fault::Kill { at }), false);
            if let Some(state) = shown(&machine) {
                seen += 1;
                let consumed = length - machine.pipe.bytes().len();
                // It counts a batch and then consumes it.
                // The last line gets an end that was not in the input.
                assert!((consumed..=length + 1).contains(&(state.counts.bytes as usize)), "call {at}: {state:?}");
            }
            end == End::Killed
        });
        assert!(seen > 50, "{seen} states were seen");
    }
}

#[test]
fn a_logger_whose_disk_refuses_a_step_shows_which() {
    for workload in [PLAIN, STAMPED, PROCESSED] {
        let mut sentences = std::collections::BTreeSet::new();
        for_calls(|at| {
            let machine = Machine::new(&workload, 1000);
            let fault = Fault::FailUntilKilled { at, errno: Errno::ENOSPC };
            let end = machine.run(&workload, &Calls::new(fault), false);
            if end == End::Killed
                && let Some(state) = shown(&machine)
            {
                // A processor that cannot be started is what is waited for then.
                assert!(
                    matches!(state.task.activity, Activity::Retrying | Activity::Processing),
                    "{state:?}, call {at}"
                );
                assert_eq!(state.task.errno, Errno::ENOSPC as i32);
                sentences.insert(String::from_utf8(state.task.text).unwrap());
            }
            // Before the first batch nothing is shown; behind the last call nothing fails.
            end == End::Killed || at < 40
        });
        let full = "unable to write to ./dir/current: out of disk space";
        assert!(sentences.contains(full), "{sentences:?}");
    }
}

#[test]
fn a_logger_that_has_recovered_shows_no_failure() {
    let mut failed = 0;
    for at in 1..300 {
        let machine = Machine::new(&PLAIN, 1000);
        // The error is over after a pause. Then a kill while the logger is idle shows what it shows.
        let fault = Fault::FailAndIdle { at, errno: Errno::ENOSPC, pauses: 1 };
        // Without room for a journal nothing is shown.
        if machine.run(&PLAIN, &Calls::new(fault), false) == End::Killed
            && let Some(state) = shown(&machine)
        {
            assert_eq!(state.task.activity, Activity::Logging, "call {at}");
            failed += 1;
        }
    }
    assert!(failed > 20, "{failed} runs failed and went on");
}
