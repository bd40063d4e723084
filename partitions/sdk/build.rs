//! Tells the build scripts of partitions where the linker script is.

fn main() {
    let folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    println!("cargo:script={folder}/image.ld");
    println!("cargo:rerun-if-changed=image.ld");
}
