use super::*;

#[test]
fn a_line_of_progress_has_the_shape_that_the_command_reads() {
    let (tell, mut events) = Tell::channel();
    tell.of_table("public.t", 2, 5).progress(Step::Comparing, 7, 9);
    let line = serde_json::to_string(&events.try_recv().unwrap()).unwrap();
    assert_eq!(
        line,
        r#"{"progress":{"table":"public.t","number":2,"tables":5,"step":"comparing","done":7,"total":9}}"#
    );
}

#[test]
fn progress_that_nobody_takes_is_dropped() {
    let (tell, mut events) = Tell::channel();
    (0..100).for_each(|done| tell.progress(Step::Reading, done, 100));
    let taken = std::iter::from_fn(|| events.try_recv().ok()).count();
    assert_eq!(taken, EVENTS_AHEAD);
}

#[tokio::test]
async fn the_result_of_a_table_keeps_its_digits() {
    let (tell, mut events) = Tell::channel();
    let number = RawValue::from_string("1.000000000000000000001".to_owned()).unwrap();
    tell.done(&number).await;
    let line = serde_json::to_string(&events.try_recv().unwrap()).unwrap();
    assert_eq!(line, r#"{"table":1.000000000000000000001}"#);
}
