use tokio_postgres::Client;

use super::server::Server;
use crate::{Error, Finding, Result, admin_script, sql};

/// What the role may not do. A superuser may do everything.
pub(crate) async fn judge(client: &Client, server: &Server, findings: &mut Vec<Finding>) -> Result<()> {
    if server.flag("superuser") {
        return Ok(());
    }
    let name = server.text("role");
    let role = sql::identifier(name);
    if !server.flag("replication") {
        findings.push(
            Finding::unmet(format!("role {name} may not open replication connections"))
                .fix(format!("ALTER ROLE {role} REPLICATION;")),
        );
    }
    let denied = server.denied_functions();
    if !denied.is_empty() {
        let grants: Vec<String> = denied
            .iter()
            .map(|function| format!("GRANT EXECUTE ON FUNCTION pg_catalog.{function} TO {role};"))
            .collect();
        findings.push(
            Finding::unmet(format!(
                "role {name} may not use {} functions of replication origins",
                denied.len()
            ))
            .fix(grants.join("\n")),
        );
    }
    if !may_set_replication_role(client, server.major()).await? {
        let fix = if server.major() >= 15 {
            format!("GRANT SET ON PARAMETER session_replication_role TO {role};")
        } else {
            format!("ALTER ROLE {role} SUPERUSER;")
        };
        findings.push(Finding::unmet(format!("role {name} may not set session_replication_role")).fix(fix));
    }
    if !server.flag("may_create") {
        let database = sql::identifier(server.text("database"));
        findings.push(
            Finding::unmet(format!("role {name} may not create a schema in this database"))
                .fix(format!("GRANT CREATE ON DATABASE {database} TO {role};")),
        );
    }
    judge_prepared(server, name, findings);
    Ok(())
}

/// What only a superuser can create has to stand already.
fn judge_prepared(server: &Server, name: &str, findings: &mut Vec<Finding>) {
    let parts = [
        (
            server.flag("has_publication"),
            "a publication FOR ALL TABLES named synapse",
        ),
        (server.flag("has_event_trigger"), "an event trigger named synapse"),
    ];
    let missing: Vec<&str> = parts
        .iter()
        .filter(|(stands, _)| !stands)
        .map(|(_, part)| *part)
        .collect();
    if !missing.is_empty() {
        let what = format!(
            "role {name} is no superuser, and only a superuser can create {}",
            missing.join(" and ")
        );
        findings.push(Finding::unmet(what).fix(admin_script(name)));
    }
}

/// PostgreSQL 14 has no privileges on parameters: there only a superuser may.
async fn may_set_replication_role(client: &Client, major: i32) -> Result<bool> {
    if major < 15 {
        return Ok(false);
    }
    let row = client
        .query_one("SELECT has_parameter_privilege('session_replication_role', 'SET')", &[])
        .await
        .map_err(Error::doing("read the role's privileges"))?;
    Ok(row.get(0))
}
