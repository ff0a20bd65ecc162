"""What was kept aside: files, and HL7 v2 messages that could not be used."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response
from starlette.responses import RedirectResponse

from msnode.audit import Access
from msnode.errors import MsnodeError
from msnode.manage.header_words import first_header
from msnode.manage.quarantine_list import KeptAside, QuarantineFiles
from msnode.pages.access.visitor import Administrator, Visitor
from msnode.pages.admin.admin_services import AdminServices, Services
from msnode.pages.admin.confirming import ask_first
from msnode.pages.admin.units import size
from msnode.pages.frame.rendering import render
from msnode.pages.frame.site import AnySite, Site
from msnode.receive.association import HERE
from msnode.store.message_log import Outcome, listed, remove

router = APIRouter()

Token = Annotated[str, Form(pattern="^[0-9a-f]{16}$")]
Tokens = Annotated[list[Token], Form(default_factory=list, max_length=300)]
MessageId = Annotated[str, Form(pattern="^[0-9a-f]{32}$")]
MessageIds = Annotated[list[MessageId], Form(default_factory=list, max_length=300)]
MOST = 200
CHUNK = 1 << 20


@router.get("/quarantine")
def quarantine(
    request: Request,
    site: AnySite,
    _: Administrator,
    did: Literal["deleted", "taken", "nothing", ""] = "",
) -> Response:
    """All of it; whose it is, is not told."""
    with site.reading.connect() as connection:
        messages = list(listed(connection, Outcome.REFUSED, MOST))
    return render(
        request, "admin/quarantine.html",
        files=_files(site).listed(), messages=messages, did=did, size=size,
    )  # fmt: skip


@router.post("/quarantine/delete")
def delete(
    request: Request,
    site: AnySite,
    visitor: Administrator,
    file: Tokens,
    confirmed: Annotated[bool, Form()] = False,
) -> Response:
    """Delete files."""
    if not file:
        return _back("nothing")
    if not confirmed:
        return _ask(request, "confirm_delete_files", "file", file)
    for kept in _files(site).found(set(file)):
        _audit(site, visitor, kept, Access.DELETED)
        _files(site).delete(kept)
    return _back("deleted")


@router.post("/quarantine/take")
def take_in(
    request: Request,
    site: AnySite,
    services: AdminServices,
    visitor: Administrator,
    file: Tokens,
    confirmed: Annotated[bool, Form()] = False,
) -> Response:
    """Take files in as if they had just come; what is refused again stays here."""
    if not file:
        return _back("nothing")
    if not confirmed:
        return _ask(request, "confirm_take", "file", file)
    problems = []
    for kept in _files(site).found(set(file)):
        problem = _taken(services, kept)
        if problem:
            problems.append(f"{kept.path.name}: {problem}")
        if problem != "":
            continue
        _audit(site, visitor, kept, Access.UPDATED)
        _files(site).delete(kept)
    if problems:
        raise MsnodeError("\n".join(problems))
    return _back("taken")


@router.post("/quarantine/messages/delete")
def delete_messages(
    request: Request,
    site: AnySite,
    visitor: Administrator,
    message: MessageIds,
    confirmed: Annotated[bool, Form()] = False,
) -> Response:
    """Delete messages; what they have changed stays."""
    if not message:
        return _back("nothing")
    if not confirmed:
        return _ask(request, "confirm_delete_messages", "message", message)
    for one in message:
        with site.database.begin() as connection:
            is_gone = remove(connection, one)
        if is_gone:
            site.trail.patient_record(visitor.account, Access.DELETED, f"HL7 message {one}")
    return _back("deleted")


def _files(site: Site) -> QuarantineFiles:
    return QuarantineFiles(site.database, site.config.data, site.secret)


def _taken(services: Services, kept: KeptAside) -> str | None:
    """Why a file is refused again; "" where it is in the inbox now, None where it was gone."""
    part = services.uploads.part(kept.caller)
    try:
        with kept.path.open("rb") as file:
            while chunk := file.read(CHUNK):
                part.write(memoryview(chunk))
        stored = part.finish()
    except FileNotFoundError:  # somebody else was quicker
        return None
    finally:
        part.close()
    return "" if stored.outcome in HERE else stored.comment or stored.outcome


def _audit(site: Site, visitor: Visitor, kept: KeptAside, access: Access) -> None:
    """By the file's own words: it may be another patient's than its study is."""
    whose = first_header([kept.path]).get("PatientID") or f"study {kept.study}"
    site.trail.patient_record(visitor.account, access, whose)


def _ask(request: Request, phrase: str, name: str, values: list[str]) -> Response:
    fields = [(name, one) for one in values]
    return ask_first(request, phrase, {"number": len(values)}, "/quarantine", fields)


def _back(did: Literal["deleted", "taken", "nothing"]) -> Response:
    return RedirectResponse(f"/quarantine?did={did}", HTTPStatus.SEE_OTHER)
