//! The inner parts of multilog, each beside its naive twin: what one would write first.
//!
//! ```text
//! cargo bench --bench parts
//! cargo bench --bench parts -- stamping
//! ```

#![allow(missing_docs, clippy::unwrap_used)] // Criterion's macros make functions; a part that fails is not measured.

use std::ffi::{CStr, CString};
use std::fmt::Write as _;
use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use logyard::cli::Messages;
use logyard::lines::prefix::{Output, rewrite_lines, rewrite_lines_plainly};
use logyard::lines::window::Stamps;
use logyard::logdir::destination::{Destination, RotationTimes};
use logyard::logdir::limits::Limits;
use logyard::logdir::restraint::Restraint;
use logyard::multilog::error::Error;
use logyard::multilog::patience::Patience;
use logyard::multilog::script::Script;
use logyard::multilog::script::matcher::Matcher;
use logyard::multilog::script::selector::Selector;
use logyard::multilog::writer::locked_directory::LockedDirectory;
use logyard::sys::poll;
use logyard::tai64n::{Label, Stamp};
use logyard_corpus::{Corpus, Shape};
use memchr::memchr_iter;
use tempfile::TempDir;

/// As much as a large pipe holds.
const INPUT_BYTES: u64 = 1024 * 1024;
/// A size at which a rotation is most of the work.
const FILE_BYTES: usize = 4096;
/// How many files are kept.
const FILES: u64 = 10;

fn input() -> Vec<u8> {
    Corpus::new(Shape::Qmail, 1, INPUT_BYTES).into_bytes()
}

fn line_scan(criterion: &mut Criterion) {
    let input = input();
    let mut group = criterion.benchmark_group("line scan");
    group.throughput(Throughput::Bytes(INPUT_BYTES));
    group.bench_function("memchr", |bencher| {
        bencher.iter(|| memchr_iter(b'\n', black_box(&input)).fold(0, |sum, newline| sum ^ newline));
    });
    group.bench_function("naive", |bencher| {
        let is_newline = |&(_, &byte): &(usize, &u8)| byte == b'\n';
        bencher.iter(|| black_box(&input).iter().enumerate().filter(is_newline).fold(0, |sum, (at, _)| sum ^ at));
    });
}

fn stamping(criterion: &mut Criterion) {
    let input = input();
    let stamp = Stamp::from(Label::now());
    let stamps = Stamps { first: stamp, rest: stamp };
    let mut output = Output::default();
    let mut group = criterion.benchmark_group("stamping");
    group.throughput(Throughput::Bytes(INPUT_BYTES));
    group.bench_function("blocks", |bencher| {
        bencher.iter(|| {
            output.clear();
            rewrite_lines(black_box(&input), &mut &stamps, usize::MAX, &mut output)
        });
    });
    group.bench_function("line by line", |bencher| {
        bencher.iter(|| {
            output.clear();
            rewrite_lines_plainly(black_box(&input), &mut &stamps, usize::MAX, &mut output)
        });
    });
    let mut stamped = Vec::new();
    group.bench_function("naive", |bencher| {
        bencher.iter(|| {
            stamped.clear();
            for line in black_box(&input).split_inclusive(|&byte| byte == b'\n') {
                stamped.extend_from_slice(stamp.as_bytes());
                stamped.extend_from_slice(line);
            }
            stamped.len()
        });
    });
}

/// 0.76's rules, byte by byte.
fn matches_naively(pattern: &[u8], line: &[u8]) -> bool {
    let Some((&first, rest)) = pattern.split_first() else { return line.is_empty() };
    if first != b'*' {
        return line.first() == Some(&first) && matches_naively(rest, &line[1..]);
    }
    let Some(next) = rest.first() else { return true };
    line.iter().position(|byte| byte == next).is_some_and(|at| matches_naively(rest, &line[at..]))
}

fn selectors(criterion: &mut Criterion) {
    let input = input();
    let lines: Vec<&[u8]> = input.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
    for count in [1, 5, 20, 200] {
        let patterns: Vec<String> = (0..count).map(|number| format!("*delivery *: failure{number}: *")).collect();
        let compiled: Vec<Selector> = patterns.iter().map(|pattern| Selector::new(pattern.as_bytes())).collect();
        let mut group = criterion.benchmark_group(format!("selectors, {count}"));
        group.throughput(Throughput::Bytes(INPUT_BYTES)).sample_size(20);
        let actions = patterns.iter().map(|pattern| format!("-{pattern}")).chain(["./main".to_owned()]);
        let arguments: Vec<&CStr> =
            actions.map(|action| &*Box::leak(CString::new(action).unwrap().into_boxed_c_str())).collect();
        let mut matcher = Matcher::new(&Script::parse(&arguments));
        group.bench_function("all in one pass", |bencher| {
            bencher.iter(|| black_box(&lines).iter().fold(0, |sum, line| sum + matcher.match_line(line)));
        });
        group.bench_function("one after the other", |bencher| {
            let is_selected = |line: &&&[u8]| compiled.iter().any(|pattern| pattern.matches(line));
            bencher.iter(|| black_box(&lines).iter().filter(is_selected).count());
        });
        group.bench_function("naive", |bencher| {
            let is_selected = |line: &&&[u8]| patterns.iter().any(|pattern| matches_naively(pattern.as_bytes(), line));
            bencher.iter(|| black_box(&lines).iter().filter(is_selected).count());
        });
    }
}

/// Gives up: in a bench nothing goes wrong.
struct Impatience;

impl Patience for Impatience {
    fn pause(&mut self, trouble: Error) -> Result<(), Error> {
        Err(trouble)
    }

    fn complain(&mut self, trouble: &Error) {
        panic!("{trouble}");
    }

    fn messages(&self) -> Messages {
        Messages::DROPPED
    }
}

fn rotation(criterion: &mut Criterion) {
    let in_memory = TempDir::with_prefix_in("logyard-bench-", "/dev/shm").or_else(|_| TempDir::new()).unwrap();
    let mut line = vec![b'.'; FILE_BYTES - 1];
    line.push(b'\n');
    let mut group = criterion.benchmark_group("rotation");
    group.sample_size(20).measurement_time(Duration::from_secs(3));

    let path = CString::new(in_memory.path().join("main").into_os_string().into_encoded_bytes()).unwrap();
    let destination = Destination {
        path: Box::leak(path.into_boxed_c_str()),
        size_max_bytes: FILE_BYTES as u64,
        limits: Limits::of_number(FILES),
        rotation: RotationTimes::default(),
        restraint: Restraint::default(),
        processor: None,
        group: None,
        sync_interval: None,
    };
    let mut log = LockedDirectory::new(&destination).unwrap().open(false, &mut Impatience).unwrap();
    group.bench_function("log directory", |bencher| {
        bencher.iter(|| {
            assert_eq!(log.append(&line).unwrap(), line.len());
            log.rotate(&mut Impatience).unwrap();
            // A thread brings the archive to the disk and removes the oldest.
            while let Some(done) = log.under_way() {
                poll::readable([done.done], None).unwrap();
            }
        });
    });
    log.seal(&mut Impatience).unwrap();

    // The same files; but nothing is on the disk when it is named, and a crash leaves anything.
    let directory = in_memory.path().join("naive");
    std::fs::create_dir(&directory).unwrap();
    let current = directory.join("current");
    let archive = |number: u64| directory.join(format!("@{number:024x}.s"));
    let mut number = 0;
    group.bench_function("naive", |bencher| {
        bencher.iter(|| {
            File::create(&current).unwrap().write_all(&line).unwrap();
            number += 1;
            std::fs::rename(&current, archive(number)).unwrap();
            if number >= FILES {
                std::fs::remove_file(archive(number + 1 - FILES)).unwrap();
            }
        });
    });
}

fn labels(criterion: &mut Criterion) {
    let label = Label::now();
    let text = label.to_text();
    let mut group = criterion.benchmark_group("label");
    group.bench_function("parse", |bencher| bencher.iter(|| Label::parse(black_box(&text)).unwrap()));
    group.bench_function("parse, naive", |bencher| {
        bencher.iter(|| {
            let digits = std::str::from_utf8(&black_box(&text)[1..]).unwrap();
            let seconds = u64::from_str_radix(&digits[..16], 16).unwrap();
            (seconds, u32::from_str_radix(&digits[16..], 16).unwrap())
        });
    });
    group.bench_function("format", |bencher| bencher.iter(|| black_box(label).to_text()));
    let mut formatted = String::new();
    group.bench_function("format, naive", |bencher| {
        bencher.iter(|| {
            formatted.clear();
            let (seconds, nanoseconds) = (label.unix_seconds(), label.nanoseconds());
            write!(formatted, "@{:016x}{:08x}", black_box(seconds) + (1 << 62) + 10, black_box(nanoseconds)).unwrap();
            formatted.len()
        });
    });
}

criterion_group!(parts, line_scan, stamping, selectors, rotation, labels);
criterion_main!(parts);
