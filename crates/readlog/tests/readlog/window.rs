//! Windows of time: what is found by names and a binary search is what reading everything finds.

use proptest::prelude::*;

use super::{label, lines, log_directory, printed, second, ten_seconds_each};
use testkit::{Workdir, strace};

#[test]
fn a_window_holds_the_lines_from_its_beginning_up_to_its_end() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 20);
    for (since, until) in
        [(0, 210), (0, 1), (5, 15), (10, 20), (9, 21), (57, 58), (195, 205), (209, 400), (300, 400), (60, 60)]
    {
        let window = ["-o", "tai64n", "--since", &second(since), "--until", &second(until), "main"];

        assert_eq!(printed(&dir, &window), lines(since.min(210), until.min(210)), "{since} to {until}");
    }
    let minute = ["-o", "tai64n", "-S", "2026-09-21 14:15:00", "-U", "2026-09-21T14:16:00Z", "main"];
    assert_eq!(printed(&dir, &minute), lines(100, 160));
}

#[test]
fn a_line_that_goes_on_in_the_next_files_is_whole_in_the_window_of_its_label() {
    let dir = Workdir::new();
    let long = "long ".repeat(1000);
    let archive = |name: u64| format!("{}.s", second(name));
    log_directory(
        &dir,
        "main",
        &[
            (&archive(10), format!("{}{} {}", lines(0, 9), second(9), &long[..2000]).as_bytes()),
            (&archive(20), &long.as_bytes()[2000..4000]),
            (&archive(30), format!("{}\n trace\n{}", &long[4000..], lines(20, 30)).as_bytes()),
            ("current", format!(" another trace\n{}", lines(30, 40)).as_bytes()),
        ],
    );
    let nine = format!("{} {long}\n trace\n", second(9));
    let window = |since: u64, until: u64, more: &[&str]| {
        let (since, until) = (second(since), second(until));
        printed(&dir, &[&["-o", "tai64n", "--since", &since, "--until", &until, "main"], more].concat())
    };

    for more in [&[][..], &["-n", "1000"]] {
        assert_eq!(window(9, 10, more), nine);
        assert_eq!(window(8, 21, more), lines(8, 9) + &nine + &lines(20, 21));
        assert_eq!(window(0, 9, more), lines(0, 9));
        assert_eq!(window(10, 30, more), lines(20, 30) + " another trace\n");
        assert_eq!(window(30, 100, more), lines(30, 40));
    }
}

#[test]
fn a_clock_that_was_set_back_within_a_file_hides_no_line() {
    let dir = Workdir::new();
    let archive = |name: u64, text: &str| {
        log_directory(&dir, "main", &[(&format!("{}.s", second(name)), text.as_bytes())]);
    };
    archive(1000, &lines(0, 1000));
    // Back by 500 seconds, and not caught up when the file is finished: its name is earlier than some of its lines.
    archive(1600, &(lines(1000, 2000) + &lines(1500, 1600)));
    // Back and caught up within the file: neither name nor first label shows it.
    archive(3000, &(lines(1600, 2500) + &lines(900, 3000)));
    log_directory(&dir, "main", &[("current", lines(3000, 3500).as_bytes())]);
    let all = printed(&dir, &["-o", "tai64n", "main"]);

    for (since, until) in
        [(1900, 1950), (910, 920), (1590, 1610), (2400, 2450), (500, 1500), (2900, 3100), (3000, 3001)]
    {
        let window = printed(&dir, &["-o", "tai64n", "--since", &second(since), "--until", &second(until), "main"]);
        let (since_label, until_label) = (second(since), second(until));
        let is_wanted = |line: &&str| line[..25] >= *since_label && line[..25] < *until_label;
        let expected: Vec<&str> = all.lines().filter(is_wanted).collect();

        assert_eq!(window.lines().collect::<Vec<&str>>(), expected, "{since} to {until}");
    }
}

#[test]
fn where_the_clock_stepped_back_every_line_is_still_found() {
    // 0.76: after the step, names go back too, and the archives written after it stand between those from before.
    let dir = Workdir::new();
    let archive = |name: u64, text: &str| {
        log_directory(&dir, "main", &[(&format!("{}.s", second(name)), text.as_bytes())]);
    };
    archive(1000, &lines(0, 1000));
    archive(2000, &lines(1000, 2000));
    // The step, by 1000 seconds at 2500, is in the middle of this file, which is named after it.
    archive(1700, &(lines(2000, 2500) + &lines(1500, 1700)));
    archive(1900, &lines(1700, 1900));
    log_directory(&dir, "main", &[("current", lines(1900, 2600).as_bytes())]);
    let mut all: Vec<String> = printed(&dir, &["-o", "tai64n", "main"]).lines().map(str::to_owned).collect();
    all.sort_unstable();

    for (since, until) in
        [(1500, 1510), (1650, 1750), (1890, 1910), (2010, 2020), (2450, 2490), (990, 1010), (2400, 2700)]
    {
        let window = printed(&dir, &["-o", "tai64n", "--since", &second(since), "--until", &second(until), "main"]);
        let mut found: Vec<&str> = window.lines().collect();
        found.sort_unstable();
        let (since_label, until_label) = (second(since), second(until));
        let expected: Vec<&String> =
            all.iter().filter(|line| line[..25] >= *since_label && line[..25] < *until_label).collect();

        assert_eq!(found, expected, "{since} to {until}");
    }
}

/// 3000 archives of a second each, the first line of each half a second before its second line.
fn a_second_each(dir: &Workdir) {
    std::fs::create_dir(dir.join("main")).unwrap();
    let line = |halves: u64| format!("{} line {halves}\n", label(halves * 500_000_000));
    for archive in 0..3000 {
        let name = format!("{}.s", label(archive * 1_000_000_000 + 600_000_000));
        std::fs::write(dir.join("main").join(name), line(2 * archive) + &line(2 * archive + 1)).unwrap();
    }
    std::fs::write(dir.join("main/current"), line(6000)).unwrap();
}

#[test]
fn a_window_over_very_many_archives_holds_its_lines() {
    let dir = Workdir::in_memory();
    a_second_each(&dir);
    let expected = |from: u64, to: u64| -> String {
        (from..to).map(|halves| format!("{} line {halves}\n", label(halves * 500_000_000))).collect()
    };

    for (since, until) in [(0, 1), (1, 61), (1500, 1560), (2950, 2990), (2999, 3000), (2990, 3010), (4000, 4100)] {
        let window = ["-o", "tai64n", "--since", &second(since), "--until", &second(until), "main"];
        let wanted = expected(2 * since.min(4000), (2 * until).min(6001));
        assert_eq!(printed(&dir, &window), wanted, "{since} to {until}");
        assert_eq!(printed(&dir, &[&window[..], &["-g", "line"]].concat()), wanted, "{since} to {until}, searched");
        assert_eq!(printed(&dir, &[&window[..], &["-n", "9999"]].concat()), wanted, "{since} to {until}, backward");
    }
    assert_eq!(printed(&dir, &["-o", "tai64n", "--since", &second(10), "main"]), expected(20, 6001));
    assert_eq!(printed(&dir, &["-o", "tai64n", "--until", &second(2995), "main"]), expected(0, 5990));
}

#[test]
fn a_minute_of_very_many_archives_is_found_by_their_names() {
    let Some(mut strace) = strace("it was not counted how many archives are opened") else { return };
    let dir = Workdir::in_memory();
    a_second_each(&dir);
    strace.args(["-qq", "-f", "-e", "trace=openat", "-o"]).arg(dir.join("calls")).arg(env!("CARGO_BIN_EXE_readlog"));
    strace.args(["--since", &second(1500), "--until", &second(1560), "main"]).current_dir(dir.path());

    let output = strace.output().unwrap();

    assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 120);
    let calls = std::fs::read_to_string(dir.join("calls")).unwrap();
    assert!(calls.lines().count() <= 200, "{} files were opened", calls.lines().count());
}

#[test]
fn of_very_many_archives_those_near_the_window_are_looked_into() {
    let dir = Workdir::in_memory();
    a_second_each(&dir);
    // The clock was set back here: the archive is named after a time before its first line.
    let name = format!("{}.s", label(1_495_600_000_000));
    let text = format!("{} after\n{} before\n", label(1_520_100_000_000), label(1_495_500_000_000));
    std::fs::write(dir.join("main").join(name), text).unwrap();

    let found = printed(&dir, &["-o", "cat", "--since", &second(1500), "--until", &second(1560), "main"]);

    assert_eq!(found.lines().filter(|line| *line == "after").count(), 1, "{found}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_window_is_what_reading_everything_finds(
        sizes in proptest::collection::vec((1_u64..400, 0_usize..120, 0_u64..4), 1..12),
        bounds in (0_u64..6000, 0_u64..6000),
    ) {
        let dir = Workdir::new();
        let (mut moment, mut all) = (0, Vec::new());
        for (i, (count, width, pace)) in sizes.iter().enumerate() {
            let mut text = String::new();
            for k in 0..*count {
                moment += pace * 500_000_000;
                let line = format!("{} {}{k}\n", label(moment), "x".repeat(*width));
                all.push(line.clone());
                text.push_str(&line);
                if k % 7 == 3 {
                    all.last_mut().unwrap().push_str(" trace\n");
                    text.push_str(" trace\n");
                }
            }
            let name = if i + 1 == sizes.len() { "current".to_owned() } else { format!("{}.s", label(moment + i as u64)) };
            log_directory(&dir, "main", &[(&name, text.as_bytes())]);
        }
        let (since, until) = (label(bounds.0 * 100_000_000), label(bounds.1 * 100_000_000));
        let wanted: String = all.iter().filter(|line| line[..25] >= *since && line[..25] < *until).cloned().collect();
        let last: String = all.concat().split_inclusive('\n').rev().take(50).collect::<Vec<_>>().into_iter().rev().collect();

        let forward = printed(&dir, &["-o", "tai64n", "--since", &since, "--until", &until, "main"]);
        prop_assert_eq!(forward, wanted);
        prop_assert_eq!(printed(&dir, &["-o", "tai64n", "-n", "50", "main"]), last);
    }
}
