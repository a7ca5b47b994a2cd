//! Values of every type, inserted, updated and deleted on both nodes.

use std::fmt::Write as _;

use crate::cluster::{Cluster, MIXED};

/// A name for the table, the type, and values as SQL.
type Case = (&'static str, &'static str, &'static [&'static str]);

const NUMBERS: &[Case] = &[
    (
        "numbers",
        "numeric",
        &[
            "'NaN'",
            "'Infinity'",
            "'-Infinity'",
            "1e1000",
            "-1e-1000",
            "0.00",
            "1.10",
            "12345678901234567890.123456789",
        ],
    ),
    ("scaled", "numeric(10,3)", &["1", "-0.001", "9999999.999", "'NaN'"]),
    (
        "doubles",
        "float8",
        &[
            "'NaN'",
            "'Infinity'",
            "'-Infinity'",
            "'-0'",
            "4.9e-324",
            "1.7976931348623157e308",
            "0.1",
            "1::float8/3",
        ],
    ),
    (
        "singles",
        "float4",
        &["'NaN'", "'-Infinity'", "'-0'", "1e-45", "3.4028235e38", "0.1"],
    ),
    ("bigs", "bigint", &["-9223372036854775808", "9223372036854775807", "0"]),
    ("smalls", "smallint", &["-32768", "32767"]),
    (
        "amounts",
        "money",
        &["'$1,234.56'", "'-92233720368547758.08'", "0::money"],
    ),
    ("truths", "boolean", &["true", "false"]),
    ("oids", "oid", &["0", "4294967295"]),
];

const TEXTS: &[Case] = &[
    (
        "texts",
        "text",
        &[
            "''",
            "'NULL'",
            "'null'",
            "E'a\\nb\\tc\\\\d'",
            "'it''s \"quoted\", {braced} (and) more'",
            "'žluťoučký 馬 🐎'",
            "' '",
        ],
    ),
    ("varchars", "varchar(3)", &["''", "'abc'", "'a  '"]),
    ("padded", "char(5)", &["''", "'ab'", "'abcde'"]),
    ("single_bytes", "\"char\"", &["'a'", "''"]),
    ("identifiers", "name", &["'a'", "'Ünï'"]),
    (
        "bytes",
        "bytea",
        &["''", "'\\x00ff5c27'", "decode(repeat('00', 3000), 'hex')"],
    ),
    ("fixed_bits", "bit(5)", &["B'10101'", "B'00000'"]),
    ("bits", "varbit", &["B''", "B'1'", "B'1010101010101010101'"]),
    (
        "ids",
        "uuid",
        &[
            "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
            "'00000000-0000-0000-0000-000000000000'",
        ],
    ),
    (
        "documents",
        "json",
        &["'{\"b\": 1,  \"a\":2, \"a\": 3}'", "'null'", "'[1e3, \"\\u00e9\"]'"],
    ),
    (
        "binary_documents",
        "jsonb",
        &["'{\"b\": 1,  \"a\":2, \"a\": 3}'", "'null'", "'[1.10, {\"x\": []}]'"],
    ),
    ("markup", "xml", &["'<a b=\"1\">x &amp; y</a>'", "'text'"]),
    (
        "lexemes",
        "tsvector",
        &[
            "to_tsvector('english', 'the quick brown foxes')",
            "'''it''''s'':3A b'",
            "''",
        ],
    ),
    ("searches", "tsquery", &["'fat & (rat | !cat:*)'", "'a <-> b'"]),
    ("stores", "hstore", &["'a=>1, b=>NULL, \"c d\"=>\"x,y\"'", "''"]),
    ("folded", "citext", &["'Abc'", "'ABC'", "''"]),
];

const TIMES: &[Case] = &[
    (
        "moments",
        "timestamptz",
        &[
            "'infinity'",
            "'-infinity'",
            "'4713-01-01 00:00:00+00 BC'",
            "'294276-12-31 23:59:59.999999+00'",
            "'2026-03-29 01:30:00.5+01'",
        ],
    ),
    (
        "stamps",
        "timestamp(3)",
        &["'infinity'", "'0044-03-15 12:00 BC'", "'2026-02-28 23:59:59.9996'"],
    ),
    ("days", "date", &["'infinity'", "'4713-01-01 BC'", "'5874897-12-31'"]),
    ("hours", "time", &["'00:00'", "'24:00'", "'23:59:59.999999'"]),
    ("zoned_hours", "timetz", &["'04:05:06-08'", "'24:00+14'"]),
    (
        "spans",
        "interval",
        &[
            "'1 mon -1 day 03:00:00.000001'",
            "'0'",
            "'-178000000 years'",
            "'24 hours'",
            "'1 day'",
        ],
    ),
];

const OTHERS: &[Case] = &[
    ("hosts", "inet", &["'192.168.0.1/24'", "'::1'", "'10.0.0.1'"]),
    ("networks", "cidr", &["'10.1.0.0/16'", "'2001:db8::/32'"]),
    ("cards", "macaddr", &["'08:00:2b:01:02:03'"]),
    ("long_cards", "macaddr8", &["'08:00:2b:01:02:03:04:05'"]),
    ("points", "point", &["'(1,-0.1)'", "'(Infinity,NaN)'"]),
    ("shapes", "polygon", &["'((0,0),(1,1),(1,0))'"]),
    ("circles", "circle", &["'<(1,2),3>'"]),
    ("positions", "pg_lsn", &["'16/B374D848'", "'0/0'"]),
    ("moods", "mood", &["'sad'", "'it''s \"fine\"'", "'glad'"]),
    ("evens", "even", &["2", "-4"]),
    (
        "pairs",
        "pair",
        &[
            "ROW(1, 'x')",
            "ROW(NULL, '')",
            "ROW(NULL, NULL)",
            "ROW(-1, 'a \"b\", (c) \\ ''d''')",
            "'(,)'",
        ],
    ),
    (
        "nests",
        "nest",
        &[
            "ROW(ROW(1, 'a,b')::pair, ARRAY['sad', NULL]::mood[])",
            "ROW(NULL, '{}')",
        ],
    ),
    ("int_ranges", "int4range", &["'[1,5)'", "'empty'", "'(,)'", "'(,7]'"]),
    (
        "time_ranges",
        "tstzrange",
        &["'[2026-01-01 00:00+00, infinity)'", "'(,2026-01-01 00:00+00)'"],
    ),
    ("own_ranges", "textrange", &["'[\"a, b\",c)'", "textrange('', NULL)"]),
    ("multiranges", "int4multirange", &["'{}'", "'{[1,3),[5,9)}'"]),
];

const ARRAYS: &[Case] = &[
    (
        "int_arrays",
        "int[]",
        &[
            "'{}'",
            "'{1,NULL,3}'",
            "'{{1,2},{NULL,4}}'",
            "'[2:3][-1:0]={{1,2},{3,4}}'",
        ],
    ),
    (
        "text_arrays",
        "text[]",
        &[
            "'{}'",
            "ARRAY['NULL', NULL, '', 'a,b', '{x}', E'q\"\\\\n\\n']",
            "ARRAY[['a'], [NULL]]",
        ],
    ),
    ("byte_arrays", "bytea[]", &["ARRAY['\\x00ff'::bytea, NULL, '']"]),
    ("mood_arrays", "mood[]", &["ARRAY['sad', NULL, 'glad']::mood[]", "'{}'"]),
    (
        "pair_arrays",
        "pair[]",
        &["ARRAY[ROW(1, 'x,\"y\"')::pair, NULL, ROW(NULL, NULL)::pair]"],
    ),
    ("even_arrays", "even[]", &["ARRAY[2, 4]::even[]"]),
    ("range_arrays", "int4range[]", &["ARRAY['[1,2)', 'empty']::int4range[]"]),
    (
        "document_arrays",
        "jsonb[]",
        &["ARRAY['{\"a\": [1, \"x\"]}', NULL]::jsonb[]"],
    ),
    (
        "moment_arrays",
        "timestamptz[]",
        &["ARRAY['infinity', '2026-01-01 00:00+00']::timestamptz[]"],
    ),
    ("store_arrays", "hstore[]", &["ARRAY['a=>1', NULL]::hstore[]"]),
];

/// Types that have another OID on each node.
const PREPARE: &str = "CREATE EXTENSION hstore; CREATE EXTENSION citext; \
    CREATE TYPE mood AS ENUM ('sad', 'it''s \"fine\"', 'glad'); \
    CREATE DOMAIN even AS int CHECK (value % 2 = 0); \
    CREATE TYPE pair AS (a int, b text); CREATE TYPE nest AS (p pair, m mood[]); \
    CREATE TYPE textrange AS RANGE (subtype = text);";

/// Writes every value on each node, moves it to another row on the other one, and deletes some.
async fn check(cases: &[Case]) {
    let cluster = Cluster::start(&MIXED).await;
    cluster.sql("n2", "CREATE TYPE another AS (a int); CREATE TYPE one_more AS ENUM ('x'); CREATE TABLE taken (id int PRIMARY KEY)").await;
    cluster.sql_all(PREPARE).await;
    let create: String = cases.iter().fold(String::new(), |mut sql, (table, kind, _)| {
        write!(sql, "CREATE TABLE {table} (id int PRIMARY KEY, v {kind}, w {kind});").unwrap();
        sql
    });
    cluster.sql_all(&create).await;
    for (node, first) in [("n1", 0), ("n2", 1000)] {
        cluster
            .sql(
                node,
                &each(cases, first, |table, id, value, next| {
                    format!("INSERT INTO {table} VALUES ({id}, {value}, NULL), ({id} + 500, {value}, {next});")
                }),
            )
            .await;
    }
    let tables: Vec<&str> = cases.iter().map(|(table, _, _)| *table).collect();
    cluster.equal(&tables).await;
    for (node, first) in [("n2", 0), ("n1", 1000)] {
        cluster.sql(node, &each(cases, first, |table, id, value, next| {
            format!("UPDATE {table} SET v = {next}, w = {value} WHERE id = {id}; UPDATE {table} SET v = NULL WHERE id = {id} + 500;")
        })).await;
        let delete = |(table, _, _): &Case| format!("DELETE FROM {table} WHERE id = {first};");
        cluster.sql(node, &cases.iter().map(delete).collect::<String>()).await;
    }
    cluster.equal(&tables).await;
    for (table, _, values) in cases {
        let rows = cluster.number("n1", &format!("SELECT count(*) FROM {table}")).await;
        assert_eq!(usize::try_from(rows).unwrap(), values.len() * 4 - 2, "{table}");
    }
}

/// One statement a value, which knows the value that comes after it.
fn each(cases: &[Case], first: usize, statement: impl Fn(&str, usize, &str, &str) -> String) -> String {
    let of_case = |(table, _, values): &Case| -> String {
        let of_value = |(i, value): (usize, &&str)| statement(table, first + i, value, values[(i + 1) % values.len()]);
        values.iter().enumerate().map(of_value).collect()
    };
    cases.iter().map(of_case).collect()
}

#[tokio::test]
async fn numbers_and_texts_arrive_as_they_were_written() {
    check(&[NUMBERS, TEXTS].concat()).await;
}

#[tokio::test]
async fn times_arrays_and_types_of_the_users_arrive_as_they_were_written() {
    check(&[TIMES, OTHERS, ARRAYS].concat()).await;
}
