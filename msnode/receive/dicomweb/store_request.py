"""One STOW-RS request, from its head to the answer (PS3.18 10.5)."""

import re
from collections import Counter
from collections.abc import Iterator

from msnode import metrics
from msnode.audit import Node
from msnode.receive.association import COSTS, HERE
from msnode.receive.dicom.dimse_status import NOT_UNDERSTOOD, SUCCESS
from msnode.receive.dicomweb.http_refusal import HttpRefused
from msnode.receive.dicomweb.media_types import is_instance
from msnode.receive.dicomweb.multipart_related import BadMultipart, MultipartRelated
from msnode.receive.dicomweb.part10_part import Part10Part, Stored, reception_of
from msnode.receive.dicomweb.web_services import WebServices
from msnode.receive.inbox.reception import Announced, Reception
from msnode.receive.received_audit import ReceivedAudit
from msnode.records.uid_hash import uid_hash


class StoreRequest:
    """The instances of one request. The request is what an association is for C-STORE.

    Args:
        caller: the name of who sends.
        address: where it is.
        study: the StudyInstanceUID of the URL; None: any study.
        services: shared with all requests.

    Attributes:
        instances: what became of each.
    """

    def __init__(self, caller: str, address: str, study: str | None, services: WebServices) -> None:
        self.instances: list[Stored] = []
        self._caller = caller
        self._address = address
        self._study = study
        self._services = services
        self._part: Part10Part | None = None
        self._is_other = False  # a part that is no instance
        self._audit = ReceivedAudit(services.trail, Node(caller, address))
        self._sender = services.inbox.senders.begin(caller)

    def store(self, body: Iterator[bytes], boundary: bytes | None) -> None:
        """Take all instances of a body, and keep each as it is whole.

        Raises:
            HttpRefused: 400, the body is no multipart message; 413, it has too many parts. What
                came before stays: the client sends it again, and it is known then.
            Closed, Malformed: the connection ended before the request did.
        """
        is_whole = False
        try:
            if boundary is None:
                self._store_one(body)
            else:
                self._store_parts(body, boundary)
            is_whole = True
        except BadMultipart as error:
            raise HttpRefused(400, str(error), "multipart") from error
        finally:
            if self._part is not None:
                self._part.close()
            self._audit.close()
            self._sender.end(is_whole)

    def _store_one(self, body: Iterator[bytes]) -> None:
        self.begin("")
        for data in body:
            self.write(memoryview(data))
        self.end()

    def _store_parts(self, body: Iterator[bytes], boundary: bytes) -> None:
        parser = MultipartRelated(boundary, self)
        for data in body:
            parser.write(data)
        parser.finish()
        if not self.instances:
            raise BadMultipart("the body has no instance")

    def begin(self, content_type: str) -> None:
        """A part begins."""
        limit = self._services.receive.max_study_instances
        if len(self.instances) >= limit:
            why = "more instances than receive.max_study_instances in one request"
            raise HttpRefused(413, why, "max_study_instances")
        self._is_other = not is_instance(content_type)
        self._part = Part10Part(self._receive)

    def write(self, fragment: memoryview) -> None:
        """More of a part."""
        if self._part is not None and not self._is_other:
            self._part.write(fragment)

    def end(self) -> None:
        """A part is whole: keep the instance, count and audit it."""
        part, self._part = self._part, None
        if part is None:  # no part had begun
            return
        if self._is_other:
            stored = Stored("", "", NOT_UNDERSTOOD, "The part is no application/dicom", "failed")
        else:
            stored = part.finish()
        part.close()
        self._note(stored)
        self.instances.append(stored)

    def _receive(
        self, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str
    ) -> tuple[Announced, Reception]:
        """Receive what File Meta Information announces."""
        said, services = (sop_class_uid, sop_instance_uid, transfer_syntax_uid), self._services
        return reception_of(
            said,
            self._caller,
            services.accepted,
            services.receive,
            services.inbox,
            self._study,
        )

    def _note(self, stored: Stored) -> None:
        """Count and audit an instance, and let the client wait if it must."""
        services = self._services
        metrics.INSTANCES.labels(stored.outcome).inc()
        services.pace.wait(self._address, COSTS[stored.outcome])
        if stored.status != SUCCESS:
            services.guard.refuse_instance(
                self._address, self._caller, stored.status, stored.comment
            )
        if stored.limit:
            services.refuse(self._address, self._caller, stored.limit, "instance refused")
        if stored.header is not None:
            self._audit.add(stored.header, stored.outcome)
            if stored.outcome in HERE:
                self._sender.sends(uid_hash(stored.header.study_instance_uid))

    @property
    def counts(self) -> str:
        """For the log: how many instances had which outcome."""
        outcomes = Counter(one.outcome for one in self.instances)
        return " ".join(f"{name}={count}" for name, count in sorted(outcomes.items()))


def study_of(path: str) -> str | None:
    """The study that a path is for, None for any: ``/studies`` and ``/studies/STUDY``.

    Raises:
        HttpRefused: 404, it is neither.
    """
    found = re.fullmatch(r"/studies(?:/([0-9.]{1,64}))?/?", path)
    if found is None:
        raise HttpRefused(404, "POST to /studies or /studies/STUDY (PS3.18 10.5)")
    return found[1]
