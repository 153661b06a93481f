//! The two time scales of labels, and the moments between which a reader looks.
//!
//! daemontools, its successor and runit write 2^62 + 10 + Unix seconds at every date: the scale of [`Label`]. s6 and nosh
//! add the leap seconds inserted so far, which makes real TAI. A label does not show its scale, so the user gives it:
//! `--tai=real`.

use logyard::sys::clock::UnixTime;
use logyard::tai64n::Label;

/// The Unix seconds at which a leap second had just been inserted, from 1972-07-01 to 2017-01-01: bulletin C of the IERS.
const LEAPS: [i64; 27] = [
    78_796_800,
    94_694_400,
    126_230_400,
    157_766_400,
    189_302_400,
    220_924_800,
    252_460_800,
    283_996_800,
    315_532_800,
    362_793_600,
    394_329_600,
    425_865_600,
    489_024_000,
    567_993_600,
    631_152_000,
    662_688_000,
    709_948_800,
    741_484_800,
    773_020_800,
    820_454_400,
    867_715_200,
    915_148_800,
    1_136_073_600,
    1_230_768_000,
    1_341_100_800,
    1_435_708_800,
    1_483_228_800,
];

/// How labels count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeScale {
    /// Unix time and ten seconds: daemontools, runit, logyard.
    #[default]
    Djb,
    /// Unix time, ten seconds, and the leap seconds so far: s6, nosh.
    Real,
}

impl TimeScale {
    /// The Unix seconds that a label means. A second that was inserted means the one after it.
    pub(super) fn unix_seconds(self, label: Label) -> i64 {
        let seconds = label.unix_seconds();
        match self {
            TimeScale::Djb => seconds,
            TimeScale::Real => {
                // `i` leap seconds lie before, so the i-th is passed where the count is `i` further on.
                let passed = LEAPS.iter().zip(0..).take_while(|&(&leap, before)| seconds > leap + before).count();
                seconds.saturating_sub_unsigned(passed as u64)
            }
        }
    }

    /// The label of a moment.
    pub(super) fn label(self, time: UnixTime) -> Label {
        let leaps = match self {
            TimeScale::Djb => 0,
            TimeScale::Real => LEAPS.iter().take_while(|&&leap| time.seconds >= leap).count(),
        };
        Label::from(UnixTime { seconds: time.seconds.saturating_add_unsigned(leaps as u64), ..time })
    }
}

/// The latest moment that a label can name.
pub(super) fn latest() -> Label {
    let mut bytes = [0xff; 12];
    bytes[8..].copy_from_slice(&999_999_999_u32.to_be_bytes());
    Label::from_bytes(bytes).expect("less than a second")
}

/// From one moment up to, and not including, another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Earlier lines are left out.
    pub since: Option<Label>,
    /// This and later lines are left out.
    pub until: Option<Label>,
}

impl Window {
    /// Tells whether a moment lies within.
    #[must_use]
    pub fn contains(&self, label: Label) -> bool {
        self.since.is_none_or(|since| since <= label) && self.until.is_none_or(|until| label < until)
    }

    /// Tells whether every moment lies within.
    pub(super) fn is_everything(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> UnixTime {
        UnixTime { seconds, nanoseconds: 0 }
    }

    #[test]
    fn real_labels_are_27_seconds_ahead_today_and_22_in_2002() {
        for (seconds, ahead) in
            [(0, 0), (1_021_460_531, 22), (1_483_228_799, 26), (1_483_228_800, 27), (2_000_000_000, 27)]
        {
            assert_eq!(TimeScale::Real.label(at(seconds)), TimeScale::Djb.label(at(seconds + ahead)), "{seconds}");
        }
    }

    proptest! {
        #[test]
        fn a_moment_survives_either_scale(seconds in -1_000_000_000_i64..4_000_000_000) {
            for scale in [TimeScale::Djb, TimeScale::Real] {
                prop_assert_eq!(scale.unix_seconds(scale.label(at(seconds))), seconds);
            }
        }
    }

    #[test]
    fn moments_around_each_leap_second_survive() {
        for leap in LEAPS {
            for seconds in leap - 2..leap + 2 {
                assert_eq!(TimeScale::Real.unix_seconds(TimeScale::Real.label(at(seconds))), seconds);
            }
        }
    }
}
