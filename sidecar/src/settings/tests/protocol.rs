//! The settings of the protocol alone.

use super::*;

/// Settings of the protocol from flags, an agent's file and a table of a file, lowest last.
fn protocol(arguments: &[&str], file: Option<&str>, table: &str) -> Result<Config, String> {
    let mut problems = Vec::new();
    let command = ProtocolFlags::augment_args(Command::new("x").no_binary_name(true));
    let matches = command.try_get_matches_from(arguments);
    let flags = ProtocolFlags::from_arg_matches(&matches.expect("flags that clap knows"));
    let flags = protocol_of_flags(&flags.expect("taken as they are"));
    let written = file.map(file_of);
    let path = written.as_ref().map(|file| file.path().to_owned());
    let file = path
        .as_deref()
        .map_or_else(Layer::default, |path| protocol_of_file(path, &mut problems));
    let (document, parsed) = Document::parse(Path::new("x.toml"), table, &mut problems);
    let table = from_table(&document, parsed.get_ref(), Scope::Protocol, &mut problems);
    let config = merge_protocol(&[&table, &file, &flags], &mut problems);
    let path = path
        .map(|path| path.display().to_string())
        .unwrap_or_default();
    let told = |error: SettingsError| error.to_string().replace(&path, "muster.toml");
    problem::none_of(problems).map(|()| config).map_err(told)
}

#[test]
fn the_protocol_alone_takes_its_settings_from_the_same_sources() {
    assert_eq!(protocol(&[], None, "").expect("defaults"), Config::lan());
    let config = protocol(
        &["--rings", "5", "--preset", "local"],
        Some("name = \"db-1\"\nrings = 4\nconfirmations = 4\n[tags]\nzone = \"a\"\n"),
        "rings = 2\nconfirmations = 2\nindirect_probes = 2\npreset = \"wan\"\n",
    );
    let expected = Config {
        rings: 5,
        confirmations: 4,
        indirect_probes: 2,
        ..Config::local()
    };
    assert_eq!(config.expect("all of it is allowed"), expected);
}

#[test]
fn the_protocol_alone_ignores_what_is_an_agents_in_an_agents_file_and_refuses_it_elsewhere() {
    let agents = "cluster = 3\nsocket_mode = 660\nallow_users = [\"no such\"]\njoin = [\"x\"]\n";
    assert_eq!(
        protocol(&[], Some(agents), "").expect("ignored"),
        Config::lan()
    );
    let error = protocol(
        &[],
        Some("ring = 3\nperiod = 4\n"),
        "name = \"x\"\nrings = 99\n",
    );
    let mut problems: Vec<String> = error
        .expect_err("four mistakes")
        .lines()
        .skip(1)
        .map(|line| line.trim().to_owned())
        .collect();
    problems.sort();
    let rings = Config {
        rings: 99,
        ..Config::lan()
    };
    let allowed = &rings.check()[0].allowed;
    assert_eq!(
        problems,
        [
            "muster.toml:1:1: unknown setting \"ring\", did you mean \"rings\"?",
            "muster.toml:2:10: period is 4, allowed is 100ms to 1m, written like \"500ms\" or \
             \"1m 30s\"",
            "x.toml:1:1: name is a setting of one agent; only those of the protocol can be here",
            &format!("x.toml:2:9: rings is 99, allowed is {allowed}"),
        ]
    );
}

#[test]
fn a_file_of_the_protocol_alone_that_is_not_there_is_named() {
    let mut problems = Vec::new();
    protocol_of_file(Path::new("/nowhere/x.toml"), &mut problems);
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        text,
        ["cannot read /nowhere/x.toml: No such file or directory (os error 2)"]
    );
}

#[test]
fn an_agent_has_none_of_the_presets_of_papers() {
    for preset in Preset::PAPERS {
        let word = preset.as_str();
        assert_eq!(Preset::named(word), None, "{word}");
        assert_eq!(Preset::simulated(word), Some(preset));
        assert!(load(&["--preset", word], &[]).is_err(), "{word}");
    }
}
