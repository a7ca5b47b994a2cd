use serde::Deserialize;
use serde_json::Value;

use super::LeftOut;
use crate::printable::printable;

/// Conflicts, the latest first.
#[derive(Deserialize)]
pub(super) struct Listed {
    conflicts: Vec<Entry>,
    next_before: Option<i64>,
    left_out: LeftOut,
}

#[derive(Deserialize)]
struct Entry {
    id: i64,
    table: String,
    key: Value,
    kind: String,
    policy: String,
    local: Value,
    remote: Value,
    local_stamp: Stamp,
    remote_stamp: Stamp,
    verdict: String,
    resolved_at: String,
}

#[derive(Deserialize)]
struct Stamp {
    transaction: String,
    time: String,
}

impl Listed {
    pub(super) fn text(&self) -> String {
        let mut text: String = self.conflicts.iter().map(Entry::text).collect();
        if text.is_empty() {
            text += "no conflicts\n";
        }
        if let Some(before) = self.next_before {
            text += &format!("\nthere are more: --before {before}\n");
        }
        text + &self.left_out.text()
    }
}

impl Entry {
    fn text(&self) -> String {
        let Entry {
            id,
            kind,
            policy,
            verdict,
            resolved_at,
            ..
        } = self;
        let (table, key) = (printable(&self.table), printable(&self.key.to_string()));
        format!("{id}  {resolved_at}  {table} {key}  {kind}  {policy}: {verdict}\n")
            + &side("local ", &self.local, &self.local_stamp)
            + &side("remote", &self.remote, &self.remote_stamp)
    }
}

/// A row as one of the two writes has it.
fn side(name: &str, image: &Value, stamp: &Stamp) -> String {
    let row = match image {
        Value::Null => "(no row)".to_owned(),
        // What the daemon says in place of an image.
        Value::String(note) => format!("({})", printable(note)),
        image @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            printable(&image.to_string())
        }
    };
    format!("    {name}  {}  {}  {row}\n", stamp.transaction, stamp.time)
}
