//! Counts lines per interval, and draws the counts on the terminal.
//!
//! Unless the user gives an interval, the first one is a second. Whenever there are too many bars, neighbours are added up to
//! bars of the next longer interval, so that memory stays bounded over any span of time.

use std::collections::BTreeMap;

use crate::clock::LocalClock;

/// How many bars there may be.
const BARS_MAX: i64 = 2000;
/// The number of bars to aim at, unless the user gives an interval.
const BARS_WANTED: i64 = 60;

/// The intervals to choose from, in seconds. Each but the first is a multiple of an earlier one.
const INTERVALS: [i64; 16] =
    [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 604_800, 2_592_000, 31_536_000];

/// The parts of a block's height, or its width.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// The time that a bar stands for, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval(pub(super) i64);

impl Interval {
    /// Reads `90`, `10s`, `5m` or `5min`, `1h`, `1d`, `1w`.
    pub(super) fn parse(text: &str) -> Result<Interval, String> {
        let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let seconds = match unit.trim() {
            "" | "s" | "sec" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            "d" => 86_400,
            "w" => 604_800,
            _ => 0,
        };
        let number = digits.parse::<i64>().unwrap_or(0);
        match number.checked_mul(seconds) {
            Some(seconds) if seconds > 0 => Ok(Interval(seconds)),
            _ => Err(format!("unable to understand the interval '{text}'")),
        }
    }
}

/// Counts lines by interval of local time.
#[derive(Debug)]
pub(super) struct Histogram {
    interval: i64,
    is_fixed: bool,
    counts: BTreeMap<i64, u64>,
    without_time: u64,
}

impl Histogram {
    /// Counts by an interval, or by one that fits.
    pub(super) fn new(interval: Option<Interval>) -> Histogram {
        let seconds = interval.map_or(INTERVALS[0], |Interval(seconds)| seconds);
        Histogram { interval: seconds, is_fixed: interval.is_some(), counts: BTreeMap::new(), without_time: 0 }
    }

    /// Counts lines at a moment, in seconds of local time.
    pub(super) fn count(&mut self, local: Option<i64>, lines: u64) {
        let Some(local) = local else {
            self.without_time += lines;
            return;
        };
        *self.counts.entry(local.div_euclid(self.interval)).or_insert(0) += lines;
        if !self.is_fixed && self.counts.len() as i64 > BARS_MAX {
            self.widen();
        }
    }

    /// Goes over to the next longer interval.
    fn widen(&mut self) -> bool {
        let longer = INTERVALS.into_iter().find(|interval| *interval > self.interval && interval % self.interval == 0);
        let Some(longer) = longer else { return false };
        let factor = longer / self.interval;
        self.interval = longer;
        for (at, lines) in std::mem::take(&mut self.counts) {
            *self.counts.entry(at.div_euclid(factor)).or_insert(0) += lines;
        }
        true
    }

    /// Tells whether no line has been counted.
    pub(super) fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.without_time == 0
    }

    /// The bars, from the first to the last with any line: where each begins in local time, and its lines. Stretches
    /// without lines are left out only where there would be too many bars.
    pub(super) fn bars(&mut self) -> Vec<(i64, u64)> {
        let extent = |counts: &BTreeMap<i64, u64>| match (counts.keys().next(), counts.keys().next_back()) {
            (Some(first), Some(last)) => (*first, last.saturating_sub(*first).saturating_add(1)),
            _ => (0, 0),
        };
        while !self.is_fixed && extent(&self.counts).1 > BARS_WANTED && self.widen() {}
        let (first, length) = extent(&self.counts);
        if length > BARS_MAX {
            return self.counts.iter().map(|(at, lines)| (at.saturating_mul(self.interval), *lines)).collect();
        }
        (first..first + length)
            .map(|at| (at.saturating_mul(self.interval), self.counts.get(&at).copied().unwrap_or(0)))
            .collect()
    }

    /// The interval that was used, in seconds.
    pub(super) fn interval(&self) -> i64 {
        self.interval
    }

    /// The drawing, `columns` wide.
    pub(super) fn draw(&mut self, columns: usize) -> String {
        use std::fmt::Write;

        let bars = self.bars();
        let most = bars.iter().map(|(_, lines)| *lines).max().unwrap_or(0).max(1);
        let digits = most.to_string().len();
        let mut drawing = String::new();
        for (at, lines) in &bars {
            let time = time_of(*at, self.interval);
            let room = columns.saturating_sub(time.len() + digits + 3).max(8) as u64;
            // In eighths of a column, and a single line is seen.
            let eighths = u128::from(*lines) * u128::from(room) * 8 / u128::from(most);
            let eighths = usize::try_from(eighths).unwrap_or(0).max(usize::from(*lines > 0));
            // Writing to memory does not fail.
            let _ = write!(drawing, "{time} {lines:>digits$} ");
            drawing.extend(std::iter::repeat_n("█", eighths / 8));
            drawing.push_str(EIGHTHS[eighths % 8]);
            drawing.truncate(drawing.trim_end().len());
            drawing.push('\n');
        }
        if self.without_time > 0 {
            let _ = writeln!(drawing, "without a time: {}", self.without_time);
        }
        drawing
    }
}

/// A moment of local time, as exact as an interval asks for.
pub(super) fn time_of(local: i64, interval: i64) -> String {
    let clock = LocalClock::utc();
    let Some(text) = clock.show(local) else { return local.to_string() };
    let text = String::from_utf8_lossy(&text).into_owned();
    let length = if interval % 86_400 == 0 {
        10
    } else if interval % 60 == 0 {
        16
    } else {
        19
    };
    text[..length].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read() {
        for (text, seconds) in [("90", 90), ("10s", 10), ("5m", 300), ("5 min", 300), ("1h", 3600), ("2d", 172_800)] {
            assert_eq!(Interval::parse(text), Ok(Interval(seconds)), "{text}");
        }
        for text in ["", "s", "0", "0s", "1y", "-1s", "99999999999999999999s", "9223372036854775807d"] {
            assert!(Interval::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn no_line_is_lost_when_intervals_grow() {
        let mut histogram = Histogram::new(None);
        for second in 0..100_000 {
            histogram.count(Some(second * 37), 1);
        }
        let bars = histogram.bars();

        assert_eq!(bars.iter().map(|(_, lines)| lines).sum::<u64>(), 100_000);
        assert!(bars.len() as i64 <= BARS_WANTED);
    }

    #[test]
    fn bars_are_as_long_as_their_counts() {
        let mut histogram = Histogram::new(Some(Interval(60)));
        for (minute, lines) in [(0, 4), (1, 2), (3, 1)] {
            histogram.count(Some(minute * 60), lines);
        }

        let drawing = "1970-01-01 00:00 4 ████████\n\
                       1970-01-01 00:01 2 ████\n\
                       1970-01-01 00:02 0\n\
                       1970-01-01 00:03 1 ██\n";
        assert_eq!(histogram.draw(28), drawing);
    }
}
