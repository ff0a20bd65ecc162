"""`msnode demo`: a node and a PACS on this machine, real studies, a twin, and what comes back."""

import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
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
from rich.markup import escape
from rich.table import Table

from msnode import report, sample
from msnode.cli import demo_account, demo_twin
from msnode.cli.demo_page import Shown, held_against, render
from msnode.deliver.c_store import send
from msnode.errors import MsnodeError
from msnode.requestor.peer import parse_peer
from msnode.sample import KnownStudy
from msnode.sample.invented_visits import PATIENT_ID, VISITS

START_S = 300  # a cold start reads torch and the weights from a slow disk and warms up
RESULT_S = 180  # quiet time and analysis on two slow cores
QUIET_S = 3.0  # the demo's studies come in one go
OBJECTS = 2  # SR and montage: the profile "minimal"

Tell = Callable[[str], None]


class Pacs:
    """A receiving end that keeps what it is sent, one file an object."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ae = AE(ae_title="PACS")
        self._ae.supported_contexts = AllStoragePresentationContexts
        self._arrival = threading.Condition()
        self._objects: dict[str, list[Path]] = {}  # by StudyInstanceUID

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
        dataset = event.dataset
        path = self._folder / f"{dataset.SOPInstanceUID}.dcm"
        path.write_bytes(event.encoded_dataset())
        with self._arrival:
            self._objects.setdefault(str(dataset.StudyInstanceUID), []).append(path)
            self._arrival.notify_all()
        return 0x0000

    def wait(self, study_uid: str) -> list[Path]:
        """The objects of a study's result, when they are all here; fewer after RESULT_S."""
        with self._arrival:
            self._arrival.wait_for(
                lambda: len(self._objects.get(study_uid, ())) >= OBJECTS, RESULT_S
            )
            return self._objects.get(study_uid, [])


def run(folder: Path, model: Path, console: Console) -> None:
    """Send studies of which more is known through a node, and show what it says of them.

    Args:
        folder: gets everything the demo makes; what an earlier demo left there is deleted.
        model: folder of the model bundle.
        console: where to print.

    Raises:
        MsnodeError: the node did not start, or no result came.
    """
    shutil.rmtree(folder, ignore_errors=True)
    timings: dict[str, float] = {}
    with Pacs(folder / "pacs") as pacs, telling(console) as tell:
        tell("starting a node, and a PACS to send results to …")
        began = time.perf_counter()
        with node(folder, model, pacs.port) as (port, http):
            timings["start the node (once)"] = time.perf_counter() - began
            shown = [
                _through(study, folder / study.name, port, pacs, tell, timings)
                for study in (sample.TABRIZ, sample.LJUBLJANA)
            ]
            timings |= {f"{stage}, both": seconds for stage, seconds in _stages(http).items()}
            course = _followed(folder, port, pacs, tell, timings)
    for one in shown:
        _show(console, one, model)
    _show_course(console, course)
    page = folder / "index.html"
    page.write_text(render(shown, course, model), encoding="utf-8")
    _timing(console, timings)
    _farewell(console, folder, page, demo_account.add(folder / "msnode.yaml"))


@contextmanager
def telling(console: Console) -> Iterator[Tell]:
    """Say what is going on: in one changing line at a terminal, line by line into a file."""
    if not console.is_terminal:
        yield console.print
        return
    with console.status("") as status:
        yield status.update


def _through(
    study: KnownStudy, folder: Path, port: int, pacs: Pacs, tell: Tell, timings: dict[str, float]
) -> Shown:
    """Send a study, wait for what comes back, and put it where a person finds it."""
    tell(f"sending the study of {study.name} …")
    files = study.write(folder / "images")
    began = time.perf_counter()
    receipts = send(files, parse_peer(f"MSNODE@127.0.0.1:{port}"), "SCANNER")
    sent = time.perf_counter()
    log = folder.parent / "node.log"
    if not all(receipt.delivered for receipt in receipts):
        raise MsnodeError(f"the node refused the study; see {log}")
    tell(f"waiting for the result of {study.name} …")
    objects = pacs.wait(study.identity.study_uid)
    if len(objects) < OBJECTS:
        raise MsnodeError(f"no result after {RESULT_S} s; see {log}")
    timings[f"receive {len(files)} images ({study.name})"] = sent - began
    timings[f"last image to result in the PACS ({study.name})"] = time.perf_counter() - sent
    return _kept(study, files, objects, folder)


def _followed(
    folder: Path, port: int, pacs: Pacs, tell: Tell, timings: dict[str, float]
) -> demo_twin.Followed:
    """Send the visits of an invented patient, one after the other as they would come."""
    settings = folder / "msnode.yaml"
    demo_twin.tell(settings)
    began = time.perf_counter()
    for visit in VISITS:
        last = _through(visit, folder / "invented" / visit.name, port, pacs, tell, {})
    timings["three invented visits, one after the other"] = time.perf_counter() - began
    shutil.copy(last.montage, folder / "invented" / "montage.png")
    return demo_twin.follow(settings, folder / "invented" / "course.png")


def _show_course(console: Console, course: demo_twin.Followed) -> None:
    """The twin in a few lines."""
    console.rule("[bold]A patient's course: invented[/]", align="left")
    console.print(f"[dim]{demo_twin.INVENTED}[/]")
    console.print(course.table())
    for line in course.sentences():
        console.print(line)


def _kept(study: KnownStudy, files: list[Path], objects: list[Path], folder: Path) -> Shown:
    """The report and the montage, the latter also as PNG."""
    documents = {dcmread(path, stop_before_pixels=True).Modality: path for path in objects}
    Image.fromarray(dcmread(documents["OT"]).pixel_array).save(folder / "montage.png")
    shutil.copy(documents["SR"], folder / "report.dcm")
    return Shown(study, files, folder / "report.dcm", folder / "montage.png")


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
        "pages": {"port": _free_port(), "patients": True},
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


def _show(console: Console, shown: Shown, model: Path) -> None:
    """What the node said of a study, and what is known of it."""
    found = report.read(shown.document)
    console.rule(f"[bold]{shown.study.origin}[/]", align="left")
    chance = "" if found.probability is None else f", probability {found.probability:.0%}"
    console.print(f"the node says  MS pattern [bold]{found.decision}[/]{chance}")
    for reason in found.reasons:
        console.print(f"               {escape(reason)}")
    console.print(f"what is known  {shown.known}")
    for line in held_against(shown, found, model):
        console.print(f"so             {escape(line)}")


def _timing(console: Console, timings: dict[str, float]) -> None:
    """Seconds by stage, from the scanner's first image to the result in the PACS."""
    table = Table("stage", "seconds", title="How long it took", title_justify="left")
    table.columns[1].justify = "right"
    for stage, seconds in timings.items():
        table.add_row(stage, f"{seconds:.1f}")
    console.print(table)
    console.print(f"[dim]{QUIET_S:.0f} s of the wait for a result: has the last image come?[/]")


def _farewell(console: Console, folder: Path, page: Path, login: demo_account.Login) -> None:
    """What lies where, and what to do next."""
    console.rule("[bold]What lies where[/]", align="left")
    for path, what in (
        (page, "open it in a browser: both results beside what is known"),
        (folder / "invented" / "course.png", "the course of the invented patient"),
        (folder / "pacs", "the objects as the PACS got them (DICOM SR, Secondary Capture)"),
        (folder / "msnode.yaml", "the node's configuration"),
        (folder / "node.log", "what the node logged"),
    ):
        console.print(f"{path}  [dim]{what}[/]", soft_wrap=True)
    console.rule("[bold]What to do next[/]", align="left")
    settings = folder / "msnode.yaml"
    console.print(
        f"msnode twin show {PATIENT_ID} --config {settings}   [dim]all of the invented patient's "
        "twin[/]", soft_wrap=True,
    )  # fmt: skip
    console.print(
        f"msnode pages --config {settings}   [dim]the node's pages: {login.url}, account "
        f"[/]{login.account}[dim], password [/]{login.password}", soft_wrap=True,
    )  # fmt: skip
    console.print("msnode predict FOLDER   [dim]a result for your own DICOM or NIfTI files[/]")
    console.print("docs/install.md         [dim]a node beside your PACS[/]")
    console.print("[dim]AI results, not verified; for research, not a medical device[/]")


def _free_port() -> int:
    """A TCP port that nobody listens on right now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
