//! Hands the linker its script and asks it for a build id.

fn main() {
    let folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo names the crate's folder");
    println!("cargo:rerun-if-changed=image.ld");
    println!("cargo:rustc-link-arg-bins=-T{folder}/image.ld");
    println!("cargo:rustc-link-arg-bins=--build-id=sha1");
    // The image relocates itself before it protects any page.
    println!("cargo:rustc-link-arg-bins=-znorelro");
    println!("cargo:rustc-link-arg-bins=--no-dynamic-linker");
}
