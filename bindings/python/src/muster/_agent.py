"""A member inside of this process."""

from __future__ import annotations

import json
import os
from types import TracebackType
from typing import Mapping, Optional, Type, Union, cast

from . import _lib
from ._client import LONG_PATIENCE, Client, Deadline
from .errors import SettingsError, Silent

Setting = Union[str, int, bool, "os.PathLike[str]", "list[str]", Mapping[str, str]]

#: Milliseconds that the library waits in one go.
PART_MS = 50


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
        text, patience = _lib.given("".join(lines)), _lib.milliseconds(start_timeout)
        start = _lib.lib.muster_agent_start
        handle = _lib.patiently(lambda: _lib.made("muster_agent", start, text, patience))
        self._socket = _lib.text(_lib.lib.muster_agent_socket(handle))
        self._owned = _lib.Owned("agent", handle)
        self._process = os.getpid()

    @property
    def socket(self) -> str:
        """The path of its local socket."""
        return self._socket

    def client(self) -> Client:
        """A client of it."""
        return Client(self.socket)

    def check(self) -> None:
        """Raises ``AgentEnded``, ``NameTaken`` or ``AgentFailed`` when it no longer runs."""
        _lib.asked(_lib.lib.muster_agent_check, self._owned.use())

    def stop(self, timeout: Optional[float] = LONG_PATIENCE) -> None:
        """Says goodbye and ends; returns once it has."""
        deadline = Deadline(timeout)
        # In parts, so that signal handlers run meanwhile, and `kill` does what it says.
        while _lib.asked(_lib.lib.muster_agent_stop, self._owned.use(), PART_MS) != _lib.OK:
            if deadline.is_over:
                raise Silent(
                    f"the agent did not end within {timeout} s; its goodbye goes on, and kill() "
                    "ends it without one"
                )

    def kill(self) -> None:
        """Ends at once, without a goodbye: the others find it gone."""
        self._owned.close()

    def __enter__(self) -> "Agent":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        # A forked child has none: it stays the other process's.
        if self._owned.is_open and self._process == os.getpid():
            try:
                self.stop()
            finally:
                self.kill()


def toml(name: str, value: Setting) -> str:
    """A setting's value as TOML.

    >>> toml("tags", {"role": "worker"}), toml("expect", 3), toml("non_voting", True)
    ('{"role" = "worker"}', '3', 'true')
    """
    try:
        if isinstance(value, Mapping):
            pairs = (f"{scalar(key)} = {scalar(text)}" for key, text in value.items())
            return "{" + ", ".join(pairs) + "}"
        if isinstance(value, (bool, int, str, os.PathLike)):
            return scalar(value)
        return "[" + ", ".join(scalar(item) for item in value) + "]"
    except TypeError:
        raise SettingsError(
            f"the setting {name} is {value!r}: give text, a path, a number, a list or a dict"
        ) from None


def scalar(value: object) -> str:
    """One value as TOML. Texts are as in JSON, but for what is outside of the basic plane, and DEL.

    >>> scalar("ok 👍"), scalar(3), scalar(False)
    ('"ok 👍"', '3', 'false')
    """
    if isinstance(value, (bool, int)):
        return json.dumps(value)
    text = os.fsdecode(cast(str, value))
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
