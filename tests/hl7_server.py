"""A foreign HL7 v2 system that takes results: hl7apy's MLLP server."""

import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from hl7apy.core import Message
from hl7apy.mllp import AbstractHandler, MLLPServer


@dataclass
class Ris:
    """Answers with one code after the other, then with AA; use as a context manager.

    Attributes:
        port: it listens on.
        answers: codes of its next answers.
        received: the messages that came.
    """

    port: int = 0
    answers: list[str] = field(default_factory=list)
    received: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        running = self

        class Handler(AbstractHandler):
            def reply(self) -> str:
                return running.answer(self.incoming_message)

        self._server = MLLPServer("127.0.0.1", 0, {"ORU^R01^ORU_R01": (Handler,)})
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, message: str) -> str:
        """Take a message; returns its acknowledgment as a block."""
        self.received.append(message)
        answer = Message("ACK", version="2.5.1")
        answer.msa.msa_1 = self.answers.pop(0) if self.answers else "AA"
        answer.msa.msa_2 = message.split("|")[9]
        return str(answer.to_mllp())
