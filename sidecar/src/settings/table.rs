//! The one table of settings.

use muster_swim::{App, Config, Name, limits};

use super::{LogFormat, Preset, Settings, values};

const NAME: &str = "1 to 128 bytes of printable characters without space at the ends";

/// Users or groups that may be listed.
const ACCOUNTS: usize = 1024;

/// Names of the TCP address that may be listed.
const HOSTS: usize = 64;

/// One setting: the flag `--name`, the variable `MUSTER_NAME` and the key `name` of the file.
pub struct Setting {
    /// Its name in the file.
    pub name: &'static str,
    /// What it is for, one sentence without a full stop.
    pub doc: &'static str,
    pub(super) value_name: &'static str,
    pub(super) form: Form,
    allowed: Allowed,
    take: fn(&mut Settings, &str) -> bool,
    show: fn(&Settings) -> String,
}

/// How a value is written.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// A string.
    Text,
    /// Octal digits.
    Mode,
    /// A whole number.
    Count,
    /// A string such as `500ms`.
    Duration,
    /// Strings: a list in the file, a flag that is repeated, separated by commas in a variable.
    List(fn(&mut Settings) -> &mut Vec<String>),
    /// `key=value`: a table in the file, otherwise as a list. Each key is a setting of its own.
    Tags,
    /// A string or a whole number.
    Choice,
    /// Yes or no: a flag that needs no value, `true` or `false` elsewhere.
    Switch,
}

/// Which values there may be.
enum Allowed {
    /// Those that the words say.
    Words(&'static str),
    /// Those that the core takes.
    Core,
    /// The same, where it is no range.
    CoreWords(&'static str),
}

/// A duration of the protocol.
macro_rules! duration {
    ($field:ident, $doc:literal) => {
        Setting {
            name: stringify!($field),
            doc: $doc,
            value_name: "DURATION",
            form: Form::Duration,
            allowed: Allowed::Core,
            take: |s, text| put(&mut s.swim.$field, humantime::parse_duration(text).ok()),
            show: |s| values::human(s.swim.$field),
        }
    };
}

/// A number of the protocol.
macro_rules! count {
    ($field:ident, $doc:literal) => {
        Setting {
            name: stringify!($field),
            doc: $doc,
            value_name: "N",
            form: Form::Count,
            allowed: Allowed::Core,
            take: |s, text| put(&mut s.swim.$field, text.parse().ok()),
            show: |s| s.swim.$field.to_string(),
        }
    };
}

/// Every setting, in the order of the help.
pub static TABLE: &[Setting] = &[
    Setting {
        name: "cluster",
        doc: "Cluster to belong to; traffic of another one is refused",
        value_name: "NAME",
        form: Form::Text,
        allowed: Allowed::Words(NAME),
        take: |s, text| put(&mut s.cluster, Name::new(text).ok()),
        show: |s| s.cluster.to_string(),
    },
    Setting {
        name: "name",
        doc: "Name of this member, unique in the cluster",
        value_name: "NAME",
        form: Form::Text,
        allowed: Allowed::Words(NAME),
        take: |s, text| put(&mut s.name, Name::new(text).ok()),
        show: |_| "the host name".to_owned(),
    },
    Setting {
        name: "bind",
        doc: "Where UDP and TCP listen; port 0 takes a free one",
        value_name: "IP:PORT",
        form: Form::Text,
        allowed: Allowed::Words(
            "an IP address, with a port or without, such as 10.0.0.5:7946, [::]:7946 or 10.0.0.5",
        ),
        take: |s, text| put(&mut s.bind, values::bind(text)),
        show: |s| s.bind.to_string(),
    },
    Setting {
        name: "advertise",
        doc: "Where others reach this member, when that is not where it binds",
        value_name: "IP:PORT",
        form: Form::Text,
        allowed: Allowed::Words(
            "an IP address that is not 0.0.0.0 or [::], with a port (not 0) or without",
        ),
        take: |s, text| put(&mut s.advertise, values::advertise(text).map(Some)),
        show: |_| "the address of bind, or the one on the route to the first seed".to_owned(),
    },
    Setting {
        name: "join",
        doc: "Members to join through; tried for ever, names are resolved again each time",
        value_name: "HOST:PORT",
        form: Form::List(|s| &mut s.seeds),
        allowed: Allowed::Words(
            "host:port, such as db1.example:7946 or [2001:db8::5]:7946, at most 64 of them",
        ),
        take: |s, text| push(&mut s.seeds, limits::SEEDS, values::seed(text)),
        show: |_| "none".to_owned(),
    },
    Setting {
        name: "tags",
        doc: "What this member publishes",
        value_name: "KEY=VALUE",
        form: Form::Tags,
        allowed: Allowed::Words(
            "key=value without control characters, at most 64 tags and 1024 bytes together",
        ),
        take: |s, text| {
            let tags = values::with_tag(&s.tags, text);
            put(&mut s.tags, tags)
        },
        show: |_| "none".to_owned(),
    },
    Setting {
        name: "key_file",
        doc: "File with the keys of the cluster, one in each line, the one that seals first; without one \
              only loopback can be bound",
        value_name: "PATH",
        form: Form::Text,
        allowed: Allowed::Words("a path of a file that nobody else can read"),
        take: |s, text| put(&mut s.key_file, values::directory(text).map(Some)),
        show: |_| "none: nothing is sealed".to_owned(),
    },
    Setting {
        name: "key_grace",
        doc: "How long a key that is removed still opens, so that members that are away now get in",
        value_name: "DURATION",
        form: Form::Duration,
        allowed: Allowed::Words("0s to 30d; 0s: it is forgotten at once"),
        take: |s, text| put(&mut s.key_grace, values::key_grace(text)),
        show: |s| values::human(s.key_grace),
    },
    Setting {
        name: "plaintext",
        doc: "What is done about traffic that is not sealed: `send` sends it and understands both, \
              `accept` seals and understands both, `refuse` neither",
        value_name: "WORD",
        form: Form::Choice,
        allowed: Allowed::Words("send, accept or refuse"),
        take: |s, text| put(&mut s.plaintext, values::plaintext(text).map(Some)),
        show: |_| "refuse with a key, else send".to_owned(),
    },
    Setting {
        name: "data_dir",
        doc: "Directory in which this member remembers how it voted; without one it is a new voter \
              after each start",
        value_name: "DIR",
        form: Form::Text,
        allowed: Allowed::Words("a path; what is not there is made"),
        take: |s, text| put(&mut s.data_dir, values::directory(text).map(Some)),
        show: |_| "none".to_owned(),
    },
    Setting {
        name: "non_voting",
        doc: "Never vote: be counted and told everything, decide nothing, and form no cluster, so that \
              it must join one",
        value_name: "true|false",
        form: Form::Switch,
        allowed: Allowed::Words("true or false, and true only without data_dir"),
        take: |s, text| put(&mut s.non_voting, text.parse().ok()),
        show: |s| s.non_voting.to_string(),
    },
    Setting {
        name: "require",
        doc: "An app without which this member does not take part: it joins once that is attached, and \
              leaves when it ends",
        value_name: "APP",
        form: Form::Text,
        allowed: Allowed::Words(
            "the name of an app: 1 to 128 bytes of printable characters without =",
        ),
        take: |s, text| {
            let name = App::check_name(text).ok().map(|()| text.to_owned());
            put(&mut s.require, name.map(Some))
        },
        show: |_| "none".to_owned(),
    },
    Setting {
        name: "socket",
        doc: "The local socket",
        value_name: "PATH",
        form: Form::Text,
        allowed: Allowed::Words("a path of 1 to 107 bytes"),
        take: |s, text| put(&mut s.socket, values::socket(text).map(Some)),
        show: |_| "muster.sock in $XDG_RUNTIME_DIR, /run/muster or /tmp/muster-UID".to_owned(),
    },
    Setting {
        name: "socket_mode",
        doc: "Permissions of the local socket",
        value_name: "MODE",
        form: Form::Mode,
        allowed: Allowed::Words("0 to 0777 in octal, in the file as \"0660\" or 0o660"),
        take: |s, text| put(&mut s.access.mode, values::mode(text)),
        show: |s| format!("{:04o}", s.access.mode),
    },
    Setting {
        name: "socket_group",
        doc: "Group that owns the local socket",
        value_name: "GROUP",
        form: Form::Text,
        allowed: Allowed::Words("a group by number or by its name in /etc/group"),
        take: |s, text| put(&mut s.access.group, values::group(text).map(Some)),
        show: |_| "the group of the process".to_owned(),
    },
    Setting {
        name: "read_users",
        doc: "Users who may read on the local socket, beside those who may change things; with neither \
              this nor read_groups, whoever may open it",
        value_name: "USER",
        form: Form::List(|s| &mut s.access.read_users),
        allowed: Allowed::Words("users by number or by their names in /etc/passwd"),
        take: |s, text| push(&mut s.access.read_users, ACCOUNTS, values::user(text)),
        show: |_| "none".to_owned(),
    },
    Setting {
        name: "read_groups",
        doc: "Groups whose members may read on the local socket",
        value_name: "GROUP",
        form: Form::List(|s| &mut s.access.read_groups),
        allowed: Allowed::Words("groups by number or by their names in /etc/group"),
        take: |s, text| push(&mut s.access.read_groups, ACCOUNTS, values::group(text)),
        show: |_| "none".to_owned(),
    },
    Setting {
        name: "allow_users",
        doc: "Users who may change things, beside root and the agent's own",
        value_name: "USER",
        form: Form::List(|s| &mut s.access.allow_users),
        allowed: Allowed::Words("users by number or by their names in /etc/passwd"),
        take: |s, text| push(&mut s.access.allow_users, ACCOUNTS, values::user(text)),
        show: |_| "none".to_owned(),
    },
    Setting {
        name: "allow_groups",
        doc: "Groups whose members may change things",
        value_name: "GROUP",
        form: Form::List(|s| &mut s.access.allow_groups),
        allowed: Allowed::Words("groups by number or by their names in /etc/group"),
        take: |s, text| push(&mut s.access.allow_groups, ACCOUNTS, values::group(text)),
        show: |_| "none".to_owned(),
    },
    Setting {
        name: "http",
        doc: "TCP address that serves the local socket's routes for reading, /metrics, /healthz and \
              /readyz, without asking who reads",
        value_name: "IP:PORT",
        form: Form::Text,
        allowed: Allowed::Words(
            "an IP address with a port, such as 127.0.0.1:7980; port 0 takes a free one",
        ),
        take: |s, text| put(&mut s.http, values::http(text).map(Some)),
        show: |_| "none".to_owned(),
    },
    Setting {
        name: "http_hosts",
        doc: "Names by which the TCP address may be asked, beside IP addresses and localhost",
        value_name: "NAME",
        form: Form::List(|s| &mut s.http_hosts),
        allowed: Allowed::Words("host names without a port, at most 64 of them"),
        take: |s, text| push(&mut s.http_hosts, HOSTS, values::host(text)),
        show: |_| "none".to_owned(),
    },
    Setting {
        name: "event_buffer",
        doc: "Events kept for clients that come back",
        value_name: "N",
        form: Form::Count,
        allowed: Allowed::Words("16 to 1048576"),
        take: |s, text| put(&mut s.event_buffer, values::count(text, 16..=1_048_576)),
        show: |s| s.event_buffer.to_string(),
    },
    Setting {
        name: "log_level",
        doc: "Least important lines that are logged",
        value_name: "LEVEL",
        form: Form::Text,
        allowed: Allowed::Words("error, warn, info, debug, trace or off"),
        take: |s, text| put(&mut s.log_level, values::log_level(text)),
        show: |s| s.log_level.to_string(),
    },
    Setting {
        name: "log_format",
        doc: "How log lines are written",
        value_name: "FORMAT",
        form: Form::Text,
        allowed: Allowed::Words("text or json"),
        take: |s, text| put(&mut s.log_format, LogFormat::named(text)),
        show: |s| s.log_format.as_str().to_owned(),
    },
    Setting {
        name: "preset",
        doc: "What the settings of the protocol start from",
        value_name: "PRESET",
        form: Form::Text,
        allowed: Allowed::Words(
            "lan, wan or local; to be simulated also swim, lha-probe, lha-suspicion, buddy-system, \
             lifeguard or lifeguard-tuned, as their papers have it",
        ),
        // Chosen before anything else was applied: this only judges the word.
        take: |s, text| {
            let papers = s.simulated && Preset::simulated(text).is_some();
            papers || Preset::named(text).is_some()
        },
        show: |s| s.preset.as_str().to_owned(),
    },
    duration!(
        period,
        "Each successor and one random member are pinged once in this time"
    ),
    count!(
        rings,
        "Rings over all members; each adds two buddies to every member"
    ),
    duration!(probe_timeout_min, "Shortest wait for an ack"),
    duration!(probe_timeout_max, "Longest wait for an ack"),
    count!(indirect_probes, "Relays asked when an ack does not come"),
    duration!(
        suspicion,
        "How long a confirmed suspicion lasts in a cluster of 10"
    ),
    count!(
        suspicion_max_factor,
        "An unconfirmed suspicion lasts so many times as long"
    ),
    count!(
        confirmations,
        "Confirmations that make a suspicion as short as it gets"
    ),
    duration!(gossip_interval, "Time between two pushes of fresh updates"),
    count!(
        gossip_fanout,
        "Random members that a push goes to, beside the successors"
    ),
    count!(
        gossip_multiplier,
        "An update is passed on this many times log2(members)"
    ),
    duration!(
        reconnect_interval,
        "Time between two contacts to lost members or seeds"
    ),
    duration!(
        leave_timeout,
        "How long a leaving member waits for its buddies to hear of it"
    ),
    duration!(
        forget_after,
        "How long an unreachable member is remembered and contacted"
    ),
    count!(
        expect,
        "A fresh cluster forms when so many members have found each other; 1 lets a member without \
         seeds start alone"
    ),
    Setting {
        name: "voters",
        doc: "How many members vote; auto: as many as suit the size of the cluster",
        value_name: "N",
        form: Form::Choice,
        allowed: Allowed::CoreWords("auto, 1, 3, 5 or 7"),
        take: |s, text| put(&mut s.swim.voters, values::voters(text)),
        show: |s| match s.swim.voters {
            0 => "auto".to_owned(),
            voters => voters.to_string(),
        },
    },
    duration!(
        lease,
        "How long a voter that confirmed the coordinator grants no other one"
    ),
    duration!(
        stall_timeout,
        "How long a process may not answer while its host does before it is convicted"
    ),
    duration!(
        readmission,
        "How long a removed member must be reachable until it is a member again, the first time"
    ),
];

impl Setting {
    /// The flag without its dashes.
    pub fn flag(&self) -> String {
        match self.form {
            Form::Tags => "tag".to_owned(),
            Form::Text
            | Form::Mode
            | Form::Count
            | Form::Duration
            | Form::List(_)
            | Form::Choice
            | Form::Switch => self.name.replace('_', "-"),
        }
    }

    /// The environment variable.
    pub fn variable(&self) -> String {
        format!("MUSTER_{}", self.name.to_uppercase())
    }

    /// The values it may have, in words.
    pub fn allowed(&self) -> String {
        match self.allowed {
            Allowed::Words(words) | Allowed::CoreWords(words) => words.to_owned(),
            Allowed::Core => self.ask_the_core(),
        }
    }

    /// Its value when it is not given.
    pub fn default_value(&self) -> String {
        (self.show)(&Settings::of_preset(Preset::Lan, super::Layers::default()))
    }

    /// Whether it is of [`muster_swim::Config`], or what that starts from.
    pub(crate) fn is_protocol(&self) -> bool {
        match self.allowed {
            Allowed::Core | Allowed::CoreWords(_) => true,
            Allowed::Words(_) => self.name == "preset",
        }
    }

    pub(super) fn help(&self) -> String {
        format!("{} [{}]", self.help_without_variable(), self.variable())
    }

    pub(super) fn help_without_variable(&self) -> String {
        let (allowed, default) = (self.allowed(), self.default_value());
        format!("{}: {allowed} [default: {default}]", self.doc)
    }

    pub(super) fn heading(&self) -> &'static str {
        match self.allowed {
            Allowed::Words(_) => "Settings",
            Allowed::Core | Allowed::CoreWords(_) => "Settings of the protocol",
        }
    }

    /// A source that gives values of a list replaces those of the sources below it.
    pub(super) fn begin(&self, settings: &mut Settings, gives_values: bool) {
        if let (Form::List(list), true) = (self.form, gives_values) {
            list(settings).clear();
        }
    }

    /// Takes one value; false: it cannot be one, and nothing was changed.
    pub(super) fn take(&self, settings: &mut Settings, text: &str) -> bool {
        (self.take)(settings, text)
    }

    /// [`Setting::allowed`] for someone who may not know how such a value is written.
    pub(super) fn allowed_with_form(&self) -> String {
        let allowed = self.allowed();
        match self.form {
            Form::Duration => format!("{allowed}, written like \"500ms\" or \"1m 30s\""),
            Form::List(_) => format!("a list of {allowed}"),
            Form::Text | Form::Mode | Form::Count | Form::Tags | Form::Choice | Form::Switch => {
                allowed
            }
        }
    }

    /// Offers a value that is far too large and returns what is said about the range.
    fn ask_the_core(&self) -> String {
        let mut settings = Settings::of_preset(Preset::Lan, super::Layers::default());
        let huge = match self.form {
            Form::Duration => "1000years",
            Form::Text
            | Form::Mode
            | Form::Count
            | Form::List(_)
            | Form::Tags
            | Form::Choice
            | Form::Switch => "4294967295",
        };
        self.take(&mut settings, huge);
        let errors = settings.swim.check();
        let range = errors.iter().find(|error| error.setting == self.name);
        range
            .map(|error| values::tidy_range(&error.allowed))
            .unwrap_or_default()
    }
}

/// The settings of the protocol and their values in `config`, written as in the file, in the order
/// of the table.
pub(crate) fn of_protocol(config: &Config) -> Vec<(&'static str, String)> {
    let mut settings = Settings::of_preset(Preset::Lan, super::Layers::default());
    settings.swim = config.clone();
    let protocol = TABLE
        .iter()
        .filter(|setting| matches!(setting.allowed, Allowed::Core | Allowed::CoreWords(_)));
    protocol
        .map(|setting| (setting.name, (setting.show)(&settings)))
        .collect()
}

pub(super) fn find(name: &str) -> Option<&'static Setting> {
    TABLE.iter().find(|setting| setting.name == name)
}

/// The setting among those that are `known` whose name is like `key`, if one is.
pub(super) fn nearest(key: &str, known: impl Fn(&Setting) -> bool) -> Option<&'static str> {
    let settings = TABLE.iter().filter(|setting| known(setting));
    values::nearest(key, settings.map(|setting| setting.name), '_')
}

fn put<T>(place: &mut T, value: Option<T>) -> bool {
    value.map(|value| *place = value).is_some()
}

fn push(list: &mut Vec<String>, most: usize, value: Option<String>) -> bool {
    let value = value.filter(|_| list.len() < most);
    value.map(|value| list.push(value)).is_some()
}
