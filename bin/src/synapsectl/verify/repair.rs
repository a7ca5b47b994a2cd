//! `verify --repair`: rows that differ are made equal.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::json;

use super::token::{SoFar, Token};
use super::{PATIENCE, cut_off, joined, parsed};
use crate::api::Reach;
use crate::columns::{aligned, row};
use crate::exit::Exit;
use crate::follow::{Ended, Followed, follow};
use crate::output::{Output, narrate};

/// By what the right row is found.
pub(super) enum How {
    From(String),
    ByPolicy,
}

/// What is to be repaired, and how.
pub(super) struct Repair {
    pub(super) tables: Vec<String>,
    pub(super) how: How,
    pub(super) confirm: bool,
    pub(super) resume: Option<Token>,
}

#[derive(Deserialize)]
struct Table {
    table: String,
    equal: bool,
    different: u64,
    sends: BTreeMap<String, u64>,
    deletes: BTreeMap<String, u64>,
    repaired: u64,
    left: u64,
    remaining: u64,
    refused: Option<String>,
    rows: Vec<Planned>,
}

#[derive(Deserialize)]
struct Planned {
    key: serde_json::Value,
    act: Act,
    node: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Act {
    Send,
    Delete,
}

/// What was, or would be, done.
struct Report {
    equal: bool,
    confirmed: bool,
    tables: Vec<Table>,
}

impl Repair {
    pub(super) async fn run(self, reach: &Reach, output: Output) -> anyhow::Result<ExitCode> {
        let Repair {
            tables,
            how,
            confirm,
            resume,
        } = self;
        let (from, by_policy) = match how {
            How::From(node) => (Some(node), false),
            How::ByPolicy => (None, true),
        };
        let after = resume.as_ref().map(|token| &token.after);
        let wanted = json!({ "tables": tables, "from": from, "by_policy": by_policy, "confirm": confirm,
            "after": after, "follow": true });
        let call = reach.changing("/v1/repair", &wanted)?;
        let Followed { tables: raw, ended } = follow(call, PATIENCE).await?;
        let tables: Vec<Table> = parsed(&raw)?;
        let before = SoFar::of(resume.as_ref());
        match ended {
            Ended::Done(done) => {
                let report = Report {
                    equal: done.equal && before == SoFar::Equal,
                    confirmed: confirm,
                    tables,
                };
                let json = format!(
                    "{{\"equal\":{},\"confirmed\":{confirm},\"tables\":[{}]}}",
                    report.equal,
                    joined(&raw)
                );
                output.pass(&json, || report.text())?;
                let exit = report.exit();
                if exit == Exit::Refused {
                    narrate("nothing was done\nhint: say --confirm");
                }
                Ok(exit.into())
            }
            cut @ (Ended::Failed(_) | Ended::Interrupted) => {
                let equal = tables.iter().all(|table| table.equal);
                let last = tables.last().map(|table| table.table.clone());
                if output == Output::Text && last.is_some() {
                    let report = Report {
                        equal,
                        confirmed: confirm,
                        tables,
                    };
                    output.pass("", || report.tables_text())?;
                }
                cut_off(cut, Token::after(last, equal, resume))
            }
        }
    }
}

impl Report {
    fn exit(&self) -> Exit {
        let to_do = |table: &Table| !table.sends.is_empty() || !table.deletes.is_empty();
        if self.equal {
            Exit::Done
        } else if !self.confirmed && self.tables.iter().any(to_do) {
            Exit::Refused
        } else {
            Exit::No
        }
    }

    fn text(&self) -> String {
        let verdict = match (self.equal, self.confirmed) {
            (true, _) => "all nodes hold the same rows",
            (false, true) => "the nodes differ still",
            (false, false) => "the nodes differ",
        };
        self.tables_text() + verdict + "\n"
    }

    fn tables_text(&self) -> String {
        let mut rows = vec![row(["TABLE", "DIFFERENT", "RESULT"])];
        let line = |table: &Table| {
            row([
                table.table.as_str(),
                &table.different.to_string(),
                &table.result(self.confirmed),
            ])
        };
        rows.extend(self.tables.iter().map(line));
        let listed = self
            .tables
            .iter()
            .filter(|table| !table.rows.is_empty() && !self.confirmed);
        aligned(&rows) + &listed.map(Table::details).collect::<String>()
    }
}

impl Table {
    fn result(&self, confirmed: bool) -> String {
        if let Some(why) = &self.refused {
            return format!("cannot be repaired: {why}");
        }
        if self.different == 0 {
            return "equal".to_owned();
        }
        if !confirmed {
            return self.plan();
        }
        let mut parts = vec![format!("{} repaired", self.repaired)];
        if self.left > 0 {
            parts.push(format!(
                "{} left, because they were written meanwhile or locked",
                self.left
            ));
        }
        if self.remaining > 0 {
            parts.push(format!("{} differ still", self.remaining));
        }
        parts.join(", ")
    }

    fn plan(&self) -> String {
        let sends = self
            .sends
            .iter()
            .map(|(node, rows)| format!("{node} would write {rows} again"));
        let deletes = self
            .deletes
            .iter()
            .map(|(node, rows)| format!("{node} would delete {rows}"));
        sends.chain(deletes).collect::<Vec<_>>().join(", ")
    }

    fn details(&self) -> String {
        let mut text = format!("\n{}:\n", self.table);
        for Planned { key, act, node } in &self.rows {
            let what = match act {
                Act::Send => "would write it again",
                Act::Delete => "would delete it",
            };
            text += &format!("  {key}  {node} {what}\n");
        }
        let listed = self.rows.len() as u64;
        if self.different > listed {
            text += &format!("  and {} more\n", self.different - listed);
        }
        text + "\n"
    }
}

#[cfg(test)]
mod tests;
