//! `synapsectl conflict check`: functions that keep the laws of `custom`, and functions that break each.

use serde_json::Value;

use crate::cluster::{Cluster, MIXED};

/// A function by name and body, and the law that it breaks, if one.
const FUNCTIONS: [(&str, &str, Option<&str>); 7] = [
    (
        "greatest_of",
        "SELECT a || jsonb_build_object('price', greatest((a ->> 'price')::numeric, (b ->> 'price')::numeric), \
         'note', greatest(a ->> 'note', b ->> 'note'), 'at', greatest((a ->> 'at')::timestamptz, (b ->> 'at')::timestamptz))",
        None,
    ),
    (
        "later",
        "SELECT CASE WHEN (sa ->> 'time', sa ->> 'node') >= (sb ->> 'time', sb ->> 'node') THEN a ELSE b END",
        None,
    ),
    ("local", "SELECT a", Some("commutative")),
    (
        "later_but_for_ties",
        "SELECT CASE WHEN sa ->> 'time' >= sb ->> 'time' THEN a ELSE b END",
        Some("commutative"),
    ),
    (
        "average",
        "SELECT greatest(a, b) || jsonb_build_object('price', ((a ->> 'price')::numeric + (b ->> 'price')::numeric) / 2)",
        Some("associative"),
    ),
    (
        "sum",
        "SELECT greatest(a, b) || jsonb_build_object('price', (a ->> 'price')::numeric + (b ->> 'price')::numeric)",
        Some("idempotent"),
    ),
    (
        "raises",
        "SELECT greatest(a, b) || jsonb_build_object('price', greatest(1 / (a ->> 'price')::numeric * 0 + (a ->> 'price')::numeric, \
         1 / (b ->> 'price')::numeric * 0 + (b ->> 'price')::numeric))",
        Some("gives a row"),
    ),
];

async fn with_functions() -> Cluster {
    let cluster = Cluster::start(&MIXED).await;
    let table = "CREATE TABLE offer (id int PRIMARY KEY, price numeric(9, 2) CHECK (price > -5), note text NOT NULL, \
                 at timestamptz, tax numeric GENERATED ALWAYS AS (price * 0.19) STORED)";
    cluster.sql_all(table).await;
    for (name, body, _) in FUNCTIONS {
        let function = format!(
            "CREATE FUNCTION public.{name}(a jsonb, b jsonb, sa jsonb, sb jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $${body}$$"
        );
        cluster.sql("n2", &function).await;
    }
    cluster
        .sql(
            "n2",
            "INSERT INTO offer SELECT i, i * 1.25, 'note ' || i, now() FROM generate_series(1, 300) i",
        )
        .await;
    cluster
}

/// The exit code, and what is said.
fn check(cluster: &Cluster, table: &str, function: &str) -> (Option<i32>, String) {
    said(
        cluster,
        &["conflict", "check", "--table", table, "--function", function],
    )
}

/// The exit code, and the answer as JSON.
fn checked(cluster: &Cluster, function: &str) -> (Option<i32>, Value) {
    let arguments = [
        "conflict",
        "check",
        "--table",
        "offer",
        "--function",
        function,
        "--output",
        "json",
    ];
    let (code, text) = said(cluster, &arguments);
    (
        code,
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")),
    )
}

fn said(cluster: &Cluster, arguments: &[&str]) -> (Option<i32>, String) {
    let said = cluster.synapsectl("n2", arguments);
    let text = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    (said.status.code(), text)
}

#[tokio::test]
async fn a_function_that_breaks_a_law_is_shown_with_the_rows_that_it_breaks_it_on() {
    let cluster = with_functions().await;
    for (name, _, breaks) in FUNCTIONS {
        let (code, json) = checked(&cluster, &format!("public.{name}"));
        assert_eq!((&json["complete"], &json["rows"]), (&true.into(), &20.into()), "{json}");
        assert_eq!(code, Some(i32::from(breaks.is_some())), "{json}");
        let laws = json["laws"].as_array().unwrap();
        assert_eq!(laws.len(), 4);
        for law in laws {
            let is_it = Some(law["law"].as_str().unwrap()) == breaks;
            assert_eq!(law["holds"], !is_it, "{name}: {law}");
            assert_eq!(law["counterexample"].is_null(), !is_it, "{name}: {law}");
            assert!(law["tried"].as_u64().unwrap() > 0, "{name}: {law}");
        }
    }
    // Both results stand there, and what the function was given is what a conflict would give it.
    let (_, json) = checked(&cluster, "public.local");
    let example = &json["laws"][1]["counterexample"];
    let (a, b) = (&example["arguments"][0], &example["arguments"][1]);
    assert_eq!(a["row"], example["sides"][0]["result"]);
    assert_eq!(b["row"], example["sides"][1]["result"]);
    assert_ne!(a["row"], b["row"]);
    assert_eq!(
        a["row"]["id"], b["row"]["id"],
        "rows in conflict have their key in common"
    );
    assert!(a["row"].get("tax").is_none(), "what is computed is not written");
    assert!(a["stamp"]["time"].as_str() <= b["stamp"]["time"].as_str());
    assert_eq!(a["stamp"]["node"], "n1");
    let (_, text) = check(&cluster, "public.offer", "public.local");
    assert!(text.contains("not commutative:\n    a = {\"id\": "), "{text}");
    assert!(text.contains("f(b, a) = {"), "{text}");
    let (_, text) = check(&cluster, "offer", "public.raises");
    assert!(text.contains("f(a, b), or f(b, a): division by zero (22012)"), "{text}");
    // A row that the table does not take is no case, and nothing was written.
    assert_eq!(cluster.number("n2", "SELECT count(*) FROM offer").await, 300);
    cluster.equal(&["offer"]).await;
}

#[tokio::test]
async fn what_cannot_be_tried_is_said_and_an_empty_table_has_made_up_rows() {
    let cluster = with_functions().await;
    cluster.sql_all("CREATE TABLE bag (a int)").await;
    let slow = "CREATE FUNCTION public.slow(jsonb, jsonb, jsonb, jsonb) RETURNS jsonb LANGUAGE sql AS \
                'SELECT $1 FROM pg_sleep(6)'; CREATE FUNCTION public.writes(jsonb, jsonb, jsonb, jsonb) RETURNS jsonb \
                LANGUAGE sql AS 'DELETE FROM public.offer; SELECT $1'; \
                CREATE FUNCTION public.none(jsonb, jsonb, jsonb, jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb'";
    cluster.sql("n2", slow).await;
    let refused = [
        ("offer", "greatest_of", 2, "no schema.function"),
        (
            "nowhere",
            "public.local",
            2,
            "there is no replicated table public.nowhere",
        ),
        (
            "offer",
            "public.nothing",
            5,
            "there is no function public.nothing(jsonb,jsonb,jsonb,jsonb)",
        ),
        ("bag", "public.local", 5, "has no key"),
        ("offer", "public.slow", 4, "more than 5 s"),
    ];
    for (table, function, code, why) in refused {
        let (is, text) = check(&cluster, table, function);
        assert_eq!(is, Some(code), "{text}");
        assert!(text.contains(why), "{text}");
    }
    let (code, text) = check(&cluster, "offer", "public.writes");
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("read-only transaction"), "{text}");
    assert_eq!(cluster.number("n2", "SELECT count(*) FROM offer").await, 300);
    let (code, text) = check(&cluster, "offer", "public.none");
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("it does not always give a row") && text.contains("f(a, b) = NULL"),
        "{text}"
    );
    cluster.sql("n2", "TRUNCATE offer").await;
    let (code, json) = checked(&cluster, "public.average");
    assert_eq!((code, &json["rows"]), (Some(1), &0.into()), "{json}");
    let (code, text) = check(&cluster, "offer", "public.greatest_of");
    assert_eq!(code, Some(0), "{text}");
}
