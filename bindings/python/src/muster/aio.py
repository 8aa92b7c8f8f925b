"""The client for asyncio: no thread, all of it on the loop."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, AsyncIterator, Dict, Iterable, Mapping, Optional, Type, TypeVar

from . import _lib, _questions, model
from ._client import LONG_PATIENCE, PATIENCE, REST, Path, event_from
from ._questions import Question
from .errors import Refused, Silent, UsageError

T = TypeVar("T")


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
        self, *, since: Optional[str] = None, types: Optional[Iterable[str]] = None
    ) -> "Events":
        """What happens after the cursor ``since``, or from now on; of these types, or of all."""
        listed = None if types is None else ",".join(str(kind) for kind in types)
        handle = _lib.made(
            "muster_events",
            _lib.lib.muster_client_watch,
            self._handle,
            _lib.given(since),
            _lib.given(listed),
        )
        return Events(handle)

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
        try:
            return await asyncio.wait_for(self._answer(question), timeout)
        except asyncio.TimeoutError:
            raise Silent(
                f"the agent at {self.socket} did not answer within {timeout} s; is it stopped or "
                "overloaded?"
            ) from None

    async def _answer(self, question: Question[T]) -> T:
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
                await asyncio.sleep(REST)
        descriptor = int(_lib.lib.muster_call_fd(call))
        try:
            while True:
                _, response = _lib.attempt("muster_response", _lib.lib.muster_call_take, call)
                if response is not None:
                    return question.answer(self.socket, response)
                await readable(descriptor)
        except Refused as refused:
            raise question.refused(self.socket, refused) from None
        finally:
            _lib.release(call)


class Events:
    """The events of an agent: ``async for event in client.watch()``. For one task at a time."""

    def __init__(self, handle: Any) -> None:
        self._handle: Any = handle

    async def next(self) -> model.Event:
        """The next event; waits for it."""
        while True:
            if self._handle is None:
                raise UsageError("this stream of events is closed: open another with watch()")
            _, event = _lib.attempt("muster_event", _lib.lib.muster_events_next, self._handle)
            if event is not None:
                return event_from(event)
            await readable(int(_lib.lib.muster_events_fd(self._handle)))

    def close(self) -> None:
        """Ends the stream; not while a task waits for it."""
        handle, self._handle = self._handle, None
        if handle is not None:
            _lib.release(handle)

    def __aiter__(self) -> AsyncIterator[model.Event]:
        return self

    async def __anext__(self) -> model.Event:
        if self._handle is None:
            raise StopAsyncIteration
        return await self.next()

    async def __aenter__(self) -> "Events":
        return self

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


async def readable(descriptor: int) -> None:
    """Returns when a descriptor is readable."""
    loop = asyncio.get_running_loop()
    ready: "asyncio.Future[None]" = loop.create_future()

    def on_ready() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(descriptor, on_ready)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)
