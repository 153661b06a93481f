//! Random scripts and inputs through 0.76's multilog and ours: both must print and write the same.
//!
//! | variable | meaning |
//! |---|---|
//! | `LOGYARD_DIFFERENTIAL_CASES` | how many cases; default: 2000 |
//! | `LOGYARD_DIFFERENTIAL_SEED` | only the case with this seed |
//!
//! Known differences, and how they are kept out: `doc/compatibility.md`.

use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::cases::{Case, Destination, Filter, Left, case};
use testkit::logdir::{Found, LogDirFiles, is_archive_name, mask_labels, put};
use testkit::logger::Multilog;
use testkit::{Workdir, assert_same_in, corpus, peer, report};

/// The default number of cases.
const CASES: u64 = 2000;
/// How many run at the same time: each waits for processes most of the time.
const WORKERS: usize = 4;

#[test]
fn random_scripts_write_the_same_files_as_with_0_76() {
    if peer("multilog").is_none() {
        return;
    }
    let logs = corpus::logs();
    let number = |name| std::env::var(name).ok().map(|text| text.parse().expect("the variable is a number"));
    let seeds: Range<u64> = match number("LOGYARD_DIFFERENTIAL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("LOGYARD_DIFFERENTIAL_CASES").unwrap_or(CASES),
    };
    let next = AtomicU64::new(seeds.start);
    let has_failed = AtomicBool::new(false);

    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let failure = FailureFlag(&has_failed);
                while !has_failed.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    compare(&case(seed, &logs));
                }
                std::mem::forget(failure);
            });
        }
    });

    let (cases, logs) = (seeds.end - seeds.start, logs.len());
    report(format_args!("compared with 0.76: {cases} random scripts, with {logs} logs among their inputs"));
}

/// Raised when a comparison fails, so that the others stop.
struct FailureFlag<'f>(&'f AtomicBool);

impl Drop for FailureFlag<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What a logger printed and wrote.
struct Outcome {
    status: ExitStatus,
    words: Vec<u8>,
    directories: Vec<(u32, LogDirFiles)>,
    statuses: Vec<Found>,
}

fn compare(case: &Case) {
    let workdir = Workdir::in_memory();

    let ours = run(case, Multilog::Ours, &workdir.join("ours"));
    let theirs = run(case, Multilog::Theirs, &workdir.join("theirs"));

    let shown = show(case);
    assert_eq!(ours.status, theirs.status, "{shown}");
    assert_same_in(&format!("standard error, {shown}"), common_words(&ours.words), common_words(&theirs.words));
    for (name, (ours, theirs)) in case.statuses.iter().zip(ours.statuses.iter().zip(&theirs.statuses)) {
        assert_eq!(ours.mode, theirs.mode, "{name}, {shown}");
        assert_same_in(&format!("{name}, {shown}"), mask_labels(&ours.bytes), mask_labels(&theirs.bytes));
    }
    let mut full = [None, None];
    for (number, destination) in case.directories.iter().enumerate() {
        let shown = format!("{}, {shown}", destination.name);
        let ((our_mode, ours), (their_mode, theirs)) = (&ours.directories[number], &theirs.directories[number]);
        assert_eq!(our_mode, their_mode, "{shown}");
        compare_names_and_modes(ours, theirs, destination, &shown);
        if destination.trimmed_to.is_none() {
            let [ours, theirs] = [ours, theirs].map(|side| destination.filter.apply(&mask_labels(&side.joined())));
            assert_same_in(&shown, ours, theirs);
        } else {
            for (side, full) in [ours, theirs].into_iter().zip(&full) {
                check_trimmed(side, full.as_deref().expect("a twin comes first"), destination, &shown);
            }
        }
        check_cuts(ours, destination, &shown);
        full = [Some(ours.joined()), Some(theirs.joined())];
    }
}

fn run(case: &Case, multilog: Multilog, directory: &Path) -> Outcome {
    std::fs::create_dir(directory).unwrap();
    for destination in &case.directories {
        leave(destination.left, &directory.join(&destination.name), destination.size_max_bytes);
    }
    for name in &case.statuses {
        if let Some(length) = case.status_before_bytes {
            put(&directory.join(name), 0o640, &vec![b'#'; length]);
        }
    }
    let mut command = multilog.command(directory, &case.script);
    let output = if let Some(piece_bytes) = case.piece_bytes {
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut pipe = child.stdin.take().expect("a pipe was asked for");
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // A logger that exits early closes its end.
                let _ = case.input.chunks(piece_bytes).try_for_each(|piece| pipe.write_all(piece));
            });
            child.wait_with_output().unwrap()
        })
    } else {
        let path = directory.with_extension("input");
        std::fs::write(&path, &case.input).unwrap();
        command.stdin(std::fs::File::open(path).unwrap()).output().unwrap()
    };
    let found = |name: &String| {
        use std::os::unix::fs::PermissionsExt;
        let path = directory.join(name);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
        (mode, path)
    };
    Outcome {
        status: output.status,
        words: output.stderr,
        directories: (case.directories.iter().map(|destination| found(&destination.name)))
            .map(|(mode, path)| (mode, LogDirFiles::read(&path)))
            .collect(),
        statuses: (case.statuses.iter().map(found))
            .map(|(mode, path)| Found { mode, links: 1, bytes: std::fs::read(path).unwrap() })
            .collect(),
    }
}

/// Makes a directory as an earlier writer may have left it.
fn leave(left: Left, directory: &Path, size_max_bytes: usize) {
    if left == Left::Nothing {
        return;
    }
    std::fs::create_dir(directory).unwrap();
    let put = |name: &str, mode: u32, text: &str| put(&directory.join(name), mode, text.as_bytes());
    put("@4000000037c219bf2ef02e94.s", 0o744, "the oldest line\n");
    put("lock", 0o600, "");
    put("state", 0o644, "state\n");
    match left {
        Left::Nothing => {}
        // Longer than its largest size now: the size was reduced.
        Left::Clean => put("current", 0o744, &"the latest line\n".repeat(1 + size_max_bytes % 7 * 100)),
        Left::Interrupted => {
            put("previous", if size_max_bytes > 5000 { 0o744 } else { 0o644 }, "previous\n");
            put("processed", 0o644, "half of wh");
            put("newstate", 0o644, "half of a st");
            put("current", 0o644, "the line that was torn");
        }
        Left::Processed => {
            put("previous", 0o744, "previous\n");
            put("processed", 0o744, "processed\n");
            put("newstate", 0o644, "new state\n");
            put("current", 0o600, "the latest line\n");
        }
        Left::Linked => {
            put("previous", 0o744, "previous\n");
            std::fs::hard_link(directory.join("previous"), directory.join("@4000000037c219bf2ef02e95.s")).unwrap();
            put("current", 0o644, "the latest line\n");
        }
    }
}

/// What both must have said: without our warnings about actions that mean nothing, and without the holder of a lock.
fn common_words(words: &[u8]) -> Vec<u8> {
    let is_common = |line: &&[u8]| !line.starts_with(b"multilog: warning: ignoring the action ");
    mask_labels(&words.split_inclusive(|&byte| byte == b'\n').filter(is_common).collect::<Vec<_>>().concat())
}

fn compare_names_and_modes(ours: &LogDirFiles, theirs: &LogDirFiles, destination: &Destination, shown: &str) {
    assert_eq!(ours.fixed_names(), theirs.fixed_names(), "{shown}");
    for name in ours.fixed_names() {
        assert_eq!(ours.file(name).mode, theirs.file(name).mode, "{name} in {shown}");
    }
    assert_eq!(ours.file("current").mode, 0o744, "{shown}");
    let unfinished = |files: &LogDirFiles| -> Vec<Found> {
        files.archives().filter(|(name, _)| name.ends_with(".u")).map(|(_, found)| found.clone()).collect()
    };
    assert_eq!(unfinished(ours), unfinished(theirs), "{shown}");
    for (name, found) in ours.archives().chain(theirs.archives()) {
        assert!(is_archive_name(name), "{name} in {shown}");
        assert!(found.mode == 0o744 || name.ends_with(".u"), "{name} has mode {:o} in {shown}", found.mode);
        assert_eq!(found.links, 1, "{name} in {shown}");
    }
    if destination.left == Left::Nothing && ours.archives().count() == 0 && theirs.archives().count() == 0 {
        assert_eq!(ours.file("state"), theirs.file("state"), "{shown}");
    }
}

/// What is left of a trimmed log is its end, and no archive more than needed has gone.
fn check_trimmed(files: &LogDirFiles, full: &[u8], destination: &Destination, shown: &str) {
    let (kept, files_max) = (files.joined(), destination.trimmed_to.expect("a trimmed directory has a number"));
    let archives = files.archives().count();

    assert!(full.ends_with(&kept), "not the end of the log: {shown}");
    assert!(archives < files_max, "{archives} archives: {shown}");
    assert!(kept.len() == full.len() || archives + 1 == files_max, "too much has gone: {shown}");
}

/// No file is larger than it may be, and each ends after a line if a line ends in its last 2000 bytes.
fn check_cuts(ours: &LogDirFiles, destination: &Destination, shown: &str) {
    let size_max = destination.size_max_bytes;
    if destination.left != Left::Nothing {
        return;
    }
    assert!(ours.file("current").bytes.len() <= size_max, "{shown}");
    for (name, Found { bytes, .. }) in ours.archives() {
        let length = bytes.len();
        // A processor may have taken bytes out; none puts any in.
        assert!(length <= size_max, "{name} has {length} bytes: {shown}");
        assert!(
            length >= size_max - 2000 || destination.filter == Filter::WithoutO,
            "{name} has {length} bytes: {shown}"
        );
        if length == size_max && bytes.last() != Some(&b'\n') {
            assert!(!bytes[size_max - 2001..].contains(&b'\n'), "{name} is cut within a line: {shown}");
        }
    }
}

fn show(case: &Case) -> String {
    let script: Vec<String> =
        (case.script.iter()).map(|argument| format!("'{}'", argument.as_encoded_bytes().escape_ascii())).collect();
    let input = &case.input[..case.input.len().min(300)];
    format!(
        "LOGYARD_DIFFERENTIAL_SEED={}: multilog {}\n{} bytes of input, in pieces of {:?}: {}…",
        case.seed,
        script.join(" "),
        case.input.len(),
        case.piece_bytes,
        input.escape_ascii()
    )
}
