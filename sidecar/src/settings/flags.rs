//! The settings as flags of a command.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::table::{Form, TABLE};

/// What was given on the command line. Made by clap: `#[command(flatten)]` takes it.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    pub(super) values: BTreeMap<&'static str, Vec<String>>,
    pub(super) config: Option<PathBuf>,
    pub(super) parent: Option<Parent>,
}

/// The process with which the agent ends, also when that one is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Its id; when not given, whichever is the parent at the start.
    pub pid: Option<u32>,
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
            let action = match setting.form {
                Form::List(_) | Form::Tags => ArgAction::Append,
                Form::Text | Form::Mode | Form::Count | Form::Duration => ArgAction::Set,
            };
            let argument = Arg::new(setting.name)
                .long(setting.flag())
                .value_name(setting.value_name)
                .action(action)
                .help(setting.help())
                .help_heading(setting.heading())
                .hide_possible_values(true);
            command.arg(argument)
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
        for setting in TABLE {
            if let Some(values) = matches.get_many::<String>(setting.name) {
                self.values.insert(setting.name, values.cloned().collect());
            }
        }
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
