//! Prepared statements of a session.

use std::collections::HashMap;
use std::sync::Arc;

use postgres_types::Type;
use synapse_engine_identity::{ColumnId, TableId};
use synapse_engine_plan::Table;
use tokio_postgres::{Client, Statement};

use crate::constraints::Constraints;
use crate::error::{Error, Result};
use crate::excluders::Questions;
use crate::late::IN_PROGRESS_SQL;
use crate::orphans::{MARKS_TYPES, marks_sql};
use crate::render::{self, Op};
use crate::shape::Shape;
use crate::transaction::{MARKER_SQL, MARKER_TYPES, POSITION_SQL, POSITION_TYPES};

/// Statements kept; past it all are prepared anew. A plan takes some 20 KiB in the backend.
const STATEMENTS_MAX: usize = 2_000;

/// What a session has prepared, by table, operation and columns.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    shapes: HashMap<TableId, (Arc<Table>, Arc<Shape>)>,
    prepared: HashMap<(TableId, Op), Vec<Prepared>>,
    constraints: HashMap<TableId, (Arc<Table>, Arc<Constraints>)>,
    /// By table and place of the constraint: no more than the catalogue has.
    questions: HashMap<(TableId, usize), Questions>,
    count: usize,
    marker: Option<Statement>,
    position: Option<Statement>,
    in_progress: Option<Statement>,
    marks: Option<Statement>,
}

#[derive(Debug)]
struct Prepared {
    columns: Vec<ColumnId>,
    statement: Statement,
}

impl Statements {
    /// The statement, if it is prepared for the table as it is now.
    pub(crate) fn known(&self, op: Op, table: &Arc<Table>, columns: &[ColumnId]) -> Option<Statement> {
        let (shaped, _) = self.shapes.get(&table.id)?;
        if !same(shaped, table) {
            return None;
        }
        let all = self.prepared.get(&(table.id, op))?;
        let found = all.iter().find(|prepared| prepared.columns == columns)?;
        Some(found.statement.clone())
    }

    /// Prepares the statement: one or two round trips.
    pub(crate) async fn prepare(
        &mut self,
        client: &Client,
        op: Op,
        table: &Arc<Table>,
        columns: &[ColumnId],
    ) -> Result<Statement> {
        let shape = self.shape(client, table).await?;
        if self.count >= STATEMENTS_MAX {
            self.prepared.clear();
            self.count = 0;
        }
        let sql = render::statement(op, table, columns, &shape);
        let (count, guarded) = render::parameters(op, table, columns);
        let mut types = vec![Type::TEXT_ARRAY; count];
        if guarded {
            types.extend([Type::OID_ARRAY, Type::TEXT]);
        }
        let statement = client
            .prepare_typed(&sql, &types)
            .await
            .map_err(Error::doing("prepare a statement"))?;
        let columns = columns.to_vec();
        let prepared = Prepared {
            columns,
            statement: statement.clone(),
        };
        self.prepared.entry((table.id, op)).or_default().push(prepared);
        self.count += 1;
        Ok(statement)
    }

    /// The statement that begins every transaction.
    pub(crate) async fn marker(&mut self, client: &Client) -> Result<Statement> {
        constant(&mut self.marker, client, MARKER_SQL, &MARKER_TYPES).await
    }

    /// The statement before every COMMIT.
    pub(crate) async fn position(&mut self, client: &Client) -> Result<Statement> {
        constant(&mut self.position, client, POSITION_SQL, &POSITION_TYPES).await
    }

    /// The statement that finds what is in progress.
    pub(crate) async fn in_progress(&mut self, client: &Client) -> Result<Statement> {
        constant(&mut self.in_progress, client, IN_PROGRESS_SQL, &[]).await
    }

    /// What keeps rows of the table apart.
    pub(crate) async fn constraints(&mut self, client: &Client, table: &Arc<Table>) -> Result<Arc<Constraints>> {
        if let Some((read, constraints)) = self.constraints.get(&table.id)
            && same(read, table)
        {
            return Ok(Arc::clone(constraints));
        }
        self.questions.retain(|(id, _), _| *id != table.id);
        let constraints = Arc::new(Constraints::read(client, table).await?);
        self.constraints
            .insert(table.id, (Arc::clone(table), Arc::clone(&constraints)));
        Ok(constraints)
    }

    /// The statements that ask about the constraint at that place.
    pub(crate) async fn questions(
        &mut self,
        client: &Client,
        table: &Arc<Table>,
        constraints: &Constraints,
        at: usize,
    ) -> Result<Questions> {
        if let Some(known) = self.questions.get(&(table.id, at)) {
            return Ok(known.clone());
        }
        let constraint = &constraints.all[at];
        let types = vec![Type::TEXT_ARRAY; render::sent(table, constraint).len()];
        let doing = Error::doing("prepare a question about rows that exclude each other");
        let standing = render::standing(table, constraints, constraint);
        let apart = render::apart(table, constraints, constraint);
        let questions = Questions {
            standing: client.prepare_typed(&standing, &types).await.map_err(doing)?,
            apart: client.prepare_typed(&apart, &types).await.map_err(doing)?,
        };
        self.questions.insert((table.id, at), questions.clone());
        Ok(questions)
    }

    /// The statement that reads the marks of foreign keys.
    pub(crate) async fn marks(&mut self, client: &Client) -> Result<Statement> {
        constant(&mut self.marks, client, &marks_sql(), &MARKS_TYPES).await
    }

    /// How the table's key is compared.
    pub(crate) async fn shape(&mut self, client: &Client, table: &Arc<Table>) -> Result<Arc<Shape>> {
        if let Some((shaped, shape)) = self.shapes.get(&table.id)
            && same(shaped, table)
        {
            return Ok(Arc::clone(shape));
        }
        self.prepared.retain(|(id, _), _| *id != table.id);
        self.count = self.prepared.values().map(Vec::len).sum();
        let shape = if table.has_key() {
            Shape::read(client, table).await?
        } else {
            Shape::keyless()
        };
        let shape = Arc::new(shape);
        self.shapes.insert(table.id, (Arc::clone(table), Arc::clone(&shape)));
        Ok(shape)
    }
}

async fn constant(known: &mut Option<Statement>, client: &Client, sql: &str, types: &[Type]) -> Result<Statement> {
    if let Some(known) = known {
        return Ok(known.clone());
    }
    let prepared = client.prepare_typed(sql, types).await;
    let prepared = prepared.map_err(Error::doing("prepare a statement of every transaction"))?;
    Ok(known.insert(prepared).clone())
}

fn same(a: &Arc<Table>, b: &Arc<Table>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}
