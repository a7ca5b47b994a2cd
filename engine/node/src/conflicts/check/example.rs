//! A case that broke a law, as it is shown.

use serde::Serialize;
use serde_json::value::RawValue;

/// The rows, and what the function made of them.
#[derive(Debug, Serialize)]
pub(crate) struct Counterexample {
    pub(crate) arguments: Vec<Argument>,
    /// What should have been equal; what was given is null where there was none.
    pub(crate) sides: Vec<Side>,
    /// What the server said, where the function raised an error.
    pub(crate) error: Option<String>,
}

/// One row with its stamp.
#[derive(Debug, Serialize)]
pub(crate) struct Argument {
    pub(crate) name: &'static str,
    pub(crate) row: Box<RawValue>,
    pub(crate) stamp: Box<RawValue>,
}

/// One of the two calls.
#[derive(Debug, Serialize)]
pub(crate) struct Side {
    pub(crate) call: &'static str,
    pub(crate) result: Option<Box<RawValue>>,
}

/// JSON as the server wrote it.
pub(super) fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).expect("PostgreSQL writes JSON")
}
