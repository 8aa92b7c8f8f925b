use std::path::Path;
use std::time::Duration;

use muster_swim::sim::scenario::{Fault, Step, Whom};
use muster_swim::sim::{ClockJump, Property};

use super::steps::WORDS;
use super::*;

fn read_text(text: &str) -> (Draft, Vec<String>) {
    let mut problems = Vec::new();
    let draft = parse(Path::new("x.toml"), text, &mut problems);
    problems.sort_by_key(Problem::position);
    let problems = problems.iter().map(ToString::to_string).collect();
    (draft, problems)
}

/// The draft of a text without mistakes.
fn sound(text: &str) -> Draft {
    let (draft, problems) = read_text(text);
    assert_eq!(problems, [""; 0], "{text}");
    draft
}

fn steps(draft: &Draft) -> Vec<Step> {
    let usual = draft.network_from(Faults::default());
    draft.steps.iter().map(|step| step.step(&usual)).collect()
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn an_empty_file_changes_nothing() {
    let draft = sound("");
    assert!(draft.extends.is_none() && draft.members.is_none() && draft.steps.is_empty());
    assert_eq!(draft.network_from(Faults::default()), Faults::default());
    assert_eq!(draft.start_from(Start::default()), Start::default());
}

#[test]
fn every_key_is_taken() {
    let draft = sound(
        r#"
extends = "crash"
about = "all of it"
members = 1_000
duration = "1m 30s"
end_when_agreed = true
agree_within = "5m"

[start]
head_start = "2s"
spacing = "10ms"
settle = { within = "3m", quiet = "1s" }

[network]
latency = { min = "1ms", median = "2ms", p90 = "3ms", p99 = "4ms", max = "5ms" }
loss = "2.5%"
datagram_loss = 0.25
burst = { loss = 1, lasts = "1s", every = "10s" }
duplicate = 0.5
reorder = 0
reorder_by = "7ms"
bandwidth = { bytes_per_s = 12_500_000, queue_bytes = 65_536 }
mtu = 1400

[settings]
preset = "wan"
rings = 2
"#,
    );
    assert_eq!(draft.extends.map(|base| base.name), Some("crash"));
    assert_eq!(draft.about.as_deref(), Some("all of it"));
    assert_eq!(draft.members, Some(1000));
    assert_eq!(draft.duration, Some(ms(90_000)));
    assert_eq!(draft.end_when_agreed, Some(true));
    assert_eq!(draft.agree_within, Some(Some(ms(300_000))));
    let start = draft.start_from(Start::default());
    assert_eq!((start.head_start, start.spacing), (ms(2000), ms(10)));
    let settle = start.settle.expect("there is one");
    assert_eq!((settle.within, settle.quiet), (ms(180_000), ms(1000)));
    let expected = Faults {
        latency: Latency::Quantiles(Quantiles {
            min: ms(1),
            median: ms(2),
            p90: ms(3),
            p99: ms(4),
            max: ms(5),
        }),
        loss: 0.025,
        datagram_loss: 0.25,
        burst: Some(Burst {
            loss: 1.0,
            lasts: ms(1000),
            every: ms(10_000),
        }),
        duplicate: 0.5,
        reorder: 0.0,
        reorder_by: ms(7),
        bandwidth: Some(Bandwidth {
            bytes_per_s: 12_500_000,
            queue_bytes: 65_536,
        }),
        mtu: Some(1400),
    };
    assert_eq!(draft.network_from(Faults::default()), expected);
    let config = settings::merge_protocol(&[&draft.settings], &mut Vec::new());
    let mut wanted = muster_swim::Config::wan();
    wanted.rings = 2;
    assert_eq!(config, wanted);
}

#[test]
fn what_may_be_off_can_be_off() {
    let draft = sound("agree_within = false\n[start]\nsettle = false\n");
    assert_eq!(draft.agree_within, Some(None));
    assert_eq!(draft.start_from(Start::default()).settle, None);
    let partly = sound("[start]\nsettle = { quiet = \"1s\" }\n");
    let settle = partly
        .start_from(Start::default())
        .settle
        .expect("it is on");
    assert_eq!((settle.within, settle.quiet), (ms(120_000), ms(1000)));
}

#[test]
fn latency_is_one_value_a_range_or_quantiles() {
    for (text, expected) in [
        ("\"5ms\"", ms(5)..ms(5)),
        ("\"1ms to 20ms\"", ms(1)..ms(20)),
        ("{ min = \"1ms\", max = \"2ms\" }", ms(1)..ms(2)),
    ] {
        let draft = sound(&format!("[network]\nlatency = {text}\n"));
        let latency = draft.network_from(Faults::default()).latency;
        assert_eq!(latency, Latency::Uniform(expected), "{text}");
    }
}

#[test]
fn whom_is_all_names_a_number_or_a_part() {
    for (text, expected) in [
        ("\"all\"", Whom::All),
        ("5", Whom::Some(5)),
        ("\"10%\"", Whom::Share(0.1)),
        ("\"2.5 %\"", Whom::Share(0.025)),
        ("0.25", Whom::Share(0.25)),
        (
            "[\"n3\", \"n4\"]",
            Whom::Named(vec!["n3".to_owned(), "n4".to_owned()]),
        ),
    ] {
        let draft = sound(&format!(
            "[[step]]\nat = \"1s\"\nwhat = \"crash\"\nwhom = {text}\n"
        ));
        assert_eq!(steps(&draft)[0].whom, expected, "{text}");
    }
    for text in [
        "1.0", "-1", "\"some\"", "true", "[1]", "\"%\"", "{}", "nan", "inf", "-0.5",
    ] {
        let text = format!("[[step]]\nat = \"1s\"\nwhat = \"crash\"\nwhom = {text}\n");
        let (_, problems) = read_text(&text);
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        assert!(
            problems[0].starts_with("x.toml:4:8: whom is "),
            "{problems:?}"
        );
    }
}

#[test]
fn every_fault_has_its_word() {
    for word in WORDS {
        let more = match word {
            "starve" => "late = \"10ms\"",
            "loss" => "outgoing = \"80%\"",
            "network" => "network = { loss = 0.1 }",
            "cut" | "partial-partition" => "others = 2",
            "clock-rate" => "rate = \"-1%\"",
            "clock-jump" => "by = \"-1h\"",
            _ => "",
        };
        let draft = sound(&format!(
            "[[step]]\nat = \"1s\"\nwhat = {word:?}\nwhom = 1\n{more}\n"
        ));
        let what = steps(&draft).remove(0).what;
        assert_eq!(what.as_str(), word);
        // Exhaustive: a fault added to the simulator stops this from compiling until it is here.
        let is_here = match what {
            Fault::Crash
            | Fault::CrashHost
            | Fault::Pause
            | Fault::Block
            | Fault::BlockProber
            | Fault::Starve(_)
            | Fault::Loss { .. }
            | Fault::Partition
            | Fault::Leave
            | Fault::Restart
            | Fault::Join
            | Fault::Cut(_)
            | Fault::PartialPartition(_)
            | Fault::ResetStreams
            | Fault::ClockRate(_)
            | Fault::ClockJump(_)
            | Fault::Network(_) => WORDS.len() == 17,
        };
        assert!(is_here);
    }
}

#[test]
fn cuts_and_clocks_are_taken_as_they_are_written() {
    let hour = ms(3_600_000);
    for (text, expected) in [
        ("\"cut\"\nothers = \"all\"", Fault::Cut(Whom::All)),
        ("\"cut\"\nothers = 2", Fault::Cut(Whom::Some(2))),
        (
            "\"partial-partition\"\nothers = [\"n5\"]",
            Fault::PartialPartition(Whom::Named(vec!["n5".to_owned()])),
        ),
        ("\"clock-rate\"\nrate = \"+1%\"", Fault::ClockRate(10_000)),
        ("\"clock-rate\"\nrate = \"-0.05 %\"", Fault::ClockRate(-500)),
        ("\"clock-rate\"\nrate = 0.002", Fault::ClockRate(2000)),
        (
            "\"clock-jump\"\nby = \"1h\"",
            Fault::ClockJump(ClockJump::Ahead(hour)),
        ),
        (
            "\"clock-jump\"\nby = \"+ 1h\"",
            Fault::ClockJump(ClockJump::Ahead(hour)),
        ),
        (
            "\"clock-jump\"\nby = \"-1h\"",
            Fault::ClockJump(ClockJump::Back(hour)),
        ),
    ] {
        let draft = sound(&format!("[[step]]\nat = \"1s\"\nwhom = 1\nwhat = {text}\n"));
        assert_eq!(steps(&draft)[0].what, expected, "{text}");
    }
}

#[test]
fn a_step_has_all_its_times() {
    let draft = sound(
        "[[step]]\nat = \"10s\"\nwhom = 3\nwhat = \"pause\"\nlasts = \"2s\"\nevery = \"2500ms\"\n\
         times = 24\nredraw = true\nspacing = \"10ms\"\n",
    );
    let expected = Step {
        redraw: true,
        spacing: ms(10),
        ..Step::once(ms(10_000), Whom::Some(3), Fault::Pause)
            .lasting(ms(2000))
            .repeated(ms(2500), Some(24))
    };
    assert_eq!(steps(&draft), [expected]);
}

#[test]
fn a_change_of_the_network_is_one_of_the_scenarios_network() {
    let draft = sound(
        "[network]\nlatency = \"30ms\"\nloss = 0.1\n[[step]]\nat = \"1s\"\nwhat = \"network\"\n\
         [step.network]\nloss = 0.5\n",
    );
    let expected = Faults {
        latency: Latency::Uniform(ms(30)..ms(30)),
        loss: 0.5,
        ..Faults::default()
    };
    assert_eq!(steps(&draft)[0].what, Fault::Network(expected));
}

#[test]
fn mistakes_are_told_with_line_column_field_and_what_could_be_there() {
    let step = "[[step]]\nat = \"1s\"\nwhom = 1\nwhat = ";
    for (text, problem) in [
        (
            "extends = \"crsh\"",
            "1:11: extends is \"crsh\", did you mean \"crash\"? (allowed is quiet, bootstrap, \
             crash, mass-crash, partition, flip-flop, lossy, slow-members, rolling-restart, churn)",
        ),
        (
            "member = 3",
            "1:1: unknown key \"member\", did you mean \"members\"?",
        ),
        ("nonsense = 3", "1:1: unknown key \"nonsense\""),
        (
            "members = -3",
            "1:11: members is -3, allowed is a whole number from 1 on",
        ),
        (
            "members = \"ten\"",
            "1:11: members is \"ten\", allowed is a whole number from 1 on",
        ),
        (
            "duration = \"-5s\"",
            "1:12: duration is \"-5s\", allowed is 0s or longer, written like \"500ms\" or \
             \"1m 30s\"",
        ),
        (
            "duration = 60",
            "1:12: duration is 60, allowed is 0s or longer, written like \"500ms\" or \
             \"1m 30s\"",
        ),
        (
            "end_when_agreed = \"yes\"",
            "1:19: end_when_agreed is \"yes\", allowed is true or false",
        ),
        (
            "agree_within = true",
            "1:16: agree_within is true, allowed is a duration such as \"2m\", or false for no \
             such rule",
        ),
        (
            "[start]\nsettle = true",
            "2:10: start.settle is true, allowed is a table of within and quiet, or false for none",
        ),
        (
            "[network]\nloss = \"ten\"",
            "2:8: network.loss is \"ten\", allowed is 0 to 1 or \"0%\" to \"100%\"",
        ),
        (
            "[network]\nlatency = \"fast\"",
            "2:11: network.latency is \"fast\", allowed is \"5ms\", \"1ms to 20ms\", or a table \
             of min and max or of min, median, p90, p99 and max",
        ),
        (
            "[network]\nburst = { loss = 0.5, lasts = \"1s\" }",
            "2:9: this burst has no \"every\", such as every = \"10s\"",
        ),
        (
            "step = 3",
            "1:8: step is 3, allowed is any number of [[step]]",
        ),
        (
            "[settings]\nname = \"n1\"",
            "2:1: name is a setting of one agent; only those of the protocol can be here",
        ),
        (
            "[settings]\nperiods = \"1s\"",
            "2:1: unknown setting \"periods\", did you mean \"period\"?",
        ),
        (
            &format!("{step}\"crash-hosts\""),
            "4:8: what is \"crash-hosts\", did you mean \"crash-host\"? (allowed is crash, \
             crash-host, restart, leave, join, pause, block, block-prober, starve, loss, \
             partition, cut, partial-partition, reset-streams, clock-rate, clock-jump, network)",
        ),
        (
            &format!("{step}\"pause\"\nlate = \"1s\""),
            "5:8: late belongs to what = \"starve\", not to \"pause\"",
        ),
        (
            &format!("{step}\"starve\""),
            "1:1: this step has no \"late\", such as late = \"500ms\"",
        ),
        (
            &format!("{step}\"network\""),
            "1:1: this step has no \"network\", such as network = { loss = \"10%\" }",
        ),
        (
            &format!("{step}\"pause\"\nothers = 3"),
            "5:10: others belongs to what = \"cut\" or \"partial-partition\", not to \"pause\"",
        ),
        (
            &format!("{step}\"cut\""),
            "1:1: this step has no \"others\", such as others = [\"n3\", \"n4\"]",
        ),
        (
            &format!("{step}\"clock-rate\"\nrate = \"fast\""),
            "5:8: rate is \"fast\", allowed is \"-1%\" to \"+1%\", or a number from -0.01 to 0.01",
        ),
        (
            &format!("{step}\"clock-jump\"\nby = 3600"),
            "5:6: by is 3600, allowed is a duration such as \"1h\", or \"-1h\" for back",
        ),
        (
            "[[step]]\nat = \"1s\"\nwhat = \"crash\"",
            "1:1: this step has no \"whom\", such as whom = \"10%\"",
        ),
    ] {
        let (_, problems) = read_text(text);
        assert_eq!(problems, [format!("x.toml:{problem}")], "{text}");
    }
}

#[test]
fn what_is_no_toml_is_told_and_not_judged_as_a_value_too() {
    let (_, problems) = read_text("members = = 3\nduration = \"x\"\n[[step]]\nat = ]\nwhom = 1\n");
    assert!(
        problems.iter().any(|one| one.starts_with("x.toml:1:")),
        "{problems:?}"
    );
    assert!(
        problems
            .iter()
            .any(|one| one.starts_with("x.toml:2:12: duration is"))
    );
    assert!(
        problems.iter().any(|one| one.starts_with("x.toml:4:")),
        "{problems:?}"
    );
    let judged = |problem: &&String| {
        let broken = problem.starts_with("x.toml:1:") || problem.starts_with("x.toml:4:");
        broken && problem.contains("allowed is")
    };
    assert_eq!(problems.iter().find(judged), None);
}

#[test]
fn the_page_about_scenario_files_names_every_key_and_every_word() {
    let page = include_str!("../../../../examples/scenarios/README.md");
    let table =
        "start.settle = {}\n[network]\nburst = {}\nbandwidth = {}\nlatency = {}\n[[step]]\n";
    let mut problems = Vec::new();
    let (document, parsed) = Document::parse(Path::new("x.toml"), table, &mut problems);
    let mut reader = Reader::new(&document, &mut problems);
    let mut fields = Fields::new(&parsed);
    Draft::default().top_level(&mut reader, &mut fields);
    reader.no_more(&fields);
    let keys: Vec<&str> = reader.known.iter().copied().collect();
    assert!(keys.len() > 40, "{keys:?}");
    let words = WORDS.into_iter();
    let built_ins = builtin::ALL.iter().map(|one| one.name);
    for word in keys.into_iter().chain(words).chain(built_ins) {
        let named = [
            format!("`{word}`"),
            format!("[{word}]"),
            format!("{word} ="),
        ];
        let is_there = named.iter().any(|form| page.contains(form));
        assert!(
            is_there || page.contains(&format!("{word}, ")),
            "{word} is not there"
        );
    }
}

#[test]
fn the_page_about_scenario_files_says_what_properties_say() {
    let page = include_str!("../../../../examples/scenarios/README.md");
    let (_, section) = page.split_once("## What must hold").expect("there is one");
    let rows: Vec<&str> = section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    assert!(rows.len() >= 9, "{rows:?}");
    for row in rows {
        let told = Property::ALL.iter().any(|property| {
            let about = property.about().trim_end_matches('.').to_lowercase();
            row.to_lowercase()
                .starts_with(&format!("| `{property}` | {about} |"))
        });
        assert!(told, "{row}");
    }
}
