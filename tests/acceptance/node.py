"""The node under test: `msnode serve` as a process of its own."""

import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance.peers import wait


@dataclass
class Node:
    """`msnode serve` as a process of its own; or another role: receive, work."""

    settings: dict[str, Any]
    folder: Path
    role: str = "serve"
    on: tuple[str, ...] = ()
    """Command that runs it on another host."""
    patience_s: float = 180.0
    """For it to be ready."""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def port(self) -> int:
        """Of its DICOM listener."""
        port: int = self.settings["receive"]["port"]
        return port

    @property
    def log(self) -> Path:
        """Everything it wrote to its standard output and error."""
        return self.folder / "node.log"

    def start(self) -> None:
        """Start it and wait until it is ready."""
        file = self.folder / "msnode.yaml"
        file.write_text(yaml.safe_dump(self.settings))
        command = [*self.on, sys.executable, "-m", "msnode", self.role, "--config", str(file)]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        wait(self._ready_or_dead, self.patience_s, "the node to be ready")
        if self.process.poll() is not None:
            pytest.fail(f"the node stopped at its start:\n{self.log.read_text()[-3000:]}")

    def _ready_or_dead(self) -> bool:
        assert self.process is not None
        return self.process.poll() is not None or self.get("/readyz")[0] == 200

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of an HTTP endpoint; status 0 where nobody listens."""
        http = self.settings["http"]
        url = f"http://{http.get('address', '127.0.0.1')}:{http['port']}{path}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (urllib.error.URLError, ConnectionError):
            return 0, ""

    def metric(self, sample: str) -> float:
        """The value of one sample of /metrics, named with its labels; 0 where there is none."""
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(f"{sample} "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def sum(self, name: str) -> float:
        """The samples of one metric added up over their labels."""
        lines = self.get("/metrics")[1].splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{name}{{"))

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, SIGSTOP or SIGCONT: as a host that hangs and comes back."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, as a power loss would."""
        self._end(signal.SIGKILL)

    def kill_if_alive(self) -> None:
        """For the end of the tests, whatever a test left running."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def terminate(self) -> float:
        """SIGTERM, as systemd would; returns the seconds it took to stop."""
        start = time.monotonic()
        self._end(signal.SIGTERM)
        return time.monotonic() - start

    def _end(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            pytest.fail(f"the node did not stop within 30 s of {number.name}")
