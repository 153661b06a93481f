//! A label that is read is written as it was; the next one is greater; what is no label is refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logyard::tai64n::Label;

fuzz_target!(|text: &[u8]| {
    let Ok(label) = Label::parse(text) else { return };

    assert!(label.to_text().eq_ignore_ascii_case(text));
    assert_eq!(Label::from_bytes(label.to_bytes()), Ok(label));
    if let Some(next) = label.next() {
        assert!(next > label && next.to_text() > label.to_text());
    }
});
