//! What becomes of rows that are left without what they refer to, by the table that they are in.

use std::fmt;
use std::str::FromStr;

use tokio_postgres::GenericClient;

use crate::error::Error;

/// The rule of a table with foreign keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Rule {
    /// What they refer to comes back as it was.
    #[default]
    RestoreParent,
    /// They go too.
    DeleteChild,
    /// They stay, and a person is told.
    Report,
}

/// The text names no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid rule for foreign keys {0:?}; expected restore-parent, delete-child or report")]
pub(crate) struct InvalidRule(String);

impl Rule {
    /// Every rule by its name.
    const ALL: [Rule; 3] = [Rule::RestoreParent, Rule::DeleteChild, Rule::Report];

    /// Its name in commands, logs and tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Rule::RestoreParent => "restore-parent",
            Rule::DeleteChild => "delete-child",
            Rule::Report => "report",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Rule {
    type Err = InvalidRule;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Rule::ALL.into_iter().find(|rule| rule.name() == text.trim());
        found.ok_or_else(|| InvalidRule(text.chars().take(200).collect()))
    }
}

/// The rule that was set last for a table, as this node has it.
///
/// # Errors
/// When the server cannot be asked, or somebody wrote something else into `synapse.policies`.
pub(crate) async fn in_force(client: &impl GenericClient, schema: &str, table: &str) -> Result<Rule, Error> {
    let sql = "SELECT foreign_keys FROM synapse.policies \
               WHERE schema_name = $1 AND table_name = $2 AND foreign_keys IS NOT NULL ORDER BY epoch DESC LIMIT 1";
    let Some(row) = client.query_opt(sql, &[&schema, &table]).await? else {
        return Ok(Rule::default());
    };
    let text: String = row.try_get(0)?;
    text.parse()
        .map_err(|error: InvalidRule| Error::Refused(format!("synapse.policies for {schema}.{table}: {error}")))
}

#[cfg(test)]
mod tests;
