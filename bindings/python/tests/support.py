"""Real sidecars for the tests: `MUSTER_BIN` is the binary."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional

import pytest

import muster


class Sidecar:
    """A sidecar on loopback that can be killed and started again."""

    def __init__(self, folder: Path, name: str, *more: str) -> None:
        self.name = name
        self.socket = str(folder / f"{name}.sock")
        self._more = more
        self.process: Optional["subprocess.Popen[bytes]"] = None
        self.start()

    def start(self) -> None:
        binary = os.environ["MUSTER_BIN"]
        command = [binary, "agent", "--bind=127.0.0.1:0", "--cluster=test", "--preset=local"]
        command += [f"--name={self.name}", f"--socket={self.socket}", "--exit-with-parent"]
        self.process = subprocess.Popen([*command, *self._more], stdout=subprocess.DEVNULL)
        muster.Client(self.socket, wait=20)

    def client(self) -> muster.Client:
        return muster.Client(self.socket)

    @property
    def addr(self) -> str:
        return self.client().member(self.name).addr

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Callable[..., Sidecar]]:
    """Starts sidecars, each joined to the first."""
    sidecars: List[Sidecar] = []

    def start(name: str, *more: str) -> Sidecar:
        join = [f"--join={sidecars[0].addr}"] if sidecars else []
        sidecars.append(Sidecar(tmp_path, name, *join, *more))
        return sidecars[-1]

    yield start
    for sidecar in sidecars:
        sidecar.kill()


@pytest.fixture
def sidecar(cluster: Callable[..., Sidecar]) -> Sidecar:
    """One sidecar that decides for itself."""
    one = cluster("n1")
    one.client().coordinator(wait=20)
    return one


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """What runs in the background of a shell ignores Ctrl-C, and Python keeps to that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def names_of_doctests(request: pytest.FixtureRequest, doctest_namespace: Dict[str, Any]) -> None:
    """What the docstrings call SOCKET and OTHER_SOCKET."""
    if type(request.node).__name__ == "DoctestItem":
        doctest_namespace["SOCKET"] = request.getfixturevalue("sidecar").socket
        folder = request.getfixturevalue("tmp_path")
        doctest_namespace["OTHER_SOCKET"] = str(folder / "other.sock")


def eventually(check: Callable[[], Any], patience: float = 20.0) -> Any:
    """What `check` gives, once that is something."""
    end = time.monotonic() + patience
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.02)
