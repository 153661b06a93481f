//! Leaves parts of the C library out of a program that never uses them.
//!
//! A static program contains everything that its functions may call. With glibc, whoever starts a thread gets the resolver for
//! names of hosts, the start-up code gets the messages for failed assertions, and these and the names of errors get translations
//! and formats: about 160 kB. multilog must start under `softlimit -m 2000000`, as that of 0.76 does, and its own code needs the
//! room.

/// Defines, in a static program for x86-64, functions that the C library calls in such places. The program cannot look up names
/// of hosts, the C library has no names for errors, and if one of its assertions fails, the program is aborted without a message.
///
/// The symbols are weak: a C library that is divided in another way uses its own.
#[macro_export]
macro_rules! without_resolver {
    () => {
        #[cfg(all(target_arch = "x86_64", target_env = "gnu", target_feature = "crt-static"))]
        #[allow(unsafe_code)]
        mod without_resolver {
            // SAFETY: `__res_vinit` and `__res_iclose` get pointers that they may leave alone, and 0 means success. `dlsym`
            // may find nothing: it answers with a null pointer. `fprintf` is for statistics of the allocator, and may print
            // nothing; `sprintf` is for the path of another thread's name, and makes an empty one, in a buffer that is not
            // empty. The texts of errors are empty strings, in buffers that are not empty: `__strerror_r` returns its buffer,
            // the second argument, and `__xpg_strerror_r` 0. A text without a translation is its own: the second argument of
            // `__dcgettext`. `__assert_fail` never returns, and neither does `abort`.
            ::core::arch::global_asm!(
                ".weak __res_vinit",
                ".weak __res_iclose",
                ".weak dlsym",
                ".weak fprintf",
                "__res_vinit:",
                "__res_iclose:",
                "dlsym:",
                "fprintf:",
                "xor eax, eax",
                "ret",
                ".weak sprintf",
                "sprintf:",
                "mov byte ptr [rdi], 0",
                "xor eax, eax",
                "ret",
                ".weak __xpg_strerror_r",
                "__xpg_strerror_r:",
                "mov byte ptr [rsi], 0",
                "xor eax, eax",
                "ret",
                ".weak __strerror_r",
                "__strerror_r:",
                "mov byte ptr [rsi], 0",
                "mov rax, rsi",
                "ret",
                ".weak __dcgettext",
                "__dcgettext:",
                "mov rax, rsi",
                "ret",
                ".weak __assert_fail",
                "__assert_fail:",
                "jmp abort",
            );
        }
    };
}
