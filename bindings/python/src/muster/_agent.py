"""A member inside of this process."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any, Mapping, Optional, Type, Union

from . import _lib
from ._client import LONG_PATIENCE, Client
from .errors import SettingsError

Setting = Union[str, int, bool, "list[str]", Mapping[str, str]]


class Agent:
    """A member that runs on threads of its own, whatever Python does meanwhile.

    Settings have the names of ``muster agent --help``; a list, a dict (``tags``), text, numbers and
    truth values stand as such. It takes no signals and writes no log. ``with`` leaves at the end.

    >>> with Agent(name="a", bind="127.0.0.1:0", socket=OTHER_SOCKET) as agent:
    ...     agent.client().member("a").is_self
    True
    """

    def __init__(self, *, start_timeout: Optional[float] = 30.0, **settings: Setting) -> None:
        lines = (f"{name} = {toml(name, value)}\n" for name, value in settings.items())
        self._handle: Any = _lib.made(
            "muster_agent",
            _lib.lib.muster_agent_start,
            _lib.given("".join(lines)),
            _lib.milliseconds(start_timeout),
        )

    @property
    def socket(self) -> str:
        """The path of its local socket."""
        return _lib.text(_lib.lib.muster_agent_socket(self._handle))

    def client(self) -> Client:
        """A client of it."""
        return Client(self.socket)

    def check(self) -> None:
        """Raises ``AgentEnded``, ``NameTaken`` or ``AgentFailed`` when it no longer runs."""
        _lib.done(_lib.lib.muster_agent_check, self._handle)

    def stop(self, timeout: Optional[float] = LONG_PATIENCE) -> None:
        """Says goodbye and ends; returns once it has."""
        _lib.done(_lib.lib.muster_agent_stop, self._handle, _lib.milliseconds(timeout))

    def kill(self) -> None:
        """Ends at once, without a goodbye: the others find it gone."""
        handle, self._handle = self._handle, _lib.ffi.NULL
        if handle:
            _lib.release(handle)

    def __enter__(self) -> "Agent":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if self._handle:
            try:
                self.stop()
            finally:
                self.kill()


def toml(name: str, value: Setting) -> str:
    """A setting's value as TOML.

    >>> toml("tags", {"role": "worker"}), toml("expect", 3), toml("non_voting", True)
    ('{"role" = "worker"}', '3', 'true')
    """
    if isinstance(value, (bool, int, str)):
        return json.dumps(value)
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(key)} = {json.dumps(text)}" for key, text in value.items())
        return "{" + ", ".join(pairs) + "}"
    try:
        return json.dumps(list(value))
    except TypeError:
        raise SettingsError(
            f"the setting {name} is {value!r}: give text, a number, a list or a dict"
        ) from None
