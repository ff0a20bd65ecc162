"""Stop a process at a named point, by SIGKILL or together with the power of its disk.

Only tests import this: a program under test runs in a process that arms a `Stop` first, so the
program itself has no switch for it. A point is a place before or after a call that changes the
disk, the database or what the peer knows; ``torn`` stops in the midst of a write.
"""

import fcntl
import itertools
import os
import signal
import stat
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32)
NO_LOG_FLUSH = 2  # EXT4_GOING_FLAGS_NOLOGFLUSH: what the journal has not on the disk is lost


def cut_power(folder: Path) -> None:
    """The file system that a folder is on takes and gives nothing more, as without power.

    What it had not written to its device by now is lost. Kernel sources: fs/ext4/ioctl.c; the
    tests of Linux' file systems (xfstests, godown) do the same.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Call:
    """A function that a point lies before or after.

    Attributes:
        owner: where it is looked up, ``module`` or ``module:Class``; imported when a stop is armed.
        name: in there.
        is_meant: of a call's arguments.
    """

    owner: str
    name: str
    is_meant: Callable[..., bool] = lambda *_, **__: True

    def place(self) -> Any:
        """The module or class that holds it."""
        module, _, name = self.owner.partition(":")
        found = import_module(module)
        return getattr(found, name) if name else found


def _is_file(descriptor: int, *_: object) -> bool:
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def _is_folder(descriptor: int, *_: object) -> bool:
    return stat.S_ISDIR(os.fstat(descriptor).st_mode)


def _makes_part(path: object, flags: int, *_: object, **__: object) -> bool:
    return bool(flags & os.O_CREAT) and str(path).endswith(".part")


RECEIVING = {
    "create": Call("os", "open", _makes_part),
    "write": Call("os", "write", _is_file),
    "mkdir": Call("os", "mkdir"),
    "link": Call("os", "link"),
    "fsync": Call("os", "fsync", _is_file),
    "fsync-folder": Call("os", "fsync", _is_folder),
    "commit": Call("sqlalchemy.engine.default:DefaultDialect", "do_commit"),
    "unlink": Call("os", "unlink"),
    "answer": Call("msnode.receive.dicom.upper_layer:Connection", "send_command"),
}
WORKING = {
    "prepare": Call("msnode.flow:Flow", "prepare"),
    "outline": Call("msnode.flow:Flow", "outline"),
    "classify": Call("msnode.flow:Flow", "classify"),
    "report": Call("msnode.flow:Flow", "report"),
    "enqueue": Call("dbos:DBOS", "enqueue_workflow"),
    "deliver": Call("msnode.flow:Flow", "deliver"),
    "receipt": Call("msnode.store.receipts:Receipts", "save"),
    "finish": Call("msnode.flow:Flow", "finish"),
}
FETCHING = {
    "found": Call("msnode.store.prior_searches:PriorSearches", "found"),
    "asks": Call("msnode.store.prior_searches:PriorSearches", "asks"),
    "fetched": Call("msnode.receive.inbox.fetched:Fetched", "store"),
    "came": Call("msnode.store.prior_searches:PriorSearches", "came"),
    "told": Call("msnode.store.prior_searches:PriorSearches", "told"),
    "looked": Call("msnode.store.prior_searches:PriorSearches", "looked"),
    "search": Call("msnode.engine.durable:Engine", "search"),
    "submit": Call("msnode.engine.durable:Engine", "submit"),
    "release": Call("msnode.engine.durable:Engine", "release"),
    "revise": Call("msnode.service.upkeep", "revise"),
    "again": Call("dbos:DBOS", "enqueue_workflow"),
}
STOWING = {
    "answer-http": Call("msnode.receive.dicomweb.http_connection:HttpConnection", "answer"),
}
UPLOADING = {
    "answer-page": Call("msnode.pages.admin.upload_page", "answer"),
}
TELLING = {
    "event": Call("msnode.service.message_intake", "take"),
    "record": Call("msnode.store.message_log", "add"),
    "commit": RECEIVING["commit"],
    "answer-hl7": Call("msnode.receive.mllp.mllp_connection:MllpConnection", "answer"),
}
MESSAGING = {
    "written": Call("msnode.flow.result_files:ResultFiles", "_write_message"),
    "report": Call("msnode.flow:Flow", "report"),
    "message": Call("msnode.deliver.mllp_sender", "_exchanged"),
    "receipt": Call("msnode.store.receipts:Receipts", "save"),
}
CALLS = RECEIVING | WORKING | FETCHING | STOWING | UPLOADING | TELLING | MESSAGING
POINTS = (*(f"{when} {name}" for name in RECEIVING for when in ("before", "after")), "torn write")
"""Where the receive path can be stopped."""
STOW_POINTS = tuple(point.replace("answer", "answer-http") for point in POINTS)
"""The same, where instances come by HTTP."""
UPLOAD_POINTS = tuple(point.replace("answer", "answer-page") for point in POINTS)
"""The same, where people upload them."""


@dataclass(frozen=True, slots=True)
class Stop:
    """When a process stops.

    Attributes:
        point: ``before``, ``after`` or ``torn``, and a name of CALLS.
        count: at which passage of the point, from 1.
        power: a folder whose file system loses its power then; None: only the process dies.
    """

    point: str
    count: int = 1
    power: Path | None = None

    def arm(self) -> None:
        """From now on this process, when it passes the point for the ``count``-th time, stops."""
        when, name = self.point.split()
        call = CALLS[name]
        place = call.place()
        real = getattr(place, call.name)
        lock, passed = threading.Lock(), itertools.count(1)

        def is_now(*args: Any, **kwargs: Any) -> bool:
            with lock:
                return call.is_meant(*args, **kwargs) and next(passed) == self.count

        def stopping(*args: Any, **kwargs: Any) -> Any:
            now = is_now(*args, **kwargs)
            if now and when == "torn":
                descriptor, data = args
                real(descriptor, data[: len(data) // 2])
            if now and when != "after":
                self._stop()
            try:
                return real(*args, **kwargs)
            finally:
                if now:
                    self._stop()

        setattr(place, call.name, stopping)

    def _stop(self) -> None:
        if self.power is not None:
            cut_power(self.power)
        os.kill(os.getpid(), signal.SIGKILL)
