use super::*;

const TIME: Metric = Metric::lower("wall", "s").at_most(0.5);
const RATE: Metric = Metric::higher("rate", "1/s");

fn sample(case: &'static str, metric: Metric, side: Side, value: f64) -> Sample {
    Sample {
        case,
        metric,
        side,
        value,
    }
}

fn report(samples: Vec<Sample>) -> Report {
    let options = Options {
        rounds: Some(2),
        quick: false,
        only: None,
        report: None,
        scratch: "/tmp".into(),
        synapsed: None,
    };
    let mut report = Report::new(Machine::look("15.0", Path::new("/no/synapsed")), &options);
    report.add(
        Name::Catchup,
        Outcome {
            notes: vec!["A note.".to_owned()],
            samples,
        },
    );
    report
}

#[test]
fn a_row_has_the_medians_of_its_rounds_and_their_ratio() {
    let samples = [
        sample("a", TIME, Side::Native, 4.0),
        sample("a", TIME, Side::Ours, 1.0),
        sample("a", TIME, Side::Ours, 9.0),
        sample("a", TIME, Side::Ours, 3.0),
        sample("b", TIME, Side::Ours, 77.0),
        sample("a", RATE, Side::Ours, 5.0),
    ];
    let rows = rows(&samples);
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (row.case, row.metric.name, row.ratio, row.met))
        .collect();
    assert_eq!(
        seen,
        [
            ("a", "wall", Some(0.75), Some(false)),
            ("b", "wall", None, None),
            ("a", "rate", None, None)
        ]
    );
}

#[test]
fn a_peer_that_measured_zero_gives_no_ratio() {
    let samples = [sample("a", TIME, Side::Native, 0.0), sample("a", TIME, Side::Ours, 1.0)];
    assert_eq!(rows(&samples)[0].ratio, None);
}

#[test]
fn the_table_shows_the_sides_that_were_measured_and_whether_an_aim_is_met() {
    let samples = vec![
        sample("a", TIME, Side::Native, 400.0),
        sample("a", TIME, Side::Ours, 120.0),
        sample("a", RATE, Side::Native, 12.34),
    ];
    let text = markdown::render(&report(samples));
    for line in [
        "| case | measured | better | ours | native | ours / native | aim |",
        "| a | wall, s | lower | 120 | 400 | **0.30** | ≤ 0.50: met |",
        "| a | rate, 1/s | higher |  | 12.3 |  |  |",
        "- A note.",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn both_files_are_written_and_the_second_is_json_with_every_round() {
    let directory = tempfile::tempdir().unwrap();
    report(vec![sample("a", RATE, Side::Ours, 2.5)])
        .write(directory.path())
        .unwrap();
    let json = std::fs::read(directory.path().join("report.json")).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(value["benchmarks"][0]["rows"][0]["sides"][0]["rounds"][0], 2.5);
    assert!(directory.path().join("report.md").is_file());
}
