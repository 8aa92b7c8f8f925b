//! Settings of the agent: flags, `MUSTER_*` variables and one TOML file, merged and checked.
//!
//! One table ([`TABLE`]) names every setting with its text, its range and how it is taken; flags,
//! variables, file and help are made from it.

mod document;
mod file;
mod flags;
mod layer;
mod problem;
mod protocol;
mod socket;
mod table;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use muster_swim::{Config, Name, Plaintext, TagError, Tags};
use tracing::level_filters::LevelFilter;

use crate::api::Access;

pub use flags::{Flags, Parent};
pub use problem::{Place, Problem, SettingsError};
pub use socket::{default_socket, prepare_directory, socket_candidates};
pub(crate) use table::of_protocol;
pub use table::{Setting, TABLE};

pub(crate) use document::{Document, read_text};
pub(crate) use file::{Scope, from_table};
pub(crate) use flags::ProtocolFlags;
pub(crate) use layer::Layer;
pub(crate) use protocol::{merge_protocol, protocol_of_file, protocol_of_flags};
pub(crate) use values::{human, is_secret, key_grace, nearest, tidy_range};

use layer::Given;

/// The port of UDP and TCP when none is given.
pub const DEFAULT_PORT: u16 = 7946;

/// Everything the agent needs to know before it starts, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The cluster; traffic of another one is refused.
    pub cluster: Name,
    /// Unique in the cluster; the host name when not given.
    pub name: Name,
    /// Where UDP and TCP listen; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Where others reach this member, when that is not what `bind` says.
    pub advertise: Option<Advertise>,
    /// Members to join through, each `host:port`.
    pub seeds: Vec<String>,
    /// Where the keys of the cluster stand; `None`: nothing is sealed.
    pub key_file: Option<PathBuf>,
    /// How long a removed key still opens.
    pub key_grace: Duration,
    /// What is done about traffic that is not sealed; `None`: nothing was said.
    pub plaintext: Option<Plaintext>,
    /// What this member publishes from the start.
    pub tags: Tags,
    /// Where this member remembers how it voted; `None`: nowhere.
    pub data_dir: Option<PathBuf>,
    /// Whether it never votes; then there is no `data_dir`.
    pub non_voting: bool,
    /// The app without which this member does not take part.
    pub require: Option<String>,
    /// The local socket; `None`: the usual place of [`default_socket`].
    pub socket: Option<PathBuf>,
    /// Who may use the local socket.
    pub access: Access,
    /// The TCP address for reading; `None`: there is none.
    pub http: Option<SocketAddr>,
    /// Names by which that may be asked, in lower case.
    pub http_hosts: Vec<String>,
    /// Events kept for clients that come back.
    pub event_buffer: usize,
    /// The least important lines that are logged.
    pub log_level: LevelFilter,
    /// How they are written.
    pub log_format: LogFormat,
    /// What the protocol's settings start from.
    pub preset: Preset,
    /// Settings of the protocol.
    pub swim: Config,
    /// The process with which the agent ends.
    pub parent: Option<Parent>,
    /// Whether a variable that is not read may have a key.
    key_in_sight: bool,
    /// Whether they are to be simulated.
    simulated: bool,
    given: Layers,
}

/// An address that others are told, with the port of `bind` unless it has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advertise {
    /// Never an unspecified one.
    pub ip: IpAddr,
    /// Never 0.
    pub port: Option<u16>,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `TIME LEVEL type key=value ...`
    Text,
    /// One JSON object a line.
    Json,
}

/// Values of the protocol's settings that go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// [`Config::lan`].
    Lan,
    /// [`Config::wan`].
    Wan,
    /// [`Config::local`].
    Local,
    /// [`Config::swim`].
    Swim,
    /// [`Config::lha_probe`].
    LhaProbe,
    /// [`Config::lha_suspicion`].
    LhaSuspicion,
    /// [`Config::buddy_system`].
    BuddySystem,
    /// [`Config::lifeguard`].
    Lifeguard,
    /// [`Config::lifeguard_tuned`].
    LifeguardTuned,
}

/// What was given where; kept so that the file can be read again.
#[derive(Clone, Debug, Default)]
struct Layers {
    config: Option<PathBuf>,
    file: Layer,
    variables: Layer,
    flags: Layer,
}

impl Preset {
    /// Those of agents.
    pub const ALL: [Preset; 3] = [Preset::Lan, Preset::Wan, Preset::Local];

    /// Those of the papers, to be simulated.
    pub const PAPERS: [Preset; 6] = [
        Preset::Swim,
        Preset::LhaProbe,
        Preset::LhaSuspicion,
        Preset::BuddySystem,
        Preset::Lifeguard,
        Preset::LifeguardTuned,
    ];

    /// The one of agents with this word.
    pub fn named(word: &str) -> Option<Preset> {
        let mut all = Preset::ALL.into_iter();
        all.find(|preset| preset.as_str() == word)
    }

    /// The one with this word that can be simulated.
    pub fn simulated(word: &str) -> Option<Preset> {
        let mut all = Preset::ALL.into_iter().chain(Preset::PAPERS);
        all.find(|preset| preset.as_str() == word)
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Preset::Lan => "lan",
            Preset::Wan => "wan",
            Preset::Local => "local",
            Preset::Swim => "swim",
            Preset::LhaProbe => "lha-probe",
            Preset::LhaSuspicion => "lha-suspicion",
            Preset::BuddySystem => "buddy-system",
            Preset::Lifeguard => "lifeguard",
            Preset::LifeguardTuned => "lifeguard-tuned",
        }
    }

    /// Its values.
    pub fn config(self) -> Config {
        match self {
            Preset::Lan => Config::lan(),
            Preset::Wan => Config::wan(),
            Preset::Local => Config::local(),
            Preset::Swim => Config::swim(),
            Preset::LhaProbe => Config::lha_probe(),
            Preset::LhaSuspicion => Config::lha_suspicion(),
            Preset::BuddySystem => Config::buddy_system(),
            Preset::Lifeguard => Config::lifeguard(),
            Preset::LifeguardTuned => Config::lifeguard_tuned(),
        }
    }
}

impl LogFormat {
    /// The one with this word.
    pub fn named(word: &str) -> Option<LogFormat> {
        [LogFormat::Text, LogFormat::Json]
            .into_iter()
            .find(|format| format.as_str() == word)
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        }
    }
}

impl Settings {
    /// Merges flags, the variables of this process and the file that either of them names.
    pub fn load(flags: Flags) -> Result<Settings, SettingsError> {
        Settings::load_with(flags, |name| std::env::var_os(name))
    }

    /// The same with variables of the caller's choice.
    pub fn load_with(
        flags: Flags,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Settings, SettingsError> {
        let mut problems = Vec::new();
        let variables = layer::from_variables(&variable, &mut problems);
        let config = flags.config.clone().or_else(|| {
            variable("MUSTER_CONFIG")
                .filter(|path| !path.is_empty())
                .map(PathBuf::from)
        });
        let file = match &config {
            Some(path) => file::read(path, Scope::Agent, &mut problems),
            None => Layer::default(),
        };
        let layers = Layers {
            config,
            file,
            variables,
            flags: layer::from_flags(&flags.values),
        };
        let mut settings = merge(layers, &mut problems);
        settings.parent = flags.parent;
        let is_set = |name: &&str| variable(name).is_some_and(|value| !value.is_empty());
        settings.key_in_sight = MISTAKEN.iter().any(is_set);
        problem::none_of(problems).map(|()| settings)
    }

    /// What the text of a settings' file says, which is called `name` where something is wrong with
    /// it; neither flags nor variables count.
    pub fn of_text(name: &Path, text: &str) -> Result<Settings, SettingsError> {
        let mut problems = Vec::new();
        let layers = Layers {
            file: file::of_text(name, text, Scope::Agent, &mut problems),
            ..Layers::default()
        };
        let settings = merge(layers, &mut problems);
        problem::none_of(problems).map(|()| settings)
    }

    /// Reads the file again, with the flags and variables of the start. `self` is unchanged.
    pub fn reload(&self) -> Result<Settings, SettingsError> {
        let mut problems = Vec::new();
        let mut layers = self.given.clone();
        if let Some(path) = &layers.config {
            layers.file = file::read(path, Scope::Agent, &mut problems);
        }
        let mut settings = merge(layers, &mut problems);
        settings.parent = self.parent;
        problem::none_of(problems).map(|()| settings)
    }

    /// Settings that the file gives otherwise than at `self`'s start and that a reload cannot
    /// change: they wait for a restart.
    pub(crate) fn waiting_for_restart(&self, reloaded: &Settings) -> Vec<&'static str> {
        let same = |name: &str| {
            self.given
                .file
                .texts(name)
                .eq(reloaded.given.file.texts(name))
        };
        let fixed = TABLE.iter().map(|setting| setting.name);
        let is_read_again = |name: &str| {
            matches!(
                name,
                "log_level" | "tags" | "key_file" | "key_grace" | "plaintext"
            )
        };
        let fixed = fixed.filter(|name| !is_read_again(name));
        fixed.filter(|name| !same(name)).collect()
    }

    /// What `published` tags become when these settings follow `before`: only what differs between
    /// the two is changed, so that tags set meanwhile by other means stay.
    pub(crate) fn changed_tags(
        &self,
        before: &Settings,
        published: &Tags,
    ) -> Result<Tags, TagError> {
        let mut tags = published.clone();
        for (key, _) in before
            .tags
            .iter()
            .filter(|(key, _)| self.tags.value(key).is_none())
        {
            tags = tags.without(key);
        }
        for (key, value) in self.tags.iter() {
            if before.tags.value(key) != Some(value) {
                tags = tags.with(key, value)?;
            }
        }
        Ok(tags)
    }

    /// The file that was read.
    pub(crate) fn config(&self) -> Option<&Path> {
        self.given.config.as_deref()
    }

    /// What is allowed and will hardly do what was meant.
    pub fn doubts(&self) -> Vec<&'static str> {
        let mut doubts = Vec::new();
        if self.non_voting && self.seeds.is_empty() {
            doubts.push(
                "non_voting without join: a member that never votes forms no cluster, and nothing \
                 is decided until it joins one with a voter",
            );
        }
        if self.non_voting && self.swim.expect > 1 {
            doubts.push(
                "non_voting with expect: only members that vote are expected, and a member that \
                 never votes forms no cluster; expect is of no use here",
            );
        }
        if self.key_in_sight {
            doubts.push(
                "MUSTER_KEY, MUSTER_KEYS, MUSTER_SECRET or MUSTER_ENCRYPT is set, and no such \
                 variable is read: keys stand in a file, named by key_file. If there is a key in \
                 it, others may have seen it: unset it, and make another one",
            );
        }
        doubts
    }

    fn of_preset(preset: Preset, given: Layers) -> Settings {
        let known = |text| Name::new(text).expect("a literal that is a name");
        Settings {
            cluster: known("muster"),
            name: known("unnamed"),
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
            advertise: None,
            seeds: Vec::new(),
            key_file: None,
            key_grace: Duration::from_secs(24 * 3600),
            plaintext: None,
            tags: Tags::default(),
            data_dir: None,
            non_voting: false,
            require: None,
            socket: None,
            access: Access::default(),
            http: None,
            http_hosts: Vec::new(),
            event_buffer: 65_536,
            log_level: LevelFilter::INFO,
            log_format: LogFormat::Text,
            preset,
            swim: preset.config(),
            parent: None,
            key_in_sight: false,
            simulated: false,
            given,
        }
    }
}

/// Applies file, variables and flags in this order onto the preset that they choose.
fn merge(layers: Layers, problems: &mut Vec<Problem>) -> Settings {
    let rising = [&layers.file, &layers.variables, &layers.flags].map(Clone::clone);
    let rising: Vec<&Layer> = rising.iter().collect();
    let mut settings = Settings::of_preset(preset_of(&rising, Preset::named), layers);
    let origins = apply(&rising, TABLE.iter(), &mut settings, problems);
    if !origins.contains_key("name") {
        let host = rustix::system::uname();
        match Name::new(&host.nodename().to_string_lossy()) {
            Ok(name) => settings.name = name,
            Err(error) => problems.push(Problem::HostName(error)),
        }
    }
    if let (true, Some(_), Some(given)) = (
        settings.non_voting,
        &settings.data_dir,
        origins.get("non_voting"),
    ) {
        problems.push(Problem::Other {
            place: given.place.clone(),
            text: "non_voting and data_dir contradict each other: a member that never votes \
                   remembers nothing; leave out one of the two"
                .to_owned(),
        });
    }
    let open = settings.key_file.is_none() && settings.plaintext.is_none();
    if let (true, Some(given)) = (open, origins.get("bind"))
        && !settings.bind.ip().is_loopback()
    {
        problems.push(Problem::Other {
            place: given.place.clone(),
            text: format!(
                "bind is {}, which others can reach, and there is no key: anybody there could join. \
                 Give all members of the cluster one key with --key-file (`muster keys generate` \
                 makes it), or say --plaintext send where everybody who can reach the port is trusted",
                settings.bind
            ),
        });
    }
    if let (true, None, Some(given)) = (
        settings.plaintext == Some(Plaintext::Accept),
        &settings.key_file,
        origins.get("plaintext"),
    ) {
        problems.push(Problem::Other {
            place: given.place.clone(),
            text: "plaintext is accept, which needs a key: name its file with --key-file"
                .to_owned(),
        });
    }
    settings
}

/// A key where the name of its file belongs. Never says which.
const IN_SIGHT: &str = "key_file is to name a file, and this is a key itself. Arguments and \
                        variables of a process can be seen by others: throw this key away, have \
                        `muster keys generate FILE` write another one into a file with mode 0600, \
                        and name that";

/// Variables that are not read, and that somebody may put a key into.
const MISTAKEN: [&str; 4] = [
    "MUSTER_KEY",
    "MUSTER_KEYS",
    "MUSTER_SECRET",
    "MUSTER_ENCRYPT",
];

/// The one that the highest layer with a good word for one chooses.
fn preset_of(rising: &[&Layer], named: fn(&str) -> Option<Preset>) -> Preset {
    let mut falling = rising.iter().rev();
    let chosen = falling.find_map(|layer| layer.texts("preset").find_map(named));
    chosen.unwrap_or(Preset::Lan)
}

/// Applies layers onto settings, the lowest first, and judges the ranges. Gives where each setting
/// comes from that any layer gave.
fn apply<'a>(
    rising: &[&Layer],
    table: impl Iterator<Item = &'a Setting>,
    settings: &mut Settings,
    problems: &mut Vec<Problem>,
) -> BTreeMap<&'static str, Given> {
    let mut origins: BTreeMap<&'static str, Given> = BTreeMap::new();
    for (setting, layer) in table.flat_map(|s| rising.iter().map(move |l| (s, l))) {
        let values = layer.values(setting.name);
        setting.begin(settings, !values.is_empty());
        for given in values {
            if setting.name == "key_file" && values::is_secret(&given.text) {
                problems.push(Problem::Other {
                    place: given.place.clone(),
                    text: IN_SIGHT.to_owned(),
                });
            } else if !setting.take(settings, &given.text) {
                problems.push(Problem::value(given, setting));
            }
            origins.insert(setting.name, given.clone());
        }
    }
    check_ranges(settings, &origins, problems);
    origins
}

/// The ranges of the protocol's settings are the core's to judge.
fn check_ranges(
    settings: &Settings,
    origins: &BTreeMap<&'static str, Given>,
    problems: &mut Vec<Problem>,
) {
    for error in settings.swim.check() {
        let (place, given) = match origins.get(error.setting) {
            Some(given) => (given.place.clone(), given.shown.clone()),
            None => (Place::Preset(settings.preset.as_str()), error.given),
        };
        let allowed = values::tidy_range(&error.allowed);
        problems.push(Problem::Value {
            place,
            name: error.setting.to_owned(),
            given,
            allowed,
        });
    }
}
