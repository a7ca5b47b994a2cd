use tokio_postgres::{Client, Row};

use crate::{Error, Finding, RestartNeeded, Result, Wanted, sql};

/// First and last major version that is supported.
const MAJORS: std::ops::RangeInclusive<i32> = 14..=18;

/// Settings, counts and the role, as `sql/server.sql` reads them.
pub(crate) struct Server {
    row: Row,
    pending: Vec<String>,
}

impl Server {
    pub(crate) async fn read(client: &Client, wanted: &Wanted) -> Result<Server> {
        // The slot's name compares as `name`; the parameter travels as text.
        let statement = sql::SERVER.replace("$1", "$1::text::name");
        let row = client
            .query_one(&statement, &[&wanted.slot.as_str()])
            .await
            .map_err(Error::doing("read the server's settings"))?;
        let pending: Option<Vec<String>> = row.get("pending");
        Ok(Server {
            row,
            pending: pending.unwrap_or_default(),
        })
    }

    pub(crate) fn major(&self) -> i32 {
        self.row.get::<_, i32>("version") / 10_000
    }

    pub(crate) fn text(&self, column: &str) -> &str {
        self.row.get(column)
    }

    pub(crate) fn flag(&self, column: &str) -> bool {
        self.row.get(column)
    }

    pub(crate) fn denied_functions(&self) -> Vec<String> {
        self.row
            .get::<_, Option<Vec<String>>>("denied_functions")
            .unwrap_or_default()
    }

    fn number(&self, column: &str) -> u32 {
        u32::try_from(self.row.get::<_, i32>(column)).expect("counts and limits are not negative")
    }

    /// What is to be said of the server itself.
    pub(crate) fn judge(&self, wanted: &Wanted, findings: &mut Vec<Finding>) {
        if !MAJORS.contains(&self.major()) {
            let (first, last) = (MAJORS.start(), MAJORS.end());
            findings.push(Finding::unmet(format!(
                "PostgreSQL {} is not supported: {first} to {last} are",
                self.major()
            )));
        }
        if self.flag("standby") {
            findings.push(Finding::unmet("the server is a standby: a node is a primary"));
        }
        self.want_setting("wal_level", "logical", findings);
        self.want_setting("track_commit_timestamp", "on", findings);
        self.want_free("max_replication_slots", "slots", 1, findings);
        self.want_free("max_wal_senders", "senders", wanted.wal_senders, findings);
        let origins = if self.flag("origins_apart") {
            "max_active_replication_origins"
        } else {
            "max_replication_slots"
        };
        self.want_free(origins, "origins", wanted.origins, findings);
        self.warn_of_settings(findings);
    }

    fn want_setting(&self, name: &'static str, value: &str, findings: &mut Vec<Finding>) {
        let now = self.text(name);
        if now == value {
            return;
        }
        let finding = Finding::unmet(format!("{name} is {now}: it has to be {value}")).after(RestartNeeded::Restart);
        // A value that waits for the restart needs no second statement.
        let waiting = self.pending.iter().any(|pending| pending == name);
        findings.push(if waiting {
            finding
        } else {
            finding.fix(format!("ALTER SYSTEM SET {name} = {value};"))
        });
    }

    fn want_free(&self, setting: &str, what: &str, needed: u32, findings: &mut Vec<Finding>) {
        let (limit, used) = (
            self.number(&format!("{what}_max")),
            self.number(&format!("{what}_used")),
        );
        if limit.saturating_sub(used) >= needed {
            return;
        }
        let what = match what {
            "slots" => "replication slots",
            "senders" => "walsenders",
            _ => "replication origins",
        };
        findings.push(
            Finding::unmet(format!(
                "{setting} is {limit} and {used} {what} are in use: {needed} more are needed"
            ))
            .fix(format!("ALTER SYSTEM SET {setting} = {};", used + needed))
            .after(RestartNeeded::Restart),
        );
    }

    fn warn_of_settings(&self, findings: &mut Vec<Finding>) {
        for name in ["fsync", "full_page_writes"] {
            if self.text(name) == "off" {
                findings.push(
                    Finding::warning(format!(
                        "{name} is off: a crash of the machine can lose or damage committed data"
                    ))
                    .fix(format!("ALTER SYSTEM SET {name} = on;"))
                    .after(RestartNeeded::Reload),
                );
            }
        }
        if self.text("encoding") == "SQL_ASCII" {
            findings.push(Finding::warning(
                "the database's encoding is SQL_ASCII: text that is not valid elsewhere cannot be replicated",
            ));
        }
        for (name, column, off) in [
            ("max_slot_wal_keep_size", "slot_keep_size", "-1"),
            ("idle_replication_slot_timeout", "idle_slot_timeout", "0"),
        ] {
            let now = self.text(column);
            if now != off {
                findings.push(
                    Finding::warning(format!(
                        "{name} is {now}: a daemon that is down for longer has to copy all data anew"
                    ))
                    .fix(format!("ALTER SYSTEM SET {name} = {off};"))
                    .after(RestartNeeded::Reload),
                );
            }
        }
    }
}
