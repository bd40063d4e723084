//! The rows of the bench, with the cost of the reference SPMC and what ours aims at.

/// Calls of each row.
pub const CALLS: u32 = 1000;

/// A row: what is called, and the reference's cost of one call in executed instructions.
///
/// The reference: Hafnium v2.15+ in its default build under TF-A's release build, one PE, averages over 1000 calls,
/// counted in the same way.
pub struct Row {
    /// The row's name, in tables and files.
    pub name: &'static str,
    /// The reference's instructions in EL3, in the SPMC and in the partition.
    pub reference: [u32; 3],
    /// The most instructions in the SPMC that we want to spend.
    pub aim: u32,
}

/// In the order in which the Normal-world image runs them.
pub const ROWS: &[Row] = &[
    Row { name: "DIRECT_REQ32", reference: [1469, 7435, 55], aim: 740 },
    Row { name: "DIRECT_REQ64", reference: [1510, 7139, 55], aim: 710 },
    Row { name: "FFA_RUN of a waiting SP", reference: [1467, 7139, 43], aim: 710 },
    Row { name: "SP1 -> SP2 round trip", reference: [0, 7499, 90], aim: 750 },
    Row { name: "FFA_VERSION", reference: [1704, 2732, 0], aim: 341 },
    Row { name: "FFA_FEATURES", reference: [1462, 1903, 0], aim: 237 },
    Row { name: "SP's FFA_ID_GET", reference: [0, 772, 32], aim: 193 },
];

/// The reference's boot, from S-EL2's entry to the return to the SPMD, two partitions, in the SPMC.
pub const REFERENCE_BOOT: u32 = 2_444_929;
/// The reference's image in bytes.
pub const REFERENCE_IMAGE: u64 = 218_808;
/// The reference's RAM in bytes.
pub const REFERENCE_RAM: u64 = 1_245_184;
