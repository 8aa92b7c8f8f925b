//! How the value of a setting is read from its text, and written.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use muster_swim::{Plaintext, Tags, limits};
use tracing::level_filters::LevelFilter;

use super::{Advertise, DEFAULT_PORT};
use crate::api::{PATH_BYTES, is_group, is_user};

/// Longest name of a host (RFC 1035, section 2.3.4).
const HOST_BYTES: usize = 255;

/// An address to listen on. A mapped IPv4 address is meant as what it is.
pub(super) fn bind(text: &str) -> Option<SocketAddr> {
    let (ip, port) = address(text)?;
    Some(SocketAddr::new(
        ip.to_canonical(),
        port.unwrap_or(DEFAULT_PORT),
    ))
}

/// An address to tell others.
pub(super) fn advertise(text: &str) -> Option<Advertise> {
    let (ip, port) = address(text)?;
    let ip = ip.to_canonical();
    let usable = !ip.is_unspecified() && port != Some(0);
    usable.then_some(Advertise { ip, port })
}

/// An address for HTTP, which has no usual port.
pub(super) fn http(text: &str) -> Option<SocketAddr> {
    let (ip, port) = address(text)?;
    Some(SocketAddr::new(ip.to_canonical(), port?))
}

/// A name of a host, as it stands in the `Host` of a request.
pub(super) fn host(text: &str) -> Option<String> {
    let fits = (1..=HOST_BYTES).contains(&text.len());
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    (fits && text.chars().all(is_name)).then(|| text.to_ascii_lowercase())
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

/// `host:port`, an IPv6 address in brackets.
pub(super) fn seed(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let is_bracketed = host.starts_with('[') && host.ends_with(']');
    let is_host = !host.is_empty()
        && (is_bracketed || !host.contains(':'))
        && !host.chars().any(|c| c.is_whitespace() || c.is_control());
    let is_port = port.parse().is_ok_and(|port: u16| port != 0);
    (is_host && is_port && text.len() <= limits::SEED_BYTES).then(|| text.to_owned())
}

/// The tags with one more, given as `key=value`.
pub(super) fn with_tag(tags: &Tags, text: &str) -> Option<Tags> {
    let (key, value) = text.split_once('=')?;
    tags.with(key, value).ok()
}

/// A path that fits a socket's address.
pub(super) fn socket(text: &str) -> Option<PathBuf> {
    let fits = (1..=PATH_BYTES).contains(&text.len()) && !text.contains('\0');
    fits.then(|| text.into())
}

/// A path of a directory, whether it is there or not.
pub(super) fn directory(text: &str) -> Option<PathBuf> {
    (!text.is_empty() && !text.contains('\0')).then(|| text.into())
}

/// Longest grace of a removed key.
const GRACE: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long a removed key still opens.
pub(crate) fn key_grace(text: &str) -> Option<Duration> {
    let grace = humantime::parse_duration(text).ok()?;
    (grace <= GRACE).then_some(grace)
}

/// Whether this is a key rather than the name of a file that has one: 32 bytes in base64, with
/// padding or without, or in hexadecimal digits. Also behind `./` or the name of a folder, where
/// somebody took it for a file.
pub(crate) fn is_secret(text: &str) -> bool {
    let mut text = text;
    while let Some(rest) = text.strip_prefix("./") {
        text = rest;
    }
    // Files in folders may well have long names, but none that ends so.
    let mut in_folders = text.match_indices('/');
    is_key(text) || text.ends_with('=') && in_folders.any(|(at, _)| is_key(&text[at + 1..]))
}

fn is_key(text: &str) -> bool {
    let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digits = text.strip_suffix('=').unwrap_or(text);
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte);
    let fits = digits.len() == 43 && digits.bytes().all(is_base64);
    // A long path may look so, but hardly in all of this.
    let kinds = [
        u8::is_ascii_uppercase,
        u8::is_ascii_lowercase,
        u8::is_ascii_digit,
    ];
    let is_mixed = kinds
        .iter()
        .all(|kind| digits.bytes().any(|byte| kind(&byte)));
    is_hex || fits && (text.ends_with('=') || is_mixed && !text.starts_with('/'))
}

pub(super) fn plaintext(text: &str) -> Option<Plaintext> {
    match text {
        "refuse" => Some(Plaintext::Refuse),
        "accept" => Some(Plaintext::Accept),
        "send" => Some(Plaintext::Send),
        _ => None,
    }
}

/// How many vote: a number that the core takes, or its 0 for `auto`.
pub(super) fn voters(text: &str) -> Option<usize> {
    match text {
        "auto" => Some(0),
        number => number
            .parse()
            .ok()
            .filter(|count| matches!(count, 1 | 3 | 5 | 7)),
    }
}

/// Permission bits in octal, with `0o` or without.
pub(super) fn mode(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    let mode = u32::from_str_radix(digits, 8).ok()?;
    (digits.starts_with(|c: char| c.is_ascii_digit()) && mode <= 0o777).then_some(mode)
}

/// A user that exists, by name or number.
pub(super) fn user(text: &str) -> Option<String> {
    (!text.is_empty() && is_user(text)).then(|| text.to_owned())
}

/// A group that exists, by name or number.
pub(super) fn group(text: &str) -> Option<String> {
    (!text.is_empty() && is_group(text)).then(|| text.to_owned())
}

pub(super) fn count(text: &str, range: RangeInclusive<usize>) -> Option<usize> {
    text.parse().ok().filter(|count| range.contains(count))
}

/// A word only: the numbers that `tracing` also knows would be a second way to say the same.
pub(super) fn log_level(text: &str) -> Option<LevelFilter> {
    let is_word = !text.is_empty() && text.chars().all(char::is_alphabetic);
    text.parse().ok().filter(|_| is_word)
}

/// The word that is like `given`, if one is; `joint` stands between the parts of a word.
pub(crate) fn nearest<'a>(
    given: &str,
    words: impl Iterator<Item = &'a str>,
    joint: char,
) -> Option<&'a str> {
    let given = given.replace(['-', '_'], &joint.to_string()).to_lowercase();
    let distance = |word: &str| strsim::damerau_levenshtein(&given, word);
    let (distance, word) = words.map(|word| (distance(word), word)).min()?;
    (distance <= 1.max(word.len() / 3)).then_some(word)
}

/// A range of the core with its durations as people write them: `100ms to 1m`.
pub(crate) fn tidy_range(range: &str) -> String {
    let tidy = |word: &str| match humantime::parse_duration(word) {
        Ok(duration) if word.ends_with('s') => human(duration),
        Ok(_) | Err(_) => word.to_owned(),
    };
    range.split(' ').map(tidy).collect::<Vec<_>>().join(" ")
}

/// A duration in the largest unit that gives a whole number.
pub(crate) fn human(duration: Duration) -> String {
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
    let usual = if nanos == 0 { "s" } else { "ns" };
    let (unit, size) = unit.unwrap_or((usual, 1));
    format!("{}{unit}", nanos / size)
}
