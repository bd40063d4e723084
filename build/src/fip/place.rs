//! What TF-A and the SPMC would only find out at boot: whether everything fits where it is put.

use std::ops::Range;

use anyhow::{Result, ensure};

use crate::platform::Description;

/// Something that takes a range of secure memory.
#[derive(Clone, Debug)]
pub struct Place {
    /// What a message says of it: the file and the property that put it there.
    pub what: String,
    /// Its addresses.
    pub range: Range<u64>,
}

/// Checks that every place lies in the platform's secure memory and overlaps no other.
///
/// # Errors
/// If not; the message names both.
pub fn disjoint(description: &Description, places: &[Place]) -> Result<()> {
    let (start, end) = description.secure_memory;
    for (index, place) in places.iter().enumerate() {
        let Range { start: first, end: last } = place.range;
        ensure!(first % 0x1000 == 0, "{}: {first:#x} is not the start of a page", place.what);
        ensure!(
            first >= start && last <= end && first < last,
            "{}: {first:#x}..{last:#x} does not lie in the secure memory {start:#x}..{end:#x}",
            place.what
        );
        for other in &places[..index] {
            ensure!(
                other.range.end <= first || last <= other.range.start,
                "{}: {first:#x}..{last:#x} overlaps {:#x}..{:#x} of {}",
                place.what,
                other.range.start,
                other.range.end,
                other.what
            );
        }
    }
    Ok(())
}

/// Checks a size against a limit.
///
/// # Errors
/// If it is larger.
pub fn fits(what: &str, size: u64, limit: u64) -> Result<()> {
    ensure!(size <= limit, "{what}: {size} bytes, but at most {limit} fit");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;
    use crate::platform::Platform;

    fn check(ranges: &[Range<u64>]) -> Result<()> {
        let place =
            |(index, range): (usize, &Range<u64>)| Place { what: format!("{index}"), range: range.clone() };
        let places: Vec<_> = ranges.iter().enumerate().map(place).collect();
        disjoint(Platform::QemuVirt.description(), &places)
    }

    #[test]
    fn places_that_touch_do_not_overlap() {
        check(&[0xe20_0000..0xe24_0000, 0xe24_0000..0xe28_0000, 0xe10_0000..0xe20_0000]).unwrap();
        let error = check(&[0xe20_0000..0xe24_1000, 0xe24_0000..0xe28_0000]).unwrap_err();
        assert_eq!(error.to_string(), "1: 0xe240000..0xe280000 overlaps 0xe200000..0xe241000 of 0");
    }

    #[test]
    fn a_place_outside_of_secure_memory_is_refused() {
        let outside = [0xe00_0000..0xe20_0000, 0xef0_0000..0xf00_1000, 0x4000_0000..0x4000_1000];
        for range in outside {
            assert!(check(slice::from_ref(&range)).is_err(), "{range:x?}");
        }
        check(&[0xef0_0000..0xf00_0000, 0xe10_0000..0xe10_1000]).unwrap();
    }

    #[test]
    fn a_place_starts_with_a_page_and_has_a_size() {
        let wrong = [0xe20_0800..0xe20_1000, 0xe20_1000..0xe20_1000];
        for range in wrong {
            assert!(check(slice::from_ref(&range)).is_err(), "{range:x?}");
        }
    }

    #[test]
    fn a_size_up_to_the_limit_fits() {
        assert!(fits("x", 4096, 4096).is_ok());
        assert!(fits("x", 4097, 4096).is_err());
    }
}
