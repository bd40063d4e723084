//! A set of numbers: partitions, or PEs.

/// Numbers of one byte: there are no more partitions and no more PEs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Set([u64; 4]);

impl Set {
    /// The one without numbers.
    pub const EMPTY: Self = Self([0; 4]);

    /// Adds a number.
    pub const fn insert(&mut self, number: u8) {
        self.0[number as usize / 64] |= 1 << (number % 64);
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        let [a, b, c, d] = self.0;
        a | b | c | d == 0
    }
}

impl Iterator for Set {
    type Item = u8;

    /// Takes the least number out.
    fn next(&mut self) -> Option<u8> {
        let (word, bits) = (0_u8..).zip(&mut self.0).find(|(_, bits)| **bits != 0)?;
        let bit = bits.trailing_zeros() as u8;
        *bits &= *bits - 1;
        Some(word * 64 + bit)
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn a_set_gives_each_number_once() {
        let mut set = Set::EMPTY;
        assert!(set.is_empty());
        for number in [255, 0, 64, 63, 0, 200] {
            set.insert(number);
        }
        assert!(!set.is_empty());
        assert_eq!(set.by_ref().collect::<Vec<_>>(), [0, 63, 64, 200, 255]);
        assert!(set.is_empty());
    }
}
