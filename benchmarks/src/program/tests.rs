use tempfile::tempdir;

use super::*;

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[tokio::test]
async fn what_one_program_writes_the_other_reads_and_all_words_are_kept() {
    let report = tempdir().unwrap();
    let raw = Raw::in_report(report.path()).unwrap();
    let (mut from, mut into) = (shell("echo rows; echo dumped >&2"), shell("cat; echo restored >&2"));
    let ran = raw.pipe("both", &mut from, &mut into).await.unwrap();
    assert_eq!(ran.stdout, "rows\n");
    let kept = std::fs::read_to_string(report.path().join("raw/both.txt")).unwrap();
    assert!(kept.contains("dumped\nrows\nrestored\n"), "{kept}");
}

#[tokio::test]
async fn either_end_of_a_pipe_that_fails_fails_it_and_ends_the_other() {
    let report = tempdir().unwrap();
    let raw = Raw::in_report(report.path()).unwrap();
    for (from, into) in [("exit 1", "cat"), ("yes", "exit 1")] {
        let (mut writes, mut reads) = (shell(from), shell(into));
        let ran = raw.pipe("both", &mut writes, &mut reads);
        let ran = tokio::time::timeout(Duration::from_secs(60), ran).await;
        assert!(
            ran.expect("nobody waits for the other for ever").is_err(),
            "{from} | {into}"
        );
    }
}
