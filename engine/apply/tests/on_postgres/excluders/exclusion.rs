//! Exclusion constraints.

use synapse_engine_plan::Step;

use super::{Case, check};
use crate::fixture::{answer, apply, horizon, keys, row_id, session, table, texts};
use crate::server::Server;

const EXCLUSION: &[Case] = &[
    Case {
        what: "ranges",
        since: 14,
        sql: "CREATE TABLE t (id int PRIMARY KEY, r int4range, EXCLUDE USING gist (r WITH &&)); \
                  INSERT INTO t VALUES (1, '[1,5)'), (2, '[5,9)'), (3, NULL)",
        displaced: &[&["7", "[8,20)"]],
        images: &[
            &["10", "[4,6)"],
            &["11", "[9,10)"],
            &["12", "NULL"],
            &["13", "empty"],
            &["14", "[10,11)"],
        ],
        found: "1+7 t_r_excl, 4+7 t_r_excl, 0-1 t_r_excl, 0-2 t_r_excl",
    },
    Case {
        what: "an expression and a condition, deferrable",
        since: 14,
        sql: "CREATE TABLE t (id int PRIMARY KEY, a int, b int, off bool, \
                  CONSTRAINT part EXCLUDE USING gist (int4range(a, b) WITH &&) WHERE (NOT off) DEFERRABLE INITIALLY DEFERRED); \
                  INSERT INTO t VALUES (1, 1, 5, false), (2, 1, 5, true)",
        displaced: &[&["7", "1", "2", "f"], &["8", "1", "2", "t"]],
        images: &[
            &["10", "1", "2", "f"],
            &["11", "1", "2", "t"],
            &["12", "4", "9", "f"],
            &["13", "1", "9", "f"],
        ],
        found: "0+7 part, 3+7 part, 0-1 part, 2-1 part, 3-1 part, 0~3 part, 2~3 part",
    },
    Case {
        what: "equality, by a B-tree",
        since: 14,
        sql: "CREATE TABLE t (id int PRIMARY KEY, a int, EXCLUDE USING btree (a WITH =)); INSERT INTO t VALUES (1, 1)",
        displaced: &[],
        images: &[&["10", "1"]],
        found: "0-1 t_a_excl",
    },
    Case {
        what: "a room and a time",
        since: 14,
        sql: "CREATE EXTENSION btree_gist SCHEMA public; \
                  CREATE TABLE t (id int PRIMARY KEY, room int, r int4range, EXCLUDE USING gist (room WITH =, r WITH &&)); \
                  INSERT INTO t VALUES (1, 1, '[1,5)'), (2, 2, '[1,5)')",
        displaced: &[&["7", "2", "[4,6)"]],
        images: &[
            &["10", "1", "[2,3)"],
            &["11", "2", "[5,6)"],
            &["12", "3", "[2,3)"],
            &["13", "1", "[1,3)"],
        ],
        found: "1+7 t_room_r_excl, 0-1 t_room_r_excl, 3-1 t_room_r_excl, 0~3 t_room_r_excl",
    },
    Case {
        what: "a key and a unique constraint without overlaps",
        since: 18,
        sql: "CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA public; \
                  CREATE TABLE t (id int, r int4range, a int, v int4range, PRIMARY KEY (id, r WITHOUT OVERLAPS), \
                  UNIQUE (a, v WITHOUT OVERLAPS)); \
                  INSERT INTO t VALUES (1, '[1,5)', 1, '[1,5)'), (1, '[5,9)', 2, NULL)",
        displaced: &[&["1", "[8,20)", "7", "NULL"]],
        images: &[
            &["1", "[1,5)", "1", "[1,5)"],
            &["1", "[4,6)", "3", "NULL"],
            &["2", "[1,5)", "1", "[2,3)"],
            &["1", "[19,30)", "NULL", "NULL"],
        ],
        found: "3+1/[8,20) t_pkey, 1-1/[1,5) t_pkey, 1-1/[5,9) t_pkey, 2-1/[1,5) t_a_v_key, 0~1 t_pkey, 0~2 t_a_v_key",
    },
];

#[tokio::test]
async fn exclusion_constraints_exclude_by_their_operators() {
    check(EXCLUSION).await;
}

#[tokio::test]
async fn a_key_without_overlaps_is_the_same_where_its_range_is_equal() {
    for server in Server::each().await {
        let client = server.application("postgres").await;
        if answer(&client, "SELECT current_setting('server_version_num')::int >= 180000").await != "t" {
            continue;
        }
        client
            .batch_execute(
                "CREATE EXTENSION btree_gist; \
                 CREATE TABLE t (id int, r int4range, PRIMARY KEY (id, r WITHOUT OVERLAPS)); \
                 INSERT INTO t VALUES (1, '[1,5)'), (1, '[5,9)')",
            )
            .await
            .unwrap();
        let t = table(&client, 1, "public", "t").await;
        let mut session = session(&server, "postgres").await;
        let rows = [texts(&["1", "[1,9)"]), texts(&["1", "[5,9)"])];
        let above = horizon(&client).await;
        let steps = vec![Step::Delete(keys(&t, &rows))];
        let done = apply(&mut session, &client, 1, Some(above), steps).await;
        assert_eq!(done.dropouts, [row_id(&t, &rows[0])]);
        assert_eq!(answer(&client, "SELECT r FROM t").await, "[1,5)");
    }
}
