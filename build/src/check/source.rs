//! A Rust source file as tokens: which paths it names and which words it uses, test modules left out.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// What the rules want to know of a file.
#[derive(Debug, Default)]
pub struct Source {
    /// Every path of two or more names, `use` trees flattened, with its line.
    pub paths: Vec<(Vec<String>, usize)>,
    /// Every identifier and keyword with the line of its first use.
    pub words: BTreeMap<String, usize>,
    /// Every attribute's first word with its line: `cfg`, `derive` ...
    pub attributes: Vec<(String, usize)>,
    /// The lines that assign to an element of a field `x`: a register of a frame.
    pub registers: Vec<usize>,
}

impl Source {
    /// Reads a file's text. What stands behind `#[cfg(test)]` is left out: the rules are for the product.
    ///
    /// # Errors
    /// If the text is not Rust.
    pub fn parse(text: &str) -> Result<Self> {
        let mut source = Self::default();
        let tokens: TokenStream =
            text.parse().map_err(|error| anyhow::anyhow!("{error}")).context("this is not Rust")?;
        source.walk(&tokens.into_iter().collect::<Vec<_>>());
        Ok(source)
    }

    fn walk(&mut self, tokens: &[TokenTree]) {
        let mut at = 0;
        while at < tokens.len() {
            at += self.attribute(&tokens[at..]).or_else(|| self.path(&tokens[at..])).unwrap_or_else(|| {
                self.single(at.checked_sub(1).map(|before| &tokens[before]), &tokens[at..]);
                1
            });
        }
    }

    /// Takes `#[...]` or `#![...]`, and the item behind it if that is for tests only.
    fn attribute(&mut self, tokens: &[TokenTree]) -> Option<usize> {
        let bang = usize::from(tokens.get(1).is_some_and(|token| is_punct(token, '!')));
        let (first, TokenTree::Group(group)) = (tokens.first()?, tokens.get(1 + bang)?) else { return None };
        if !is_punct(first, '#') || group.delimiter() != Delimiter::Bracket {
            return None;
        }
        let inner: Vec<TokenTree> = group.stream().into_iter().collect();
        let length = 2 + bang;
        if group.stream().to_string().replace(' ', "") == "cfg(test)" {
            let ends = |token: &TokenTree| match token {
                TokenTree::Group(body) => body.delimiter() == Delimiter::Brace,
                other => is_punct(other, ';'),
            };
            let item = tokens[length..].iter().position(ends).map_or(0, |end| end + 1);
            return Some(length + item);
        }
        if let Some(TokenTree::Ident(name)) = inner.first() {
            self.attributes.push((name.to_string(), line(&tokens[0])));
        }
        Some(length)
    }

    /// Takes a path of at least two names, with the tree in braces that may end it.
    fn path(&mut self, tokens: &[TokenTree]) -> Option<usize> {
        let (TokenTree::Ident(first), true) = (tokens.first()?, is_separator(tokens.get(1..)?)) else {
            return None;
        };
        let (mut names, mut at) = (vec![first.to_string()], 1);
        while is_separator(&tokens[at..]) {
            match tokens.get(at + 2) {
                Some(TokenTree::Ident(name)) => names.push(name.to_string()),
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                    self.tree(&names, group.stream());
                    at += 3;
                    self.name(names, &tokens[0]);
                    return Some(at);
                }
                _ => {
                    at += 2;
                    break;
                }
            }
            at += 3;
        }
        self.name(names, &tokens[0]);
        Some(at)
    }

    fn name(&mut self, names: Vec<String>, at: &TokenTree) {
        for name in &names {
            self.words.entry(name.clone()).or_insert(line(at));
        }
        self.paths.push((names, line(at)));
    }

    fn tree(&mut self, prefix: &[String], inside: TokenStream) {
        let mut nested = Self::default();
        nested.walk(&inside.clone().into_iter().collect::<Vec<_>>());
        let plain = inside.into_iter().collect::<Vec<_>>();
        for branch in plain.split(|token| is_punct(token, ',')) {
            if let (Some(TokenTree::Ident(name)), false) =
                (branch.first(), branch.get(1..).is_some_and(is_separator))
            {
                nested.paths.push((vec![name.to_string()], line(&branch[0])));
            }
        }
        for (names, line) in nested.paths {
            self.paths.push((prefix.iter().cloned().chain(names).collect(), line));
        }
        for (word, line) in nested.words {
            self.words.entry(word).or_insert(line);
        }
    }

    fn single(&mut self, before: Option<&TokenTree>, tokens: &[TokenTree]) {
        match &tokens[0] {
            TokenTree::Ident(word) => {
                let field = word == "x" && before.is_some_and(|token| is_punct(token, '.'));
                if field && assigns_element(&tokens[1..]) {
                    self.registers.push(line(&tokens[0]));
                }
                self.words.entry(word.to_string()).or_insert(line(&tokens[0]));
            }
            TokenTree::Group(group) => self.walk(&group.stream().into_iter().collect::<Vec<_>>()),
            _ => {}
        }
    }
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

/// `[...] =`, `[...] |=` and the like, but not `[...] ==`.
fn assigns_element(tokens: &[TokenTree]) -> bool {
    let [TokenTree::Group(index), rest @ ..] = tokens else { return false };
    let signs = rest.iter().map_while(|token| match token {
        TokenTree::Punct(punct) => Some(punct.as_char()),
        _ => None,
    });
    let signs: String = signs.take(3).collect();
    let sign = signs.trim_end_matches(['*', '&', '!', '-']);
    index.delimiter() == Delimiter::Bracket
        && matches!(sign, "=" | "|=" | "&=" | "+=" | "-=" | "^=" | "<<=" | ">>=")
}

fn is_separator(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [first, second, ..] if is_punct(first, ':') && is_punct(second, ':'))
}

fn line(token: &TokenTree) -> usize {
    token.span().start().line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        Source::parse(text).unwrap().paths.into_iter().map(|(names, _)| names.join("::")).collect()
    }

    #[test]
    fn use_trees_are_flattened() {
        let found = paths("use crate::{abi, state::{vcpu::Vcpu, cpu}};");
        for path in ["crate::abi", "crate::state::vcpu::Vcpu", "crate::state::cpu"] {
            assert!(found.iter().any(|name| name == path), "{path} is missing in {found:?}");
        }
    }

    #[test]
    fn a_path_inside_a_function_is_seen() {
        assert!(paths("fn f() { crate::calls::direct::request(1) }")[0].starts_with("crate::calls"));
    }

    #[test]
    fn test_modules_are_left_out() {
        let source = Source::parse("#[cfg(test)] mod tests { use crate::fakes; unsafe {} }").unwrap();
        assert!(source.paths.is_empty() && source.words.is_empty());
    }

    #[test]
    fn assigning_a_register_is_seen() {
        let text = "fn f(frame: &mut Frame) {\n frame.x[0] = 1;\n x[1] = 2;\n frame.x[1] |= !1;\n frame.x[3] == 2; }";
        assert_eq!(Source::parse(text).unwrap().registers, [2, 4]);
    }
}
