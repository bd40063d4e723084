//! Every property that is read, in a table: the form of its value, whether it must be there, values beyond its limits;
//! and the message for each. The rules between properties are in [`super::rules`].

use std::format;

use super::*;

/// Forms of values, as messages say them.
const NUMBER: &str = "a number of one or two cells";
const CELLS: &str = "a list of cells";
const STRING: &str = "one printable string";
const STRINGS: &str = "a list of printable strings";
const FLAG: &str = "empty: it is there or not";

const ADDRESS: &str = "a range below 48 bits, aligned to 4 KB, and this";
const UUID: &str = "it must be like \"01234567-89ab-cdef-0123-456789abcdef\"";
const METHODS: &str = "it must be of bits 0, 1, 2, 9 and 10 only";
const SENDERS: &str =
    "it must be 0 to 0x7fff, 0x8001 to 0x80ff or 0xffc0 to 0xfffe, and not its own id 0x8001";
const SERVICE: &str = "it must be a UUID that the partition offers as a service";
const ENTRY: &str = "it must be a multiple of 4 within the image of the package, 0x4000 to 0x5fff";
const BASE: &str = "given, or `load-address-relative-offset`: no address is chosen for it";
const KINDS: &str = "\"memory\", \"ns-memory\", \"device-memory\" or \"ns-device-memory\"";
const RIGHTS: &str = "it must be R (1), RW (3), RX (5) or RWX (7), and 8";
const DEVICE_RIGHTS: &str = "it must be R (1) or RW (3), and 8 for a device of the Normal world";
const INTERRUPTS: &str = "it must be 16 to 1019, 1056 to 1119, or 4096 to 5119";
const RANGE: &str = "it must be a range of whole pages below 48 bits, and this";

/// A property as it stands in a sound source.
struct Property {
    source: &'static str,
    /// The path of its node.
    node: &'static str,
    text: &'static str,
    form: &'static str,
    /// What it must be, if it must be there.
    missing: Option<&'static str>,
    /// Bad values, and how the message goes on behind "is".
    bad: &'static [(&'static str, &'static str)],
}

/// A property that must be there.
const fn must(
    source: &'static str,
    node: &'static str,
    text: &'static str,
    form: &'static str,
    bad: &'static [(&'static str, &'static str)],
) -> Property {
    Property { source, node, text, form, missing: Some(form), bad }
}

/// A property that need not be there.
const fn may(
    source: &'static str,
    node: &'static str,
    text: &'static str,
    form: &'static str,
    bad: &'static [(&'static str, &'static str)],
) -> Property {
    Property { source, node, text, form, missing: None, bad }
}

/// The same, with other words for its absence.
const fn absent(property: Property, missing: &'static str) -> Property {
    Property { missing: Some(missing), ..property }
}

#[rustfmt::skip]
const PARTITION: &[Property] = &[
    must(ECHO, "/", "compatible = \"arm,ffa-manifest-1.0\"", STRINGS, &[
        ("\"arm,ffa-manifest-1.2\"", "\"arm,ffa-manifest-1.2\"; it must be \"arm,ffa-manifest-1.0\" or \"arm,ffa-manifest-1.1\"")]),
    must(ECHO, "/", "ffa-version = <0x00010002>", NUMBER, &[
        ("<0xffff>", "0xffff; it must be 0x10000 to 0x10003"), ("<0x10004>", "0x10004; it must be 0x10000 to 0x10003"),
        ("<0x20000>", "0x20000; it must be 0x10000 to 0x10003"), ("<1 0x10002>", "0x100010002; it must be 0x10000 to 0x10003")]),
    must(ECHO, "/", "uuid = <0x2e1c7f5d 0x604e3b8a 0x2f3c1d9b 0x419d7e6a>", CELLS, &[
        ("<1 2 3>", "3 cells; it must be four cells for each UUID"),
        ("<0 0 0 0>", "00000000-0000-0000-0000-000000000000; it must be not nil, which means every partition"),
        ("<1 0 0 0 1 0 0 0>", "01000000-0000-0000-0000-000000000000, as in another service of this partition; it must be unique")]),
    must(ECHO, "/", "messaging-method = <0x603>", CELLS, &[
        ("<0>", "0x0; it must be at least one of bits 0, 1, 2, 9 and 10"), ("<8>", "0x8; {METHODS}"), ("<0x10603>", "0x10603; {METHODS}"),
        ("<1 2>", "2 values; it must be one for all UUIDs, or one for each of the 1")]),
    must(FVP_SERVICES, "/services", "compatible = \"arm,ffa-manifest-services\"", STRINGS, &[
        ("\"other\"", "\"other\"; it must be \"arm,ffa-manifest-services\"")]),
    must(FVP_SERVICES, "/services/service0", "uuid = \"b87d7027-4f80-40dc-9ed4-25baa3255140\"", STRING, &[
        ("\"b87d70274f8040dc9ed425baa3255140\"", "\"b87d70274f8040dc9ed425baa3255140\"; {UUID}"),
        ("\"b87d7027-4f80-40dc-9ed4-25baa325514x\"", "\"b87d7027-4f80-40dc-9ed4-25baa325514x\"; {UUID}")]),
    must(FVP_SERVICES, "/services/service0", "messaging-method = <0x4>", NUMBER, &[("<0x1000>", "0x1000; {METHODS}")]),
    must(REGIONS, "/allowed-senders", "compatible = \"hafnia,manifest-allowed-senders\"", STRINGS, &[
        ("\"other\"", "\"other\"; it must be \"hafnia,manifest-allowed-senders\"")]),
    must(REGIONS, "/allowed-senders/neighbour", "sender = <0x8002>", NUMBER, &[
        ("<0x8000>", "0x8000; {SENDERS}"), ("<0x8001>", "0x8001; {SENDERS}"), ("<0xffff>", "0xffff; {SENDERS}"),
        ("<0x10000>", "0x10000; it must be 0x0 to 0xffff"), ("<1 0>", "0x100000000; it must be 0x0 to 0xffff")]),
    may(REGIONS, "/allowed-senders/neighbour", "uuid = \"5d7f1c2e-8a3b-4e60-9b1d-3c2f6a7e9d41\"", CELLS, &[
        ("<1 2 3>", "3 cells; it must be four cells: one UUID"), ("\"me\"", "\"me\"; {UUID}"),
        ("<1 0 0 0>", "01000000-0000-0000-0000-000000000000; {SERVICE}"),
        ("<0 0 0 0>", "00000000-0000-0000-0000-000000000000; {SERVICE}")]),
    absent(may(FVP_LIVE, "/", "image-uuid = <0xc45b7d61 0xcb4ea3b9 0xb4499e94 0xa5dabe69>", CELLS, &[
        ("<1 2 3>", "3 cells; it must be four cells: one UUID"), ("<1 2 3 4 5 6 7 8>", "8 cells; it must be four cells: one UUID"),
        ("<0 0 0 0>", "00000000-0000-0000-0000-000000000000; it must be not nil, which names no image"),
        ("\"me\"", "\"me\"; {UUID}")]), "the UUID of the image, for live activation"),
    may(FVP_PRIMARY, "/", "id = <1>", NUMBER, &[]),
    may(FVP_PRIMARY, "/", "auxiliary-id = <0xae>", NUMBER, &[("<0x10000>", "0x10000; it must be 0x0 to 0xffff")]),
    may(FVP_PRIMARY, "/", "description = \"primary\"", STRING, &[]),
    must(ECHO, "/", "execution-ctx-count = <4>", NUMBER, &[
        ("<0>", "0x0; it must be 0x1 to 0xffff"), ("<0x10000>", "0x10000; it must be 0x1 to 0xffff")]),
    must(ECHO, "/", "exception-level = <2>", NUMBER, &[
        ("<0>", "0x0; it must be 0x1 to 0x2"), ("<3>", "0x3; it must be 0x1 to 0x2"), ("<6>", "0x6; it must be 0x1 to 0x2")]),
    must(ECHO, "/", "execution-state = <0>", NUMBER, &[
        ("<1>", "1: AArch32 is not there; it must be 0 (AArch64)"), ("<2>", "0x2; it must be 0x0 to 0x1")]),
    may(ECHO, "/", "load-address = <0xe300000>", NUMBER, &[]),
    may(ECHO, "/", "entrypoint-offset = <0x4000>", NUMBER, &[
        ("<0x3ffc>", "0x3ffc; {ENTRY}"), ("<0x4002>", "0x4002; {ENTRY}"), ("<0x6000>", "0x6000; {ENTRY}"), ("<1 0x4000>", "0x100004000; {ENTRY}")]),
    may(ECHO, "/", "xlat-granule = <0>", NUMBER, &[
        ("<1>", "1: only 4 KB pages are there; it must be 0"), ("<2>", "2: only 4 KB pages are there; it must be 0"), ("<3>", "0x3; it must be 0x0 to 0x2")]),
    may(ECHO, "/", "boot-order = <0>", NUMBER, &[("<0xffff>", "0xffff; it must be 0x0 to 0xfffe"), ("<0x10000>", "0x10000; it must be 0x0 to 0xfffe")]),
    may(ECHO, "/", "gp-register-num = <0>", NUMBER, &[("<4>", "0x4; it must be 0x0 to 0x3")]),
    must(ECHO, "/boot-info", "compatible = \"arm,ffa-manifest-boot-info\"", STRINGS, &[("\"other\"", "\"other\"; it must be \"arm,ffa-manifest-boot-info\"")]),
    may(ECHO, "/boot-info", "ffa_manifest", FLAG, &[]),
    may(FVP_TERTIARY, "/boot-info", "hob_list", FLAG, &[]),
    may(FVP_PRIMARY, "/", "ns-interrupts-action = <1>", NUMBER, &[("<3>", "0x3; it must be 0x0 to 0x2")]),
    may(FVP_TERTIARY, "/", "managed-exit", FLAG, &[]),
    may(FVP_TERTIARY, "/", "managed-exit-virq", FLAG, &[]),
    may(FVP_SECONDARY, "/", "other-s-interrupts-action = <0>", NUMBER, &[("<2>", "0x2; it must be 0x0 to 0x1")]),
    may(FVP_SECONDARY, "/", "sri-interrupts-policy = <3>", NUMBER, &[("<4>", "0x4; it must be 0x0 to 0x3")]),
    may(ECHO, "/", "wfi-yields", FLAG, &[]),
    may(REGIONS, "/", "has-primary-scheduler", FLAG, &[]),
    may(REGIONS, "/", "time-slice-mem", FLAG, &[]),
    may(FVP_PRIMARY, "/", "power-management-messages = <1>", NUMBER, &[("<8>", "0x8; it must be 0x0 to 0x7")]),
    may(FVP_PRIMARY, "/", "vm-availability-messages = <3>", NUMBER, &[("<4>", "0x4; it must be 0x0 to 0x3")]),
    may(FVP_PRIMARY, "/", "notification-support", FLAG, &[]),
    may(REGIONS, "/", "rx-free-notification", FLAG, &[]),
    may(FVP_LIVE, "/", "lifecycle-support", FLAG, &[]),
    may(FVP_LIVE, "/", "abort-action = <1>", NUMBER, &[("<4>", "0x4; it must be 0x0 to 0x3")]),
    may(FVP_LIVE, "/", "live-activation-support", FLAG, &[]),
    must(FVP_LIVE, "/", "live-activation-register = <1>", NUMBER, &[
        ("<0>", "0; it must be 0 to 7, but neither 4 nor `gp-register-num`"), ("<4>", "4; it must be 0 to 7, but neither 4 nor `gp-register-num`"),
        ("<8>", "0x8; it must be 0x0 to 0x7")]),
    must(FVP_LIVE, "/live-state-buffer-info", "compatible = \"arm,ffa-manifest,live-state-buffer\"", STRINGS, &[
        ("\"other\"", "\"other\"; it must be \"arm,ffa-manifest,live-state-buffer\"")]),
    must(FVP_LIVE, "/live-state-buffer-info", "live-state-buffer = <&buffer>", NUMBER, &[
        ("<0x77>", "0x77; it must be the phandle of one of /memory-regions"), ("<1 1>", "0x100000001; it must be 0x0 to 0xffffffff")]),
    must(REGIONS, "/rx_tx-info", "compatible = \"arm,ffa-manifest-rx_tx-buffer\"", STRINGS, &[("\"other\"", "\"other\"; it must be \"arm,ffa-manifest-rx_tx-buffer\"")]),
    must(REGIONS, "/rx_tx-info", "rx-buffer = <&rx>", NUMBER, &[("<0x77>", "0x77; it must be the phandle of one of /memory-regions")]),
    must(REGIONS, "/rx_tx-info", "tx-buffer = <&tx>", NUMBER, &[("<0x77>", "0x77; it must be the phandle of one of /memory-regions")]),
    must(FVP_PRIMARY, "/memory-regions", "compatible = \"arm,ffa-manifest-memory-regions\"", STRINGS, &[("\"other\"", "\"other\"; it must be \"arm,ffa-manifest-memory-regions\"")]),
    may(FVP_PRIMARY, "/memory-regions/rx-buffer", "description = \"rx-buffer\"", STRING, &[]),
    absent(may(FVP_PRIMARY, "/memory-regions/rx-buffer", "base-address = <0x00000000 0x7300000>", NUMBER, &[
        ("<0x7300800>", "0x7300800 (0x1 pages); it must be {ADDRESS} is not aligned to 4 KB"),
        ("<0x10000 0>", "0x1000000000000 (0x1 pages); it must be {ADDRESS} ends beyond 48 bits")]), BASE),
    may(REGIONS, "/memory-regions/tx-buffer", "load-address-relative-offset = <0x40000>", NUMBER, &[
        ("<0xffffffff 0xfffff000>", "0xfffffffffffff000; it must be at most 0xfffffffff1cfffff"),
        ("<0x40001>", "0xe340001 (0x1 pages); it must be {ADDRESS} is not aligned to 4 KB")]),
    must(FVP_PRIMARY, "/memory-regions/rx-buffer", "pages-count = <1>", NUMBER, &[
        ("<0>", "0x0; it must be 0x1 to 0x1000000000"), ("<0xffffffff 0>", "0xffffffff00000000; it must be 0x1 to 0x1000000000")]),
    must(FVP_PRIMARY, "/memory-regions/rx-buffer", "attributes = <0x1>", NUMBER, &[
        ("<0>", "0x0; {RIGHTS} for the Normal world's memory"), ("<2>", "0x2; {RIGHTS} for the Normal world's memory"),
        ("<4>", "0x4; {RIGHTS} for the Normal world's memory"), ("<6>", "0x6; {RIGHTS} for the Normal world's memory"),
        ("<0x11>", "0x11; {RIGHTS} for the Normal world's memory")]),
    absent(may(FVP_PRIMARY, "/memory-regions/dma-secure", "smmu-id = <0>", NUMBER, &[("<1 0>", "0x100000000; it must be 0x0 to 0xffffffff")]),
        "the number of the SMMU behind `stream-ids`"),
    may(FVP_PRIMARY, "/memory-regions/dma-secure", "stream-ids = <0x0 0x1>", CELLS, &[
        ("<1 1>", "stream 0x1, as in the same list; it must be unique"), ("<0 2>", "stream 0x2 of SMMU 0; it must be a stream of one of the /device-regions")]),
    may(FVP_PRIMARY, "/memory-regions/dma-secure", "stream-ids-access-permissions = <0x3 0x3>", CELLS, &[
        ("<3>", "1 values; it must be one for each of the 2 `stream-ids`"), ("<3 0xb>", "0x3 and 0xb; it must be the same for all streams of the region"),
        ("<2 2>", "0x2; {RIGHTS} at will"), ("<0x13 0x13>", "0x13; {RIGHTS} at will")]),
    must(REGIONS, "/device-regions", "compatible = \"arm,ffa-manifest-device-regions\"", STRINGS, &[("\"other\"", "\"other\"; it must be \"arm,ffa-manifest-device-regions\"")]),
    must(REGIONS, "/device-regions/uart", "base-address = <0x9040000>", NUMBER, &[
        ("<0x9040004>", "0x9040004 (0x1 pages); it must be {ADDRESS} is not aligned to 4 KB")]),
    must(FVP_PRIMARY, "/device-regions/dma-engine", "pages-count = <32>", NUMBER, &[("<0>", "0x0; it must be 0x1 to 0x1000000000")]),
    must(REGIONS, "/device-regions/other", "attributes = <0xb>", NUMBER, &[
        ("<5>", "0x5; {DEVICE_RIGHTS}"), ("<2>", "0x2; {DEVICE_RIGHTS}"), ("<0x13>", "0x13; {DEVICE_RIGHTS}")]),
    may(REGIONS, "/device-regions/other", "exclusive-access", FLAG, &[]),
    may(FVP_PRIMARY, "/device-regions/watchdog", "interrupts = <56 0x900>", CELLS, &[
        ("<56>", "1 cells; it must be pairs of an id and its attributes"), ("<15 0x900>", "id 15; {INTERRUPTS}"), ("<1020 0x900>", "id 1020; {INTERRUPTS}"),
        ("<1055 0x900>", "id 1055; {INTERRUPTS}"), ("<1120 0x900>", "id 1120; {INTERRUPTS}"), ("<4095 0x900>", "id 4095; {INTERRUPTS}"),
        ("<5120 0x900>", "id 5120; {INTERRUPTS}"), ("<56 0x1900>", "0x1900 for id 56; it must be within 0xfff"),
        ("<56 0x900 56 0x900>", "id 56, as in the same list; it must be unique")]),
    may(FVP_PRIMARY, "/device-regions/no-device", "interrupts-target = <5000 0x0 0x10200>", CELLS, &[
        ("<5000 0>", "2 cells; it must be triples of an id and the two words of an MPIDR"),
        ("<56 0 0x10200>", "id 56; it must be one of the ids in `interrupts` of this node"),
        ("<5000 0 0x10201>", "0x10201 for id 5000; it must be the `reg` of a PE in /cpus of the SPMC manifest"),
        ("<5000 1 0x10200>", "0x100010200 for id 5000; it must be the `reg` of a PE in /cpus of the SPMC manifest"),
        ("<5000 0 0 5000 0 1>", "id 5000, as in the same list; it must be unique")]),
];

#[rustfmt::skip]
const SPMC_MANIFEST: &[Property] = &[
    must(FVP_SPMC, "/", "compatible = \"arm,ffa-core-manifest-1.0\"", STRINGS, &[("\"other\"", "\"other\"; it must be \"arm,ffa-core-manifest-1.0\"")]),
    may(FVP_SPMC, "/", "#address-cells = <2>", NUMBER, &[("<0>", "0x0; it must be 0x1 to 0x2"), ("<3>", "0x3; it must be 0x1 to 0x2")]),
    may(FVP_SPMC, "/", "#size-cells = <1>", NUMBER, &[("<0>", "0x0; it must be 0x1 to 0x2"), ("<3>", "0x3; it must be 0x1 to 0x2")]),
    must(FVP_SPMC, "/attribute", "spmc_id = <0x8000>", NUMBER, &[("<0>", "0x0; it must be 0x8000 to 0x8000"), ("<0x8001>", "0x8001; it must be 0x8000 to 0x8000")]),
    must(FVP_SPMC, "/attribute", "maj_ver = <0x1>", NUMBER, &[("<2>", "0x2; it must be 0x1 to 0x1")]),
    must(FVP_SPMC, "/attribute", "min_ver = <0x3>", NUMBER, &[("<4>", "0x4; it must be 0x0 to 0x3")]),
    must(FVP_SPMC, "/attribute", "exec_state = <0x0>", NUMBER, &[("<1>", "0x1; it must be 0x0 to 0x0")]),
    must(FVP_SPMC, "/attribute", "load_address = <0x0 0x6000000>", NUMBER, &[("<0x10000 0>", "0x1000000000000; it must be 0x0 to 0xffffffffffff")]),
    must(FVP_SPMC, "/attribute", "entrypoint = <0x0 0x6000000>", NUMBER, &[
        ("<0x5ffffff>", "0x5ffffff; it must be 0x6000000 to 0x607ffff"), ("<0x6080000>", "0x6080000; it must be 0x6000000 to 0x607ffff")]),
    must(FVP_SPMC, "/attribute", "binary_size = <0x80000>", NUMBER, &[
        ("<0>", "0x0; it must be 0x1 to 0xfffffa000000"), ("<0x10000 0>", "0x1000000000000; it must be 0x1 to 0xfffffa000000")]),
    must(FVP_SPMC, "/hypervisor", "compatible = \"hafnium,hafnium\"", STRINGS, &[("\"other\"", "\"other\"; it must be \"hafnium,hafnium\"")]),
    absent(may(FVP_SPMC, "/hypervisor/vm1", "is_ffa_partition", FLAG, &[]), "there, without a value"),
    must(FVP_SPMC, "/hypervisor/vm1", "debug_name = \"primary\"", STRING, &[
        ("\"\"", "\"\"; it must be a string of 1 to 31 characters"),
        ("\"a name of thirty-two characters.\"", "\"a name of thirty-two characters.\"; it must be a string of 1 to 31 characters")]),
    must(FVP_SPMC, "/hypervisor/vm1", "load_address = <0x7000000>", NUMBER, &[
        ("<0x7000800>", "0x7000800; it must be a multiple of 0x1000"), ("<0x10000 0>", "0x1000000000000; it must be 0x0 to 0xfffffffff000")]),
    must(FVP_SPMC, "/hypervisor/vm1", "vcpu_count = <8>", NUMBER, &[("<0>", "0x0; it must be 0x1 to 0x100"), ("<257>", "0x101; it must be 0x1 to 0x100")]),
    must(FVP_SPMC, "/hypervisor/vm1", "mem_size = <0x100000>", NUMBER, &[
        ("<0>", "0x0; it must be 0x1000 to 0xfffff9000000"), ("<0x100800>", "0x100800; it must be a multiple of 0x1000"),
        ("<0x10000 0>", "0x1000000000000; it must be 0x1000 to 0xfffff9000000")]),
    may(FVP_SPMC, "/hypervisor/vm1", "smc_whitelist = <0x82000100>", CELLS, &[]),
    may(FVP_SPMC, "/hypervisor/vm5", "smc_whitelist_permissive", FLAG, &[]),
    may(FVP_SPMC, "/hypervisor", "mem_transactions = <2000>", NUMBER, &[("<65536>", "0x10000; it must be 0x0 to 0xffff")]),
    may(FVP_SPMC, "/hypervisor", "mem_ranges = <0>", NUMBER, &[("<0x100001>", "0x100001; it must be 0x0 to 0x100000")]),
    may(FVP_SPMC, "/hypervisor/vm1", "mem_transactions = <16>", NUMBER, &[("<65536>", "0x10000; it must be 0x0 to 0xffff")]),
    may(FVP_SPMC, "/hypervisor/vm1", "mem_ranges = <64>", NUMBER, &[("<0x100001>", "0x100001; it must be 0x0 to 0x100000")]),
    may(FVP_SPMC, "/cpus", "#address-cells = <0x2>", NUMBER, &[("<0>", "0x0; it must be 0x1 to 0x2"), ("<3>", "0x3; it must be 0x1 to 0x2")]),
    absent(may(FVP_SPMC, "/cpus/cpu@0", "device_type = \"cpu\"", STRING, &[("\"gpu\"", "\"gpu\"; it must be \"cpu\"")]), "\"cpu\""),
    must(FVP_SPMC, "/cpus/cpu@103", "reg = <0x0 0x10300>", CELLS, &[
        ("<1>", "1 cells; it must be a list of numbers of 2 cells each"), ("<0 0>", "0x0, as in cpu@0; it must be unique"),
        ("<0 0x80000000>", "0x80000000; it must be within 0xff00ffffff"), ("<0x100 0>", "0x10000000000; it must be within 0xff00ffffff")]),
    absent(may(FVP_SPMC, "/memory@0", "device_type = \"memory\"", STRING, &[("\"ram\"", "\"ram\"; it must be {KINDS}")]), KINDS),
    must(FVP_SPMC, "/memory@3", "reg = <0x0 0x1c0b0000 0x20000>", CELLS, &[
        ("<0 0x1c0b0000>", "2 cells; it must be pairs of 2 cells of address and 1 of size"), ("<0 0x1c0b0000 0>", "0x1c0b0000, 0x0 bytes; {RANGE} is empty"),
        ("<0 0x1c0b0800 0x1000>", "0x1c0b0800, 0x1000 bytes; {RANGE} is not aligned to 4 KB"),
        ("<0xffff 0xfffff000 0x2000>", "0xfffffffff000, 0x2000 bytes; {RANGE} ends beyond 48 bits")]),
];

impl Property {
    fn name(&self) -> &'static str {
        self.text.split_once(" =").map_or(self.text, |(name, _)| name)
    }

    /// The message with which the source is refused when the property is another text.
    fn refused(&self, text: &str) -> String {
        let begin = match self.node.rsplit_once('/') {
            Some((_, name)) if !name.is_empty() => self.source.find(&format!("{name} {{")).expect(name),
            _ => 0,
        };
        // Behind a space or a tab: not the end of another name.
        let mut found = self.source.match_indices(self.text).map(|(at, _)| at).filter(|at| *at > begin);
        let at = found.find(|at| self.source[..*at].ends_with(['\t', ' '])).expect(self.text);
        let source = format!("{}{text}{}", &self.source[..at], &self.source[at + self.text.len()..]);
        let vcpus = if source.contains("execution-ctx-count = <1>") { 1 } else { 4 };
        let result = match self.source == FVP_SPMC {
            true => spmc_of(&source).map(|_| ()),
            false => partition_of(&source, vcpus).map(|_| ()),
        };
        result.expect_err(text).to_string()
    }
}

fn properties() -> impl Iterator<Item = &'static Property> {
    PARTITION.iter().chain(SPMC_MANIFEST)
}

#[test]
fn a_value_of_the_wrong_form_is_refused() {
    for property in properties() {
        let (node, name, form) = (property.node, property.name(), property.form);
        let message = property.refused(&format!("{name} = [01 02 03]"));
        assert_eq!(message, format!("{node}: `{name}` has 3 bytes (0x010203); it must be {form}"));
    }
}

#[test]
fn mandatory_properties_must_be_there() {
    for property in properties() {
        let Some(expected) = property.missing else { continue };
        let (node, name) = (property.node, property.name());
        let message = property.refused(&format!("x-{name} = <0>"));
        assert_eq!(message, format!("{node}: `{name}` is missing; it must be {expected}"));
    }
}

#[test]
fn values_must_be_within_their_limits() {
    let words = [
        ("{ADDRESS}", ADDRESS),
        ("{UUID}", UUID),
        ("{METHODS}", METHODS),
        ("{SENDERS}", SENDERS),
        ("{SERVICE}", SERVICE),
        ("{ENTRY}", ENTRY),
        ("{KINDS}", KINDS),
        ("{RIGHTS}", RIGHTS),
        ("{DEVICE_RIGHTS}", DEVICE_RIGHTS),
        ("{INTERRUPTS}", INTERRUPTS),
        ("{RANGE}", RANGE),
    ];
    for property in properties() {
        for (value, message) in property.bad {
            let (node, name) = (property.node, property.name());
            let message =
                words.iter().fold((*message).to_string(), |text, (from, to)| text.replace(from, to));
            let found = property.refused(&format!("{name} = {value}"));
            assert_eq!(found, format!("{node}: `{name}` is {message}"));
        }
    }
}

#[test]
fn every_property_that_is_read_is_in_the_table() {
    let names: Vec<&str> = PARTITION.iter().map(Property::name).collect();
    let nodes = [
        "services",
        "allowed-senders",
        "boot-info",
        "memory-regions",
        "device-regions",
        "rx_tx-info",
        "live-state-buffer-info",
    ];
    for name in partition::USED {
        assert!(names.contains(name) || nodes.contains(name), "{name}");
    }
}

#[test]
fn every_property_is_in_the_page_on_manifests() {
    let page = include_str!("../../../../../manifests/README.md");
    for property in properties() {
        assert!(page.contains(&format!("| `{}`", property.name())), "{}", property.name());
    }
}
