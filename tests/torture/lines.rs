//! Numbered lines of mixed lengths. The number of a line determines every byte of it.

use std::sync::OnceLock;

/// The longest line's body: longer than what a look into a pipe shows, and than half of a grown pipe.
const LONGEST_BYTES: usize = 600_000;
/// Class letter, ten digits and a blank.
const HEAD_BYTES: usize = 12;

/// What stands between head and end: no newline, and no two places alike.
fn filler() -> &'static [u8] {
    static FILLER: OnceLock<Vec<u8>> = OnceLock::new();
    FILLER.get_or_init(|| {
        let mut state = 1;
        (0..LONGEST_BYTES + 1024)
            .map(|_| {
                state = scramble(state);
                b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ _"[(state % 64) as usize]
            })
            .collect()
    })
}

/// A number that looks random.
pub fn scramble(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// How long the lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lengths {
    /// From a few bytes to more than half of any pipe.
    Mixed,
    /// From a few bytes to 900, as peers can take them.
    Ordinary,
    /// From 700 bytes to 1500.
    Kilobyte,
}

/// The class of a line, which selectors look at: `a`, `b` or `c`.
pub fn class(number: u64) -> u8 {
    b"abc"[(scramble(number) >> 40) as usize % 3]
}

fn filler_bytes(number: u64, lengths: Lengths) -> usize {
    let random = scramble(number);
    let within = |from: usize, to: usize| from + (random >> 20) as usize % (to - from);
    match (random % 10_000, lengths) {
        (_, Lengths::Kilobyte) => within(700, 1500),
        (0..3_000, _) => within(0, 12),
        (3_000..9_000, _) => within(30, 80),
        (9_990..9_998, Lengths::Mixed) => within(34_000, 70_000),
        (9_998.., Lengths::Mixed) => within(140_000, LONGEST_BYTES),
        (9_900.., Lengths::Mixed) => within(4_100, 6_000),
        _ => within(300, 900),
    }
}

/// Appends a line with its newline.
pub fn push(number: u64, lengths: Lengths, output: &mut Vec<u8>) {
    output.push(class(number));
    let mut digits = *b"0000000000 ";
    let mut rest = number;
    for digit in digits[..10].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    output.extend_from_slice(&digits);
    let from = (number % 1000) as usize;
    output.extend_from_slice(&filler()[from..from + filler_bytes(number, lengths)]);
    output.extend_from_slice(b"E\n");
}

/// The number of a line, if it is one of ours, whole and unchanged. The newline is not part of `line`.
pub fn recognise(line: &[u8], lengths: Lengths) -> Option<u64> {
    let head = line.get(..HEAD_BYTES)?;
    let number = std::str::from_utf8(&head[1..11]).ok()?.parse().ok()?;
    let from = (number % 1000) as usize;
    let middle = &filler()[from..from + filler_bytes(number, lengths)];
    let is_whole = head[0] == class(number)
        && head[11] == b' '
        && line.len() == HEAD_BYTES + middle.len() + 1
        && &line[HEAD_BYTES..line.len() - 1] == middle
        && line.ends_with(b"E");
    is_whole.then_some(number)
}

#[test]
fn only_a_whole_line_is_recognised() {
    for lengths in [Lengths::Mixed, Lengths::Ordinary, Lengths::Kilobyte] {
        for number in (0..20_000).chain([9_999_999_999]) {
            let mut line = Vec::new();
            push(number, lengths, &mut line);
            line.pop();

            assert_eq!(recognise(&line, lengths), Some(number));
            assert_eq!(recognise(&line[1..], lengths), None);
            assert_eq!(recognise(&line[..line.len() - 1], lengths), None);
        }
    }
}
