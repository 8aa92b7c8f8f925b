//! The one table of settings.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use muster_swim::{Name, limits};
use tracing::level_filters::LevelFilter;

use super::{Advertise, DEFAULT_PORT, LogFormat, Preset, Settings};

/// One setting: the flag `--name`, the variable `MUSTER_NAME` and the key `name` of the file.
pub struct Setting {
    /// Its name in the file.
    pub name: &'static str,
    /// What it is for, one sentence without a full stop.
    pub doc: &'static str,
    pub(super) value_name: &'static str,
    pub(super) form: Form,
    allowed: Allowed,
    take: fn(&mut Settings, &str) -> Option<()>,
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
}

/// Which values there may be.
enum Allowed {
    /// Those that the words say.
    Words(&'static str),
    /// Those that the core takes.
    Core,
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
            take: |settings, text| {
                settings.swim.$field = humantime::parse_duration(text).ok()?;
                Some(())
            },
            show: |settings| human(settings.swim.$field),
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
            take: |settings, text| {
                settings.swim.$field = text.parse().ok()?;
                Some(())
            },
            show: |settings| settings.swim.$field.to_string(),
        }
    };
}

/// A setting of the sidecar.
macro_rules! setting {
    ($name:literal, $value:literal, $form:expr, $doc:literal, $allowed:literal, $take:expr, $show:expr) => {
        Setting {
            name: $name,
            doc: $doc,
            value_name: $value,
            form: $form,
            allowed: Allowed::Words($allowed),
            take: $take,
            show: $show,
        }
    };
}

/// Every setting, in the order of the help.
pub static TABLE: &[Setting] = &[
    setting!(
        "cluster",
        "NAME",
        Form::Text,
        "Cluster to belong to; traffic of another one is refused",
        "1 to 128 bytes of printable characters without space at the ends",
        |s, text| Some(s.cluster = Name::new(text).ok()?),
        |s| s.cluster.to_string()
    ),
    setting!(
        "name",
        "NAME",
        Form::Text,
        "Name of this member, unique in the cluster",
        "1 to 128 bytes of printable characters without space at the ends",
        |s, text| Some(s.name = Name::new(text).ok()?),
        |_| "the host name".to_owned()
    ),
    setting!(
        "bind",
        "IP:PORT",
        Form::Text,
        "Where UDP and TCP listen; port 0 takes a free one",
        "an IP address, with a port or without, such as 10.0.0.5:7946, [::]:7946 or 10.0.0.5",
        |s, text| Some(
            s.bind = address(text)
                .map(|(ip, port)| { SocketAddr::new(ip, port.unwrap_or(DEFAULT_PORT)) })?
        ),
        |s| s.bind.to_string()
    ),
    setting!(
        "advertise",
        "IP:PORT",
        Form::Text,
        "Where others reach this member, when that is not where it binds",
        "an IP address that is not 0.0.0.0 or [::], with a port or without (not 0)",
        |s, text| {
            let (ip, port) = address(text)?;
            let ip = ip.to_canonical();
            let usable = !ip.is_unspecified() && port != Some(0);
            usable.then(|| s.advertise = Some(Advertise { ip, port }))
        },
        |_| "the address of bind, or the one on the route to the first seed".to_owned()
    ),
    setting!(
        "join",
        "HOST:PORT",
        Form::List(|s| &mut s.seeds),
        "Members to join through; tried for ever, names are resolved again each time",
        "host:port, such as db1.example:7946, 10.0.0.5:7946 or [2001:db8::5]:7946, at most 64",
        |s, text| {
            let fits = s.seeds.len() < limits::SEEDS && is_seed(text);
            fits.then(|| s.seeds.push(text.to_owned()))
        },
        |_| "none".to_owned()
    ),
    setting!(
        "tags",
        "KEY=VALUE",
        Form::Tags,
        "What this member publishes",
        "key=value without control characters, at most 64 tags and 1024 bytes together",
        |s, text| {
            let (key, value) = text.split_once('=')?;
            Some(s.tags = s.tags.with(key, value).ok()?)
        },
        |_| "none".to_owned()
    ),
    setting!(
        "socket",
        "PATH",
        Form::Text,
        "The local socket",
        "a path of 1 to 107 bytes",
        |s, text| {
            let fits = (1..=107).contains(&text.len()) && !text.contains('\0');
            fits.then(|| s.socket = Some(text.into()))
        },
        |_| "$XDG_RUNTIME_DIR, /run/muster (root) or /tmp/muster-UID".to_owned()
    ),
    setting!(
        "socket_mode",
        "MODE",
        Form::Mode,
        "Permissions of the local socket, in octal",
        "0 to 0777 in octal, such as \"0660\"",
        |s, text| {
            let digits = text.strip_prefix("0o").unwrap_or(text);
            let octal = !digits.starts_with(['+', '-']);
            let mode = u32::from_str_radix(digits, 8)
                .ok()
                .filter(|&mode| octal && mode <= 0o777)?;
            Some(s.access.mode = mode)
        },
        |s| format!("{:04o}", s.access.mode)
    ),
    setting!(
        "socket_group",
        "GROUP",
        Form::Text,
        "Group that owns the local socket, by name or number",
        "the name or number of a group",
        |s, text| (!text.is_empty()).then(|| s.access.group = Some(text.to_owned())),
        |_| "the group of the process".to_owned()
    ),
    setting!(
        "allow_users",
        "USER",
        Form::List(|s| &mut s.access.allow_users),
        "Users who may change things, beside root and the agent's own, by name or number",
        "the name or number of a user",
        |s, text| (!text.is_empty()).then(|| s.access.allow_users.push(text.to_owned())),
        |_| "none".to_owned()
    ),
    setting!(
        "allow_groups",
        "GROUP",
        Form::List(|s| &mut s.access.allow_groups),
        "Groups whose members may change things, by name or number",
        "the name or number of a group",
        |s, text| (!text.is_empty()).then(|| s.access.allow_groups.push(text.to_owned())),
        |_| "none".to_owned()
    ),
    setting!(
        "event_buffer",
        "N",
        Form::Count,
        "Events kept for clients that come back",
        "16 to 1048576",
        |s, text| {
            let events = text
                .parse()
                .ok()
                .filter(|events| (16..=1_048_576).contains(events))?;
            Some(s.event_buffer = events)
        },
        |s| s.event_buffer.to_string()
    ),
    setting!(
        "log_level",
        "LEVEL",
        Form::Text,
        "Least important lines that are logged",
        "error, warn, info, debug, trace or off",
        |s, text| {
            // The parser knows numbers too; they would be a second way to say the same.
            let word = text.chars().all(char::is_alphabetic) && !text.is_empty();
            Some(s.log_level = text.parse().ok().filter(|_: &LevelFilter| word)?)
        },
        |s| s.log_level.to_string()
    ),
    setting!(
        "log_format",
        "FORMAT",
        Form::Text,
        "How log lines are written",
        "text or json",
        |s, text| Some(
            s.log_format = match text {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => return None,
            }
        ),
        |s| match s.log_format {
            LogFormat::Text => "text".to_owned(),
            LogFormat::Json => "json".to_owned(),
        }
    ),
    setting!(
        "preset",
        "PRESET",
        Form::Text,
        "What the settings of the protocol start from",
        "lan, wan or local",
        |s, text| {
            // Chosen before anything else was applied: this only judges the word.
            preset(text).map(|_| s.preset).map(drop)
        },
        |s| s.preset.as_str().to_owned()
    ),
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
];

impl Setting {
    /// The flag without its dashes.
    pub fn flag(&self) -> String {
        match self.form {
            Form::Tags => "tag".to_owned(),
            Form::Text | Form::Mode | Form::Count | Form::Duration | Form::List(_) => {
                self.name.replace('_', "-")
            }
        }
    }

    /// The environment variable.
    pub fn variable(&self) -> String {
        format!("MUSTER_{}", self.name.to_uppercase())
    }

    /// The values it may have, in words.
    pub fn allowed(&self) -> String {
        match self.allowed {
            Allowed::Words(words) => words.to_owned(),
            Allowed::Core => self.ask_the_core(),
        }
    }

    /// Its value when it is not given.
    pub fn default_value(&self) -> String {
        (self.show)(&Settings::of_preset(Preset::Lan, super::Layers::default()))
    }

    pub(super) fn help(&self) -> String {
        let (default, variable) = (self.default_value(), self.variable());
        format!(
            "{}: {} [default: {default}] [{variable}]",
            self.doc,
            self.allowed()
        )
    }

    pub(super) fn heading(&self) -> &'static str {
        match self.allowed {
            Allowed::Words(_) => "Settings",
            Allowed::Core => "Settings of the protocol",
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
        (self.take)(settings, text).is_some()
    }

    /// [`Setting::allowed`] for someone who may not know how such a value is written.
    pub(super) fn allowed_with_form(&self) -> String {
        let allowed = self.allowed();
        match self.form {
            Form::Duration => format!("{allowed}, written like \"500ms\" or \"1m 30s\""),
            Form::List(_) => format!("a list of {allowed}"),
            Form::Text | Form::Mode | Form::Count | Form::Tags => allowed,
        }
    }

    /// Offers a value that is far too large and returns what is said about the range.
    fn ask_the_core(&self) -> String {
        let mut settings = Settings::of_preset(Preset::Lan, super::Layers::default());
        let huge = match self.form {
            Form::Duration => "1000years",
            Form::Text | Form::Mode | Form::Count | Form::List(_) | Form::Tags => "4294967295",
        };
        self.take(&mut settings, huge);
        let errors = settings.swim.check();
        let range = errors.iter().find(|error| error.setting == self.name);
        range
            .map(|error| tidy_range(&error.allowed))
            .unwrap_or_default()
    }
}

pub(super) fn find(name: &str) -> Option<&'static Setting> {
    TABLE.iter().find(|setting| setting.name == name)
}

/// The setting whose name is like `key`, if one is.
pub(super) fn nearest(key: &str) -> Option<&'static str> {
    let key = key.replace('-', "_").to_lowercase();
    let distance = |name: &str| strsim::damerau_levenshtein(&key, name);
    let names = TABLE.iter().map(|setting| setting.name);
    let (distance, name) = names.map(|name| (distance(name), name)).min()?;
    (distance <= 1 + name.len() / 4).then_some(name)
}

pub(super) fn preset(text: &str) -> Option<Preset> {
    Preset::ALL
        .into_iter()
        .find(|preset| preset.as_str() == text)
}

/// A range of the core with its durations as people write them: `100ms to 1m`.
pub(super) fn tidy_range(range: &str) -> String {
    let tidy = |word: &str| match humantime::parse_duration(word) {
        Ok(duration) => human(duration),
        Err(_) => word.to_owned(),
    };
    range.split(' ').map(tidy).collect::<Vec<_>>().join(" ")
}

/// A duration in the largest unit that gives a whole number.
fn human(duration: Duration) -> String {
    const UNITS: [(&str, u128); 6] = [
        ("days", 86_400_000_000_000),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
    ];
    let nanos = duration.as_nanos();
    let unit = UNITS
        .into_iter()
        .find(|(_, size)| nanos > 0 && nanos.is_multiple_of(*size));
    let (unit, size) = unit.unwrap_or(("ns", 1));
    format!("{}{unit}", nanos / size)
}

/// `IP:PORT`, `[IP]:PORT`, `[IP]` or `IP`.
fn address(text: &str) -> Option<(IpAddr, Option<u16>)> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some((address.ip(), Some(address.port())));
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    Some((bare.parse().ok()?, None))
}

/// Whether `text` is `host:port`, an IPv6 address in brackets.
fn is_seed(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let host_fits = !host.is_empty()
        && (bracketed || !host.contains(':'))
        && !host.chars().any(|c| c.is_whitespace() || c.is_control());
    host_fits && text.len() <= limits::SEED_BYTES && port.parse().is_ok_and(|port: u16| port != 0)
}
