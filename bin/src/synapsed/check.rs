use std::process::ExitCode;

use clap::ValueEnum;
use synapse_engine_node::{Config, Error, check};
use synapse_engine_setup::{Finding, Level};

/// A longer fix is the administrator's script, which has a flag of its own.
const LINES_MAX: usize = 40;

/// How findings are printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// One JSON document.
    Json,
}

/// Lists what the server lacks: 0 all met, 1 unmet, 2 configuration, 3 cannot reach.
pub(crate) async fn run(config: &Config, output: Output) -> ExitCode {
    let checked = match check(config).await {
        Ok(checked) => checked,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(if matches!(error, Error::Refused(_)) { 2 } else { 3 });
        }
    };
    let unmet = checked
        .findings
        .iter()
        .filter(|finding| finding.level == Level::Unmet)
        .count()
        + usize::from(checked.replication.is_some());
    match output {
        Output::Json => {
            let findings: Vec<_> = checked.findings.iter().map(as_json).collect();
            println!(
                "{}",
                serde_json::json!({ "unmet": unmet, "findings": findings, "replication": checked.replication })
            );
        }
        Output::Text => {
            for finding in &checked.findings {
                print(finding);
            }
            if let Some(why) = &checked.replication {
                println!("unmet    no replication connection: {why}");
            }
            println!(
                "{}",
                if unmet == 0 {
                    "all requirements are met".to_owned()
                } else {
                    format!("{unmet} requirements are not met")
                }
            );
        }
    }
    if unmet == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn print(finding: &Finding) {
    let level = match finding.level {
        Level::Unmet => "unmet  ",
        Level::Warning => "warning",
    };
    println!("{level}  {}", finding.what);
    if let Some(fix) = &finding.fix {
        if fix.lines().count() > LINES_MAX {
            println!("         synapsed --config FILE --admin-script | psql …    (as superuser, in this database)");
            return;
        }
        println!("         {fix}    ({})", restart(finding));
    }
}

fn restart(finding: &Finding) -> &'static str {
    match finding.restart {
        synapse_engine_setup::RestartNeeded::No => "no restart",
        synapse_engine_setup::RestartNeeded::Reload => "then: SELECT pg_reload_conf();",
        synapse_engine_setup::RestartNeeded::Restart => "then restart PostgreSQL",
    }
}

fn as_json(finding: &Finding) -> serde_json::Value {
    let level = match finding.level {
        Level::Unmet => "unmet",
        Level::Warning => "warning",
    };
    serde_json::json!({ "level": level, "what": finding.what, "fix": finding.fix, "restart": restart(finding) })
}
