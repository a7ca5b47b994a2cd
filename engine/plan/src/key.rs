//! When two keys are the same row: PostgreSQL's equality on text output.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// How two values of a column are told to be equal by their text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyClass {
    /// Equal values have equal text: integers, text under deterministic collations, uuid, dates, …
    Exact,
    /// `numeric`: 1.0 = 1.00.
    Numeric,
    /// `float4`, `float8`: 0 = -0.
    Float,
    /// `character(n)`: trailing blanks do not count.
    Bpchar,
    /// `citext`: letter case does not count.
    Citext,
    /// `interval`: 1 day = 24 hours, 1 month = 30 days.
    Interval,
    /// `jsonb`: its numbers are `numeric`.
    Jsonb,
}

impl KeyClass {
    /// The class of a built-in type, by the OID PostgreSQL fixes for it in `pg_type.dat`.
    #[must_use]
    pub const fn of_builtin(type_oid: u32) -> KeyClass {
        match type_oid {
            1700 => KeyClass::Numeric,
            700 | 701 => KeyClass::Float,
            1042 => KeyClass::Bpchar,
            1186 => KeyClass::Interval,
            3802 => KeyClass::Jsonb,
            _ => KeyClass::Exact,
        }
    }

    /// The canonical form of `text`: equal values have equal canonical forms, different values different ones.
    #[must_use]
    pub fn canonical(self, text: &[u8]) -> Cow<'_, [u8]> {
        match self {
            KeyClass::Exact => Cow::Borrowed(text),
            KeyClass::Numeric => Cow::Borrowed(numeric(text)),
            KeyClass::Float if text == b"-0" => Cow::Borrowed(b"0"),
            KeyClass::Float => Cow::Borrowed(text),
            KeyClass::Bpchar => Cow::Borrowed(text.trim_ascii_end()),
            KeyClass::Citext => match std::str::from_utf8(text) {
                Ok(text) => Cow::Owned(text.to_lowercase().into_bytes()),
                Err(_) => Cow::Owned(text.to_ascii_lowercase()),
            },
            KeyClass::Jsonb => Cow::Owned(jsonb(text)),
            KeyClass::Interval => match interval_micros(text) {
                Some(micros) => Cow::Owned(micros.to_string().into_bytes()),
                None => Cow::Borrowed(text),
            },
        }
    }
}

fn numeric(text: &[u8]) -> &[u8] {
    if !text.contains(&b'.') {
        return text;
    }
    let mut end = text.len();
    while end > 0 && text[end - 1] == b'0' {
        end -= 1;
    }
    if end > 0 && text[end - 1] == b'.' {
        end -= 1;
    }
    &text[..end]
}

/// `jsonb_out` gives objects one order and one spacing; what is left are the numbers' zeros.
fn jsonb(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.first() {
        let length = match first {
            b'"' => string_length(rest),
            b'-' | b'0'..=b'9' => {
                let end = rest
                    .iter()
                    .position(|b| !matches!(b, b'-' | b'.' | b'0'..=b'9'))
                    .unwrap_or(rest.len());
                out.extend_from_slice(numeric(&rest[..end]));
                rest = &rest[end..];
                continue;
            }
            _ => 1,
        };
        out.extend_from_slice(&rest[..length]);
        rest = &rest[length..];
    }
    out
}

/// Length of the JSON string that `text` begins with, quotes included.
fn string_length(text: &[u8]) -> usize {
    let mut escaped = false;
    let end = text.iter().skip(1).position(|b| {
        let closes = *b == b'"' && !escaped;
        escaped = *b == b'\\' && !escaped;
        closes
    });
    end.map_or(text.len(), |at| at + 2)
}

/// Total microseconds as `interval_cmp_value` counts them, from text under `IntervalStyle = postgres`:
/// `1 year 2 mons -3 days +04:05:06.789`.
fn interval_micros(text: &[u8]) -> Option<i128> {
    const DAY: i128 = 86_400_000_000;
    let mut total = 0;
    let mut words = std::str::from_utf8(text).ok()?.split(' ');
    while let Some(word) = words.next() {
        if word.contains(':') {
            total += clock_micros(word)?;
        } else {
            let count: i128 = word.parse().ok()?;
            total += count
                * match words.next()?.trim_end_matches('s') {
                    "year" => 360 * DAY,
                    "mon" => 30 * DAY,
                    "day" => DAY,
                    _ => return None,
                };
        }
    }
    Some(total)
}

fn clock_micros(word: &str) -> Option<i128> {
    let (sign, clock) = match word.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, word.trim_start_matches('+')),
    };
    let mut parts = clock.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let micros: i128 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    let number = |text: &str| text.parse::<i128>().ok();
    Some(sign * (((number(hours)? * 60 + number(minutes)?) * 60 + number(whole)?) * 1_000_000 + micros))
}
