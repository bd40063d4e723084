//! Links the loader flat, its first instruction at its first byte.

fn main() {
    let folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    println!("cargo:rustc-link-arg-bins=-T{folder}/loader.ld");
    println!("cargo:rerun-if-changed=loader.ld");
}
