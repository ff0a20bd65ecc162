"""The real peers of the tests: Orthanc, dcmtk's programs and PostgreSQL.

Each is a context manager that starts a process on a free port, waits
until it answers, and stops it. A program that is not there fails the test with the name of the
Debian package to install.
"""

import json
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pynetdicom import AE
from pynetdicom.events import EventHandlerType

from msnode.config import Tls
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where Debian's programs are; a virtual environment's storescp is pynetdicom's, not dcmtk's."""
ENVIRONMENT = os.environ | {"TCP_NODELAY": "1"}
"""dcmtk's and Orthanc's sockets stall 40 ms an image without it (Nagle against delayed ACK)."""

ROUTE = ROOT / "config" / "orthanc-route.lua"
"""Auto-routing to the node, as it is shipped."""


def tool(name: str, package: str) -> str:
    """Path of a program of the system."""
    path = shutil.which(name, path=SYSTEM_PATH)
    if path is None:
        pytest.fail(f"{name} is missing: install Debian package {package}")
    return path


def run(*command: object, **options: Any) -> str:
    """Run a program that must succeed; returns what it printed."""
    done = subprocess.run(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120 * PATIENCE,
        check=False,
        **options,
    )
    output = str(done.stdout)
    assert done.returncode == 0, output
    return output


def free_port() -> int:
    """A port that nobody listens on, of those that the system gives no client meanwhile."""
    port = 10_000 + secrets.randbelow(22_000)  # whatever seed another test has set
    return free_port() if listening(port) else port


@contextmanager
def serving(entity: AE, port: int, handlers: list[EventHandlerType]) -> Iterator[None]:
    """An SCP of pynetdicom in this process, for what no program of others does on demand."""
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        yield
    finally:
        server.shutdown()


def wait(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Poll until the condition is true and return its value; fail the test after some seconds."""
    deadline = time.monotonic() + seconds * PATIENCE
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.1)
    return pytest.fail(f"after {seconds * PATIENCE:.0f} s still waiting for {what}")


def listening(port: int) -> bool:
    """Whether somebody accepts connections on a local port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def program(command: Sequence[str], log: Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process with its output in a file, for the time of a ``with`` block."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=ENVIRONMENT, **options
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def destination(name: str, title: str, port: int) -> dict[str, Any]:
    """A local peer's entry in the node's configuration."""
    return {"name": name, "ae_title": title, "host": "127.0.0.1", "port": port}


@dataclass(frozen=True)
class Scp:
    """A storage SCP that writes what it gets into a folder."""

    ae_title: str
    port: int
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def files(self) -> list[Path]:
        """What arrived, by name."""
        return sorted(path for path in self.folder.iterdir() if path.is_file())


@contextmanager
def storescp(folder: Path, *options: str, tls: Tls | None = None, port: int = 0) -> Iterator[Scp]:
    """dcmtk's storage SCP, which accepts any transfer syntax."""
    title, port = "STORESCP", port or free_port()
    received = folder / "received"
    received.mkdir(parents=True, exist_ok=True)
    secure = ["+tls", str(tls.key), str(tls.certificate), "+cf", str(tls.ca)] if tls else []
    command = [tool("storescp", "dcmtk"), *secure, "-aet", title, "-od", str(received), "+xa"]
    with program([*command, *options, str(port)], folder / "storescp.log") as process:
        wait(lambda: listening(port), 10, "storescp to listen")
        yield Scp(title, port, received, process)


def dcmtk(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run one of dcmtk's programs to its end; output and errors come as one text."""
    return subprocess.run(
        [tool(name, "dcmtk"), *map(str, arguments)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=120 * PATIENCE,
        check=False,
    )


@dataclass
class Orthanc:
    """A running Orthanc."""

    http_port: int
    port: int
    folder: Path
    ae_title: str = "ORTHANC"

    @property
    def command(self) -> list[str]:
        """That starts it."""
        return [tool("Orthanc", "orthanc"), str(self.folder / "orthanc.json")]

    def get(self, path: str, body: object = None, content_type: str = "application/json") -> Any:
        """GET from its REST API, or POST where there is a body; returns the parsed answer."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}{path}",
            data=data,
            headers={"Content-Type": content_type, "Accept": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text.strip() else None

    def answers(self) -> bool:
        """Whether its REST API is up."""
        try:
            return bool(self.get("/system"))
        except (urllib.error.URLError, ConnectionError):
            return False

    def instances(self, study_instance_uid: str) -> list[dict[str, Any]]:
        """The study's instances by QIDO-RS (PS3.18 10.6): Modality, SOPClassUID and so on."""
        path = f"/dicom-web/studies/{study_instance_uid}/instances?includefield=all"
        return [
            {name: (attribute.get("Value") or [""])[0] for name, attribute in found.items()}
            for found in self.get(path) or []
        ]

    def modalities(self, study_instance_uid: str) -> list[str]:
        """The Modality of each of the study's instances, sorted."""
        return sorted(str(found["00080060"]) for found in self.instances(study_instance_uid))

    def upload(self, paths: Sequence[Path]) -> None:
        """Store files through the REST API, as if a modality had sent them."""
        for path in paths:
            self.get("/instances", path.read_bytes(), "application/dicom")


def plugin(name: str, package: str) -> str:
    """Path of a plugin of Orthanc's."""
    path = Path("/usr/share/orthanc/plugins", name)
    if not path.exists():
        pytest.fail(f"{name} is missing: install Debian package {package}")
    return str(path)


def configure_orthanc(
    folder: Path,
    node_port: int = 0,
    route: bool = False,
    tls: Tls | None = None,
    web_viewer: bool = False,
) -> Orthanc:
    """An Orthanc that is yet to be started: its folder, with its settings."""
    plugins = [plugin("libOrthancDicomWeb.so", "orthanc-dicomweb")]
    if web_viewer:
        plugins.append(plugin("libOrthancWebViewer.so", "orthanc-webviewer"))
    folder.mkdir(parents=True, exist_ok=True)
    pacs = Orthanc(free_port(), free_port(), folder)
    settings = {
        "Name": "PACS",
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "Plugins": plugins,
        "LuaScripts": [str(ROUTE)] if route else [],
        "HttpPort": pacs.http_port,
        "DicomPort": pacs.port,
        "DicomAet": pacs.ae_title,
        "DicomCheckCalledAet": True,
        "DicomAlwaysAllowStore": True,
        "DicomModalities": {
            "msnode": {
                "AET": "MSNODE",
                "Host": "127.0.0.1",
                "Port": node_port or free_port(),
                "AllowStorageCommitment": True,
                "AllowFind": True,
                "AllowMove": True,
                "AllowGet": True,
                "AllowStore": True,
                "UseDicomTls": tls is not None,
            }
        },
        "DicomTlsEnabled": tls is not None,
        "DicomTlsCertificate": str(tls.certificate) if tls else "",
        "DicomTlsPrivateKey": str(tls.key) if tls else "",
        "DicomTlsTrustedCertificates": str(tls.ca) if tls else "",
        "StableAge": 1,
        "SynchronousCMove": True,
        "DicomWeb": {"Enable": True, "StudiesMetadata": "Full"},
        "WebViewer": {"CachePath": str(folder / "cache"), "CacheSize": 10, "Threads": 1},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    return pacs


@contextmanager
def orthanc(
    folder: Path,
    node_port: int = 0,
    route: bool = False,
    tls: Tls | None = None,
    web_viewer: bool = False,
) -> Iterator[Orthanc]:
    """Orthanc with DICOMweb as the PACS, with the node as its modality."""
    pacs = configure_orthanc(folder, node_port, route, tls, web_viewer)
    with program(pacs.command, folder / "orthanc.log"):
        wait(pacs.answers, 20, "Orthanc to answer")
        yield pacs


@dataclass(frozen=True)
class Postgresql:
    """A PostgreSQL server in a folder of its own; it refuses to run as root."""

    folder: Path
    port: int
    user: str | None
    addresses: tuple[str, ...]

    @property
    def url(self) -> str:
        """Of its database, at the last of its addresses."""
        return f"postgresql://msnode@{self.addresses[-1]}:{self.port}/postgres"

    def answers(self) -> bool:
        """Whether it takes queries; it listens before it does."""
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    @property
    def command(self) -> list[str]:
        """That starts it."""
        home = str(self.folder)
        listen = ["-k", home, "-h", ",".join(self.addresses), "-p", str(self.port)]
        return [postgresql_tool("postgres"), "-D", home, *listen, "-F"]


def postgresql_tool(name: str) -> str:
    """Path of one of the newest PostgreSQL's programs."""
    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not homes:
        pytest.fail("postgres is missing: install Debian package postgresql")
    return str(homes[-1] / name)


def configure_postgresql(folder: Path, *addresses: str) -> Postgresql:
    """A server that is yet to be started; its user must be able to reach the folder.

    It listens on 127.0.0.1, and on further addresses whose networks it trusts.
    """
    user = "postgres" if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(folder, user)
    initdb = [postgresql_tool("initdb"), "-D", str(folder), "-A", "trust", "-U", "msnode", "-N"]
    subprocess.run(initdb, user=user, check=True, capture_output=True, timeout=60 * PATIENCE)
    with (folder / "pg_hba.conf").open("a") as trusted:
        trusted.writelines(f"host all all {address}/24 trust\n" for address in addresses)
    return Postgresql(folder, free_port(), user, ("127.0.0.1", *addresses))


@contextmanager
def postgresql(*addresses: str) -> Iterator[str]:
    """A fresh PostgreSQL server, at further addresses too; yields the URL of its database."""
    with tempfile.TemporaryDirectory(prefix="msnode-pg-") as name:
        server = configure_postgresql(Path(name), *addresses)
        with program(server.command, server.folder / "server.log", user=server.user):
            wait(server.answers, 60, "PostgreSQL to take queries")
            yield server.url
