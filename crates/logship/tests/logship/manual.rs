//! Every option and every kind of metric is documented.

use crate::Fixture;

const PAGE: &str = include_str!("../../../../doc/man/logship.1");

#[test]
fn every_option_is_in_the_manual_page() {
    let fixture = Fixture::new();
    let page = PAGE.replace('\\', "");
    let commands = ["ship", "verify", "ls", "get", "compact"].map(|name| vec![name, "--help"]);
    for command in std::iter::once(vec!["--help"]).chain(commands) {
        let help = String::from_utf8(fixture.run(&command).stdout).unwrap();
        let words = help.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-'));
        let options: Vec<&str> = words.filter(|word| word.starts_with("--") && word.len() > 2).collect();
        assert!(!options.is_empty(), "{command:?} prints {help}");
        for option in options.into_iter().filter(|option| !["--help", "--version"].contains(option)) {
            assert!(page.contains(option), "{option} of {command:?} is not in the page");
        }
    }
}

#[test]
fn messages_are_in_the_manual_page() {
    // The page breaks no line within these.
    let page = PAGE.replace("\\fI", "").replace("\\fP", "").replace('\\', "");
    for words in [
        "unable to use store",
        "under other names: it is shipped as host",
        "have the same names: host",
        "was removed before it was shipped",
        "compressed and damaged",
        "the store creates an object that is there already: it would not be exactly once",
        "was moved or removed",
        "the store is away",
        "the store refuses",
        "the store is back after",
        "is not in the store",
        "unable to write a temporary file",
        "unable to compact",
        "into itself: name another prefix",
        "is damaged",
        "is there with other lines",
    ] {
        assert!(page.contains(words), "{words}");
    }
}
