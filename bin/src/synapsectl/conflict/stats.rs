use serde::Deserialize;

use super::LeftOut;
use crate::columns::{aligned, row};
use crate::printable::printable;

/// Conflicts in numbers, most first.
#[derive(Deserialize)]
pub(super) struct Stats {
    groups: Vec<Group>,
    left_out: LeftOut,
}

#[derive(Deserialize)]
struct Group {
    table: String,
    kind: String,
    policy: String,
    verdict: String,
    count: u64,
    last: String,
}

impl Stats {
    pub(super) fn text(&self) -> String {
        if self.groups.is_empty() {
            return "no conflicts\n".to_owned() + &self.left_out.text();
        }
        let mut rows = vec![row(["TABLE", "KIND", "POLICY", "VERDICT", "COUNT", "LAST"])];
        rows.extend(self.groups.iter().map(|group| {
            let (table, count) = (printable(&group.table), group.count.to_string());
            row([
                table.as_str(),
                &group.kind,
                &group.policy,
                &group.verdict,
                &count,
                &group.last,
            ])
        }));
        aligned(&rows) + &self.left_out.text()
    }
}
