//! The log as people and scripts ask for it.

use serde_json::Value;

use super::log::{joined, parted};
use crate::cluster::Cluster;

/// Conflicts on two tables, one of them with a name that wants care.
async fn filled() -> Cluster {
    let cluster = parted().await;
    cluster
        .sql_all("CREATE TABLE \"a'b&c\" (id int PRIMARY KEY, v text)")
        .await;
    cluster
        .sql("n1", "UPDATE t SET a = 'n1' WHERE id <= 5; DELETE FROM t WHERE id = 6")
        .await;
    cluster.sql("n1", "INSERT INTO \"a'b&c\" VALUES (1, 'n1')").await;
    cluster.sql("n2", "UPDATE t SET a = 'n2' WHERE id <= 6").await;
    cluster.sql("n2", "INSERT INTO \"a'b&c\" VALUES (1, E'\\x1b[2J')").await;
    joined(&cluster).await;
    cluster
}

async fn listed(cluster: &Cluster, query: &str) -> Value {
    let answer = cluster.get("n1", &format!("/v1/conflicts{query}")).await.unwrap();
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    answer.json()
}

async fn count(cluster: &Cluster, query: &str) -> usize {
    listed(cluster, query).await["conflicts"].as_array().unwrap().len()
}

/// Runs `synapsectl`; answers with exit code, stdout and stderr.
fn ctl(cluster: &Cluster, arguments: &[&str]) -> (i32, String, String) {
    let output = cluster.synapsectl("n1", arguments);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn the_log_is_filtered_and_paged_and_bad_filters_are_refused() {
    let cluster = filled().await;
    for (query, expected) in [
        ("", 7),
        ("?table=t", 6),
        ("?table=public.t", 6),
        ("?table=public.a%27b%26c", 1),
        ("?kind=update_origin_differs", 5),
        ("?kind=update_deleted&table=t", 1),
        ("?kind=delete_missing", 0),
        ("?policy=last-write-wins", 7),
        ("?verdict=remote", 7),
        ("?verdict=local", 0),
        ("?since=1h", 7),
        ("?since=2020-01-01T00:00:00Z", 7),
        ("?since=2100-01-01%2000:00:00", 0),
        ("?limit=3", 3),
        ("?before=1", 0),
    ] {
        assert_eq!(count(&cluster, query).await, expected, "{query}");
    }
    let mut seen = Vec::new();
    let mut page = listed(&cluster, "?limit=3").await;
    loop {
        let ids = page["conflicts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["id"].as_i64().unwrap());
        seen.extend(ids);
        let Some(before) = page["next_before"].as_i64() else {
            break;
        };
        page = listed(&cluster, &format!("?limit=3&before={before}")).await;
    }
    assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1], "the latest first, each once");
    for (query, status) in [
        ("?kind=no", 400),
        ("?table=nowhere", 404),
        ("?nonsense=1", 400),
        ("/stats?limit=1", 400),
    ] {
        let answer = cluster.get("n1", &format!("/v1/conflicts{query}")).await.unwrap();
        assert_eq!(answer.status, status, "{query}: {}", answer.text);
    }
    let stats = cluster.get("n1", "/v1/conflicts/stats").await.unwrap().json();
    let groups: Vec<_> = stats["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| {
            format!(
                "{} {} {} {}",
                group["table"], group["kind"], group["verdict"], group["count"]
            )
        })
        .collect();
    assert_eq!(
        groups,
        [
            "\"public.t\" \"update_origin_differs\" \"remote\" 5",
            "\"public.a'b&c\" \"insert_exists\" \"remote\" 1",
            "\"public.t\" \"update_deleted\" \"remote\" 1"
        ]
    );
}

#[tokio::test]
async fn synapsectl_shows_the_log_to_people_and_scripts() {
    let cluster = filled().await;
    let (code, shown, _) = ctl(&cluster, &["conflict", "list", "--table", "public.a'b&c"]);
    assert_eq!(code, 0);
    assert!(
        shown.contains("public.a'b&c {\"id\":\"1\"}  insert_exists  last-write-wins: remote\n"),
        "{shown}"
    );
    assert!(shown.contains("{\"id\":\"1\",\"v\":\"n1\"}"), "{shown}");
    assert!(shown.contains("{\"id\":\"1\",\"v\":\"\\u001b[2J\"}"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown}");
    let (_, shown, _) = ctl(&cluster, &["conflict", "list", "--kind", "update_deleted"]);
    assert!(shown.contains("(no row)"), "{shown}");
    let (_, shown, _) = ctl(&cluster, &["conflict", "list", "--limit", "2"]);
    assert!(shown.contains("there are more: --before 6"), "{shown}");
    let (_, shown, _) = ctl(
        &cluster,
        &["conflict", "list", "--limit", "2", "--before", "6", "--output", "json"],
    );
    let page: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        (&page["conflicts"][0]["id"], &page["next_before"]),
        (&5.into(), &4.into())
    );
    let (code, shown, _) = ctl(&cluster, &["conflict", "stats", "--since", "1h"]);
    assert_eq!(code, 0);
    assert!(shown.starts_with("TABLE         KIND"), "{shown}");
    let (_, shown, _) = ctl(
        &cluster,
        &["conflict", "stats", "--table", "t", "--since", "2100-01-01T00:00:00Z"],
    );
    assert_eq!(shown, "no conflicts\n");
    for (arguments, expected) in [
        (["list", "--kind", "insert"], "expected one of insert_exists"),
        (["list", "--policy", "mine"], "last-write-wins"),
        (["stats", "--since", "soon"], "expected a length of time like 1h"),
        (["list", "--limit", "0"], "1..=500"),
        (["stats", "--table", "nowhere"], "synapsectl table list"),
    ] {
        let mut all = vec!["conflict"];
        all.extend(arguments);
        let (code, _, said) = ctl(&cluster, &all);
        assert_eq!(code, 2, "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    let (_, shown, _) = ctl(&cluster, &["status"]);
    assert!(
        shown.contains("conflicts  7 (insert_exists 1, update_deleted 1, update_origin_differs 5), "),
        "{shown}"
    );
}
