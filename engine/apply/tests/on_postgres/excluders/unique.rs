//! Unique indexes.

use super::{Case, check};

const UNIQUE: &[Case] = &[
    Case {
        what: "several columns, nulls distinct",
        since: 14,
        sql: "CREATE TABLE t (id int PRIMARY KEY, a int, b text, UNIQUE (a, b) INCLUDE (id)); \
                  INSERT INTO t VALUES (1, 1, 'x'), (2, 1, NULL), (3, 2, 'y')",
        displaced: &[&["7", "1", "x"], &["8", "1", "NULL"]],
        images: &[
            &["10", "1", "x"],
            &["11", "1", "NULL"],
            &["3", "2", "y"],
            &["12", "2", "y"],
            &["13", "1", "x"],
        ],
        found: "0+7 t_a_b_id_key, 4+7 t_a_b_id_key, 0-1 t_a_b_id_key, 3-3 t_a_b_id_key, 4-1 t_a_b_id_key, \
                    0~4 t_a_b_id_key, 2~3 t_a_b_id_key",
    },
    Case {
        what: "nulls not distinct",
        since: 15,
        sql: "CREATE TABLE t (id int PRIMARY KEY, a int, b text, UNIQUE NULLS NOT DISTINCT (a, b)); \
                  INSERT INTO t VALUES (1, NULL, 'x'), (2, 1, NULL), (3, NULL, NULL), (4, 1, 'x')",
        displaced: &[&["7", "1", "NULL"], &["8", "NULL", "y"]],
        images: &[
            &["10", "NULL", "x"],
            &["11", "1", "NULL"],
            &["12", "NULL", "NULL"],
            &["13", "2", "NULL"],
            &["14", "NULL", "y"],
            &["15", "1", "x"],
            &["16", "2", "NULL"],
            &["2", "1", "NULL"],
        ],
        found: "1+7 t_a_b_key, 4+8 t_a_b_key, 7+7 t_a_b_key, 0-1 t_a_b_key, 1-2 t_a_b_key, 2-3 t_a_b_key, \
                    5-4 t_a_b_key, 1~7 t_a_b_key, 3~6 t_a_b_key",
    },
    Case {
        what: "nulls not distinct, of more columns than have a condition each, and of row types",
        since: 15,
        sql: "CREATE TYPE pair AS (a int, b int); \
              CREATE TABLE t (id int PRIMARY KEY, a int, b int, c int, d int, e int, p pair, \
              UNIQUE NULLS NOT DISTINCT (a, b, c, d, e), UNIQUE NULLS NOT DISTINCT (p)); \
              INSERT INTO t VALUES (1, 1, NULL, 1, 1, NULL, '(,)'), (2, 1, NULL, 1, 1, 1, NULL)",
        displaced: &[&["7", "NULL", "NULL", "NULL", "NULL", "NULL", "(1,)"]],
        images: &[
            &["10", "1", "NULL", "1", "1", "NULL", "(1,)"],
            &["11", "1", "NULL", "1", "1", "1", "(,)"],
            &["12", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL"],
            &["13", "NULL", "NULL", "NULL", "NULL", "1", "(1,1)"],
        ],
        found: "0+7 t_p_key, 2+7 t_a_b_c_d_e_key, 0-1 t_a_b_c_d_e_key, 1-1 t_p_key, 1-2 t_a_b_c_d_e_key, 2-2 t_p_key",
    },
    Case {
        what: "partial",
        since: 14,
        sql: "CREATE TABLE t (id int PRIMARY KEY, a int, active bool); CREATE UNIQUE INDEX part ON t (a) WHERE active; \
                  INSERT INTO t VALUES (1, 1, true), (2, 1, false), (3, 2, NULL)",
        displaced: &[&["7", "1", "t"], &["8", "2", "f"], &["9", "2", "t"]],
        images: &[
            &["10", "1", "t"],
            &["11", "1", "f"],
            &["12", "2", "t"],
            &["13", "2", "NULL"],
        ],
        found: "0+7 part, 2+9 part, 0-1 part",
    },
    Case {
        what: "expression",
        since: 14,
        sql: "CREATE TABLE t (id int PRIMARY KEY, gone int, email varchar(20), note text); \
                  ALTER TABLE t DROP COLUMN gone; \
                  CREATE UNIQUE INDEX mail ON t (lower(email)) WHERE email IS NOT NULL; \
                  INSERT INTO t VALUES (1, 'Ann@X'), (2, NULL), (3, 'bob@x')",
        displaced: &[&["7", "ANN@x", "NULL"]],
        images: &[
            &["10", "ann@X", "a"],
            &["11", "NULL", "b"],
            &["12", "BOB@X", "NULL"],
            &["13", "boB@x", "c"],
        ],
        found: "0+7 mail, 0-1 mail, 2-3 mail, 3-3 mail, 2~3 mail",
    },
    Case {
        what: "several at once, one on an expression of two columns",
        since: 14,
        sql: "CREATE TABLE t (id int PRIMARY KEY, a int, b int, UNIQUE (b)); CREATE UNIQUE INDEX add ON t ((a + b), a); \
                  INSERT INTO t VALUES (1, 1, 2)",
        displaced: &[],
        images: &[&["10", "1", "2"], &["11", "2", "1"]],
        found: "0-1 add, 0-1 t_b_key",
    },
    Case {
        what: "a column that the server computes",
        since: 14,
        sql: "CREATE TABLE t (id int PRIMARY KEY, a text, g text GENERATED ALWAYS AS (lower(a)) STORED UNIQUE, b int); \
                  INSERT INTO t (id, a) VALUES (1, 'X')",
        displaced: &[&["7", "Y", "1"]],
        images: &[&["10", "x", "NULL"], &["11", "y", "NULL"]],
        found: "1+7 t_g_key, 0-1 t_g_key",
    },
    Case {
        what: "the whole row",
        since: 14,
        sql: "CREATE TABLE t (id int PRIMARY KEY, gone int, a text, g int GENERATED ALWAYS AS (1) STORED); \
                  ALTER TABLE t DROP COLUMN gone; \
                  CREATE FUNCTION label(t) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1.a || $1.g $$; \
                  CREATE UNIQUE INDEX labels ON t (label(t)); INSERT INTO t VALUES (1, 'x')",
        displaced: &[&["7", "y"]],
        images: &[&["10", "x"], &["11", "y"], &["12", "z"]],
        found: "1+7 labels, 0-1 labels",
    },
    Case {
        what: "a partition",
        since: 14,
        sql: "CREATE TABLE p (id int, a int, PRIMARY KEY (id), UNIQUE (id, a)) PARTITION BY RANGE (id); \
                  CREATE TABLE t PARTITION OF p FOR VALUES FROM (0) TO (100); CREATE UNIQUE INDEX own ON t (a); \
                  INSERT INTO t VALUES (1, 1)",
        displaced: &[],
        images: &[&["10", "1"], &["1", "1"]],
        found: "0-1 own, 0~1 own",
    },
];

#[tokio::test]
async fn unique_indexes_exclude_as_they_are_enforced() {
    check(UNIQUE).await;
}
