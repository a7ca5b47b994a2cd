use super::*;

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn tables_and_the_place_to_go_on_are_read_from_the_query() {
    let (wanted, form) = read(pairs(&[
        ("table", "a"),
        ("table", "b"),
        ("after", "public.a"),
        ("follow", "true"),
    ]))
    .unwrap();
    assert_eq!(wanted.tables, ["a", "b"]);
    assert_eq!(wanted.after.as_deref(), Some("public.a"));
    assert_eq!(form, Form::Followed);
    assert_eq!(read(Vec::new()).unwrap(), (Wanted::default(), Form::Whole));
}

#[test]
fn what_is_not_known_is_refused() {
    assert!(read(pairs(&[("tabel", "a")])).is_err());
    assert!(read(pairs(&[("follow", "maybe")])).is_err());
}

#[test]
fn an_event_is_one_line() {
    let line = line(&json!({ "failed": Failure::usage("no").document() }));
    assert_eq!(
        line.as_ref(),
        b"{\"failed\":{\"error\":\"no\",\"hint\":null,\"status\":400}}\n"
    );
}

#[tokio::test]
async fn a_followed_answer_ends_with_what_was_done_or_why_not() {
    use futures_util::StreamExt;
    for (work, expected) in [
        (Ok(true), "{\"done\":{\"equal\":true}}\n"),
        (
            Err(Failure::timed_out("slow")),
            "{\"failed\":{\"error\":\"slow\",\"hint\":null,\"status\":504}}\n",
        ),
    ] {
        let (tell, events) = Tell::channel();
        let work: Work<bool> = Box::pin(async move {
            tell.done(&1).await;
            work
        });
        let answer = followed(work, events, |equal| json!({ "equal": equal }));
        let lines: Vec<Bytes> = answer
            .into_body()
            .into_data_stream()
            .map(|line| line.unwrap())
            .collect()
            .await;
        assert_eq!(lines[0].as_ref(), b"{\"table\":1}\n");
        assert_eq!(std::str::from_utf8(&lines[1]).unwrap(), expected);
    }
}
