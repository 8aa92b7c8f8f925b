use std::sync::Mutex;

use super::*;

/// What `lines` makes of the events that `speak` gives.
pub(crate) fn written(level: LevelFilter, format: LogFormat, speak: impl FnOnce()) -> Vec<String> {
    let written = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&written);
    let sink = move |line| into.lock().expect("no writer panics").push(line);
    let level = Arc::new(AtomicU8::new(rank(level)));
    tracing::subscriber::with_default(
        Lines {
            level,
            format,
            sink,
        },
        speak,
    );
    let lines = written.lock().expect("no writer panics");
    lines.clone()
}

pub(crate) fn without_time(line: &str) -> &str {
    line.split_once(' ').map_or(line, |(_, rest)| rest)
}

#[test]
fn a_text_line_has_time_level_type_and_fields_in_order() {
    let lines = written(LevelFilter::INFO, LogFormat::Text, || {
        tracing::info!(
            time = "2026-01-02T03:04:05.678Z",
            member = "n3",
            instance = 7,
            "member-left"
        );
    });
    assert_eq!(
        lines,
        ["2026-01-02T03:04:05.678Z INFO member-left member=n3 instance=7\n"]
    );
}

#[test]
fn values_are_quoted_where_they_would_be_mistaken() {
    let lines = written(LevelFilter::INFO, LogFormat::Text, || {
        tracing::info!(
            a = "two words",
            b = "",
            c = "x=y",
            d = "line\nbreak",
            e = "ü",
            f = true,
            "t"
        );
    });
    let expected = r#"INFO t a="two words" b="" c="x=y" d="line\nbreak" e=ü f=true"#;
    assert_eq!(without_time(&lines[0]).trim_end(), expected);
}

#[test]
fn absent_values_leave_no_field() {
    let lines = written(LevelFilter::INFO, LogFormat::Text, || {
        tracing::info!(by = None::<&str>, cause = Some("told"), "member-suspect");
    });
    assert_eq!(without_time(&lines[0]), "INFO member-suspect cause=told\n");
}

#[test]
fn json_has_the_same_fields_and_is_json() {
    let lines = written(LevelFilter::INFO, LogFormat::Json, || {
        let time = "2026-01-02T03:04:05.678Z";
        tracing::warn!(
            time,
            seed = "a:1",
            error = "say \"no\"\n",
            instance = 7_u64,
            "seed-failed"
        );
    });
    let value: serde_json::Value = serde_json::from_str(&lines[0]).expect("JSON");
    let expected = serde_json::json!({
        "time": "2026-01-02T03:04:05.678Z", "level": "WARN", "type": "seed-failed",
        "seed": "a:1", "error": "say \"no\"\n", "instance": 7,
    });
    assert_eq!(value, expected);
    assert_eq!(lines[0].matches('\n').count(), 1, "one line");
}

#[test]
fn less_important_lines_and_the_talk_of_libraries_are_left_out() {
    let lines = written(LevelFilter::INFO, LogFormat::Text, || {
        tracing::debug!("hidden");
        tracing::info!("shown");
        tracing::info!(target: "hyper::proto", "hidden too");
        tracing::warn!(target: "hyper::proto", "gone wrong");
    });
    let lines: Vec<&str> = lines.iter().map(|line| without_time(line)).collect();
    let library = "WARN log target=hyper::proto message=\"gone wrong\"\n";
    assert_eq!(lines, ["INFO shown\n", library]);
}

#[test]
fn the_level_can_change_while_it_runs() {
    let (writer, _orders) = sync_channel(1);
    let log = Log {
        level: Arc::new(AtomicU8::new(rank(LevelFilter::INFO))),
        writer,
    };
    let lines = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&lines);
    let sink = move |line| into.lock().expect("no writer panics").push(line);
    let level = Arc::clone(&log.level);
    tracing::subscriber::with_default(
        Lines {
            level,
            format: LogFormat::Text,
            sink,
        },
        || {
            let speak = || tracing::debug!("detail");
            speak();
            log.set_level(LevelFilter::DEBUG);
            speak();
            log.set_level(LevelFilter::OFF);
            speak();
        },
    );
    assert_eq!(lines.lock().expect("no writer panics").len(), 1);
}
