//! The id of this boot of the system.

/// A number that this boot of this machine has and no other; 0 where the system does not say.
#[must_use]
pub fn id() -> u128 {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    u128::from_str_radix(&digits, 16).unwrap_or(0)
}
