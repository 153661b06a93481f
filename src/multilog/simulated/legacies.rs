//! Loggers that are killed, and others that take over: with another script, in another boot, after a disk that refused.

use std::ffi::CStr;

use super::disk::Disk;
use super::faults::{Calls, Fault};
use super::pipe::Pipe;
use super::tests::{End, Machine, Workload, for_calls, for_each_call, line_numbers, lines, parse_script};
use crate::cli::Exit;
use crate::logdir::names::{CURRENT, JOURNAL};
use crate::multilog::journal::journal_file::Journal;
use crate::multilog::journal::layout::{self, Contents};
use crate::sys::Errno;
use crate::tai64n::Stamp;

const ONE_FILE: Workload = Workload { name: "one file", script: &[c"n10", c"./a"], line_bytes: &[20] };

/// A machine with as many disks as a test wants, and no input yet.
fn machine(disks: u64) -> Machine {
    Machine { disks: (1..=disks).map(|device| Disk::new(device, 1000)).collect(), pipe: Pipe::new(b""), boot: 1 }
}

fn numbered(numbers: std::ops::Range<usize>) -> Vec<u8> {
    numbers.flat_map(|number| format!("{number:04} abcdefghijklmnopqrstuvwxyz\n").into_bytes()).collect()
}

/// What a directory holds, one file after the other.
fn log(disk: &Disk) -> Vec<u8> {
    let files = disk.files();
    let archives = files.iter().filter(|(name, _)| name.starts_with('@'));
    archives.chain(files.get_key_value(CURRENT)).flat_map(|(_, bytes)| bytes).copied().collect()
}

fn archive_names(disk: &Disk) -> Vec<String> {
    disk.files().into_keys().filter(|name| name.starts_with('@')).collect()
}

/// Tells whether the journal says that the disk may lack some of a `current`.
fn is_doubtful(disk: &Disk) -> bool {
    let told = disk.files().get(JOURNAL).and_then(|file| layout::read(file));
    told.is_some_and(|told| told.record.extents.iter().any(|extent| extent.is_doubtful))
}

#[test]
fn a_kill_at_any_call_leaves_current_what_it_is() {
    let mut archived = 0;
    let cases = for_calls(|at| {
        let machine = machine(1);
        machine.pipe.write(&numbered(0..20));
        let calls = Calls::new(Fault::Kill { at });
        machine.run(&ONE_FILE, &calls, false);
        let was_syncing = is_doubtful(&machine.disks[0]);
        machine.pipe.write(&numbered(20..40));
        machine.run_well(&ONE_FILE);

        assert_eq!(log(&machine.disks[0]), numbered(0..40), "killed at call {at}");
        let archives = archive_names(&machine.disks[0]);
        assert!(archives.is_empty() || was_syncing, "killed at call {at}: {archives:?}");
        archived += archives.len();
        calls.has_fired()
    });
    assert!(cases > 20 && archived <= 4, "{cases} calls, {archived} archives");
}

#[test]
fn a_hundred_kills_keep_all_lines_in_current() {
    // While it logs, at another call each time; and while it waits, with another pipe each time.
    for is_idle in [false, true] {
        let mut machine = machine(1);
        for kills in 0..100 {
            machine.pipe.write(&numbered(kills * 20..kills * 20 + 20));
            let kill = if is_idle { Fault::KillIdle } else { Fault::Kill { at: 10 + kills as u64 % 30 } };
            assert_eq!(machine.run(&ONE_FILE, &Calls::new(kill), false), End::Killed);
            if is_idle {
                assert!(machine.pipe.bytes().is_empty());
                machine.pipe = Pipe::new(b"");
            }
        }
        machine.run_well(&ONE_FILE);

        let log = log(&machine.disks[0]);
        assert!(log == numbered(0..2000), "idle {is_idle}: {}", difference(&log, &numbered(0..2000)));
        assert_eq!(archive_names(&machine.disks[0]), [""; 0]);
    }
}

#[test]
fn kills_and_power_cuts_lose_nothing_that_was_synced_and_tell_no_lie() {
    let small = Workload { name: "small files", script: &[c"s4096", c"n1000", c"./a"], line_bytes: &[20] };
    for workload in [ONE_FILE, small] {
        for image in 0..6 {
            let mut machine = machine(1);
            for run in 0..100 {
                machine.pipe.write(&numbered(run * 20..run * 20 + 20));
                let kill = Calls::new(Fault::Kill { at: 20 + (run * 7 % 23) as u64 });
                machine.run(&workload, &kill, false);
                if run % 12 == 11 {
                    let safe = machine.disks[0].safe();
                    let images = machine.disks[0].image_count();
                    machine.disks[0] = machine.disks[0].after_power_cut(image % images);
                    machine.pipe = Pipe::new(b"");
                    machine.boot += 1;
                    let kept = line_numbers(&log_with_previous(&machine.disks[0]));
                    assert!(line_numbers(&safe).iter().all(|number| kept.contains(number)), "{}", workload.name);
                }
                let lies = machine.disks[0].lies();
                assert!(lies.is_empty(), "{}: {lies:?}", workload.name);
            }
            machine.run_well(&workload);

            let numbers = line_numbers(&log(&machine.disks[0]));
            assert!(numbers.is_sorted_by(|a, b| a < b), "{}", workload.name);
            assert!(machine.disks[0].lies().is_empty());
            assert!(line_numbers(&machine.disks[0].safe()).iter().all(|number| numbers.contains(number)));
        }
    }
}

/// As [`log`], during a rotation.
fn log_with_previous(disk: &Disk) -> Vec<u8> {
    let files = disk.files();
    let names = files.keys().filter(|name| name.starts_with('@')).map(String::as_str);
    names.chain(["processed", "previous", CURRENT]).filter_map(|name| files.get(name)).flatten().copied().collect()
}

#[test]
fn what_the_disk_refused_becomes_an_unfinished_archive_whenever_the_logger_is_killed() {
    let processor = Workload { name: "processor", script: &[c"s4096", c"n1000", c"!cat", c"./a"], line_bytes: &[50] };
    let small = Workload { name: "small files", script: &[c"s4096", c"n1000", c"./a"], line_bytes: &[20] };
    for workload in [ONE_FILE, small, processor] {
        for_calls(|at| {
            let machine = machine(1);
            machine.pipe.write(&numbered(0..300));
            let calls = Calls::new(Fault::FailAndKill { at, errno: Errno::EIO, later: 1 });
            machine.run(&workload, &calls, false);
            for kills in 1..4 {
                machine.run(&workload, &Calls::new(Fault::Kill { at: kills * 20 }), false);
            }
            machine.run_well(&workload);

            let shown = format!("{}: EIO at call {at}", workload.name);
            let log = log(&machine.disks[0]);
            assert!(log == numbered(0..300), "{shown}: {}", difference(&log, &numbered(0..300)));
            assert_eq!(machine.disks[0].lies(), [""; 0], "{shown}");
            calls.has_fired()
        });
    }
}

#[test]
fn a_file_whose_processor_had_finished_is_archived_once_whatever_fails_before_the_logger_leaves() {
    let workload = Workload { name: "processor", script: &[c"s4096", c"n1000", c"!cat", c"./a"], line_bytes: &[50] };
    // With two pauses the attempt that is made after TERM fails as well.
    for (errno, pauses) in [(Errno::EIO, 1), (Errno::ENOSPC, 1), (Errno::EIO, 2)] {
        for_calls(|at| {
            let machine = machine(1);
            machine.pipe.write(&numbered(0..300));
            let calls = Calls::new(Fault::Fail { at, errno, pauses });
            machine.run(&workload, &calls, true);
            machine.run_well(&workload);

            let log = log(&machine.disks[0]);
            let shown = difference(&log, &numbered(0..300));
            assert!(log == numbered(0..300), "{errno} at call {at} and {pauses} pauses: {shown}");
            calls.has_fired()
        });
    }
}

/// A killed logger's script, its successor's, and the lines that each directory has in the end.
struct Change {
    name: &'static str,
    before: &'static [&'static CStr],
    after: &'static [&'static CStr],
}

const CHANGES: &[Change] = &[
    Change { name: "n", before: &[c"t", c"n1000", c"./a"], after: &[c"t", c"n2000", c"./a"] },
    Change { name: "no stamps", before: &[c"t", c"n1000", c"./a"], after: &[c"n1000", c"./a"] },
    Change { name: "stamps", before: &[c"n1000", c"./a"], after: &[c"t", c"n1000", c"./a"] },
    Change { name: "smaller", before: &[c"n1000", c"s9000", c"./a"], after: &[c"n1000", c"s4096", c"./a"] },
    Change { name: "larger", before: &[c"n1000", c"s4096", c"./a"], after: &[c"n1000", c"s9000", c"./a"] },
    Change { name: "processor", before: &[c"n1000", c"s4096", c"./a"], after: &[c"n1000", c"s4096", c"!cat", c"./a"] },
    Change {
        name: "order",
        before: &[c"t", c"n1000", c"s4096", c"./a", c"./b"],
        after: &[c"t", c"n1000", c"s5000", c"./b", c"./a"],
    },
    Change {
        name: "one more at the end",
        before: &[c"n1000", c"s4096", c"./a"],
        after: &[c"n1000", c"s4096", c"./a", c"./b"],
    },
    Change {
        name: "one more at the beginning",
        before: &[c"n1000", c"s4096", c"./b"],
        after: &[c"n1000", c"s4096", c"./a", c"./b"],
    },
    Change { name: "one less", before: &[c"n1000", c"s4096", c"./a", c"./b"], after: &[c"n1000", c"s4096", c"./a"] },
    Change {
        name: "other beginnings",
        before: &[c"T@utc", c"p=web: ", c"n1000", c"s4096", c"./a"],
        after: &[c"p=db: ", c"n1000", c"s4096", c"./a"],
    },
    Change {
        name: "other expressions",
        before: &[c"n1000", c"s4096", c"r+^[0-9]{4} ", c"r-nowhere", c"./a"],
        after: &[c"n1000", c"s4096", c"r-x{9}", c"./a"],
    },
    Change { name: "status", before: &[c"n1000", c"./a"], after: &[c"n1000", c"=f", c"./a"] },
];

/// Lines that are selected and not, long ones and short ones.
fn mixed() -> Vec<String> {
    let workload = Workload { name: "mixed", script: &[], line_bytes: &[5, 60, 2500, 12, 6000, 300] };
    let mut lines = lines(&workload);
    lines.last_mut().expect("there are some").push('\n');
    lines
}

fn without_stamps(log: &[u8]) -> Vec<u8> {
    let line = |line: &[u8]| {
        let head = match line {
            [b'@', b'4', ..] if line.len() > Stamp::BYTES => Stamp::BYTES,
            [b'2', b'0', _, _, b'-', ..] => "2026-11-22T11:06:00.604673253Z web: ".len(),
            [b'd', b'b', b':', ..] => "db: ".len(),
            _ => 0,
        };
        line[head..].to_vec()
    };
    log.split_inclusive(|&byte| byte == b'\n').flat_map(line).collect()
}

#[test]
fn a_successor_with_another_script_loses_doubles_and_tears_nothing() {
    for change in CHANGES {
        let [before, after] =
            [change.before, change.after].map(|script| Workload { name: change.name, script, line_bytes: &[] });
        let [is_before, is_after] = [before, after].map(|workload| {
            let script = parse_script(workload.script);
            [b'a', b'b'].map(|letter| script.directories.iter().any(|one| one.path.to_bytes()[2] == letter))
        });
        let all = mixed().concat();
        for_calls(|at| {
            let machine = machine(2);
            machine.pipe.write(all.as_bytes());
            let calls = Calls::new(Fault::Kill { at });
            machine.run(&before, &calls, false);
            machine.run_well(&after);

            for number in 0..2 {
                let log = without_stamps(&log(&machine.disks[number]));
                let shown = format!("{}, killed at call {at}: directory {number}", change.name);
                match (is_before[number], is_after[number]) {
                    (true, true) => assert!(log == all.as_bytes(), "{shown}: {}", difference(&log, all.as_bytes())),
                    (true, false) => assert!(all.as_bytes().starts_with(&log), "{shown}"),
                    (false, true) => assert!(all.as_bytes().ends_with(&log), "{shown}"),
                    (false, false) => assert!(log.is_empty(), "{shown}"),
                }
            }
            assert!(machine.pipe.bytes().is_empty());
            calls.has_fired()
        });
    }
}

fn difference(found: &[u8], expected: &[u8]) -> String {
    let same = found.iter().zip(expected).take_while(|(a, b)| a == b).count();
    let around = |bytes: &[u8]| bytes[same.saturating_sub(40)..(same + 40).min(bytes.len())].escape_ascii().to_string();
    format!("{} and {} bytes, from {same} on {} and {}", found.len(), expected.len(), around(found), around(expected))
}

#[test]
fn a_batch_goes_where_the_old_selectors_sent_it_and_the_rest_where_the_new_ones_do() {
    // Lines with a j go to a, the others to b; then it is the other way round.
    let before = Workload {
        name: "selectors",
        script: &[c"n1000", c"s4096", c"-*", c"+*j*", c"./a", c"+*", c"-*j*", c"./b"],
        line_bytes: &[],
    };
    let after = Workload { script: &[c"n1000", c"s4096", c"-*", c"+*j*", c"./b", c"+*", c"-*j*", c"./a"], ..before };
    let lines = mixed();
    for_calls(|at| {
        let machine = machine(2);
        machine.pipe.write(lines.concat().as_bytes());
        let calls = Calls::new(Fault::Kill { at });
        machine.run(&before, &calls, false);
        machine.run_well(&after);

        let [a, b] = [0, 1].map(|number| log(&machine.disks[number]));
        // Up to one line the old rules hold, and from there on the new ones.
        let is_so = (0..=lines.len()).any(|turn| {
            let goes_to_a = |(number, line): &(usize, &String)| line.contains('j') == (*number < turn);
            let (to_a, to_b): (Vec<_>, Vec<_>) = lines.iter().enumerate().partition(goes_to_a);
            let text = |lines: Vec<(usize, &String)>| lines.into_iter().map(|(_, line)| &line[..]).collect::<String>();
            text(to_a).as_bytes() == a && text(to_b).as_bytes() == b
        });
        assert!(is_so, "killed at call {at}: {} and {} bytes", a.len(), b.len());
        calls.has_fired()
    });
}

#[test]
fn the_journal_of_a_directory_that_was_the_first_long_ago_means_nothing() {
    let [a_only, b_only, both] = [&[c"n1000", c"./a"][..], &[c"n1000", c"./b"], &[c"n1000", c"./a", c"./b"]]
        .map(|script| Workload { name: "stale", script, line_bytes: &[] });
    for_calls(|at| {
        let machine = machine(2);
        machine.pipe.write(&numbered(0..40));
        let calls = Calls::new(Fault::Kill { at });
        machine.run(&a_only, &calls, false);
        let in_a = log(&machine.disks[0]);
        // This one does not know of it, and begins with what is in the pipe.
        machine.pipe.write(&numbered(40..80));
        machine.run(&b_only, &Calls::new(Fault::Kill { at: 40 }), false);
        let in_b = line_numbers(&log(&machine.disks[1]));
        machine.pipe.write(&numbered(80..120));
        machine.run_well(&both);

        let shown = format!("killed at call {at}");
        let numbers = line_numbers(&log(&machine.disks[1]));
        assert!(numbers.starts_with(&in_b) && numbers.is_sorted_by(|a, b| a < b), "{shown}");
        assert_eq!(numbers.last(), Some(&119), "{shown}");
        assert!(log(&machine.disks[0]).starts_with(&in_a), "{shown}");
        assert!(machine.disks.iter().all(|disk| !disk.files().contains_key(JOURNAL)), "{shown}");
        calls.has_fired()
    });
}

#[test]
fn a_forged_journal_with_valid_checksums_makes_nobody_stumble() {
    let numbers = [0, 1, 700, 4096, u64::MAX / 2, u64::MAX - 100, u64::MAX];
    for workload in [
        Workload { name: "one", script: &[c"t", c"n1000", c"./a"], line_bytes: &[] },
        Workload { name: "two", script: &[c"n1000", c"-*1*", c"./a", c"s4096", c"./b"], line_bytes: &[] },
    ] {
        for (at, offset_bytes, output_bytes) in
            [20, 60].iter().flat_map(|at| numbers.iter().flat_map(move |one| numbers.map(|other| (*at, *one, other))))
        {
            for change in 0..4 {
                let machine = machine(2);
                machine.pipe.write(&numbered(0..100));
                machine.run(&workload, &Calls::new(Fault::Kill { at }), false);
                let Some(told) = machine.disks[0].files().get(JOURNAL).and_then(|file| layout::read(file)) else {
                    continue;
                };
                let Contents { heading, mut record, is_consumed } = told;
                for extent in &mut record.extents {
                    (extent.offset_bytes, extent.output_bytes) = (offset_bytes, output_bytes);
                }
                match change {
                    1 => record.input_bytes = output_bytes,
                    2 => record.open_lines[0].is_open = true,
                    3 => record.open_lines[1].is_open = true,
                    _ => {}
                }
                let mut forged = Journal::new(vec![0; layout::file_bytes(&heading)], &heading);
                forged.begin(&record);
                if is_consumed {
                    forged.land(|last| last[0] = record.last_byte);
                }
                machine.disks[0].overwrite(JOURNAL, forged.into_memory());
                machine.run_well(&workload);

                assert!(machine.pipe.bytes().is_empty());
                assert!(machine.disks.iter().all(|disk| !disk.files().contains_key(JOURNAL)));
            }
        }
    }
}

#[test]
fn a_journal_in_a_directory_that_is_no_longer_the_first_is_removed() {
    let before = Workload { name: "a", script: &[c"./a", c"./b"], line_bytes: &[] };
    let after = Workload { name: "b", script: &[c"./b", c"./a"], line_bytes: &[] };
    let machine = machine(2);
    machine.pipe.write(&numbered(0..20));
    // Each is killed as soon as it keeps the only journal.
    let run_until = |workload: &Workload, holders: [bool; 2]| {
        let found = || [0, 1].map(|disk: usize| machine.disks[disk].files().contains_key(JOURNAL));
        let ends = (1..100).map(|at| machine.run(workload, &Calls::new(Fault::Kill { at }), false));
        assert!(ends.take_while(|end| *end == End::Killed).any(|_| found() == holders), "{}", workload.name);
    };
    run_until(&before, [true, false]);
    run_until(&after, [false, true]);

    assert_eq!(machine.run(&before, &Calls::new(Fault::None), false), End::Left(Exit::OK));
    assert!(machine.disks.iter().all(|disk| log(disk) == numbered(0..20)));
}

#[test]
fn a_newline_that_could_not_be_added_takes_no_batch_out_of_the_journal() {
    // Two pieces, of which the second ends with the input.
    let line = vec![b'x'; 8000];
    let mut seen = 0;
    for later in 1..8 {
        for_each_call(|at| {
            let machine = machine(1);
            machine.pipe.write(&line);
            let calls = Calls::new(Fault::FailAndKill { at, errno: Errno::ENOSPC, later });
            machine.run(&ONE_FILE, &calls, true);
            let disk = &machine.disks[0];
            let is_all_written = machine.pipe.bytes().is_empty() && disk.files().get(CURRENT) == Some(&line);
            if calls.has_fired() && is_all_written && !is_doubtful(disk) {
                seen += 1;
                machine.run_well(&ONE_FILE);
                assert_eq!(archive_names(disk), [""; 0], "an error at call {at} and a kill {later} calls later");
                assert_eq!(log(disk), [&line[..], b"\n"].concat());
            }
            calls.has_fired()
        });
    }
    assert!(seen > 5, "{seen} cases");
}
