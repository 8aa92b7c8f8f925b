"""Members inside of this process."""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
from pathlib import Path
from typing import Any, List

import pytest

import muster
from muster import Agent, EventType
from muster.model import Event


def settings(folder: Path, name: str) -> "dict[str, Any]":
    return {
        "name": name,
        "cluster": "test",
        "bind": "127.0.0.1:0",
        "socket": str(folder / f"{name}.sock"),
        "preset": "local",
    }


def await_event(events: muster.Events, kind: EventType, name: str) -> Event:
    while True:
        event = events.wait(20)
        assert event is not None, f"no {kind} of {name}"
        if event.type is kind and event.member is not None and event.member.name == name:
            return event


def test_one_joins_shows_its_tags_and_leaves(tmp_path: Path, sidecar: Any) -> None:
    with sidecar.client().watch() as events:
        own = settings(tmp_path, "a")
        with Agent(**own, join=[sidecar.addr], tags={"role": "worker"}) as agent:
            up = await_event(events, EventType.MEMBER_UP, "a")
            assert up.member is not None and up.member.tags == {"role": "worker"}
            agent.check()
            listed = subprocess.run(
                [os.environ["MUSTER_BIN"], "members", "--socket", agent.socket],
                capture_output=True,
                check=True,
            )
            assert b"role=worker" in listed.stdout
        await_event(events, EventType.MEMBER_LEFT, "a")


def test_one_that_is_killed_is_found_dead(tmp_path: Path, sidecar: Any) -> None:
    with sidecar.client().watch() as events:
        agent = Agent(**settings(tmp_path, "a"), join=[sidecar.addr])
        await_event(events, EventType.MEMBER_UP, "a")
        agent.kill()
        assert await_event(events, EventType.MEMBER_DEAD, "a").cause == "convicted"


def test_mistakes_are_told_all_at_once(tmp_path: Path) -> None:
    with pytest.raises(muster.SettingsError) as caught:
        Agent(**settings(tmp_path, "a"), probes=3, period="0s")
    assert "probes" in str(caught.value) and "period" in str(caught.value)
    with pytest.raises(muster.SettingsError, match="expect"):
        Agent(expect=None)  # type: ignore[arg-type]
    with pytest.raises(muster.AgentFailed, match="socket"):
        Agent(**{**settings(tmp_path, "a"), "socket": "/nowhere/a.sock"})


def test_a_held_interpreter_kills_nobody(tmp_path: Path, sidecar: Any) -> None:
    """For 5 s no other Python code runs, in the process of an embedded member."""
    with sidecar.client().watch() as events:
        with Agent(**settings(tmp_path, "a"), join=[sidecar.addr]) as agent:
            await_event(events, EventType.MEMBER_UP, "a")
            ctypes.PyDLL(None).sleep(5)
            agent.check()
            seen = [event.type for event in iter(lambda: events.wait(0.2), None)]
            gone = {EventType.MEMBER_SUSPECT, EventType.MEMBER_UNREACHABLE, EventType.MEMBER_DEAD}
            assert not gone.intersection(seen), seen
            assert sidecar.client().member("a").state is muster.State.ALIVE


def test_a_member_that_left_by_itself_says_so(tmp_path: Path) -> None:
    agent = Agent(**settings(tmp_path, "a"))
    agent.client().leave()
    agent.stop()
    with pytest.raises(muster.AgentEnded):
        agent.check()
    agent.kill()


def test_settings_are_paths_and_any_text(tmp_path: Path) -> None:
    own = {**settings(tmp_path, "a"), "socket": tmp_path / "a.sock"}
    with Agent(**own, tags={"note": 'ok 👍 "\\"'}) as agent:
        assert agent.client().member("a").tags == {"note": 'ok 👍 "\\"'}


def test_one_that_is_killed_while_it_says_goodbye(tmp_path: Path) -> None:
    agent = Agent(**settings(tmp_path, "a"))
    outcome: List[BaseException] = []

    def stop() -> None:
        try:
            agent.stop()
        except muster.MusterError as error:
            outcome.append(error)

    threads = [threading.Thread(target=stop) for _ in range(4)]
    for thread in threads:
        thread.start()
    agent.kill()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert all(isinstance(error, muster.UsageError) for error in outcome), outcome
    with pytest.raises(muster.UsageError, match="closed"):
        agent.check()


def test_a_forked_child_leaves_the_member_alone(tmp_path: Path) -> None:
    with Agent(**settings(tmp_path, "a")) as agent:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                agent.__exit__(None, None, None)
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        agent.check()


def test_a_control_character_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(muster.SettingsError, match="tags.note"):
        Agent(**settings(tmp_path, "a"), tags={"note": "\x7f"})
