//! A compiled selector agrees with the rule written down plainly, also when the line comes in two parts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logyard::multilog::script::selector::Selector;

fn naive_matches(pattern: &[u8], line: &[u8]) -> bool {
    match pattern {
        [] => line.is_empty(),
        [b'*'] => true,
        [b'*', next, ..] => match line.iter().position(|byte| byte == next) {
            None => false,
            Some(position) => naive_matches(&pattern[1..], &line[position..]),
        },
        [byte, rest @ ..] => line.first() == Some(byte) && naive_matches(rest, &line[1..]),
    }
}

fuzz_target!(|input: (&[u8], &[u8], u16)| {
    let (pattern, line, cut) = input;
    let selector = Selector::new(pattern);
    let (first, rest) = line.split_at(usize::from(cut).min(line.len()));

    let expected = naive_matches(pattern, line);

    assert_eq!(selector.matches(line), expected);
    assert_eq!(selector.finish(selector.start(first), rest), expected);
});
