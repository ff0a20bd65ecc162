"""Scanners that send random studies, as they come in a hospital: whole, late, twice, broken."""

import hashlib
import random
import re
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pydicom

from msnode import sample
from tests.acceptance.peers import ENVIRONMENT, tool

ATTEMPTS = 40  # at a study by a sender that repeats what was not acknowledged
PAUSE_S = 2.0  # between them
STUBBORN = 0.8  # share of the senders that repeat; the others lose what they could not send
KINDS = {
    "whole": 6, "part": 4, "parallel": 4, "late": 3, "duplicate": 3, "conflicting": 2,
    "truncated": 1, "other sequence": 1, "stat": 2, "stranger": 1,
}  # fmt: skip
"""What a study is like, and how often."""

Content = tuple[str, str]
"""SOPInstanceUID, and sha256 of PixelData."""


def content(path: Path) -> Content:
    """What a file holds."""
    dataset = pydicom.dcmread(path)
    return str(dataset.SOPInstanceUID), hashlib.sha256(dataset.PixelData).hexdigest()


@dataclass
class Truth:
    """What the scanners know at the end."""

    acknowledged: dict[str, set[Content]] = field(default_factory=dict)
    """By StudyInstanceUID."""
    strangers: set[str] = field(default_factory=set)
    """SOPInstanceUIDs of another patient's images in a study; to be refused."""
    answers: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def note(self, study: str, paths: Sequence[Path]) -> None:
        """These were answered with success."""
        found = {content(path) for path in paths}
        with self.lock:
            self.acknowledged.setdefault(study, set()).update(found)


@dataclass(frozen=True)
class Study:
    """Files of one study and the order in which they go out: batches, at once or one by one."""

    uid: str
    batches: list[list[Path]]
    at_once: bool = False
    pause_s: float = 0.0


class Scanner(threading.Thread):
    """Sends one study after the other until stopped.

    Args:
        seed: of everything random in what is sent.
        folder: for the files; each study's are deleted when it is sent.
        ports: of the nodes, any of which takes an image.
        truth: where it notes what was acknowledged.
        may_send: whether the nodes keep up.
    """

    def __init__(
        self,
        seed: str,
        folder: Path,
        ports: Sequence[int],
        truth: Truth,
        may_send: Callable[[], bool],
    ) -> None:
        super().__init__(name=seed, daemon=True)
        self._dice = random.Random(seed)
        self._folder = folder
        self._ports = ports
        self._truth = truth
        self._may_send = may_send
        self._stopping = threading.Event()
        self.error: BaseException | None = None

    def stop(self) -> None:
        """Begin no more studies."""
        self._stopping.set()

    def run(self) -> None:
        """Send until stopped."""
        try:
            while not self._stopping.wait(self._dice.uniform(0.2, 3)):
                if self._may_send():
                    self._send_study()
        except BaseException as error:
            self.error = error
            raise

    def _send_study(self) -> None:
        kind = self._dice.choices(list(KINDS), list(KINDS.values()))[0]
        folder = self._folder / f"{self.name}-{self._dice.getrandbits(64):016x}"
        study = make(kind, folder, self._dice, self._truth)
        stubborn = self._dice.random() < STUBBORN
        with ThreadPoolExecutor(len(study.batches) if study.at_once else 1) as associations:
            for sent in [
                associations.submit(self._send, study, b, stubborn) for b in study.batches
            ]:
                sent.result()
        with self._truth.lock:
            self._truth.kinds[kind] += 1
        shutil.rmtree(folder)

    def _send(self, study: Study, batch: list[Path], stubborn: bool) -> None:
        """One batch over one association, or over as many as it takes."""
        left = batch
        if left[0].name.startswith("stranger") and not self._truth.acknowledged.get(study.uid):
            return  # it would be the first, and no stranger
        for _ in range(ATTEMPTS if stubborn else 1):
            answers = storescu(random.choice(self._ports), left)
            self._truth.note(study.uid, [path for path in left if answers.get(path) == "Success"])
            with self._truth.lock:
                self._truth.answers.update(answers.values() or ["no connection"])
            left = [path for path in left if answers.get(path) not in ("Success", "Error")]
            if not left:
                break
            time.sleep(PAUSE_S)
        time.sleep(study.pause_s)


def storescu(port: int, paths: Sequence[Path]) -> dict[Path, str]:
    """Send over one association; returns how each file was answered, as dcmtk calls it."""
    options = ["-v", "-nh", "-to", "5", "-ta", "15", "-td", "30", "-aet", "SCANNER"]
    options += ["-aec", "MSNODE", "127.0.0.1", str(port)]
    sent = subprocess.run(
        [tool("storescu", "dcmtk"), *options, *map(str, paths)],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    answers: dict[Path, str] = {}
    path = None
    for name, answer in re.findall(
        r"Sending file: (.*)|Received Store Response \((\w+)", sent.stdout + sent.stderr
    ):
        if name:
            path = Path(name)
        elif path is not None:
            answers[path] = answer
    return answers


def make(kind: str, folder: Path, dice: random.Random, truth: Truth) -> Study:
    """Write a study of a kind."""
    uid = f"2.25.{dice.getrandbits(120)}"
    what = sample.T1 if kind == "other sequence" else sample.FLAIR
    identity = sample.Identity(patient_id=f"P{dice.getrandbits(32)}", study_uid=uid)
    paths = list(sample.write_series(sample.nifti(), folder, what, identity))
    cut = dice.randint(6, len(paths) - 6)
    if kind == "part":
        return Study(uid, [paths[cut - 6 : cut]])
    if kind == "parallel":
        return Study(uid, [paths[start::3] for start in range(3)], at_once=True)
    if kind == "late":
        return Study(uid, [paths[:cut], paths[cut:]], pause_s=dice.uniform(2, 20))
    if kind == "duplicate":
        return Study(uid, [paths, paths], at_once=dice.random() < 0.5)
    if kind == "conflicting":
        return Study(uid, [paths, [_changed(paths[cut])]], pause_s=dice.uniform(0, 10))
    if kind == "truncated":
        return Study(uid, [[_truncated(path) for path in paths[:6]]])
    if kind == "stat":
        return Study(uid, [[_stat(path) for path in paths]])
    if kind == "stranger":
        return Study(uid, [paths, [_stranger(paths[cut], truth)]])
    return Study(uid, [paths])


def _changed(path: Path) -> Path:
    """The same image with other pixels, as after a repeated reconstruction."""
    image = pydicom.dcmread(path)
    image.PixelData = image.PixelData[2:] + image.PixelData[:2]
    return _save(image, path.with_name(f"changed-{path.name}"))


def _truncated(path: Path) -> Path:
    """Half of the pixels, as from a disk that was full."""
    image = pydicom.dcmread(path)
    image.PixelData = image.PixelData[: len(image.PixelData) // 4 * 2]
    return _save(image, path)


def _stat(path: Path) -> Path:
    """Wanted at once (PS3.3 C.7.3.1, Request Attributes)."""
    image = pydicom.dcmread(path)
    image.RequestedProcedurePriority = "STAT"
    return _save(image, path)


def _stranger(path: Path, truth: Truth) -> Path:
    """Another patient's image with this study's UID."""
    image = pydicom.dcmread(path)
    image.PatientID += "X"
    image.SOPInstanceUID += "1"
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    with truth.lock:
        truth.strangers.add(str(image.SOPInstanceUID))
    return _save(image, path.with_name(f"stranger-{path.name}"))


def _save(image: pydicom.Dataset, path: Path) -> Path:
    image.save_as(path, enforce_file_format=True)
    return path
