"""Lesions outlined by hand: what `msnode lesions` writes and prints."""

import csv
import logging
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from msnode import lesions, prepare
from msnode.cli.progress import progress
from msnode.config import Decode
from msnode.confined import Confined
from msnode.errors import MsnodeError
from msnode.lesions import Bundle, Found
from msnode.prepare import SourceGrid
from msnode.records.images import InputContract
from msnode.records.lesions import REGIONS
from msnode.records.uid_hash import uid_hash

log = logging.getLogger(__name__)

CONTRACT = InputContract(("FLAIR",), 224, 224)
"""Any FLAIR of a head; rows and columns are the volume's own."""
COLUMNS = ("volume", "id", "region", "mm3", "diameter", "images", "probability")
WORDS = {"deep_white": "deep white"}


@dataclass(frozen=True, slots=True)
class Outlined:
    """One scan's result.

    Attributes:
        name: of the mask file.
        found: the lesions, on the scan's grid.
        ml: their volume.
        grid: of the scan.
        seconds: that it took.
    """

    name: str
    found: Found
    ml: float
    grid: SourceGrid
    seconds: float


def outline(paths: Sequence[Path], out: Path, model: Path | None) -> None:
    """Outline every scan among the files; whatever goes wrong with one, the others go on.

    Raises:
        MsnodeError: there is no scan, the bundle cannot be used, or a scan had no result.
    """
    studies = prepare.group_studies(paths)
    if not studies:
        raise MsnodeError("no DICOM or NIfTI file found there; give a folder or file that has one")
    bundle = lesions.load(model or lesions.SHIPPED)
    reader = Confined(Decode(), ("msnode.prepare",))
    out.mkdir(parents=True, exist_ok=True)
    stems = _stems(studies)
    done, failed = [], 0
    with progress("outlining", len(studies)) as advance:
        for study, files in studies.items():
            try:
                done.append(_one(files, stems[study], reader, bundle, out))
            except (MsnodeError, OSError) as error:
                failed += 1
                log.error("%s: not outlined: %s", stems[study], error)
            advance()
    _write_csv(out / "lesions.csv", done)
    _show(done, bundle, out)
    if failed:
        raise MsnodeError(f"{failed} of {len(studies)} scans were not outlined; see above")


def _stems(studies: dict[str, tuple[Path, ...]]) -> dict[str, str]:
    """A file's name without its ending, or the folder's of a DICOM study; unique by a digest."""
    stems = {}
    for study, files in studies.items():
        first = files[0]
        is_file = study == str(first)
        stems[study] = first.name.partition(".")[0] if is_file else first.parent.name
    count = Counter(stems.values())
    return {s: n if count[n] == 1 else f"{n}_{uid_hash(s)[:8]}" for s, n in stems.items()}


def _one(
    files: tuple[Path, ...], stem: str, reader: Confined, bundle: Bundle, out: Path
) -> Outlined:
    """Outline one scan and write its mask."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "voxels.npy"
        grid = reader.call(SourceGrid, prepare.save_source, files, CONTRACT, file)
        voxels = np.load(file, allow_pickle=False)
    found = lesions.find(voxels, grid.affine, bundle)
    name = f"{stem}_lesions.nii.gz"
    nibabel.Nifti1Image(found.labels, grid.affine).to_filename(out / name)
    ml = sum(one.mm3 for one in found.lesions) / 1000
    return Outlined(name, found, ml, grid, time.perf_counter() - began)


def _write_csv(file: Path, done: Sequence[Outlined]) -> None:
    """A row a lesion, of all scans."""
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        writer.writerows(row for one in done for row in _rows(one))


def _rows(one: Outlined) -> Iterator[tuple[object, ...]]:
    """Images are counted along the scan's third axis, from 1."""
    for lesion in one.found.lesions:
        mine = (one.found.numbers == lesion.number).any(axis=(0, 1))
        images = ";".join(str(n) for n in np.flatnonzero(mine) + 1)
        numbers = f"{lesion.mm3:.1f}", f"{lesion.diameter_mm:.1f}"
        yield (
            one.name, lesion.number, lesion.region, *numbers, images, f"{lesion.probability:.3f}",
        )  # fmt: skip


def _show(done: Sequence[Outlined], bundle: Bundle, out: Path) -> None:
    """A line a scan."""
    console = Console()
    table = Table("scan", "lesions", "ml", "where", "s", title_justify="left")
    for one in done:
        count = Counter(lesion.region for lesion in one.found.lesions)
        where = ", ".join(f"{WORDS.get(r, r)} {count[r]}" for r in REGIONS if count[r])
        numbers = str(len(one.found.lesions)), f"{one.ml:.1f}"
        table.add_row(escape(one.name), *numbers, where, f"{one.seconds:.1f}")
    console.print(table)
    for one in done:
        for warning in one.grid.warnings:
            console.print(f"[yellow]{escape(one.name)}: {escape(str(warning))}[/]")
    m = bundle.manifest
    console.print(
        f"[dim]model {m.name} {m.version} ({m.digest[:12]}), threshold {m.threshold:.2f}[/]"
    )
    console.print(f"[dim]{escape(m.notice)}[/]")
    console.print("[dim]AI result, not verified; for research, not a medical device[/]")
    console.print(f"masks and lesions.csv are in {out}")
