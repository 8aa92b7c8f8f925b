"""The blocking client."""

from __future__ import annotations

import json
import os
import select
import time
from types import TracebackType
from typing import Any, Dict, Iterable, Iterator, Mapping, Optional, Type, TypeVar, Union

from . import _lib, _questions, model
from ._questions import Question
from .errors import Refused, Silent, UsageError

T = TypeVar("T")
Path = Union[str, "os.PathLike[str]"]

#: Seconds that an answer is waited for, unless told otherwise.
PATIENCE = 10.0

#: Seconds that a goodbye, or a decision of the coordinator, may take.
LONG_PATIENCE = 65.0

#: Seconds until an agent whose queue of connections is full is asked again.
REST = 0.02


class Client:
    """A way to one agent, for any number of threads.

    ``socket`` is the path of its socket; without one it is looked for at ``MUSTER_SOCKET`` and the
    usual places. ``wait`` is how many seconds to wait for an agent to come up.

    >>> with Client(SOCKET) as client:
    ...     [member.name for member in client.members()]
    ['n1']
    """

    def __init__(self, socket: Optional[Path] = None, *, wait: float = 0.0) -> None:
        self._handle = _lib.open_client(_lib.path_of(socket), wait)

    @property
    def socket(self) -> str:
        """The path of the agent's socket."""
        return _lib.text(_lib.lib.muster_client_socket(self._handle))

    def members(
        self,
        *,
        state: Optional[str] = None,
        tags: Optional[Mapping[str, str]] = None,
        app: Optional[str] = None,
        at_least: Optional[int] = None,
        consistent: bool = False,
        timeout: Optional[float] = PATIENCE,
    ) -> model.Members:
        """The members, filtered. ``consistent`` asks the coordinator first, ``at_least`` waits for
        a view."""
        return self._ask(_questions.members(state, tags, app, at_least, consistent), timeout)

    def member(self, name: str, *, timeout: Optional[float] = PATIENCE) -> model.Member:
        """One member."""
        return self._ask(_questions.member(name), timeout)

    def coordinator(
        self, *, wait: Optional[float] = None, timeout: Optional[float] = PATIENCE
    ) -> model.Coordinator:
        """Who decides now; ``wait`` is how many seconds to wait for one."""
        patience = None if timeout is None else timeout + (wait or 0.0)
        return self._ask(_questions.coordinator(wait), patience)

    def status(self, *, timeout: Optional[float] = PATIENCE) -> Dict[str, Any]:
        """The agent itself, as its document."""
        return self._ask(_questions.status(), timeout)

    def ring(self, *, timeout: Optional[float] = PATIENCE) -> Dict[str, Any]:
        """Who watches whom, as the agent's document."""
        return self._ask(_questions.ring(), timeout)

    def evidence(self, name: str, *, timeout: Optional[float] = PATIENCE) -> Dict[str, Any]:
        """Why a member was suspected or removed, as the agent's document."""
        return self._ask(_questions.evidence(name), timeout)

    def set_tag(self, key: str, value: str, *, timeout: Optional[float] = PATIENCE) -> None:
        """Publishes a tag of the agent's member, or changes it."""
        self._ask(_questions.set_tag(key, value), timeout)

    def remove_tag(self, key: str, *, timeout: Optional[float] = PATIENCE) -> None:
        """Publishes a tag no longer."""
        self._ask(_questions.remove_tag(key), timeout)

    def join(self, *seeds: str, timeout: Optional[float] = PATIENCE) -> None:
        """Joins a cluster through its members, ``host:port`` each. Returns at once."""
        self._ask(_questions.join(seeds), timeout)

    def leave(self, *, timeout: Optional[float] = LONG_PATIENCE) -> None:
        """Has the agent say goodbye and stop; returns once the others know."""
        self._ask(_questions.leave(), timeout)

    def remove(self, name: str, *, timeout: Optional[float] = LONG_PATIENCE) -> None:
        """Has the coordinator remove a member that is gone."""
        self._ask(_questions.remove(name), timeout)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: Optional[str] = None,
        timeout: Optional[float] = PATIENCE,
    ) -> Any:
        """Anything else that the local socket can do; its JSON document, or its text.

        >>> Client(SOCKET).request("GET", "/v1/coordinator?wait=true")["name"]
        'n1'
        """
        return self._ask(_questions.anything(method, path, body, content_type), timeout)

    def watch(
        self, *, since: Optional[str] = None, types: Optional[Iterable[str]] = None
    ) -> "Events":
        """What happens after the cursor ``since``, or from now on; of these types, or of all."""
        return Events(self, since, types)

    def attach(self, app: str, *, timeout: Optional[float] = PATIENCE) -> "App":
        """Attaches an app: all members are told that it is up, and at once when it is not."""
        return App(self, app, timeout)

    def close(self) -> None:
        """Nothing is held; for ``with``."""

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def _ask(self, question: Question[T], timeout: Optional[float]) -> T:
        # In Python, so that Ctrl-C and signal handlers are not held up.
        deadline = Deadline(timeout)
        call: Any = None
        while call is None:
            _, call = _lib.attempt(
                "muster_call",
                _lib.lib.muster_client_call,
                self._handle,
                _lib.given(question.method),
                _lib.given(question.path),
                _lib.given(question.content_type),
                _lib.given(question.body),
            )
            if call is None:
                deadline.check(self.socket)
                time.sleep(REST)
        try:
            while True:
                _, response = _lib.attempt("muster_response", _lib.lib.muster_call_take, call)
                if response is not None:
                    return question.answer(self.socket, response)
                deadline.check(self.socket)
                deadline.wait(int(_lib.lib.muster_call_fd(call)))
        except Refused as refused:
            raise question.refused(self.socket, refused) from None
        finally:
            _lib.release(call)


class Deadline:
    """A point in time until which is waited, or none."""

    def __init__(self, timeout: Optional[float]) -> None:
        self._timeout = timeout
        self._end = None if timeout is None else time.monotonic() + timeout

    @property
    def is_over(self) -> bool:
        return self._end is not None and time.monotonic() >= self._end

    def check(self, socket: str) -> None:
        """Raises when it is over."""
        if self.is_over:
            raise Silent(
                f"the agent at {socket} did not answer within {self._timeout} s; is it stopped or "
                "overloaded?"
            )

    def wait(self, descriptor: int) -> None:
        """Returns when a descriptor is readable, or the time is over."""
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        left = None if self._end is None else max(0.0, self._end - time.monotonic())
        poller.poll(None if left is None else left * 1000 + 1)


class Events:
    """The events of an agent: an iterator that ends with ``close``, or never.

    It connects again by itself and goes on where it was; what is lost for good, as when the agent
    restarts, is told by a ``Reset``. For one thread at a time.
    """

    def __init__(
        self, client: Client, since: Optional[str], types: Optional[Iterable[str]]
    ) -> None:
        listed = None if types is None else ",".join(str(kind) for kind in types)
        handle = client._handle  # pyright: ignore[reportPrivateUsage]
        self._handle: Any = _lib.made(
            "muster_events",
            _lib.lib.muster_client_watch,
            handle,
            _lib.given(since),
            _lib.given(listed),
        )

    def fileno(self) -> int:
        """A descriptor for select and the like: readable when ``next_now`` may have an event."""
        return -1 if self._handle is None else int(_lib.lib.muster_events_fd(self._handle))

    def next_now(self) -> Optional[model.Event]:
        """The next event, if one is here."""
        if self._handle is None:
            raise UsageError("this stream of events is closed: open another with watch()")
        status, event = _lib.attempt(
            "muster_event", _lib.lib.muster_events_next, self._handle
        )
        return event_from(event) if status == _lib.OK else None

    def wait(self, timeout: Optional[float] = None) -> Optional[model.Event]:
        """The next event; None when none came within so many seconds."""
        deadline = Deadline(timeout)
        while True:
            event = self.next_now()
            if event is not None or deadline.is_over:
                return event
            deadline.wait(self.fileno())

    @property
    def cursor(self) -> Optional[str]:
        """Where another stream would go on."""
        response = _lib.made("muster_response", _lib.lib.muster_events_cursor, self._handle)
        cursor = _lib.body_of(response)
        return None if cursor is None else str(cursor)

    @property
    def is_connected(self) -> bool:
        """Whether the agent is connected now."""
        return self._handle is not None and bool(
            _lib.lib.muster_events_is_connected(self._handle)
        )

    def close(self) -> None:
        """Ends the stream."""
        handle, self._handle = self._handle, None
        if handle is not None:
            _lib.release(handle)

    def __iter__(self) -> Iterator[model.Event]:
        return self

    def __next__(self) -> model.Event:
        event = None if self._handle is None else self.wait()
        if event is None:
            raise StopIteration
        return event

    def __enter__(self) -> "Events":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


class App:
    """An app that is up until it is closed or the process ends."""

    def __init__(self, client: Client, app: str, timeout: Optional[float]) -> None:
        handle = client._handle  # pyright: ignore[reportPrivateUsage]
        self._handle: Any = _lib.made(
            "muster_attached",
            _lib.lib.muster_client_attach,
            handle,
            _lib.given(app),
            _lib.ffi.NULL,
            _lib.milliseconds(timeout),
        )

    def check(self) -> None:
        """Raises when the app is no longer attached, as after a restart of the agent."""
        _lib.done(_lib.lib.muster_attached_check, self._handle)

    def close(self) -> None:
        """Detaches it."""
        handle, self._handle = self._handle, None
        if handle is not None:
            _lib.release(handle)

    def __enter__(self) -> "App":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


def event_from(handle: Any) -> model.Event:
    """An event of the library as a value."""
    event = model.event_of(json.loads(_lib.ffi.string(_lib.lib.muster_event_json(handle))))
    _lib.release(handle)
    return event
