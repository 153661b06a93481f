//! The corpus is what its manifest says.

use std::collections::BTreeSet;

use logyard::multilog::script::selector::Selector;
use logyard_corpus::Counts;

use testkit::corpus;

#[test]
fn the_manifest_describes_every_file_of_the_corpus() {
    let manifest = std::fs::read_to_string(corpus::path("manifest")).unwrap();
    let mut named = BTreeSet::from(["README.md".to_owned(), "manifest".to_owned()]);

    for stated in manifest.lines().filter(|line| !line.starts_with('#')) {
        let name = stated.split_ascii_whitespace().next().expect("a line of the manifest begins with a name");
        let log = std::fs::read(corpus::path(name)).unwrap();

        assert_eq!(normal(stated), count(name, &log, pattern(stated)));
        named.insert(name.to_owned());
    }

    let present: BTreeSet<String> = std::fs::read_dir(corpus::path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(present, named);
}

/// The seven columns with one space between them, and the pattern as it is.
fn normal(stated: &str) -> String {
    let columns: Vec<&str> = stated.split_ascii_whitespace().take(7).collect();
    format!("{} {}", columns.join(" "), pattern(stated))
}

/// What stands behind the seventh column and one space.
fn pattern(stated: &str) -> &str {
    let mut rest = stated;
    for _ in 0..7 {
        rest = rest.trim_start();
        rest = &rest[rest.find(' ').expect("a line of the manifest has eight columns")..];
    }
    &rest[1..]
}

fn count(name: &str, log: &[u8], pattern: &str) -> String {
    let Counts { lines, bytes, longest_bytes, nuls, ends_in_newline } = Counts::of(log);
    let selector = Selector::new(pattern.as_bytes());
    let matches = log
        .split_inclusive(|&byte| byte == b'\n')
        .filter(|line| selector.matches(line.strip_suffix(b"\n").unwrap_or(line)))
        .count();
    let newline = if ends_in_newline { "yes" } else { "no" };
    format!("{name} {lines} {bytes} {longest_bytes} {nuls} {newline} {matches} {pattern}")
}
