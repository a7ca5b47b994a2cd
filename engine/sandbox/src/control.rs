//! `add`, `stop`, `start`, `kill`, and the steps of which they and `up` consist.

use crate::Narrator;
use crate::engine::Health;
use crate::error::{Error, Result};
use crate::ports::PortPlan;
use crate::record::NodeRecord;
use crate::sandbox::Sandbox;
use crate::servers::PgBin;
use crate::up::node_record;

/// Which of a node's two servers is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// PostgreSQL and the daemon.
    Both,
    /// `synapsed`.
    Engine,
    /// PostgreSQL.
    Postgres,
}

impl What {
    fn engine(self) -> bool {
        match self {
            What::Both | What::Engine => true,
            What::Postgres => false,
        }
    }

    fn postgres(self) -> bool {
        match self {
            What::Both | What::Postgres => true,
            What::Engine => false,
        }
    }
}

impl Sandbox {
    /// SIGTERM to the daemon, fast shutdown of PostgreSQL; returns when they have ended. What is down stays so.
    pub async fn stop(&mut self, name: &str, what: What, narrate: Narrator<'_>) -> Result<()> {
        self.record.node(name)?;
        narrate(&format!("stopping {name}"));
        if let Some(process) = self.record.node(name)?.engine().filter(|_| what.engine()) {
            self.node(self.record.node(name)?).engine().stop(process).await?;
        }
        if let Some(process) = self.record.node(name)?.postgres().filter(|_| what.postgres()) {
            let node = self.node(self.record.node(name)?);
            node.with_postgres(async |postgres| postgres.stop(process).await)
                .await?;
        }
        self.forget_ended(name)
    }

    /// SIGKILL to both, then waits until PostgreSQL's children have ended too.
    pub async fn kill(&mut self, name: &str, what: What, narrate: Narrator<'_>) -> Result<()> {
        self.record.node(name)?;
        narrate(&format!("killing {name}"));
        if let Some(process) = self.record.node(name)?.engine().filter(|_| what.engine()) {
            self.node(self.record.node(name)?).engine().kill(process).await?;
        }
        if let Some(process) = self.record.node(name)?.postgres().filter(|_| what.postgres()) {
            let node = self.node(self.record.node(name)?);
            node.with_postgres(async |postgres| postgres.kill(process).await)
                .await?;
        }
        self.forget_ended(name)
    }

    /// Starts what is down of it: PostgreSQL until it answers, the daemon until its `/healthz` says 200.
    pub async fn start(&mut self, name: &str, what: What, narrate: Narrator<'_>) -> Result<()> {
        self.record.node(name)?;
        narrate(&format!("starting {name}"));
        if what.postgres() && self.record.node(name)?.postgres().is_none() {
            self.launch_postgres(name).await?;
            let outcome = self.wait_for_postgres(name).await;
            self.forget_ended(name)?;
            outcome?;
        }
        if what.engine() && self.record.node(name)?.engine().is_none() {
            self.launch_engine(name)?;
            if let Err(error) = self.wait_for_engine(name, Health::Lives).await {
                self.kill(name, What::Engine, narrate).await?;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Adds an empty node, makes it known to the others (whose daemons are restarted), and waits until it is ready,
    /// or until it says which tables have to be created first; with a node down it waits until the new daemon lives. A node that fails is taken out again.
    pub async fn add(&mut self, name: &str, pg_bin: &PgBin, narrate: Narrator<'_>) -> Result<()> {
        if self.record.node(name).is_ok() {
            return Err(Error::Refused {
                what: format!("the sandbox has a node {name} already"),
            });
        }
        let count = self.record.nodes.len();
        let ports = PortPlan::new(self.record.base_port, count + 1)?.of(count)?;
        let server = pg_bin.server_for(name)?;
        self.owner.check_can_enter(&server.bin.join("postgres"))?;
        ports.check_free(name)?;
        let record = node_record(&self.dir, name, ports, &server, &self.record.database)?;
        self.record.nodes.push(record);
        let outcome = self.bring_in(name, narrate).await;
        if let Err(error) = outcome {
            narrate("it failed: taking the node out again");
            self.take_out(name, narrate).await?;
            return Err(error);
        }
        Ok(())
    }

    async fn bring_in(&mut self, name: &str, narrate: Narrator<'_>) -> Result<()> {
        narrate(&format!("preparing {name}"));
        self.node(self.record.node(name)?).prepare().await?;
        self.launch_postgres(name).await?;
        self.wait_for_postgres(name).await?;
        let others_run = self.restart_others(name, narrate).await?;
        self.launch_engine(name)?;
        self.wait_for_engine(name, if others_run { Health::Joins } else { Health::Lives })
            .await
    }

    async fn take_out(&mut self, name: &str, narrate: Narrator<'_>) -> Result<()> {
        self.node(self.record.node(name)?).stop_or_kill().await?;
        self.record.nodes.retain(|node| node.name != name);
        self.save()?;
        let node_dir = self.dir.join(name);
        if node_dir.is_dir() {
            std::fs::remove_dir_all(&node_dir).map_err(Error::io("remove", &node_dir))?;
        }
        self.restart_others(name, narrate).await?;
        Ok(())
    }

    /// Rewrites the configuration of every other node and restarts the daemons that run; whether all of them do.
    async fn restart_others(&mut self, name: &str, narrate: Narrator<'_>) -> Result<bool> {
        let others: Vec<String> = self
            .record
            .nodes
            .iter()
            .map(|node| node.name.clone())
            .filter(|other| other != name)
            .collect();
        let mut all_run = true;
        for other in &others {
            let record = self.record.node(other)?;
            self.node(record).configure()?;
            if record.engine().is_some() {
                self.stop(other, What::Engine, narrate).await?;
                self.start(other, What::Engine, narrate).await?;
            } else {
                all_run = false;
            }
        }
        Ok(all_run)
    }

    /// Starts PostgreSQL and records it.
    pub(crate) async fn launch_postgres(&mut self, name: &str) -> Result<()> {
        let node = self.node(self.record.node(name)?);
        let process = node.with_postgres(async |postgres| postgres.start()).await?;
        self.record.node_mut(name)?.set_postgres(Some(process));
        self.save()
    }

    /// Waits until PostgreSQL answers, and makes the database if it is not there.
    pub(crate) async fn wait_for_postgres(&self, name: &str) -> Result<()> {
        let record = self.record.node(name)?;
        let Some(process) = record.postgres() else {
            return Err(ended(record, "PostgreSQL"));
        };
        let ready = async |postgres: &crate::postgres::Postgres<'_>| {
            postgres.wait_ready(process).await?;
            postgres.create_database(&self.record.database).await
        };
        self.node(record).with_postgres(ready).await
    }

    /// Starts the daemon and records it.
    pub(crate) fn launch_engine(&mut self, name: &str) -> Result<()> {
        let process = self.node(self.record.node(name)?).engine().start()?;
        self.record.node_mut(name)?.set_engine(Some(process));
        self.save()
    }

    /// Waits for the daemon's answer.
    pub(crate) async fn wait_for_engine(&self, name: &str, health: Health) -> Result<()> {
        let record = self.record.node(name)?;
        let Some(process) = record.engine() else {
            return Err(ended(record, "synapsed"));
        };
        self.node(record).engine().wait(process, health).await
    }

    /// Records as down what no longer lives.
    fn forget_ended(&mut self, name: &str) -> Result<()> {
        let node = self.record.node_mut(name)?;
        let (engine, postgres) = (node.engine(), node.postgres());
        node.set_engine(engine);
        node.set_postgres(postgres);
        self.save()
    }
}

/// A server that had ended before it was asked.
fn ended(record: &NodeRecord, what: &'static str) -> Error {
    let log = if what == "PostgreSQL" {
        &record.postgres_log
    } else {
        &record.log
    };
    let log_tail = crate::files::tail(log);
    Error::NotReady {
        node: record.name.clone(),
        what,
        problem: "ended during its start".to_owned(),
        log_tail,
    }
}
