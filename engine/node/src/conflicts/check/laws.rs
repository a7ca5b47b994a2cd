//! The laws, and cases tried against them.

use tokio::time::Instant;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row as Answer, Transaction};

use super::Outcome;
use super::cases::{Family, Row, pairs, single, triples};
use super::example::{Argument, Counterexample, Side, raw};
use super::rows::Shape;
use crate::error::Error;

/// Cases of one statement: what is left when one of them raises an error is tried one by one.
const AT_ONCE: usize = 50;
/// A function that raises so many errors under one law is told of nothing more by it: each costs a savepoint.
const RAISED_MAX: usize = 100;

/// A law, as two calls that should give the same row.
#[derive(Debug)]
pub(super) struct Law {
    name: &'static str,
    /// Names of the arguments that it is about.
    arguments: &'static [&'static str],
    /// The calls as people write them, and as the applier does: the stamp of what was made of two rows is the later one's.
    sides: [(&'static str, &'static str); 2],
    cases: fn(&[Family]) -> Vec<[&Row; 3]>,
}

pub(super) const LAWS: [&Law; 3] = [
    &Law {
        name: "commutative",
        arguments: &["a", "b"],
        sides: [("f(a, b)", "{f}(a, b, sa, sb)"), ("f(b, a)", "{f}(b, a, sb, sa)")],
        cases: pairs,
    },
    &Law {
        name: "associative",
        arguments: &["a", "b", "c"],
        sides: [
            ("f(f(a, b), c)", "{f}({f}(a, b, sa, sb), c, sb, sc)"),
            ("f(a, f(b, c))", "{f}(a, {f}(b, c, sb, sc), sa, sc)"),
        ],
        cases: triples,
    },
    &Law {
        name: "idempotent",
        arguments: &["a"],
        sides: [("f(a, a)", "{f}(a, a, sa, sa)"), ("a", "a")],
        cases: single,
    },
];

/// What came of a statement that may fail.
pub(super) enum Ended {
    Answered(Vec<Answer>),
    /// In the server's words.
    Raised(String),
}

/// Runs a statement over texts, in a savepoint. Only what says something of the statement counts as raised.
pub(super) async fn attempt(transaction: &mut Transaction<'_>, sql: &str, texts: &[&str]) -> Result<Ended, Error> {
    let parameters: Vec<(&(dyn ToSql + Sync), Type)> = texts
        .iter()
        .map(|text| (text as &(dyn ToSql + Sync), Type::TEXT))
        .collect();
    let savepoint = transaction.transaction().await?;
    match savepoint.query_typed(sql, &parameters).await {
        Ok(rows) => {
            savepoint.commit().await?;
            Ok(Ended::Answered(rows))
        }
        Err(error) => match error.as_db_error() {
            Some(said) if *said.code() != SqlState::QUERY_CANCELED && *said.code() != SqlState::ADMIN_SHUTDOWN => {
                let said = format!("{} ({})", said.message(), said.code().code());
                savepoint.rollback().await?;
                Ok(Ended::Raised(said))
            }
            _ => Err(error.into()),
        },
    }
}

/// A function that is tried.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    shape: &'a Shape,
    function: &'a str,
    stamps: [[String; 3]; 2],
    until: Instant,
    complete: bool,
    /// Whether every case gave a row.
    rows: Outcome,
    laws: Vec<Outcome>,
}

impl<'a> Trial<'a> {
    pub(super) fn new(shape: &'a Shape, function: &'a str, stamps: [[String; 3]; 2], until: Instant) -> Self {
        Trial {
            shape,
            function,
            stamps,
            until,
            complete: true,
            rows: Outcome {
                law: "gives a row",
                tried: 0,
                holds: true,
                counterexample: None,
            },
            laws: Vec::new(),
        }
    }

    pub(super) fn complete(&self) -> bool {
        self.complete
    }

    /// That a row is given first.
    pub(super) fn outcomes(self) -> Vec<Outcome> {
        std::iter::once(self.rows).chain(self.laws).collect()
    }

    /// Tries a law until a case breaks it.
    pub(super) async fn run(
        &mut self,
        transaction: &mut Transaction<'_>,
        law: &Law,
        families: &[Family],
    ) -> Result<(), Error> {
        let mut outcome = Outcome {
            law: law.name,
            tried: 0,
            holds: true,
            counterexample: None,
        };
        let cases: Vec<(usize, [&Row; 3])> = (law.cases)(families).into_iter().enumerate().collect();
        let mut raised = 0;
        for some in cases.chunks(AT_ONCE) {
            if Instant::now() >= self.until {
                self.complete = false;
                break;
            }
            if self.try_cases(transaction, law, some, &mut outcome).await?.is_some() {
                for case in some {
                    raised += usize::from(self.try_one(transaction, law, *case, &mut outcome).await?);
                }
            }
            if !outcome.holds || raised >= RAISED_MAX {
                break;
            }
        }
        self.laws.push(outcome);
        Ok(())
    }

    /// A case that may raise an error; answers whether it did.
    async fn try_one(
        &mut self,
        transaction: &mut Transaction<'_>,
        law: &Law,
        case: (usize, [&Row; 3]),
        outcome: &mut Outcome,
    ) -> Result<bool, Error> {
        if !outcome.holds {
            return Ok(false);
        }
        let said = self.try_cases(transaction, law, &[case], outcome).await?;
        let raised = said.is_some();
        if raised {
            self.rows.tried += 1;
            if self.rows.holds {
                self.rows.holds = false;
                self.rows.counterexample = Some(self.example(law, case, [None, None], said));
            }
        }
        Ok(raised)
    }

    /// Tries cases at once; answers with what was raised. Nothing is known of any of them then.
    async fn try_cases(
        &mut self,
        transaction: &mut Transaction<'_>,
        law: &Law,
        cases: &[(usize, [&Row; 3])],
        outcome: &mut Outcome,
    ) -> Result<Option<String>, Error> {
        let texts: Vec<serde_json::Value> = cases.iter().map(|case| self.arguments(*case)).collect();
        let texts = serde_json::Value::from(texts).to_string();
        let answers = match attempt(transaction, &self.statement(law), &[&texts]).await? {
            Ended::Answered(answers) => answers,
            Ended::Raised(said) => return Ok(Some(said)),
        };
        for answer in &answers {
            let at = usize::try_from(answer.try_get::<_, i64>(0)?).unwrap_or(1) - 1;
            let sides: [Option<String>; 2] = [answer.try_get(1)?, answer.try_get(2)?];
            let no_row = sides.iter().any(Option::is_none);
            let broken = if no_row { &mut self.rows } else { &mut *outcome };
            if broken.holds {
                broken.holds = false;
                let example = self.example(law, cases[at], sides, None);
                let broken = if no_row { &mut self.rows } else { &mut *outcome };
                broken.counterexample = Some(example);
            }
        }
        self.rows.tried += cases.len();
        outcome.tried += cases.len();
        Ok(None)
    }

    /// Every fourth case is one of equal times.
    fn stamps(&self, nth: usize) -> &[String; 3] {
        &self.stamps[usize::from(nth % 4 == 3)]
    }

    /// The rows and stamps of a case, as texts.
    fn arguments(&self, (nth, rows): (usize, [&Row; 3])) -> serde_json::Value {
        let images = rows.iter().map(|row| self.shape.json(row));
        images.chain(self.stamps(nth).iter().cloned()).collect()
    }

    /// The cases in which both sides are not the same row of the table.
    fn statement(&self, law: &Law) -> String {
        let [one, other] = law.sides.map(|(_, call)| call.replace("{f}", self.function));
        let relation = &self.shape.relation;
        let row = |of: &str| {
            let columns = self.shape.columns_of("r");
            format!(
                "(SELECT to_jsonb(w) FROM (SELECT {columns} FROM jsonb_populate_record(NULL::{relation}, x.{of}) AS r) AS w)"
            )
        };
        // OFFSET keeps each call from being made once for each use of its result.
        format!(
            "SELECT x.at, x.one::text, x.other::text FROM ( \
               SELECT p.at, {one} AS one, {other} AS other FROM ( \
                 SELECT c.at, (c.t ->> 0)::jsonb AS a, (c.t ->> 1)::jsonb AS b, (c.t ->> 2)::jsonb AS c, \
                        (c.t ->> 3)::jsonb AS sa, (c.t ->> 4)::jsonb AS sb, (c.t ->> 5)::jsonb AS sc \
                   FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS c(t, at) OFFSET 0) AS p OFFSET 0) AS x \
              WHERE x.one IS NULL OR x.other IS NULL OR {} IS DISTINCT FROM {} ORDER BY x.at",
            row("one"),
            row("other"),
        )
    }

    fn example(
        &self,
        law: &Law,
        (nth, rows): (usize, [&Row; 3]),
        results: [Option<String>; 2],
        error: Option<String>,
    ) -> Counterexample {
        let arguments = law.arguments.iter().zip(rows).zip(self.stamps(nth));
        let sides = law.sides.iter().zip(results);
        Counterexample {
            arguments: arguments
                .map(|((name, row), stamp)| Argument {
                    name,
                    row: raw(&self.shape.json(row)),
                    stamp: raw(stamp),
                })
                .collect(),
            sides: sides
                .map(|((call, _), result)| Side {
                    call,
                    result: result.as_deref().map(raw),
                })
                .collect(),
            error,
        }
    }
}
