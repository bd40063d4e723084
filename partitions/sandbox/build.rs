//! Links as a partition's image for S-EL0.

fn main() {
    println!("cargo:rustc-link-arg-bins=-T{}", std::env::var("DEP_PARTITION_SCRIPT").expect("from the SDK"));
    println!("cargo:rustc-link-arg-bins=--defsym=PARTITION_AT_EL0=1");
}
