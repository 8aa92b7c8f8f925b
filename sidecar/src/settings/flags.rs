//! The settings as flags of a command.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::table::{Form, Setting, TABLE};

/// The texts given for each setting.
pub(super) type Values = BTreeMap<&'static str, Vec<String>>;

/// What was given on the command line. Made by clap: `#[command(flatten)]` takes it.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    pub(super) values: Values,
    pub(super) config: Option<PathBuf>,
    pub(super) parent: Option<Parent>,
}

/// The process with which the agent ends, also when that one is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Its id; when not given, whichever is the parent at the start.
    pub pid: Option<u32>,
}

impl Flags {
    /// Nothing but a file.
    pub(crate) fn of_file(config: PathBuf) -> Flags {
        Flags {
            config: Some(config),
            ..Flags::default()
        }
    }
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let command = command
            .arg(
                Arg::new("config")
                    .long("config")
                    .value_name("PATH")
                    .value_parser(clap::value_parser!(PathBuf))
                    .help(
                        "TOML file of settings, with the names of the flags [env: MUSTER_CONFIG]",
                    ),
            )
            .arg(
                Arg::new("exit_with_parent")
                    .long("exit-with-parent")
                    .value_name("PID")
                    .num_args(0..=1)
                    .require_equals(true)
                    .default_missing_value("0")
                    .value_parser(clap::value_parser!(u32))
                    .hide(true),
            );
        TABLE.iter().fold(command, |command, setting| {
            command.arg(argument(setting).help(setting.help()))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Flags::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Flags, clap::Error> {
        let mut flags = Flags::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        update(&mut self.values, TABLE.iter(), matches);
        if let Some(path) = matches.get_one::<PathBuf>("config") {
            self.config = Some(path.clone());
        }
        if let Some(&pid) = matches.get_one::<u32>("exit_with_parent") {
            self.parent = Some(Parent {
                pid: (pid != 0).then_some(pid),
            });
        }
        Ok(())
    }
}

/// The settings of the protocol as flags of a command that runs it without an agent.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProtocolFlags {
    pub(super) values: Values,
}

impl ProtocolFlags {
    /// Whether none was given.
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// What was given, as one gives it.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let given = protocol().flat_map(|setting| {
            let values = self.values.get(setting.name).into_iter().flatten();
            values.map(|value| format!("--{}={value}", setting.flag()))
        });
        given.collect()
    }
}

impl Args for ProtocolFlags {
    fn augment_args(command: Command) -> Command {
        protocol().fold(command, |command, setting| {
            let argument = argument(setting).help(setting.help_without_variable());
            command.arg(argument.help_heading("Settings of the protocol"))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        ProtocolFlags::augment_args(command)
    }
}

impl FromArgMatches for ProtocolFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<ProtocolFlags, clap::Error> {
        let mut flags = ProtocolFlags::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        update(&mut self.values, protocol(), matches);
        Ok(())
    }
}

fn protocol() -> impl Iterator<Item = &'static Setting> {
    TABLE.iter().filter(|setting| setting.is_protocol())
}

fn argument(setting: &Setting) -> Arg {
    let action = match setting.form {
        Form::List(_) | Form::Tags => ArgAction::Append,
        Form::Text | Form::Mode | Form::Count | Form::Duration | Form::Choice | Form::Switch => {
            ArgAction::Set
        }
    };
    let argument = Arg::new(setting.name)
        .long(setting.flag())
        .value_name(setting.value_name)
        .action(action)
        .help_heading(setting.heading())
        .hide_possible_values(true);
    if matches!(setting.form, Form::Switch) {
        let switch = argument.num_args(0..=1).require_equals(true);
        return switch.default_missing_value("true");
    }
    argument
}

fn update<'a>(
    values: &mut Values,
    settings: impl Iterator<Item = &'a Setting>,
    matches: &ArgMatches,
) {
    for setting in settings {
        if let Some(given) = matches.get_many::<String>(setting.name) {
            values.insert(setting.name, given.cloned().collect());
        }
    }
}
