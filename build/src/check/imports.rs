//! The import rules: who may name whom in the manager and in the image (ARCHITECTURE.md, "The rooms").

use std::path::Path;

use anyhow::{Context, Result};

use super::source::Source;

/// A room of the manager, and the rooms it may name.
const MANAGER: &[(&str, &[&str])] = &[
    ("endpoint", &[]),
    ("sync", &[]),
    ("order", &["sync"]),
    ("exit", &["endpoint"]),
    ("hardware", &["endpoint", "exit", "memory"]),
    ("config", &["endpoint", "memory"]),
    ("abi", &["endpoint", "exit", "config", "memory"]),
    ("memory", &["endpoint", "order", "sync", "hardware", "config"]),
    ("manifest", &["endpoint", "memory", "config", "hardware"]),
    ("state", &["endpoint", "order", "sync", "hardware", "memory", "config", "exit", "abi"]),
    ("calls", &["endpoint", "order", "hardware", "memory", "config", "exit", "abi", "state", "spmc"]),
    (
        "spmc",
        &[
            "endpoint", "order", "hardware", "memory", "config", "exit", "abi", "state", "calls", "manifest",
            "sync",
        ],
    ),
    ("fakes", &["endpoint", "exit", "hardware", "memory", "config", "order", "sync"]),
];

/// What the image may name of the manager.
const IMAGE: &[&str] = &["spmc", "exit", "hardware", "manifest", "config", "endpoint", "memory"];

/// The only files in which `cfg` may choose code: `lib.rs` names the fakes and `no_std`.
const CONDITIONAL: &[&str] = &["lib", "sync", "fakes"];

/// The violations of one file of the manager; `path` is relative to the manager's `src`.
///
/// # Errors
/// If the text is not Rust.
pub fn manager(path: &Path, text: &str) -> Result<Vec<String>> {
    let source = Source::parse(text).with_context(|| path.display().to_string())?;
    let module = module_of(path);
    let room = module.first().map_or("lib", String::as_str);
    let mut found = Vec::new();
    let mut report = |line: usize, what: String| found.push(format!("{}:{line}: {what}", path.display()));

    let allowed = MANAGER.iter().find(|(name, _)| *name == room).map(|(_, allowed)| *allowed);
    if room != "lib" && allowed.is_none() {
        report(1, format!("the room `{room}` has no import rule"));
    }
    for (names, line) in &source.paths {
        let Some(target) = resolve(&module, names) else { continue };
        let Some(other) = target.first().filter(|other| MANAGER.iter().any(|(name, _)| name == other)) else {
            continue;
        };
        if room == "lib" {
            continue;
        }
        if other != room && !allowed.unwrap_or(&[]).contains(&other.as_str()) {
            report(*line, format!("`{room}` must not import `{other}`"));
        }
        if let ("state", "state", [_, sibling, ..]) = (room, other.as_str(), &target[..])
            && !composes(&module, sibling)
        {
            report(*line, format!("a file of `state` must not import its sibling `{sibling}`"));
        }
    }
    for word in ["unsafe", "asm", "global_asm", "naked_asm"] {
        if let Some(line) = source.words.get(word) {
            report(*line, format!("`{word}` has no place in the manager"));
        }
    }
    if !CONDITIONAL.contains(&room) {
        for (name, line) in &source.attributes {
            if name.starts_with("cfg") {
                report(*line, "`cfg` may stand in sync.rs and fakes.rs only".to_owned());
            }
        }
    }
    if let Some(line) = source.words.get("fdt").filter(|_| module != ["manifest", "tree"]) {
        report(*line, "only manifest/tree.rs may use the crate `fdt`".to_owned());
    }
    if room != "abi" && room != "fakes" {
        for line in &source.registers {
            report(*line, "only abi.rs may put a value into a register".to_owned());
        }
    }
    for name in ["from_regs", "to_regs"] {
        if let Some(line) = source.words.get(name) {
            report(*line, format!("`{name}` of arm-ffa asserts on ordinary input: abi.rs decodes"));
        }
    }
    Ok(found)
}

/// The violations of one file of the image.
///
/// # Errors
/// If the text is not Rust.
pub fn image(path: &Path, text: &str) -> Result<Vec<String>> {
    let source = Source::parse(text).with_context(|| path.display().to_string())?;
    let report = |(names, line): &(Vec<String>, usize)| {
        let room = names.get(1).filter(|_| names[0] == "manager")?;
        let forbidden = MANAGER.iter().any(|(name, _)| name == room) && !IMAGE.contains(&room.as_str());
        forbidden
            .then(|| format!("{}:{line}: the image must not import `{room}` of the manager", path.display()))
    };
    Ok(source.paths.iter().filter_map(report).collect())
}

/// The two kinds of endpoint are composed of the other files of `state`, an inbox of buffers and notifications, a
/// context of interrupts and a timer; `mod.rs` is their list; a file may name itself.
fn composes(module: &[String], other: &str) -> bool {
    let own = module.get(1).map(String::as_str);
    // A type of `state/mod.rs` itself is above the files, not beside them.
    let is_type = other.starts_with(char::is_uppercase);
    matches!(own, None | Some("partition" | "normal" | "inbox" | "vcpu")) || own == Some(other) || is_type
}

/// `calls/direct.rs` is `[calls, direct]`, `calls/mod.rs` is `[calls]`, `lib.rs` is `[]`.
fn module_of(path: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(names.last().map(String::as_str), Some("mod" | "lib")) {
        names.pop();
    }
    names
}

/// The path from the crate's root, if it names this crate.
fn resolve(module: &[String], names: &[String]) -> Option<Vec<String>> {
    let ups = names.iter().take_while(|name| *name == "super").count();
    let (base, rest) = match names[0].as_str() {
        "crate" => (&[][..], &names[1..]),
        "self" => (module, &names[1..]),
        "super" => (&module[..module.len().checked_sub(ups)?], &names[ups..]),
        _ => return None,
    };
    Some(base.iter().chain(rest).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(path: &str, text: &str) -> Vec<String> {
        manager(Path::new(path), text).unwrap()
    }

    #[test]
    fn the_manager_imports_downwards_only() {
        assert!(violations("calls/direct.rs", "use crate::state::vcpu::Vcpu;").is_empty());
        assert_eq!(violations("state/vcpu.rs", "use crate::{endpoint::VcpuId, calls::direct};").len(), 1);
        assert_eq!(violations("endpoint.rs", "fn f() { crate::abi::word(0) }").len(), 1);
    }

    #[test]
    fn state_files_do_not_import_one_another() {
        for text in ["use super::cpu::Cpu;", "use crate::state::cpu::Cpu;"] {
            assert_eq!(violations("state/mailbox.rs", text).len(), 1, "{text}");
            assert!(violations("state/partition.rs", text).is_empty(), "{text}");
        }
        assert!(violations("state/mailbox.rs", "use super::{Model, ModelKind};").is_empty());
        assert_eq!(violations("state/mailbox.rs", "use super::{Model, cpu::Cpu};").len(), 1);
    }

    #[test]
    fn only_sync_and_fakes_choose_code() {
        let text = "#[cfg(feature = \"fakes\")] fn f() {}";
        assert_eq!(violations("state/vcpu.rs", text).len(), 1);
        assert!(violations("sync.rs", text).is_empty());
    }

    #[test]
    fn the_manager_has_neither_unsafe_nor_assembler() {
        assert_eq!(violations("spmc.rs", "fn f() { unsafe { core::arch::asm!(\"nop\") } }").len(), 2);
    }

    #[test]
    fn one_file_knows_the_crate_fdt() {
        assert_eq!(violations("manifest/spmc.rs", "use fdt::Fdt;").len(), 1);
        assert!(violations("manifest/tree.rs", "use fdt::Fdt;").is_empty());
    }

    #[test]
    fn one_file_encodes_registers() {
        let text = "fn f(frame: &mut Frame) { frame.x[3] = 1; }";
        assert_eq!(violations("calls/direct.rs", text).len(), 1);
        assert!(violations("abi.rs", text).is_empty());
    }

    #[test]
    fn the_image_sees_the_seam_only() {
        let check = |text| image(Path::new("main.rs"), text).unwrap().len();
        assert_eq!(check("use manager::{calls, spmc::Spmc};"), 1);
        assert_eq!(check("use manager::exit::Next;"), 0);
    }

    #[test]
    fn a_new_room_needs_a_rule() {
        assert_eq!(violations("common.rs", "").len(), 1);
    }
}
