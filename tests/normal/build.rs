//! Links the image where TF-A puts the Normal world's first image.

fn main() {
    let folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    println!("cargo:rustc-link-arg-bins=-T{folder}/image.ld");
    println!("cargo:rerun-if-changed=image.ld");
}
