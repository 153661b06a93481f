//! Which arguments are hosts.

use std::path::Path;

/// The bytes besides letters and digits that the name of a host may have. ssh and shells give a meaning to others.
const HOST_BYTES: &[u8] = b"._@[]:-";

/// A path on another host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// The host, perhaps with a user, as the argument has it.
    pub(crate) host: String,
    pub(crate) path: Vec<u8>,
}

impl Address {
    /// Reads an argument: `None` if it is a path on this host, and a text if it is a host that is refused.
    pub(crate) fn parse(argument: &[u8]) -> Result<Option<Address>, String> {
        let Some(colon) = argument.iter().position(|&byte| byte == b':') else { return Ok(None) };
        if argument[..colon].contains(&b'/') || is_there(argument) {
            return Ok(None);
        }
        let shown = logyard::cli::Shown(argument).to_string();
        // An IPv6 address has colons, and brackets around it.
        let end = match argument[..colon].contains(&b'[') {
            true => argument.windows(2).position(|pair| pair == b"]:").map(|bracket| bracket + 1),
            false => Some(colon),
        };
        let Some(end) = end else { return Err(format!("{shown}: no ] behind the address of the host")) };
        let (host, path) = (&argument[..end], &argument[end + 1..]);
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || HOST_BYTES.contains(byte);
        let name = host.rsplit(|&byte| byte == b'@').next().unwrap_or(host);
        if name.is_empty() || host.starts_with(b"-") || name.starts_with(b"-") || !host.iter().all(is_plain) {
            return Err(format!("{shown}: not the name of a host (a path on this host begins with ./ or /)"));
        }
        if path.is_empty() {
            return Err(format!("{shown}: no directory behind the host"));
        }
        Ok(Some(Address { host: String::from_utf8_lossy(host).into_owned(), path: path.to_vec() }))
    }

    /// The host as ssh takes it: without the brackets of an IPv6 address.
    pub(super) fn ssh_host(&self) -> String {
        self.host.replace(['[', ']'], "")
    }

    /// The argument.
    pub(crate) fn argument(&self) -> Vec<u8> {
        [self.host.as_bytes(), b":", &self.path].concat()
    }
}

fn is_there(path: &[u8]) -> bool {
    use std::os::unix::ffi::OsStrExt;
    std::fs::symlink_metadata(Path::new(std::ffi::OsStr::from_bytes(path))).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_host_stands_before_the_first_colon() {
        for (argument, host, path) in [
            (&b"web1:/service/x"[..], "web1", &b"/service/x"[..]),
            (b"web1:log/main", "web1", b"log/main"),
            (b"me@web1.example.org:/a:b", "me@web1.example.org", b"/a:b"),
            (b"[::1]:/x", "[::1]", b"/x"),
            (b"me@[fe80::1]:/x", "me@[fe80::1]", b"/x"),
            (b"web1:/with space\n'\"$(x)\xff", "web1", b"/with space\n'\"$(x)\xff"),
        ] {
            let found = Address::parse(argument);

            assert_eq!(found, Ok(Some(Address { host: host.to_owned(), path: path.to_vec() })));
        }
        let found = Address::parse(b"me@[::1]:/x").ok().flatten().expect("a host");
        assert_eq!(found.ssh_host(), "me@::1");
    }

    #[test]
    fn what_is_there_or_has_a_slash_before_the_colon_is_on_this_host() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(dir.path().join("a:b")).expect("a directory");

        for path in ["/service/x", "main", "./a:b", "/a:b", "a/b:c", dir.path().join("a:b").to_str().expect("text")] {
            assert_eq!(Address::parse(path.as_bytes()), Ok(None), "{path}");
        }
    }

    #[test]
    fn what_ssh_or_a_shell_would_understand_otherwise_is_refused() {
        for argument in [
            &b"-oProxyCommand=x:/y"[..],
            b"me@-oProxyCommand:/y",
            b"-x:/y",
            b"web 1:/y",
            b"web1;x:/y",
            b"$(x):/y",
            b"web1\n:/y",
            b"web1\xff:/y",
            b":/y",
            b"me@:/y",
            b"web1:",
            b"[::1:/y",
        ] {
            assert!(Address::parse(argument).is_err(), "{}", argument.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn a_host_is_never_an_option(argument in proptest::collection::vec(any::<u8>(), 0..20)) {
            if let Ok(Some(address)) = Address::parse(&argument) {
                prop_assert!(!address.ssh_host().starts_with('-') && !address.ssh_host().is_empty());
                prop_assert_eq!(address.argument(), argument);
            }
        }
    }
}
