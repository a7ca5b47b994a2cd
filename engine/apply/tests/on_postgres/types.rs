//! Values of every kind of type arrive as they were.

use synapse_engine_change::Value;
use synapse_engine_plan::Step;
use tokio_postgres::Client;

use crate::fixture::{answer, apply, keys, row_id, rows, session, table};
use crate::server::Server;

/// A type and expressions of it, beside NULL.
const TYPES: &[(&str, &[&str])] = &[
    ("int2", &["-32768", "7"]),
    ("int8", &["-9223372036854775808", "1"]),
    ("numeric", &["'NaN'", "'Infinity'", "1.50", "-0.000001", "1e100"]),
    ("numeric(9,2)", &["1.50", "9999999.99"]),
    ("float4", &["'NaN'", "'-Infinity'", "1.1", "-0.0"]),
    ("float8", &["0.1::float8 + 0.2::float8", "'Infinity'", "1e-300"]),
    ("money", &["'1234.56'", "'-0.01'"]),
    ("bool", &["true", "false"]),
    ("text", &["''", "'NULL'", "E'a\\t\\n\\\\ \"{},'", "'žluťoučký 🐘'"]),
    ("varchar(7)", &["'abc'", "'abcdefg'"]),
    ("char(5)", &["'a'", "'abcde'"]),
    ("\"char\"", &["'x'", "''"]),
    ("name", &["'some name'"]),
    ("bytea", &["'\\x00ff5c'", "''"]),
    ("bit(3)", &["B'101'"]),
    ("varbit(9)", &["B''", "B'10101'"]),
    (
        "date",
        &["'infinity'", "'-infinity'", "'4713-01-01 BC'", "'2024-02-29'"],
    ),
    ("timestamp(3)", &["'infinity'", "'2024-01-01 00:00:00.123'"]),
    ("timestamptz", &["'-infinity'", "'2024-01-01 00:00:00.123456+05'"]),
    ("time", &["'23:59:59.999999'", "'24:00'"]),
    ("timetz", &["'23:59:59.999999+05:45'"]),
    ("interval", &["'-1 year 2 mons -3 days 04:05:06.789'", "'00:00:00'"]),
    ("uuid", &["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"]),
    ("inet", &["'192.168.0.1/24'", "'::1'"]),
    ("cidr", &["'10.0.0.0/8'"]),
    ("macaddr", &["'08:00:2b:01:02:03'"]),
    ("json", &["'{\"a\":  [1, null], \"a\": \"\\u00e4\"}'", "'null'"]),
    ("jsonb", &["'{\"b\": 1e2, \"a\": \"x\\\"y\"}'"]),
    ("xml", &["'<a>b</a>'", "'text <b/>'"]),
    ("tsvector", &["'a:1A b:2,3 ''it''''s'':4'"]),
    ("tsquery", &["'a & !b | c:*'"]),
    ("point", &["'(1.1,-2)'"]),
    ("polygon", &["'((0,0),(1,1),(1,0))'"]),
    ("int4range", &["'[1,5)'", "'empty'", "'(,)'"]),
    ("tstzrange", &["'[2024-01-01 00:00:00+00,infinity)'"]),
    ("int4multirange", &["'{[1,3),[7,9)}'", "'{}'"]),
    ("int[]", &["'{}'", "'{1,NULL,3}'", "'{{1,2},{3,4}}'", "'[0:1]={5,6}'"]),
    (
        "text[]",
        &[
            "array['', 'NULL', NULL, E'a\"b\\\\', '{x,y}']",
            "array[array['a'], array['b']]",
        ],
    ),
    ("varchar(3)[]", &["array['abc', '']"]),
    ("bytea[]", &["array['\\x00'::bytea, NULL]"]),
    ("s.mood", &["'sad'", "'very ''happy\"'"]),
    ("s.mood[]", &["array['sad']::s.mood[]"]),
    ("s.positive", &["3"]),
    ("s.words", &["array['a', NULL]"]),
    (
        "s.\"Pair\"",
        &["row(1, 'a,b(\")')::s.\"Pair\"", "row(NULL, '')::s.\"Pair\""],
    ),
    (
        "s.\"Pair\"[]",
        &["array[row(1, 'x')::s.\"Pair\", NULL, row(NULL, NULL)::s.\"Pair\"]"],
    ),
    ("s.spans", &["'[1.5,2.5]'"]),
    ("s.hstore", &["'a=>1, \"b c\"=>NULL'"]),
    ("s.citext", &["'MiXed'", "''"]),
    ("regclass", &["'pg_catalog.pg_class'"]),
    ("pg_lsn", &["'16/B374D848'"]),
    ("oid", &["4294967295"]),
];

const DEFINE: &str = "CREATE SCHEMA s; CREATE EXTENSION hstore SCHEMA s; CREATE EXTENSION citext SCHEMA s;
    CREATE TYPE s.mood AS ENUM ('sad', 'very ''happy\"'); CREATE DOMAIN s.positive AS int CHECK (VALUE > 0);
    CREATE DOMAIN s.words AS text[]; CREATE TYPE s.\"Pair\" AS (a int, \"B b\" text);
    CREATE TYPE s.spans AS RANGE (subtype = numeric)";

/// Every row's values as the stream would carry them: text output under the settings of our sessions.
async fn outputs(client: &Client, table: &str) -> Vec<Vec<Option<String>>> {
    let settings: String = synapse_engine_apply::session_settings()
        .iter()
        .filter(|(name, _)| *name != "client_min_messages")
        .map(|(name, value)| match *name {
            "search_path" | "datestyle" => format!("SET {name} = {value}; "),
            _ => format!("SET {name} = '{value}'; "),
        })
        .collect();
    client.batch_execute(&settings).await.unwrap();
    let messages = client
        .simple_query(&format!("SELECT * FROM {table} ORDER BY 1"))
        .await
        .unwrap();
    let mut all = Vec::new();
    for message in messages {
        if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
            all.push((0..row.len()).map(|at| row.get(at).map(ToOwned::to_owned)).collect());
        }
    }
    all
}

#[tokio::test]
async fn every_type_arrives_by_insert_and_by_update() {
    let server = Server::start().await;
    let client = server.application("postgres").await;
    client.batch_execute(DEFINE).await.unwrap();
    let columns: Vec<String> = TYPES
        .iter()
        .enumerate()
        .map(|(at, (name, _))| format!("c{at} {name}"))
        .collect();
    for name in ["source", "target"] {
        let sql = format!(
            "CREATE TABLE public.{name} (id int PRIMARY KEY, {})",
            columns.join(", ")
        );
        client.batch_execute(&sql).await.unwrap();
    }
    let deepest = TYPES.iter().map(|(_, values)| values.len()).max().unwrap();
    for at in 0..=deepest {
        let values: Vec<String> = TYPES
            .iter()
            .map(|(name, values)| values.get(at).map_or("NULL".to_owned(), |v| format!("({v})::{name}")))
            .collect();
        let sql = format!("INSERT INTO public.source VALUES ({at}, {})", values.join(", "));
        client
            .batch_execute(&sql)
            .await
            .unwrap_or_else(|error| panic!("{error:?} {sql}"));
    }
    let target = table(&client, 1, "public", "target").await;
    let mut session = session(&server, "postgres").await;
    let source = outputs(&client, "public.source").await;
    let value = |v: &'static Option<String>| v.as_ref().map_or(Value::Null, |v| Value::Text(v.as_bytes()));
    let source: &'static [Vec<Option<String>>] = Box::leak(source.into_boxed_slice());
    let all: Vec<Vec<Value<'_>>> = source.iter().map(|row| row.iter().map(value).collect()).collect();
    let done = apply(
        &mut session,
        &client,
        100,
        None,
        vec![Step::Insert(rows(&target, &all))],
    )
    .await;
    assert_eq!(done.rows_inserted, all.len() as u64);
    assert_eq!(outputs(&client, "public.target").await, source);
    // Each row takes the values of the next.
    let mut shifted = all.clone();
    for (row, next) in shifted.iter_mut().zip(all.iter().cycle().skip(1)) {
        row[1..].copy_from_slice(&next[1..]);
    }
    let done = apply(
        &mut session,
        &client,
        200,
        None,
        vec![Step::Update(rows(&target, &shifted))],
    )
    .await;
    assert_eq!(done.rows_guarded, all.len() as u64);
    let read = outputs(&client, "public.target").await;
    for (at, row) in read.iter().enumerate() {
        assert_eq!(row[1..], source[(at + 1) % source.len()][1..]);
    }
}

#[tokio::test]
async fn keys_of_many_types_find_their_rows() {
    let server = Server::start().await;
    let client = server.application("postgres").await;
    client.batch_execute(DEFINE).await.unwrap();
    client
        .batch_execute("CREATE COLLATION s.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
        .await
        .unwrap();
    let mut session = session(&server, "postgres").await;
    let types = [
        ("s.citext", "MiXed", "mixed"),
        ("numeric", "1.0", "1.00"),
        ("char(5)", "ab   ", "ab"),
        ("interval", "1 day", "24:00:00"),
        ("float8", "0", "-0"),
        ("s.mood", "sad", "sad"),
        ("s.positive", "3", "3"),
        ("int[]", "{1,2}", "{1,2}"),
        ("s.\"Pair\"", "(1,x)", "(1,x)"),
        ("inet", "10.0.0.1", "10.0.0.1"),
        ("text COLLATE s.ci", "Ab", "aB"),
        ("text COLLATE \"C\"", "Ab", "Ab"),
        ("varchar(9)", "x ", "x "),
        (
            "uuid",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
        ),
        ("date", "infinity", "infinity"),
        ("int4range", "[1,2]", "[1,3)"),
    ];
    for (at, (name, one, same)) in types.into_iter().enumerate() {
        let made = format!("CREATE TABLE \"K {at}\" (v text, \"kéy\" {name}, PRIMARY KEY (\"kéy\"))");
        client.batch_execute(&made).await.unwrap();
        let t = table(&client, u32::try_from(at).unwrap(), "public", &format!("K {at}")).await;
        let row = |key: &'static str, v: &'static str| vec![Value::Text(v.as_bytes()), Value::Text(key.as_bytes())];
        let done = apply(
            &mut session,
            &client,
            1,
            None,
            vec![Step::Insert(rows(&t, &[row(one, "a")]))],
        )
        .await;
        assert_eq!(done.rows_inserted, 1, "{name}");
        let again = [row(same, "b")];
        let done = apply(&mut session, &client, 2, None, vec![Step::Insert(rows(&t, &again))]).await;
        assert_eq!(done.dropouts, [row_id(&t, &again[0])], "{name}");
        let done = apply(&mut session, &client, 3, None, vec![Step::Update(rows(&t, &again))]).await;
        assert_eq!(done.rows_guarded, 1, "{name}");
        assert_eq!(
            answer(&client, &format!("SELECT v FROM \"K {at}\"")).await,
            "b",
            "{name}"
        );
        let done = apply(&mut session, &client, 4, None, vec![Step::Delete(keys(&t, &again))]).await;
        assert_eq!(done.dropouts, [], "{name}");
        assert_eq!(
            answer(&client, &format!("SELECT count(*) FROM \"K {at}\"")).await,
            "0",
            "{name}"
        );
    }
}

#[tokio::test]
async fn generated_identity_and_partitioned_tables_are_written() {
    let server = Server::start().await;
    let client = server.application("postgres").await;
    client
        .batch_execute(
            "CREATE TABLE gen (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int, g int GENERATED ALWAYS AS (a * 2) STORED);
             CREATE TABLE i (k text PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, a int);
             CREATE TABLE parent (id int PRIMARY KEY, a int) PARTITION BY RANGE (id);
             CREATE TABLE leaf PARTITION OF parent FOR VALUES FROM (0) TO (100)",
        )
        .await
        .unwrap();
    let mut session = session(&server, "postgres").await;
    let mut steps = Vec::new();
    for (id, name, new, next) in [
        (1, "gen", ["7", "1", "<unchanged>"], ["7", "5", "<unchanged>"]),
        (2, "i", ["x", "9", "1"], ["x", "9", "5"]),
        (3, "leaf", ["3", "1", ""], ["3", "5", ""]),
    ] {
        let t = table(&client, id, "public", name).await;
        let width = t.columns.len();
        for (step, values) in [(Step::Insert as fn(_) -> _, new), (Step::Update, next)] {
            steps.push(step(rows(&t, &[crate::fixture::texts(&values[..width])])));
        }
    }
    let done = apply(&mut session, &client, 100, None, steps).await;
    assert_eq!((done.rows_inserted, done.rows_guarded, done.dropouts.len()), (3, 3, 0));
    let all = answer(
        &client,
        "SELECT gen::text FROM gen UNION ALL SELECT i::text FROM i UNION ALL SELECT leaf::text FROM leaf",
    )
    .await;
    assert_eq!(all, "(7,5,10),(x,9,5),(3,5)");
}

#[tokio::test]
async fn databases_of_other_encodings_take_what_they_can_hold() {
    let server = Server::start().await;
    let client = server.application("postgres").await;
    for (name, encoding) in [("latin", "LATIN1"), ("raw", "SQL_ASCII")] {
        let sql = format!("CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0");
        client.batch_execute(&sql).await.unwrap();
    }
    let no_utf8: &[u8] = &[b'a', 0xff, 0xe4];
    for (name, value, stored) in [("latin", "ä".as_bytes(), "e4"), ("raw", no_utf8, "61ffe4")] {
        let client = server.application(name).await;
        client
            .batch_execute("CREATE TABLE t (id text PRIMARY KEY, a text)")
            .await
            .unwrap();
        let t = table(&client, 1, "public", "t").await;
        let mut session = session(&server, name).await;
        let row = vec![Value::Text(value), Value::Text(value)];
        let row = std::slice::from_ref(&row);
        let steps = vec![Step::Insert(rows(&t, row)), Step::Update(rows(&t, row))];
        let done = apply(&mut session, &client, 100, None, steps).await;
        assert_eq!((done.rows_inserted, done.rows_guarded), (1, 1), "{name}");
        let bytes = "SELECT encode(convert_to(a, getdatabaseencoding()), 'hex') FROM t";
        assert_eq!(answer(&client, bytes).await, stored, "{name}");
    }
}
