//! `keyword = value` strings, as `conninfo_parse` in `fe-connect.c` reads them.

use crate::error::Error;

/// Cuts the string into pairs, in order.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, Error> {
    let mut scanner = Scanner { text, offset: 0 };
    let mut pairs = Vec::new();
    loop {
        scanner.skip_spaces();
        if scanner.peek().is_none() {
            return Ok(pairs);
        }
        let keyword = scanner.keyword()?;
        scanner.skip_spaces();
        let value = if scanner.peek() == Some('\'') {
            scanner.quoted()?
        } else {
            scanner.bare()
        };
        pairs.push((keyword, value));
    }
}

/// The value as it must stand after `=`.
pub(super) fn quote(value: &str) -> String {
    let plain = |c: char| !c.is_ascii_whitespace() && c != '\x0B' && c != '\'' && c != '\\';
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('\'');
    for c in value.chars() {
        if c == '\'' || c == '\\' {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('\'');
    quoted
}

struct Scanner<'a> {
    text: &'a str,
    offset: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.offset..)?.chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.offset += c.len_utf8();
        Some(c)
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.bump();
        }
    }

    /// A keyword with its `=`, spaces allowed between them.
    fn keyword(&mut self) -> Result<String, Error> {
        let mut keyword = String::new();
        while let Some(c) = self.peek().filter(|c| *c != '=' && !is_space(*c)) {
            keyword.push(c);
            self.bump();
        }
        self.skip_spaces();
        if self.peek() != Some('=') {
            return Err(Error::DsnSyntax {
                offset: self.offset,
                expected: "= after the keyword",
            });
        }
        self.bump();
        Ok(keyword)
    }

    /// Up to the next space; a backslash takes the next character as it is.
    fn bare(&mut self) -> String {
        let mut value = String::new();
        while let Some(c) = self.peek().filter(|c| !is_space(*c)) {
            self.bump();
            if c != '\\' {
                value.push(c);
            } else if let Some(escaped) = self.bump() {
                value.push(escaped);
            }
        }
        value
    }

    /// Up to the closing quote; a backslash takes the next character as it is.
    fn quoted(&mut self) -> Result<String, Error> {
        self.bump();
        let mut value = String::new();
        loop {
            match self.bump() {
                None => {
                    return Err(Error::DsnSyntax {
                        offset: self.offset,
                        expected: "a closing quote",
                    });
                }
                Some('\'') => return Ok(value),
                Some('\\') => value.extend(self.bump()),
                Some(c) => value.push(c),
            }
        }
    }
}

/// C's `isspace`.
fn is_space(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\x0B'
}
