"""At the end: sent = received = results, each once, at the PACS too."""

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydicom import dcmread

from msnode.receive.inbox.part10 import read_arrival
from msnode.store.database import instances, receipts, results, studies
from tests.acceptance.peers import Orthanc
from tests.soak.scanner import Content, Truth

OBJECTS = ["OT", "SR"]
"""A result's Modalities in the profile minimal."""


@dataclass
class Account:
    """What was found; the first of each kind of problem are named."""

    figures: dict[str, int] = field(default_factory=dict)
    problems: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def expect(self, what: str, wrong: set[Any]) -> None:
        """A figure that must be 0."""
        self.figures[what] = len(wrong)
        if wrong:
            self.problems[what] = sorted(map(str, wrong))[:5]


def reconcile(truth: Truth, database: sa.Engine, data: Path, pacs: Orthanc) -> Account:
    """Compare what the scanners know with the database, the files and the PACS."""
    account = Account()
    with database.connect() as connection:
        rows = {
            table.name: [row._asdict() for row in connection.execute(table.select())]
            for table in (studies, instances, results, receipts)
        }
    _images(account, truth, rows["instances"], data)
    _results(account, truth, rows)
    _at_pacs(account, rows, pacs)
    return account


def _images(account: Account, truth: Truth, rows: list[dict[str, Any]], data: Path) -> None:
    """Every acknowledged image is there, whole, exactly once."""
    kept: Counter[Content] = Counter()
    damaged, files = set(), set()
    for row in rows:
        path = data / row["path"]
        files.add(path)
        if not path.is_file() or read_arrival(path, b"").sha256 != row["sha256"]:
            damaged.add(row["path"])
            continue
        pixels = hashlib.sha256(dcmread(path).PixelData).hexdigest()
        kept[row["sop_instance_uid"], pixels] += 1
    sent = set().union(*truth.acknowledged.values())
    account.figures["images acknowledged"] = len(sent)
    account.figures["images kept"] = len(kept)
    account.expect("acknowledged images lost", sent - set(kept))
    account.expect("images damaged", damaged)
    account.expect("images twice", {image for image, count in kept.items() if count > 1})
    # refused while the database was away and not sent again; the next start or sweep adopts them
    waiting = set((data / "instances").glob("*/*")) - files
    account.figures["files of refused images, without a row yet"] = len(waiting)
    account.expect("strangers let in", {uid for uid, _ in kept} & truth.strangers)


def _results(account: Account, truth: Truth, rows: dict[str, list[dict[str, Any]]]) -> None:
    """Every study has a result of each generation, the last one covers every image."""
    known = {row["study_instance_uid"]: row for row in rows["studies"]}
    sent = {uid for uid, images in truth.acknowledged.items() if images}
    account.figures["studies acknowledged"] = len(sent)
    account.figures["studies with a result"] = len({row["study_key"] for row in rows["results"]})
    account.figures["results"] = len(rows["results"])
    outcomes = Counter(row["outcome"] for row in rows["results"])
    account.figures |= {f"  {outcome}": count for outcome, count in sorted(outcomes.items())}
    account.expect("studies lost", sent - set(known))
    account.expect("studies not done", {u for u, row in known.items() if row["state"] != "done"})
    wanted = {(r["study_key"], n + 1) for r in known.values() for n in range(r["generation"])}
    found = [(row["study_key"], row["generation"]) for row in rows["results"]]
    account.expect("results missing", wanted - set(found))
    account.expect("results nobody asked for", set(found) - wanted)
    left = {r["path"] for r in rows["instances"] if r["generation"] is None and not r["conflict"]}
    account.expect("images in no result", left)


def _at_pacs(account: Account, rows: dict[str, list[dict[str, Any]]], pacs: Orthanc) -> None:
    """The PACS has the objects of each result, and no other object of ours."""
    delivered: dict[str, set[str]] = defaultdict(set)
    for row in rows["receipts"]:
        if row["delivered"]:
            delivered[row["study_key"]].add(row["sop_instance_uid"])
    undelivered = {row["sop_instance_uid"] for row in rows["receipts"] if not row["delivered"]}
    account.expect("objects not delivered", undelivered)
    missing, surplus, uneven = set(), set(), set()
    for row in rows["studies"]:
        objects = pacs.instances(row["study_instance_uid"])
        there = {str(found["00080018"]) for found in objects}
        missing |= delivered[row["study_key"]] - there
        surplus |= there - delivered[row["study_key"]]
        modalities = Counter(str(found["00080060"]) for found in objects)
        if modalities != Counter(OBJECTS * row["generation"]):
            uneven.add((row["study_key"], row["generation"], str(sorted(modalities.items()))))
    account.figures["objects at the PACS"] = pacs.get("/statistics")["CountInstances"]
    account.expect("objects missing at the PACS", missing)
    account.expect("objects too many at the PACS", surplus)
    account.expect("studies without one set of objects a result", uneven)
