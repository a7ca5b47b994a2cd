//! `synapsed`: the daemon that runs beside a node.

mod check;
mod daemon;
mod logging;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use synapse_engine_node::Config;

/// Runs beside one PostgreSQL node: captures its changes, ships them to peers, applies theirs.
///
/// Stops cleanly on SIGTERM and SIGINT; reads its certificate anew on SIGHUP. Exit codes: 0 stopped or all met, 1 requirements are not met or the daemon failed,
/// 2 configuration, 3 cannot reach the server.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The configuration file; `docs/synapse.example.toml` shows every key
    #[arg(long)]
    config: PathBuf,
    /// List every requirement that the server does not meet, with the statement to run, and end
    #[arg(long)]
    check: bool,
    /// Print what an administrator runs once, as superuser and in the node's database, where the daemon's role is none
    #[arg(long, conflicts_with = "check")]
    admin_script: bool,
    /// How to log to stderr
    #[arg(long, value_enum, default_value_t = logging::Format::Text)]
    log_format: logging::Format,
    /// With --check: how to print the findings
    #[arg(long, value_enum, default_value_t = check::Output::Text)]
    output: check::Output,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    logging::start(arguments.log_format);
    let config = match Config::load(&arguments.config) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: failed to start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    if arguments.admin_script {
        println!("{}", synapse_engine_setup::admin_script(config.postgres.dsn.user()));
        return ExitCode::SUCCESS;
    }
    if arguments.check {
        runtime.block_on(check::run(&config, arguments.output))
    } else {
        runtime.block_on(daemon::run(config))
    }
}
