"""Looks at the conditions now and then, and tells each mail server and chat what is new.

What was told is kept in a file, so that a node that is started again and again does not tell the
same again and again.
"""

import logging
import threading
import time
from functools import partial

from msnode import metrics
from msnode.config import Config, Notices
from msnode.errors import origin
from msnode.notices import chat, mail
from msnode.notices.conditions import Conditions
from msnode.notices.receiver import Receiver, Send, Told
from msnode.store.files import decode, encode, replacing

log = logging.getLogger(__name__)

LOOK_S = 15.0
"""Between two looks."""
STOP_S = 2.0
"""How long a stop waits for a notice under way."""


def senders(config: Notices) -> dict[str, Send]:
    """What sends to each mail server and chat, by a name for metrics and the log."""
    mails = {f"mail-{n}": partial(mail.send, mail=one) for n, one in enumerate(config.mail, 1)}
    chats = {f"chat-{n}": partial(chat.send, chat=one) for n, one in enumerate(config.chat, 1)}
    return {**mails, **chats}


class Watch(threading.Thread):
    """Tells what is wrong until it is stopped.

    Args:
        config: of the node.
        role: this process's part of the node's work; hosts and processes keep files of their own.
    """

    def __init__(self, config: Config, role: str) -> None:
        super().__init__(name="notices", daemon=True)
        self._file = config.data / f"notices-{config.name}-{role}.json"
        self._conditions = Conditions()
        known = self._read()
        self._receivers = [
            Receiver(name, send, config.name, config.notices, known.get(name, {}))
            for name, send in senders(config.notices).items()
        ]
        self._stopping = threading.Event()

    def run(self) -> None:
        """One look after the other."""
        while not self._stopping.wait(LOOK_S):
            try:
                self.look(time.time())
            except Exception as error:  # noqa: BLE001 - the next look must come
                log.error("looking for what is wrong failed error=%s at=%s", *origin(error))

    def look(self, now: float) -> None:
        """Tell what there is to tell.

        Args:
            now: unix time in seconds.
        """
        problems = self._conditions.problems(now)
        told = [receiver.look(problems, now) for receiver in self._receivers]
        if any(told):
            self._keep()

    def stop(self) -> None:
        """Wait for a notice under way, but not for long."""
        self._stopping.set()
        if self.is_alive():
            self.join(STOP_S)

    def _read(self) -> dict[str, dict[str, Told]]:
        """What was told before the start; nothing where the file cannot be read."""
        try:
            return decode(self._file.read_bytes(), dict[str, dict[str, Told]])
        except FileNotFoundError:
            return {}
        except Exception as error:  # noqa: BLE001 - at worst something is told twice
            log.warning("what was told cannot be read error=%s", type(error).__name__)
            return {}

    def _keep(self) -> None:
        try:
            with replacing(self._file) as file:
                file.write(encode({one.name: one.told for one in self._receivers}))
        except OSError as error:  # a full disk is what is being told
            log.warning("what was told cannot be kept error=%s", type(error).__name__)


def start(config: Config, role: str) -> Watch | None:
    """Begin to watch, where there is anybody to tell."""
    if not (config.notices.mail or config.notices.chat):
        return None
    watch = Watch(config, role)
    for name in senders(config.notices):
        for outcome in ("sent", "failed"):
            metrics.NOTICES.labels(name, outcome)
    watch.start()
    return watch
