//! Random scripts and inputs, for two loggers that must write the same files.
//!
//! Whatever depends on the moment or on where files are cut is kept out of a script: with timestamps no pattern looks
//! into the digits of the stamp, processors commute with concatenation, and a directory that is trimmed stands beside a
//! twin that is not.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use logyard_corpus::Random;

/// A script, an input, and what was there before.
#[derive(Clone, Debug)]
pub struct Case {
    pub seed: u64,
    pub script: Vec<OsString>,
    pub input: Vec<u8>,
    /// The input comes through a pipe, in pieces of at most this number of bytes; from a file if `None`.
    pub piece_bytes: Option<usize>,
    pub directories: Vec<Destination>,
    pub statuses: Vec<String>,
    /// The status files are there before, this long.
    pub status_before_bytes: Option<usize>,
}

/// A log directory of a script.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Where it is below the starting directory.
    pub name: String,
    /// The size that its files keep to.
    pub size_max_bytes: usize,
    /// The number that its files keep to, where it is so low that archives go.
    pub trimmed_to: Option<usize>,
    /// What the processor does to a file.
    pub filter: Filter,
    pub left: Left,
}

/// A processor, as what it does to bytes. It is not run on current, so both logs are filtered once more when they are
/// compared: twice is as once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    Nothing,
    Capitals,
    WithoutO,
}

impl Filter {
    /// What the processor makes of a log.
    pub fn apply(self, log: &[u8]) -> Vec<u8> {
        match self {
            Filter::Nothing => log.to_vec(),
            Filter::Capitals => {
                log.iter().map(|&byte| if (b'a'..=b'm').contains(&byte) { byte - 32 } else { byte }).collect()
            }
            Filter::WithoutO => log.iter().copied().filter(|&byte| byte != b'o').collect(),
        }
    }
}

/// What an earlier writer left in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// There is no directory.
    Nothing,
    /// A writer that exited cleanly.
    Clean,
    /// A writer that was killed before or while processing.
    Interrupted,
    /// A writer that was killed after processing.
    Processed,
    /// A writer that was killed when the file had both names.
    Linked,
}

/// A number above that of all files that any case makes.
const FILES_PLENTY: usize = 2000;

/// Lengths at which something changes: alerts at 200, what selectors see at 974 and 1000, where files end at 2000.
const LENGTHS: [usize; 26] = [
    0, 0, 1, 2, 12, 25, 26, 60, 60, 80, 120, 173, 174, 175, 199, 200, 201, 511, 973, 974, 975, 999, 1000, 1001, 2000,
    2100,
];

/// The case that belongs to a seed. The first seeds take the given logs whole, one each.
pub fn case(seed: u64, logs: &[(String, Vec<u8>)]) -> Case {
    let mut random = Random::new(seed);
    let whole = usize::try_from(seed).ok().and_then(|number| logs.get(number));
    let input = match whole {
        Some((_, log)) => log.clone(),
        None => input(&mut random, logs),
    };
    let mut case = Case {
        seed,
        script: vec![],
        piece_bytes: random.percent(40).then(|| *random.pick(&[7, 100, 1000, 1024, 4096, 65536])),
        input,
        directories: vec![],
        statuses: vec![],
        status_before_bytes: random.percent(20).then(|| random.within(0..=2000)),
    };
    if case.input.len() > 20_000 {
        case.piece_bytes = case.piece_bytes.map(|bytes| bytes.max(1000));
    }
    write_script(&mut random, &mut case);
    case
}

fn input(random: &mut Random, logs: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut input = Vec::new();
    match random.below(10) {
        0 => {}
        1..=3 => {
            let (_, log) = random.pick(logs);
            let start = random.below(log.len());
            let end = log.len().min(start + random.below(60_000));
            input.extend_from_slice(&log[start..end]);
        }
        4..=5 => {
            // Near the sizes at which files end.
            let goal = *random.pick(&[2096, 4096, 4097, 5000, 8192]) - 3 + random.below(6);
            while input.len() < goal {
                let length = (*random.pick(&LENGTHS)).min(goal - input.len());
                line(random, length, &mut input);
            }
            if random.percent(70) {
                // Then a line that does not fit, or just.
                let length = random.within(1990..=2100);
                line(random, length, &mut input);
                line(random, 3, &mut input);
            }
        }
        _ => {
            let most = *random.pick(&[5, 30, 120, 120]);
            for _ in 0..random.within(1..=most) {
                let length = match random.below(20) {
                    0 => random.within(2000..=9000),
                    1..=6 => random.below(120),
                    _ => *random.pick(&LENGTHS),
                };
                line(random, length, &mut input);
            }
        }
    }
    if random.percent(30) {
        while input.last() == Some(&b'\n') {
            input.pop();
        }
    }
    input
}

/// Appends a line of the length: words, few different bytes, all bytes, or many NULs.
fn line(random: &mut Random, length: usize, input: &mut Vec<u8>) {
    let start = input.len();
    let kind = random.below(5);
    while input.len() - start < length {
        match kind {
            0 | 1 => input.extend_from_slice(
                random.pick(&["fatal: ", "ok ", "user=7 ", "named[33]: ", "@foo ", "*", "delivery "]).as_bytes(),
            ),
            2 => input.push(*random.pick(b"ab* ")),
            3 => input.push(u8::try_from(random.below(256)).expect("below 256 is a byte")),
            _ => input.push(if random.percent(50) { 0 } else { b'z' }),
        }
    }
    input.truncate(start + length);
    for byte in &mut input[start..] {
        if *byte == b'\n' {
            *byte = b'n';
        }
    }
    input.push(b'\n');
}

fn write_script(random: &mut Random, case: &mut Case) {
    let stamps = random.percent(50);
    if stamps {
        push(case, *random.pick(&["t", "t", "t", "timestamps"]));
    }
    let mut settings = Settings { size_max_bytes: 99_999, filter: None };
    if random.percent(15) {
        // The default number is too small for most inputs.
        push(case, format!("n{FILES_PLENTY}"));
        write_size(random, case, &mut settings);
        write_processor(random, case, &mut settings);
        write_twins(random, case, settings);
    }
    push(case, format!("n{FILES_PLENTY}"));
    for _ in 0..random.within(1..=9) {
        match random.below(18) {
            0..=2 => {
                let pattern = pattern(random, &case.input, stamps);
                push(case, [b"-".to_vec(), pattern].concat());
            }
            3..=5 => {
                let pattern = pattern(random, &case.input, stamps);
                push(case, [b"+".to_vec(), pattern].concat());
            }
            6..=7 => push(case, *random.pick(&["e", "e", "everything"])),
            8..=9 => {
                let name = format!("status{}", case.statuses.len());
                push(case, format!("={name}"));
                case.statuses.push(name);
            }
            10..=11 => write_size(random, case, &mut settings),
            12 => push(case, *random.pick(&["main", "x", "", "T", "\u{1b}[0m"])),
            13 => write_processor(random, case, &mut settings),
            _ => write_directory(random, case, settings),
        }
    }
    if case.directories.is_empty() || random.percent(40) {
        write_directory(random, case, settings);
    }
}

/// What is in force for the directories that follow.
#[derive(Clone, Copy)]
struct Settings {
    size_max_bytes: usize,
    filter: Option<Filter>,
}

impl Settings {
    /// A processor is a process for each file: not for very many files.
    fn allow_processor(self, case: &Case) -> bool {
        case.input.len() / self.size_max_bytes < 8
    }
}

fn push(case: &mut Case, argument: impl Into<Vec<u8>>) {
    case.script.push(OsString::from_vec(argument.into()));
}

fn write_size(random: &mut Random, case: &mut Case, settings: &mut Settings) {
    let size = *random.pick(&[0, 1, 4095, 4096, 4096, 4097, 5000, 8192, 30_000, 99_999, 16_777_215]);
    push(case, if size == 0 { "s".to_owned() } else { format!("s{size}") });
    settings.size_max_bytes = size.max(4096);
}

fn write_processor(random: &mut Random, case: &mut Case, settings: &mut Settings) {
    let (filter, command) = *random.pick(&[
        (Filter::Nothing, "!cat"),
        (Filter::Nothing, "!cat; echo kept >&5"),
        (Filter::Nothing, "!cat <&4 >&5; cat"),
        (Filter::Capitals, "!tr a-m A-M"),
        (Filter::WithoutO, "!tr -d o"),
    ]);
    if settings.allow_processor(case) {
        push(case, command);
        settings.filter = Some(filter);
    }
}

fn write_directory(random: &mut Random, case: &mut Case, settings: Settings) {
    if settings.filter.is_some() && !settings.allow_processor(case) {
        return;
    }
    let name = format!("d{}", case.directories.len());
    let before = *random.pick(&["./", "./", "././", "/proc/self/cwd/"]);
    push(case, format!("{before}{name}"));
    let left = match random.below(12) {
        0 => Left::Clean,
        1 => Left::Interrupted,
        2 => Left::Processed,
        3 => Left::Linked,
        _ => Left::Nothing,
    };
    case.directories.push(destination(name, settings, None, left));
}

/// Two directories that get the same: one keeps all files, of the other the oldest go.
fn write_twins(random: &mut Random, case: &mut Case, settings: Settings) {
    for trimmed_to in [None, Some(random.within(0..=5))] {
        if let Some(number) = trimmed_to {
            push(case, format!("n{number}"));
        }
        let name = format!("d{}", case.directories.len());
        push(case, format!("./{name}"));
        case.directories.push(destination(name, settings, trimmed_to.map(|number| number.max(2)), Left::Nothing));
    }
}

fn destination(name: String, settings: Settings, trimmed_to: Option<usize>, left: Left) -> Destination {
    let Settings { size_max_bytes, filter } = settings;
    Destination { name, size_max_bytes, trimmed_to, filter: filter.unwrap_or(Filter::Nothing), left }
}

/// A pattern that has something to do with the input.
fn pattern(random: &mut Random, input: &[u8], stamps: bool) -> Vec<u8> {
    if random.percent(25) {
        return random
            .pick(&["*", "*", "**", "", "x*", "*:*", "@*", "*zz*", "*o*", "*f*l"][..if stamps { 8 } else { 10 }])
            .as_bytes()
            .to_vec();
    }
    let lines: Vec<&[u8]> = input.split(|&byte| byte == b'\n').collect();
    let seen = random.pick(&lines);
    let mut pattern = seen[..seen.len().min(if stamps { 974 } else { 1000 })].to_vec();
    if random.percent(70) {
        let start = random.below(pattern.len() + 1);
        let end = random.within(start..=pattern.len());
        pattern.splice(start..end, *b"*");
    }
    if random.percent(50) {
        pattern.truncate(random.below(pattern.len() + 1));
        pattern.push(b'*');
    }
    if let Some(nul) = pattern.iter().position(|&byte| byte == 0) {
        pattern.truncate(nul);
        pattern.push(b'*');
    }
    if stamps {
        // The first space is the one that ends the stamp.
        pattern.splice(0..0, *b"@* ");
    }
    pattern
}
