"""The blocking client beside real sidecars."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import muster
from muster import EventType, State


def test_members_tags_and_the_coordinator(sidecar: Any) -> None:
    client = sidecar.client()
    client.set_tag("rôle", "wörker")
    (me,) = client.members(tags={"rôle": "wörker"})
    assert (me.name, me.state, me.verdict, me.is_self) == ("n1", State.ALIVE, muster.Verdict.UP, True)
    assert me.tags == {"rôle": "wörker"} and me.since.tzinfo is not None
    assert client.members().get("n1") == client.member("n1") and hash(me)
    assert client.coordinator().is_self and client.coordinator().epoch > 0
    assert client.status()["cluster"] == "test" and "buddies" in client.ring()
    client.remove_tag("rôle")
    assert client.member("n1").tags == {}
    assert client.request("PUT", "/v1/tags/a%20b", "x", content_type="text/plain") is None


def test_a_refusal_has_its_stable_word(sidecar: Any) -> None:
    with pytest.raises(muster.Refused, match="nobody") as caught:
        sidecar.client().member("nobody")
    assert (caught.value.problem, caught.value.http_status) == ("no-such-member", 404)
    assert caught.value.status == 26


def test_events_follow_exactly_from_the_list(sidecar: Any) -> None:
    client = sidecar.client()
    cursor = client.members().cursor
    for value in range(100):
        client.set_tag("n", str(value))
    with client.watch(since=cursor, types=[EventType.MEMBER_UPDATED]) as events:
        for value, event in zip(range(100), events):
            assert event.type is EventType.MEMBER_UPDATED
            assert event.member.tags["n"] == str(value)
        assert events.wait(0.05) is None and events.next_now() is None
        assert events.cursor == client.members().cursor and events.is_connected
    assert list(events) == [] and events.fileno() == -1
    with pytest.raises(muster.UsageError):
        events.next_now()


def test_a_killed_sidecar_that_starts_again_is_a_reset(sidecar: Any) -> None:
    with sidecar.client().watch() as events:
        assert events.wait(0.2) is None
        sidecar.kill()
        assert events.wait(0.2) is None and not events.is_connected
        sidecar.start()
        for event in events:
            if isinstance(event, muster.Reset):
                assert event.reason == "other-origin"
                assert [member.name for member in event.members] == ["n1"]
                break


def test_an_app_is_up_as_long_as_it_is_held(sidecar: Any) -> None:
    client = sidecar.client()
    with client.watch(since=client.members().cursor, types=["app-up", "app-down"]) as events:
        with client.attach("web") as app:
            app.check()
            up = events.wait(10)
            assert up is not None and (up.type, up.app) == (EventType.APP_UP, "web")
        down = events.wait(10)
        assert down is not None and (down.type, down.cause) == (EventType.APP_DOWN, "lost")


@pytest.mark.parametrize("make, error", [("none", muster.NoAgent), ("file", muster.NotMuster)])
def test_what_is_no_socket(tmp_path: Path, make: str, error: Any) -> None:
    path = tmp_path / "x.sock"
    if make == "file":
        path.write_text("no socket")
    with pytest.raises(error, match=str(path)):
        muster.Client(path)


def test_arguments_that_cannot_be_taken(sidecar: Any) -> None:
    client = sidecar.client()
    for path in ["no-slash", "/a b", "/a\r\nx: y", "/a\0b"]:
        with pytest.raises(muster.UsageError):
            client.request("GET", path)


class Peer(threading.Thread):
    """Listens as an agent would, and answers each connection with the next of its answers."""

    def __init__(self, path: Path, *answers: bytes) -> None:
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.answers = answers
        self.start()

    def run(self) -> None:
        for answer in self.answers:
            connection = self.listener.accept()[0]
            with connection, contextlib.suppress(OSError):  # Who only looked has hung up.
                connection.recv(1000)
                connection.sendall(answer)
                if answer == b"":
                    connection.recv(1)


HTML = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>"
CUT = b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{"
MEMBERS = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"members\":[]}"
UNKNOWN = (
    b"HTTP/1.1 404 Not Found\r\ncontent-type: application/problem+json\r\n\r\n"
    b'{"type":"urn:muster:problem:no-such-route","detail":"no such path here"}'
)


@pytest.mark.parametrize(
    "answer, error",
    [
        (b"220 ESMTP\r\n", muster.NotMuster),
        (HTML, muster.NotMuster),
        (CUT, muster.Broken),
        (b"", muster.Silent),
        (MEMBERS, muster.VersionMismatch),
        (UNKNOWN, muster.VersionMismatch),
    ],
)
def test_peers_that_are_no_agent_of_ours(tmp_path: Path, answer: bytes, error: Any) -> None:
    path = tmp_path / "x.sock"
    Peer(path, b"x", answer, b"x")
    client = muster.Client(path)
    with pytest.raises(error):
        client.members(timeout=0.5)


def test_ctrl_c_ends_a_wait(sidecar: Any) -> None:
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.3, signal.pthread_kill, [main, signal.SIGINT])
    timer.start()
    start = time.monotonic()
    with sidecar.client().watch(types=["app-up"]) as events, pytest.raises(KeyboardInterrupt):
        events.wait(20)
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("kind", ["client", "agent"])
def test_ctrl_c_ends_what_waits_inside_of_the_library(tmp_path: Path, kind: str) -> None:
    def wait() -> None:
        if kind == "client":
            muster.Client(tmp_path / "none", wait=20)
        else:
            muster.Agent(bind="0.0.0.0:0", join=["nowhere.invalid:1"], plaintext="send", start_timeout=20)

    main = threading.main_thread().ident
    assert main is not None
    threading.Timer(0.3, signal.pthread_kill, [main, signal.SIGINT]).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        wait()
    assert time.monotonic() - start < 10


def test_another_thread_ends_a_stream(sidecar: Any) -> None:
    events = sidecar.client().watch(types="app-up")
    with contextlib.ExitStack() as at_end:
        at_end.callback(events.close)
        threading.Timer(0.3, events.close).start()
        assert list(events) == []
    with pytest.raises(muster.UsageError, match="closed"):
        events.next_now()
    assert events.fileno() == -1


def test_streams_that_are_closed_in_the_middle_of_calls(sidecar: Any) -> None:
    client = sidecar.client()
    since = client.members().cursor
    for _ in range(200):
        events = client.watch(since=since)
        reader = threading.Thread(target=lambda stream: list(stream), args=[events])
        reader.start()
        events.close()
        reader.join(20)
        assert not reader.is_alive()


def test_exceptions_of_signal_handlers_lose_no_event(sidecar: Any) -> None:
    class Now(Exception):
        pass

    def interrupt(*_: Any) -> None:
        raise Now

    client = sidecar.client()
    with client.watch(since=client.members().cursor, types="member-updated") as events:
        for number in range(300):
            client.set_tag("n", str(number))
        before = signal.signal(signal.SIGALRM, interrupt)
        seen = []
        try:
            while not seen or seen[-1] != "299":
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0.0007)
                    event = events.wait(20)
                    signal.setitimer(signal.ITIMER_REAL, 0)
                except Now:
                    continue
                assert event is not None and event.member is not None
                seen.append(event.member.tags["n"])
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
    # What was a value when the handler raised is gone as any value would be: a few of them.
    assert len(seen) > 250


@pytest.mark.parametrize("timeout", [float("inf"), 1e12, None])
def test_patience_without_end(sidecar: Any, timeout: Any) -> None:
    assert len(sidecar.client().members(timeout=timeout)) == 1


def test_what_is_no_number_no_text_or_no_path(sidecar: Any) -> None:
    client = sidecar.client()
    for mistake in [
        lambda: client.members(timeout=float("nan")),
        lambda: client.set_tag("k", "\ud800"),
        lambda: muster.Client(""),
    ]:
        with pytest.raises(muster.UsageError) as caught:
            mistake()
        assert caught.value.status == 12
