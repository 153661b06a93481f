//! A page that holds anything says nothing or a batch; none makes the reader of it stumble.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logyard::multilog::journal::{self, Entry};

fuzz_target!(|input: (u16, u8, &[u8])| {
    let (slot_bytes, telling, rest) = input;
    let _ = journal::read(rest, slot_bytes.into());
    // The same behind a beginning that is believed.
    let mut page = b"LOGYARD\x02".to_vec();
    page.extend([telling % 3, 0, 0, 0, 0, 0, 0, 0]);
    page.extend(rest);

    if let Entry::Begun(record, _) = journal::read(&page, slot_bytes.into()) {
        assert!(record.input_bytes > 0);
        assert_eq!(record.open_lines[0].goes_to.len(), record.currents.len());
    }
});
