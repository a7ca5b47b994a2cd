use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which tables to leave out: `schema.table`, where each side may hold `*` for any run of characters. A side that holds a
/// dot, a star or a double quote in its own name is written in double quotes, as in SQL; stars inside quotes are literal.
/// Case counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    text: String,
    schema: Glob,
    table: Glob,
}

/// The text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid table pattern {text:?}: {problem}; expected schema.table, where * stands for any characters")]
pub struct InvalidPattern {
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl Pattern {
    /// Whether the table is meant.
    #[must_use]
    pub fn matches(&self, schema: &str, table: &str) -> bool {
        self.schema.matches(schema) && self.table.matches(table)
    }
}

/// Whether any pattern leaves the table out.
#[must_use]
pub fn excluded(exclude: &[Pattern], schema: &str, name: &str) -> bool {
    exclude.iter().any(|pattern| pattern.matches(schema, name))
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |problem| InvalidPattern {
            text: text.to_owned(),
            problem,
        };
        let (schema, rest) = Glob::parse(text).map_err(invalid)?;
        let rest = rest.strip_prefix('.').ok_or_else(|| invalid("it has no dot"))?;
        let (table, rest) = Glob::parse(rest).map_err(invalid)?;
        if !rest.is_empty() {
            return Err(invalid("it goes on after the table's name"));
        }
        Ok(Pattern {
            text: text.to_owned(),
            schema,
            table,
        })
    }
}

impl TryFrom<String> for Pattern {
    type Error = InvalidPattern;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.text
    }
}

/// Literal pieces with any run of characters between them: `a*b` is `["a", "b"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Glob(Vec<String>);

impl Glob {
    /// Takes one side of a pattern off the front of `text`; answers it and the rest.
    fn parse(text: &str) -> Result<(Glob, &str), &'static str> {
        if let Some(quoted) = text.strip_prefix('"') {
            return Self::parse_quoted(quoted);
        }
        let end = text.find('.').unwrap_or(text.len());
        let (side, rest) = text.split_at(end);
        if side.is_empty() {
            return Err("a side of it is empty");
        }
        if side.contains('"') || side.trim() != side {
            return Err("a quote or space stands where none may");
        }
        Ok((Glob(side.split('*').map(str::to_owned).collect()), rest))
    }

    /// The same after an opening quote: a doubled quote is one, and there are no stars.
    fn parse_quoted(text: &str) -> Result<(Glob, &str), &'static str> {
        let mut name = String::new();
        let mut rest = text;
        loop {
            let (before, after) = rest.split_once('"').ok_or("a quote is not closed")?;
            name.push_str(before);
            match after.strip_prefix('"') {
                Some(after) => {
                    name.push('"');
                    rest = after;
                }
                None if name.is_empty() => return Err("a side of it is empty"),
                None => return Ok((Glob(vec![name]), after)),
            }
        }
    }

    fn matches(&self, name: &str) -> bool {
        let (first, more) = self.0.split_first().expect("splitting yields at least one piece");
        let Some((last, middle)) = more.split_last() else {
            return name == first;
        };
        let Some(mut rest) = name.strip_prefix(first.as_str()) else {
            return false;
        };
        for piece in middle {
            let Some(at) = rest.find(piece.as_str()) else {
                return false;
            };
            rest = &rest[at + piece.len()..];
        }
        rest.ends_with(last.as_str())
    }
}

#[cfg(test)]
mod tests;
