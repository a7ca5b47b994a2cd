use super::*;

fn silent(_: &str) {}

#[tokio::test]
async fn a_demo_never_removes_a_sandbox_that_it_did_not_make() {
    let dir = tempfile::tempdir().unwrap();
    let record = crate::record::tests::sample();
    record.save(dir.path(), &Owner::Caller).unwrap();
    let error = down(dir.path(), &silent).await.unwrap_err();
    assert_eq!(error.exit_code(), 5);
    assert!(Record::exists(dir.path()));
}

#[tokio::test]
async fn removing_a_demo_that_is_not_there_is_fine() {
    let dir = tempfile::tempdir().unwrap();
    down(dir.path(), &silent).await.unwrap();
}
