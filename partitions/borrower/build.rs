//! Links as a partition's image.

fn main() {
    println!("cargo:rustc-link-arg-bins=-T{}", std::env::var("DEP_PARTITION_SCRIPT").expect("from the SDK"));
}
