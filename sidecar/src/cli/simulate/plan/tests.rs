use std::io::Write as _;
use std::time::Duration;

use clap::Parser;
use muster_swim::Config;
use muster_swim::sim::scenario::Fault;
use tempfile::NamedTempFile;

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: SimulateArgs,
}

fn args(words: &[&str]) -> SimulateArgs {
    let words = ["simulate"].iter().chain(words);
    Line::try_parse_from(words).expect("all are known").args
}

fn plan(words: &[&str]) -> Result<Plan, String> {
    let args = args(words);
    let word = args.scenario.clone().expect("one is given");
    Plan::new(&word, &args).map_err(|error| error.to_string())
}

fn file_of(text: &str) -> NamedTempFile {
    let mut file = tempfile::Builder::new()
        .suffix(".toml")
        .tempfile()
        .expect("a temporary file");
    file.write_all(text.as_bytes()).expect("room for it");
    file
}

/// Of a scenario file, more words, with the file's name in messages replaced by `x.toml`.
fn plan_of(text: &str, more: &[&str]) -> Result<Plan, String> {
    let file = file_of(text);
    let path = file.path().display().to_string();
    let words: Vec<&str> = [&[path.as_str()], more].concat();
    plan(&words).map_err(|error| error.replace(&path, "x.toml"))
}

fn refused(problems: &[&str]) -> String {
    let listed = problems.iter().map(|problem| format!("\n  {problem}"));
    format!("this cannot be simulated:{}", listed.collect::<String>())
}

#[test]
fn the_protocols_of_the_papers_are_presets_of_simulations() {
    let plan = plan(&["crash", "--preset", "lifeguard", "--rings", "1"]).expect("it is fine");
    let mut lifeguard = Config::lifeguard();
    lifeguard.rings = 1;
    assert_eq!(plan.scenario.config, lifeguard);
    let file = file_of("preset = 'swim'");
    let path = file.path().display().to_string();
    let plan = super::tests::plan(&["crash", "--compare", &path]).expect("it is fine");
    let (_, compared) = plan.compared.expect("it was asked for");
    assert_eq!(compared.config, Config::swim());
}

#[test]
fn a_built_in_is_for_any_members_and_settings() {
    let plan = plan(&["crash", "-n", "9", "--duration", "2m", "--rings", "2"]).expect("it is fine");
    assert_eq!(plan.scenario.name, "crash");
    assert_eq!(plan.scenario.members, 9);
    assert_eq!(plan.scenario.duration, Duration::from_secs(120));
    assert_eq!(plan.scenario.config.rings, 2);
    assert_eq!(plan.scenario.steps[0].what, Fault::Crash);
    assert_eq!(plan.name, "flags");
    assert!(plan.compared.is_none());
}

#[test]
fn flags_count_before_the_config_before_the_scenario_before_its_preset() {
    let config = file_of(
        "name = \"db-1\"\njoin = [\"x\"]\nallow_users = [\"no such\"]\nrings = 5\nconfirmations = 5\n\
         [tags]\nzone = 3\n",
    );
    let path = config.path().display().to_string();
    let text = "[settings]\npreset = \"wan\"\nrings = 4\nconfirmations = 4\nindirect_probes = 4\n";
    let plan = plan_of(text, &["--config", &path, "--rings", "6"]).expect("it is fine");
    let expected = Config {
        rings: 6,
        confirmations: 5,
        indirect_probes: 4,
        ..Config::wan()
    };
    assert_eq!(plan.scenario.config, expected);
}

#[test]
fn a_file_says_more_than_the_built_in_it_extends() {
    let text = "extends = \"crash\"\nabout = \"worse\"\nmembers = 12\n[network]\nloss = 0.1\n\
                [[step]]\nat = \"20s\"\nwhom = [\"n5\"]\nwhat = \"pause\"\n";
    let plan = plan_of(text, &[]).expect("it is fine");
    let base = BuiltIn::named("crash").expect("there is one");
    let network = Faults {
        loss: 0.1,
        ..Faults::default()
    };
    let base = base.scenario(12, &Config::lan(), &network);
    assert_eq!(plan.scenario.duration, base.duration);
    assert_eq!(plan.scenario.network, network);
    assert_eq!(plan.scenario.about, "worse");
    assert_eq!(plan.scenario.steps[..1], base.steps[..]);
    assert_eq!(plan.scenario.steps.len(), 2);
}

#[test]
fn a_column_is_called_after_what_gives_its_settings() {
    let config = file_of("rings = 2\n");
    let path = config.path().display().to_string();
    let name = |words: &[&str]| {
        plan(&[&["quiet"], words].concat())
            .expect("it is fine")
            .name
    };
    assert_eq!(name(&[]), "default");
    assert_eq!(name(&["--rings", "2"]), "flags");
    assert!(path.ends_with(&name(&["--config", &path])));
    assert!(name(&["--config", &path, "--rings", "2"]).ends_with(".toml, flags"));
    let own = plan_of("[settings]\nrings = 2\n", &[]).expect("it is fine");
    assert_eq!(own.name, own.scenario.name);
}

#[test]
fn two_columns_do_the_same_work() {
    let patient = file_of("preset = \"wan\"\n");
    let path = patient.path().display().to_string();
    let both = plan(&["crash", "--preset", "local", "--compare", &path]).expect("it is fine");
    let (name, other) = both.compared.expect("it was asked for");
    assert!(path.ends_with(&name));
    assert_eq!(both.scenario.config, Config::local());
    assert_eq!(
        other.config,
        Config::wan(),
        "flags are of the first column alone"
    );
    let alone = plan(&["crash", "--preset", "wan"]).expect("it is fine");
    assert_eq!(other.duration, alone.scenario.duration);
    let same = Scenario {
        config: Config::local(),
        ..other
    };
    assert_eq!(same, both.scenario);
}

#[test]
fn everything_that_is_wrong_is_told_at_once_each_where_it_stands() {
    let text = "extends = \"crash\"\nmembers = 10\nduration = \"30s\"\nagree_within = \"10ms\"\n\
                [network]\nloss = \"120%\"\n\
                [[step]]\nat = \"40s\"\nwhom = [\"n1\", \"n10\"]\nwhat = \"crash\"\n\
                [[step]]\nat = \"4s\"\nwhom = 10\nwhat = \"pause\"\nlasts = \"2s\"\nevery = \"1s\"\n\
                [[step]]\nat = \"5s\"\nwhat = \"network\"\nnetwork = { latency = \"3s to 2s\" }\n";
    let config = file_of("rings = 99\nnope = 1\n");
    let path = config.path().display().to_string();
    let error = plan_of(text, &["--config", &path, "--suspicion", "soon"]).expect_err("many");
    let (first, mut rest): (Vec<&str>, Vec<&str>) = error
        .lines()
        .skip(1)
        .map(str::trim)
        .partition(|line| line.starts_with("x.toml"));
    assert_eq!(
        first,
        [
            "x.toml:4:16: agree_within is \"10ms\", allowed is 1s to 366days",
            "x.toml:6:8: network.loss is \"120%\", allowed is 0 to 1",
            "x.toml:8:6: at is \"40s\", allowed is before the end at 30s",
            "x.toml:9:15: whom[1] is \"n10\", there is no such member, allowed is n0 to n9",
            "x.toml:13:8: whom is 10, allowed is 1 to 9 (n0 is never drawn)",
            "x.toml:16:9: every is \"1s\", allowed is 2s or longer, for it lasts so long",
            "x.toml:20:23: network.latency.max is 2s, allowed is 3s to 1m",
        ]
    );
    rest.retain(|line| !line.starts_with("--suspicion: suspicion is \"soon\", allowed is "));
    assert_eq!(rest.len(), 2, "{rest:?}");
    assert!(
        rest[0].contains(":1:9: rings is 99, allowed is "),
        "{rest:?}"
    );
    assert!(
        rest[1].contains(":2:1: unknown setting \"nope\""),
        "{rest:?}"
    );
}

#[test]
fn who_is_not_there_yet_is_told_with_the_line() {
    let text = "\
members = 10

[[step]]
at = \"20s\"
whom = 5
what = \"join\"

[[step]]
at = \"5s\"
whom = [\"n3\", \"n10\"]
what = \"crash\"

[[step]]
at = \"30s\"
whom = 1
what = \"cut\"
others = [\"n14\", \"n15\"]

[[step]]
at = \"5s\"
whom = \"all\"
what = \"clock-rate\"
rate = \"+2%\"

[[step]]
at = \"5s\"
whom = \"all\"
what = \"clock-jump\"
by = \"-1us\"
";
    assert_eq!(
        plan_of(text, &[]).map(|_| ()),
        Err(refused(&[
            "x.toml:10:15: whom[1] is \"n10\", which joins at 20s; allowed at 5s is n0 to n9",
            "x.toml:17:18: others[1] is \"n15\", there is no such member, allowed is n0 to n14",
            "x.toml:23:8: rate is \"+2%\", allowed is \"-1%\" to \"+1%\", but not 0",
            "x.toml:29:6: by is \"-1us\", allowed is 1ms to 366days",
        ]))
    );
}

#[test]
fn a_value_that_was_refused_is_not_judged_again() {
    let text = "duration = \"long\"\n[[step]]\nat = \"soon\"\nwhom = \"some\"\nwhat = \"partition\"\n\
                lasts = \"x\"\nevery = \"1s\"\nincoming = 0.5\n";
    let error = plan_of(text, &[]).expect_err("five mistakes");
    let places: Vec<&str> = error
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(
        places,
        [
            "x.toml:1:12:",
            "x.toml:3:6:",
            "x.toml:4:8:",
            "x.toml:6:9:",
            "x.toml:8:12:"
        ],
        "{error}"
    );
}

#[test]
fn a_flag_that_does_not_fit_is_named() {
    let error = plan(&["crash", "--members", "1"]).expect_err("nobody to kill");
    assert_eq!(
        error,
        refused(&["--members: members is 1, crash is for at least 2"])
    );
    let error = plan(&["quiet", "--members", "70000"]).expect_err("more than there can be");
    assert_eq!(
        error,
        refused(&["--members: members is 70000, allowed is 1 to 65536"])
    );
    let error = plan(&["crash", "--duration", "3s"]).expect_err("over before anything happens");
    assert!(
        error.contains("scenario crash: at of step 1 is 5s, allowed is before the end at 3s"),
        "{error}"
    );
    let error = plan_of(
        "members = 5\n[[step]]\nat=\"1s\"\nwhom=5\nwhat=\"crash\"\n",
        &["-n", "3"],
    );
    assert_eq!(
        error.expect_err("more drawn than there are"),
        refused(&["x.toml:4:6: whom is 5, allowed is 1 to 2 (n0 is never drawn)"])
    );
}

#[test]
fn what_is_no_scenario_is_told_with_the_nearest_one() {
    let error = plan(&["mass_crash"]).expect_err("there is no such");
    assert_eq!(
        error,
        "there is no scenario \"mass_crash\", did you mean \"mass-crash\"?; `muster simulate` \
         lists them, and a file is a path with a / or that ends in .toml"
    );
    let error = plan(&["nowhere.toml"]).expect_err("there is no such");
    assert!(
        error.contains("cannot read nowhere.toml: No such file"),
        "{error}"
    );
    let error = plan(&["quiet", "--compare", "nowhere/x"]).expect_err("there is no such");
    assert!(
        error.contains("cannot read nowhere/x: No such file"),
        "{error}"
    );
}

#[test]
fn fields_contain_each_other() {
    let fields: Vec<&str> = enclosing("steps[2].network.burst.loss").collect();
    assert_eq!(
        fields,
        [
            "steps[2].network.burst.loss",
            "steps[2].network.burst",
            "steps[2].network",
            "steps[2]",
            "steps"
        ]
    );
    assert_eq!(step_of("steps[12].whom[3]"), Some((12, ".whom[3]")));
    assert_eq!(step_of("members"), None);
}

#[test]
fn more_members_than_memory_allows_are_refused_with_the_nearest_number() {
    let fitting = |threads, largest| Fitting { threads, largest };
    assert_eq!(
        too_many(50_000, fitting(0, 11_200), Some(16 << 30)).as_deref(),
        Some("members is 50000, at most 11200 fit into the memory that is free (16.0 GiB)")
    );
    assert_eq!(too_many(5000, fitting(1, 11_200), Some(16 << 30)), None);
}
