//! Leaves parts of the C library out of a program that never uses them.
//!
//! A static program contains everything that its functions may call. With glibc, whoever starts a thread gets the resolver for
//! names of hosts, and the start-up code gets the translation of messages for failed assertions: about 100 kB. multilog must
//! start under `softlimit -m 2000000`, as that of 0.76 does, and its own code needs the room.

/// Defines, in a static program for x86-64, what the C library calls to set the resolver up and to report a failed assertion.
/// Such a program cannot look up names of hosts. If an assertion of the C library fails, it is aborted without a message.
///
/// The symbols are weak: a C library that is divided in another way uses its own.
#[macro_export]
macro_rules! without_resolver {
    () => {
        #[cfg(all(target_arch = "x86_64", target_env = "gnu", target_feature = "crt-static"))]
        #[allow(unsafe_code)]
        mod without_resolver {
            // SAFETY: `__res_vinit` and `__res_iclose` get pointers that they may leave alone, and 0 means success.
            // `__assert_fail` never returns, and neither does `abort`.
            ::core::arch::global_asm!(
                ".weak __res_vinit",
                ".weak __res_iclose",
                ".weak __assert_fail",
                "__res_vinit:",
                "__res_iclose:",
                "xor eax, eax",
                "ret",
                "__assert_fail:",
                "jmp abort",
            );
        }
    };
}
