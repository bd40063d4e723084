//! What a partition at S-EL0 may do with its pages, which it says while it initialises (DEN0140, 2.8 and 2.9). It has no
//! tables of its own.

use arm_ffa::FfaError;

use super::{Caller, Entry, Outcome};
use crate::abi;
use crate::memory::page::{Attributes, Ownership, PAGE_SIZE, PageRange, Space};
use crate::memory::space::{AddressSpace, NoTables, Stretch};
use crate::state::partition::Partition;

/// The most pages that FFA_MEM_PERM_GET looks at behind the first one.
const MOST_OTHERS: u64 = 511;

/// FFA_MEM_PERM_GET: x1 the first page, w2 how many more at most. What may be done with it, and how many behind it have
/// the same permissions.
pub fn get(at: &mut Entry<'_>) -> Outcome {
    let Caller::Partition(partition, _) = at.caller else { return Err(FfaError::NotSupported) };
    let (first, others) = (abi::address(at.frame, 1), abi::word(at.frame, 2));
    let (rights, others) = {
        let (spaces, _held) = partition.spaces().lock(&mut at.held);
        // One tree serves both worlds.
        let tree = spaces.of(Space::Secure);
        let found = rights_of(tree, first).ok_or(FfaError::InvalidParameters)?;
        let behind =
            (1..=u64::from(others).min(MOST_OTHERS)).map(|page| first.wrapping_add(page * PAGE_SIZE));
        (found, behind.take_while(|page| rights_of(tree, *page) == Some(found)).count())
    };
    abi::permitted(at.frame, rights, others as u32);
    Ok(at.back())
}

/// What may be done with the page that begins at this address.
fn rights_of(tree: &AddressSpace, page: u64) -> Option<Attributes> {
    let mapping = tree.walk(page).filter(|mapping| mapping.ownership.has_access())?;
    page.is_multiple_of(PAGE_SIZE).then_some(mapping.attributes - Attributes::DEVICE)
}

/// FFA_MEM_PERM_SET: x1 the first page, w2 how many, w3 what may be done with them from now on.
pub fn set(at: &mut Entry<'_>) -> Outcome {
    let Caller::Partition(partition, _) = at.caller else { return Err(FfaError::NotSupported) };
    let rights = abi::rights(at.frame).ok_or(FfaError::InvalidParameters)?;
    let (first, pages) = (abi::address(at.frame, 1), abi::word(at.frame, 2));
    let range = |space| PageRange::new(space, first, pages.into()).map_err(|_| FfaError::InvalidParameters);
    let (secure, normal) = (range(Space::Secure)?, range(Space::Normal)?);
    {
        let (mut spaces, _held) = partition.spaces().lock(&mut at.held);
        let tree = spaces.of_mut(Space::Secure);
        let found =
            [secure, normal].into_iter().find_map(|range| Some((range, tree.lookup_range(range).ok()?)));
        let (range, whole) = found.ok_or(FfaError::InvalidParameters)?;
        may_have(partition, range, whole, rights)?;
        tree.permit(range, rights, at.hw).map_err(|NoTables| FfaError::NoMemory)?;
    }
    at.done()
}

/// Whether a partition may have these rights to pages that are all alike: to the memory of its image any, to a region of
/// its manifest those that this gives.
fn may_have(
    partition: &Partition,
    range: PageRange,
    whole: Stretch,
    rights: Attributes,
) -> Result<(), FfaError> {
    if rights.contains(Attributes::EXECUTE) && whole.attributes.contains(Attributes::DEVICE) {
        return Err(FfaError::InvalidParameters);
    }
    let config = partition.config();
    let is_given = config.memory.contains(&range)
        || config.grants().any(|region| region.range.contains(&range) && region.attributes.contains(rights));
    if whole.ownership == Ownership::Owned && is_given { Ok(()) } else { Err(FfaError::Denied) }
}
