//! Where a descriptor is: in the caller's TX buffer, or in pages of its own that it names.

use arm_ffa::FfaError;

use super::super::Entry;
use super::Owner;
use crate::abi;
use crate::abi::sharing::{Descriptor, HEADER_SIZE};
use crate::hardware::{AccessFault, Hardware};
use crate::memory::page::{Attributes, Pa, PageRange};

/// A descriptor, or a fragment of one, in pages that do not go away meanwhile. Each byte is read once.
#[derive(Clone, Copy)]
pub struct Source {
    base: Pa,
    /// How many bytes there are.
    pub length: u32,
}

impl Source {
    /// The first `length` bytes of a buffer.
    fn new(buffer: PageRange, length: u32) -> Result<Self, FfaError> {
        let fits = u64::from(length) <= buffer.bytes();
        fits.then_some(Self { base: buffer.base(), length }).ok_or(FfaError::InvalidParameters)
    }

    /// `size` bytes at `at`, and zeroes behind them.
    pub fn read<const N: usize>(
        &self,
        hw: &mut dyn Hardware,
        at: u32,
        size: usize,
    ) -> Result<[u8; N], FfaError> {
        let mut bytes = [0; N];
        let part = bytes.get_mut(..size).ok_or(FfaError::InvalidParameters)?;
        self.read_into(hw, at, part)?;
        Ok(bytes)
    }

    /// The bytes from `at` on.
    #[inline]
    pub fn read_into(&self, hw: &mut dyn Hardware, at: u32, bytes: &mut [u8]) -> Result<(), FfaError> {
        let end = at.checked_add(bytes.len() as u32).filter(|end| *end <= self.length);
        end.ok_or(FfaError::InvalidParameters)?;
        let from = Pa { address: self.base.address + u64::from(at), ..self.base };
        hw.read(from, bytes).map_err(|AccessFault| FfaError::Aborted)
    }

    /// What the descriptor's own part says in this version.
    pub fn descriptor(&self, hw: &mut dyn Hardware, version: u32) -> Result<Descriptor, FfaError> {
        Descriptor::parse(&self.header(hw)?, version).ok_or(FfaError::InvalidParameters)
    }

    /// As many bytes as that may have.
    pub fn header(&self, hw: &mut dyn Hardware) -> Result<[u8; HEADER_SIZE], FfaError> {
        self.read(hw, 0, (self.length as usize).min(HEADER_SIZE))
    }
}

/// w1 and w2: bytes of the whole descriptor, and of what is in the buffer.
pub fn lengths(at: &Entry<'_>) -> Result<(u32, u32), FfaError> {
    let (total, here) = (abi::word(at.frame, 1), abi::word(at.frame, 2));
    if here == 0 || here > total { Err(FfaError::InvalidParameters) } else { Ok((total, here)) }
}

/// Has `work` done with the first `here` bytes of what the call's registers name: TX, or w4 pages at x3, in which a
/// descriptor must lie as a whole.
pub fn with_descriptor<R, E: From<FfaError>>(
    at: &mut Entry<'_>,
    (total, here): (u32, u32),
    work: impl FnOnce(&mut Entry<'_>, Source) -> Result<R, E>,
) -> Result<R, E> {
    let (address, pages) = (abi::address(at.frame, 3), abi::word(at.frame, 4));
    match (address, pages) {
        (0, 0) => with_tx(at, here, work),
        _ if total != here => Err(FfaError::InvalidParameters.into()),
        _ => with_pages(at, (address, pages.into()), here, work),
    }
}

/// Claims the caller's TX buffer for `work`.
pub fn with_tx<R, E: From<FfaError>>(
    at: &mut Entry<'_>,
    length: u32,
    work: impl FnOnce(&mut Entry<'_>, Source) -> Result<R, E>,
) -> Result<R, E> {
    let receiver = super::super::Party::caller(at).receiver();
    let tx = receiver.lock(&mut at.held).0.mailbox.claim_tx().map_err(FfaError::from)?;
    let done = Source::new(tx, length).map_err(E::from).and_then(|source| work(at, source));
    receiver.lock(&mut at.held).0.mailbox.settle_tx();
    done
}

/// Claims pages of the caller's own for `work`: as those of a buffer they are in no transaction meanwhile.
fn with_pages<R, E: From<FfaError>>(
    at: &mut Entry<'_>,
    (address, pages): (u64, u64),
    length: u32,
    work: impl FnOnce(&mut Entry<'_>, Source) -> Result<R, E>,
) -> Result<R, E> {
    let (mut job, held) = at.apart();
    let owner = Owner::caller(job.caller);
    let space = owner.space_of(held, address);
    let range = PageRange::new(space, address, pages).map_err(|_| FfaError::InvalidParameters)?;
    let source = Source::new(range, length)?;
    owner.pages(&mut job, held, |own, tlb| own.pin(range, Attributes::READ, tlb)).map_err(FfaError::from)?;
    let done = work(at, source);
    let (mut job, held) = at.apart();
    owner.pages(&mut job, held, |own, tlb| own.restore(range, tlb));
    done
}
