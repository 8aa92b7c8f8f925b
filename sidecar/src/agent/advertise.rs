//! Which address the others are told.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::sockets::plain;
use crate::settings::Advertise;

/// How long the first attempt to choose is away from the second.
const FIRST_REST: Duration = Duration::from_secs(1);

/// The most that attempts are away from each other.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// Why no address can be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdvertiseError {
    /// Bound to every address of the host, and there is no seed to look for a route to.
    #[error(
        "bound to {0}, no address that others can reach is known: give it with --advertise, or bind \
         to one address with --bind"
    )]
    NoSeed(SocketAddr),
    /// Bound to every address of the host, and no seed shows which one.
    #[error(
        "bound to {bind}, no address that others can reach is known, and no seed shows one ({}): \
         give it with --advertise", .tried.join("; ")
    )]
    NoRoute {
        /// Where the agent listens.
        bind: SocketAddr,
        /// What each seed met.
        tried: Vec<String>,
    },
}

/// The address to tell others: `advertise`, else `bound` itself when it is one address, else the
/// one on the route to the first seed that has one. `resolve` gives a seed's addresses, `route` the
/// local address of a route.
pub(super) async fn choose(
    advertise: Option<Advertise>,
    bound: SocketAddr,
    seeds: &[String],
    resolve: impl AsyncFn(&str) -> io::Result<Vec<SocketAddr>>,
    route: impl Fn(SocketAddr) -> io::Result<IpAddr>,
) -> Result<SocketAddr, AdvertiseError> {
    if let Some(Advertise { ip, port }) = advertise {
        return Ok(SocketAddr::new(ip, port.unwrap_or(bound.port())));
    }
    if !bound.ip().is_unspecified() {
        return Ok(plain(bound));
    }
    if seeds.is_empty() {
        return Err(AdvertiseError::NoSeed(bound));
    }
    let mut loopback = None;
    let mut tried = Vec::new();
    for seed in seeds {
        match find_route(bound, seed, &resolve, &route).await {
            // Often the host's own name, which many hosts keep as 127.0.1.1: better ones may
            // follow.
            Ok(ip) if ip.is_loopback() => loopback = loopback.or(Some(ip)),
            Ok(ip) => return Ok(SocketAddr::new(ip, bound.port())),
            Err(error) => tried.push(format!("{seed}: {error}")),
        }
    }
    let ip = loopback.ok_or(AdvertiseError::NoRoute { bind: bound, tried })?;
    Ok(SocketAddr::new(ip, bound.port()))
}

/// Chooses again and again while the seeds show no address: their names may come to resolve. The
/// rests between become longer. What stands in the way is told when it is new.
pub(super) async fn retry(
    choose: impl AsyncFn() -> Result<SocketAddr, AdvertiseError>,
    rest: impl AsyncFn(Duration),
) -> Result<SocketAddr, AdvertiseError> {
    let mut told = None;
    let mut pause = FIRST_REST;
    loop {
        let error = match choose().await {
            Err(error @ AdvertiseError::NoRoute { .. }) => error,
            result @ (Ok(_) | Err(AdvertiseError::NoSeed(_))) => return result,
        };
        if told.as_ref() != Some(&error) {
            tracing::warn!(%error, "waiting-for-seed");
            told = Some(error);
        }
        rest(pause).await;
        pause = LONGEST_REST.min(pause * 2);
    }
}

async fn find_route(
    bound: SocketAddr,
    seed: &str,
    resolve: &impl AsyncFn(&str) -> io::Result<Vec<SocketAddr>>,
    route: &impl Fn(SocketAddr) -> io::Result<IpAddr>,
) -> io::Result<IpAddr> {
    let mut outcome = Err(io::Error::other(
        "it has no address that this socket can reach",
    ));
    for to in resolve(seed).await?.into_iter().map(plain) {
        // A socket of IPv4 alone does not reach IPv6.
        if to.is_ipv6() && bound.is_ipv4() || to.ip().is_unspecified() {
            continue;
        }
        match route(to) {
            Ok(ip) if ip.is_unspecified() => {}
            Ok(ip) if ip.is_loopback() => outcome = Ok(ip),
            Ok(ip) => return Ok(ip),
            Err(error) if outcome.is_err() => outcome = Err(error),
            Err(_) => {}
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use tracing::level_filters::LevelFilter;

    use super::*;
    use crate::log::tests::{without_time, written};
    use crate::settings::LogFormat;

    fn addr(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    /// A network in which `db` and `v6` are other hosts, `me` is this one, `gone` has no name.
    fn chosen(advertise: Option<&str>, bound: &str, seeds: &[&str]) -> Result<String, String> {
        let advertise = advertise.map(|ip| Advertise {
            ip: ip.parse().expect("an IP"),
            port: None,
        });
        let resolve = async |seed: &str| match seed {
            "db:7946" => Ok(vec![addr("[2001:db8::9]:7946"), addr("10.0.0.9:7946")]),
            "v6:7946" => Ok(vec![addr("[2001:db8::9]:7946")]),
            "me:7946" => Ok(vec![addr("127.0.1.1:7946")]),
            "far:7946" => Ok(vec![addr("203.0.113.1:7946")]),
            _ => Err(io::Error::other("no such name")),
        };
        let route = |to: SocketAddr| match to.ip().to_string().as_str() {
            "10.0.0.9" => Ok("10.0.0.5".parse().expect("an IP")),
            "2001:db8::9" => Ok("2001:db8::5".parse().expect("an IP")),
            "127.0.1.1" => Ok("127.0.0.1".parse().expect("an IP")),
            _ => Err(io::Error::other("no route")),
        };
        let seeds: Vec<String> = seeds.iter().map(ToString::to_string).collect();
        let choice = choose(advertise, addr(bound), &seeds, resolve, route);
        smol::block_on(choice)
            .map(|addr| addr.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_choice() {
        for (advertise, bound, seeds, expected) in [
            (
                Some("192.0.2.7"),
                "0.0.0.0:7000",
                &["db:7946"][..],
                "192.0.2.7:7000",
            ),
            (Some("2001:db8::7"), "[::]:7000", &[], "[2001:db8::7]:7000"),
            (None, "127.0.0.1:7000", &["db:7946"], "127.0.0.1:7000"),
            (None, "[::1]:7000", &[], "[::1]:7000"),
            (None, "0.0.0.0:7000", &["db:7946"], "10.0.0.5:7000"),
            (None, "[::]:7000", &["db:7946"], "[2001:db8::5]:7000"),
            (
                None,
                "0.0.0.0:7000",
                &["gone:7946", "far:7946", "db:7946"],
                "10.0.0.5:7000",
            ),
            (
                None,
                "0.0.0.0:7000",
                &["me:7946", "db:7946"],
                "10.0.0.5:7000",
            ),
            (None, "0.0.0.0:7000", &["me:7946"], "127.0.0.1:7000"),
            (
                None,
                "0.0.0.0:7000",
                &["me:7946", "gone:7946"],
                "127.0.0.1:7000",
            ),
        ] {
            assert_eq!(
                chosen(advertise, bound, seeds).as_deref(),
                Ok(expected),
                "{bound} {seeds:?}"
            );
        }
    }

    #[test]
    fn without_a_choice_the_error_says_what_to_give() {
        assert_eq!(
            chosen(None, "0.0.0.0:7000", &[]).expect_err("no seed"),
            "bound to 0.0.0.0:7000, no address that others can reach is known: give it with \
             --advertise, or bind to one address with --bind"
        );
        assert_eq!(
            chosen(None, "0.0.0.0:7000", &["gone:7946", "far:7946", "v6:7946"]).expect_err("lost"),
            "bound to 0.0.0.0:7000, no address that others can reach is known, and no seed shows \
             one (gone:7946: no such name; far:7946: no route; v6:7946: it has no address that \
             this socket can reach): give it with --advertise"
        );
    }

    #[test]
    fn seeds_that_show_no_address_are_asked_again_and_told_once() {
        let bound = addr("0.0.0.0:7000");
        let unresolved = |seed: &str| AdvertiseError::NoRoute {
            bind: bound,
            tried: vec![format!("{seed}: no such name")],
        };
        let (asked, rests) = (Cell::new(0), RefCell::new(Vec::new()));
        let choose = async || {
            asked.set(asked.get() + 1);
            match asked.get() {
                1..=4 => Err(unresolved("db1:7946")),
                5..=7 => Err(unresolved("db2:7946")),
                _ => Ok(addr("10.0.0.5:7000")),
            }
        };
        let rest = async |pause: Duration| rests.borrow_mut().push(pause.as_secs());
        let lines = written(LevelFilter::INFO, LogFormat::Text, || {
            let chosen = smol::block_on(retry(choose, rest));
            assert_eq!(chosen, Ok(addr("10.0.0.5:7000")));
        });
        assert_eq!(*rests.borrow(), [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(lines.len(), 2, "{lines:?}");
        for (line, seed) in lines.iter().zip(["db1:7946", "db2:7946"]) {
            let line = without_time(line);
            assert!(line.starts_with("WARN waiting-for-seed error="), "{line}");
            assert!(line.contains(&format!("({seed}: no such name)")), "{line}");
        }
    }

    #[test]
    fn without_seeds_nothing_is_waited_for() {
        let error = AdvertiseError::NoSeed(addr("0.0.0.0:7000"));
        let choose = async || Err(error.clone());
        let rest = async |_| panic!("there is nothing to wait for");
        assert_eq!(smol::block_on(retry(choose, rest)), Err(error.clone()));
    }
}
