use clap::{CommandFactory, Parser};

use super::{Cli, Command};

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn the_command_tree_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn the_socket_may_stand_before_or_after_the_command() {
    for line in [
        "muster --socket /s members",
        "muster members --socket /s",
        "muster tag list --socket /s",
        "muster tag --socket /s set a=b",
    ] {
        assert_eq!(
            parse(line).expect(line).socket.as_deref(),
            Some("/s"),
            "{line}"
        );
    }
}

#[test]
fn the_agent_takes_its_own_flags() {
    let cli = parse("muster agent --socket /s --name n1 --join 127.0.0.1:1 --join 127.0.0.1:2");
    assert!(matches!(
        cli.expect("all are flags of the agent").command,
        Command::Agent(_)
    ));
}

#[test]
fn wrong_usage_is_refused() {
    for line in [
        "muster",
        "muster join",
        "muster tag set",
        "muster tag set novalue",
        "muster tag set =v",
        "muster members --state asleep",
        "muster members --tag zone",
        "muster watch --types member-born",
        "muster watch --exec true --output json",
        "muster dev --members 0",
        "muster dev --preset moon",
        "muster completions tcl",
        "muster explain",
        "muster coordinator --timeout 5s",
        "muster coordinator --wait --timeout soon",
        "muster members --at-least -1",
        "muster remove",
        "muster recover",
        "muster recover n1",
    ] {
        let error = parse(line).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}: {error}");
    }
}

#[test]
fn every_command_explains_itself() {
    for command in Cli::command()
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
    {
        assert!(
            command.get_about().is_some(),
            "{} has no description",
            command.get_name()
        );
        for argument in command
            .get_arguments()
            .filter(|argument| !argument.is_hide_set())
        {
            let help = argument.get_help();
            assert!(
                help.is_some(),
                "{} {} has no help",
                command.get_name(),
                argument.get_id()
            );
        }
    }
}

#[test]
fn the_help_names_every_exit_status() {
    for line in ["muster --help", "muster agent --help"] {
        let help = parse(line).expect_err(line).to_string();
        let (_, statuses) = help.split_once("Exit status:").expect(line);
        for status in [" 0 ", " 1 ", " 2 ", " 3 ", "130 ", "143 "] {
            let words = statuses.replace('\n', " ");
            assert!(words.contains(status), "{line} lacks {status}: {words}");
        }
    }
}
