//! As much of HTTP/1.1 over a UNIX socket as the tests need.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// A sidecar that is alive answers far sooner; a stopped one must not hang the test.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sends one request without a body; gives back the status and the body.
///
/// # Errors
/// What went wrong, in words: nobody listens, no answer in time, or no HTTP.
pub(crate) fn request(socket: &Path, method: &str, path: &str) -> Result<(u16, String), String> {
    let answer = exchange(socket, method, path)
        .map_err(|error| format!("{method} {path} at {}: {error}", socket.display()))?;
    parse(&answer).ok_or_else(|| format!("{method} {path}: this is no HTTP: {answer:.200}"))
}

fn exchange(socket: &Path, method: &str, path: &str) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: muster\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
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
