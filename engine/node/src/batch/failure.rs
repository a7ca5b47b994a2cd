use synapse_engine_apply::Remedy;
use synapse_engine_change::Change;
use synapse_engine_identity::Origin;

use crate::error::Error;
use crate::feed::Next;

/// Why an attempt did not commit.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It could not be planned.
    #[error(transparent)]
    Plan(#[from] synapse_engine_plan::Error),
    /// The server was not written as asked.
    #[error(transparent)]
    Apply(#[from] synapse_engine_apply::Error),
    /// Rows kept changing under the exact path, or capture did not read a barrier in time.
    #[error("rows kept changing while they were resolved")]
    GaveWay,
    /// The barrier was not read in time.
    #[error("capture did not read a barrier in time")]
    BarrierTimedOut,
    /// A transaction that has committed does not become visible: it waits for a synchronous standby, as a rule.
    #[error("a committed transaction did not become visible in time")]
    NotVisible,
    /// A node that has values of a row which comes back whole did not give them.
    #[error("values that only another node has did not come: {0}")]
    Unanswered(String),
    /// Rows of this node refer to what the attempt took away, and it was not kept.
    #[error("rows that were written here refer to what goes")]
    Orphaned,
    /// Foreign keys were made or dropped while it ran.
    #[error("the foreign keys are not those that were read")]
    OtherKeys,
    /// The feed ended within a large transaction.
    #[error("the journal ended within a large transaction")]
    PartsEnded,
    /// The session is gone.
    #[error("the session that applies {0} is gone")]
    SessionLost(Origin),
    /// Something else of the daemon failed.
    #[error(transparent)]
    Broken(#[from] Error),
}

impl Failure {
    /// What is done about it.
    pub(crate) fn remedy(&self) -> Remedy {
        match self {
            Failure::Plan(error) => match error {
                synapse_engine_plan::Error::MissingTable { .. }
                | synapse_engine_plan::Error::MissingColumn { .. }
                | synapse_engine_plan::Error::IdentityDiffers { .. } => Remedy::Catalogue,
                synapse_engine_plan::Error::OldRowNeeded { .. }
                | synapse_engine_plan::Error::NoNumber { .. }
                | synapse_engine_plan::Error::Undecided(_) => Remedy::Operator,
            },
            Failure::Apply(error) => error.remedy(),
            Failure::GaveWay
            | Failure::BarrierTimedOut
            | Failure::NotVisible
            | Failure::Unanswered(_)
            | Failure::Orphaned
            | Failure::OtherKeys => Remedy::Smaller,
            Failure::PartsEnded | Failure::SessionLost(_) | Failure::Broken(_) => Remedy::Reconnect,
        }
    }

    pub(crate) fn is_bug(&self) -> bool {
        match self {
            Failure::Apply(error) => error.class() == synapse_engine_apply::Class::Bug,
            Failure::Plan(_)
            | Failure::GaveWay
            | Failure::BarrierTimedOut
            | Failure::NotVisible
            | Failure::Unanswered(_)
            | Failure::Orphaned
            | Failure::OtherKeys
            | Failure::PartsEnded
            | Failure::SessionLost(_)
            | Failure::Broken(_) => false,
        }
    }

    pub(crate) fn into_error(self) -> Error {
        match self {
            Failure::Apply(error) => Error::Apply(error),
            Failure::Broken(error) => error,
            other @ (Failure::Plan(_)
            | Failure::GaveWay
            | Failure::BarrierTimedOut
            | Failure::NotVisible
            | Failure::Unanswered(_)
            | Failure::Orphaned
            | Failure::OtherKeys
            | Failure::PartsEnded
            | Failure::SessionLost(_)) => Error::Broken(other.to_string()),
        }
    }

    /// The table and the key concerned, as far as is known: the server names the table, a transaction of one row its key.
    pub(crate) fn place(&self, next: &Next) -> (Option<String>, serde_json::Value) {
        let named = match self {
            Failure::Apply(error) => error
                .refusal()
                .and_then(|r| Some((r.schema.clone()?, r.table.clone()?))),
            Failure::Plan(error) => match error {
                synapse_engine_plan::Error::MissingTable { schema, table, .. }
                | synapse_engine_plan::Error::MissingColumn { schema, table, .. }
                | synapse_engine_plan::Error::IdentityDiffers { schema, table, .. }
                | synapse_engine_plan::Error::OldRowNeeded { schema, table, .. } => {
                    Some((schema.clone(), table.clone()))
                }
                synapse_engine_plan::Error::Undecided(undecided) => {
                    Some((undecided.schema.clone(), undecided.table.clone()))
                }
                synapse_engine_plan::Error::NoNumber { .. } => None,
            },
            Failure::GaveWay
            | Failure::BarrierTimedOut
            | Failure::NotVisible
            | Failure::Unanswered(_)
            | Failure::Orphaned
            | Failure::OtherKeys
            | Failure::PartsEnded
            | Failure::SessionLost(_)
            | Failure::Broken(_) => None,
        };
        let mut rows = next.block.changes_of(next.at).filter(|change| {
            named
                .as_ref()
                .is_none_or(|(s, t)| change.relation().schema == *s && change.relation().name == *t)
        });
        let only = rows.next();
        let one = rows.next().is_none();
        let table = named.map(|(schema, table)| format!("{schema}.{table}")).or_else(|| {
            only.as_ref()
                .map(|c| format!("{}.{}", c.relation().schema, c.relation().name))
        });
        let key = only
            .filter(|_| one)
            .map_or(serde_json::Value::Object(serde_json::Map::new()), |change| {
                key_of(&change)
            });
        (table, key)
    }
}

fn key_of(change: &Change<'_>) -> serde_json::Value {
    let tuple = match change {
        Change::Insert { new, .. } | Change::Update { new, .. } => *new,
        Change::Delete { old, .. } => old.tuple(),
        Change::Truncate { .. } => return serde_json::json!({}),
    };
    let relation = change.relation();
    let key = relation
        .key()
        .map(|at| (relation.columns[at].name.clone(), super::values::json(tuple.get(at))));
    serde_json::Value::Object(key.collect())
}
