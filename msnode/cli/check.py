"""What `msnode check` looks at before a node is started: all that would keep it from working."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from msnode import audit, classify, lesions
from msnode.classify.device import choose
from msnode.cli.check_peers import http_files, prepare, prepare_source, readable, writable
from msnode.config import (
    Config,
    Dicomweb,
    Hl7,
    Pages,
    Receive,
    Syslog,
)
from msnode.errors import ConfigError, MsnodeError
from msnode.flow.routes import BLOOD_SMEAR, BRAIN_MRI, fitting_bundle
from msnode.manage.own_ports import free_or_ours, is_running
from msnode.manage.reaching import reach_destination, reach_source
from msnode.notices.notice import trial
from msnode.notices.watch import senders
from msnode.pages.access import open_id_connect
from msnode.pages.access.local_accounts import LocalAccounts
from msnode.pages.server import PageServerTls
from msnode.receive.dicomweb.web_listener import server_tls
from msnode.receive.mllp.mllp_listener import mllp_tls
from msnode.requestor import fhir_search
from msnode.store.database import open_database
from msnode.store.schema import revisions
from msnode.store.shadow_evidence import read_evidence, verify_evidence
from msnode.tls import ServerTls, trusting
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
    yield "model bundle", _problem(partial(_classifier, config))
    yield from _shadows(config)
    if config.lesions.bundle is not None:
        yield (
            "lesion bundle",
            _problem(partial(_outliner, config.lesions.bundle, config)),
        )
    yield "decision", _problem(partial(_decision, config))
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
    if config.pages is not None:
        yield "pages", _problem(partial(_pages, config.pages, runs=runs))
        yield from _logins(config, config.pages, peers=peers)
    if config.audit.syslog is not None:
        yield "audit", _problem(partial(_syslog, config.audit.syslog, peers=peers))
    if not config.receive.callers:
        yield "callers", "none listed: only this host may send; list the scanners and the PACS"
    if not config.destinations:
        yield "destinations", "none listed: results would go nowhere; list the PACS"
    for destination in config.destinations:
        yield (
            f"destination {destination.name}",
            _problem(partial(prepare, destination, config.receive))
            or (
                _problem(partial(reach_destination, destination, config.receive)) if peers else None
            ),
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
            _problem(partial(prepare_source, source, config))
            or (_problem(partial(reach_source, source, config)) if peers else None),
        )

    for clinic in config.clinical:
        tried = partial(fhir_search.try_out, clinic, clinic.name)
        yield (
            f"clinical source {clinic.name}",
            _problem(partial(http_files, clinic)) or (_problem(tried) if peers else None),
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
    writable(config.data)
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


def _classifier(config: Config) -> None:
    """The model is whole and signed by whom it should be, and the device is there."""
    fitting_bundle(config.classify.bundle, BRAIN_MRI, config.models.keys)
    choose(config.classify.device)


def _decision(config: Config) -> None:
    """Classifier and lesion network belong together; what is wrong with either is told above."""
    folder, network = config.lesions.bundle, None
    with suppress(ConfigError):
        model = classify.load_manifest(config.classify.bundle)
        network = lesions.load(folder).manifest.digest if folder is not None else None
        if why := model.undecided(network):
            raise MsnodeError(why)


def _outliner(folder: Path, config: Config) -> None:
    """Likewise the network that outlines."""
    lesions.load(folder, config.models.keys)


def _shadows(node: Config) -> Iterator[tuple[str, str | None]]:
    """The bundles that are compared with the one in force, and why that one is in force."""
    config, keys = node.classify, node.models.keys
    if config.evidence is not None:
        told = ""
        with suppress(MsnodeError):
            found = read_evidence(config.evidence)
            told = f" of {found.version}, studies compared: {found.compared}"
        yield f"evidence{told}", _problem(partial(_evidence, node, config.evidence))
    if config.smears is not None:
        smears = partial(fitting_bundle, config.smears.bundle, BLOOD_SMEAR, keys)
        yield "bundle of blood smears", _problem(smears)
    for one in config.shadow:
        load = partial(fitting_bundle, one.bundle, BRAIN_MRI, keys)
        yield f"shadow {one.name}", _problem(load)


def _evidence(config: Config, path: Path) -> None:
    """It is of the bundle in force."""
    verify_evidence(path, classify.load_manifest(config.classify.bundle).digest)


def _listener(receive: Receive, *, runs: bool) -> None:
    """All that the listener is made of."""
    if receive.tls is not None:
        readable("receive.tls", receive.tls)
        ServerTls(receive.tls)
    free_or_ours("receive", receive.address, receive.port, runs=runs)


def _web_listener(web: Dicomweb, *, runs: bool) -> None:
    """All that the STOW-RS listener is made of."""
    if web.tls is not None:
        readable("receive.dicomweb.tls", web.tls)
        server_tls(web)
    free_or_ours("receive.dicomweb", web.address, web.port, runs=runs)


def _hl7_listener(hl7: Hl7, *, runs: bool) -> None:
    """All that the HL7 v2 listener is made of."""
    if hl7.tls is not None:
        readable("receive.hl7.tls", hl7.tls)
        mllp_tls(hl7)
    free_or_ours("receive.hl7", hl7.address, hl7.port, runs=runs)


def _pages(pages: Pages, *, runs: bool) -> None:
    """All that the pages' server is made of."""
    if pages.tls is not None:
        PageServerTls(pages.tls)
    free_or_ours("pages", pages.address, pages.port, runs=runs)


def _logins(config: Config, pages: Pages, *, peers: bool) -> Iterator[tuple[str, str | None]]:
    """That somebody can log in to the pages."""
    if pages.oidc is not None and peers:
        yield "login service", _problem(partial(open_id_connect.try_out, pages.oidc))
    if pages.passwords and not (pages.oidc or pages.proxy):
        yield "accounts", _problem(partial(_has_account, config))


def _has_account(config: Config) -> None:
    """Where only accounts of our own can log in, there is one."""
    database = open_database(config.database_url)
    try:
        if (
            revisions(database)[0] != revisions(database)[1]
            or not LocalAccounts(database, "check").every()
        ):
            raise MsnodeError("there is none: msnode accounts add NAME --role administrator")
    finally:
        database.dispose()


def _syslog(syslog: Syslog, *, peers: bool) -> None:
    """The syslog server's TLS files, and the server itself."""
    if syslog.tls is not None:
        readable("audit.syslog.tls", syslog.tls)
    server = audit.Syslog(syslog, "check")
    if peers:
        server.reach()
