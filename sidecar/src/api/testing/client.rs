//! A client that sees every byte, and holds each answer against the description of the API.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use smol::future::or;
use smol::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use smol::{Async, Timer};

use super::openapi::check_answer;

/// Nothing in these tests takes so long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// The result of `future`, or a failed test.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let late = async {
        Timer::after(PATIENCE).await;
        panic!("{what} took more than {PATIENCE:?}")
    };
    or(future, late).await
}

trait Bytes: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Bytes for T {}

/// A connection to a socket or to a TCP address.
pub(crate) struct Connection {
    stream: Box<dyn Bytes>,
    /// Read and not yet taken.
    buffer: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(path: &Path) -> Connection {
        let stream = Async::<UnixStream>::connect(path)
            .await
            .expect("somebody listens");
        Connection {
            stream: Box::new(stream),
            buffer: Vec::new(),
        }
    }

    pub(crate) async fn open_tcp(addr: SocketAddr) -> Connection {
        let stream = Async::<TcpStream>::connect(addr)
            .await
            .expect("somebody listens");
        Connection {
            stream: Box::new(stream),
            buffer: Vec::new(),
        }
    }

    /// Sends bytes; a server that closed already is no error, its answer may be there.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let _ = within("sending", self.stream.write_all(bytes)).await;
    }

    /// Sends a request without reading its answer.
    pub(crate) async fn ask(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) {
        let length = match body.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: muster\r\n{headers}{length}\r\n");
        self.send(&[head.as_bytes(), body].concat()).await;
    }

    /// Reads status and headers; leaves the body in the buffer.
    pub(crate) async fn read_head(&mut self) -> Reply {
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            assert!(
                self.read_more().await > 0,
                "closed within a head: {:?}",
                self.text()
            );
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        let head = String::from_utf8(head).expect("heads are text");
        let mut lines = head.trim_end().split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(key, value)| (key.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Reply {
            status: status.expect("a status line"),
            headers,
            body: Vec::new(),
        }
    }

    /// Reads a whole answer.
    pub(crate) async fn read_reply(&mut self, method: &str) -> Reply {
        let mut reply = self.read_head().await;
        let length = reply
            .headers
            .get("content-length")
            .map(|text| text.parse().expect("a number"));
        if method == "HEAD" || reply.status == 204 {
        } else if reply
            .headers
            .get("transfer-encoding")
            .is_some_and(|coding| coding == "chunked")
        {
            while let Some(chunk) = self.read_chunk().await {
                reply.body.extend(chunk);
            }
        } else {
            reply.body = self.take(length.expect("a length")).await;
        }
        reply
    }

    /// The next chunk of a chunked body; none at its end.
    pub(crate) async fn read_chunk(&mut self) -> Option<Vec<u8>> {
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                break end;
            }
            if self.read_more().await == 0 {
                return None;
            }
        };
        let line = String::from_utf8(self.take(end + 2).await).expect("sizes are text");
        let size = usize::from_str_radix(line.trim(), 16).expect("a size of a chunk");
        let mut chunk = self.take(size + 2).await;
        chunk.truncate(size);
        (size > 0).then_some(chunk)
    }

    async fn take(&mut self, bytes: usize) -> Vec<u8> {
        while self.buffer.len() < bytes {
            assert!(
                self.read_more().await > 0,
                "closed within a body: {:?}",
                self.text()
            );
        }
        self.buffer.drain(..bytes).collect()
    }

    async fn read_more(&mut self) -> usize {
        let mut piece = vec![0; 64 * 1024];
        // A reset is an end too: the server closed without reading all.
        let read = within("reading", self.stream.read(&mut piece))
            .await
            .unwrap_or(0);
        self.buffer.extend_from_slice(&piece[..read]);
        read
    }

    /// Everything until the server closes.
    pub(crate) async fn read_to_end(mut self) -> String {
        while self.read_more().await > 0 {}
        self.text()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

impl Reply {
    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The kind and detail of a problem.
    pub(crate) fn problem(&self) -> (String, String) {
        let problem: crate::api::model::Problem = self.json();
        assert_eq!(problem.status, self.status);
        let id = problem
            .kind
            .strip_prefix("urn:muster:problem:")
            .expect("an id")
            .to_owned();
        (id, problem.detail)
    }
}

/// Asks on a connection of its own, and checks the answer against the description.
pub(crate) async fn ask(
    socket: &Path,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> Reply {
    let mut connection = Connection::open(socket).await;
    connection.ask(method, path, headers, body).await;
    let reply = connection.read_reply(method).await;
    check_answer(method, path, &reply);
    reply
}

/// Reads a resource.
pub(crate) async fn get(socket: &Path, path: &str) -> Reply {
    ask(socket, "GET", path, "", b"").await
}

/// A stream of events.
pub(crate) struct Stream {
    connection: Connection,
    text: String,
}

/// A message of a stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) event: String,
    pub(crate) data: Value,
    pub(crate) comment: String,
}

impl Stream {
    /// Opens a stream, which must be accepted; `query` has its question mark.
    pub(crate) async fn open(socket: &Path, query: &str, headers: &str) -> Stream {
        let path = format!("/v1/events{query}");
        let mut connection = Connection::open(socket).await;
        connection.ask("GET", &path, headers, b"").await;
        let head = connection.read_head().await;
        assert_eq!(head.status, 200, "{head:?}");
        check_answer("GET", &path, &head);
        Stream {
            connection,
            text: String::new(),
        }
    }

    /// The next block that is not empty; none at the end.
    pub(crate) async fn next_block(&mut self) -> Option<Message> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                return Some(parse(block.trim_end()));
            }
            let chunk = self.connection.read_chunk().await?;
            self.text
                .push_str(std::str::from_utf8(&chunk).expect("events are text"));
        }
    }

    /// The next event, checked against the description; none at the end.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            let message = self.next_block().await?;
            if !message.data.is_null() {
                super::openapi::check_data(&message.data);
                assert_eq!(message.data["cursor"], message.id.as_str());
                assert_eq!(message.data["type"], message.event.as_str());
                return Some(message);
            }
        }
    }
}

fn parse(block: &str) -> Message {
    let mut message = Message::default();
    for line in block.lines() {
        match line.split_once(':').expect("no line without a colon") {
            ("", comment) => message.comment = comment.trim().to_owned(),
            ("id", id) => message.id = id.trim().to_owned(),
            ("event", event) => message.event = event.trim().to_owned(),
            ("data", data) => {
                assert_eq!(message.data, Value::Null, "data is one line");
                message.data = serde_json::from_str(data).expect("data is JSON");
            }
            ("retry", milliseconds) => drop(milliseconds.trim().parse::<u32>().expect("a number")),
            (other, _) => panic!("a field {other:?} in {block:?}"),
        }
    }
    message
}
