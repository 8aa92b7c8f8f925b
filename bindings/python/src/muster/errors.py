"""What can go wrong, by kind. Every message says what happened, to what, and what to do next."""

from __future__ import annotations

from typing import Dict, Optional, Type


class MusterError(Exception):
    """Anything that Muster could not do. ``status`` is the stable number of ``muster.h``.

    >>> issubclass(NoAgent, MusterError)
    True
    """

    status: int = 0


class UsageError(MusterError, ValueError):
    """An argument cannot be taken."""

    status = 12


class NoAgent(MusterError, ConnectionError):
    """No agent listens there, or at any of the usual places: start one, or name another socket."""

    status = 20


class Denied(MusterError, PermissionError):
    """The system does not let this user connect to the socket."""

    status = 21


class NotMuster(MusterError):
    """What listens there is no Muster agent."""

    status = 22


class VersionMismatch(MusterError):
    """The agent is older or newer than this package, and lacks or changed what was asked for."""

    status = 23


class Broken(MusterError, ConnectionError):
    """The connection ended before the answer was complete: did the agent just stop?"""

    status = 24


class Silent(MusterError, TimeoutError):
    """The agent took the connection and did not answer in time."""

    status = 25


class Refused(MusterError):
    """The agent refused what was asked; ``problem`` says why, by a stable word.

    >>> Refused("no", "urn:muster:problem:no-such-member", 404).problem
    'no-such-member'
    """

    status = 26

    def __init__(self, message: str, problem: str = "", http_status: int = 0) -> None:
        super().__init__(message)
        self.problem = problem.rsplit(":", 1)[-1]
        self.http_status = http_status


class WrongUse(MusterError, RuntimeError):
    """A handle is used by two threads at once, or in another process than the one that made it."""

    status = 15


class SystemFailed(MusterError, OSError):
    """The system refuses what is needed, such as one more descriptor."""

    status = 27


class LibraryPanic(MusterError):
    """A mistake inside of Muster itself: please report it."""

    status = 13


class SettingsError(MusterError, ValueError):
    """Settings of an embedded agent are wrong: the message lists all that are."""

    status = 40


class NameTaken(MusterError):
    """A newer member has taken the name of the embedded agent: do not start it again."""

    status = 41


class AgentFailed(MusterError):
    """The embedded agent could not start, or had to end."""

    status = 42


class AgentEnded(MusterError):
    """The embedded agent has ended."""

    status = 43


_BY_STATUS: Dict[int, Type[MusterError]] = {
    10: UsageError,
    11: UsageError,
    12: UsageError,
    13: LibraryPanic,
    14: WrongUse,
    15: WrongUse,
    20: NoAgent,
    21: Denied,
    22: NotMuster,
    23: VersionMismatch,
    24: Broken,
    25: Silent,
    27: SystemFailed,
    40: SettingsError,
    41: NameTaken,
    42: AgentFailed,
    43: AgentEnded,
}


def from_status(
    status: int, message: str, problem: Optional[str] = None, http_status: int = 0
) -> MusterError:
    """The exception for a status of the library."""
    error: MusterError
    if status == 26:
        error = Refused(message, problem or "", http_status)
    elif status == 2:
        error = Silent(message)
    else:
        error = _BY_STATUS.get(status, MusterError)(message)
    if status != 2:
        error.status = status
    return error
