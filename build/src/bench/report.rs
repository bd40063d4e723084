//! The figures as a table, as Markdown and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::Figures;
use super::rows::{CALLS, REFERENCE_BOOT, REFERENCE_IMAGE, REFERENCE_RAM, ROWS};

/// How many symbols are shown for each row.
const SHOWN: usize = 12;

/// The table that stands in the README; it is read as plain text, too.
pub fn markdown(figures: &Figures) -> String {
    let mut out = format!(
        "Executed instructions for one call, averages over up to {CALLS} calls, one PE; in brackets the reference.\n\n\
         | call | EL3 | SPMC | partition | aim for the SPMC |\n|---|---|---|---|---|\n"
    );
    for (row, cost) in ROWS.iter().zip(&figures.counts.rows) {
        let [el3, spmc, partition] = match row.reference {
            Some(reference) => reference.map(|count| format!(" ({count})")),
            None => Default::default(),
        };
        let aim = row.aim.map_or_else(|| "-".to_owned(), |aim| aim.to_string());
        let _ = writeln!(
            out,
            "| {} | {:.0}{el3} | **{:.0}**{spmc} | {:.0}{partition} | {aim} |",
            row.name, cost.el3, cost.spmc, cost.partition
        );
    }
    let boot = &figures.counts.boot;
    let _ = writeln!(
        out,
        "| boot, two partitions | - | **{:.0}** ({REFERENCE_BOOT}) | {:.0} | - |",
        boot.spmc, boot.partition
    );
    let _ = writeln!(
        out,
        "\nImage: {} bytes ({REFERENCE_IMAGE}); RAM: {} bytes ({REFERENCE_RAM}).",
        figures.image, figures.ram
    );
    out
}

/// Where the SPMC spends its instructions, row by row.
pub fn symbols(figures: &Figures) -> String {
    let mut out = String::new();
    for (row, cost) in ROWS.iter().zip(&figures.counts.rows) {
        let _ = writeln!(out, "{}: {:.0} in the SPMC", row.name, cost.spmc);
        for (name, cost) in cost.dearest().into_iter().take(SHOWN) {
            let _ = writeln!(out, "    {cost:8.1}  {name}");
        }
    }
    out
}

/// Everything, for programs.
pub fn json(figures: &Figures) -> Value {
    let row = |name: &str, cost: &super::counts::Cost| json!({ "call": name, "el3": cost.el3, "spmc": cost.spmc, "partition": cost.partition, "symbols": cost.symbols });
    let rows: Vec<Value> =
        ROWS.iter().zip(&figures.counts.rows).map(|(known, cost)| row(known.name, cost)).collect();
    json!({
        "calls": CALLS,
        "rows": rows,
        "boot": row("boot", &figures.counts.boot),
        "image_bytes": figures.image,
        "ram_bytes": figures.ram,
    })
}
