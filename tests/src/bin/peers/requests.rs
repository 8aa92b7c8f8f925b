//! How many lists of all members a local client gets in a second, one request after the other on
//! one connection.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rmpv::Value;

/// Requests in a second for the members at a sidecar's socket; `members` must be in each answer.
pub(crate) fn of_muster(socket: &Path, span: Duration, members: usize) -> io::Result<f64> {
    let stream = UnixStream::connect(socket)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    rate(span, || {
        writer.write_all(b"GET /v1/members HTTP/1.1\r\nHost: muster\r\n\r\n")?;
        let (mut length, mut line) = (0, String::new());
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(invalid)?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let names = body.windows(7).filter(|at| at == b"\"name\":").count();
        enough(names, members)
    })
}

/// Requests in a second for the members at the RPC address of a Serf agent, from inside its
/// namespace: the caller has to be there already.
pub(crate) fn of_serf(address: Ipv4Addr, span: Duration, members: usize) -> io::Result<f64> {
    let stream = TcpStream::connect((address, 7373))?;
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    send(&mut writer, "handshake", 0, &[("Version", Value::from(1))])?;
    read(&mut reader)?;
    let mut number = 0;
    rate(span, || {
        number += 1;
        send(&mut writer, "members", number, &[])?;
        read(&mut reader)?;
        let body = read(&mut reader)?;
        let list = body["Members"].as_array().map_or(0, Vec::len);
        enough(list, members)
    })
}

/// Runs this program again in the namespace of a process, to ask Serf there.
pub(crate) fn of_serf_at(process: u32, address: Ipv4Addr, span: Duration, members: usize) -> f64 {
    let program = std::env::current_exe().expect("the kernel knows a running program");
    let output = Command::new("nsenter")
        .args(["--target", &process.to_string(), "--net", "--no-fork", "--"])
        .arg(program)
        .args(["ask-serf", &address.to_string()])
        .args([span.as_millis().to_string(), members.to_string()])
        .output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    text.trim().parse().unwrap_or(f64::INFINITY)
}

fn rate(span: Duration, mut ask: impl FnMut() -> io::Result<()>) -> io::Result<f64> {
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < span {
        ask()?;
        count += 1;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

fn enough(found: usize, members: usize) -> io::Result<()> {
    match found >= members {
        true => Ok(()),
        false => Err(invalid(format!("{found} of {members} members"))),
    }
}

fn send(
    writer: &mut TcpStream,
    command: &str,
    number: u64,
    body: &[(&str, Value)],
) -> io::Result<()> {
    let mut message = Vec::new();
    let map = |pairs: &[(&str, Value)]| {
        let pairs = pairs.iter();
        Value::Map(
            pairs
                .map(|(key, value)| (Value::from(*key), value.clone()))
                .collect(),
        )
    };
    let head = [
        ("Command", Value::from(command)),
        ("Seq", Value::from(number)),
    ];
    rmpv::encode::write_value(&mut message, &map(&head)).map_err(invalid)?;
    if !body.is_empty() {
        rmpv::encode::write_value(&mut message, &map(body)).map_err(invalid)?;
    }
    writer.write_all(&message)
}

fn read(reader: &mut impl Read) -> io::Result<Value> {
    rmpv::decode::read_value(reader).map_err(invalid)
}

fn invalid(why: impl ToString) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why.to_string())
}
