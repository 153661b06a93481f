//! The log does not depend on how the input is cut into reads: reader and batch beside a naive logger that has the whole input.

use std::collections::VecDeque;
use std::ffi::CString;

use logyard::lines::reader::{Reader, Source, Taken};
use logyard::logdir::room::Room;
use logyard::multilog::batch::Batch;
use logyard::multilog::script::automaton::COMPILER;
use logyard::multilog::script::expression::use_compiler;
use logyard::multilog::script::pattern::Pattern;
use logyard::multilog::script::{Action, Script};
use logyard::sys::Result;
use logyard::sys::clock::UnixTime;
use logyard::tai64n::{Label, StampForm};
use logyard_corpus::{Corpus, Random, Shape};
use proptest::prelude::*;
use regex::bytes::RegexBuilder;

/// What a script makes of an input.
#[derive(Debug, Default, PartialEq, Eq)]
struct Output {
    alerts: Vec<u8>,
    statuses: Vec<Vec<u8>>,
    /// Of each directory, its files one after the other.
    logs: Vec<Vec<u8>>,
}

/// An input that comes in pieces of its own choosing.
struct Pieces {
    left: VecDeque<u8>,
    random: Random,
    piece_bytes_max: usize,
    /// Taken and not yet given up.
    kept_bytes: usize,
}

impl Source for Pieces {
    fn take(&mut self, held: &[u8], room: &mut [u8]) -> Result<Option<Taken>> {
        assert_eq!(held.len(), self.kept_bytes, "what is held is what was taken and not given up");
        assert!(!room.is_empty(), "nothing can be taken into no room");
        if self.left.is_empty() {
            return Ok(Some(Taken::End));
        }
        let piece = self.random.within(1..=self.piece_bytes_max).min(room.len()).min(self.left.len());
        for (place, byte) in room.iter_mut().zip(self.left.drain(..piece)) {
            *place = byte;
        }
        self.kept_bytes += piece;
        Ok(Some(Taken::Bytes(piece)))
    }

    fn consume(&mut self, logged: &[u8], _last: &mut [u8]) -> Result<bool> {
        assert!(logged.len() <= self.kept_bytes, "what was never taken is given up");
        self.kept_bytes -= logged.len();
        Ok(true)
    }
}

/// A file of a log directory, and those before it.
struct Files {
    size_max_bytes: u64,
    full: Vec<Vec<u8>>,
    current: Vec<u8>,
}

impl Files {
    fn room(&self) -> Room {
        Room { filled_bytes: self.current.len() as u64, size_max_bytes: self.size_max_bytes }
    }

    fn append(&mut self, bytes: &[u8]) {
        assert!(bytes.len() as u64 <= self.room().left_bytes(), "a file grows beyond its largest size");
        self.current.extend_from_slice(bytes);
    }

    fn rotate(&mut self) {
        self.full.push(std::mem::take(&mut self.current));
    }

    /// Each file ends after a line if a line ends in its last 2000 bytes, and is full otherwise.
    fn check(&self) {
        let size_max = usize::try_from(self.size_max_bytes).unwrap();
        for file in &self.full {
            let is_cut = file.last() != Some(&b'\n');
            assert!(file.len() >= size_max - 2000, "a file of {} bytes", file.len());
            assert!(!is_cut || file.len() == size_max, "a file of {} bytes ends within a line", file.len());
            assert!(!is_cut || !file[size_max - 2001..].contains(&b'\n'), "a file could have ended after a line");
        }
    }
}

/// Where each read ended in the input.
struct Reads(Vec<usize>);

impl Reads {
    /// The beginning of a line whose first byte is at `offset`: its time is that of the read that brought this byte.
    fn head(&self, script: &Script, offset: usize) -> Vec<u8> {
        let read = self.0.partition_point(|&end| end <= offset);
        let label = moment(read);
        let utc = jiff::Timestamp::new(label.unix_seconds(), 5).unwrap().to_string();
        let time = match script.head.stamp {
            None => String::new(),
            Some(StampForm::Label) => format!("{label} "),
            Some(StampForm::Local) => utc.replace('T', " ").replace('Z', "  "),
            Some(StampForm::LocalWithOffset) => utc.replace('Z', "+00:00 "),
            Some(StampForm::Utc) => utc + " ",
            Some(StampForm::Epoch) => format!("{}.000000005 ", label.unix_seconds()),
        };
        [time.as_bytes(), &script.head.prefix].concat()
    }
}

/// The moment of a read; each is another.
fn moment(read: usize) -> Label {
    Label::from(UnixTime { seconds: 1_000_000_000 + i64::try_from(read).unwrap(), nanoseconds: 5 })
}

/// Logs with the engine's own parts and a buffer of `buffer_bytes`, and says where the reads ended.
fn log_in_pieces(
    script: &Script,
    input: &[u8],
    seed: u64,
    piece_bytes_max: usize,
    buffer_bytes: usize,
) -> (Output, Reads) {
    let mut source =
        Pieces { left: input.iter().copied().collect(), random: Random::new(seed), piece_bytes_max, kept_bytes: 0 };
    let mut reader = Reader::with_capacity(buffer_bytes);
    let mut batch = Batch::new(script);
    let mut files: Vec<Files> = (script.directories.iter())
        .map(|directory| Files { size_max_bytes: directory.size_max_bytes, full: vec![], current: vec![] })
        .collect();
    let mut output = Output { statuses: vec![vec![]; script.statuses.len()], ..Output::default() };
    let mut reads = Reads(vec![]);
    loop {
        let taken_before = reads.0.last().copied().unwrap_or(0);
        let taken = reader.fill(&mut source, || moment(reads.0.len())).unwrap();
        match taken {
            Taken::Bytes(bytes) => reads.0.push(taken_before + bytes),
            Taken::End => reader.end_line(),
        }
        while let Some(window) = reader.window() {
            batch.plan(
                window,
                &script.head.heads(&script.head.arrivals(reader.labels(), None)),
                files.iter().map(Files::room),
            );
            output.alerts.extend_from_slice(batch.alerts());
            for (number, status) in output.statuses.iter_mut().enumerate() {
                if let Some(record) = batch.status(number) {
                    *status = record.to_vec();
                }
            }
            let used_up: Vec<bool> = (0..files.len())
                .map(|number| {
                    files[number].append(batch.output(number, window));
                    batch.uses_up(number, window)
                })
                .collect();
            assert!(batch.input_bytes() > 0 || used_up.contains(&true), "a turn without progress");
            batch.commit(window.bytes);
            reader.mark_written(batch.input_bytes());
            reader.consume_written(&mut source, &mut [0]).unwrap();
            for (files, _) in files.iter_mut().zip(used_up).filter(|(_, is_used_up)| *is_used_up) {
                files.rotate();
            }
        }
        if taken == Taken::End {
            break;
        }
    }
    assert_eq!(source.kept_bytes, 0, "everything that was written has been given up");
    files.iter().for_each(Files::check);
    output.logs = files.into_iter().map(|files| [files.full.concat(), files.current].concat()).collect();
    (output, reads)
}

fn matches(pattern: &Pattern, seen: &[u8], text: &[u8]) -> bool {
    match pattern {
        Pattern::Star(selector) => selector.matches(seen),
        Pattern::Expression(expression) => {
            let expression = RegexBuilder::new(expression.text()).unicode(false).build().unwrap();
            let line = text.strip_suffix(b"\n").unwrap_or(text);
            expression.is_match(&line[..line.len().min(1000)])
        }
    }
}

/// The plain twin: line by line, action by action, as multilog's manual tells it.
fn log_plainly(script: &Script, input: &[u8], reads: &Reads) -> Output {
    let mut output = Output {
        alerts: vec![],
        statuses: vec![vec![]; script.statuses.len()],
        logs: vec![vec![]; script.directories.len()],
    };
    let mut offset = 0;
    for text in input.split_inclusive(|&byte| byte == b'\n') {
        let head = reads.head(script, offset);
        offset += text.len();
        let line = [&head, text.strip_suffix(b"\n").unwrap_or(text)].concat();
        let seen = &line[..line.len().min(1000)];
        let mut is_selected = true;
        for action in &script.actions {
            match action {
                Action::Deselect(pattern) if is_selected => is_selected = !matches(pattern, seen, text),
                Action::Select(pattern) if !is_selected => is_selected = matches(pattern, seen, text),
                Action::Alert if is_selected && line.len() > 200 => {
                    output.alerts.extend([&line[..200], b"...\n"].concat());
                }
                Action::Alert if is_selected => output.alerts.extend([&line[..], b"\n"].concat()),
                Action::Status(number) if is_selected => {
                    output.statuses[*number] = [seen, &b"\n".repeat(1001 - seen.len())].concat();
                }
                Action::Log(number) if is_selected => output.logs[*number].extend([&line[..], b"\n"].concat()),
                _ => {}
            }
        }
    }
    output
}

fn script(actions: &[&str]) -> Script {
    // Scripts borrow the command line, which lives as long as the process.
    let arguments: Vec<&'static std::ffi::CStr> = actions
        .iter()
        .map(|action| &*Box::leak(CString::new(*action).expect("no action holds a NUL").into_boxed_c_str()))
        .collect();
    use_compiler(COMPILER);
    Script::parse(&arguments)
}

fn input() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![
        6 => 0..100_usize,
        2 => prop::sample::select(vec![173, 174, 175, 199, 200, 201, 973, 974, 975, 999, 1000, 1001, 2000]),
        1 => 1900..9000_usize,
    ];
    let line = (length, prop::sample::select(&b"ab\0\xff"[..])).prop_map(|(length, byte)| {
        let mut line = vec![byte; length];
        line.iter_mut().step_by(7).for_each(|place| *place = b'.');
        line.push(b'\n');
        line
    });
    (prop::collection::vec(line, 0..60), any::<bool>()).prop_map(|(lines, is_cut)| {
        let mut input = lines.concat();
        if is_cut {
            input.pop();
        }
        input
    })
}

/// Scripts by their actions.
fn actions(choices: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    const HEADS: &[&[&str]] =
        &[&[], &["t"], &["t"], &["p=a. "], &["t", "p=b"], &["T"], &["T@local", "p=."], &["T@utc"], &["T@epoch"]];
    let heads = prop::sample::select(HEADS);
    (heads, prop::collection::vec(prop::sample::select(choices), 1..8)).prop_map(|(head, mut actions)| {
        actions.splice(0..0, head.iter().copied());
        actions.push("./last");
        actions
    })
}

#[test]
fn a_window_larger_than_a_batch_is_logged_in_several_batches() {
    let input = Corpus::new(Shape::Short, 1, 600_000).into_bytes();
    for actions in [
        &["t", "s16777215", "./all"][..],
        &["T@local", "p=a: ", "s16777215", "./all"],
        &["t", "s16777215", "-*retry*", "./some", "+*", "./all", "./too"],
    ] {
        let script = script(actions);

        let (output, reads) = log_in_pieces(&script, &input, 1, usize::MAX, 256 * 1024);

        assert!(output == log_plainly(&script, &input, &reads), "{actions:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn the_log_does_not_depend_on_how_the_input_is_cut_into_reads(
        actions in actions(&["e", "=status", "-*", "+*a*", "-.b*", "+@*.a*", "-*.", "r-a.*b$", "r+^\\.?[^b]", "r+\\.aa[a.]", "r+(aa|\\.bb)\\.", "r+aaa$", "s4096", "s5000", "s20000", "./a", "./b"]),
        input in input(),
        seed in any::<u64>(),
        piece_bytes_max in prop::sample::select(vec![1, 2, 30, 500, 1100, 10_000]),
        buffer_bytes in prop::sample::select(vec![1000, 1001, 1100, 2000, 4096, 30_000]),
    ) {
        let script = script(&actions);

        let (output, reads) = log_in_pieces(&script, &input, seed, piece_bytes_max, buffer_bytes);

        prop_assert_eq!(output, log_plainly(&script, &input, &reads));
    }

    #[test]
    fn a_buffer_of_any_size_logs_lines_of_any_length(
        actions in actions(&["s4096", "s5000", "s20000", "./a", "./b"]),
        input in input(),
        seed in any::<u64>(),
        buffer_bytes in 1..300_usize,
    ) {
        let script = script(&actions);

        let (output, reads) = log_in_pieces(&script, &input, seed, 400, buffer_bytes);

        prop_assert_eq!(output, log_plainly(&script, &input, &reads));
    }
}
