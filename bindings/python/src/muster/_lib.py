"""The C library, with its handles as objects and its statuses as exceptions."""

from __future__ import annotations

import contextlib
import json
import math
import os
import threading
from importlib import import_module
from typing import Any, Callable, Iterable, List, Optional, Tuple, TypeVar

from . import errors

# Made from the header: it has no types to import.
_native = import_module("muster._native")
ffi: Any = _native.ffi
lib: Any = _native.lib

T = TypeVar("T")

OK, AGAIN, TIMEOUT, INTERRUPTED = range(4)


def text(pointer: Any) -> str:
    """A text that a getter gave."""
    value: bytes = ffi.string(pointer)
    return value.decode("utf-8", "replace")


def given(value: Optional[str]) -> Any:
    """A text for an argument; NULL for none."""
    if value is None:
        return ffi.NULL
    if "\0" in value:
        raise errors.UsageError("a text with a zero byte cannot be passed to Muster")
    try:
        return ffi.new("char[]", value.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise errors.UsageError(f"{value!r} is no text: {error.reason}") from None


def seconds(timeout: Optional[float]) -> Optional[float]:
    """A patience; None for as long as it takes."""
    if timeout is None or timeout == math.inf:
        return None
    if math.isnan(timeout):
        raise errors.UsageError("the timeout is not a number: give seconds, or None for ever")
    return max(0.0, float(timeout))


def milliseconds(timeout: Optional[float]) -> int:
    """A patience as the library wants it."""
    patience = seconds(timeout)
    return -1 if patience is None else int(min(patience, 1e9) * 1000)


def fail(status: int, error: Any) -> errors.MusterError:
    """The exception for what a call came to; frees the error."""
    if error == ffi.NULL:
        return errors.from_status(status, text(lib.muster_status_text(status)))
    try:
        problem = lib.muster_error_problem(error)
        return errors.from_status(
            status,
            text(lib.muster_error_message(error)),
            None if problem == ffi.NULL else text(problem),
            int(lib.muster_error_http_status(error)),
        )
    finally:
        lib.muster_error_free(error)


def asked(function: Any, *arguments: Any) -> int:
    """Calls what only has a status; what asks to call again is no failure."""
    error = ffi.new("muster_error **")
    status = int(function(*arguments, error))
    if status == OK or (status in (AGAIN, TIMEOUT, INTERRUPTED) and error[0] == ffi.NULL):
        return status
    raise fail(status, error[0])


def attempt(kind: str, function: Any, *arguments: Any) -> Tuple[int, Any]:
    """Calls what gives a handle, or says to call again."""
    handle, error = ffi.new(kind + " **"), ffi.new("muster_error **")
    status = function(*arguments, handle, error)
    if status == OK:
        return OK, ffi.gc(handle[0], getattr(lib, kind + "_free"))
    if status in (AGAIN, TIMEOUT, INTERRUPTED) and error[0] == ffi.NULL:
        return int(status), None
    raise fail(status, error[0])


def made(kind: str, function: Any, *arguments: Any) -> Any:
    """Calls what gives a handle."""
    status, handle = attempt(kind, function, *arguments)
    if status != OK:
        raise errors.from_status(status, text(lib.muster_status_text(status)))
    return handle


class Closed(errors.UsageError):
    """What was asked is closed."""


class Owned:
    """A handle until it is closed. It is freed once no call of any thread uses it any more."""

    def __init__(self, what: str, handle: Any) -> None:
        self._what = what
        self._handle = handle

    @property
    def is_open(self) -> bool:
        return self._handle is not None

    def use(self) -> Any:
        """The handle, which lives at least as long as what is returned."""
        handle = self._handle
        if handle is None:
            raise Closed(f"this {self._what} is closed: make another one")
        return handle

    def close(self) -> None:
        self._handle = None


def patiently(call: Callable[[], T]) -> T:
    """Calls what may wait inside of the library, so that signal handlers run meanwhile, Ctrl-C's too.
    What an interrupted call makes later is let go of."""
    if threading.current_thread() is not threading.main_thread():
        return call()
    made: List[T] = []
    failed: List[BaseException] = []
    over = threading.Event()

    def run() -> None:
        try:
            made.append(call())
        except BaseException as error:  # For whoever waits.
            failed.append(error)
        finally:
            over.set()

    threading.Thread(target=run, name="muster-waits", daemon=True).start()
    over.wait()
    if failed:
        raise failed[0]
    return made[0]


def open_client(socket: Optional[str], timeout: Optional[float]) -> Any:
    """A client handle."""
    path, patience = given(socket), milliseconds(timeout)
    return patiently(lambda: made("muster_client", lib.muster_client_open, path, patience))


def body_of(response: Any) -> Any:
    """The JSON document of a response, or its text; None when it is empty."""
    body = ffi.buffer(lib.muster_response_body(response), lib.muster_response_length(response))
    content = bytes(body)
    if not content:
        return None
    if text(lib.muster_response_media_type(response)) == "application/json":
        with contextlib.suppress(ValueError):  # What is no JSON is told as the text it is.
            return json.loads(content)
    return content.decode("utf-8", "replace")


def path_of(socket: "Optional[str | bytes | os.PathLike[Any]]") -> Optional[str]:
    """A path as text."""
    if socket is None:
        return None
    path = os.fsdecode(socket)
    if not path:
        raise errors.UsageError("the path of the socket is empty: give one, or None")
    return path


def types_of(types: "Optional[str | Iterable[str]]") -> Any:
    """Types of events as the library wants them."""
    if types is None or isinstance(types, str):
        return given(types)
    return given(",".join(str(kind) for kind in types))
