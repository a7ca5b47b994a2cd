//! Sums of counters, in the numbers that PostgreSQL's integers and `numeric` are.

use bigdecimal::{BigDecimal, Zero};
use synapse_engine_change::Value;

use crate::Error;

/// What a transaction made of a counter: its value before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added<'a> {
    /// Before.
    pub old: Value<'a>,
    /// After.
    pub new: Value<'a>,
    /// Whether a step of its batch writes it, unless the row drops out.
    pub planned: bool,
}

/// `base` with what each of these changes added, as text that PostgreSQL reads. NULL counts as 0; where nothing is anything
/// but NULL, the sum is too.
///
/// # Errors
/// [`Error::NoNumber`] for a value that nothing can be added to, like `NaN`.
pub fn sum<'a>(base: Value<'a>, changes: impl IntoIterator<Item = Added<'a>>) -> Result<Option<String>, Error> {
    let mut total = number(base)?;
    for Added { old, new, .. } in changes {
        if let Some(after) = number(new)? {
            let before = number(old)?.unwrap_or_else(BigDecimal::zero);
            total = Some(total.unwrap_or_else(BigDecimal::zero) + after - before);
        } else if let Some(before) = number(old)? {
            total = total.map(|total| total - before);
        }
    }
    Ok(total.map(|total| total.to_plain_string()))
}

fn number(value: Value<'_>) -> Result<Option<BigDecimal>, Error> {
    let text = match value {
        Value::Null | Value::Unchanged => return Ok(None),
        Value::Text(text) | Value::Binary(text) => text,
    };
    let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    parsed.map(Some).ok_or_else(|| Error::NoNumber {
        value: String::from_utf8_lossy(text).chars().take(40).collect(),
    })
}

#[cfg(test)]
mod tests;
