//! The TCP address: the same routes for reading, closed to pages of other sites.
//!
//! Whoever reaches the address may read: there is no key and no password. A browser on this host
//! reaches it too, on behalf of any page that it shows. Three things keep those out. A page cannot
//! read what comes without a CORS header, and none is ever sent. What a page of another site asks
//! carries `Origin` or `Sec-Fetch-Site` and is refused. And a page whose own name was made to lead
//! here (DNS rebinding) asks by that name: only IP addresses, `localhost` and the names of
//! `http_hosts` are answered.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

use hyper::header::{HOST, HeaderMap, HeaderValue, ORIGIN};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use smol::Async;

use super::problem::{Kind, Problem};

/// The bound TCP address.
#[derive(Debug)]
pub struct HttpListener {
    pub(super) inner: Async<TcpListener>,
    addr: SocketAddr,
    pub(super) hosts: Vec<String>,
}

/// Why there is no TCP address. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve HTTP on {addr}: {error}; choose another address with --http")]
pub struct HttpError {
    addr: SocketAddr,
    error: io::Error,
}

impl HttpListener {
    /// Where it listens, with the port that was chosen.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

/// Listens on `addr`, to be asked by IP address, by `localhost` and by the names `hosts`.
pub fn bind_http(addr: SocketAddr, hosts: &[String]) -> Result<HttpListener, HttpError> {
    let bound = Async::<TcpListener>::bind(addr).and_then(|inner| {
        let addr = inner.get_ref().local_addr()?;
        Ok(HttpListener {
            inner,
            addr,
            hosts: hosts.to_vec(),
        })
    });
    bound.map_err(|error| HttpError { addr, error })
}

/// Refuses what a page of another site may have sent.
pub(super) fn check(head: &Parts, hosts: &[String]) -> Result<(), Problem> {
    let asked = asked_host(head)?;
    for host in head.uri.authority().into_iter().chain([&asked]) {
        check_host(host.host(), hosts)?;
    }
    check_origin(&head.headers, asked.as_str())?;
    check_site(&head.headers)
}

/// The one `Host` of the request.
fn asked_host(head: &Parts) -> Result<Authority, Problem> {
    let mut values = head.headers.get_all(HOST).iter();
    let host = match (values.next(), values.next()) {
        (Some(host), None) => host.to_str().ok().and_then(|host| host.parse().ok()),
        (Some(_), Some(_)) | (None, _) => None,
    };
    let host = host.filter(|host: &Authority| !host.as_str().contains('@'));
    host.ok_or_else(|| Problem::invalid("a request needs one field Host, as in `Host: 127.0.0.1`"))
}

/// No page can have an IP address for its name, so no name server can lead its visitors here.
fn check_host(host: &str, hosts: &[String]) -> Result<(), Problem> {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    let name = bare.to_ascii_lowercase();
    let is_ours = bare.parse::<IpAddr>().is_ok() || name == "localhost" || hosts.contains(&name);
    if is_ours {
        return Ok(());
    }
    let detail = format!(
        "this agent does not go by the name {host:?}: ask by IP address, or start it with \
         `--http-hosts {name}`"
    );
    Err(Problem::new(Kind::WrongHost, detail))
}

/// A page may ask where it came from.
fn check_origin(headers: &HeaderMap, asked: &str) -> Result<(), Problem> {
    let own = |origin: &HeaderValue| {
        let text = origin.to_str().unwrap_or_default();
        let (_, site) = text.split_once("://").unwrap_or_default();
        site.eq_ignore_ascii_case(asked)
    };
    match headers.get_all(ORIGIN).iter().find(|origin| !own(origin)) {
        None => Ok(()),
        Some(origin) => Err(cross_site("Origin", origin)),
    }
}

/// What a browser says of who asked: `none` is a person who typed the address.
fn check_site(headers: &HeaderMap) -> Result<(), Problem> {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    match sites.find(|site| *site != "same-origin" && *site != "none") {
        None => Ok(()),
        Some(site) => Err(cross_site("Sec-Fetch-Site", site)),
    }
}

fn cross_site(field: &str, value: &HeaderValue) -> Problem {
    let detail = format!(
        "a browser sent this on behalf of another site ({field}: {value:?}), which may not read \
         here: open the address itself, or ask with a program that is no browser"
    );
    Problem::new(Kind::CrossSite, detail)
}

#[cfg(test)]
mod tests;
