use std::net::TcpListener;
use std::thread;

use smol::channel::bounded;

use super::*;

const STREAM: StreamId = StreamId(1);

/// Streams on an executor of their own, with what they tell.
struct Room {
    executor: Rc<LocalExecutor<'static>>,
    streams: Streams,
    inputs: Receiver<Input>,
}

impl Room {
    fn new() -> Room {
        let executor = Rc::new(LocalExecutor::new());
        let (sender, inputs) = bounded(4);
        let streams = Streams::new(Rc::clone(&executor), sender);
        Room {
            executor,
            streams,
            inputs,
        }
    }

    /// The next thing told about [`STREAM`].
    fn next(&self) -> StreamInput {
        let next = async {
            let told = self.inputs.recv().await.expect("the streams keep a sender");
            let Input::Stream(STREAM, input) = told else {
                panic!("not about it: {told:?}")
            };
            input
        };
        let late = async {
            Timer::after(Duration::from_secs(20)).await;
            panic!("nothing was told")
        };
        smol::block_on(self.executor.run(next.or(late)))
    }

    /// A stream to a listener, and the listener's end of it.
    fn connected(&mut self) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        self.streams
            .connect(STREAM, listener.local_addr().expect("bound"));
        assert!(matches!(self.next(), StreamInput::Connected));
        listener.accept().expect("it connected").0
    }
}

#[test]
fn a_port_where_nobody_listens_refuses() {
    let mut room = Room::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("bound");
    drop(listener);
    room.streams.connect(STREAM, addr);
    assert!(matches!(
        room.next(),
        StreamInput::Closed(StreamEnd::Refused)
    ));
}

#[test]
fn another_failure_is_no_refusal() {
    let mut room = Room::new();
    // A stream to a broadcast address cannot be.
    room.streams
        .connect(STREAM, "255.255.255.255:1".parse().expect("an address"));
    assert!(matches!(
        room.next(),
        StreamInput::Closed(StreamEnd::Failed)
    ));
}

#[test]
fn bytes_come_in_order_and_then_the_end() {
    let mut room = Room::new();
    let mut peer = room.connected();
    let sent: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    let writer = {
        let sent = sent.clone();
        thread::spawn(move || peer.write_all(&sent).map(drop))
    };
    let mut came = Vec::new();
    loop {
        match room.next() {
            StreamInput::Data(chunk) => came.extend_from_slice(&chunk.bytes),
            StreamInput::Closed(end) => break assert_eq!(end, StreamEnd::Closed),
            StreamInput::Connected => panic!("connected twice"),
        }
    }
    assert_eq!(came, sent);
    writer.join().expect("no panic").expect("written");
}

#[test]
fn a_closed_stream_sends_what_waits_first() {
    let mut room = Room::new();
    let mut peer = room.connected();
    let sent = vec![7; 8 * 1024 * 1024];
    room.streams.send(STREAM, sent.clone());
    room.streams.close(STREAM);
    assert_eq!(room.streams.len(), 0);
    let reader = thread::spawn(move || {
        let mut came = Vec::new();
        peer.read_to_end(&mut came).map(|_| came)
    });
    let all_sent = async {
        while !reader.is_finished() {
            Timer::after(Duration::from_millis(1)).await;
        }
    };
    smol::block_on(room.executor.run(all_sent));
    assert_eq!(
        reader
            .join()
            .expect("no panic")
            .expect("an orderly end")
            .len(),
        sent.len()
    );
    assert_eq!(room.streams.waiting.get(), 0);
}

#[test]
fn a_peer_that_says_no_more_still_gets_its_answer() {
    let mut room = Room::new();
    let mut peer = room.connected();
    peer.shutdown(Shutdown::Write).expect("open");
    assert!(matches!(
        room.next(),
        StreamInput::Closed(StreamEnd::Closed)
    ));
    room.streams.send(STREAM, b"answer".to_vec());
    room.streams.close(STREAM);
    let reader = thread::spawn(move || {
        let mut came = String::new();
        peer.read_to_string(&mut came).map(|_| came)
    });
    let answered = async {
        while !reader.is_finished() {
            Timer::after(Duration::from_millis(1)).await;
        }
    };
    smol::block_on(room.executor.run(answered));
    assert_eq!(
        reader.join().expect("no panic").expect("an orderly end"),
        "answer"
    );
}

#[test]
fn a_peer_that_takes_nothing_loses_its_stream() {
    let mut room = Room::new();
    let _silent = room.connected();
    let chunk = vec![0; 1024 * 1024];
    for _ in 0..=STREAM_BYTES / chunk.len() {
        room.streams.send(STREAM, chunk.clone());
    }
    assert_eq!(room.streams.len(), 0);
    assert!(matches!(
        room.next(),
        StreamInput::Closed(StreamEnd::Closed)
    ));
    assert_eq!(room.streams.waiting.get(), 0, "nothing is kept");
}

#[test]
fn closing_a_stream_that_is_being_opened_gives_it_up() {
    let mut room = Room::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    room.streams
        .connect(STREAM, listener.local_addr().expect("bound"));
    room.streams.close(STREAM);
    while room.executor.try_tick() {}
    assert_eq!(room.streams.lingering.get(), 0);
    assert!(room.inputs.is_empty(), "nothing is told of it");
}

#[test]
fn chunks_that_were_not_applied_hold_the_senders_back() {
    let mut room = Room::new();
    let mut peer = room.connected();
    peer.set_nonblocking(true).expect("open");
    let chunk = vec![0; 1024 * 1024];
    let mut kept = Vec::new();
    while kept.len() < CHUNKS {
        let _ = peer.write(&chunk);
        let StreamInput::Data(chunk) = room.next() else {
            panic!("no bytes came")
        };
        kept.push(chunk);
    }
    let _ = peer.write(&chunk);
    while room.executor.try_tick() {}
    assert!(room.inputs.is_empty(), "no permit is left");
    kept.pop();
    assert!(matches!(room.next(), StreamInput::Data(_)), "one is back");
}
