use super::{Decoder, Request};

#[test]
fn an_answer_ends_with_its_head_where_it_has_no_body() {
    let length = "content-length: 5\r\n\r\n";
    let cases = [
        ("GET", "200 OK", length, false),
        ("GET", "200 OK", "\r\n", false),
        ("HEAD", "200 OK", length, true),
        ("head", "404 Not Found", length, true),
        ("HEAD", "200 OK", "transfer-encoding: chunked\r\n\r\n", true),
        ("HEAD", "200 OK", "\r\n", true),
        ("PUT", "204 No Content", "\r\n", true),
        ("PUT", "204 No Content", length, true),
        ("GET", "304 Not Modified", length, true),
    ];
    for (method, status, headers, is_done) in cases {
        let mut decoder = Decoder::new(method);
        let answer = format!("HTTP/1.1 {status}\r\n{headers}");
        let pushed = decoder.push(answer.as_bytes(), &mut Vec::new());
        pushed.expect("it is HTTP");
        assert_eq!(decoder.is_done(), is_done, "{method}: {answer}");
    }
}

#[test]
fn a_content_type_has_parameters_and_no_line_end() {
    let encoded = |media_type| {
        let body = Some((media_type, &b"x"[..]));
        let request = Request {
            method: "PUT",
            target: "/",
            body,
        };
        request.encode()
    };
    let bytes = encoded("text/plain; charset=utf-8").expect("it may be sent");
    let text = String::from_utf8(bytes).expect("it is text");
    assert!(
        text.contains("\r\ncontent-type: text/plain; charset=utf-8\r\n"),
        "{text}"
    );
    for refused in ["", " ", "text/plain\r\nx: y", "a\tb", "é"] {
        assert!(encoded(refused).is_err(), "{refused:?}");
    }
}
