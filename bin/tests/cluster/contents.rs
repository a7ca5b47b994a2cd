//! Whether all nodes hold the same: what the daemons find, and what plain SQL finds.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::Cluster;

/// Differing rows shown of each node.
const SHOWN: usize = 8;

impl Cluster {
    /// Settles, then asserts that these tables hold the same on every node, by `verify` and by the oracle.
    #[track_caller]
    pub(crate) fn equal(&self, tables: &[&str]) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            self.settle().await;
            for table in tables {
                if let Some(difference) = self.difference(table).await {
                    panic!("{caller}: {table} differs\n{difference}\n{}", self.report().await);
                }
            }
            let verdict = self.verify(tables).await;
            if verdict["equal"] != true {
                panic!(
                    "{caller}: the contents are equal, and verify says: {verdict}\n{}",
                    self.report().await
                );
            }
        }
    }

    /// What the daemons find.
    pub(crate) async fn verify(&self, tables: &[&str]) -> serde_json::Value {
        let mut path = "/v1/verify".to_owned();
        for (i, table) in tables.iter().enumerate() {
            let between = if i == 0 { '?' } else { '&' };
            write!(path, "{between}table={}", percent_encoded(table)).unwrap();
        }
        let first = self.names().remove(0);
        let answer = self.get(&first, &path).await.unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    /// Rows that not every node has, as PostgreSQL writes them; `None` when all hold the same.
    pub(crate) async fn difference(&self, table: &str) -> Option<String> {
        let names = self.names();
        let mut digests = BTreeSet::new();
        for name in &names {
            digests.insert(self.digest(name, table).await);
        }
        if digests.len() == 1 {
            return None;
        }
        let mut report = format!("{digests:?}\n");
        let mut rows = Vec::new();
        for name in &names {
            let sql = format!(
                "SELECT r FROM {} ORDER BY r COLLATE \"C\"",
                self.rows_of(name, table).await
            );
            rows.push(self.query(name, &sql).await);
        }
        for (name, own) in names.iter().zip(&rows) {
            let elsewhere: Vec<BTreeSet<_>> = rows.iter().map(|rows| rows.iter().collect()).collect();
            let not_everywhere = own
                .iter()
                .filter(|row| !elsewhere.iter().all(|rows| rows.contains(row)));
            for row in not_everywhere.take(SHOWN) {
                let text: String = row[0].as_deref().unwrap_or("NULL").chars().take(300).collect();
                writeln!(report, "only not everywhere, but on {name}: {text}").unwrap();
            }
        }
        Some(report)
    }

    /// One number for all rows of a table on one node, and how many they are.
    pub(crate) async fn digest(&self, node: &str, table: &str) -> (Option<String>, i64) {
        let rows = self.rows_of(node, table).await;
        let sql = format!("SELECT md5(string_agg(r, E'\\n' ORDER BY r COLLATE \"C\")), count(*) FROM {rows}");
        let row = self.query(node, &sql).await.remove(0);
        (row[0].clone(), row[1].as_ref().unwrap().parse().unwrap())
    }

    /// A subquery of a table's rows as text `r`, the columns in the order of their names: nodes may have another order.
    async fn rows_of(&self, node: &str, table: &str) -> String {
        let quoted = table.replace('\'', "''");
        let sql = format!(
            "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attname COLLATE \"C\") FROM pg_attribute \
             WHERE attrelid = '{quoted}'::regclass AND attnum > 0 AND NOT attisdropped"
        );
        let columns = self.value(node, &sql).await.expect("a table has columns");
        format!("(SELECT ROW({columns})::text AS r FROM {table}) AS rows")
    }
}

/// A query's value as a URL has it.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"._-~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").unwrap();
        }
    }
    encoded
}
