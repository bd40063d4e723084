//! What is said of a memory transaction: sound descriptors of which bytes are changed, or any bytes, and where and with
//! which lengths they are.

use manager::hardware::Memory;
use manager::memory::page::Pa;
use scenarios::sharing::{RO, RW, Region, relinquishing};
use scenarios::{ECHO, ECHO_MEMORY, NORMAL_MEMORY, Pe, Place, Plan, RELAY, RELAY_MEMORY, VERSIONS, id, pair};

/// Memory of the Normal world, of `echo` and of `relay`.
const PLACES: [u64; 3] = [NORMAL_MEMORY + 0x10_0000, ECHO_MEMORY + 0x3_0000, RELAY_MEMORY + 0x3_0000];
/// How many pages of each are looked at.
const EACH: u64 = 16;
/// The most bytes of a descriptor, or of a fragment.
const MOST: usize = 4096;
/// The most fragments of a descriptor.
const MOST_FRAGMENTS: usize = 12;

/// Bytes at the start of an input that say how the others are meant.
pub const HEAD: usize = 8;

/// How an input is meant.
#[derive(Clone, Copy)]
pub struct How {
    version: usize,
    /// Whether `echo` sends, and not the Normal world.
    is_partition: bool,
    /// Share, lend, donate, by number.
    kind: u8,
    /// Whether there are two receivers.
    is_to_two: bool,
    /// Whether the bytes are those of the input.
    is_raw: bool,
    /// Whether the descriptor lies in pages of its own.
    is_apart: bool,
    /// What w1 and w2 say instead of the lengths, if they say anything else.
    lengths: [Option<u64>; 2],
    /// Whether what is sent is then asked for as the input says, and not given as it has to be.
    is_request: bool,
}

impl How {
    /// How the first bytes say.
    #[must_use]
    pub fn decode([how, which, total_low, total_high, here_low, here_high, ..]: [u8; HEAD]) -> Self {
        let length = |low, high| u64::from(u16::from_le_bytes([low, high]));
        let wrong = |bit: u8, value| (which & bit != 0).then_some(value);
        Self {
            version: usize::from(how % 4) % VERSIONS.len(),
            is_partition: how & 4 != 0,
            kind: (how >> 3) % 4 % 3,
            is_to_two: how & 0x20 != 0,
            is_request: how & 0x40 != 0,
            is_raw: how & 0x80 != 0,
            is_apart: which & 1 != 0,
            lengths: [wrong(2, length(total_low, total_high)), wrong(4, length(here_low, here_high))],
        }
    }

    /// Which of the machines it is for.
    #[must_use]
    pub const fn version(&self) -> usize {
        self.version
    }

    /// FFA_MEM_SHARE, FFA_MEM_LEND or FFA_MEM_DONATE.
    fn function(&self) -> u64 {
        [id::MEM_SHARE, id::MEM_LEND, id::MEM_DONATE][usize::from(self.kind)]
    }

    fn sender(&self) -> u64 {
        if self.is_partition { ECHO } else { 0 }
    }

    fn receiver(&self) -> u64 {
        if self.is_partition { RELAY } else { ECHO }
    }

    /// A descriptor that is right.
    fn sound(&self) -> Region {
        let memory = PLACES[usize::from(self.is_partition)];
        let permissions = if self.function() == id::MEM_DONATE { 0 } else { RW };
        let ranges = [(memory, 2), (memory + 0x4000, 1)];
        let mut region = Region::new(self.sender(), self.receiver(), permissions, &ranges);
        region.version = VERSIONS[self.version];
        let is_to_two = self.is_to_two && self.function() != id::MEM_DONATE;
        if is_to_two {
            region.receivers.push((if self.is_partition { 5 } else { RELAY }, RO, [0; 2]));
        }
        if is_to_two || self.function() == id::MEM_SHARE { region.shared() } else { region }
    }

    /// Whether the lengths are those of a descriptor of so many bytes as a whole, or in fragments that end with a range.
    fn has_sound_lengths(&self, length: u64) -> bool {
        let behind = self.sound().composite() as u64 + 16;
        let [total, here] = self.lengths.map(|said| said.unwrap_or(length));
        total == length
            && (behind..=length).contains(&here)
            && here % 16 == 0
            && (!self.is_apart || here == total)
    }

    /// Whether a sound descriptor is accepted: a partition sends nothing to a VM.
    fn is_sound(&self) -> bool {
        !(self.is_partition && self.is_to_two && self.function() != id::MEM_DONATE)
    }
}

/// A PE of a machine on which the Normal world, `echo` and `relay` speak this version and have buffers.
#[must_use]
pub fn machine(plan: &Plan, version: u64) -> Pe {
    plan.world().booted_pe(0).ready_to_share(version)
}

fn be(pe: &mut Pe, who: u64) {
    if pe.own_id() == who {
        return;
    }
    if pe.place() != Place::Normal {
        pe.call(&[id::MSG_WAIT]);
    }
    if who != 0 {
        pe.normal(&[id::RUN, pair(who, 0)]);
    }
    assert_eq!(pe.own_id(), who);
}

/// The bytes that an input stands for: its own, or sound ones of which some are changed, three of the input's each.
fn edited(region: &Region, is_raw: bool, input: &[u8]) -> Vec<u8> {
    if is_raw {
        return input[..input.len().min(MOST)].to_vec();
    }
    let mut bytes = region.to_bytes();
    for [low, high, value] in input.as_chunks::<3>().0 {
        let at = usize::from(u16::from_le_bytes([*low, *high])) % bytes.len();
        bytes[at] = *value;
    }
    bytes
}

/// What both partitions find at the pages that are looked at.
fn seen(pe: &Pe) -> Vec<String> {
    let pages = PLACES.into_iter().flat_map(|place| (0..EACH).map(move |page| place + page * 0x1000));
    let both = |page| [Pa::secure(page), Pa::normal(page)];
    let of = |page| [ECHO, RELAY].map(|one| both(page).map(|page| pe.world.page(one, page)));
    pages.map(|page| format!("{page:x} {:?}", of(page))).collect()
}

/// Whoever is here calls with this descriptor: `function`, or the refusal.
fn call(pe: &mut Pe, how: How, function: u64, bytes: &[u8]) -> u64 {
    let own = PLACES[(pe.own_id().saturating_sub(ECHO - 1)) as usize] + (EACH - 1) * 0x1000;
    let (place, at) = match how.is_apart {
        true if pe.own_id() == 0 => (Pa::normal(own), [own, 1]),
        true => (Pa::secure(own), [own, 1]),
        false => (pe.tx(), [0, 0]),
    };
    pe.machine.write(place, bytes).expect("there is memory");
    let length = bytes.len() as u64;
    let [total, here] = how.lengths.map(|said| said.unwrap_or(length));
    pe.act(&[function, total, here, at[0], at[1]]);
    pe.low()[0]
}

/// It is sent, in as many fragments as it takes, of the size of the first one: the handle, if there is a transaction. All
/// bytes are the input's until those are at their end; zeroes come then.
fn send(pe: &mut Pe, how: How, bytes: &[u8]) -> Option<u64> {
    let mut answer = call(pe, how, how.function(), bytes);
    let [total, size] = how.lengths.map(|said| said.unwrap_or(bytes.len() as u64));
    for _ in 0..MOST_FRAGMENTS {
        let [_, low, high, received, sender, ..] = pe.low();
        let handle = high << 32 | low;
        match answer {
            id::SUCCESS => return Some(received << 32 | high),
            id::MEM_FRAG_RX => {
                let left = bytes.get(received as usize..).unwrap_or_default();
                let size = size.min(total - received);
                let mut fragment = left[..left.len().min(size as usize)].to_vec();
                fragment.resize(size as usize, 0);
                pe.send(&fragment);
                pe.act(&[id::MEM_FRAG_TX, low, high, size, sender]);
                answer = pe.low()[0];
            }
            _ => {
                assert_eq!(answer, id::ERROR);
                return None;
            }
        }
        if answer == id::ERROR {
            // It is gone, but where the fragment was not even looked at.
            pe.act(&Pe::reclaiming(handle, 0));
            return None;
        }
    }
    let [_, low, high, third, ..] = pe.low();
    let is_done = answer == id::SUCCESS;
    Some(if is_done { third << 32 | high } else { high << 32 | low })
}

/// What the input says happens: what is refused has changed nothing, and what is accepted is had back. Whether the machine
/// is as it was.
///
/// # Panics
/// If it is otherwise.
pub fn run(pe: &mut Pe, how: How, input: &[u8]) -> bool {
    let (sender, receiver) = (how.sender(), how.receiver());
    be(pe, sender);
    let before = seen(pe);
    let plain = How { lengths: [None; 2], is_raw: false, is_apart: false, ..how };
    let (sending, rest) = if how.is_request { (plain, &[][..]) } else { (how, input) };
    let bytes = edited(&how.sound(), sending.is_raw, rest);
    let sent = send(pe, sending, &bytes);
    let is_plain = sending.has_sound_lengths(bytes.len() as u64) && !sending.is_raw && rest.len() < 3;
    assert!(!is_plain || sent.is_some() == how.is_sound(), "a sound descriptor");
    let mut is_same = true;
    if let Some(handle) = sent {
        be(pe, receiver);
        let (asking, rest) = if how.is_request { (how, input) } else { (plain, &[][..]) };
        let bytes = edited(&how.sound().request(handle), asking.is_raw, rest);
        match call(pe, asking, id::MEM_RETRIEVE_REQ, &bytes) {
            id::MEM_RETRIEVE_RESP => drop(pe.done(&[id::RX_RELEASE])),
            id::MEM_OP_PAUSE => {}
            answer => assert_eq!(answer, id::ERROR),
        }
        pe.send(&relinquishing(handle, 0, receiver));
        pe.act(&[id::MEM_RELINQUISH]);
        be(pe, sender);
        pe.act(&Pe::reclaiming(handle, 0));
        is_same = pe.low()[0] == id::SUCCESS;
        assert!(is_same || how.function() == id::MEM_DONATE, "what nobody has is had back");
    }
    if is_same {
        assert_eq!(seen(pe), before, "all is as it was");
        let memory = PLACES[usize::from(how.is_partition)];
        let mut all = Region::new(sender, receiver, RW, &[(memory, EACH as u32)]);
        all.version = VERSIONS[how.version];
        let handle = pe.offer(id::MEM_LEND, &all);
        pe.done(&Pe::reclaiming(handle, 0));
    }
    be(pe, 0);
    is_same
}
