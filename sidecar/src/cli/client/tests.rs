use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::{Client, ClientError, percent_encoded, with_query};

/// A socket in a folder of its own that answers one request with `answer` and then closes, and
/// gives back what it was asked.
fn answering(answer: &str) -> (tempfile::TempDir, Client, thread::JoinHandle<String>) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("a.sock");
    let listener = UnixListener::bind(&path).expect("a socket can be bound");
    let answer = answer.to_owned();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the client connects");
        let mut asked = [0; 4096];
        let count = stream.read(&mut asked).expect("the client asks");
        stream
            .write_all(answer.as_bytes())
            .expect("the client reads");
        String::from_utf8_lossy(&asked[..count]).into_owned()
    });
    (folder, Client::at(path), server)
}

fn http(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn without_an_agent_it_says_where_it_looked_and_how_to_start_one() {
    let text = Client::find(Some(Path::new("/nowhere/a.sock")))
        .expect_err("no socket")
        .to_string();
    assert!(
        text.contains("/nowhere/a.sock: there is no such file"),
        "{text}"
    );
    assert!(
        text.contains("muster agent") && text.contains("muster dev"),
        "{text}"
    );
}

#[test]
fn a_socket_that_nobody_listens_at_is_said_to_be_stale() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("stale.sock");
    drop(UnixListener::bind(&path).expect("a socket can be bound"));
    let text = Client::find(Some(&path))
        .expect_err("nobody listens")
        .to_string();
    assert!(
        text.contains("stale.sock: the agent that made this socket no longer runs"),
        "{text}"
    );
}

#[test]
fn a_file_that_is_no_socket_is_said_to_be_none() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let text = Client::find(Some(folder.path()))
        .expect_err("a folder")
        .to_string();
    assert!(text.contains(": this is not a socket"), "{text}");
}

#[test]
fn a_refusal_shows_the_detail_of_the_problem_document() {
    let problem = r#"{"type":"urn:x","title":"Bad seed","status":400,"detail":"'x' has no port"}"#;
    let (_folder, client, server) = answering(&http("400 Bad Request", problem));
    let error = smol::block_on(client.join(&["x".to_owned()])).expect_err("it was refused");
    assert_eq!(error.to_string(), "the agent refused: 'x' has no port");
    let asked = server.join().expect("the server has no reason to panic");
    assert!(asked.starts_with("POST /v1/join HTTP/1.1\r\n"), "{asked}");
    assert!(asked.ends_with(r#"{"seeds":["x"]}"#), "{asked}");
}

#[test]
fn an_answer_that_is_no_document_is_an_error() {
    let (_folder, client, _server) = answering(&http("200 OK", "<html>"));
    let error = smol::block_on(client.status()).expect_err("this is no status");
    assert!(matches!(error, ClientError::Unreadable { .. }), "{error}");
    let (_folder, client, _server) = answering(&http("502 Bad Gateway", "<html>"));
    let error = smol::block_on(client.status()).expect_err("this is no status");
    assert!(error.to_string().contains("502"), "{error}");
}

#[test]
fn an_answer_that_ends_early_is_an_error() {
    let (_folder, client, _server) = answering("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{");
    let error = smol::block_on(client.status()).expect_err("the answer is cut");
    assert!(matches!(error, ClientError::Broken { .. }), "{error}");
}

#[test]
fn an_agent_that_does_not_answer_is_not_waited_for_for_ever() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("a.sock");
    // Connections are accepted by the kernel, and nobody reads them.
    let _listener = UnixListener::bind(&path).expect("a socket can be bound");
    let client = Client::at(path).with_patience(Duration::from_millis(50));
    let error = smol::block_on(client.status()).expect_err("nobody answers");
    assert!(
        error.to_string().contains("did not answer within 50ms"),
        "{error}"
    );
}

#[test]
fn events_come_as_they_are_sent() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    let body = ": hi\n\nid: 7.1\nevent: member-left\ndata: {}\n\nid: 7.2\ndata: {}\n\n";
    let (_folder, client, server) = answering(&format!("{head}{body}"));
    let ids = smol::block_on(async {
        let types = ["member-left".to_owned(), "reset".to_owned()];
        let mut stream = client
            .events(Some("7.0"), &types)
            .await
            .expect("it is answered");
        let mut ids = Vec::new();
        while let Some(message) = stream.next().await {
            ids.extend(message.expect("the stream is whole").id);
        }
        ids
    });
    assert_eq!(ids, ["7.1", "7.2"]);
    let asked = server.join().expect("the server has no reason to panic");
    assert!(
        asked.starts_with("GET /v1/events?since=7.0&types=member-left%2Creset "),
        "{asked}"
    );
}

#[test]
fn anything_may_stand_in_a_path_or_a_query() {
    assert_eq!(percent_encoded("a-b_c.d~1"), "a-b_c.d~1");
    assert_eq!(percent_encoded("a/b c?é"), "a%2Fb%20c%3F%C3%A9");
    let query = [
        ("tag.k&".to_owned(), "v=1".to_owned()),
        ("name".to_owned(), "n".to_owned()),
    ];
    assert_eq!(with_query("/p", &query), "/p?tag.k%26=v%3D1&name=n");
    assert_eq!(with_query("/p", &[]), "/p");
}
