//! Values of many types, compared as their indexes compare them.

use super::{Case, check};

const TYPES: &[Case] = &[
    Case {
        what: "collations that are not deterministic, of the column and of the index",
        since: 14,
        sql: "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false); \
                  CREATE TABLE t (id int PRIMARY KEY, a text COLLATE ci UNIQUE, b text, c text COLLATE ci); \
                  CREATE UNIQUE INDEX b_ci ON t (b COLLATE ci); CREATE UNIQUE INDEX c_c ON t (c COLLATE \"C\"); \
                  CREATE UNIQUE INDEX ab_ci ON t ((a || 'x') COLLATE \"C\"); \
                  INSERT INTO t VALUES (1, 'Ann', 'Bob', 'Cid')",
        displaced: &[&["7", "Xa", "Xb", "Xc"]],
        images: &[
            &["10", "aNN", "-", "cID"],
            &["11", "-", "bOB", "Cid"],
            &["12", "xA", "xB", "xC"],
        ],
        found: "2+7 b_ci, 2+7 t_a_key, 0-1 t_a_key, 1-1 b_ci, 1-1 c_c",
    },
    Case {
        what: "types of another schema",
        since: 14,
        sql: "CREATE SCHEMA \"O'ther\"; CREATE TYPE \"O'ther\".\"Mood\" AS ENUM ('sad', 'it''s \"ok\"'); \
                  CREATE DOMAIN \"O'ther\".positive AS int NOT NULL CHECK (VALUE > 0); \
                  CREATE DOMAIN \"O'ther\".words AS text[]; \
                  CREATE TYPE \"O'ther\".\"Pair\" AS (a int, \"B\" text); \
                  CREATE EXTENSION citext SCHEMA \"O'ther\"; \
                  CREATE TABLE t (id int PRIMARY KEY, m \"O'ther\".\"Mood\" UNIQUE, p \"O'ther\".positive UNIQUE, \
                  w \"O'ther\".words UNIQUE, c \"O'ther\".\"Pair\" UNIQUE, ms \"O'ther\".\"Mood\"[], ci \"O'ther\".citext UNIQUE); \
                  CREATE UNIQUE INDEX moods ON t ((ms[1]), p) WHERE m = 'it''s \"ok\"'; \
                  CREATE UNIQUE INDEX second ON t (((c).\"B\"), ci) WHERE ci IS NOT NULL; \
                  INSERT INTO t VALUES (1, 'it''s \"ok\"', 1, '{a,NULL}', '(1,x)', '{sad}', 'MiXed')",
        displaced: &[],
        images: &[
            &["10", "it's \"ok\"", "1", "{a,NULL}", "(1,x)", "{sad}", "mixed"],
            &["11", "sad", "2", "{}", "(,x)", "{sad}", "MIXED"],
        ],
        found: "0-1 moods, 0-1 second, 0-1 t_c_key, 0-1 t_ci_key, 0-1 t_m_key, 0-1 t_p_key, 0-1 t_w_key, \
                    1-1 second, 1-1 t_ci_key, 0~1 second, 0~1 t_ci_key",
    },
    Case {
        what: "equal values whose texts differ",
        since: 14,
        sql: "CREATE TABLE t (id numeric PRIMARY KEY, n numeric UNIQUE, f float8 UNIQUE, c char(5) UNIQUE, i interval UNIQUE, \
                  j jsonb UNIQUE, b bytea UNIQUE, a int[] UNIQUE, r int4range UNIQUE, v varchar(3) UNIQUE, o bool, ts timestamp(0) UNIQUE); \
                  CREATE UNIQUE INDEX rng ON t (lower(r), upper(r)); CREATE UNIQUE INDEX pat ON t (v text_pattern_ops, n); \
                  CREATE UNIQUE INDEX js ON t ((j ->> 'a')); \
                  INSERT INTO t VALUES (1.0, 1.0, 0, 'ab', '1 day', '{\"a\": 1.0}', '\\x00ff', '{1,2}', '[1,2]', 'abc', true, \
                  '2026-01-01 00:00:01')",
        displaced: &[],
        images: &[
            &[
                "2",
                "1.00",
                "-0",
                "ab",
                "24:00:00",
                "{\"a\": 1.0}",
                "\\x00FF",
                "{1, 2}",
                "[1,3)",
                "abc",
                "f",
                "2026-01-01 00:00:00.6",
            ],
            &[
                "1.00",
                "1.00",
                "-0",
                "ab",
                "24:00:00",
                "{\"a\": 1.0}",
                "\\x00FF",
                "{1, 2}",
                "[1,3)",
                "abc",
                "f",
                "2026-01-01 00:00:00.6",
            ],
            &[
                "3",
                "1.001",
                "1",
                "AB",
                "23:00:00",
                "{\"a\": 1.00}",
                "\\x00",
                "{2,1}",
                "[1,3]",
                "ABC",
                "f",
                "2026-01-01 00:00:00.4",
            ],
        ],
        found: "0-1.0 js, 0-1.0 pat, 0-1.0 rng, 0-1.0 t_a_key, 0-1.0 t_b_key, 0-1.0 t_c_key, 0-1.0 t_f_key, 0-1.0 t_i_key, \
                    0-1.0 t_j_key, 0-1.0 t_n_key, 0-1.0 t_r_key, 0-1.0 t_ts_key, 0-1.0 t_v_key, 2-1.0 t_j_key, \
                    0~1 js, 0~1 pat, 0~1 rng, 0~1 t_a_key, 0~1 t_b_key, 0~1 t_c_key, 0~1 t_f_key, 0~1 t_i_key, 0~1 t_j_key, \
                    0~1 t_n_key, 0~1 t_r_key, 0~1 t_ts_key, 0~1 t_v_key, 0~2 t_j_key, 1~2 t_j_key",
    },
];

#[tokio::test]
async fn values_are_compared_by_the_operators_and_collations_of_their_indexes() {
    check(TYPES).await;
}
