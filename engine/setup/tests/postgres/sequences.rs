use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use synapse_engine_setup::{Definition, Impossible, Next, Outcome, Position, Share, install, stride};
use tokio_postgres::Client;

use crate::server::{FIT, Server, value, wanted, wanted_as};

/// What the SQL function has to answer: its outcome, and increment, start, min, max, next.
fn expected(definition: Definition, position: Position, share: Share) -> (&'static str, [Option<i64>; 5]) {
    match stride(definition, position, share) {
        Err(Impossible::TooWide) => ("too_wide", [None; 5]),
        Err(Impossible::TooNarrow) => ("too_narrow", [None; 5]),
        Ok(plan) => {
            let own = plan.definition;
            let (outcome, next) = match plan.next {
                Next::Value(next) => ("next", Some(next)),
                Next::Exhausted => ("exhausted", None),
            };
            (
                outcome,
                [Some(own.increment), Some(own.start), Some(own.min), Some(own.max), next],
            )
        }
    }
}

#[tokio::test]
async fn sql_and_rust_agree_on_every_stride() {
    let cases = (
        prop_oneof![1_i64..9, -9_i64..0, any::<i64>().prop_filter("not zero", |i| *i != 0)],
        prop_oneof![
            (-60_i64..60, 0_i64..300),
            Just((1, i64::MAX - 1)),
            Just((-32_768, 65_535)),
            Just((i64::MIN, i64::MAX))
        ],
        (any::<u32>(), any::<u32>(), any::<bool>(), any::<bool>()),
        (0_u16..16, 0_u16..16),
    );
    let mut runner = TestRunner::deterministic();
    for server in Server::each(FIT) {
        let mut client = server.database("app").await;
        install(&mut client, &wanted()).await.unwrap();
        let statement = client
            .prepare("SELECT outcome, increment, start, min, max, next FROM synapse.stride($1,$2,$3,$4,$5,$6,$7,$8,$9)")
            .await
            .unwrap();
        for _ in 0..3_000 {
            let (increment, (min, width), (a, b, cycle, called), (x, y)) =
                cases.new_tree(&mut runner).unwrap().current();
            let max = min.saturating_add(width);
            let within = |pick: u32| min + i64::from(pick) % max.saturating_sub(min).saturating_add(1).min(1 << 40);
            let definition = Definition {
                increment,
                start: within(a),
                min,
                max,
                cycle,
            };
            let position = Position {
                last: within(b),
                called,
            };
            let share = Share::new(x.min(y), x.max(y) + 1).unwrap();
            let (ordinal, nodes) = (i32::from(share.ordinal()), i32::from(share.nodes()));
            let row = client
                .query_one(
                    &statement,
                    &[
                        &increment,
                        &definition.start,
                        &min,
                        &max,
                        &cycle,
                        &position.last,
                        &called,
                        &ordinal,
                        &nodes,
                    ],
                )
                .await
                .unwrap();
            let found: (&str, [Option<i64>; 5]) = (row.get(0), [1, 2, 3, 4, 5].map(|column| row.get(column)));
            let expected = expected(definition, position, share);
            assert_eq!(found, expected, "{definition:?} {position:?} {share:?}");
        }
    }
}

const SEQUENCES: &str = "
    CREATE SEQUENCE plain; SELECT nextval('plain') FROM generate_series(1, 37);
    CREATE SEQUENCE \"Großer Schritt\" INCREMENT BY 10 START WITH 1000;
    CREATE SEQUENCE down INCREMENT BY -3; SELECT nextval('down'), nextval('down');
    CREATE SEQUENCE cached CACHE 20; SELECT nextval('cached');
    CREATE SEQUENCE ring MINVALUE 5 MAXVALUE 90 START WITH 80 CYCLE;
    CREATE SEQUENCE small AS smallint; SELECT setval('small', 32700);
    CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY (START WITH 7), v text);
    INSERT INTO t (v) VALUES ('a'), ('b');
";

async fn draw(client: &Client, sequence: &str, count: usize) -> BTreeSet<i64> {
    let mut drawn = BTreeSet::new();
    for _ in 0..count {
        match client
            .query_one("SELECT nextval($1::text::regclass)", &[&sequence])
            .await
        {
            Ok(row) => drawn.insert(row.get(0)),
            Err(_) => break,
        };
    }
    drawn
}

#[tokio::test]
async fn three_nodes_that_start_alike_draw_different_values() {
    for server in Server::each(FIT) {
        let mut nodes = Vec::new();
        for (ordinal, name) in ["n1", "n2", "n3"].into_iter().enumerate() {
            let mut client = server.database(name).await;
            client.batch_execute(SEQUENCES).await.unwrap();
            let share = wanted_as(name, u16::try_from(ordinal).unwrap());
            install(&mut client, &share).await.unwrap();
            nodes.push(client);
        }
        for (sequence, used) in [
            ("plain", 1..=37),
            ("\"Großer Schritt\"", 0..=999),
            ("down", -4..=0),
            ("cached", 1..=1),
            ("ring", 91..=91),
            ("small", 1..=32_700),
            ("t_id_seq", 7..=8),
        ] {
            let mut seen = BTreeSet::new();
            for client in &nodes {
                for value in draw(client, sequence, 10).await {
                    assert!(seen.insert(value), "{sequence} drew {value} twice");
                    assert!(!used.contains(&value), "{sequence} drew {value} again");
                }
            }
            assert!(seen.len() >= 10, "{sequence}: {seen:?}");
        }
    }
}

#[tokio::test]
async fn a_truncate_that_restarts_goes_back_to_the_nodes_own_start() {
    for server in Server::each(FIT) {
        let mut client = server.database("app").await;
        client.batch_execute(SEQUENCES).await.unwrap();
        install(&mut client, &wanted_as("n1", 5)).await.unwrap();
        client.batch_execute("TRUNCATE t RESTART IDENTITY").await.unwrap();
        let drawn: i32 = value(&client, "INSERT INTO t (v) VALUES ('c') RETURNING id").await;
        assert_eq!(drawn, 7 + 5);
    }
}

#[tokio::test]
async fn a_sequence_without_values_for_this_node_fails_instead_of_colliding() {
    for server in Server::each(FIT) {
        let mut client = server.database("app").await;
        client
            .batch_execute("CREATE SEQUENCE short MAXVALUE 10; CREATE SEQUENCE tiny MAXVALUE 3 CYCLE")
            .await
            .unwrap();
        let installed = install(&mut client, &wanted_as("n1", 12)).await.unwrap();
        let outcome = |name: &str| {
            installed
                .changes
                .iter()
                .find(|c| c.object.ends_with(name))
                .map(|c| c.outcome)
        };
        assert_eq!(outcome("short"), Some(Outcome::Exhausted));
        assert_eq!(outcome("tiny"), Some(Outcome::TooNarrow));
        assert_eq!(draw(&client, "short", 1).await, BTreeSet::new());
        assert_eq!(draw(&client, "tiny", 3).await, BTreeSet::from([1, 2, 3]));
    }
}

#[tokio::test]
async fn another_ordinal_is_computed_from_what_the_owner_wrote() {
    for server in Server::each(FIT) {
        let mut client = server.database("app").await;
        client
            .batch_execute("CREATE SEQUENCE s INCREMENT BY 2 START WITH 10")
            .await
            .unwrap();
        install(&mut client, &wanted_as("n1", 3)).await.unwrap();
        assert_eq!(value::<i64>(&client, "SELECT nextval('s')").await, 16);
        install(&mut client, &wanted_as("n1", 4)).await.unwrap();
        assert_eq!(value::<i64>(&client, "SELECT nextval('s')").await, 18);
        assert_eq!(value::<i64>(&client, "SELECT nextval('s')").await, 50);
    }
}
