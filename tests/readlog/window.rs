//! Windows of time: what is found by names and a binary search is what reading everything finds.

use proptest::prelude::*;

use super::{label, lines, log_directory, printed, second, ten_seconds_each};
use crate::util::Workdir;

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
