use super::*;

#[test]
fn names_of_tables_survive_a_query() {
    assert_eq!(escaped("public.t_1"), "public.t_1");
    assert_eq!(escaped("a b&c=ü"), "a%20b%26c%3D%C3%BC");
}

#[test]
fn an_address_without_a_scheme_is_http() {
    let reach = |api: &str| Reach {
        api: Some(api.to_owned()),
        ..Reach::default()
    };
    assert_eq!(
        reach("127.0.0.1:7402").url("/healthz").unwrap(),
        "http://127.0.0.1:7402/healthz"
    );
    assert_eq!(
        reach("http://127.0.0.1:7402/").url("/healthz").unwrap(),
        "http://127.0.0.1:7402/healthz"
    );
}

#[test]
fn a_failure_speaks_in_the_daemons_words() {
    let reply = Reply {
        status: 409,
        body: "{\"error\": \"no\", \"hint\": \"say --confirm\"}".to_owned(),
    };
    assert_eq!(
        reply.parse::<serde_json::Value>().unwrap_err().to_string(),
        "no\nhint: say --confirm"
    );
    let strange = Reply {
        status: 500,
        body: "oops\n".to_owned(),
    };
    assert_eq!(
        strange.parse::<serde_json::Value>().unwrap_err().to_string(),
        "the daemon answered 500 oops"
    );
}
