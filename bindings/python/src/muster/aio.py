"""The client for asyncio: no thread, all of it on the loop."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, AsyncIterator, Dict, Iterable, Mapping, Optional, Type, TypeVar

from . import _lib, _questions, model
from ._client import LONG_PATIENCE, PATIENCE, REST, App, Path
from ._client import Events as BlockingEvents
from ._questions import Question
from .errors import Refused, WrongUse

T = TypeVar("T")

#: Events that are here already and come without giving other tasks a turn.
AT_ONCE = 64


class Client:
    """As ``muster.Client``, with coroutines. Making one looks for the agent, which takes no time.

    >>> import asyncio
    >>> async def main():
    ...     client = Client(SOCKET)
    ...     return [member.name for member in await client.members()]
    >>> asyncio.run(main())
    ['n1']
    """

    def __init__(self, socket: Optional[Path] = None) -> None:
        self._handle = _lib.open_client(_lib.path_of(socket), 0.0)

    @property
    def socket(self) -> str:
        """The path of the agent's socket."""
        return _lib.text(_lib.lib.muster_client_socket(self._handle))

    async def members(
        self,
        *,
        state: Optional[str] = None,
        tags: Optional[Mapping[str, str]] = None,
        app: Optional[str] = None,
        at_least: Optional[int] = None,
        consistent: bool = False,
        timeout: Optional[float] = PATIENCE,
    ) -> model.Members:
        """The members, filtered."""
        question = _questions.members(state, tags, app, at_least, consistent)
        return await self._ask(question, timeout)

    async def member(self, name: str, *, timeout: Optional[float] = PATIENCE) -> model.Member:
        """One member."""
        return await self._ask(_questions.member(name), timeout)

    async def coordinator(
        self, *, wait: Optional[float] = None, timeout: Optional[float] = PATIENCE
    ) -> model.Coordinator:
        """Who decides now; ``wait`` is how many seconds to wait for one."""
        patience = None if timeout is None else timeout + (wait or 0.0)
        return await self._ask(_questions.coordinator(wait), patience)

    async def status(self, *, timeout: Optional[float] = PATIENCE) -> Dict[str, Any]:
        """The agent itself, as its document."""
        return await self._ask(_questions.status(), timeout)

    async def ring(self, *, timeout: Optional[float] = PATIENCE) -> Dict[str, Any]:
        """Who watches whom, as the agent's document."""
        return await self._ask(_questions.ring(), timeout)

    async def evidence(self, name: str, *, timeout: Optional[float] = PATIENCE) -> Dict[str, Any]:
        """Why a member was suspected or removed, as the agent's document."""
        return await self._ask(_questions.evidence(name), timeout)

    async def set_tag(self, key: str, value: str, *, timeout: Optional[float] = PATIENCE) -> None:
        """Publishes a tag of the agent's member, or changes it."""
        await self._ask(_questions.set_tag(key, value), timeout)

    async def remove_tag(self, key: str, *, timeout: Optional[float] = PATIENCE) -> None:
        """Publishes a tag no longer."""
        await self._ask(_questions.remove_tag(key), timeout)

    async def join(self, *seeds: str, timeout: Optional[float] = PATIENCE) -> None:
        """Joins a cluster through its members, ``host:port`` each."""
        await self._ask(_questions.join(seeds), timeout)

    async def leave(self, *, timeout: Optional[float] = LONG_PATIENCE) -> None:
        """Has the agent say goodbye and stop; returns once the others know."""
        await self._ask(_questions.leave(), timeout)

    async def remove(self, name: str, *, timeout: Optional[float] = LONG_PATIENCE) -> None:
        """Has the coordinator remove a member that is gone."""
        await self._ask(_questions.remove(name), timeout)

    async def attach(self, app: str, *, timeout: Optional[float] = PATIENCE) -> App:
        """Attaches an app. Only this call takes a thread, until the agent has answered."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, App, self._handle, app, timeout)

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: Optional[str] = None,
        timeout: Optional[float] = PATIENCE,
    ) -> Any:
        """Anything else that the local socket can do; its JSON document, or its text."""
        return await self._ask(_questions.anything(method, path, body, content_type), timeout)

    def watch(
        self, *, since: Optional[str] = None, types: "Optional[str | Iterable[str]]" = None
    ) -> "Events":
        """What happens after the cursor ``since``, or from now on; of these types, or of all."""
        return Events(BlockingEvents(self._handle, since, types))

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        return None

    async def _ask(self, question: Question[T], timeout: Optional[float]) -> T:
        patience = _lib.seconds(timeout)
        try:
            return await asyncio.wait_for(self._answer(question), patience)
        except asyncio.TimeoutError:
            raise _questions.silent(self.socket, patience) from None

    async def _answer(self, question: Question[T]) -> T:
        while True:
            call = question.begin(self._handle)
            if call is not None:
                try:
                    return question.answer(self.socket, await self._await(call))
                except Refused as refused:
                    error = question.refused(self.socket, refused)
                    if error is not None:
                        raise error from None
            await asyncio.sleep(REST)

    async def _await(self, call: Any) -> Any:
        descriptor = int(_lib.lib.muster_call_fd(call))
        while True:
            _, response = _lib.attempt("muster_response", _lib.lib.muster_call_take, call)
            if response is not None:
                return response
            await readable(descriptor, asyncio.get_running_loop().create_future())


class Events:
    """The events of an agent: ``async for event in client.watch()``. For one task at a time; any may
    close it."""

    def __init__(self, events: BlockingEvents) -> None:
        self._events = events
        self._waiting: "Optional[asyncio.Future[None]]" = None
        self._at_once = 0

    async def next(self) -> model.Event:
        """The next event; waits for it."""
        if self._waiting is not None:
            raise WrongUse("another task waits for an event of this stream: it is for one at a time")
        while True:
            event = self._events.next_now()
            if event is not None:
                self._at_once += 1
                return event
            self._at_once = 0
            # Held, so that nobody else gets its descriptor meanwhile.
            held = self._events.hold()
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await readable(int(_lib.lib.muster_events_fd(held)), self._waiting)
            finally:
                self._waiting = None

    @property
    def cursor(self) -> Optional[str]:
        """Where another stream would go on."""
        return self._events.cursor

    @property
    def is_connected(self) -> bool:
        """Whether the agent is connected now."""
        return self._events.is_connected

    def close(self) -> None:
        """Ends the stream, also of a task that waits for an event."""
        self._events.close()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def __aiter__(self) -> AsyncIterator[model.Event]:
        return self

    async def __anext__(self) -> model.Event:
        if self._at_once >= AT_ONCE:
            self._at_once = 0
            await asyncio.sleep(0)
        try:
            return await self.next()
        except _lib.Closed:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> "Events":
        return self

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


async def readable(descriptor: int, ready: "asyncio.Future[None]") -> None:
    """Returns when a descriptor is readable, or somebody says so."""
    loop = asyncio.get_running_loop()

    def on_ready() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(descriptor, on_ready)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)
