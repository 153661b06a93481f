//! Prints nanoseconds.

/// Writes nine digits, two at a time, because this is done for every line. `nanoseconds` is less than a second.
pub fn put_nanoseconds(place: &mut [u8; 9], nanoseconds: u32) {
    const PAIRS: [[u8; 2]; 100] = {
        let mut pairs = [[0; 2]; 100];
        let mut i = 0;
        while i < 100 {
            pairs[i] = [b'0' + (i / 10) as u8, b'0' + (i % 10) as u8];
            i += 1;
        }
        pairs
    };
    let mut rest = nanoseconds;
    for pair in place[1..].as_chunks_mut::<2>().0.iter_mut().rev() {
        *pair = PAIRS[(rest % 100) as usize];
        rest /= 100;
    }
    place[0] = b'0' + (rest % 10) as u8;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nanoseconds_are_nine_digits(nanoseconds in 0..1_000_000_000_u32) {
            let mut digits = [0; 9];
            put_nanoseconds(&mut digits, nanoseconds);
            prop_assert_eq!(digits.to_vec(), format!("{nanoseconds:09}").into_bytes());
        }
    }
}
