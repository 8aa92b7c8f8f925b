use muster_swim::Config;
use serde_json::{Value, json};

use super::super::results::tests::{scenario, summary};
use super::*;

fn document(columns: &[(&str, &Summary)]) -> Value {
    let config = Config::wan();
    let columns: Vec<Column<'_>> = columns
        .iter()
        .map(|(name, summary)| Column {
            name,
            config: &config,
            summary,
        })
        .collect();
    let results = Results {
        scenario: &scenario(5),
        seeds: &[3, u64::MAX],
        columns: &columns,
    };
    serde_json::to_value(Document::of(&results)).expect("names and numbers")
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
        "violated": 3,
        "violations": [{
            "seed": 42,
            "property": "healing",
            "at_ms": 12345.6789,
            "process": "n3",
            "text": "\"n1\" & <n2>\u{1b}",
        }],
    });
    assert_eq!(column, expected);
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
