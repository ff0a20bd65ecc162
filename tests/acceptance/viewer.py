"""OHIF, served on one origin with the DICOMweb of a PACS, and opened in headless Chromium.

The viewer's build and the browser's driver come from npm, in exact versions, into ``build/ohif``;
a second run finds them there.
"""

import http.client
import json
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.acceptance import peers
from tests.patience import PATIENCE
from tests.unpacking import unpack

HERE = Path(__file__).with_name("ohif")
CACHE = peers.ROOT / "build" / "ohif"
OHIF = "@ohif/app@3.13.2"


def install() -> Path:
    """Fetch the viewer and the driver; returns their folder."""
    npm = peers.tool("npm", "npm")
    if not (CACHE / "package" / "dist" / "index.html").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        packed = _run(npm, "pack", "--silent", OHIF, cwd=CACHE).strip().splitlines()[-1]
        unpack(CACHE / packed, CACHE)
        (CACHE / packed).unlink()
    if not (CACHE / "node_modules" / "playwright-core").exists():
        (CACHE / "package.json").write_text((HERE / "package.json").read_text())
        _run(npm, "install", "--no-package-lock", "--no-audit", "--no-fund", cwd=CACHE)
    return CACHE


def _run(*command: str, cwd: Path) -> str:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=300 * PATIENCE, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


class Handler(SimpleHTTPRequestHandler):
    """The viewer's files, any other page as index.html, and /dicom-web from the PACS."""

    pacs_port = 0

    def do_GET(self) -> None:
        if self.path.startswith("/dicom-web"):
            self._forward()
            return
        name = self.path.partition("?")[0]
        if name == "/app-config.js":
            self._answer(200, (HERE / "app-config.js").read_bytes(), "text/javascript")
            return
        if not (Path(self.directory) / name.lstrip("/")).is_file():
            self.path = "/index.html"
        super().do_GET()

    def _forward(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.pacs_port, timeout=60 * PATIENCE)
        wanted = {name: self.headers[name] for name in ("Accept", "Host") if name in self.headers}
        connection.request("GET", self.path, headers=wanted)
        answer = connection.getresponse()
        kind = answer.getheader("Content-Type", "application/octet-stream")
        self._answer(answer.status, answer.read(), kind)
        connection.close()

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@contextmanager
def served(pacs: peers.Orthanc) -> Iterator[str]:
    """The viewer on a free port of loopback; yields its URL."""
    handler = type("PacsHandler", (Handler,), {"pacs_port": pacs.http_port})
    dist = str(install() / "package" / "dist")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=dist))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


Pages = dict[str, dict[str, Any]]
"""The text and the errors of pages by their series' file names."""


def shown(url: str, study: str, series: Sequence[dict[str, Any]], pictures: Path) -> Pages:
    """Open each series of a study in OHIF."""
    return _told("open.mjs", {"url": url, "study": study}, series, pictures)


def web_viewer(url: str, series: Sequence[dict[str, Any]], pictures: Path) -> Pages:
    """Open each series in Orthanc's web viewer."""
    install()  # for the browser's driver
    return _told("webviewer.mjs", {"url": url}, series, pictures)


def _told(
    script: str, wanted: dict[str, str], series: Sequence[dict[str, Any]], pictures: Path
) -> Pages:
    """Let a script open series in Chromium; it prints one line for each."""
    pictures.mkdir(parents=True, exist_ok=True)
    job = {
        "module": str(CACHE),
        "chromium": peers.tool("chromium", "chromium"),
        "pictures": str(pictures),
        "series": series,
    }
    done = subprocess.run(
        [peers.tool("node", "nodejs"), str(HERE / script), json.dumps(job | wanted)],
        capture_output=True,
        text=True,
        timeout=60 + 60 * len(series),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pages = [json.loads(line) for line in done.stdout.splitlines()]
    return {one["file"]: page for one, page in zip(series, pages, strict=True)}
