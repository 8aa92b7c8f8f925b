//! Streams that this node asked for: opened, sealed if all is, and then used for what they are for.

use super::super::outputs::Action;
use super::super::{Node, Timer};
use super::{Purpose, StreamEnd, StreamId};
use crate::detector::StreamProbe;
use crate::limits;
use crate::time::Time;
use crate::wire::sealing::Channel;
use crate::wire::{Frame, encode_frame};

impl Node {
    /// A stream that this node asked for is open.
    pub fn handle_stream_connected(&mut self, stream: StreamId, now: Time) {
        self.enter(now);
        let Some(open) = self.streams.open.get_mut(&stream) else {
            return;
        };
        let insists = matches!(open.purpose, Purpose::Keys(_));
        let (channel, first) = Channel::call(&mut self.seal, insists);
        open.channel = channel;
        let is_open = open.channel.is_open();
        if let Purpose::Probe { seq } = open.purpose {
            // The kernel accepts it, whatever the process does.
            self.on_stream_probe(seq, StreamProbe::Accepted, now);
        }
        if is_open {
            return self.on_stream_open(stream, now);
        }
        self.actions.push_back(Action::Send {
            stream,
            bytes: first,
        });
        self.keep_stream(stream, now);
    }

    /// A stream that this node asked for can be spoken on: that is done which it is for.
    pub(super) fn on_stream_open(&mut self, stream: StreamId, now: Time) {
        let Some(open) = self.streams.open.get(&stream) else {
            return;
        };
        match &open.purpose {
            Purpose::Probe { seq } => {
                let seq = *seq;
                let Some(round) = self.probes.get(seq) else {
                    return;
                };
                let (cluster, target) = (self.cluster.clone(), round.instance);
                let ping: Frame = Frame::Ping {
                    cluster,
                    target,
                    seq,
                };
                self.send_frame(stream, &ping);
            }
            Purpose::Pull(_) => {
                let frame = encode_frame(&self.pull_frame());
                self.send_bytes(stream, [frame]);
            }
            Purpose::Catch(_) => {
                let frame = self.catch_frame();
                self.send_frame(stream, &frame);
            }
            Purpose::Letter(frame) => {
                let frame = frame.clone();
                self.send_bytes(stream, [frame]);
                return self.end_stream(stream, StreamEnd::Closed, true, now);
            }
            Purpose::Link { to } => {
                let to = to.clone();
                self.introduce(stream, &to);
                self.set_timer(Timer::Stream(stream), now + limits::STREAM_IDLE);
            }
            Purpose::Keys(_) => self.offer_keys(stream, now),
            Purpose::Serve(_) | Purpose::Linked { .. } => return,
        }
        self.keep_stream(stream, now);
    }
}
