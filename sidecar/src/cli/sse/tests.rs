use super::{Message, Parser};

const STREAM: &str = ": hello\n\nid: 5.1\nevent: member-left\ndata: {\"a\":1}\n\n\
    data: one\ndata:two\nretry: 5\n\nid: 5.2\n\nevent: x\r\ndata: y\r\n\r\n";

fn expected() -> Vec<Message> {
    let message = |id: Option<&str>, event: &str, data: &str| Message {
        id: id.map(str::to_owned),
        event: event.to_owned(),
        data: data.to_owned(),
    };
    vec![
        message(Some("5.1"), "member-left", "{\"a\":1}"),
        message(None, "", "one\ntwo"),
        message(None, "x", "y"),
    ]
}

#[test]
fn messages_are_the_same_in_whatever_pieces_they_come() {
    for size in 1..STREAM.len() {
        let mut parser = Parser::new();
        let mut messages = Vec::new();
        for piece in STREAM.as_bytes().chunks(size) {
            parser.push(piece);
            messages.extend(std::iter::from_fn(|| parser.take()));
        }
        assert_eq!(messages, expected(), "in pieces of {size}");
    }
}

#[test]
fn an_unfinished_message_is_not_given() {
    let mut parser = Parser::new();
    parser.push(b"id: 1\ndata: x\n");
    assert_eq!(parser.take(), None);
    parser.push(b"\n");
    assert!(parser.take().is_some());
}

#[test]
fn ids_count_with_and_without_data_once_the_message_is_whole() {
    let mut parser = Parser::new();
    parser.push(b"retry: 5\nid: 1.0\n");
    assert_eq!(parser.last_id(), None);
    parser.push(b"\n");
    assert_eq!(parser.last_id(), Some("1.0"));
    parser.push(b"data: x\n\n: keep-alive\nid: 1.7\n\nid: 1.8\n");
    assert_eq!(parser.last_id(), Some("1.7"));
    assert_eq!(parser.pending(), 0);
}
