//! Bytes that are read from the last to the first, a block at a time.

use std::ops::Deref;

/// Bytes that grow at their beginning. Each byte is moved only a few times, however many blocks are put before it.
#[derive(Debug, Default)]
pub(super) struct Carry {
    /// The bytes stand at its end, behind room for more.
    buffer: Vec<u8>,
    start: usize,
}

impl Deref for Carry {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer[self.start..]
    }
}

impl Carry {
    /// Puts a block before the bytes.
    pub(super) fn put_before(&mut self, mut block: Vec<u8>) {
        if self.len() <= block.len() {
            block.extend_from_slice(self);
            *self = Carry { buffer: block, start: 0 };
            return;
        }
        if self.start < block.len() {
            let start = self.len() + block.len();
            let mut buffer = vec![0; start + self.len()];
            buffer[start..].copy_from_slice(self);
            *self = Carry { buffer, start };
        }
        let start = self.start - block.len();
        self.buffer[start..self.start].copy_from_slice(&block);
        self.start = start;
    }

    /// Takes the bytes from `at` on.
    pub(super) fn split_off(&mut self, at: usize) -> Vec<u8> {
        self.buffer.split_off(self.start + at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn blocks_stand_before_those_that_were_put_there_earlier(
            steps in proptest::collection::vec((0_usize..40, any::<u8>(), proptest::option::weighted(0.2, 0_usize..100)), 0..60),
        ) {
            let (mut carry, mut expected) = (Carry::default(), Vec::new());
            for (length, byte, at) in steps {
                carry.put_before(vec![byte; length]);
                expected.splice(..0, vec![byte; length]);
                if let Some(at) = at {
                    let at = at.min(expected.len());
                    prop_assert_eq!(carry.split_off(at), expected.split_off(at));
                }
                prop_assert_eq!(&carry[..], &expected[..]);
            }
        }
    }
}
