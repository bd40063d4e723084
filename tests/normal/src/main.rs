//! The Normal-world test image.
fn main() {}
