//! Checks the stamps of a log: each line has one, none lies outside the run, and they advance.

use std::time::Duration;

use crate::task::STAMP_BYTES;
use logyard::sys::clock::UnixTime;
use logyard::tai64n::Label;

/// How far s6-log's labels are ahead of those of daemontools: the leap seconds since 1972.
const LEAP_SECONDS: i64 = 27;
/// How far a stamp may lie outside the run: 0.76 cuts off what is below a microsecond, and a coarse clock ticks rarely.
const SLACK: Duration = Duration::from_millis(20);
/// Lines this far apart cannot have been read at once: more than a pipe of the largest usual size and a reader's buffer hold.
const READ_MAX_BYTES: usize = 2 * 1024 * 1024;
/// In a run that is fed at a rate for this long some stamps are different.
const LASTING: Duration = Duration::from_secs(1);

/// The conditions that the stamps of a run must meet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StampRule {
    from: Label,
    to: Label,
    /// The first and the last stamp must be different.
    must_change: bool,
}

impl StampRule {
    /// For a run that lasted from `from` to `to`, fed at full speed or at a rate.
    pub(crate) fn new(from: UnixTime, to: UnixTime, is_at_rate: bool) -> StampRule {
        let slack_nanoseconds = i64::try_from(SLACK.as_nanos()).expect("it is short");
        let must_change = is_at_rate && to.seconds - from.seconds > LASTING.as_secs().cast_signed();
        StampRule { from: shifted(from, 0, -slack_nanoseconds), to: shifted(to, 0, slack_nanoseconds), must_change }
    }

    /// Counts the lines whose stamp is missing or cannot be true. The first line may be the end of a cut one.
    pub(crate) fn count_bad(&self, lines: &[&[u8]]) -> u64 {
        let mut bad = 0;
        let (mut first, mut last): (Option<Label>, Option<Label>) = (None, None);
        let mut bytes_alike = 0;
        for (number, line) in lines.iter().enumerate() {
            let Some(label) = stamp(line) else {
                bad += u64::from(number > 0);
                continue;
            };
            bytes_alike = if last == Some(label) { bytes_alike + line.len() } else { 0 };
            let goes_back = last.is_some_and(|last| label < last);
            bad += u64::from(goes_back || bytes_alike > READ_MAX_BYTES || !self.contains(label));
            first = first.or(Some(label));
            last = Some(label);
        }
        if self.must_change && lines.len() > 1 && first == last { bad.max(lines.len() as u64 - 1) } else { bad }
    }

    fn contains(&self, label: Label) -> bool {
        let ahead = |label: Label| {
            shifted(UnixTime { seconds: label.unix_seconds(), nanoseconds: label.nanoseconds() }, LEAP_SECONDS, 0)
        };
        (self.from..=self.to).contains(&label) || (ahead(self.from)..=ahead(self.to)).contains(&label)
    }
}

/// The label and the space that a line begins with.
fn stamp(line: &[u8]) -> Option<Label> {
    let head = line.get(..STAMP_BYTES as usize)?;
    let (label, space) = head.split_at(Label::TEXT_BYTES);
    Label::parse(label).ok().filter(|_| space == b" ")
}

fn shifted(time: UnixTime, seconds: i64, nanoseconds: i64) -> Label {
    let sum = i64::from(time.nanoseconds) + nanoseconds;
    Label::from(UnixTime {
        seconds: time.seconds + seconds + sum.div_euclid(1_000_000_000),
        nanoseconds: u32::try_from(sum.rem_euclid(1_000_000_000)).expect("it is below a second"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> UnixTime {
        let nanoseconds = u32::try_from(milliseconds.rem_euclid(1000)).unwrap() * 1_000_000;
        UnixTime { seconds: 1_790_000_000 + milliseconds.div_euclid(1000), nanoseconds }
    }

    fn line(milliseconds: i64, text: &str) -> Vec<u8> {
        format!("{} {text}\n", Label::from(at(milliseconds))).into_bytes()
    }

    fn bad(rule: &StampRule, lines: &[Vec<u8>]) -> u64 {
        rule.count_bad(&lines.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    #[test]
    fn stamps_within_the_run_that_do_not_go_back_are_right() {
        let rule = StampRule::new(at(0), at(1000), false);

        assert_eq!(bad(&rule, &[line(0, "a"), line(500, "b"), line(500, "c"), line(1000, "")]), 0);
        assert_eq!(bad(&rule, &[line(27_000, "a"), line(28_000, "b")]), 0, "the labels of s6-log");
        assert_eq!(bad(&rule, &[b"the end of a cut line\n".to_vec(), line(500, "b")]), 0);
    }

    #[test]
    fn a_line_without_a_stamp_or_with_one_of_another_time_is_counted() {
        let rule = StampRule::new(at(0), at(1000), false);

        assert_eq!(bad(&rule, &[line(0, "a"), b"b\n".to_vec(), b"@40000000 c\n".to_vec()]), 2);
        assert_eq!(bad(&rule, &[line(-5000, "a"), line(5000, "b"), line(26_000, "c")]), 3);
        assert_eq!(bad(&rule, &[line(500, "a"), line(400, "b")]), 1);
        assert_eq!(bad(&rule, &[line(500, "a"), b"@4000000069100000000000000x\n".to_vec()]), 1);
    }

    #[test]
    fn a_stamp_that_never_changes_is_counted() {
        let rule = StampRule::new(at(0), at(1000), false);
        let long = "x".repeat(100_000);
        let lines: Vec<_> = (0..30).map(|_| line(500, &long)).collect();
        assert!(bad(&rule, &lines) > 0);
        assert_eq!(bad(&rule, &lines[..10]), 0, "so much can be read at once");

        let lines: Vec<_> = (0..300).map(|_| line(500, "a")).collect();
        assert_eq!(bad(&StampRule::new(at(0), at(3000), true), &lines), 299);
        assert_eq!(bad(&StampRule::new(at(0), at(900), true), &lines), 0, "a short run may be one read");
        assert_eq!(bad(&StampRule::new(at(0), at(3000), true), &[&lines[..], &[line(900, "b")]].concat()), 0);
    }
}
