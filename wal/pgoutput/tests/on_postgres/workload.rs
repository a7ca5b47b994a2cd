use crate::server::Server;

pub(crate) const TABLES: &str = r#"
CREATE TYPE mood AS ENUM ('sad', 'happy ''n'' well');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE plain (id int PRIMARY KEY, gone int, note text, amount numeric(9, 2), flag boolean, moment timestamptz,
    bits bit(3), payload bytea, ratio float8, feeling mood, list int[], doc jsonb, count positive);
ALTER TABLE plain DROP COLUMN gone;
CREATE TABLE wide (id int PRIMARY KEY, big text, small int);
ALTER TABLE wide ALTER COLUMN big SET STORAGE EXTERNAL;
CREATE TABLE whole (a int, b text, c text);
ALTER TABLE whole REPLICA IDENTITY FULL;
ALTER TABLE whole ALTER COLUMN c SET STORAGE EXTERNAL;
CREATE TABLE indexed (a int NOT NULL, b text NOT NULL, c int);
CREATE UNIQUE INDEX indexed_key ON indexed (b, a);
ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_key;
CREATE TABLE mother (id serial PRIMARY KEY, name text);
CREATE TABLE child (id serial PRIMARY KEY, of int REFERENCES mother);
CREATE TABLE split (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE split_low PARTITION OF split FOR VALUES FROM (0) TO (100);
CREATE TABLE split_high PARTITION OF split FOR VALUES FROM (100) TO (100000);
CREATE SCHEMA "Grüße";
CREATE TABLE "Grüße"."Straße ""x""" ("Schlüssel" int PRIMARY KEY, "Wert '" text);
CREATE TABLE bulk (id int PRIMARY KEY, v text);
CREATE TABLE changing (id int PRIMARY KEY);
CREATE PUBLICATION everything FOR ALL TABLES;
SELECT pg_replication_origin_create('elsewhere')
"#;

/// Every operation, in small transactions.
const SMALL: &str = r#"
INSERT INTO plain VALUES (1, E'it''s\nα \\ "q"', 12.50, true, '2001-02-03 04:05:06.789+00', B'101', '\x00ff', 1.5,
    'happy ''n'' well', '{1,NULL}', '{"a": [null]}', 3);
INSERT INTO plain (id) VALUES (2);
INSERT INTO plain (id, note, amount, flag, moment, payload, ratio) VALUES (3, '', 'NaN', false, 'infinity', '', '-Infinity');
UPDATE plain SET note = 'new' WHERE id < 3;
UPDATE plain SET id = 20 WHERE id = 2;
DELETE FROM plain WHERE id = 20;
INSERT INTO wide VALUES (1, repeat('x', 20000), 1), (2, repeat('y', 20000), 2);
UPDATE wide SET small = small + 1;
UPDATE wide SET id = 3 WHERE id = 2;
UPDATE wide SET big = 'short now' WHERE id = 1;
INSERT INTO whole VALUES (1, NULL, repeat('z', 20000)), (1, NULL, NULL);
UPDATE whole SET b = 'b';
DELETE FROM whole;
INSERT INTO indexed VALUES (1, 'one', 1), (2, 'two', NULL);
UPDATE indexed SET c = 7;
UPDATE indexed SET b = 'three' WHERE a = 2;
DELETE FROM indexed;
INSERT INTO "Grüße"."Straße ""x""" VALUES (1, 'ß'), (2, NULL);
UPDATE "Grüße"."Straße ""x""" SET "Schlüssel" = 3 WHERE "Schlüssel" = 1;
INSERT INTO split VALUES (1, 'low'), (100, 'high');
UPDATE split SET id = 101 WHERE id = 1;
DELETE FROM split;
INSERT INTO mother (name) VALUES ('a'), ('b');
INSERT INTO child (of) SELECT id FROM mother;
TRUNCATE child;
TRUNCATE mother RESTART IDENTITY CASCADE;
TRUNCATE plain, whole RESTART IDENTITY;
TRUNCATE split;
INSERT INTO changing VALUES (1);
ALTER TABLE changing ADD COLUMN more text DEFAULT 'd';
INSERT INTO changing VALUES (2, 'two');
ALTER TABLE changing RENAME COLUMN more TO less;
UPDATE changing SET less = 'all';
BEGIN; INSERT INTO bulk VALUES (-1); SAVEPOINT s; INSERT INTO bulk VALUES (-2); ROLLBACK TO s; INSERT INTO bulk VALUES (-3);
COMMIT;
BEGIN; INSERT INTO bulk VALUES (-4); ROLLBACK;
BEGIN; SAVEPOINT s; SELECT pg_logical_emit_message(true, 'marker', 'never'); ROLLBACK TO s;
SELECT pg_logical_emit_message(true, 'marker', 'after a rolled back savepoint');
DO $$ BEGIN FOR i IN 1..900 LOOP INSERT INTO bulk VALUES (-100 - i, repeat('w', 100)); END LOOP; END $$; COMMIT;
"#;

const MESSAGES: &str = r#"
SELECT pg_logical_emit_message(true, 'alone', 'a transaction of its own');
SELECT pg_logical_emit_message(false, 'flying', 'outside of any');
BEGIN; SELECT pg_logical_emit_message(true, 'marker', 'small'); INSERT INTO bulk VALUES (-5); COMMIT;
BEGIN; INSERT INTO bulk VALUES (-6); SELECT pg_logical_emit_message(true, 'late', 'x');
SELECT pg_logical_emit_message(false, 'flying', 'in a rolled back transaction'); ROLLBACK;
BEGIN; SELECT pg_logical_emit_message(true, 'marker', 'large');
INSERT INTO bulk SELECT n, repeat('m', 100) FROM generate_series(10001, 11000) n; COMMIT;
SELECT pg_replication_origin_session_setup('elsewhere');
BEGIN; SELECT pg_replication_origin_xact_setup('0/55', '2020-01-01');
SELECT pg_logical_emit_message(true, 'marker', 'small, from elsewhere'); INSERT INTO bulk VALUES (-7); COMMIT;
BEGIN; SELECT pg_replication_origin_xact_setup('0/66', '2020-01-02');
SELECT pg_logical_emit_message(true, 'marker', 'large, from elsewhere');
INSERT INTO bulk SELECT n, repeat('o', 100) FROM generate_series(11001, 12000) n; COMMIT;
BEGIN; SELECT pg_replication_origin_xact_setup('0/77', '2020-01-03');
INSERT INTO bulk SELECT n, repeat('o', 100) FROM generate_series(12001, 13000) n; COMMIT;
SELECT pg_replication_origin_session_reset()
"#;

/// Needs a slot with two phases for its messages; without it, what commits comes at its commit.
pub(crate) const PREPARED: &str = r#"
BEGIN; INSERT INTO bulk VALUES (-8); PREPARE TRANSACTION 'small ü'; COMMIT PREPARED 'small ü';
BEGIN; INSERT INTO bulk VALUES (-9); PREPARE TRANSACTION 'lost'; ROLLBACK PREPARED 'lost';
BEGIN; INSERT INTO bulk SELECT n, repeat('p', 100) FROM generate_series(13001, 14000) n;
PREPARE TRANSACTION 'large'; COMMIT PREPARED 'large'
"#;

/// Rows enough to be streamed, from `first` on.
fn rows(table: &str, first: u32) -> String {
    format!("INSERT INTO {table} SELECT n, repeat('r', 100) FROM generate_series({first}, {first} + 699) n")
}

/// Three sessions whose large transactions are in progress at once, with savepoints rolled back before and after they were
/// streamed, definitions that change on the way, and two that roll back whole.
fn interleaved(server: &Server) {
    let (mut a, mut b, mut c) = (server.session(), server.session(), server.session());
    a.run("BEGIN");
    a.run(&rows("bulk", 20_000));
    b.run("BEGIN; SAVEPOINT outside");
    b.run(&rows("wide (id, big)", 20_000));
    b.run("SAVEPOINT inside");
    b.run(&rows("bulk", 30_000));
    c.run("BEGIN; ALTER TABLE changing ADD COLUMN extra int; INSERT INTO changing VALUES (50, 'x', 5)");
    c.run("INSERT INTO changing SELECT n, repeat('c', 100), n FROM generate_series(1000, 1700) n");
    a.run("SAVEPOINT s1; UPDATE bulk SET v = 'updated' WHERE id >= 20000 AND id < 20700");
    server.psql("INSERT INTO bulk VALUES (-10); INSERT INTO split VALUES (5, 'between')");
    a.run("ROLLBACK TO s1; SAVEPOINT s2; DELETE FROM bulk WHERE id >= 20500 AND id < 20700; RELEASE s2");
    b.run("ROLLBACK TO inside; UPDATE wide SET small = 1 WHERE id < 20100 AND id >= 20000");
    c.run("ROLLBACK");
    server.psql("INSERT INTO changing VALUES (51, 'after the rollback')");
    a.run(&rows("bulk", 21_000));
    b.run("ROLLBACK TO outside");
    b.run(&rows("bulk", 32_000));
    c.run("BEGIN; ALTER TABLE changing ADD COLUMN extra date; INSERT INTO changing VALUES (52, 'y', '2000-01-01')");
    c.run("INSERT INTO changing SELECT n, repeat('c', 100) FROM generate_series(2000, 2700) n");
    c.run("ALTER TABLE changing ADD COLUMN last int; UPDATE changing SET last = 1; TRUNCATE mother CASCADE");
    b.run("COMMIT");
    c.run("COMMIT");
    server.psql("INSERT INTO changing VALUES (53, 'z', NULL, 9)");
    c.run("BEGIN; SAVEPOINT s");
    c.run(&rows("bulk", 40_000));
    a.run("COMMIT");
    c.run("ROLLBACK TO s; INSERT INTO bulk VALUES (-11); COMMIT");
    a.run("BEGIN");
    a.run(&rows("bulk", 50_000));
    a.run("ROLLBACK");
    // A savepoint for every row, so that most of a streamed transaction belongs to subtransactions.
    b.run("DO $$ BEGIN FOR i IN 1..900 LOOP BEGIN INSERT INTO bulk VALUES (60000 + i, repeat('s', 100)); \
           IF i % 3 = 0 THEN RAISE division_by_zero; END IF; EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END $$");
}

pub(crate) fn run(server: &Server) {
    server.psql(SMALL);
    server.psql(MESSAGES);
    interleaved(server);
    // Only what is flushed is decoded, and a message outside of transactions flushes nothing: the commit does.
    server.psql("SELECT pg_logical_emit_message(false, 'flying', 'the end'); INSERT INTO bulk VALUES (-12)");
}
