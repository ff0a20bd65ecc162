"""The hospital of the soak: nodes that share a database and a folder, a PACS, all to be broken."""

import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.acceptance import peers
from tests.acceptance.node import Node
from tests.integration.disk import Disk
from tests.soak.watch import family, lives

LEASE_S = 30.0  # engine.SILENT_S
ORPHANS_S = 10.0  # for what a dead node had started to end as well
ROOM = 200 << 20  # bytes that a full disk has left: less than receive.min_free_bytes


@dataclass
class Server:
    """A peer that is started, stopped and killed as it comes."""

    command: Sequence[str]
    log: Path
    answers: Callable[[], Any]
    user: str | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command, stdout=output, stderr=subprocess.STDOUT,
                env=peers.ENVIRONMENT, user=self.user,
            )  # fmt: skip
        peers.wait(self.answers, 60, f"{self.command[0]} to answer")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send it a signal that ends it."""
        if self.process is None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self.process = None


class Site:
    """Everything that runs.

    Args:
        folder: of it all.
        nodes: how many; each receives and works.
        shared: PostgreSQL as the database, which more than one node needs; else SQLite.
        model: settings under classify, beyond those of a CPU.
        disk: that the data folder is on, if it can be filled.
    """

    def __init__(
        self,
        folder: Path,
        nodes: int,
        shared: bool,
        model: dict[str, Any],
        disk: Disk | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.disk = disk
        self.orphans: set[str] = set()
        self.data = (disk.folder if disk else folder) / "data"
        self.pacs = peers.configure_orthanc(folder / "pacs")
        self.archive = Server(self.pacs.command, folder / "orthanc.log", self.pacs.answers)
        self.database: Server | None = None
        self.url = f"sqlite:///{self.data / 'msnode.sqlite'}"
        if shared:
            self._home = Path(tempfile.mkdtemp(prefix="msnode-soak-"))
            self.database = self._postgresql(folder)
        self.nodes = [self._node(folder / f"node-{n}", model) for n in range(1, nodes + 1)]

    def _postgresql(self, folder: Path) -> Server:
        server = peers.configure_postgresql(self._home)
        self.url = server.url
        log = folder / "postgresql.log"
        return Server(server.command, log, server.answers, server.user)

    def _node(self, folder: Path, model: dict[str, Any]) -> Node:
        folder.mkdir()
        retry = {"first_s": 1.0, "longest_s": 5.0}
        pacs = peers.destination("pacs", self.pacs.ae_title, self.pacs.port) | {"retry": retry}
        port = peers.free_port()
        own = {
            "name": folder.name,
            "data": str(self.data),
            "receive": {"address": "127.0.0.1", "port": port, "min_free_bytes": 2 * ROOM},
            "complete": {"quiet_s": 2.0, "idle_s": 4.0, "cap_s": 60.0},
            "classify": {"device": "cpu", "threads": 1} | model,
            "lesions": {"bundle": None},  # not what this is about, and it takes seconds
            "destinations": [pacs],
            "http": {"port": peers.free_port()},
        }
        if self.database:
            own["database"] = self.url
        return Node(own, folder, patience_s=900)

    @property
    def mortal(self) -> list[Node]:
        """Nodes that may be broken: all but the first, whose memory is watched."""
        return self.nodes[1:] or self.nodes

    @property
    def ports(self) -> list[int]:
        """Where the nodes listen."""
        return [node.port for node in self.nodes]

    def start(self) -> None:
        """All of it."""
        if self.database:
            self.database.start()
        self.archive.start()
        for node in self.nodes:
            node.start()

    def stop(self) -> None:
        """Whatever still runs."""
        for node in self.nodes:
            node.kill_if_alive()
        self.archive.stop()
        if self.database:
            self.database.stop(signal.SIGINT)
            shutil.rmtree(self._home)


def kill_node(site: Site, dice: random.Random) -> None:
    """A node dies; the others take over what it was doing if it stays away for long."""
    node = dice.choice(site.mortal)
    assert node.process is not None
    its = family(node.process.pid)
    node.kill()
    deadline = time.monotonic() + ORPHANS_S
    while (left := [pid for pid in its if lives(pid)]) and time.monotonic() < deadline:
        time.sleep(0.2)
    site.orphans |= {f"{node.folder.name} {pid}" for pid in left}
    time.sleep(dice.choice([0, 3, LEASE_S + 10]) if len(site.nodes) > 1 else 0)
    node.start()


def restart_node(site: Site, dice: random.Random) -> None:
    """A node is restarted in good order."""
    node = dice.choice(site.mortal)
    node.terminate()
    node.start()


def suspend_node(site: Site, dice: random.Random) -> None:
    """A node that seemed dead comes back in the midst of what others have taken over."""
    process = dice.choice(site.mortal).process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    time.sleep(LEASE_S + 15)
    process.send_signal(signal.SIGCONT)


def kill_pacs(site: Site, dice: random.Random) -> None:
    """The PACS dies in the midst of what it gets."""
    site.archive.stop(signal.SIGKILL)
    time.sleep(dice.uniform(0, 5))
    site.archive.start()


def stop_pacs(site: Site, dice: random.Random) -> None:
    """The PACS goes away for a while."""
    site.archive.stop()
    time.sleep(dice.uniform(10, 40))
    site.archive.start()


def suspend_pacs(site: Site, dice: random.Random) -> None:
    """The PACS takes connections and says nothing."""
    assert site.archive.process is not None
    site.archive.process.send_signal(signal.SIGSTOP)
    time.sleep(dice.uniform(5, 20))
    site.archive.process.send_signal(signal.SIGCONT)


def restart_database(site: Site, dice: random.Random) -> None:
    """The database server breaks off all connections, at times without warning."""
    assert site.database is not None
    site.database.stop(dice.choice([signal.SIGINT, signal.SIGQUIT]))
    time.sleep(dice.uniform(0, 10))
    site.database.start()


def fill_disk(site: Site, dice: random.Random) -> None:
    """The disk of the nodes is full for a while."""
    assert site.disk is not None
    filling = site.disk.folder / "filling"
    free = shutil.disk_usage(site.disk.folder).free
    left = dice.choice([ROOM, 0])
    subprocess.run(["fallocate", "-l", str(free - left), filling], check=True)
    time.sleep(dice.uniform(5, 20))
    filling.unlink()


Fault = Callable[[Site, random.Random], None]


def faults(site: Site) -> dict[str, Fault]:
    """What can be broken at this site, by its name in the log."""
    found: dict[str, Fault] = {
        "node killed": kill_node,
        "node restarted": restart_node,
        "PACS killed": kill_pacs,
        "PACS away": stop_pacs,
        "PACS silent": suspend_pacs,
    }
    if site.database:
        found |= {"database restarted": restart_database, "node suspended": suspend_node}
    if site.disk:
        found |= {"disk full": fill_disk}
    return found
