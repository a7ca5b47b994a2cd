//! What the parts of a daemon share of its joining.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use synapse_engine_change::{Change, Relation};
use synapse_engine_identity::Context;
use synapse_engine_plan::{PolicySet, Table, Tables};
use tokio::sync::watch;

use super::Progress;
use crate::policies;
use crate::shared::UNPOISONED;
use crate::state::{Copies, Join};
use crate::tables::{Directory, Numbers};

/// Copies of tables that the journals have not caught up with: what each holds.
#[derive(Debug, Default)]
pub(crate) struct CopiedTables {
    tables: HashMap<(String, String), Context>,
    /// Once all of this is applied, the copies are tables like others.
    pub(crate) target: Context,
}

impl CopiedTables {
    fn of(copies: &Copies) -> Self {
        let tables = copies
            .tables
            .iter()
            .map(|t| ((t.schema.clone(), t.table.clone()), t.context.clone()));
        CopiedTables {
            tables: tables.collect(),
            target: copies.target.clone(),
        }
    }
}

/// The tables as the planner asks for them.
pub(crate) struct Known {
    pub(crate) directory: Arc<Directory>,
    pub(crate) copied: Option<Arc<CopiedTables>>,
    pub(crate) numbers: Arc<Mutex<Numbers>>,
}

impl Tables for Known {
    fn find(&self, relation: &Relation) -> Option<Arc<Table>> {
        self.directory.find(relation)
    }

    fn policy(&self, change: &Change<'_>) -> Option<PolicySet> {
        policies::of_change(change, &self.numbers)
    }

    fn copied(&self, table: &Table) -> Option<&Context> {
        let copied = self.copied.as_ref()?;
        copied.tables.get(&(table.schema.clone(), table.name.clone()))
    }
}

/// A daemon's joining.
#[derive(Debug)]
pub(crate) struct Joining {
    /// Whether blocks of peers may be taken: where their logs begin here is known.
    follows: watch::Sender<bool>,
    looked: AtomicBool,
    progress: Mutex<Progress>,
    copied: RwLock<Option<Arc<CopiedTables>>>,
}

impl Joining {
    pub(crate) fn new(join: &Join) -> Self {
        let joining = Joining {
            follows: watch::Sender::new(false),
            looked: AtomicBool::new(false),
            progress: Mutex::default(),
            copied: RwLock::default(),
        };
        joining.entered(join);
        joining
    }

    /// The state of joining has changed.
    pub(crate) fn entered(&self, join: &Join) {
        let copied = match join {
            Join::Passing(copies) => Some(Arc::new(CopiedTables::of(copies))),
            Join::New { .. } | Join::Replacing { .. } | Join::Copying { .. } | Join::Joined { .. } => None,
        };
        *self.copied.write().expect(UNPOISONED) = copied;
    }

    /// The copies that are not caught up with, while there are any.
    pub(crate) fn copied(&self) -> Option<Arc<CopiedTables>> {
        self.copied.read().expect(UNPOISONED).clone()
    }

    /// From now on blocks of peers are taken.
    pub(crate) fn follow(&self) {
        self.follows.send_replace(true);
    }

    pub(crate) fn follows(&self) -> bool {
        *self.follows.borrow()
    }

    /// This node has looked whether it holds rows.
    pub(super) fn looked(&self) {
        self.looked.store(true, Ordering::Release);
    }

    pub(super) fn has_looked(&self) -> bool {
        self.looked.load(Ordering::Acquire)
    }

    /// What is shown.
    pub(crate) fn progress(&self) -> Progress {
        self.progress.lock().expect(UNPOISONED).clone()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress.lock().expect(UNPOISONED));
    }
}
