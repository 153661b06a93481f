//! What the script puts before each line: a timestamp, a prefix, both or neither.

use crate::lines::heads::{HeadText, Heads};
use crate::lines::prefix::HEAD_BYTES_MAX;
use crate::lines::window::Stamps;
use crate::tai64n::{Label, Stamp, StampForm, Zone};

/// The longest timestamp: local time with its offset.
const STAMP_BYTES_MAX: usize = 36;
/// The longest prefix.
pub const PREFIX_BYTES_MAX: usize = HEAD_BYTES_MAX - STAMP_BYTES_MAX;

/// When a line came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The moment.
    pub label: Label,
    /// How far local time was ahead of UTC; 0 where local time is not asked for. A successor may be in another zone.
    pub offset_seconds: i32,
}

/// What is put before each line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadRule {
    /// The form of the timestamp, if there is one.
    pub stamp: Option<StampForm>,
    /// What stands behind the timestamp. No newline is in it.
    pub prefix: Vec<u8>,
}

impl HeadRule {
    /// Tells whether local time is needed.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.stamp.is_some_and(StampForm::is_local)
    }

    /// When lines came, as far as the rule needs it. `zone` is the local zone; without one local time is UTC.
    #[must_use]
    pub fn arrivals(&self, labels: [Label; 2], zone: Option<&Zone>) -> [Arrival; 2] {
        let zone = zone.filter(|_| self.is_local());
        labels.map(|label| Arrival {
            label,
            offset_seconds: zone.map_or(0, |zone| zone.offset_seconds(label.unix_seconds())),
        })
    }

    /// The beginnings of a window's lines; the first came at the first moment, all others at the second.
    #[must_use]
    pub fn heads(&self, arrivals: &[Arrival; 2]) -> Heads {
        match self.stamp {
            None if self.prefix.is_empty() => Heads::None,
            Some(StampForm::Label) if self.prefix.is_empty() => {
                let [first_came, rest_came] = arrivals.map(|arrival| arrival.label);
                let first = Stamp::from(first_came);
                let rest = if rest_came == first_came { first } else { Stamp::from(rest_came) };
                Heads::Stamps(Stamps { first, rest })
            }
            _ => Heads::Texts(arrivals.map(|arrival| self.text(arrival))),
        }
    }

    fn text(&self, Arrival { label, offset_seconds }: Arrival) -> HeadText {
        let mut text = Vec::with_capacity(HEAD_BYTES_MAX);
        if let Some(stamp) = self.stamp {
            stamp.write(label, offset_seconds, &mut text);
        }
        text.extend_from_slice(&self.prefix);
        HeadText::new(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tai64n::posix;

    fn heads(rule: &HeadRule) -> [String; 2] {
        let labels =
            [b"@400000003ce2403d3677ea94", b"@400000006abfffff00000001"].map(|text| Label::parse(text).unwrap());
        let zone = Zone::from(posix::zone(b"CET-1CEST,M3.5.0,M10.5.0/3").unwrap().unwrap());
        let heads = rule.heads(&rule.arrivals(labels, Some(&zone)));
        [heads.first(), heads.rest()].map(|head| String::from_utf8(head.to_vec()).unwrap())
    }

    #[test]
    fn a_line_begins_with_its_timestamp_and_the_prefix() {
        let head = |stamp, prefix: &[u8]| heads(&HeadRule { stamp, prefix: prefix.into() });
        assert_eq!(head(None, b""), ["", ""]);
        assert_eq!(head(None, b"web: "), ["web: ", "web: "]);
        assert_eq!(head(Some(StampForm::Label), b""), ["@400000003ce2403d3677ea94 ", "@400000006abfffff00000001 "]);
        assert_eq!(head(Some(StampForm::Label), b"web: ")[0], "@400000003ce2403d3677ea94 web: ");
        assert_eq!(head(Some(StampForm::Local), b"web: ")[0], "2002-05-15 13:02:11.913828500  web: ");
        assert_eq!(head(Some(StampForm::LocalWithOffset), b"")[0], "2002-05-15T13:02:11.913828500+02:00 ");
    }

    #[test]
    fn the_longest_beginning_is_whole() {
        let rule = HeadRule { stamp: Some(StampForm::LocalWithOffset), prefix: vec![b'x'; PREFIX_BYTES_MAX] };
        assert_eq!(heads(&rule).map(|head| head.len()), [HEAD_BYTES_MAX; 2]);
    }

    #[test]
    fn local_time_is_looked_up_only_where_it_is_written() {
        let labels = [Label::parse(b"@400000003ce2403d3677ea94").unwrap(); 2];
        let zone = Zone::from(posix::zone(b"CET-1").unwrap().unwrap());
        let offset = |stamp| {
            let rule = HeadRule { stamp: Some(stamp), prefix: vec![] };
            rule.arrivals(labels, Some(&zone))[0].offset_seconds
        };
        assert_eq!([StampForm::Label, StampForm::Utc, StampForm::Local].map(offset), [0, 0, 3600]);
    }
}
