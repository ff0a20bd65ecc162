"""What `msnode check` looks at before a node is started: all that would keep it from working."""

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from msnode import audit, classify, lesions
from msnode.classify.device import choose
from msnode.cli.own_ports import free_or_ours, is_running
from msnode.config import (
    Classify,
    ClientKey,
    Config,
    Destination,
    DicomPeer,
    DicomSource,
    Dicomweb,
    FhirServer,
    Folder,
    Hl7,
    Hl7Destination,
    HttpServer,
    PriorSource,
    Receive,
    StowServer,
    Syslog,
    Tls,
    Webhook,
    WebSource,
    peer_of,
)
from msnode.config.destination import under
from msnode.config.overlaps import is_listened_on, itself
from msnode.config.tls_files import unreadable_file
from msnode.deliver import mllp_sender
from msnode.deliver.stow import try_out
from msnode.deliver.verification import negotiate
from msnode.errors import ConfigError, MsnodeError
from msnode.fetch import web_way
from msnode.fetch.retrieve import GET, MOVE
from msnode.notices.notice import trial
from msnode.notices.watch import senders
from msnode.receive.dicomweb.web_listener import server_tls
from msnode.receive.mllp.mllp_listener import mllp_tls
from msnode.report.oru_message import rendered, sample_facts
from msnode.requestor import fhir_search
from msnode.requestor.credentials import assertion
from msnode.requestor.http_request import context, reach
from msnode.requestor.peer import echo, offering
from msnode.requestor.query import FIND
from msnode.store.database import open_database
from msnode.store.schema import revisions
from msnode.tls import ServerTls, client_context, trusting
from msnode.twin.expect.priors import load_priors
from msnode.twin.rules.severity_table import load_table

GIGABYTE = 1024**3


def problems(
    config: Config, *, peers: bool, notices: bool = False
) -> Iterator[tuple[str, str | None]]:
    """Yield each thing that was looked at, and what is wrong with it or None.

    Args:
        config: already validated for itself.
        peers: also C-ECHO every peer, and connect to every HTTP and the syslog server.
        notices: also send a test notice to every mail server and chat.
    """
    yield "data folder", _problem(partial(_room, config))
    yield "database", _problem(partial(_database, config))
    yield "model bundle", _problem(partial(_classifier, config.classify))
    if config.lesions.bundle is not None:
        yield "lesion bundle", _problem(partial(lesions.load, config.lesions.bundle))
    yield "priors", _problem(partial(load_priors, config.expect.priors))
    for table in filter(None, (config.expect.msss, config.expect.armss)):
        yield "severity table", _problem(partial(load_table, table))
    runs = is_running(config.http)
    yield "listener", _problem(partial(_listener, config.receive, runs=runs))
    if (web := config.receive.dicomweb) is not None:
        yield "dicomweb", _problem(partial(_web_listener, web, runs=runs))
    if (hl7 := config.receive.hl7) is not None:
        yield "hl7", _problem(partial(_hl7_listener, hl7, runs=runs))
    http = config.http
    yield "http", _problem(partial(free_or_ours, "http", http.address, http.port, runs=runs))
    if config.audit.syslog is not None:
        yield "audit", _problem(partial(_syslog, config.audit.syslog, peers=peers))
    if not config.receive.callers:
        yield "callers", "none listed: only this host may send; list the scanners and the PACS"
    if not config.destinations:
        yield "destinations", "none listed: results would go nowhere; list the PACS"
    for destination in config.destinations:
        yield (
            f"destination {destination.name}",
            _problem(partial(_prepare, destination, config.receive))
            or (_problem(partial(_reach, destination, config.receive)) if peers else None),
        )
    for ca in {one.ca for one in config.notices.mail} | {one.ca for one in config.notices.chat}:
        yield "notices", _problem(partial(trusting, ca))
    if notices:
        for name, send in senders(config.notices).items():
            yield f"test notice {name}", _problem(partial(send, trial(config.name)))
    yield from _sources(config, peers=peers)


def _sources(config: Config, *, peers: bool) -> Iterator[tuple[str, str | None]]:
    """Where earlier studies, and what clinics know, are asked for."""
    for source in config.priors:
        yield (
            f"prior source {source.name}",
            _problem(partial(_prepare_source, source, config))
            or (_problem(partial(_reach_source, source, config)) if peers else None),
        )

    for clinic in config.clinical:
        tried = partial(fhir_search.try_out, clinic, clinic.name)
        yield (
            f"clinical source {clinic.name}",
            _problem(partial(_http, clinic)) or (_problem(tried) if peers else None),
        )


def _problem(attempt: Callable[[], object]) -> str | None:
    """What goes wrong with an attempt, in one line."""
    try:
        attempt()
    except (MsnodeError, OSError, SQLAlchemyError) as error:
        return str(error)
    return None


def _room(config: Config) -> None:
    """The data folder can be written and has room."""
    config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    _writable(config.data)
    free = shutil.disk_usage(config.data).free
    if free < config.receive.min_free_bytes:
        raise MsnodeError(
            f"{free / GIGABYTE:.1f} GB free, but receive.min_free_bytes asks for "
            f"{config.receive.min_free_bytes / GIGABYTE:.1f} GB: images would be refused"
        )


def _database(config: Config) -> None:
    """The database answers, and is of this program's version or an older one."""
    database = open_database(config.database_url)
    try:
        revisions(database)
    finally:
        database.dispose()


def _writable(folder: Path) -> None:
    """A folder takes a file."""
    with tempfile.TemporaryFile(dir=folder) as file:
        os.fsync(file.fileno())


def _classifier(config: Classify) -> None:
    """The model is whole and the device is there."""
    classify.load_bundle(config.bundle)
    choose(config.device)


def _listener(receive: Receive, *, runs: bool) -> None:
    """All that the listener is made of."""
    if receive.tls is not None:
        _readable("receive.tls", receive.tls)
        ServerTls(receive.tls)
    free_or_ours("receive", receive.address, receive.port, runs=runs)


def _web_listener(web: Dicomweb, *, runs: bool) -> None:
    """All that the STOW-RS listener is made of."""
    if web.tls is not None:
        _readable("receive.dicomweb.tls", web.tls)
        server_tls(web)
    free_or_ours("receive.dicomweb", web.address, web.port, runs=runs)


def _hl7_listener(hl7: Hl7, *, runs: bool) -> None:
    """All that the HL7 v2 listener is made of."""
    if hl7.tls is not None:
        _readable("receive.hl7.tls", hl7.tls)
        mllp_tls(hl7)
    free_or_ours("receive.hl7", hl7.address, hl7.port, runs=runs)


def _syslog(syslog: Syslog, *, peers: bool) -> None:
    """The syslog server's TLS files, and the server itself."""
    if syslog.tls is not None:
        _readable("audit.syslog.tls", syslog.tls)
    server = audit.Syslog(syslog, "check")
    if peers:
        server.reach()


def _readable(where: str, tls: Tls) -> None:
    """The files of a TLS section can be read by whoever runs the check."""
    _can_be_read(under(where, tls))


def _can_be_read(files: Iterable[tuple[str, Path]]) -> None:
    """Files, by their keys, can be read by whoever runs the check."""
    lines = [line for key, path in files for line in unreadable_file(key, path)]
    if lines:
        raise MsnodeError("\n      ".join(lines))


def _prepare(destination: Destination, receive: Receive) -> None:
    """What a destination needs of this host: TLS files, a folder, or leave to call back."""
    match destination:
        case Folder():
            destination.folder.mkdir(parents=True, exist_ok=True)
            _writable(destination.folder)
        case Webhook() | StowServer() | FhirServer():
            _http(destination)
        case Hl7Destination():
            _can_be_read(destination.files)
            _tls(destination.tls)
            rendered(sample_facts(destination), destination.template)
        case DicomPeer():
            _tls(destination.tls)
            if destination.verify == "commitment" and receive.callers:
                _may_report(destination, receive)


def _http(server: HttpServer) -> None:
    """Files of an HTTP server that we call: TLS, and the key that proves who we are."""
    _can_be_read(server.files)
    context(server)
    if isinstance(server.login, ClientKey):
        assertion(server.login)


def _tls(tls: Tls | None) -> None:
    """A destination's TLS files."""
    if tls is not None:
        _readable("tls", tls)
        client_context(tls)


def _may_report(peer: DicomPeer, receive: Receive) -> None:
    """A peer that reports on storage commitment is among the callers."""
    title = peer.ae_title.strip()
    if title not in {caller.ae_title.strip() for caller in receive.callers}:
        raise MsnodeError(
            f"verify: {title} is not among receive.callers, so its report on storage "
            "commitment would be turned away; list it there"
        )


def _asked(source: DicomSource, config: Config) -> DicomPeer:
    """The peer that is asked."""
    peer = peer_of(source, config.destinations)
    assert peer is not None  # noqa: S101 - the configuration was checked
    return peer


def _prepare_source(source: PriorSource, config: Config) -> None:
    """What a source of earlier studies needs of this host: files, or leave to send to us."""
    if isinstance(source, WebSource):
        _http(source)
        return
    peer, receive = _asked(source, config), config.receive
    _tls(peer.tls)
    titles = {one.ae_title.strip() for one in receive.callers if "store" in one.rights}
    title = peer.ae_title.strip()
    if source.by == "c-move" and receive.callers and title not in titles:
        raise MsnodeError(
            f"by: {title} is not among receive.callers with the right to store, so what it sends "
            "by C-MOVE would be turned away; list it there, or take c-get"
        )


def _reach_source(source: PriorSource, config: Config) -> None:
    """Search at a DICOMweb server; C-ECHO a peer, and negotiate what is asked of it."""
    if isinstance(source, WebSource):
        web_way.try_out(source)
        return
    peer, receive = _asked(source, config), config.receive
    _is_another(peer, receive)
    echo(peer, receive.ae_title)
    with offering(FIND, peer, receive.ae_title):
        pass
    with offering(MOVE if source.by == "c-move" else GET, peer, receive.ae_title):
        pass


def _reach(destination: Destination, receive: Receive) -> None:
    """Connect to a webhook, search at a DICOMweb server, C-ECHO a peer; try the verification."""
    match destination:
        case Webhook():
            reach(destination, destination.name)
        case StowServer():
            try_out(destination)
        case FhirServer():
            fhir_search.try_out(destination, destination.name)
        case Hl7Destination():
            mllp_sender.reach(destination)
        case DicomPeer():
            _is_another(destination, receive)
            echo(destination, receive.ae_title)
            negotiate(destination, receive.ae_title)
        case Folder():
            return  # nobody is there to be reached


def _is_another(peer: DicomPeer, receive: Receive) -> None:
    """A peer whose name is not this host's, or that has another port."""
    with suppress(OSError):  # a name that nobody knows: C-ECHO says so
        found = socket.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM)
        for family, _, _, _, (address, *_) in found:
            if is_listened_on(receive, str(address), peer.port) and _is_here(family, str(address)):
                raise ConfigError(f"host: {itself(peer)}")


def _is_here(family: socket.AddressFamily, address: str) -> bool:
    """Whether an address is one of this host's."""
    try:
        with socket.socket(family) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True
