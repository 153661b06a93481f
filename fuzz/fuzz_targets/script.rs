//! No arguments confuse the script: what it names is there, and its numbers are within their bounds.
#![no_main]

use std::ffi::{CStr, CString};

use libfuzzer_sys::fuzz_target;
use logyard::multilog::script::automaton::COMPILER;
use logyard::multilog::script::expression::use_compiler;
use logyard::multilog::script::{Action, Script};

fuzz_target!(|input: &[u8]| {
    let words: Vec<CString> =
        input.split(|&byte| byte == 0).map(|word| CString::new(word).expect("it was split at NULs")).collect();
    let leaked: Vec<&'static CStr> = words.into_iter().map(|word| &*Box::leak(word.into_boxed_c_str())).collect();

    use_compiler(COMPILER);
    let script = Script::parse(&leaked);

    for action in &script.actions {
        match action {
            Action::Status(file) => assert!(*file < script.statuses.len()),
            Action::Log(directory) => assert!(*directory < script.directories.len()),
            Action::Copy(copy) => assert!(*copy < script.copies.len()),
            Action::Select(_) | Action::Deselect(_) | Action::Alert => {}
        }
    }
    for directory in &script.directories {
        assert!(directory.size_max_bytes >= 4096 && directory.limits.files_max >= 2);
        assert!(directory.path.to_bytes().starts_with(b".") || directory.path.to_bytes().starts_with(b"/"));
    }
    drop(script);
    for word in leaked {
        // SAFETY: leaked above, and the script that borrowed it is gone.
        drop(unsafe { Box::from_raw(std::ptr::from_ref(word).cast_mut()) });
    }
});
