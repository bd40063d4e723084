//! What has come, from whom: written only by the vCPU that has the RX buffer, and read by anyone.

use core::sync::atomic::{AtomicU64, Ordering};

/// Senders that are told apart.
const SENDERS: usize = 16;
/// A place that nobody has.
const NOBODY: u64 = u64::MAX;

/// The messages of one sender.
struct Entry {
    sender: AtomicU64,
    count: AtomicU64,
    last: AtomicU64,
    digest: AtomicU64,
    wrong: AtomicU64,
    unanswered: AtomicU64,
}

static LOG: [Entry; SENDERS] = [const {
    Entry {
        sender: AtomicU64::new(NOBODY),
        count: AtomicU64::new(0),
        last: AtomicU64::new(0),
        digest: AtomicU64::new(0),
        wrong: AtomicU64::new(0),
        unanswered: AtomicU64::new(0),
    }
}; SENDERS];

/// The place of a sender; the last one is for all that find none.
fn entry(sender: u16) -> &'static Entry {
    let own = u64::from(sender);
    let take = |entry: &&Entry| {
        let taken = entry.sender.compare_exchange(NOBODY, own, Ordering::AcqRel, Ordering::Acquire);
        taken.is_ok() || taken == Err(own)
    };
    LOG.iter().find(take).unwrap_or(&LOG[SENDERS - 1])
}

/// One word more in a checksum or digest, whose order matters.
const fn mixed(sum: u64, word: u64) -> u64 {
    (sum.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The checksum of these words.
pub fn checksum(words: impl Iterator<Item = u64>) -> u64 {
    words.fold(0, mixed)
}

/// A message has come: the next one of its sender, if its sequence number is one above the last.
pub fn came(sender: u16, sequence: u64, sum: u64, is_whole: bool) {
    let entry = entry(sender);
    let follows = sequence == entry.last.swap(sequence, Ordering::AcqRel).wrapping_add(1);
    if !(follows && is_whole) {
        entry.wrong.fetch_add(1, Ordering::AcqRel);
    }
    let digest = mixed(entry.digest.load(Ordering::Acquire), sum);
    entry.digest.store(digest, Ordering::Release);
    entry.count.fetch_add(1, Ordering::AcqRel);
}

/// A message has come that is none.
pub fn wrong(sender: u16) {
    entry(sender).wrong.fetch_add(1, Ordering::AcqRel);
}

/// A message could not be sent back.
pub fn unanswered(sender: u16) {
    entry(sender).unanswered.fetch_add(1, Ordering::AcqRel);
}

/// How many messages of a sender came, the last one's number, the digest, and how many were wrong, and were not sent
/// back; begins anew if the caller wants to `forget` that.
pub fn of(sender: u16, forget: bool) -> [u64; 5] {
    let entry = entry(sender);
    let words = [&entry.count, &entry.last, &entry.digest, &entry.wrong, &entry.unanswered];
    words.map(|word| if forget { word.swap(0, Ordering::AcqRel) } else { word.load(Ordering::Acquire) })
}
