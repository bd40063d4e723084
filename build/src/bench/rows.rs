//! The rows of the bench, with the cost of the reference SPMC and what ours aims at.

/// Calls of most rows.
pub const CALLS: u32 = 1000;

/// A row: what is called, and the reference's cost of one call in executed instructions.
///
/// The reference: Hafnium v2.15+ in its default build under TF-A's release build, one PE, averages over 1000 calls,
/// counted in the same way.
pub struct Row {
    /// The row's name, in tables and files.
    pub name: &'static str,
    /// The reference's instructions in EL3, in the SPMC and in the partition, where they were counted.
    pub reference: Option<[u32; 3]>,
    /// The most instructions in the SPMC that we want to spend, where there is such an aim.
    pub aim: Option<u32>,
    /// Whose manifests it runs with.
    pub manifests: Manifests,
    /// Whether what is passed on lies in memory, so that it is copied.
    pub copies: bool,
    /// How often it is called.
    pub calls: u32,
}

/// The manifests that rows run with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manifests {
    /// The product's.
    Product,
    /// Those of the test scenarios, which have more partitions.
    Tests,
    /// Those of the tests of memory transactions.
    Memory,
}

const fn known(name: &'static str, reference: [u32; 3], aim: u32) -> Row {
    Row {
        name,
        reference: Some(reference),
        aim: Some(aim),
        manifests: Manifests::Product,
        copies: false,
        calls: CALLS,
    }
}

const fn of_tests(name: &'static str) -> Row {
    Row { name, reference: None, aim: None, manifests: Manifests::Tests, copies: false, calls: CALLS }
}

/// A memory transaction from end to end, so often, and what it costs the reference in the SPMC; the aim is a twentieth of
/// that.
const fn of_memory(name: &'static str, calls: u32, reference: Option<u32>) -> Row {
    let (reference, aim) = match reference {
        Some(spmc) => (Some([4428, spmc, 1818]), Some(spmc / 20)),
        None => (None, None),
    };
    Row { name, reference, aim, manifests: Manifests::Memory, copies: true, calls }
}

/// In the order in which the Normal-world image runs them: first all with the product's manifests.
pub const ROWS: &[Row] = &[
    known("DIRECT_REQ32", [1469, 7435, 55], 740),
    known("DIRECT_REQ64", [1510, 7139, 55], 710),
    known("FFA_RUN of a waiting SP", [1467, 7139, 43], 710),
    known("SP1 -> SP2 round trip", [0, 7499, 90], 750),
    known("FFA_VERSION", [1704, 2732, 0], 341),
    known("FFA_FEATURES", [1462, 1903, 0], 237),
    known("SP's FFA_ID_GET", [0, 772, 32], 193),
    Row { copies: true, ..of_tests("MSG_SEND2 + INFO_GET + RUN + GET + RX_RELEASE") },
    of_tests("NOTIFICATION_SET + INFO_GET + RUN + GET"),
    of_tests("NOTIFICATION_SET of a set and told one"),
    of_tests("SP's NOTIFICATION_GET"),
    of_tests("DIRECT_REQ that arms an SP's timer, and its interrupt"),
    of_memory("SHARE to RECLAIM of 1 page", 1000, Some(827_573)),
    of_memory("SHARE to RECLAIM of 16 pages in a piece", 1000, Some(841_508)),
    of_memory("SHARE to RECLAIM of 256 pages in a piece", 100, Some(1_064_468)),
    of_memory("SHARE to RECLAIM of 4096 pages in a piece", 10, None),
    of_memory("SHARE to RECLAIM of 16 scattered pages", 100, Some(1_030_448)),
    of_memory("SHARE to RECLAIM of 128 scattered pages", 100, Some(2_723_048)),
    of_memory("SHARE to RECLAIM of 1024 scattered pages", 10, None),
    of_memory("SHARE to RECLAIM of 1 page beside 999 others", 100, None),
];

/// The reference's boot, from S-EL2's entry to the return to the SPMD, two partitions, in the SPMC.
pub const REFERENCE_BOOT: u32 = 2_444_929;
/// The reference's image in bytes.
pub const REFERENCE_IMAGE: u64 = 218_808;
/// The reference's RAM in bytes.
pub const REFERENCE_RAM: u64 = 1_245_184;
