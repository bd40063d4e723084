//! The S-EL2 image.
fn main() {}
