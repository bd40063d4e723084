//! Compiles the part of the device-tree source language that manifests use, so that tests need no `dtc`.
//!
//! Nodes, labels, comments, and property values made of `<cells>` (numbers and `&label`), `"strings"` and
//! `[bytes]`. No preprocessor, no includes, no deletions: what is not understood panics with its line.

use std::collections::BTreeMap;

use vm_fdt::FdtWriter;

/// The blob of a source.
///
/// # Panics
/// On what it does not understand: sources are part of the tests.
#[must_use]
pub fn compile(source: &str) -> Vec<u8> {
    let tokens = tokens(source);
    let mut labels = BTreeMap::new();
    for pair in tokens.windows(2) {
        if let [Token { text: label, .. }, Token { text: ":", .. }] = pair {
            let phandle = u32::try_from(labels.len() + 1).unwrap();
            labels.insert(*label, phandle);
        }
    }
    let mut reader = Reader { tokens: &tokens, at: 0, labels };
    reader.expect("/dts-v1/");
    reader.expect(";");
    reader.expect("/");
    let mut writer = FdtWriter::new().unwrap();
    reader.node("", None, &mut writer);
    assert_eq!(reader.at, tokens.len(), "text behind the root node");
    writer.finish().unwrap()
}

struct Token<'a> {
    text: &'a str,
    line: usize,
}

/// Splits a source into names and numbers, strings with their quotes, and punctuation.
fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = source;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "#,._+-@/&".contains(c);
    while let Some(first) = rest.chars().next() {
        let line = source[..source.len() - rest.len()].lines().count() + 1;
        let length = if rest.starts_with("/*") {
            rest.find("*/").unwrap_or_else(|| panic!("line {line}: a comment without an end")) + 2
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if first == '"' {
            rest[1..].find('"').unwrap_or_else(|| panic!("line {line}: a string without an end")) + 2
        } else if is_name(first) {
            rest.find(|c| !is_name(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let text = &rest[..length];
        if !text.starts_with("/*") && !text.starts_with("//") && !first.is_whitespace() {
            tokens.push(Token { text, line });
        }
        rest = &rest[length..];
    }
    tokens
}

struct Reader<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
    labels: BTreeMap<&'a str, u32>,
}

impl<'a> Reader<'_, 'a> {
    fn next(&mut self) -> &'a str {
        let token = self.tokens.get(self.at).expect("the source ends too early");
        self.at += 1;
        token.text
    }

    fn expect(&mut self, text: &str) {
        let found = self.next();
        assert_eq!(found, text, "line {}", self.tokens[self.at - 1].line);
    }

    /// A node from its brace on.
    fn node(&mut self, name: &str, phandle: Option<u32>, writer: &mut FdtWriter) {
        let node = writer.begin_node(name).unwrap();
        if let Some(phandle) = phandle {
            writer.property_phandle(phandle).unwrap();
        }
        self.expect("{");
        loop {
            let name = self.next();
            let line = self.tokens[self.at - 1].line;
            match (name, self.tokens[self.at].text) {
                ("}", ";") => break self.at += 1,
                (label, ":") => {
                    self.at += 1;
                    let name = self.next();
                    let phandle = self.labels[label];
                    self.node(name, Some(phandle), writer);
                }
                (_, "{") => self.node(name, None, writer),
                (_, ";") => {
                    self.at += 1;
                    writer.property_null(name).unwrap();
                }
                (_, "=") => {
                    self.at += 1;
                    let value = self.value();
                    writer.property(name, &value).unwrap();
                }
                (_, other) => panic!("line {line}: {other:?} behind {name:?}"),
            }
        }
        writer.end_node(node).unwrap();
    }

    /// A property's value, with the semicolon behind it.
    fn value(&mut self) -> Vec<u8> {
        let mut value = Vec::new();
        loop {
            match self.next() {
                "<" => loop {
                    match self.next() {
                        ">" => break,
                        cell => value.extend(self.cell(cell).to_be_bytes()),
                    }
                },
                "[" => loop {
                    match self.next() {
                        "]" => break,
                        bytes => value.extend(
                            (0..bytes.len())
                                .step_by(2)
                                .map(|at| u8::from_str_radix(&bytes[at..at + 2], 16).unwrap()),
                        ),
                    }
                },
                string => {
                    let inner = string.strip_prefix('"').and_then(|s| s.strip_suffix('"'));
                    value.extend(inner.unwrap_or_else(|| panic!("{string:?} is no value")).bytes());
                    value.push(0);
                }
            }
            match self.next() {
                "," => {}
                ";" => return value,
                other => panic!("{other:?} behind a value"),
            }
        }
    }

    fn cell(&self, text: &str) -> u32 {
        if let Some(label) = text.strip_prefix('&') {
            return self.labels[label];
        }
        let number = match text.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => text.parse(),
        };
        number.unwrap_or_else(|error| panic!("{text:?} is no cell: {error}"))
    }
}
