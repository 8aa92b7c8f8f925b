use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use clap::{Args as _, Command, FromArgMatches as _};
use muster_swim::{ConfigError, Plaintext};
use tempfile::NamedTempFile;

use super::*;

mod protocol;
mod sealing;

/// Flags as a command line gives them.
fn flags(arguments: &[&str]) -> Flags {
    let command = Flags::augment_args(Command::new("agent").no_binary_name(true));
    let matches = command
        .try_get_matches_from(arguments)
        .expect("flags that clap knows");
    Flags::from_arg_matches(&matches).expect("taken as they are")
}

fn load(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let variable = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| OsString::from(value))
    };
    Settings::load_with(flags(arguments), variable)
}

/// Settings of a file, with the file's name in messages replaced by `muster.toml`.
fn load_file(text: &str) -> Result<Settings, String> {
    let file = file_of(text);
    let path = file.path().display().to_string();
    let loaded = load(&["--config", &path], &[]);
    loaded.map_err(|error| error.to_string().replace(&path, "muster.toml"))
}

fn file_of(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("room for it");
    file
}

fn refused(problems: &[&str]) -> String {
    problems
        .iter()
        .fold("the settings are refused:".to_owned(), |all, one| {
            all + "\n  " + one
        })
}

#[test]
fn what_is_not_given_has_its_default() {
    let settings = load(&[], &[]).expect("nothing to refuse");
    assert_eq!(settings.cluster.as_str(), "muster");
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    assert_eq!(settings.name.as_str(), host);
    assert_eq!(settings.bind.to_string(), "127.0.0.1:7946");
    assert_eq!(settings.advertise, None);
    assert_eq!(settings.access.mode, 0o660);
    assert_eq!(settings.event_buffer, 65_536);
    assert_eq!(settings.log_level, LevelFilter::INFO);
    assert_eq!(settings.swim, Config::lan());
    assert!(settings.seeds.is_empty() && settings.tags.is_empty());
}

#[test]
fn a_file_gives_every_kind_of_value() {
    let text = r#"
cluster = "prod"
name = "db-1"
bind = "[::]:7000"
key_file = "/etc/muster/keys"
plaintext = "accept"
advertise = "10.0.0.5"
join = ["db2.example:7946", "[2001:db8::5]:7946"]
socket = "/run/x.sock"
socket_mode = 0o600
data_dir = "/var/lib/muster"
non_voting = false
require = "web"
voters = "auto"
expect = 3
lease = "3s"
allow_users = ["1000", "root"]
event_buffer = 1_000
log_level = "debug"
log_format = "json"
preset = "wan"
period = "1m"
rings = 4

[tags]
zone = "eu-1"
note = "a=b, c"
"#;
    let settings = load_file(text).expect("all of it is allowed");
    assert_eq!(settings.key_file, Some("/etc/muster/keys".into()));
    assert_eq!(settings.plaintext, Some(Plaintext::Accept));
    assert_eq!(settings.cluster.as_str(), "prod");
    assert_eq!(settings.bind.to_string(), "[::]:7000");
    let ip = "10.0.0.5".parse().expect("an IP");
    assert_eq!(settings.advertise, Some(Advertise { ip, port: None }));
    assert_eq!(settings.seeds, ["db2.example:7946", "[2001:db8::5]:7946"]);
    assert_eq!(settings.socket.as_deref(), Some(Path::new("/run/x.sock")));
    assert_eq!(settings.access.mode, 0o600);
    assert_eq!(settings.access.allow_users, ["1000", "root"]);
    assert_eq!(settings.event_buffer, 1000);
    assert_eq!(settings.log_level, LevelFilter::DEBUG);
    assert_eq!(settings.log_format, LogFormat::Json);
    assert_eq!(
        settings.data_dir.as_deref(),
        Some(Path::new("/var/lib/muster"))
    );
    assert!(!settings.non_voting);
    assert_eq!(settings.require.as_deref(), Some("web"));
    let expected = Config {
        period: Duration::from_secs(60),
        rings: 4,
        expect: 3,
        lease: Duration::from_secs(3),
        ..Config::wan()
    };
    assert_eq!(settings.swim, expected);
    let tags: Vec<_> = settings.tags.iter().collect();
    assert_eq!(tags, [("note", "a=b, c"), ("zone", "eu-1")]);
}

#[test]
fn a_flag_goes_before_a_variable_before_the_file_before_the_preset() {
    let file = file_of("preset = \"local\"\nperiod = \"2s\"\nrings = 2\nconfirmations = 2\n");
    let path = file.path().display().to_string();
    let variables = [
        ("MUSTER_RINGS", "5"),
        ("MUSTER_CONFIRMATIONS", "5"),
        ("MUSTER_CONFIG", &path),
    ];
    let settings = load(&["--confirmations", "7"], &variables).expect("all of it is allowed");
    let expected = Config {
        period: Duration::from_secs(2),
        rings: 5,
        confirmations: 7,
        ..Config::local()
    };
    assert_eq!(settings.swim, expected);
    let settings = load(&["--preset", "wan"], &variables).expect("all of it is allowed");
    assert_eq!(settings.swim.suspicion, Config::wan().suspicion);
}

#[test]
fn a_switch_needs_no_value_and_can_be_turned_off_again() {
    let variables = [("MUSTER_NON_VOTING", "true"), ("MUSTER_VOTERS", "5")];
    let settings = load(&["--non-voting"], &[]).expect("allowed");
    assert!(settings.non_voting);
    let settings = load(&[], &variables).expect("allowed");
    assert_eq!((settings.non_voting, settings.swim.voters), (true, 5));
    let settings = load(&["--non-voting=false", "--voters", "auto"], &variables);
    let settings = settings.expect("allowed");
    assert_eq!((settings.non_voting, settings.swim.voters), (false, 0));
    let error = load(&["--data-dir", "/d"], &variables).expect_err("a contradiction");
    assert!(error.to_string().contains("MUSTER_NON_VOTING: "), "{error}");
}

#[test]
fn who_never_votes_and_joins_nobody_is_warned() {
    let doubts = |flags: &[&str]| load(flags, &[]).expect("allowed").doubts();
    let joins = ["--join", "a:1"];
    assert!(doubts(&[]).is_empty() && doubts(&["--expect", "3"]).is_empty());
    assert!(doubts(&["--non-voting", joins[0], joins[1]]).is_empty());
    let alone = doubts(&["--non-voting"]);
    assert!(alone.len() == 1 && alone[0].starts_with("non_voting without join"));
    let expects = doubts(&["--non-voting", joins[0], joins[1], "--expect", "3"]);
    assert!(expects.len() == 1 && expects[0].starts_with("non_voting with expect"));
}

#[test]
fn lists_replace_each_other_and_tags_are_settings_each() {
    let file = file_of("join = [\"a:1\", \"b:1\"]\n[tags]\nzone = \"x\"\nrole = \"db\"\n");
    let path = file.path().display().to_string();
    let variables = [
        ("MUSTER_JOIN", "c:1, d:1,"),
        ("MUSTER_TAGS", "zone=y, rack=1"),
    ];
    let settings = load(&["--config", &path], &variables).expect("all of it is allowed");
    assert_eq!(settings.seeds, ["c:1", "d:1"]);
    let tags: Vec<_> = settings.tags.iter().collect();
    assert_eq!(tags, [("rack", "1"), ("role", "db"), ("zone", "y")]);
    let more = [
        "--config", &path, "--join", "e:1", "--join", "f:1,g:1", "--tag", "zone=a,b",
    ];
    let settings = load(&more, &variables).expect("all of it is allowed");
    assert_eq!(settings.seeds, ["e:1", "f:1", "g:1"]);
    assert_eq!(
        settings.tags.value("zone"),
        Some("a,b"),
        "a flag's value may have commas"
    );
}

#[test]
fn an_empty_variable_is_not_set() {
    let settings = load(&[], &[("MUSTER_CLUSTER", ""), ("MUSTER_CONFIG", "")]);
    assert_eq!(
        settings.expect("nothing to refuse").cluster.as_str(),
        "muster"
    );
}

#[test]
fn bad_files_are_refused_with_line_column_field_and_range() {
    for (text, problem) in [
        ("rings = 99", "1:9: rings is 99, allowed is 1 to 8"),
        ("\n  rings = -1", "2:11: rings is -1, allowed is 1 to 8"),
        (
            "rings = 5000000000",
            "1:9: rings is 5000000000, allowed is 1 to 8",
        ),
        ("rings = \"3\"", "1:9: rings is \"3\", allowed is 1 to 8"),
        (
            "indirect_probes = 17",
            "1:19: indirect_probes is 17, allowed is 0 to 16",
        ),
        (
            "period = \"20ms\"",
            "1:10: period is \"20ms\", allowed is 100ms to 1m",
        ),
        (
            "period = 4",
            "1:10: period is 4, allowed is 100ms to 1m, written like \"500ms\" or \"1m 30s\"",
        ),
        (
            "period = \"4 parsecs\"",
            "1:10: period is \"4 parsecs\", allowed is 100ms to 1m, written like \"500ms\" or \
             \"1m 30s\"",
        ),
        (
            "forget_after = \"2years\"",
            "1:16: forget_after is \"2years\", allowed is 1m to 366days",
        ),
        (
            "probe_timeout_max = \"10ms\"",
            "1:21: probe_timeout_max is \"10ms\", allowed is 50ms to 30s",
        ),
        (
            "event_buffer = 1",
            "1:16: event_buffer is 1, allowed is 16 to 1048576",
        ),
        (
            "log_level = \"loud\"",
            "1:13: log_level is \"loud\", allowed is error, warn, info, debug, trace or off",
        ),
        (
            "log_level = \"3\"",
            "1:13: log_level is \"3\", allowed is error, warn, info, debug, trace or off",
        ),
        (
            "log_format = \"xml\"",
            "1:14: log_format is \"xml\", allowed is text or json",
        ),
        (
            "preset = \"moon\"",
            "1:10: preset is \"moon\", allowed is lan, wan or local; to be simulated also swim, \
             lha-probe, lha-suspicion, buddy-system, lifeguard or lifeguard-tuned, as their papers \
             have it",
        ),
        (
            "voters = 2",
            "1:10: voters is 2, allowed is auto, 1, 3, 5 or 7",
        ),
        (
            "voters = \"0\"",
            "1:10: voters is \"0\", allowed is auto, 1, 3, 5 or 7",
        ),
        (
            "expect = 1001",
            "1:10: expect is 1001, allowed is 1 to 1000",
        ),
        (
            "non_voting = \"yes\"",
            "1:14: non_voting is \"yes\", allowed is true or false, and true only without data_dir",
        ),
        (
            "data_dir = \"\"",
            "1:12: data_dir is \"\", allowed is a path; what is not there is made",
        ),
        (
            "data_dir = \"/d\"\nnon_voting = true",
            "2:14: non_voting and data_dir contradict each other: a member that never votes \
             remembers nothing; leave out one of the two",
        ),
        (
            "socket_mode = 660",
            "1:15: socket_mode is 660, allowed is 0 to 0777 in octal, in the file as \"0660\" or \
             0o660",
        ),
        (
            "http = \"127.0.0.1\"",
            "1:8: http is \"127.0.0.1\", allowed is an IP address with a port, such as \
             127.0.0.1:7980; port 0 takes a free one",
        ),
        (
            "http_hosts = [\"muster.example:80\"]",
            "1:15: http_hosts is \"muster.example:80\", allowed is a list of host names without a \
             port, at most 64 of them",
        ),
        (
            "read_groups = [\"no such\"]",
            "1:16: read_groups is \"no such\", allowed is a list of groups by number or by their \
             names in /etc/group",
        ),
        (
            "advertise = \"0.0.0.0\"",
            "1:13: advertise is \"0.0.0.0\", allowed is an IP address that is not 0.0.0.0 or [::], \
             with a port (not 0) or without",
        ),
        (
            "join = [\"a:1\",\n  \"b\"]",
            "2:3: join is \"b\", allowed is a list of host:port, such as db1.example:7946 or \
             [2001:db8::5]:7946, at most 64 of them",
        ),
        (
            "join = \"a:1\"",
            "1:8: join is \"a:1\", allowed is a list of host:port, such as db1.example:7946 or \
             [2001:db8::5]:7946, at most 64 of them",
        ),
        (
            "[tags]\nzone = 3",
            "2:8: tags.zone is 3, allowed is key=value without control characters, at most 64 tags \
             and 1024 bytes together",
        ),
        (
            "ring = 3",
            "1:1: unknown setting \"ring\", did you mean \"rings\"?",
        ),
        (
            "Probe-Timeout-Min = \"1s\"",
            "1:1: unknown setting \"Probe-Timeout-Min\", did you mean \
          \"probe_timeout_min\"?",
        ),
        ("[swim]\nrings = 3", "1:2: unknown setting \"swim\""),
        (
            "name = \" x\"",
            "1:8: name is \" x\", allowed is 1 to 128 bytes of printable characters \
          without space at the ends",
        ),
    ] {
        let error = load_file(text).expect_err(text);
        let expected = refused(&[&format!("muster.toml:{problem}")]);
        assert_eq!(error, expected, "{text:?}");
    }
}

#[test]
fn what_is_no_toml_is_told_with_its_place_beside_the_rest() {
    let text = "name = \"\nä = 1\nrings = 9\n";
    let error = load_file(text).expect_err("three mistakes");
    let places: Vec<&str> = error
        .lines()
        .skip(1)
        .filter_map(|line| line.split(' ').nth(2))
        .collect();
    assert_eq!(
        places,
        ["muster.toml:1:9:", "muster.toml:2:1:", "muster.toml:3:9:"],
        "{error}"
    );
}

#[test]
fn what_does_not_parse_is_not_judged_as_a_value_too() {
    for text in [
        "[tags]\njunk\n",
        "[tags]\njunk =\n",
        "[tags]\njunk = = 1\n",
        "[tags]\njunk = ]\n",
        "[tags]\njunk = , \"x\"\n",
        "name = \"x\"\nrings = }\n",
        "name = \"x\"\nperiod = ]\n",
        "name = \"x\"\njoin = = 1\n",
    ] {
        let error = load_file(text).expect_err(text);
        assert!(!error.contains("allowed is"), "{text:?}: {error}");
        for problem in error.lines().skip(1) {
            assert!(problem.starts_with("  muster.toml:2:"), "{text:?}: {error}");
        }
    }
}

#[test]
fn all_problems_are_told_at_once_in_the_order_of_the_lines() {
    let text = "rings = \"x\"\nnope = 1\nlog_format = \"xml\"\nperiod = \"1us\"\nperiods = 1\n";
    assert_eq!(
        load_file(text).expect_err("five mistakes"),
        refused(&[
            "muster.toml:1:9: rings is \"x\", allowed is 1 to 8",
            "muster.toml:2:1: unknown setting \"nope\"",
            "muster.toml:3:14: log_format is \"xml\", allowed is text or json",
            "muster.toml:4:10: period is \"1us\", allowed is 100ms to 1m",
            "muster.toml:5:1: unknown setting \"periods\", did you mean \"period\"?",
        ])
    );
}

#[test]
fn users_and_groups_that_do_not_exist_are_told_beside_the_rest() {
    let text =
        "rings = 9\nallow_users = [\"root\", \"no such\", \"\"]\nsocket_group = \"nor this\"\n";
    let users = "allowed is a list of users by number or by their names in /etc/passwd";
    assert_eq!(
        load_file(text).expect_err("four mistakes"),
        refused(&[
            "muster.toml:1:9: rings is 9, allowed is 1 to 8",
            &format!("muster.toml:2:24: allow_users is \"no such\", {users}"),
            &format!("muster.toml:2:35: allow_users is \"\", {users}"),
            "muster.toml:3:16: socket_group is \"nor this\", allowed is a group by number or by \
             its name in /etc/group",
        ])
    );
    let arguments = ["--allow-groups", "root,4242,no such"];
    let error = load(&arguments, &[("MUSTER_ALLOW_USERS", "gone away")]).expect_err("two");
    let mut problems: Vec<String> = error.0.iter().map(ToString::to_string).collect();
    problems.sort();
    assert_eq!(
        problems,
        [
            "--allow-groups: allow_groups is \"no such\", allowed is a list of groups by number \
             or by their names in /etc/group",
            &format!("MUSTER_ALLOW_USERS: allow_users is \"gone away\", {users}"),
        ]
    );
}

#[test]
fn flags_and_variables_are_named_in_their_problems() {
    let variables = [("MUSTER_PERIOD", "soon"), ("MUSTER_TAGS", "zone=a,oops")];
    let error = load(&["--rings", "9", "--join", "x"], &variables).expect_err("four mistakes");
    let mut problems: Vec<String> = error.0.iter().map(ToString::to_string).collect();
    problems.sort();
    assert_eq!(
        problems,
        [
            "--join: join is \"x\", allowed is a list of host:port, such as db1.example:7946 or \
             [2001:db8::5]:7946, at most 64 of them",
            "--rings: rings is \"9\", allowed is 1 to 8",
            "MUSTER_PERIOD: period is \"soon\", allowed is 100ms to 1m, written like \"500ms\" or \
             \"1m 30s\"",
            "MUSTER_TAGS: tags is \"oops\", allowed is key=value without control characters, at \
             most 64 tags and 1024 bytes together",
        ]
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = load(&["--config", "/nowhere/muster.toml"], &[]).expect_err("no such file");
    let text = error.to_string();
    assert!(
        text.contains("cannot read the settings in /nowhere/muster.toml: No such file"),
        "{text}"
    );
}

#[test]
fn a_range_that_the_preset_breaks_names_the_preset() {
    let error = load(&["--probe-timeout-min", "5s"], &[]).expect_err("above the longest wait");
    assert_eq!(
        error.to_string(),
        refused(&["preset lan: probe_timeout_max is 500ms, allowed is 5s to 30s"])
    );
}

#[test]
fn every_setting_of_the_core_is_in_the_table_once() {
    let mut broken = Config::lan();
    let names: Vec<_> = TABLE.iter().map(|setting| setting.name).collect();
    assert_eq!(
        names.iter().collect::<BTreeSet<_>>().len(),
        names.len(),
        "no name twice"
    );
    // Exhaustive: a field added to the core stops this from compiling until it is listed here.
    let Config {
        period,
        rings,
        probe_timeout_min,
        probe_timeout_max,
        indirect_probes,
        suspicion,
        suspicion_max_factor,
        confirmations,
        gossip_interval,
        gossip_fanout,
        gossip_multiplier,
        reconnect_interval,
        leave_timeout,
        forget_after,
        expect,
        voters,
        lease,
        stall_timeout,
        readmission,
        // No setting of an agent: the simulator takes parts away.
        parts: _,
    } = &mut broken;
    for duration in [
        period,
        probe_timeout_min,
        probe_timeout_max,
        suspicion,
        gossip_interval,
        reconnect_interval,
        leave_timeout,
        forget_after,
        lease,
        stall_timeout,
        readmission,
    ] {
        *duration = Duration::MAX;
    }
    for count in [suspicion_max_factor, confirmations, gossip_multiplier] {
        *count = u32::MAX;
    }
    for count in [rings, indirect_probes, gossip_fanout, expect, voters] {
        *count = usize::MAX;
    }
    let errors = broken.check();
    assert_eq!(errors.len(), 19);
    for ConfigError { setting, .. } in errors {
        let row = table::find(setting).unwrap_or_else(|| panic!("{setting} is not in the table"));
        assert!(
            row.allowed().contains(" to ") || setting == "voters",
            "{setting} has no range"
        );
        assert_eq!(row.flag(), setting.replace('_', "-"));
        assert_eq!(row.variable(), format!("MUSTER_{}", setting.to_uppercase()));
    }
}

#[test]
fn a_reload_takes_level_and_tags_and_names_what_must_wait() {
    let file = file_of("log_level = \"info\"\nrings = 3\n[tags]\nzone = \"a\"\nold = \"1\"\n");
    let path = file.path().display().to_string();
    let before = load(&["--config", &path, "--tag", "fixed=1"], &[]).expect("allowed");
    let text = "log_level = \"debug\"\nrings = 4\n[tags]\nzone = \"b\"\nfixed = \"2\"\n";
    std::fs::write(file.path(), text).expect("written");
    let after = before.reload().expect("allowed");
    assert_eq!(after.log_level, LevelFilter::DEBUG);
    assert_eq!(before.waiting_for_restart(&after), ["rings"]);
    let published = before.tags.with("runtime", "x").expect("allowed");
    let tags = after.changed_tags(&before, &published).expect("allowed");
    let tags: Vec<_> = tags.iter().collect();
    assert_eq!(tags, [("fixed", "1"), ("runtime", "x"), ("zone", "b")]);

    std::fs::write(file.path(), "log_level = \"trace\"\nrings = 0\n").expect("written");
    let error = after
        .reload()
        .expect_err("a mistake")
        .to_string()
        .replace(&path, "muster.toml");
    assert_eq!(
        error,
        refused(&["muster.toml:2:9: rings is 0, allowed is 1 to 8"])
    );
}

#[test]
fn the_usual_places_end_with_the_users_own() {
    let candidates = socket_candidates();
    let own = format!(
        "/tmp/muster-{}/muster.sock",
        rustix::process::geteuid().as_raw()
    );
    assert_eq!(
        candidates.last().map(|path| path.display().to_string()),
        Some(own)
    );
    assert!(
        candidates.contains(&default_socket()),
        "clients look where the agent listens"
    );
}
