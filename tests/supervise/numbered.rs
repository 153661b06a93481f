//! A service that numbers its lines, and what is in the log of it: there are never two copies, and no line is lost or
//! duplicated.

use std::collections::BTreeSet;
use std::fs;

use testkit::service_fixture::ServiceFixture;

/// Each line: which copy of the service wrote it, and its number among that copy's lines; ten of them each ten
/// milliseconds, as a `sleep` for each would be all that the machine does. `written.PID` holds the number of the last line
/// that was certainly written.
pub(super) const SERVICE: &str = "i=0; while :; do
    for ten in 1 2 3 4 5 6 7 8 9 0; do i=$((i+1)); echo $$ $i; echo $i >written.$$; done
    sleep 0.01
done";

/// The lines in the log directory of a service in `sv`, the archives first.
pub(super) fn logged(fixture: &ServiceFixture, service: &str) -> Vec<(i32, u64)> {
    let main = fixture.path(format!("sv/{service}/log/main"));
    let mut names: Vec<String> = fs::read_dir(&main)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with('@'))
        .collect();
    names.sort();
    names.push("current".to_owned());
    let text: String = names.iter().map(|name| fixture.read(&format!("sv/{service}/log/main/{name}"))).collect();
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(copy, number)| Some((copy.parse().ok()?, number.parse().ok()?)))
        .collect()
}

/// Checks what was logged; nothing of the service runs any more.
#[track_caller]
pub(super) fn check(fixture: &ServiceFixture, service: &str) {
    let mut copies = BTreeSet::new();
    let mut last = (0, 0);
    for (copy, number) in logged(fixture, service) {
        if copy == last.0 {
            assert_eq!(number, last.1 + 1, "a line of {copy} is missing or double");
        } else {
            assert!(copies.insert(copy), "{copy} wrote again after another copy had begun");
            assert_eq!(number, 1, "the first lines of {copy} are missing");
            check_end(fixture, service, last);
        }
        last = (copy, number);
    }
    check_end(fixture, service, last);
}

#[track_caller]
fn check_end(fixture: &ServiceFixture, service: &str, (copy, number): (i32, u64)) {
    // Empty when the service was killed while it wrote it.
    let written = fixture.read(&format!("sv/{service}/written.{copy}"));
    if let Ok(written) = written.trim().parse::<u64>() {
        assert!(number == written || number == written + 1, "{copy} wrote {written} lines, and {number} are there");
    }
}
