//! Imports run downwards: from the programs to the formats, and from these to the system; and no files import each other in
//! a circle. `doc/architecture.md` names the layers.

#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The layers of the crate `logyard`, the lowest first. Folders of one layer do not import each other.
const LAYERS: [&[&str]; 5] = [
    &["sys"],
    &["cli"],
    &["tai64n"],
    &["lines", "logdir"],
    &["chain", "filters", "multilog", "setup", "splogger", "supervise"],
];

/// The files that print: each is a program, or a part of one. All others return errors or use the `Messages` that a program gives
/// them. The layers `sys` and `cli` are the printer itself.
const PRINTERS: [&str; 25] = [
    "src/chain",
    "src/cli",
    "src/filters/tai64nlocal",
    // At HUP standard output may become a place for lines, in the name of the program.
    "src/multilog/engine/reloading",
    "src/multilog/name",
    "src/multilog/program",
    "src/multilog/regex_program",
    // A child that cannot become a processor says so itself.
    "src/multilog/writer/directory",
    "src/setup/program",
    "src/splogger/program",
    "src/supervise/supervise",
    "src/supervise/svc",
    "src/supervise/svok",
    "src/supervise/svscan",
    "src/supervise/svscanboot",
    "src/supervise/svstat",
    "src/supervise/svwait",
    "src/sys",
    "crates/logbench/src/program",
    "crates/logpack/src/program",
    "crates/logship/src/report",
    "crates/socklog/src/program",
    "crates/socklog/src/ucspi",
    "crates/svtop/src/program",
    "crates/readlog/src/program",
];

/// Words of code that prints.
const PRINTING: [&str; 10] = [
    "Program(\"",
    "PROGRAM",
    "dbg!",
    "eprint!",
    "eprintln!",
    "fd::stderr",
    "io::stderr",
    "message::say",
    "print!",
    "println!",
];

/// The source files of a crate by their modules: `["sys", "fd"]` is `sys/fd.rs`.
fn modules(source: &Path) -> BTreeMap<Vec<String>, String> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![source.to_owned()]);
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(source).unwrap().with_extension("");
                let mut module: Vec<String> = name.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
                module.pop_if(|last| ["lib", "main", "mod"].contains(&last.as_str()));
                let text = fs::read_to_string(path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
                found.insert(module, code.collect::<Vec<_>>().join("\n"));
            }
        }
    }
    found
}

/// Every path that begins with `crate::` in some code, with the words in braces written out.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        // The words read so far, and how many of them stand before each brace that is open.
        let (mut path, mut braces, mut word) = (Vec::new(), Vec::new(), String::new());
        for letter in code[at..].chars() {
            match letter {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => word.push(letter),
                ':' if !word.is_empty() => path.push(std::mem::take(&mut word)),
                ':' => {}
                '{' if code[at..].contains("::{") => braces.push(path.len()),
                _ if braces.is_empty() => break,
                ',' | '}' => {
                    found.push(path.iter().cloned().chain([std::mem::take(&mut word)]).collect());
                    path.truncate(*braces.last().unwrap());
                    if letter == '}' && braces.pop().is_some() && braces.is_empty() {
                        break;
                    }
                }
                _ => {}
            }
        }
        found.push(path.into_iter().chain([word]).collect());
    }
    found
}

/// Which modules each module imports.
fn imports(modules: &BTreeMap<Vec<String>, String>) -> BTreeMap<&Vec<String>, BTreeSet<&Vec<String>>> {
    let imported = |path: &Vec<String>| (1..path.len()).rev().find_map(|end| modules.get_key_value(&path[1..=end]));
    let of = |code| paths(code).iter().filter_map(imported).map(|(module, _)| module).collect::<BTreeSet<_>>();
    modules
        .iter()
        .map(|(module, code)| (module, of(code).into_iter().filter(|other| *other != module).collect()))
        .collect()
}

fn sources() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates = ["readlog", "logpack", "logbench", "logship", "socklog", "svtop", "corpus"]
        .map(|name| format!("crates/{name}/src"));
    std::iter::once("src".to_owned()).chain(crates).map(|source| root.join(source)).collect()
}

#[test]
fn no_import_runs_upwards() {
    let layer = |folder: &str| LAYERS.iter().position(|layer| layer.contains(&folder));
    let modules = modules(&sources()[0]);
    for (module, imported) in
        imports(&modules).into_iter().filter(|(module, _)| !module.is_empty() && module[0] != "bin")
    {
        let from = layer(&module[0]).unwrap_or_else(|| panic!("{module:?} is in no layer"));
        for other in imported.into_iter().filter(|other| other.first() != module.first()) {
            let to = layer(&other[0]).unwrap();
            assert!(to < from, "{} must not import {}", module.join("::"), other.join("::"));
        }
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    for source in sources() {
        let modules = modules(&source);
        let mut left = imports(&modules);
        assert!(left.len() > 2, "{} is read", source.display());
        // Whatever imports nothing that is left can go; a circle stays.
        while let Some(module) = left.iter().find(|(_, imported)| imported.is_empty()).map(|(module, _)| *module) {
            left.remove(module);
            left.values_mut().for_each(|imported| imported.retain(|other| *other != module));
        }
        assert!(left.is_empty(), "a circle in {}: {left:#?}", source.display());
    }
}

/// Tells whether `word` is in some code, and is not the end of a longer word.
fn has_word(code: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    code.match_indices(word).any(|(at, _)| !code[..at].ends_with(is_part))
}

#[test]
fn library_parts_do_not_print() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut unused: BTreeSet<&str> = PRINTERS.into();
    for source in sources() {
        let folder = source.strip_prefix(root).unwrap().to_str().unwrap();
        for (module, code) in modules(&source) {
            let file = format!("{folder}/{}", module.join("/"));
            let Some(word) = PRINTING.iter().find(|word| has_word(&code, word)) else { continue };
            let printer = PRINTERS.iter().find(|printer| {
                file.strip_prefix(**printer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            });
            let printer = printer.unwrap_or_else(|| panic!("{file} must not print: it contains {word}"));
            unused.remove(printer);
        }
    }
    assert!(unused.is_empty(), "these do not print: {unused:?}");
}
