"""The blocking client."""

from __future__ import annotations

import json
import os
import select
import threading
import time
from types import TracebackType
from typing import Any, Dict, Iterable, Iterator, Mapping, Optional, Type, TypeVar, Union

from . import _lib, _questions, model
from ._questions import Question
from .errors import Refused, VersionMismatch, WrongUse

T = TypeVar("T")
C = TypeVar("C", bound="Closing")
Path = Union[str, bytes, "os.PathLike[str]"]

#: Seconds that an answer is waited for, unless told otherwise.
PATIENCE = 10.0

#: Seconds that a goodbye, or a decision of the coordinator, may take.
LONG_PATIENCE = 65.0

#: Seconds until an agent whose queue of connections is full is asked again.
REST = 0.02

#: Seconds that a system call waits at most: what is longer is waited for in parts.
LONGEST = 86_400.0


class Closing:
    """What ``with`` closes at its end."""

    def close(self) -> None:
        """Nothing is held; for ``with``."""

    def __enter__(self: C) -> C:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


class Client(Closing):
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
        self, *, since: Optional[str] = None, types: "Optional[str | Iterable[str]]" = None
    ) -> "Events":
        """What happens after the cursor ``since``, or from now on; of these types, or of all."""
        return Events(self._handle, since, types)

    def attach(self, app: str, *, timeout: Optional[float] = PATIENCE) -> "App":
        """Attaches an app: all members are told that it is up, and at once when it is not. It is up
        as long as what is returned is held."""
        return App(self._handle, app, timeout)

    def _ask(self, question: Question[T], timeout: Optional[float]) -> T:
        # In Python, so that Ctrl-C and signal handlers are not held up.
        deadline = Deadline(timeout)
        while True:
            call = question.begin(self._handle)
            if call is not None:
                try:
                    return question.answer(self.socket, self._await(call, deadline))
                except Refused as refused:
                    error = question.refused(self.socket, refused)
                    if error is not None:
                        raise error from None
            deadline.check(self.socket)
            time.sleep(REST)

    def _await(self, call: Any, deadline: "Deadline") -> Any:
        while True:
            _, response = _lib.attempt("muster_response", _lib.lib.muster_call_take, call)
            if response is not None:
                return response
            deadline.check(self.socket)
            deadline.wait(int(_lib.lib.muster_call_fd(call)))


class Deadline:
    """A point in time until which is waited, or none."""

    def __init__(self, timeout: Optional[float]) -> None:
        self._timeout = _lib.seconds(timeout)
        self._end = None if self._timeout is None else time.monotonic() + self._timeout

    @property
    def is_over(self) -> bool:
        return self._end is not None and time.monotonic() >= self._end

    def check(self, socket: str) -> None:
        """Raises when it is over."""
        if self.is_over:
            raise _questions.silent(socket, self._timeout)

    def wait(self, *descriptors: int) -> None:
        """Returns when one of the descriptors is readable, the time is over, or a long while is."""
        poller = select.poll()
        for descriptor in descriptors:
            poller.register(descriptor, select.POLLIN)
        left = LONGEST if self._end is None else max(0.0, self._end - time.monotonic())
        poller.poll(min(left, LONGEST) * 1000 + 1)


class Bell:
    """Wakes those who wait, once and for all."""

    def __init__(self) -> None:
        self.descriptor, self._writing = os.pipe()

    def ring(self) -> None:
        os.write(self._writing, b"!")

    def __del__(self) -> None:
        os.close(self.descriptor)
        os.close(self._writing)


class Events(Closing):
    """The events of an agent: an iterator that ends with ``close``, or never.

    Once it is connected it connects again by itself and goes on where it was; what is lost for good,
    as when the agent restarts, is told by a ``Reset``. For one thread at a time; any may close it.
    """

    def __init__(
        self, client: Any, since: Optional[str], types: "Optional[str | Iterable[str]]"
    ) -> None:
        handle = _lib.made(
            "muster_events",
            _lib.lib.muster_client_watch,
            client,
            _lib.given(since),
            _lib.types_of(types),
        )
        self._owned = _lib.Owned("stream of events", handle)
        # An event stays in it until it is a value: an exception of a signal handler loses none.
        self._slot = _lib.ffi.new("muster_event **")
        self._turn = threading.Lock()
        self._bell: Optional[Bell] = None

    def fileno(self) -> int:
        """A descriptor for select and the like: readable when ``next_now`` may have an event."""
        return int(_lib.lib.muster_events_fd(self._owned.use())) if self._owned.is_open else -1

    def next_now(self) -> Optional[model.Event]:
        """The next event, if one is here."""
        if not self._turn.acquire(blocking=False):
            raise WrongUse("another thread takes an event of this stream: it is for one at a time")
        try:
            return self._take(self._owned.use())
        finally:
            self._turn.release()

    def _take(self, handle: Any) -> Optional[model.Event]:
        slot = self._slot
        if slot[0] == _lib.ffi.NULL:
            _lib.asked(_lib.lib.muster_events_next, handle, slot)
        if slot[0] == _lib.ffi.NULL:
            return None
        try:
            event = event_from(slot[0])
        except Exception:
            # Given once: else the stream would not get past it.
            _drop(slot)
            raise
        _drop(slot)
        return event

    def wait(self, timeout: Optional[float] = None) -> Optional[model.Event]:
        """The next event; None when none came within so many seconds."""
        deadline = Deadline(timeout)
        while True:
            event = self.next_now()
            if event is not None or deadline.is_over:
                return event
            bell = self._bell = self._bell or Bell()
            # Held, so that nobody else gets its descriptor meanwhile.
            handle = self._owned.use()
            deadline.wait(int(_lib.lib.muster_events_fd(handle)), bell.descriptor)

    @property
    def cursor(self) -> Optional[str]:
        """Where another stream would go on."""
        handle = self._owned.use()
        response = _lib.made("muster_response", _lib.lib.muster_events_cursor, handle)
        return _lib.body_of(response) or None

    @property
    def is_connected(self) -> bool:
        """Whether the agent is connected now."""
        return self._owned.is_open and bool(
            _lib.lib.muster_events_is_connected(self._owned.use())
        )

    def hold(self) -> Any:
        """What keeps the stream's descriptor as long as it is held."""
        return self._owned.use()

    def close(self) -> None:
        """Ends the stream, also of a thread that waits for an event."""
        self._owned.close()
        if self._bell is not None:
            self._bell.ring()

    def __iter__(self) -> Iterator[model.Event]:
        return self

    def __next__(self) -> model.Event:
        try:
            event = self.wait()
        except _lib.Closed:
            event = None
        if event is None:
            raise StopIteration
        return event


class App(Closing):
    """An app that is up until it is closed, nobody holds this any more, or the process ends."""

    def __init__(self, client: Any, app: str, timeout: Optional[float]) -> None:
        name, patience = _lib.given(app), _lib.milliseconds(timeout)
        attach, nothing = _lib.lib.muster_client_attach, _lib.ffi.NULL
        handle = _lib.patiently(
            lambda: _lib.made("muster_attached", attach, client, name, nothing, patience)
        )
        self._owned = _lib.Owned("app", handle)

    def check(self) -> None:
        """Raises when the app is no longer attached, as after a restart of the agent."""
        _lib.asked(_lib.lib.muster_attached_check, self._owned.use())

    def close(self) -> None:
        """Detaches it."""
        self._owned.close()


def event_from(handle: Any) -> model.Event:
    """An event of the library as a value."""
    text = _lib.text(_lib.lib.muster_event_json(handle))
    try:
        return model.event_of(json.loads(text))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise VersionMismatch(
            f"an event of the agent cannot be read ({error!r}): update the older of the agent and "
            f"this package; it was {text}"
        ) from error


def _drop(slot: Any) -> None:
    event, slot[0] = slot[0], _lib.ffi.NULL
    _lib.lib.muster_event_free(event)
