use tokio_postgres::Client;

use crate::session::{begin, run};
use crate::sweep::{Change, Pass, sweep};
use crate::{Error, Result, Wanted, sql};

/// What [`install`] did. Empty lists when everything stood already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Tables and sequences that were changed, by name; sequences that cannot be shared are listed every time.
    pub changes: Vec<Change>,
    /// Whether the publication was made now.
    pub publication_created: bool,
}

/// Puts everything in place that replication needs in this database: schema, event trigger, replica identities,
/// disjoint sequences, and at last the publication, so that no application statement fails in between.
///
/// May be repeated; tables and sequences are changed one by one as their locks allow. A row for another incarnation of the
/// same node replaces the recorded one; run [`crate::identity_check`] before.
///
/// # Errors
/// [`Error::NeedsSuperuser`] with the script for an administrator, [`Error::SchemaTaken`], [`Error::OtherNode`],
/// [`Error::Busy`], [`Error::Failed`], or PostgreSQL's own.
pub async fn install(client: &mut Client, wanted: &Wanted) -> Result<Installed> {
    let standing = Standing::read(client).await?;
    standing.refuse_foreign(client, wanted).await?;
    if standing.superuser {
        let steps = [
            sql::SCHEMA,
            sql::IDENTITY,
            sql::SEQUENCE,
            sql::SWEEP,
            sql::EVENT,
            sql::FENCE,
            sql::POLICY,
        ];
        run(client, "create schema synapse", &steps).await?;
    } else {
        standing.require_all()?;
    }
    record_node(client, wanted).await?;
    let mut changes = sweep(client, Pass::Adopt).await?;
    if !standing.publication {
        run(client, "create publication synapse", &[sql::PUBLICATION]).await?;
    } else if standing.superuser {
        run(client, "check publication synapse", &[sql::PUBLICATION]).await?;
    }
    // A transaction that was open while the event trigger came may have created tables that the first pass did not see.
    for change in sweep(client, Pass::Adopt).await? {
        if !changes.contains(&change) {
            changes.push(change);
        }
    }
    tracing::info!(
        changes = changes.len(),
        publication_created = !standing.publication,
        "database is set up"
    );
    Ok(Installed {
        changes,
        publication_created: !standing.publication,
    })
}

/// Brings sequences back to this node's own values after somebody has set them elsewhere (`setval` after a data load).
/// Worth running now and then; changes nothing when nothing is wrong.
///
/// # Errors
/// As [`install`]; the database must be set up.
pub async fn align_sequences(client: &mut Client) -> Result<Vec<Change>> {
    sweep(client, Pass::Adopt).await
}

/// What an administrator runs once, as superuser and in the node's database, so that `role` can do the rest.
#[must_use]
pub fn admin_script(role: &str) -> String {
    let role = sql::identifier(role);
    let parts = [
        sql::SCHEMA,
        sql::IDENTITY,
        sql::SEQUENCE,
        sql::SWEEP,
        sql::EVENT,
        sql::FENCE,
        sql::POLICY,
    ];
    format!(
        "BEGIN;\n{}\nGRANT USAGE ON SCHEMA synapse TO {role};\n\
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA synapse TO {role};\n\
         GRANT EXECUTE ON FUNCTION synapse.sweep(boolean), synapse.request_waits(text) TO {role};\nCOMMIT;\n\
         SELECT * FROM synapse.sweep(false);\n{}",
        parts.join("\n"),
        sql::PUBLICATION
    )
}

/// What stands already.
struct Standing {
    role: String,
    superuser: bool,
    schema: bool,
    /// The schema holds something, and not our tables.
    foreign: bool,
    ours: bool,
    /// The tables of conflicts: a database that an earlier version was installed in lacks them.
    conflicts: bool,
    /// The tables of rows that exclude each other, which came later still.
    displaced: bool,
    /// The function that sets policies, as well.
    set_policy: bool,
    event_trigger: bool,
    publication: bool,
}

impl Standing {
    async fn read(client: &Client) -> Result<Standing> {
        let row = client
            .query_one(
                "SELECT current_user::text, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user), \
                        to_regnamespace('synapse') IS NOT NULL, \
                        EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                                 WHERE n.nspname = 'synapse'), \
                        EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                                 WHERE n.nspname = 'synapse' AND c.relname = 'identities'), \
                        to_regclass('synapse.conflict_log') IS NOT NULL AND to_regclass('synapse.policies') IS NOT NULL \
                        AND to_regclass('synapse.orphans') IS NOT NULL, \
                        to_regclass('synapse.displaced') IS NOT NULL AND to_regclass('synapse.rivals') IS NOT NULL, \
                        to_regprocedure('synapse.set_conflict_policy(regclass,text)') IS NOT NULL, \
                        EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'synapse'), \
                        EXISTS (SELECT FROM pg_publication WHERE pubname = 'synapse' AND puballtables)",
                &[],
            )
            .await
            .map_err(Error::doing("look at the database"))?;
        let ours: bool = row.get(4);
        Ok(Standing {
            role: row.get(0),
            superuser: row.get(1),
            schema: row.get(2),
            foreign: row.get::<_, bool>(3) && !ours,
            ours,
            conflicts: row.get(5),
            displaced: row.get(6),
            set_policy: row.get(7),
            event_trigger: row.get(8),
            publication: row.get(9),
        })
    }

    async fn refuse_foreign(&self, client: &Client, wanted: &Wanted) -> Result<()> {
        if self.foreign {
            return Err(Error::SchemaTaken);
        }
        if !self.ours {
            return Ok(());
        }
        let row = client
            .query_opt("SELECT node, cluster FROM synapse.node", &[])
            .await
            .map_err(Error::doing("read synapse.node"))?;
        if let Some(row) = row {
            let (node, cluster): (String, String) = (row.get(0), row.get(1));
            if node != wanted.node.as_str() || cluster != wanted.cluster {
                return Err(Error::OtherNode { node, cluster });
            }
        }
        Ok(())
    }

    fn require_all(&self) -> Result<()> {
        let parts = [
            (self.schema && self.ours, "schema synapse"),
            (
                self.conflicts || !self.ours,
                "tables synapse.conflict_log, synapse.policies and synapse.orphans",
            ),
            (
                self.displaced || !self.ours,
                "tables synapse.displaced and synapse.rivals",
            ),
            (self.set_policy || !self.ours, "function synapse.set_conflict_policy"),
            (self.event_trigger, "event trigger synapse"),
            (self.publication, "publication synapse"),
        ];
        let missing: Vec<&str> = parts
            .iter()
            .filter(|(stands, _)| !stands)
            .map(|(_, name)| *name)
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::NeedsSuperuser {
            role: self.role.clone(),
            missing: format!(
                "{} {}",
                missing.join(", "),
                if missing.len() == 1 { "is" } else { "are" }
            ),
            script: admin_script(&self.role),
        })
    }
}

/// System identifier and timeline belong to the incarnation: they are taken anew only together with it.
async fn record_node(client: &mut Client, wanted: &Wanted) -> Result<()> {
    let doing = "write synapse.node";
    let transaction = begin(client).await?;
    transaction
        .execute(
            "INSERT INTO synapse.node AS n (node, cluster, incarnation, ordinal, max_nodes, system_id, timeline, version) \
             SELECT $1, $2, $3, $4, $5, c.system_identifier, \
                    ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int, $6 \
               FROM pg_control_system() c \
             ON CONFLICT (only_row) DO UPDATE SET incarnation = excluded.incarnation, ordinal = excluded.ordinal, \
                    max_nodes = excluded.max_nodes, version = excluded.version, \
                    system_id = CASE WHEN n.incarnation = excluded.incarnation THEN n.system_id ELSE excluded.system_id END, \
                    timeline = CASE WHEN n.incarnation = excluded.incarnation THEN n.timeline ELSE excluded.timeline END \
              WHERE (n.incarnation, n.ordinal, n.max_nodes, n.version) \
                    IS DISTINCT FROM (excluded.incarnation, excluded.ordinal, excluded.max_nodes, excluded.version)",
            &[
                &wanted.node.as_str(),
                &wanted.cluster,
                &i64::from(wanted.incarnation.0),
                &i32::from(wanted.share.ordinal()),
                &i32::from(wanted.share.nodes()),
                &env!("CARGO_PKG_VERSION"),
            ],
        )
        .await
        .map_err(Error::doing(doing))?;
    transaction.commit().await.map_err(Error::doing(doing))
}
