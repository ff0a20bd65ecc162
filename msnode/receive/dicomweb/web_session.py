"""One HTTP connection, from the TLS handshake to its end, handled by one thread."""

import contextlib
import json
import logging
import ssl
from collections.abc import Iterator

import h11

from msnode import metrics
from msnode.receive.access.policy import Peer
from msnode.receive.association import OVERDUE
from msnode.receive.dicomweb import fhir_request
from msnode.receive.dicomweb.fhir_request import Intake
from msnode.receive.dicomweb.http_connection import Closed, Headers, HttpConnection, Malformed
from msnode.receive.dicomweb.http_refusal import HttpRefused
from msnode.receive.dicomweb.media_types import ANSWER, boundary_of, check_accept
from msnode.receive.dicomweb.store_answer import RETRY_AFTER_S, UNAVAILABLE, body_of, status_of
from msnode.receive.dicomweb.store_request import StoreRequest, study_of
from msnode.receive.dicomweb.web_services import WebServices
from msnode.store.disk_space import Level
from msnode.tls import names_of

log = logging.getLogger(__name__)

LATER = (("Retry-After", str(RETRY_AFTER_S)),)
SOON = (("Retry-After", "5"),)


class WebSession:
    """Answers the requests of one connection.

    Args:
        connection: the client's.
        peer: where it is; its certificate is looked at after the handshake.
        services: what it shares with all others.
    """

    def __init__(self, connection: HttpConnection, peer: Peer, services: WebServices) -> None:
        self.connection = connection
        self.is_idle = True
        self.is_stopping = False
        self._served = False
        self._is_fhir = False
        self._peer = peer
        self._caller = ""
        self._services = services

    def run(self) -> None:
        """Serve until the connection ends; nothing the client does raises an error."""
        try:
            self._services.pace.wait(self._peer.address)
            self.connection.shake_hands()
            self._peer = Peer(self._peer.address, names_of(self.connection.socket))
            self._serve()
        except Closed as over:
            is_pooled = self._served and self.is_idle and self.connection.is_silent
            if (end := str(over)) in OVERDUE and not is_pooled:
                self._refuse(OVERDUE[end], "too slow" if end == "timeout" else "too long")
            if not self.is_idle:
                metrics.STOW_REQUESTS.labels("broken").inc()
        except OSError as error:
            if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
                self._refuse("tls", str(error.reason))

    def stop(self) -> None:
        """End the connection as soon as no request is under way; called by another thread."""
        self.is_stopping = True
        if self.is_idle:
            self.connection.interrupt()

    def _serve(self) -> None:
        """Answer request after request."""
        stays = True
        while stays and not self.is_stopping:
            self.is_idle = True
            try:
                request = self.connection.request()
                if request is None:
                    return
                self.is_idle = False
                status, headers, body = self._answer(request)
            except Malformed as error:
                self._refuse("http", "no HTTP/1.1")
                status, headers, body = _problem(HttpRefused(error.status, str(error)))
            if self.is_stopping:
                headers = (*headers, ("Connection", "close"))
            requests = metrics.FHIR_REQUESTS if self._is_fhir else metrics.STOW_REQUESTS
            requests.labels(str(status)).inc()
            stays = self.connection.answer(status, headers, body)
            self._served = True

    def _answer(self, request: h11.Request) -> tuple[int, Headers, bytes]:
        """Do what a request asks for."""
        clinical = self._services.clinical
        self._is_fhir = clinical is not None and fhir_request.is_fhir(request.target)
        try:
            if clinical is not None and self._is_fhir:
                return self._tell(request, clinical)
            return self._store(request)
        except HttpRefused as refused:
            if refused.rule:
                self._refuse(refused.rule, str(refused.reason))
            else:
                self._services.pace.wait(self._peer.address)
            return fhir_request.problem(refused) if self._is_fhir else _problem(refused)

    def _tell(self, request: h11.Request, clinical: Intake) -> tuple[int, Headers, bytes]:
        """Take a Bundle, if it may come; what it says is logged by who takes it."""
        given = {bytes(name): value.decode("latin-1") for name, value in request.headers}
        self._caller = ""
        authorization = given.get(b"authorization", "")
        self._caller = self._services.policy.admit(authorization, self._peer, "fhir")
        fhir_request.check(request, given, clinical)
        with self._place():
            return fhir_request.answer(request, self.connection.body(), self._caller, clinical)

    def _store(self, request: h11.Request) -> tuple[int, Headers, bytes]:
        """Store the instances of a request, if it may and can."""
        given = {bytes(name): value.decode("latin-1") for name, value in request.headers}
        self._caller = ""
        self._caller = self._services.policy.admit(given.get(b"authorization", ""), self._peer)
        study = study_of(request.target.partition(b"?")[0].decode("latin-1"))
        if request.method != b"POST":
            raise HttpRefused(405, "instances are stored by POST", headers=(("Allow", "POST"),))
        content = given.get(b"content-type", ""), given.get(b"content-encoding", "")
        boundary = boundary_of(*content)
        check_accept(given.get(b"accept", ""))
        with self._place():
            store = StoreRequest(self._caller, self._peer.address, study, self._services)
            try:
                store.store(self.connection.body(), boundary)
            finally:
                self._report(store)
        status = status_of(store.instances)
        more = LATER if status == UNAVAILABLE else ()
        return status, (("Content-Type", ANSWER), *more), body_of(store.instances)

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        """One of the places for requests, for the time of a ``with`` block."""
        services, address = self._services, self._peer.address
        if services.inbox.room.level() == Level.FULL:
            raise HttpRefused(503, "less room than receive.min_free_bytes", "min_free_bytes", LATER)
        if not services.places.enter(address):
            raise HttpRefused(503, "too many requests at once", "max_associations", SOON)
        try:
            yield
        finally:
            services.places.leave(address)

    def _refuse(self, rule: str, why: str) -> None:
        self._services.refuse(self._peer.address, self._caller, rule, why)

    def _report(self, store: StoreRequest) -> None:
        """Log what became of a request; its URL and its body are the patient's."""
        address, caller = self._peer.address, self._caller
        log.info("stow request peer=%s caller=%r %s", address, caller, store.counts)


def _problem(refused: HttpRefused) -> tuple[int, Headers, bytes]:
    """The answer to a request that is refused as a whole (RFC 9457)."""
    told = {"status": refused.status, "detail": str(refused.reason)}
    kind = ("Content-Type", "application/problem+json")
    return refused.status, (kind, *refused.headers), json.dumps(told).encode()
