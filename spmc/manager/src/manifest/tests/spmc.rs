//! The SPMC manifest: what is read, and one test for each rule that it may break.

use super::said::logged;
use super::*;
use crate::config::MemoryRange;

#[test]
fn the_manifest_of_qemu_virt_is_read_as_written() {
    let manifest = spmc_of(SPMC).unwrap();
    assert_eq!(manifest.image, (0xe10_0000, 0x8_0000));
    assert_eq!(manifest.cpus, [0, 1, 2, 3]);
    let vms: Vec<_> =
        manifest.vms.iter().map(|vm| (vm.index.get(), vm.name.as_str(), vm.memory, vm.vcpus)).collect();
    assert_eq!(
        vms,
        [(0, "echo", range(0xe30_0000, 0xe34_0000), 4), (1, "relay", range(0xe34_0000, 0xe38_0000), 1)]
    );
    let declared = |space, start, bytes, device| MemoryRange {
        range: PageRange::from_bytes(space, start, bytes).unwrap(),
        device,
    };
    assert_eq!(
        manifest.memory,
        [
            declared(Space::Secure, 0xe30_0000, 0xd0_0000, false),
            declared(Space::Normal, 0x4000_0000, 0xc000_0000, false),
            declared(Space::Secure, 0x904_0000, 0x1000, true),
            declared(Space::Normal, 0x900_0000, 0x1000, true),
        ]
    );
}

#[test]
fn pes_may_stand_in_any_order() {
    assert_eq!(spmc_of(OP_TEE_SPMC).unwrap().cpus, [0, 3, 2, 1]);
}

#[test]
fn a_pe_may_have_one_address_cell() {
    let source = SPMC.replace(
        "#address-cells = <2>;\n\t\t#size-cells = <0>",
        "#address-cells = <1>;\n\t\t#size-cells = <0>",
    );
    let source =
        source.replace("reg = <0x0 0x1>", "reg = <0x10100>").replace("reg = <0x0 0x0>", "reg = <0x0>");
    let source = source.replace("reg = <0x0 0x2>", "reg = <0x2>").replace("reg = <0x0 0x3>", "reg = <0x3>");
    assert_eq!(spmc_of(&source).unwrap().cpus, [0, 0x1_0100, 2, 3]);
}

#[test]
fn a_manifest_that_says_1_3_is_accepted_and_1_4_is_not() {
    assert!(spmc_of(&changed(SPMC, "min_ver = <2>", "min_ver = <3>")).is_ok());
    let message = spmc_refused("min_ver = <2>", "min_ver = <4>");
    assert_eq!(message, "/attribute: `min_ver` is 0x4; it must be 0x0 to 0x3");
}

#[test]
fn the_three_nodes_must_be_there() {
    for node in ["attribute", "hypervisor", "cpus"] {
        let message = spmc_refused(&std::format!("\t{node} {{"), "\tother {");
        assert_eq!(message, std::format!("/: a node is missing there: {node}"));
    }
}

#[test]
fn vm_numbers_are_dense_from_one() {
    assert_eq!(
        spmc_refused("vm2 {", "vm3 {"),
        "/hypervisor/vm3: the name must be without gaps; \"vm2\" is missing"
    );
    for name in ["vm0", "vm01", "vm256", "vm99999999999999999999999"] {
        let message = spmc_refused("vm2 {", &std::format!("{name} {{"));
        assert_eq!(message, std::format!("/hypervisor/{name}: the name must be \"vm1\" to \"vm255\""));
    }
}

#[test]
fn a_vm_number_stands_once() {
    let message = spmc_refused("vm2 {", "vm1 {");
    assert!(message.contains("has the name of one before it in the same node"), "{message}");
}

#[test]
fn vms_may_stand_in_any_order() {
    let source = SPMC.replace("vm1 {", "vmX {").replace("vm2 {", "vm1 {").replace("vmX {", "vm2 {");
    let names: Vec<_> = spmc_of(&source).unwrap().vms.into_iter().map(|vm| vm.name).collect();
    assert_eq!(names, ["relay", "echo"]);
}

#[test]
fn a_partition_is_loaded_from_its_package_only() {
    let message = spmc_refused("is_ffa_partition;", "is_ffa_partition; hyp_loaded;");
    let expected = "`hyp_loaded` is set: partitions are loaded from their packages only; leave it out";
    assert_eq!(message, std::format!("/hypervisor/vm1: {expected}"));
    let message = spmc_refused("is_ffa_partition;", "is_ffa_partition; hyp_loaded = <1>;");
    let expected = "`hyp_loaded` has 4 bytes (0x00000001); it must be empty: it is there or not";
    assert_eq!(message, std::format!("/hypervisor/vm1: {expected}"));
    let message = spmc_refused("is_ffa_partition;", "hyp_loaded;");
    let expected = "`is_ffa_partition` is missing; it must be there, without a value";
    assert_eq!(message, std::format!("/hypervisor/vm1: {expected}"));
}

#[test]
fn what_means_nothing_here_is_accepted_and_what_nobody_knows_is_said() {
    let lines = |old, new| {
        let (manifest, lines) = logged(|| spmc_of(&changed(SPMC, old, new)));
        manifest.expect(new);
        lines
    };
    let vm = "is_ffa_partition; kernel_filename = \"a\"; ramdisk_filename = \"b\"; fdt_filename = \"c\"; boot_address = <1>;";
    assert_eq!(lines("is_ffa_partition;", vm), [""; 0]);
    assert_eq!(lines("\"hafnium,hafnium\";", "\"hafnium,hafnium\"; ffa_tee_enabled;"), [""; 0]);
    assert_eq!(
        lines("is_ffa_partition;", "is_ffa_partition; color = <1>;"),
        ["WARN: SPMC manifest: /hypervisor/vm1: unknown, without effect: color"]
    );
    let gic = "interrupt-controller { }; hypervisor {";
    assert_eq!(
        lines("hypervisor {", gic),
        ["WARN: SPMC manifest: /: unknown, without effect: interrupt-controller"]
    );
}

#[test]
fn a_list_of_smcs_is_kept_up_to_its_limit_and_never_cut() {
    let listed =
        changed(SPMC, "vcpu_count = <4>;", "vcpu_count = <4>; smc_whitelist = <0x82000100 0xc2000001>;");
    let listed = changed(&listed, "vcpu_count = <4>;", "vcpu_count = <4>; smc_whitelist_permissive;");
    let smcs = spmc_of(&listed).unwrap().vms[0].smcs.clone();
    assert_eq!(smcs, SmcAccess { allowed: Vec::from([0x8200_0100, 0xC200_0001]), permissive: true });
    let long = std::format!("vcpu_count = <4>; smc_whitelist = <{}>;", "1 ".repeat(33));
    assert_eq!(
        spmc_refused("vcpu_count = <4>;", &long),
        "/hypervisor/vm1: 33 entries in `smc_whitelist`; the limit is 32"
    );
}

#[test]
fn there_are_one_to_256_pes() {
    let some = |count: u32| {
        let nodes = (0..count).map(|n| std::format!("cpu@{n} {{ device_type = \"cpu\"; reg = <1 {n}>; }};"));
        let (before, rest) = SPMC.split_once("cpu@0").unwrap();
        let (_, behind) = rest.split_once("/* Secure DRAM").unwrap();
        std::format!("{before}{}}}; /* {behind}", nodes.collect::<String>())
    };
    assert_eq!(spmc_of(&some(256)).unwrap().cpus.len(), 256);
    assert_eq!(spmc_of(&some(257)).unwrap_err().to_string(), "/cpus: 257 PEs; the limit is 256");
    assert_eq!(
        spmc_of(&some(0)).unwrap_err().to_string(),
        "/cpus: a node is missing there: cpu@... with device_type \"cpu\""
    );
}

#[test]
fn no_page_is_memory_of_both_worlds() {
    assert_eq!(
        spmc_refused("reg = <0x0 0x40000000", "reg = <0x0 0xef00000"),
        "/memory@40000000: `reg` 0xef00000..0xcef00000 overlaps the other world's memory 0xe300000..0xf000000"
    );
}

#[test]
fn more_memory_ranges_than_the_limit_are_refused_and_not_dropped() {
    let many: String =
        (0..65).map(|n| std::format!("0x0 {:#x} 0x0 0x1000 ", 0x1000_0000 + n * 0x2000)).collect();
    let message = spmc_refused("reg = <0x0 0x9040000 0x0 0x1000>", &std::format!("reg = <{many}>"));
    assert_eq!(message, "/: 68 ranges in memory nodes; the limit is 64");
}
