//! As much of HTTP/1.1 over a UNIX socket as the tests need.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::view::View;

/// A sidecar that is alive answers far sooner; a stopped one must not hang the test.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sends one request without a body; gives back the status and the body.
///
/// # Errors
/// What went wrong, in words: nobody listens, no answer in time, or no HTTP.
pub(crate) fn request(socket: &Path, method: &str, path: &str) -> Result<(u16, String), String> {
    send(socket, method, path)?.answer()
}

/// What the sidecar at this socket answers to a `GET` of members, for a thread of its own.
///
/// # Errors
/// What went wrong, in words.
pub fn members_at(socket: &Path, path: &str) -> Result<View, String> {
    let (status, body) = request(socket, "GET", path)?;
    if status != 200 {
        return Err(format!("{status}: {body}"));
    }
    serde_json::from_str(&body).map_err(|error| format!("{path}: {error}: {body}"))
}

/// Sends one request without a body and does not wait for the answer: a process that stands still
/// finds it when it goes on.
///
/// # Errors
/// Nobody listens.
pub(crate) fn send(socket: &Path, method: &str, path: &str) -> Result<Asked, String> {
    let what = format!("{method} {path} at {}", socket.display());
    match write(socket, method, path) {
        Ok(stream) => Ok(Asked { what, stream }),
        Err(error) => Err(format!("{what}: {error}")),
    }
}

/// A request that was sent.
#[derive(Debug)]
pub struct Asked {
    what: String,
    stream: UnixStream,
}

impl Asked {
    /// The status and the body of the answer.
    ///
    /// # Errors
    /// What went wrong, in words: no answer in time, or no HTTP.
    pub fn answer(mut self) -> Result<(u16, String), String> {
        let mut answer = String::new();
        let read = self.stream.read_to_string(&mut answer);
        read.map_err(|error| format!("{}: {error}", self.what))?;
        parse(&answer).ok_or_else(|| format!("{}: this is no HTTP: {answer:.200}", self.what))
    }
}

fn write(socket: &Path, method: &str, path: &str) -> std::io::Result<UnixStream> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: muster\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    Ok(stream)
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    if head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked")
    {
        return Some((status, dechunk(body)?));
    }
    Some((status, body.to_owned()))
}

fn dechunk(mut rest: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n")?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.push_str(after.get(..size)?);
        rest = after.get(size..)?.strip_prefix("\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_body_is_read_whole_or_in_chunks() {
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(parse(whole), Some((200, "{}".to_owned())));
        let chunked =
            "HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{\"\r\n1\r\n}\r\n0\r\n\r\n";
        assert_eq!(parse(chunked), Some((404, "{\"}".to_owned())));
        assert_eq!(parse("nonsense"), None);
    }
}
