//! A status record is 1001 bytes long whatever is seen of a line, and begins with it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logyard::multilog::script::SEEN_BYTES;
use logyard::multilog::status;

fuzz_target!(|input: (bool, Vec<u8>)| {
    let (is_stamped, mut seen) = input;
    let stamp: &[u8] = if is_stamped { b"@400000003ce2403d3677ea94 " } else { b"" };
    seen.truncate(SEEN_BYTES - stamp.len());
    let mut record = vec![1, 2, 3];

    status::set(&mut record, stamp, &seen);

    assert_eq!(record.len(), SEEN_BYTES + 1);
    let rest = record.strip_prefix(stamp).and_then(|rest| rest.strip_prefix(&*seen)).expect("the line comes first");
    assert!(rest.iter().all(|&byte| byte == b'\n') && !rest.is_empty());
});
