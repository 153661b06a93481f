//! Whatever a journal's file holds, reading it yields nothing or a batch, and never fails in another way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logyard::multilog::journal::layout::{self, Contents};

fuzz_target!(|input: (u8, &[u8])| {
    let (telling, rest) = input;
    let _ = layout::read(rest);
    // The same behind a beginning that is believed.
    let mut page = b"LOGYARD\x06".to_vec();
    page.extend([telling % 3, 0, 0, 0, 0, 0, 0, 0]);
    page.extend(rest);

    if let Some(Contents { heading, record, .. }) = layout::read(&page) {
        assert_eq!(record.open_lines[0].goes_to.len(), record.extents.len());
        assert_eq!(heading.rules.directory_count(), record.extents.len());
    }
});
