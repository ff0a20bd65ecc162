"""Lesions outlined by hand: what `msnode lesions` writes and prints."""

import csv
import logging
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from msnode import lesions, prepare
from msnode.cli import scans
from msnode.cli.progress import progress
from msnode.config import Decode
from msnode.confined import Confined
from msnode.errors import MsnodeError
from msnode.flow.analysis import failed
from msnode.flow.lesion_analysis import dated, seen_as
from msnode.lesions import Bundle, Compared, Visit
from msnode.lesions.kept import Kept
from msnode.prepare import SourceGrid
from msnode.records.images import InputContract
from msnode.records.lesions import REGIONS, Lesion, LesionChange
from msnode.records.uid_hash import uid_hash
from msnode.report import Origin

log = logging.getLogger(__name__)

CONTRACT = InputContract(("FLAIR",), 224, 224)
"""Any FLAIR of a head; rows and columns are the volume's own."""
COLUMNS = ("volume", "id", "region", "laterality", "mm3", "diameter", "images", "probability")
WITH_PRIOR = ("change", "mm3_before")
LAST = "doubts"
"""What speaks against all outlines of the scan, as codes."""
ENDING = re.compile(r"\.nii(\.gz)?$", re.IGNORECASE)
WORDS = {"deep_white": "deep white"}


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan that was outlined.

    Attributes:
        visit: the scan and what was found in it.
        grid: where its voxels lie.
        origin: whose it is, and of when.
    """

    visit: Visit
    grid: SourceGrid
    origin: Origin

    def known(self, bundle: Bundle) -> Kept:
        """What is known of it, as of a visit that a node keeps."""
        seen = self.grid.acquisition, self.grid.distance_mm, bundle.manifest.digest
        return seen_as("", self.origin.study_date, *seen, self.visit)


@dataclass(frozen=True, slots=True)
class Outlined:
    """One scan's result.

    Attributes:
        name: of the mask file.
        visit: the scan and what was found in it.
        grid: of the scan.
        seconds: that it took.
        compared: with the earlier scan; None where none was given.
    """

    name: str
    visit: Visit
    grid: SourceGrid
    seconds: float
    compared: Compared | None = None

    @property
    def lesions(self) -> tuple[Lesion, ...]:
        """What was found, the largest first."""
        return self.visit.found.lesions


@dataclass(frozen=True, slots=True)
class Earlier:
    """The earlier scan.

    Attributes:
        scan: what was found in it.
        files: in which it lies.
    """

    scan: Scan
    files: frozenset[Path]

    def beside(self, files: Sequence[Path]) -> Scan | None:
        """What a scan is compared with; None for this scan itself, which says nothing of change."""
        return None if scans.is_itself(self.files, files) else self.scan


def outline(paths: Sequence[Path], out: Path, prior: Path | None, model: Path | None) -> None:
    """Outline every scan among the files; whatever goes wrong with one, the others go on.

    Raises:
        MsnodeError: there is no scan, the bundle or the earlier scan cannot be used, or a scan had
            no result.
    """
    studies = scans.studies(paths)
    bundle = lesions.load(model or lesions.SHIPPED)
    reader = Confined(Decode(), ("msnode.prepare",))
    earlier = _prior(prior, reader, bundle) if prior is not None else None
    out.mkdir(parents=True, exist_ok=True)
    stems = _stems(studies)
    done: list[Outlined] = []
    with progress("outlining", len(studies)) as advance:
        for study, files in studies.items():
            try:
                before = earlier.beside(files) if earlier is not None else None
                done.append(_one(files, stems[study], reader, bundle, before, out))
            except (MsnodeError, OSError) as error:
                log.error("%s: not outlined: %s", stems[study], error)
            except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
                log.error("%s: not outlined: %s", stems[study], failed("outline", error))
            advance()
    _write_csv(out / "lesions.csv", done, earlier is not None)
    _show(done, bundle, out)
    if missing := len(studies) - len(done):
        raise MsnodeError(f"{missing} of {len(studies)} scans were not outlined; see above")


def _prior(path: Path, reader: Confined, bundle: Bundle) -> Earlier:
    """The earlier scan.

    Raises:
        MsnodeError: there is none, more than one, or it cannot be outlined.
    """
    files = scans.earlier(path)
    try:
        return Earlier(_scan(files, reader, bundle), scans.resolved(files))
    except MsnodeError as error:
        raise MsnodeError(f"--prior {path.name}: {error}") from error


def _stems(studies: dict[str, tuple[Path, ...]]) -> dict[str, str]:
    """A file's name without its ending, or the folder's of a DICOM study; unique by a digest."""
    stems = {}
    for study, files in studies.items():
        first = files[0]
        is_file = study == str(first)
        stems[study] = ENDING.sub("", first.name) if is_file else first.parent.name
    count = Counter(stems.values())
    return {s: n if count[n] == 1 else f"{n}_{uid_hash(s)[:8]}" for s, n in stems.items()}


def _scan(files: tuple[Path, ...], reader: Confined, bundle: Bundle) -> Scan:
    """Read one scan and outline it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "voxels.npy"
        grid = reader.call(SourceGrid, prepare.save_source, files, CONTRACT, file)
        voxels = np.load(file, allow_pickle=False)
    found = lesions.find(voxels, grid.affine, bundle)
    apart = float(np.linalg.norm(grid.affine[:3, :3], axis=0).max())  # along whichever axis
    doubts = (*found.doubts, *bundle.doubts(grid.acquisition, apart))
    visit = Visit(voxels, grid.affine, replace(found, doubts=doubts))
    return Scan(visit, grid, scans.origin(files[0], reader))


def _one(
    files: tuple[Path, ...],
    stem: str,
    reader: Confined,
    bundle: Bundle,
    before: Scan | None,
    out: Path,
) -> Outlined:
    """Outline one scan, compare it with the earlier one, write its masks."""
    began, name, changed = time.perf_counter(), f"{stem}_lesions.nii.gz", f"{stem}_change.nii.gz"
    for file in (name, changed):  # an earlier run's
        (out / file).unlink(missing_ok=True)
    now = _scan(files, reader, bundle)
    nibabel.Nifti1Image(now.visit.found.labels, now.grid.affine).to_filename(out / name)
    compared = _compared(before, now, bundle) if before is not None else None
    if compared is not None and compared.changes is not None:
        nibabel.Nifti1Image(compared.changes, now.grid.affine).to_filename(out / changed)
    return Outlined(name, now.visit, now.grid, time.perf_counter() - began, compared)


def _compared(before: Scan, now: Scan, bundle: Bundle) -> Compared:
    """A scan beside the earlier one, with what differs between them."""
    made = lesions.compare(before.visit, now.visit)
    told = dated(made.comparison, before.known(bundle), now.known(bundle))
    return replace(made, comparison=scans.of_patients(told, before.origin, now.origin))


def _write_csv(file: Path, done: Sequence[Outlined], has_prior: bool) -> None:
    """A row a lesion, of all scans."""
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow((*COLUMNS, *(WITH_PRIOR if has_prior else ()), LAST))
        for one in done:
            doubts = ";".join(doubt.code for doubt in one.visit.found.doubts)
            writer.writerows((*row, doubts) for row in _rows(one))


def _rows(one: Outlined) -> Iterator[tuple[object, ...]]:
    """Images are counted along the scan's third axis, from 1; a lesion that is gone has no id."""
    changes = one.compared.comparison.changes if one.compared is not None else ()
    known = {change.number: (change.change, _before(change)) for change in changes}
    for lesion in one.lesions:
        mine = (one.visit.found.numbers == lesion.number).any(axis=(0, 1))
        images = ";".join(str(n) for n in np.flatnonzero(mine) + 1)
        numbers = f"{lesion.mm3:.1f}", f"{lesion.diameter_mm:.1f}"
        since = known.get(lesion.number, ("", "")) if one.compared is not None else ()
        yield (
            one.name, lesion.number, lesion.region, lesion.laterality, *numbers, images,
            f"{lesion.probability:.3f}", *since,
        )  # fmt: skip
    for change in changes:
        if change.change == "gone":
            missing = "", change.region, change.laterality, "0.0", "", "", ""
            yield one.name, *missing, "gone", _before(change)


def _before(change: LesionChange) -> str:
    """Volume in the earlier scan, mm3; nothing where it was too faint to be outlined."""
    return "" if change.mm3_before is None else f"{change.mm3_before:.1f}"


def _show(done: Sequence[Outlined], bundle: Bundle, out: Path) -> None:
    """A line a scan."""
    console = Console()
    table = Table("scan", "lesions", "ml", "where", "s", title_justify="left")
    for one in done:
        count = Counter(lesion.region for lesion in one.lesions)
        where = ", ".join(f"{WORDS.get(r, r)} {count[r]}" for r in REGIONS if count[r])
        ml = sum(lesion.mm3 for lesion in one.lesions) / 1000
        numbers = str(len(one.lesions)), f"{ml:.1f}"
        table.add_row(escape(one.name), *numbers, where, f"{one.seconds:.1f}")
    console.print(table)
    for one in done:
        if one.compared is not None:
            console.print(f"{escape(one.name)}: {scans.since(one.compared.comparison)}")
        doubts = [f"outlines doubtful: {doubt}" for doubt in one.visit.found.doubts]
        for warning in (*one.grid.warnings, *doubts):
            console.print(f"[yellow]{escape(one.name)}: {escape(str(warning))}[/]")
    m = bundle.manifest
    console.print(
        f"[dim]model {m.name} {m.version} ({m.digest[:12]}), threshold {m.threshold:.2f}[/]"
    )
    console.print(f"[dim]{escape(m.notice)}[/]")
    console.print("[dim]AI result, not verified; for research, not a medical device[/]")
    console.print(f"masks and lesions.csv are in {out}")
