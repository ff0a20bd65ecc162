"""The DICOM Conformance Statement (PS3.2): its tables come from what the program really does."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from string import Template

from pydicom import uid
from pynetdicom import PYNETDICOM_IMPLEMENTATION_UID, PYNETDICOM_IMPLEMENTATION_VERSION

from msnode import __version__
from msnode.config import Config, DicomPeer, HttpServer, StowServer, WebSource
from msnode.deliver import peer_answers
from msnode.fetch.retrieve import GET, MOVE
from msnode.fetch.way import IMAGES
from msnode.receive.dicom import dimse_status, request
from msnode.receive.dicom.sop_classes import (
    DOCUMENTS,
    STORAGE_COMMITMENT,
    TRANSFER_SYNTAXES,
    VERIFICATION,
    accepted,
    analysed,
)
from msnode.report import codes
from msnode.report.dicom_modules import IMPLEMENTATION, SERIES
from msnode.report.profiles import PROFILES
from msnode.requestor import peer
from msnode.requestor.query import FIND
from msnode.service.fhir_capability import capability
from msnode.service.message_reading import KINDS, OF_NO_CONCERN
from msnode.tls import CIPHERS

TEMPLATE = Path(__file__).with_suffix(".md")

OBJECTS: dict[str, tuple[uid.UID, ...]] = {
    "sr": (uid.ComprehensiveSRStorage, uid.Comprehensive3DSRStorage),
    "montage": (uid.SecondaryCaptureImageStorage,),
    "readable": (uid.EnhancedSRStorage,),
    "overlay": (
        uid.SecondaryCaptureImageStorage,
        uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
    ),
    "seg": (uid.SegmentationStorage,),
    "course": (uid.SecondaryCaptureImageStorage,),
    "kos": (uid.KeyObjectSelectionDocumentStorage,),
    "map": (uid.ParametricMapStorage,),
    "gsps": (uid.GrayscaleSoftcopyPresentationStateStorage,),
    "pdf": (uid.EncapsulatedPDFStorage,),
}
"""SOP Classes of each kind of result; where there are two, ``form`` chooses."""

MEANING: dict[peer_answers.Outcome, str] = {
    "delivered": "counts as stored",
    "refused": "is not sent again; an administrator is told",
    "retry": "is sent again later",
}


def statement(config: Config, origin: str = "") -> str:
    """The statement as Markdown.

    Args:
        config: of the node.
        origin: words for where the settings come from.
    """
    receive = config.receive
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        _statuses(),
        version=__version__,
        origin=origin,
        ae_title=receive.ae_title,
        address=receive.address,
        port=receive.port,
        tls="certificates on both sides" if receive.tls else "none (`receive.tls`)",
        callers=_callers(config),
        dicomweb=_dicomweb(config),
        fhir_taken=_fhir_taken(),
        hl7_taken=", ".join(one for one in KINDS if one not in OF_NO_CONCERN),
        hl7_passed=_events(OF_NO_CONCERN),
        max_associations=receive.max_associations,
        max_pdu=receive.max_pdu,
        network_timeout_s=f"{receive.network_timeout_s:g}",
        conflicts=receive.conflicts,
        class_uid=PYNETDICOM_IMPLEMENTATION_UID,
        version_name=PYNETDICOM_IMPLEMENTATION_VERSION,
        object_class_uid=IMPLEMENTATION[0],
        object_version_name=IMPLEMENTATION[1],
        ciphers=CIPHERS,
        connect_s=f"{peer.CONNECT_S:g}",
        acse_s=f"{peer.ACSE_S:g}",
        dimse_s=f"{peer.DIMSE_S:g}",
        scheme=codes.PRIVATE,
        services=_rows(_services(config)),
        rejections=_rows(_rejections()),
        transfer_syntaxes=_rows((one.name, one) for one in TRANSFER_SYNTAXES),
        accepted=_rows(_accepted(config)),
        destinations=_destinations(config),
        answers=_rows(_answers()),
        web_servers=_web_servers(config),
        fetched=", ".join(map(_name, IMAGES)),
        documents=", ".join(sorted(map(_name, DOCUMENTS))),
        objects=_rows(_objects()),
        codes=_rows(_private_codes()),
    )


def _rows(rows: Iterable[Iterable[object]]) -> str:
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def _statuses() -> dict[str, str]:
    """The DIMSE statuses by their names in the program, as four hexadecimal digits."""
    return {
        name: f"{value:04X}" for name, value in vars(dimse_status).items() if isinstance(value, int)
    }


def _callers(config: Config) -> str:
    if not config.receive.callers:
        return "this host alone, until `receive.callers` lists others"
    return ", ".join(caller.ae_title for caller in config.receive.callers)


def _dicomweb(config: Config) -> str:
    web = config.receive.dicomweb
    if web is None:
        return "where `receive.dicomweb` is set (here it is not)"
    return f"at {'https' if web.tls else 'http'}://{web.address}:{web.port}"


def _events(kinds: Iterable[str]) -> str:
    """Events of ADT, runs of neighbours as one: ``ADT^A01 to A07``."""
    runs: list[list[int]] = []
    for number in (int(kind.removeprefix("ADT^A")) for kind in kinds):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    spans = (f"A{run[0]:02}" + (f" to A{run[-1]:02}" if run[1:] else "") for run in runs)
    return f"ADT {', '.join(spans)}"


def _fhir_taken() -> str:
    kinds = [one["type"] for one in capability()["rest"][0]["resource"]]
    return f"{', '.join(kinds[:-1])} and {kinds[-1]}"


def _services(config: Config) -> Iterator[tuple[object, ...]]:
    yield "Verification", VERIFICATION, "yes", "yes"
    made = {one for several in OBJECTS.values() for one in several}
    for one in sorted(accepted(config.receive.accept) | made, key=_name):
        yield "Storage", f"{_name(one)}", "yes" if one in made else "", "yes"
    yield "Storage Commitment", f"Push Model ({STORAGE_COMMITMENT})", "yes", ""
    for what, one in ("FIND", FIND), ("MOVE", MOVE), ("GET", GET):
        yield "Query/Retrieve", f"Study Root {what} ({one})", "yes", ""


def _name(sop_class: str) -> str:
    return uid.UID(sop_class).name


def _rejections() -> Iterator[tuple[object, ...]]:
    for rule, why in (
        ("called AE title is another", request.CALLED_UNKNOWN),
        ("caller, its address or its certificate is not listed", request.CALLING_UNKNOWN),
        ("no protocol version 1", request.NO_PROTOCOL),
        ("a limit on associations", request.LIMIT_EXCEEDED),
    ):
        yield rule, f"{why.result}, {why.source}, {why.reason} ({why.name})"


def _accepted(config: Config) -> Iterator[tuple[object, ...]]:
    surely = analysed(config).surely
    for one in sorted(accepted(config.receive.accept), key=_name):
        yield _name(one), one, "analysed" if one in surely else "kept"


def _destinations(config: Config) -> str:
    peers = [one for one in config.destinations if isinstance(one, DicomPeer)]
    if not peers:
        return "Where to is configured (`destinations`); here nowhere yet."
    head = "| destination | AE title | TLS | profile | verification |\n|---|---|---|---|---|\n"
    return head + _rows(
        (one.name, one.ae_title, "yes" if one.tls else "no", one.profile, one.verify)
        for one in peers
    )


def _web_servers(config: Config) -> str:
    """Those that are stored to and searched."""
    servers = [one for one in config.destinations if isinstance(one, StowServer)]
    sources = [one for one in config.priors if isinstance(one, WebSource)]
    if not servers and not sources:
        return "Which is configured (`destinations`, `priors`); here none yet."
    head = "| server | for | address | authorization | verification |\n|---|---|---|---|---|\n"
    return head + _rows(
        [
            *((one.name, "results", one.stow, _authorization(one), one.verify) for one in servers),
            *(
                (one.name, "earlier studies", one.dicomweb, _authorization(one), "")
                for one in sources
            ),
        ]
    )


def _authorization(server: HttpServer) -> str:
    """How the node proves who it is."""
    login = server.login.WHAT.removeprefix("a ") if server.login is not None else ""
    return ", ".join(filter(None, (login, "client certificate" if server.tls else ""))) or "none"


def _answers() -> Iterator[tuple[str, str]]:
    """What each status means for a delivery, runs of one meaning as one row."""
    runs: list[tuple[int, int, peer_answers.Outcome]] = []
    for status in range(0x10000):
        outcome = peer_answers.outcome(status)
        if runs and runs[-1][2] == outcome:
            runs[-1] = runs[-1][0], status, outcome
        else:
            runs.append((status, status, outcome))
    for kind, meaning in MEANING.items():
        spans = (_span(first, last) for first, last, outcome in runs if outcome == kind)
        yield "all others, or none" if kind == "retry" else ", ".join(spans), meaning


def _span(first: int, last: int) -> str:
    return f"0x{first:04X}" if first == last else f"0x{first:04X}–0x{last:04X}"


def _objects() -> Iterator[tuple[object, ...]]:
    for kind, classes in OBJECTS.items():
        number, modality, description = SERIES[kind]
        profile = next(name for name, kinds in PROFILES.items() if kind in kinds)
        names, uids = ", or ".join(map(_name, classes)), ", ".join(classes)
        yield f"`{kind}`", names, uids, modality, number, description, profile


def _private_codes() -> list[tuple[str, str]]:
    """Every concept of ours."""
    found = set()
    for value in vars(codes).values():
        for one in value.values() if isinstance(value, dict) else (value,):
            if getattr(one, "scheme_designator", "") == codes.PRIVATE:
                found.add((str(one.value), str(one.meaning)))
    return sorted(found)
