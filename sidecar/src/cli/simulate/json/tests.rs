use muster_swim::Config;
use muster_swim::sim::Faults;
use muster_swim::sim::scenario::{BuiltIn, Run, RunOptions};
use serde_json::{Value, json};

use super::super::results::tests::{scenario, summary};
use super::*;

fn document(columns: &[(&str, &Summary)]) -> Value {
    let (config, outcomes) = (Config::wan(), [outcome()]);
    let columns: Vec<Column<'_>> = columns
        .iter()
        .map(|(name, summary)| Column {
            name,
            config: &config,
            summary,
            outcomes: &outcomes,
        })
        .collect();
    let results = Results {
        scenario: &scenario(5),
        seeds: &[3, u64::MAX],
        columns: &columns,
    };
    serde_json::to_value(Document::of(&results)).expect("names and numbers")
}

/// Of a run in which two were hurt.
fn outcome() -> Outcome {
    let crash = BuiltIn::named("crash").expect("there is one");
    let scenario = crash.scenario(8, &Config::lan(), &Faults::default());
    let mut run = Run::new(&scenario, 3, RunOptions::default()).expect("it can be run");
    while run.advance() {}
    let mut outcome = run.finish();
    outcome.trace_hash = 0xab;
    outcome.fates.truncate(2);
    outcome.fates[1] = Fate {
        everywhere: None,
        ..outcome.fates[0].clone()
    };
    outcome
}

fn assert_valid(document: &Value) {
    let schema: Value = serde_json::from_str(include_str!("../outcome.schema.json"))
        .expect("a schema that is JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema that is one");
    let mistakes: Vec<String> = validator
        .iter_errors(document)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert_eq!(mistakes, [""; 0], "{document:#}");
}

#[test]
fn every_number_has_its_name() {
    let summary = summary();
    let document = document(&[("default", &summary)]);
    assert_eq!(
        document["scenario"],
        json!({
            "name": "nap",
            "about": "One is <stopped> & goes on",
            "members": 5,
            "duration_ms": 60_000.0,
        })
    );
    assert_eq!(document["seeds"], json!([3, u64::MAX]));
    let mut column = document["columns"][0].clone();
    let settings = column["settings"].take();
    let runs = column["each_run"].take();
    assert_eq!(settings["period"], "10s");
    assert_eq!(settings["rings"], "3");
    let times = |median: f64, worst: f64, count: usize| json!({"median": median, "p99": worst, "p999": null, "worst": worst, "count": count});
    let expected = json!({
        "name": "default",
        "settings": null,
        "runs": 10,
        "settled_runs": 9,
        "settling_ms": times(1200.0, 1900.0, 3),
        "hurt": 8,
        "first_ms": times(220.0, 290.0, 4),
        "everywhere_ms": times(320.0, 390.0, 3),
        "false_deaths": 11,
        "false_deaths_at_healthy": 12,
        "deaths_of_hurt": 13,
        "deaths_of_one_hurt_worst": 15,
        "false_suspicions": 14,
        "false_hints": 19,
        "changes": {"median": 17, "worst": 18},
        "sizes": 16,
        "messages_per_run": 1900.4,
        "packets_sent_per_s": 2.25,
        "bytes_sent_per_s": 201.2,
        "bytes_received_per_s": 202.7,
        "bytes_sent_worst_per_s": 2003,
        "bytes_received_worst_per_s": 2004,
        "health": {"mean": 0.37, "worst": 7},
        "agreed_after_ms": times(4100.0, 4900.0, 2),
        "disagreeing_runs": 2,
        "runs_without_quorum": 1,
        "violated": 3,
        "violations": [{
            "seed": 42,
            "property": "healing",
            "at_ms": 12345.6789,
            "process": "n3",
            "text": "\"n1\" & <n2>\u{1b}",
        }],
        "each_run": null,
    });
    assert_eq!(column, expected);
    let (outcome, run) = (outcome(), &runs[0]);
    let ms = |duration: Option<Duration>| json!(duration.map(millis));
    assert_eq!(runs.as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&run["seed"], &run["trace_hash"]),
        (&json!(3), &json!("00000000000000ab"))
    );
    assert_eq!(run["settled_after_ms"], ms(outcome.settled_after));
    assert_eq!(run["agreed_after_ms"], ms(outcome.agreed_after));
    let fate = &outcome.fates[0];
    assert!(fate.everywhere > fate.first && fate.first.is_some());
    let expected = json!({
        "name": fate.name,
        "fault": "crash",
        "onset_ms": 5000.0,
        "first_ms": ms(fate.first),
        "everywhere_ms": ms(fate.everywhere),
        "deaths": 1,
    });
    assert_eq!(run["fates"][0], expected);
    assert_eq!(run["fates"][1]["everywhere_ms"], Value::Null);
}

#[test]
fn it_is_what_its_schema_says() {
    let (full, empty) = (summary(), Summary::default());
    assert_valid(&document(&[("default", &full)]));
    assert_valid(&document(&[("default", &full), ("other.toml", &empty)]));
}

#[test]
fn its_schema_names_everything_and_nothing_else() {
    let schema: Value = serde_json::from_str(include_str!("../outcome.schema.json"))
        .expect("a schema that is JSON");
    let full = summary();
    let document = document(&[("default", &full)]);
    let parts = [
        (&schema, &document),
        (&schema["properties"]["scenario"], &document["scenario"]),
        (&schema["$defs"]["column"], &document["columns"][0]),
        (
            &schema["$defs"]["times"],
            &document["columns"][0]["first_ms"],
        ),
        (
            &schema["$defs"]["violation"],
            &document["columns"][0]["violations"][0],
        ),
        (
            &schema["$defs"]["run"],
            &document["columns"][0]["each_run"][0],
        ),
        (
            &schema["$defs"]["fate"],
            &document["columns"][0]["each_run"][0]["fates"][0],
        ),
    ];
    for (described, part) in parts {
        let names: Vec<&String> = part.as_object().expect("an object").keys().collect();
        let properties = described["properties"].as_object().expect("described");
        assert_eq!(properties.keys().collect::<Vec<_>>(), names);
        let mut required: Vec<&str> = described["required"]
            .as_array()
            .expect("required")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        required.sort_unstable();
        assert_eq!(required, names);
        assert_eq!(described["additionalProperties"], false);
    }
}
