//! Each message, option, action and exit code in the sources is in the manual page of its command.
//!
//! The sources are read as text: every string with more than one word in it is taken for a message, or a part of one,
//! unless it explains why something cannot fail. A new message has to be written into the page.

use std::path::{Path, PathBuf};

use logyard::setup::pages::PAGES;

use testkit::report;

/// The sources whose messages each command prints. A directory stands for all that is in it.
const SOURCES: [(&str, &[&str]); 21] = [
    ("multilog.8", &["multilog"]),
    ("tai64n.8", &["filters/tai64n.rs"]),
    ("tai64nlocal.8", &["filters/tai64nlocal.rs", "tai64n/zone.rs"]),
    ("setuidgid.8", &["chain/setuidgid.rs", "chain/account.rs", "chain/next.rs"]),
    ("envuidgid.8", &["chain/envuidgid.rs", "chain/account.rs", "chain/next.rs"]),
    ("envdir.8", &["chain/envdir.rs", "chain/next.rs"]),
    ("softlimit.8", &["chain/softlimit.rs", "chain/next.rs"]),
    ("setlock.8", &["chain/setlock.rs", "chain/next.rs"]),
    ("fghack.8", &["chain/fghack.rs", "chain/next.rs"]),
    ("pgrphack.8", &["chain/pgrphack.rs", "chain/next.rs"]),
    ("readproctitle.8", &["chain/readproctitle.rs"]),
    (
        "svscan.8",
        &[
            "supervise/svscan.rs",
            "supervise/announcement.rs",
            "supervise/svscan",
            "supervise/reexec.rs",
            "supervise/handed_state.rs",
            "supervise/service.rs",
            "supervise/service",
            "supervise/limits.rs",
            "supervise/logpipe.rs",
            "supervise/supervisor_process.rs",
        ],
    ),
    ("svscanboot.8", &["supervise/svscanboot.rs"]),
    (
        "supervise.8",
        &[
            "supervise/supervise.rs",
            "supervise/supervise",
            "supervise/reexec.rs",
            "supervise/handed_state.rs",
            "supervise/options.rs",
            "supervise/error.rs",
            "supervise/files.rs",
        ],
    ),
    ("svc.8", &["supervise/svc.rs", "supervise/commands.rs"]),
    ("svok.8", &["supervise/svok.rs"]),
    (
        "svstat.8",
        &[
            "supervise/svstat.rs",
            "supervise/svstat",
            "supervise/logger.rs",
            "supervise/snapshot.rs",
            "supervise/report.rs",
            "supervise/pair.rs",
        ],
    ),
    ("svwait.8", &["supervise/svwait.rs"]),
    ("splogger.8", &["splogger"]),
    ("logyard-setup.8", &["setup"]),
    ("logdir.5", &["logdir"]),
];

/// Texts that are no messages, by their beginnings.
const NO_MESSAGES: [&str; 4] = [
    // What a program hands to its successor, and what it answers.
    "logyard state, ",
    "state accepted",
    // The form of a metrics file.
    "# HELP ",
    // Files, and what starts svscan without a boot.
    "{script} ",
];

/// Source files below src that print no message, or messages of several commands.
const ELSEWHERE: [&str; 9] =
    ["bin", "cli", "filters", "lib.rs", "lines", "sys", "chain/mod.rs", "supervise/mod.rs", "tai64n"];

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path)
}

/// The sources below a file or directory, their tests left out.
fn texts(path: &Path) -> Vec<(PathBuf, String)> {
    if path.is_dir() {
        let mut entries: Vec<_> = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        // Modules that exist for tests alone.
        let guide = std::fs::read_to_string(path.join("mod.rs")).unwrap_or_default();
        entries.retain(|entry| {
            let name = entry.file_stem().unwrap().to_string_lossy();
            !["", "pub ", "pub(super) ", "pub(crate) "]
                .iter()
                .any(|visibility| guide.contains(&format!("#[cfg(test)]\n{visibility}mod {name};")))
        });
        return entries.iter().flat_map(|entry| texts(entry)).collect();
    }
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let code: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    vec![(path.to_owned(), code.join("\n"))]
}

/// The string literals of some code, each with what stands before it on its line and the one before.
fn literals(code: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = code;
    let mut before = String::new();
    while let Some(at) = rest.find(['"', '\'']) {
        before.push_str(&rest[..at]);
        if rest[at..].starts_with('\'') {
            // A character, or a lifetime.
            let end = match rest[at + 1..].find('\'') {
                Some(length @ 1..=4) if length == 1 || rest[at + 1..].starts_with('\\') => at + length + 2,
                _ => at + 1,
            };
            rest = &rest[end..];
            continue;
        }
        let mut text = String::new();
        let mut characters = rest[at + 1..].char_indices();
        let mut end = rest.len();
        while let Some((position, character)) = characters.next() {
            match character {
                '"' => {
                    end = at + 1 + position + 1;
                    break;
                }
                '\\' => match characters.next() {
                    // The line goes on without its indentation.
                    Some((_, '\n')) => {
                        let skipped = characters.as_str().len() - characters.as_str().trim_start().len();
                        for _ in 0..skipped {
                            characters.next();
                        }
                    }
                    Some((_, 'n' | 't' | '0')) => text.push('\n'),
                    Some((_, other)) => text.push(other),
                    None => {}
                },
                other => text.push(other),
            }
        }
        found.push((before.trim_end().to_owned(), text));
        before.clear();
        rest = &rest[end..];
    }
    found
}

/// What stands literally in a message, in order; nothing if it is none.
fn fragments(literal: &str) -> Vec<String> {
    let mut fragments = vec![String::new()];
    let mut depth = 0;
    for character in literal.chars() {
        match character {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                fragments.push(String::new());
            }
            '\n' => fragments.push(String::new()),
            other if depth == 0 => fragments.last_mut().unwrap().push(other),
            _ => {}
        }
    }
    let words = |text: &str| text.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic)).count();
    if words(&fragments.join(" ")) < 2 {
        return vec![];
    }
    fragments.retain(|fragment| fragment.chars().any(char::is_alphabetic));
    fragments.iter().map(|fragment| fragment.trim().trim_start_matches(',').to_owned()).collect()
}

/// The lines of a page, as they are read.
fn page(name: &str) -> Vec<String> {
    let text = PAGES.iter().find(|(page, _)| *page == name).unwrap_or_else(|| panic!("there is a page {name}")).1;
    let plain = |line: &str| {
        let mut line = line.replace("\\fB", "").replace("\\fI", "").replace("\\fP", "").replace("\\&", "");
        for (escape, character) in [("\\-", "-"), ("\\(aq", "'"), ("\\(ti", "~"), ("\\(ha", "^"), ("\\e", "\\")] {
            line = line.replace(escape, character);
        }
        line
    };
    text.lines().map(plain).collect()
}

fn has(page: &[String], fragments: &[String]) -> bool {
    page.iter().any(|line| {
        let mut rest = line.as_str();
        fragments.iter().all(|fragment| match rest.find(fragment.as_str()) {
            Some(at) => {
                rest = &rest[at + fragment.len()..];
                true
            }
            None => false,
        })
    })
}

fn messages(code: &str) -> Vec<Vec<String>> {
    // What stands in an assertion explains the code to its readers.
    let reasons = ["expect(", "assert!(", "assert_eq!(", "panic!(", "unreachable!("];
    let is_reason = |before: &str| {
        let statement = before.rsplit(';').next().unwrap_or_default();
        reasons.iter().any(|call| statement.contains(call))
    };
    let no_message = |text: &str| NO_MESSAGES.iter().any(|beginning| text.starts_with(beginning));
    let texts = literals(code).into_iter().filter(|(before, text)| !is_reason(before) && !no_message(text));
    texts.map(|(_, text)| fragments(&text)).filter(|fragments| !fragments.is_empty()).collect()
}

#[test]
fn every_message_is_in_the_manual_page() {
    let mut missing = Vec::new();
    let mut count = 0;
    for (name, paths) in SOURCES {
        let lines = page(name);
        for (path, code) in paths.iter().flat_map(|path| texts(&source(path))) {
            if path.ends_with("setup/pages.rs") {
                continue;
            }
            for fragments in messages(&code) {
                count += 1;
                if !has(&lines, &fragments) {
                    missing.push(format!("{name} lacks, of {}: {}", path.display(), fragments.join(" … ")));
                }
            }
        }
    }

    missing.dedup();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(count > 150, "only {count} messages were found: the sources are read wrongly");
    report(format_args!("{count} messages stand in the manual pages"));
}

#[test]
fn every_source_file_with_messages_belongs_to_a_command() {
    for (path, code) in texts(&source("")) {
        let below = path.strip_prefix(source("")).unwrap();
        let is_mapped =
            SOURCES.iter().flat_map(|(_, paths)| paths.iter()).chain(&ELSEWHERE).any(|one| below.starts_with(one));
        assert!(
            is_mapped || messages(&code).is_empty(),
            "{} has messages and belongs to no command: add it to SOURCES",
            below.display()
        );
    }
}

#[test]
fn every_option_and_action_is_in_the_manual_page() {
    let mut wanted: Vec<(&str, String)> = Vec::new();
    let letters = |name: &'static str, letters: &str| -> Vec<(&str, String)> {
        letters.chars().filter(|&letter| letter != ':').map(|letter| (name, format!("-{letter}"))).collect()
    };
    for (name, paths) in SOURCES {
        for (_, code) in paths.iter().flat_map(|path| texts(&source(path))) {
            let mut rest = code.as_str();
            while let Some(at) = ["Options::new(arguments, b\"", "OPTIONS: &[u8] = b\"", "LETTERS: &[u8] = b\""]
                .iter()
                .filter_map(|start| rest.find(start).map(|at| at + start.len()))
                .min()
            {
                let end = rest[at..].find('"').unwrap();
                wanted.extend(letters(name, &rest[at..at + end]));
                rest = &rest[at + end..];
            }
            wanted.extend(
                literals(&code)
                    .into_iter()
                    .filter(|(_, text)| text.starts_with("--") && text.len() > 2)
                    .map(|(_, text)| (name, text)),
            );
        }
    }
    assert!(wanted.contains(&("svwait.8", "-t".to_owned())), "options are found: {wanted:?}");
    assert!(wanted.contains(&("logyard-setup.8", "--dry-run".to_owned())), "long ones too: {wanted:?}");
    // multilog's actions, by the first character of each argument.
    let scripts = texts(&source("multilog/script"));
    let (_, parsed) = scripts.iter().find_map(|(_, code)| code.split_once("pub fn parse_marking(arguments")).unwrap();
    let parsed = parsed.split("\n    }\n").next().unwrap();
    let mut actions: Vec<char> = Vec::new();
    for piece in parsed.split("b'").skip(1) {
        actions.extend(piece.chars().next().filter(|_| piece[1..].starts_with('\'')));
    }
    for known in ['+', '-', 'e', '=', 's', 'n', '!', '.', '/'] {
        assert!(actions.contains(&known), "the actions are found: {actions:?}");
    }

    for (name, option) in wanted {
        let is_there = page(name).iter().any(|line| line.split([' ', ',', '|', '[', ']']).any(|word| word == option));
        assert!(is_there, "{name} lacks the option {option}");
    }
    let lines = page("multilog.8");
    let terms: Vec<&String> =
        lines.iter().zip(lines.iter().skip(1)).filter(|(line, _)| *line == ".TP").map(|(_, term)| term).collect();
    for action in actions.into_iter().chain(['t']) {
        assert!(terms.iter().any(|term| term.starts_with(action)), "multilog.8 lacks the action {action}");
    }
}

#[test]
fn every_exit_code_is_in_the_manual_page() {
    for (name, paths) in SOURCES.into_iter().filter(|(name, _)| name.ends_with(".8")) {
        let lines = page(name);
        let from = lines.iter().position(|line| line == ".SH EXIT STATUS").unwrap();
        let status = lines[from..].join(" ");
        for (_, code) in paths.iter().flat_map(|path| texts(&source(path))) {
            // envdir's wrong call is the exception, which its page names.
            let code = if name == "envdir.8" { code.replace(".usage(", "") } else { code };
            for (call, exit) in
                [("Exit::USAGE", "100"), (".usage(", "100"), ("Exit::TROUBLE", "111"), (".fatal(", "111")]
            {
                assert!(!code.contains(call) || status.contains(exit), "{name} does not say when it exits {exit}");
            }
        }
    }
}
