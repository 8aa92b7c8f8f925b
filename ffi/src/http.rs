//! HTTP/1.1 as far as a client of one request needs it: bytes in any pieces to one answer. No IO.

/// Largest head of an answer.
const HEAD_BYTES: usize = 64 * 1024;

/// Most headers of an answer.
const HEADERS: usize = 64;

/// Longest line that gives the size of a chunk.
const SIZE_LINE_BYTES: usize = 256;

/// Something that is not HTTP/1.1.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotHttp(pub(crate) &'static str);

/// The head of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) media_type: String,
}

/// Where the decoder is.
#[derive(Debug)]
enum Stage {
    Head,
    /// A body of so many more bytes.
    Counted(u64),
    /// A body as long as the connection.
    Open,
    /// Within the line that gives the size of a chunk.
    Size,
    /// So many more bytes of a chunk.
    Chunk(u64),
    /// The line end after a chunk.
    ChunkEnd,
    /// Lines after the last chunk.
    Trailer,
    Done,
}

/// Decodes one answer.
#[derive(Debug)]
pub(crate) struct Decoder {
    stage: Stage,
    /// The head, or a line, that is not whole yet.
    partial: Vec<u8>,
    head: Option<Head>,
}

impl Decoder {
    pub(crate) fn new() -> Decoder {
        Decoder {
            stage: Stage::Head,
            partial: Vec::new(),
            head: None,
        }
    }

    pub(crate) fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// Takes the next bytes; what of them is body is appended to `body`.
    pub(crate) fn push(&mut self, mut bytes: &[u8], body: &mut Vec<u8>) -> Result<(), NotHttp> {
        while !bytes.is_empty() {
            bytes = match self.stage {
                Stage::Head => self.on_head(bytes)?,
                Stage::Counted(left) => {
                    let rest = take(bytes, left, body);
                    self.stage = counted(left - (bytes.len() - rest.len()) as u64);
                    rest
                }
                Stage::Open => {
                    body.extend_from_slice(bytes);
                    &[]
                }
                Stage::Chunk(left) => {
                    let rest = take(bytes, left, body);
                    let left = left - (bytes.len() - rest.len()) as u64;
                    let ended = left == 0;
                    self.stage = if ended {
                        Stage::ChunkEnd
                    } else {
                        Stage::Chunk(left)
                    };
                    rest
                }
                Stage::Size | Stage::ChunkEnd | Stage::Trailer => self.on_line(bytes)?,
                Stage::Done => return Err(NotHttp("there is more than one answer")),
            };
        }
        Ok(())
    }

    /// The connection ended: whether the answer is whole now.
    pub(crate) fn end(&mut self) -> bool {
        if matches!(self.stage, Stage::Open) {
            self.stage = Stage::Done;
        }
        self.is_done()
    }

    fn on_head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], NotHttp> {
        let before = self.partial.len();
        self.partial.extend_from_slice(bytes);
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(&self.partial);
        let end = match parsed.map_err(|_| NotHttp("its answer is not HTTP"))? {
            httparse::Status::Complete(end) => end,
            httparse::Status::Partial if self.partial.len() > HEAD_BYTES => {
                return Err(NotHttp("the head of its answer is too long"));
            }
            httparse::Status::Partial => return Ok(&[]),
        };
        let status = response.code.unwrap_or_default();
        let value = |name: &str| {
            let mut named = response.headers.iter();
            let header = named.find(|header| header.name.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(header.value).ok()
        };
        let media_type = value("content-type").unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        let media_type = media_type.to_ascii_lowercase();
        let chunked = value("transfer-encoding").is_some_and(|list| list.contains("chunked"));
        self.stage = match value("content-length") {
            _ if matches!(status, 100..=199 | 204 | 304) => Stage::Done,
            _ if chunked => Stage::Size,
            Some(length) => counted(length.parse().map_err(|_| NotHttp("bad content-length"))?),
            None => Stage::Open,
        };
        self.head = Some(Head { status, media_type });
        self.partial.clear();
        // The end lies within `bytes`: before them the head was not whole.
        Ok(&bytes[end - before..])
    }

    fn on_line<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], NotHttp> {
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let (line, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
        self.partial.extend_from_slice(line);
        if self.partial.len() > SIZE_LINE_BYTES {
            return Err(NotHttp("the line before a chunk is too long"));
        }
        if end.is_some() {
            let line = std::mem::take(&mut self.partial);
            self.on_whole_line(line.trim_ascii())?;
        }
        Ok(rest)
    }

    fn on_whole_line(&mut self, line: &[u8]) -> Result<(), NotHttp> {
        self.stage = match self.stage {
            Stage::ChunkEnd if line.is_empty() => Stage::Size,
            Stage::Trailer if line.is_empty() => Stage::Done,
            Stage::Trailer => Stage::Trailer,
            Stage::Size => match chunk_size(line).ok_or(NotHttp("bad size of a chunk"))? {
                0 => Stage::Trailer,
                size => Stage::Chunk(size),
            },
            Stage::Head
            | Stage::Counted(_)
            | Stage::Open
            | Stage::Chunk(_)
            | Stage::ChunkEnd
            | Stage::Done => return Err(NotHttp("a chunk is longer than it says")),
        };
        Ok(())
    }
}

fn counted(left: u64) -> Stage {
    if left == 0 {
        Stage::Done
    } else {
        Stage::Counted(left)
    }
}

/// Appends at most `left` of `bytes` to `body`; gives the rest.
fn take<'a>(bytes: &'a [u8], left: u64, body: &mut Vec<u8>) -> &'a [u8] {
    let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
    let (taken, rest) = bytes.split_at(count);
    body.extend_from_slice(taken);
    rest
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|&byte| byte == b';').next()?.trim_ascii();
    let digits = std::str::from_utf8(digits).ok()?;
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain
        .then(|| u64::from_str_radix(digits, 16).ok())
        .flatten()
}

/// What is asked, checked so that no part of it can pass for another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    /// Media type and content.
    pub(crate) body: Option<(&'a str, &'a [u8])>,
}

impl<'a> Request<'a> {
    pub(crate) fn get(target: &'a str) -> Request<'a> {
        Request {
            method: "GET",
            target,
            body: None,
        }
    }

    /// The bytes to send, or what is wrong.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, String> {
        let is_token = |byte: u8| byte.is_ascii_alphabetic();
        if self.method.is_empty() || !self.method.bytes().all(is_token) {
            return Err(format!(
                "the method {:?} is not one of letters only",
                self.method
            ));
        }
        let visible = |byte: u8| byte.is_ascii_graphic();
        if !self.target.starts_with('/') || !self.target.bytes().all(visible) {
            let target = self.target;
            return Err(format!(
                "the path {target:?} must begin with a slash and be percent-encoded"
            ));
        }
        let mut bytes = format!(
            "{} {} HTTP/1.1\r\nhost: muster\r\nuser-agent: libmuster/{}\r\n",
            self.method.to_ascii_uppercase(),
            self.target,
            env!("CARGO_PKG_VERSION"),
        );
        let (media_type, body) = self.body.unwrap_or_default();
        if self.body.is_some() {
            if media_type.is_empty() || !media_type.bytes().all(visible) {
                return Err(format!("the content type {media_type:?} is none"));
            }
            bytes.push_str(&format!("content-type: {media_type}\r\n"));
        }
        if self.body.is_some() || self.method != "GET" {
            bytes.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        let mut bytes = bytes.into_bytes();
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        Ok(bytes)
    }
}
