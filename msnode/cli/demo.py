"""`msnode demo`: a node and a PACS on this machine, a real study, and what comes back."""

import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

import yaml
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from pydicom import dcmread
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.events import EventHandlerType
from rich.console import Console
from rich.table import Table

from msnode import report, sample
from msnode.deliver.c_store import send
from msnode.deliver.peer import parse_peer
from msnode.errors import MsnodeError
from msnode.report import sr_html

START_S = 300  # a cold start reads torch and the weights from a slow disk and warms up
RESULT_S = 180  # quiet time and analysis on two slow cores
QUIET_S = 3.0  # the demo's study comes in one go


class Pacs:
    """A receiving end that keeps what it is sent, one file an object."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ae = AE(ae_title="PACS")
        self._ae.supported_contexts = AllStoragePresentationContexts
        self.arrived = threading.Event()
        self.objects: list[Path] = []

    def __enter__(self) -> "Pacs":
        """Listen on a free port of loopback."""
        self._folder.mkdir(parents=True)
        handlers: list[EventHandlerType] = [(evt.EVT_C_STORE, self._store)]
        server = self._ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        assert server is not None  # noqa: S101 - without block it is returned
        self.port: int = server.server_address[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._ae.shutdown()

    def _store(self, event: evt.Event) -> int:
        path = self._folder / f"{len(self.objects)}.dcm"
        path.write_bytes(event.encoded_dataset())
        self.objects.append(path)
        if len(self.objects) == 2:  # SR and montage: the profile "minimal"
            self.arrived.set()
        return 0x0000


def run(folder: Path, model: Path, console: Console) -> None:
    """Send the sample study through a node and show the result.

    Args:
        folder: gets everything the demo makes; what an earlier demo left there is deleted.
        model: folder of the model bundle.
        console: where to print.

    Raises:
        MsnodeError: the node did not start, or no result came.
    """
    shutil.rmtree(folder, ignore_errors=True)
    with Pacs(folder / "pacs") as pacs, console.status("starting the node …") as status:
        began = time.perf_counter()
        with node(folder, model, pacs.port) as (port, http):
            started = time.perf_counter() - began
            status.update("sending the study …")
            files = sample.write_study(folder / "study")
            began = time.perf_counter()
            peer = parse_peer(f"MSNODE@127.0.0.1:{port}")
            receipts = send(files, peer, "SCANNER")
            sent = time.perf_counter() - began
            if not all(receipt.delivered for receipt in receipts):
                raise MsnodeError(f"the node refused the study; see {folder / 'node.log'}")
            status.update("waiting for the result …")
            if not pacs.arrived.wait(RESULT_S):
                raise MsnodeError(f"no result after {RESULT_S} s; see {folder / 'node.log'}")
            waited = time.perf_counter() - began - sent
            stages = _stages(http)
    for path in pacs.objects:
        _show(console, folder, path)
    _timing(console, len(files), started, sent, waited, stages)


@contextmanager
def node(folder: Path, model: Path, pacs_port: int) -> Iterator[tuple[int, int]]:
    """Run `msnode serve`; yields its DICOM and HTTP ports."""
    port, http = _free_port(), _free_port()
    config = folder / "msnode.yaml"
    settings = {
        "data": "node",
        "receive": {"address": "127.0.0.1", "port": port},
        "complete": {"quiet_s": QUIET_S},
        "classify": {"bundle": str(model.resolve())},
        "destinations": [
            {"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": pacs_port}
        ],
        "http": {"port": http},
    }
    config.write_text(yaml.safe_dump(settings, sort_keys=False))
    with (folder / "node.log").open("w") as log:
        command = [sys.executable, "-m", "msnode", "serve", "--config", str(config)]
        process = subprocess.Popen(command, stderr=log)  # noqa: S603 - our own program
        try:
            _await_ready(process, http, folder)
            yield port, http
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=20)


def _await_ready(process: "subprocess.Popen[bytes]", http: int, folder: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            _get(http, "readyz")
        except (URLError, OSError):  # refused, or 503: not ready yet
            time.sleep(0.2)
        else:
            return
    raise MsnodeError(f"the node did not start; see {folder / 'node.log'}")


def _get(port: int, page: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=5) as answer:
        return str(answer.read().decode())


def _stages(http: int) -> dict[str, float]:
    """Seconds by stage, from the node's own metrics."""
    families = text_string_to_metric_families(_get(http, "metrics"))
    samples = (sample for family in families for sample in family.samples)
    return {
        sample.labels["stage"]: sample.value
        for sample in samples
        if sample.name == "msnode_stage_seconds_sum"
    }


def _show(console: Console, folder: Path, path: Path) -> None:
    """One object that came back: the report as HTML and what it says, the montage as PNG."""
    document = dcmread(path)
    if document.Modality == "SR":
        target = folder / "report.html"
        target.write_text(sr_html.render(document), encoding="utf-8")
        found = report.read(path)
        chance = "" if found.probability is None else f", probability {found.probability:.0%}"
        console.print(f"MS pattern [bold]{found.decision}[/]{chance} {found.reason or ''}")
    else:
        target = folder / "montage.png"
        Image.fromarray(document.pixel_array).save(target)
    kind = document.SOPClassUID.name.removesuffix(" Storage")
    console.print(f"{kind} [dim]{document.SeriesDescription}[/] -> {target}")


def _timing(
    console: Console, images: int, started: float, sent: float, waited: float,
    stages: dict[str, float],
) -> None:  # fmt: skip
    """Seconds by stage, from the scanner's first image to the result in the PACS."""
    table = Table("stage", "seconds", title_justify="left")
    table.columns[1].justify = "right"
    table.add_row("start the node (once)", f"{started:.1f}")
    table.add_row(f"receive {images} images", f"{sent:.2f}")
    table.add_row("wait until the study is quiet", f"{QUIET_S:.1f}")
    for stage in ("prepare", "classify", "report"):
        table.add_row(stage, f"{stages.get(stage, 0.0):.2f}")
    table.add_row("[bold]last image to result in the PACS[/]", f"[bold]{waited:.1f}[/]")
    console.print(table)
    console.print("[dim]AI result, not verified; for research, not a medical device[/]")


def _free_port() -> int:
    """A TCP port that nobody listens on right now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
