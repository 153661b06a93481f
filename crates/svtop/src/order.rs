//! Which services the table shows, and in which order.

use std::cmp::Ordering;

use crate::service::Service;

/// What the rows are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// The most urgent first, and by name.
    Problems,
    Name,
    Uptime,
    Lines,
    Bytes,
    Waiting,
    Disk,
}

impl Column {
    pub(crate) const ALL: [Column; 7] =
        [Column::Problems, Column::Name, Column::Uptime, Column::Lines, Column::Bytes, Column::Waiting, Column::Disk];

    /// Its name in the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Column::Problems => "problems",
            Column::Name => "name",
            Column::Uptime => "uptime",
            Column::Lines => "lines",
            Column::Bytes => "bytes",
            Column::Waiting => "waiting",
            Column::Disk => "disk",
        }
    }

    /// The column of a name, which must be one.
    pub(crate) fn named(word: &str) -> Column {
        Column::ALL.into_iter().find(|column| column.word() == word).unwrap_or(Column::Problems)
    }

    /// The column `steps` to the right, round and round.
    pub(crate) fn next(self, steps: usize) -> Column {
        let at = Column::ALL.iter().position(|column| *column == self).unwrap_or(0);
        Column::ALL[(at + steps) % Column::ALL.len()]
    }
}

/// What is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) column: Column,
    pub(crate) is_reversed: bool,
    /// Only services whose names contain this.
    pub(crate) filter: String,
    /// Only services with a problem.
    pub(crate) only_problems: bool,
}

impl Order {
    /// The services to show, by their places in `all`.
    pub(crate) fn apply(&self, all: &[Service]) -> Vec<usize> {
        let mut rows: Vec<(f64, usize)> =
            (0..all.len()).filter(|&i| self.shows(&all[i])).map(|i| (key(self.column, &all[i]), i)).collect();
        rows.sort_by(|(one, i), (other, j)| {
            // The largest first; what is not known last. The services are in the order of their names.
            let order = other.partial_cmp(one).unwrap_or(Ordering::Equal).then(i.cmp(j));
            if self.is_reversed { order.reverse() } else { order }
        });
        rows.into_iter().map(|(_, i)| i).collect()
    }

    fn shows(&self, service: &Service) -> bool {
        (!self.only_problems || service.state().is_problem()) && contains(&service.shown, &self.filter)
    }
}

fn key(column: Column, service: &Service) -> f64 {
    let number = |number: Option<u64>| number.map_or(-1.0, |number| number as f64);
    match column {
        Column::Problems => f64::from(service.state().level as u8),
        Column::Name => 0.0,
        Column::Uptime => number(service.seconds()),
        Column::Lines => service.lines_rate().unwrap_or(-1.0),
        Column::Bytes => service.bytes_rate().unwrap_or(-1.0),
        Column::Waiting => number(service.waiting_bytes()),
        Column::Disk => number(service.disk_bytes()),
    }
}

/// Tells whether a name contains a text, whatever the case of letters, unless the text has a capital one.
fn contains(name: &str, text: &str) -> bool {
    if text.is_empty() {
        return true;
    }
    if text.chars().any(char::is_uppercase) { name.contains(text) } else { name.to_lowercase().contains(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    use logyard::sys::dir::Dir;
    use logyard::sys::stat::FileId;

    use crate::watches::Watches;

    fn services(names: &[&str]) -> Vec<Service> {
        let service = |name: &&str| {
            Service::new(name.as_bytes().to_vec(), FileId::default(), Dir::reach("/"), &Watches::new(), Instant::now())
        };
        names.iter().map(service).collect()
    }

    fn order(filter: &str, is_reversed: bool, only_problems: bool) -> Order {
        Order { column: Column::Name, is_reversed, filter: filter.to_owned(), only_problems }
    }

    #[test]
    fn names_are_selected_and_sorted() {
        let all = services(&["Mail", "mail-out", "web"]);
        assert_eq!(order("", false, false).apply(&all), [0, 1, 2]);
        assert_eq!(order("", true, false).apply(&all), [2, 1, 0]);
        assert_eq!(order("mail", false, false).apply(&all), [0, 1]);
        assert_eq!(order("Mail", false, false).apply(&all), [0]);
        assert_eq!(order("ftp", false, false).apply(&all), [] as [usize; 0]);
        // They have no supervisor.
        assert_eq!(order("web", false, true).apply(&all), [2]);
        for column in Column::ALL {
            assert_eq!(Order { column, ..order("", false, false) }.apply(&all), [0, 1, 2], "{column:?}");
        }
    }

    #[test]
    fn columns_have_names() {
        for column in Column::ALL {
            assert_eq!(Column::named(column.word()), column);
            assert_eq!(column.next(1).next(Column::ALL.len() - 1), column);
        }
    }
}
