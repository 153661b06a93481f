//! The group of `g=GROUP`: a number, or a name in `/etc/group`.
//!
//! Other name services are not asked: they may need the network, and a logger must start without it.

use crate::sys::accounts;

/// The longest name that is looked for.
const NAME_BYTES_MAX: usize = 64;

/// The number of a group; `None` if there is none of that name.
pub(super) fn number_of(group: &[u8]) -> Option<u32> {
    match group.first()? {
        b'0'..=b'9' => number(group),
        _ if group.len() > NAME_BYTES_MAX || group.contains(&b':') => None,
        _ => find(&accounts::local_groups().ok()??, group),
    }
}

/// Finds a group in the form of `/etc/group`: `name:password:number:members`.
fn find(lines: &[u8], name: &[u8]) -> Option<u32> {
    lines.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = line.strip_prefix(name)?.strip_prefix(b":")?.split(|&byte| byte == b':');
        fields.nth(1).and_then(number)
    })
}

/// Reads a number, but not the one that stands for "no change" in system calls.
fn number(digits: &[u8]) -> Option<u32> {
    let is_number = digits.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()?;
    (number != u32::MAX).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_its_whole_name() {
        let lines = b"root:x:0:\n# adm:x:5:\nadmin:x:6:\nadm:x:4:syslog,joe\nadm:x:7:\n";
        assert_eq!(find(lines, b"adm"), Some(4));
        assert_eq!(find(lines, b"ad"), None);
        assert_eq!(find(b"a\na:\na:x\na:x:\na:x:-1:\na:x:4294967295:\n", b"a"), None);
    }

    #[test]
    fn a_number_is_taken_as_it_is() {
        assert_eq!([&b"0"[..], b"4", b"4294967294"].map(number_of), [Some(0), Some(4), Some(4_294_967_294)]);
        for bad in [&b""[..], b"4x", b"4294967295", b"99999999999", b"no such group", b"a:b"] {
            assert_eq!(number_of(bad), None, "{bad:?}");
        }
    }
}
