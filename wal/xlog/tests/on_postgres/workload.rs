use synapse_wal_xlog::Version;

use crate::server::Server;

/// The ways of compressing page images that the server has. Of large segments, which each round fills anew, the last one
/// only; and where there are several, not the one that every other server has.
pub(crate) fn methods(server: &Server, megabytes: u32) -> Vec<String> {
    let mut methods = match server.version {
        Version::V14 => vec!["off".to_owned(), "on".to_owned()],
        Version::V15 | Version::V16 | Version::V17 | Version::V18 => {
            let mut known = server.psql("SELECT unnest(enumvals) FROM pg_settings WHERE name = 'wal_compression'");
            known.retain(|method| method != "on");
            known.sort_by_key(|method| method != "off");
            known
        }
    };
    assert!(methods.len() >= 2 && methods[0] == "off", "{methods:?}");
    if methods.len() > 2 {
        methods.retain(|method| method != "pglz");
    }
    if megabytes > 16 {
        methods.drain(..methods.len() - 1);
    }
    methods
}

/// Does all that leaves a mark in the WAL, once with each of these ways.
pub(crate) fn run(server: &Server, methods: &[String]) {
    server.psql(TOOLS);
    server.psql(optional(server));
    for (round, method) in methods.iter().enumerate() {
        let settings = format!("-c wal_compression={method}");
        let place = server.make_directory(&format!("space{round}"));
        let run = |sql: &str| {
            let sql = sql
                .replace("{n}", &round.to_string())
                .replace("{place}", &place.display().to_string());
            server.psql_with(&settings, &sql);
        };
        run("CHECKPOINT");
        run(TABLES);
        run(INDEXES);
        run(TRANSACTIONS);
        run(PREPARED);
        // Whole databases once, with images compressed.
        let is_last = round + 1 == methods.len();
        if is_last {
            run(DATABASES);
        }
        if is_last && server.version >= Version::V15 {
            run(
                "CREATE DATABASE copied{n} STRATEGY file_copy; CREATE DATABASE logged{n} STRATEGY wal_log;
                 DROP DATABASE copied{n}; DROP DATABASE logged{n}",
            );
        }
        run(match server.version {
            Version::V14 => "SELECT pg_start_backup('b', true, false); SELECT pg_stop_backup(false, false)",
            Version::V15 | Version::V16 | Version::V17 | Version::V18 => {
                "SELECT pg_backup_start('b', true); SELECT pg_backup_stop(false)"
            }
        });
        server.pgbench(&settings, 100);
        run("SELECT pg_create_restore_point('round {n}'); SELECT pg_switch_wal()");
    }
    // What goes on behind the last switch, so that its segment is complete.
    server.psql("CREATE TABLE behind (i int); CHECKPOINT");
}

/// Page formats of extensions go through `Generic`; which one is there depends on the package.
fn optional(server: &Server) -> &'static str {
    let there = server.psql("SELECT name FROM pg_available_extensions WHERE name IN ('bloom', 'vector') ORDER BY 1");
    match there.first().map(String::as_str) {
        Some("bloom") => {
            "CREATE EXTENSION bloom; CREATE TABLE generic (a int, b int); CREATE INDEX ON generic USING bloom (a, b);
             INSERT INTO generic SELECT i, i FROM generate_series(1, 500) i"
        }
        Some("vector") => {
            "CREATE EXTENSION vector; CREATE TABLE generic (v vector(3)); CREATE INDEX ON generic USING hnsw (v vector_l2_ops);
             INSERT INTO generic SELECT ARRAY[i, i * 7 % 31, i * 13 % 29] FROM generate_series(1, 200) i"
        }
        _ => panic!("neither bloom nor vector is there"),
    }
}

const TOOLS: &str = "
CREATE FUNCTION noise(i int, length int) RETURNS text LANGUAGE sql IMMUTABLE AS
  $$ SELECT string_agg(md5(i::text || j::text), '') FROM generate_series(1, length / 32 + 1) j $$;
CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88)) WITH (fillfactor = 50);
CREATE TABLE pgbench_tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84));
CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84));
CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
INSERT INTO pgbench_branches VALUES (1, 0);
INSERT INTO pgbench_tellers SELECT i, 1, 0 FROM generate_series(1, 10) i;
INSERT INTO pgbench_accounts SELECT i, 1, 0, 'x' FROM generate_series(1, 30000) i;
SELECT pg_replication_origin_create('elsewhere');
CREATE TABLE spent (i int);
-- More transaction ids than one page of their commit status holds.
DO $$ BEGIN FOR i IN 1..33000 LOOP BEGIN INSERT INTO spent VALUES (i); EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $$;
";

const TABLES: &str = "
CREATE TABLE rows{n} (id int PRIMARY KEY, n int, t text);
COPY rows{n} (id, n) FROM PROGRAM 'seq -f %.0f,1 1 20000' (FORMAT csv);
UPDATE rows{n} SET n = n + 1 WHERE id % 3 = 0;
UPDATE rows{n} SET t = repeat('long', 200) WHERE id % 7 = 0;
INSERT INTO rows{n} SELECT i, i FROM generate_series(19000, 21000) i ON CONFLICT (id) DO UPDATE SET n = 0;
DELETE FROM rows{n} WHERE id % 5 = 0;
VACUUM rows{n};
SELECT count(*) FROM rows{n} WHERE n = 2;
DELETE FROM rows{n} WHERE id > 5000;
VACUUM (FREEZE, ANALYZE) rows{n};
INSERT INTO rows{n} SELECT i FROM generate_series(30000, 32000) i;
CLUSTER rows{n} USING rows{n}_pkey;
CREATE TABLE toasted{n} (id int PRIMARY KEY, t text);
INSERT INTO toasted{n} SELECT i, noise(i, 9000) FROM generate_series(1, 40) i;
UPDATE toasted{n} SET t = noise(id + 1000, 20000) WHERE id % 4 = 0;
DELETE FROM toasted{n} WHERE id % 2 = 0;
VACUUM FULL toasted{n};
CREATE UNLOGGED TABLE unlogged{n} (id int PRIMARY KEY);
INSERT INTO unlogged{n} SELECT generate_series(1, 1000);
CREATE TEMP TABLE temporary (id int);
CREATE SEQUENCE counter{n};
SELECT count(nextval('counter{n}')) FROM generate_series(1, 200);
CREATE MATERIALIZED VIEW seen{n} AS SELECT id % 10 AS tens, count(*) FROM rows{n} GROUP BY 1;
CREATE UNIQUE INDEX ON seen{n} (tens);
REFRESH MATERIALIZED VIEW CONCURRENTLY seen{n};
ALTER TABLE rows{n} ALTER n TYPE bigint, ADD COLUMN extra int DEFAULT 7;
CREATE TABLE short{n} (id int);
INSERT INTO short{n} SELECT generate_series(1, 1000);
TRUNCATE short{n};
INSERT INTO short{n} VALUES (1);
DROP TABLE short{n};
VACUUM FULL pg_class;
";

const INDEXES: &str = "
CREATE TABLE indexed{n} (id int, t text, p point, a int[], d int) WITH (fillfactor = 70);
CREATE INDEX ON indexed{n} (d);
CREATE INDEX ON indexed{n} USING hash (id);
CREATE INDEX gin{n} ON indexed{n} USING gin (a);
CREATE INDEX ON indexed{n} USING gin (a) WITH (fastupdate = off);
CREATE INDEX ON indexed{n} USING gist (p);
CREATE INDEX ON indexed{n} USING spgist (t);
CREATE INDEX ON indexed{n} USING spgist (p);
CREATE INDEX brin{n} ON indexed{n} USING brin (id) WITH (pages_per_range = 2);
INSERT INTO indexed{n} SELECT i, noise(i, 32), point(i % 97, i % 89), ARRAY[i % 7, i % 11, i], i % 5
  FROM generate_series(1, 4000) i;
SELECT brin_summarize_new_values('brin{n}');
INSERT INTO indexed{n} SELECT i, noise(i, 32), point(i % 97, i % 89), ARRAY[i % 7, i % 11, i], i % 5
  FROM generate_series(4001, 6000) i;
SELECT brin_desummarize_range('brin{n}', 2);
SELECT gin_clean_pending_list('gin{n}');
DELETE FROM indexed{n} WHERE id BETWEEN 500 AND 4500;
VACUUM indexed{n};
INSERT INTO indexed{n} SELECT i, noise(i, 32), point(i % 97, i % 89), ARRAY[i % 7, i % 11, i], i % 5
  FROM generate_series(1, 500) i;
VACUUM indexed{n};
REINDEX TABLE indexed{n};
";

const TRANSACTIONS: &str = "
CREATE TABLE parts{n} (id int PRIMARY KEY, v int);
DO $$ BEGIN
  FOR i IN 1..150 LOOP
    BEGIN INSERT INTO parts{n} VALUES (i, i / (i % 40)); EXCEPTION WHEN division_by_zero THEN NULL; END;
  END LOOP;
END $$;
BEGIN; INSERT INTO parts{n} VALUES (1000, 1); SAVEPOINT s; DROP TABLE unlogged{n}; ROLLBACK TO s; CREATE TABLE never{n} ();
SAVEPOINT s2; INSERT INTO parts{n} VALUES (1001, 1); RELEASE s2; ROLLBACK;
BEGIN; SELECT FROM parts{n} WHERE id = 5 FOR KEY SHARE; SAVEPOINT s; UPDATE parts{n} SET v = 5 WHERE id = 5; COMMIT;
BEGIN; SAVEPOINT a; INSERT INTO parts{n} VALUES (2000, 1); SAVEPOINT b; INSERT INTO parts{n} VALUES (2001, 1);
CREATE INDEX ON parts{n} (v); DROP TABLE unlogged{n}; COMMIT;
SELECT pg_logical_emit_message(true, 'test', 'in a transaction');
SELECT pg_logical_emit_message(false, 'test', 'alone');
SELECT pg_logical_emit_message(true, 'test', repeat('long', 700000));
SELECT pg_replication_origin_session_setup('elsewhere');
BEGIN; SELECT pg_replication_origin_xact_setup('1/2345678', '2026-01-02 03:04:05.678901+00');
INSERT INTO parts{n} VALUES (3000, 1); COMMIT;
SELECT pg_replication_origin_session_reset();
SELECT pg_replication_origin_create('gone{n}');
SELECT pg_replication_origin_advance('gone{n}', '0/1234');
SELECT pg_replication_origin_drop('gone{n}');
SET synchronous_commit = off;
INSERT INTO parts{n} VALUES (4000, 1);
";

const PREPARED: &str = "
CREATE TABLE doomed{n} (id int PRIMARY KEY);
BEGIN; INSERT INTO parts{n} VALUES (5000, 1); SAVEPOINT s; DROP TABLE doomed{n}; CREATE TABLE born{n} (id int);
PREPARE TRANSACTION 'first of {n}'; COMMIT PREPARED 'first of {n}';
BEGIN; CREATE TABLE unborn{n} (id int PRIMARY KEY); SAVEPOINT s; INSERT INTO parts{n} VALUES (5001, 1);
PREPARE TRANSACTION 'x'; ROLLBACK PREPARED 'x';
SELECT pg_replication_origin_session_setup('elsewhere');
BEGIN; SELECT pg_replication_origin_xact_setup('1/3456789', '2026-01-02 03:04:06+00');
INSERT INTO parts{n} VALUES (5002, 1); PREPARE TRANSACTION 'odd'; COMMIT PREPARED 'odd';
SELECT pg_replication_origin_session_reset();
";

const DATABASES: &str = "
CREATE TABLESPACE space{n} LOCATION '{place}';
CREATE TABLE elsewhere{n} (id int PRIMARY KEY) TABLESPACE space{n};
INSERT INTO elsewhere{n} SELECT generate_series(1, 1000);
CREATE DATABASE moved{n} TABLESPACE space{n};
ALTER DATABASE moved{n} SET TABLESPACE pg_default;
DROP DATABASE moved{n};
ALTER TABLE elsewhere{n} SET TABLESPACE pg_default;
DROP TABLE elsewhere{n};
DROP TABLESPACE space{n};
";
