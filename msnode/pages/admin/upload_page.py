"""Upload of studies by the browser: one request a file, streamed to the disk."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from msnode.pages.access.visitor import Administrator
from msnode.pages.admin.services import AdminServices
from msnode.pages.admin.upload_answers import answer
from msnode.pages.admin.uploads import Batch, Uploads
from msnode.pages.frame.page_words import PageWords, language_of
from msnode.pages.frame.rendering import render
from msnode.pages.frame.site import AnySite
from msnode.receive.dicomweb.part10_part import Stored
from msnode.records.uid_hash import uid_hash

router = APIRouter()

BatchName = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
CHUNK = 1 << 18
"""Bytes that are written at once."""


@router.get("/upload")
def upload_page(request: Request, site: AnySite, _: Administrator) -> Response:
    """Where files are dropped."""
    longest = site.config.receive.max_instance_bytes
    return render(request, "admin/upload.html", longest=longest)


@router.post("/upload/{batch}")
async def take(
    request: Request,
    site: AnySite,
    services: AdminServices,
    visitor: Administrator,
    batch: BatchName,
) -> Response:
    """Take one file, which is the body; 200 when it is kept."""
    uploads = services.uploads
    address = request.client.host if request.client is not None else ""
    patience = site.config.receive.network_timeout_s
    receiving = uploads.receiving(visitor.account, batch, address)
    one = await run_in_threadpool(receiving.__enter__)
    try:
        stored = await _stored(uploads, one, _chunks(request, patience))
    except (TimeoutError, ClientDisconnect):  # nothing of it is kept
        return JSONResponse({"said": ""}, HTTPStatus.REQUEST_TIMEOUT)
    finally:
        receiving.__exit__(None, None, None)
    t = PageWords(language_of(request, site.config.report.language))
    status, phrase = answer(stored)
    told = {"outcome": stored.outcome, "said": t(f"admin.{phrase}"), "detail": stored.comment}
    if stored.header is not None:
        told["study"] = uid_hash(stored.header.study_instance_uid)
    return JSONResponse(told, status)


@router.post("/upload/{batch}/{how}")
def end(
    services: AdminServices,
    visitor: Administrator,
    batch: BatchName,
    how: Literal["whole", "stopped"],
) -> Response:
    """All files of a batch came, or somebody stopped it."""
    services.uploads.end(visitor.account, batch, is_whole=how == "whole")
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def _stored(uploads: Uploads, batch: Batch, chunks: AsyncIterator[bytes]) -> Stored:
    """Write a file as it comes, and keep it when it is whole."""
    part = await run_in_threadpool(uploads.part)
    try:
        async for chunk in chunks:
            await run_in_threadpool(part.write, memoryview(chunk))
        return await run_in_threadpool(uploads.finish, batch, part)
    finally:
        await run_in_threadpool(part.close)


async def _chunks(request: Request, patience_s: float) -> AsyncIterator[bytes]:
    """The body in pieces worth a write.

    Raises:
        TimeoutError: nothing came for so long.
    """
    stream, waiting = aiter(request.stream()), bytearray()
    while True:
        try:
            waiting += await asyncio.wait_for(anext(stream), patience_s)
        except StopAsyncIteration:
            break
        if len(waiting) >= CHUNK:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)
