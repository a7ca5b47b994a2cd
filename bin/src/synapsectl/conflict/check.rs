use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::columns::{aligned, row};
use crate::exit::Exit;
use crate::printable::printable;

/// What came of trying a function.
#[derive(Deserialize)]
pub(super) struct Checked {
    table: String,
    function: String,
    rows: usize,
    holds: bool,
    complete: bool,
    laws: Vec<Law>,
}

#[derive(Deserialize)]
struct Law {
    law: String,
    tried: usize,
    holds: bool,
    counterexample: Option<Counterexample>,
}

#[derive(Deserialize)]
struct Counterexample {
    arguments: Vec<Argument>,
    sides: Vec<Side>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Argument {
    name: String,
    /// As it came, so that no digit is lost.
    row: Box<RawValue>,
    stamp: Value,
}

#[derive(Deserialize)]
struct Side {
    call: String,
    result: Option<Box<RawValue>>,
}

impl Checked {
    /// Whether a law was broken.
    pub(super) fn exit(&self) -> Exit {
        if self.holds { Exit::Done } else { Exit::No }
    }

    pub(super) fn text(&self) -> String {
        let Checked { function, rows, .. } = self;
        let table = printable(&self.table);
        let mut text = format!("{function} on {table}: {rows} rows of the table, and rows made from them\n");
        let mut lines = vec![row(["LAW", "HOLDS", "CASES"])];
        lines.extend(self.laws.iter().map(|law| {
            let holds = if law.holds { "yes" } else { "no" };
            row([law.law.as_str(), holds, &law.tried.to_string()])
        }));
        text += &aligned(&lines);
        if !self.complete {
            text += "the time was over before all cases were tried\n";
        }
        text + &self.laws.iter().map(Law::example).collect::<String>()
    }
}

impl Law {
    fn example(&self) -> String {
        let Some(example) = &self.counterexample else {
            return String::new();
        };
        let mut text = match self.law.as_str() {
            "gives a row" => "\nit does not always give a row:\n".to_owned(),
            law => format!("\nnot {law}:\n"),
        };
        for Argument { name, row, stamp } in &example.arguments {
            let of = |field: &str| stamp[field].as_str().unwrap_or_default().to_owned();
            text += &format!(
                "    {name} = {}  {}  {}\n",
                printable(row.get()),
                of("node"),
                of("time")
            );
        }
        match &example.error {
            Some(error) => {
                let calls: Vec<&str> = example.sides.iter().map(|side| side.call.as_str()).collect();
                text += &format!("    {}: {}\n", calls.join(", or "), printable(error));
            }
            None => {
                for Side { call, result } in &example.sides {
                    let result = result
                        .as_ref()
                        .map_or("NULL".to_owned(), |result| printable(result.get()));
                    text += &format!("    {call} = {result}\n");
                }
            }
        }
        text
    }
}
