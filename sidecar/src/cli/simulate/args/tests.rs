use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: SimulateArgs,
}

fn parse(line: &str) -> Result<SimulateArgs, clap::Error> {
    let words = ["simulate"].into_iter().chain(line.split_whitespace());
    Line::try_parse_from(words).map(|line| line.args)
}

#[test]
fn seeds_are_so_many_or_a_range() {
    for (text, expected) in [
        ("1", vec![1]),
        ("3", vec![1, 2, 3]),
        ("7..9", vec![7, 8]),
        ("0..1", vec![0]),
        (
            "18446744073709551614..18446744073709551615",
            vec![u64::MAX - 1],
        ),
    ] {
        assert_eq!(seeds(text), Ok(Seeds(expected)), "{text}");
    }
    for text in [
        "0",
        "-1",
        "",
        "5..5",
        "5..2",
        "1..",
        "..3",
        "1...3",
        "100001",
        "0..100001",
        "x",
    ] {
        let error = seeds(text).expect_err(text);
        assert!(
            error.contains("1 to 100000") && error.contains("1..101"),
            "{error}"
        );
    }
    assert_eq!(Seeds::default().0.len(), 10);
}

#[test]
fn what_cannot_be_is_refused_with_what_could_be() {
    for (line, allowed) in [
        ("crash --members 0", "from 1 on"),
        ("crash --members many", "from 1 on"),
        ("crash --jobs 0", "from 1 on"),
        ("crash --duration soon", "like 90s or 1m30s"),
        ("crash --replay first", "from 0 to"),
        ("crash --replay 1 --seeds 3", "--seeds"),
        ("crash --replay 1 --compare x.toml", "--compare"),
        ("crash --output xml", "table, json"),
        ("crash --name n1", "--name"),
        ("crash --period", "--period"),
        ("crash lossy", "lossy"),
    ] {
        let error = parse(line).expect_err(line);
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(allowed), "{line}: {error}");
    }
}

#[test]
fn every_setting_of_the_protocol_is_a_flag_and_no_other_is() {
    let help = <Line as clap::CommandFactory>::command()
        .render_long_help()
        .to_string();
    for setting in crate::settings::TABLE {
        let has_flag = help.contains(&format!("--{} <", setting.flag()));
        assert_eq!(has_flag, setting.is_protocol(), "{}", setting.name);
        assert!(
            !help.contains(&setting.variable()),
            "{} does not count",
            setting.variable()
        );
    }
}

#[test]
fn only_the_form_of_the_list_can_do_without_a_scenario() {
    assert!(!parse("").expect("it lists").asks_for_runs());
    assert!(!parse("--output json").expect("it lists").asks_for_runs());
    for line in [
        "--members 3",
        "--seeds 3",
        "--duration 3s",
        "--replay 3",
        "--config x",
        "--compare x",
        "--svg x",
        "--jobs 3",
        "--rings 3",
        "--row SWIM",
    ] {
        assert!(parse(line).expect(line).asks_for_runs(), "{line}");
    }
}

#[test]
fn the_command_of_a_replay_asks_for_the_same_run() {
    let args =
        parse("./a.toml -n 9 --duration 1m30s --config c.toml --rings 2 --seeds 40 --jobs 2");
    let args = args.expect("all are known");
    assert_eq!(
        args.replay_command(17, None, Duration::from_secs(54)),
        "muster simulate ./a.toml --members=9 --duration=90s --config=c.toml --rings=2 --replay=17"
    );
    assert_eq!(
        args.replay_command(
            17,
            Some(Path::new("it's new.toml")),
            Duration::from_secs(54)
        ),
        "muster simulate ./a.toml --members=9 --duration=90s '--config=it'\\''s new.toml' --replay=17"
    );
}
