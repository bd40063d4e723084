//! Manifests that boot under the reference SPMC, and what is decided about each thing that a strict reader stumbles
//! over.

use std::format;

use arm_ffa::Version;
use uuid::uuid;

use super::super::load;
use super::ram::Ram;
use super::said::logged;
use super::*;
use crate::config::{
    AbortAction, AvailabilityMessages, Contexts, ExceptionLevel, Lifecycle, LiveActivation, NormalInterrupts,
    OtherSecureInterrupts, PowerMessages, SriPolicy, Streams, Trigger,
};
use crate::memory::page::Attributes;

const RW: Attributes = Attributes::READ.union(Attributes::WRITE);

/// What starts of these, and the lines that say why something is not as its manifest says.
fn loaded(spmc: &str, own: &Own, packages: &[(u64, &str)]) -> (Vec<PartitionConfig>, Vec<String>) {
    let (manifest, mut lines) = logged(|| spmc_of(spmc).unwrap());
    let (configs, more) = logged(|| load(&manifest, own, &mut Ram::with(packages)).unwrap());
    lines.extend(more);
    (configs, lines)
}

/// OP-TEE alone.
fn op_tee(spmc: &str, source: &str) -> (PartitionConfig, Vec<String>) {
    let (mut configs, lines) = loaded(spmc, &own(), &[(0xe30_0000, source)]);
    assert_eq!(configs.len(), 1, "{lines:?}");
    (configs.remove(0), lines)
}

#[test]
fn op_tee_of_its_own_build_is_accepted_with_the_decisions_made() {
    let managed_exit =
        "WARN: op-tee: managed exit is not there: interrupts of the Normal world preempt the partition";
    let said = [
        "WARN: op-tee: `execution-ctx-count` is 8; `vcpu_count` of the SPMC manifest, 4, wins",
        managed_exit,
        "INFO: op-tee: `id` 0x1 is ignored: its place in the SPMC manifest makes it 0x8001",
    ];
    for spmc in [OP_TEE_SPMC, OP_TEE_SPMC_ASCENDING] {
        let (config, lines) = op_tee(spmc, OP_TEE);
        assert_eq!(lines, said);
        assert_eq!(config.services[0].uuid, uuid!("486178e0-e7f8-11e3-bc5e-0002a5d5c51b"));
        assert_eq!((config.version, config.id().get()), (Version(1, 2), 0x8001));
        assert_eq!(config.contexts, Contexts::Pinned(4), "vcpu_count wins");
        assert_eq!((config.memory, config.entry), (range(0xe30_0000, 0xf00_0000), 0xe30_4000));
        assert_eq!(config.normal_interrupts, NormalInterrupts::ManagedExit { virq: false });
        assert_eq!(config.availability, AvailabilityMessages::all());
        assert!(config.notifications);
        let uart = &config.devices[0];
        assert_eq!(uart.region.range, range(0x904_0000, 0x904_1000));
        assert_eq!(uart.region.attributes, RW | Attributes::DEVICE);
        let interrupt = uart.interrupts[0];
        assert_eq!((interrupt.id, interrupt.priority, interrupt.secure), (0x28, 1, true));
        assert_eq!(interrupt.trigger, Trigger::Edge, "0x901");
    }
}

#[test]
fn op_tee_in_its_older_form_is_accepted() {
    let (config, lines) = op_tee(OP_TEE_SPMC_BARE, OP_TEE_1_1);
    assert!(lines.contains(
        &"WARN: SPMC manifest: no device memory is declared: partitions may have any device but the SPMC's own".into()
    ));
    assert!(lines.contains(
        &"WARN: SPMC manifest: no ns-memory is declared: the Normal world can map no buffers".into()
    ));
    assert_eq!(config.version, Version(1, 1));
    assert_eq!(config.availability, AvailabilityMessages::empty());
    assert_eq!(config.devices[0].interrupts[0].trigger, Trigger::Level, "0xb01");
}

#[test]
fn two_of_the_same_uuid_and_boot_order_differ_start_together() {
    let spmc = changed(OP_TEE_SPMC, "mem_size = <0xd00000>;", "mem_size = <0x40000>;");
    let second = "vm2 { is_ffa_partition; load_address = <0xe340000>; debug_name = \"second\"; vcpu_count = <4>; \
                  mem_size = <0x40000>; };\n\t};\n\n\tcpus {";
    let spmc = changed(&spmc, "};\n\n\tcpus {", second);
    let other = changed(OP_TEE, "boot-order = <0>;", "boot-order = <1>;");
    let (before, _) = other.split_once("\tdevice-regions").unwrap();
    let other = format!("{before}}};");
    let (configs, lines) = loaded(&spmc, &own(), &[(0xe30_0000, OP_TEE), (0xe34_0000, &other)]);
    assert_eq!(configs.len(), 2, "{lines:?}");
    assert_eq!(configs[0].services, configs[1].services);
}

/// The packages of the FVP, in the order of the partitions.
const FVP: [(u64, &str); 6] = [
    (0x700_0000, FVP_PRIMARY),
    (0x710_0000, FVP_SECONDARY),
    (0x720_0000, FVP_TERTIARY),
    (0x648_0000, FVP_LIVE),
    (0x628_0000, FVP_SERVICES),
    (0x760_0000, FVP_EL0),
];

/// What starts on the FVP. The tertiary partition finds its hand-off block list.
fn fvp() -> (Vec<PartitionConfig>, Vec<String>) {
    let manifest = spmc_of(FVP_SPMC).unwrap();
    let own =
        Own { memory: range(0x600_0000, 0x610_0000), devices: Vec::from([range(0x2f00_0000, 0x2f01_0000)]) };
    let mut ram = Ram::with(&FVP);
    let list = (0x720_2000 - ram.base) as usize;
    ram.bytes[list..list + 4].copy_from_slice(&[1, 0, 56, 0]);
    ram.bytes[list + 56..list + 60].copy_from_slice(&[0xFF, 0xFF, 8, 0]);
    logged(|| load(&manifest, &own, &mut ram).unwrap())
}

#[test]
fn partitions_of_the_fields_own_form_start() {
    let (configs, lines) = fvp();
    let names: Vec<_> = configs.iter().map(|config| config.name.as_str()).collect();
    assert_eq!(names, ["primary", "secondary", "tertiary", "live", "services", "el0"]);
    assert_eq!(lines.iter().find(|line| line.starts_with("ERROR")), None);
    assert_eq!(
        (configs[5].exception_level, configs[5].contexts),
        (ExceptionLevel::El0, Contexts::Migratable)
    );
    assert!(configs[0].smcs.allowed == [0x8200_0100] && configs[4].smcs.permissive);
    assert_eq!(configs[1].services[0].uuid, configs[4].services[0].uuid, "one protocol, two partitions");
}

#[test]
fn the_fvps_pes_keep_the_order_of_their_nodes() {
    let cpus = spmc_of(FVP_SPMC).unwrap().cpus;
    assert_eq!(cpus, [0, 0x1_0300, 0x1_0200, 0x1_0100, 0x1_0000, 0x300, 0x200, 0x100]);
}

#[test]
fn regions_interrupts_and_streams_are_read_as_written() {
    let (configs, _) = fvp();
    let primary = &configs[0];
    let names: Vec<_> = primary.regions.iter().map(|memory| memory.region.name.as_str()).collect();
    assert_eq!(
        names,
        ["rx-buffer", "tx-buffer", "share-memory", "part-of-its-own", "dma-secure", "dma-normal"]
    );
    assert_eq!(primary.buffers, Some((range(0x730_0000, 0x730_1000), range(0x730_1000, 0x730_2000))));
    assert_eq!(primary.regions[3].region.range, range(0x708_0000, 0x708_2000));
    let streams = Streams { smmu: 0, ids: Vec::from([0, 1]) };
    assert_eq!(primary.regions[4].streams, Some((streams.clone(), RW)));
    assert_eq!(primary.regions[5].region.range.space(), Space::Normal);
    assert_eq!(primary.regions[2].streams, None);
    let [engine, watchdog, no_device] = primary.devices.as_slice() else { panic!("three devices") };
    assert_eq!((&engine.streams, engine.exclusive), (&Some(streams), true));
    assert_eq!((watchdog.interrupts[0].id, watchdog.interrupts[0].target), (56, None));
    assert_eq!((no_device.interrupts[0].id, no_device.interrupts[0].target), (5000, Some(0x1_0200)));
    let normal = configs[2].regions[1].region.range;
    assert_eq!((normal.space(), normal.start()), (Space::Normal, 0x8800_8000_1000));
}

#[test]
fn what_interrupts_do_is_read_as_written() {
    let (configs, lines) = fvp();
    assert_eq!(configs[0].normal_interrupts, NormalInterrupts::ManagedExit { virq: false });
    assert_eq!(configs[1].normal_interrupts, NormalInterrupts::Queued);
    assert_eq!(configs[1].other_secure_interrupts, OtherSecureInterrupts::Queued);
    assert_eq!(configs[1].sri_policy, SriPolicy::all());
    assert_eq!(configs[2].normal_interrupts, NormalInterrupts::ManagedExit { virq: true }, "the older form");
    assert_eq!(configs[4].normal_interrupts, NormalInterrupts::Signalled, "the default");
    assert_eq!(configs[4].other_secure_interrupts, OtherSecureInterrupts::Signalled, "the default");
    assert_eq!(configs[4].sri_policy, SriPolicy::empty(), "the default");
    assert!(configs.iter().all(|config| !config.wfi_yields), "the default");
    for name in ["primary", "tertiary", "live"] {
        let said = format!("WARN: {name}: managed exit is not there: ");
        assert_eq!(lines.iter().filter(|line| line.starts_with(&said)).count(), 1, "{lines:?}");
    }
}

#[test]
fn what_messages_are_wanted_is_read_as_written() {
    let (configs, _) = fvp();
    assert_eq!(configs[0].power, PowerMessages::OFF);
    assert_eq!(configs[1].power, PowerMessages::all());
    assert_eq!(configs[2].power, PowerMessages::empty(), "one context: no PE is its own");
    assert_eq!(configs[4].power, PowerMessages::empty(), "the default");
    assert_eq!(configs[0].availability, AvailabilityMessages::all());
    assert_eq!(configs[1].availability, AvailabilityMessages::empty(), "the default");
    assert!(configs[0].notifications && !configs[1].notifications);
    assert!(configs.iter().all(|config| !config.rx_free), "the default");
}

#[test]
fn the_life_of_a_partition_is_read_as_written() {
    let (configs, lines) = fvp();
    let buffer = range(0x678_0000, 0x678_1000);
    let live_activation = Some(LiveActivation { register: 1, buffer });
    assert_eq!(configs[3].lifecycle, Some(Lifecycle { abort_action: AbortAction::Destroy, live_activation }));
    assert!(configs[3].image_uuid.is_some());
    let stopped = Lifecycle { abort_action: AbortAction::Stop, live_activation: None };
    assert_eq!(configs[4].lifecycle, Some(stopped), "the default");
    assert_eq!(configs[0].lifecycle, None);
    for (name, action) in [("live", "Destroy"), ("services", "Stop")] {
        let said = format!(
            "WARN: {name}: `abort-action` {action} is not there: if the partition fails, it is aborted for good"
        );
        assert_eq!(lines.iter().filter(|line| **line == said).count(), 1, "{lines:?}");
    }
}

#[test]
fn every_other_abort_action_is_read() {
    for (value, action) in [(0, AbortAction::Stop), (2, AbortAction::Restart), (3, AbortAction::Propagate)] {
        let source = changed(FVP_LIVE, "abort-action = <1>", &format!("abort-action = <{value}>"));
        assert_eq!(partition_of(&source, 1).unwrap().lifecycle.unwrap().abort_action, action);
    }
}

#[test]
fn an_image_uuid_may_be_a_string() {
    let (before, rest) = FVP_LIVE.split_once("image-uuid = <").unwrap();
    let (_, behind) = rest.split_once(">;").unwrap();
    let source = format!("{before}image-uuid = \"617d5bc4-b9a3-4ecb-949e-49b469bedaa5\";{behind}");
    let read = |source: &str| partition_of(source, 1).unwrap().image_uuid;
    assert_eq!(read(&source), Some(uuid!("617d5bc4-b9a3-4ecb-949e-49b469bedaa5")));
    assert_eq!(read(&source), read(FVP_LIVE));
}

#[test]
fn the_spmc_manifest_of_each_platform_names_what_is_there() {
    let sbsa = include_str!("../../../../../manifests/sbsa-ref/spmc.dts");
    let fvp = include_str!("../../../../../manifests/fvp/spmc.dts");
    // The preprocessor's lines begin in the first column, and say this.
    let plain = |source: &str| {
        let lines: Vec<_> = source.lines().filter(|line| !line.starts_with('#')).collect();
        lines.join("\n").replace("SPMC_BASE", "0x20008000")
    };
    for (source, base, first, normal) in
        [(sbsa, 0x2000_8000, 0x2030_0000, 1 << 40), (fvp, 0x600_0000, 0x730_0000, 0x8000_0000)]
    {
        let manifest = spmc_of(&plain(source)).unwrap();
        assert_eq!(manifest.image.0, base);
        assert_eq!((manifest.cpus.len(), manifest.vms[0].vcpus, manifest.vms[1].vcpus), (8, 8, 1));
        assert_eq!(manifest.vms[0].memory.start(), first);
        let memory = manifest.memory.iter().filter(|memory| !memory.device);
        let starts: Vec<_> = memory.map(|memory| memory.range.start()).collect();
        assert!(starts.contains(&first) && starts.contains(&normal), "{starts:x?}");
    }
}
