//! Server-sent events: bytes in any pieces to messages (WHATWG HTML, section 9.2.6).

use std::collections::VecDeque;

/// One message of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The cursor after it, where the message has one.
    pub id: Option<String>,
    /// Its type, empty where it has none.
    pub event: String,
    /// Its data, one JSON document.
    pub data: String,
}

/// Collects bytes and gives whole messages.
#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    after_return: bool,
    building: Message,
    has_data: bool,
    ready: VecDeque<Message>,
    last_id: Option<String>,
}

impl Parser {
    /// A parser at the start of a stream.
    pub fn new() -> Parser {
        Parser::default()
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\n' if self.after_return => {}
                b'\n' | b'\r' => self.end_line(),
                other => self.line.push(other),
            }
            self.after_return = byte == b'\r';
        }
    }

    /// The next whole message.
    pub fn take(&mut self) -> Option<Message> {
        self.ready.pop_front()
    }

    /// The last id of a whole message, also of one without data: from there the stream goes on.
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// Bytes of a message that is not whole yet.
    pub fn pending(&self) -> usize {
        self.line.len() + self.building.data.len()
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        if line.is_empty() {
            return self.end_message();
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.building.id = Some(value.to_owned()),
            "event" => self.building.event = value.to_owned(),
            "data" => {
                if self.has_data {
                    self.building.data.push('\n');
                }
                self.building.data.push_str(value);
                self.has_data = true;
            }
            // A comment (an empty field), `retry`, or a field of later times.
            _ => {}
        }
    }

    fn end_message(&mut self) {
        let message = std::mem::take(&mut self.building);
        if message.id.is_some() {
            self.last_id.clone_from(&message.id);
        }
        if std::mem::take(&mut self.has_data) {
            self.ready.push_back(message);
        }
    }
}

#[cfg(test)]
mod tests;
