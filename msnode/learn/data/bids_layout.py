"""Data sets in BIDS, the Brain Imaging Data Structure (Gorgolewski et al., Sci Data 2016).

Read by version 1.9.0: anatomical MRI, the participants file, the inheritance principle, and the
masks and segmentations of imaging derivatives.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msnode.errors import ConfigError
from msnode.learn.data import layout_files
from msnode.learn.data.index_csv import Row

SEQUENCES = {"FLAIR": "FLAIR", "T2w": "T2", "PDw": "PD", "T1w": "T1"}
"""Ours by BIDS's suffix; where there is a FLAIR, it alone is taken."""
OF_DERIVATIVES = ("space", "res", "den", "label", "desc")
"""Entities that a mask may have beside those of its image."""
OUTSIDE = ("derivatives", "sourcedata", "rawdata", "code", "stimuli")
SEXES = {"m": "M", "male": "M", "f": "F", "female": "F"}


@dataclass(frozen=True, slots=True)
class Named:
    """A file of BIDS.

    Attributes:
        path: of the file.
        entities: by key, e.g. ``sub``, ``ses``, ``run``, in the order of the name.
        suffix: e.g. ``FLAIR``.
    """

    path: Path
    entities: Mapping[str, str]
    suffix: str

    def belongs(self, other: "Named", ignored: Sequence[str] = ()) -> bool:
        """Whether all that this name says is true of another."""
        mine = {k: v for k, v in self.entities.items() if k not in ignored}
        return mine.items() <= other.entities.items()


def parsed(path: Path) -> Named:
    """A file's name in its parts."""
    *pairs, suffix = path.name.partition(".")[0].split("_")
    split = (pair.partition("-") for pair in pairs)
    return Named(path, {key: value for key, dash, value in split if dash}, suffix)


def bids(root: Path, masks: Path, label: str | None = None) -> list[Row]:
    """A BIDS data set: ``sub-01/ses-1/anat/sub-01_ses-1_FLAIR.nii.gz``, ``participants.tsv``.

    Masks are ``derivatives/*/sub-01/…/sub-01_…_label-lesion_mask.nii.gz``, or a ``dseg`` whose
    label, description or table of labels (``dseg.tsv``) names lesions.

    Args:
        root: holds ``participants.tsv`` and the folders of the subjects.
        masks: folder that gets the lesions out of segmentations of several labels.
        label: class of everybody, where ``participants.tsv`` has no column ``group``.

    Raises:
        ConfigError: a person has no class, or a table cannot be read.
    """
    people = _participants(root)
    name = layout_files.slug(
        layout_files.json_object(root / "dataset_description.json").get("Name") or root.name
    )
    found = [parsed(path) for path in _anatomical(root)]
    drawn = [parsed(path) for path in sorted(root.glob("derivatives/**/anat/sub-*.nii*"))]
    rows = []
    for image in (image for image in found if _wanted(image, found)):
        subject = image.entities["sub"]
        known = people.get(f"sub-{subject}", {})
        group = label or known.get("group") or known.get("diagnosis")
        if not group:
            raise ConfigError(
                f"sub-{subject}: participants.tsv gives no group; add the column, or give --label"
            )
        rows.append(
            Row(
                image.path,
                f"{name}-{subject}",
                group,
                site=known.get("site") or name,
                scanner=_scanner(root, image),
                sequence=SEQUENCES[image.suffix],
                visit=image.entities.get("ses", ""),
                age=_age(known.get("age", "")),
                sex=SEXES.get(known.get("sex", "").casefold(), ""),
                lesions=_lesions(image, drawn, masks),
            )
        )
    return rows


def _anatomical(root: Path) -> Iterator[Path]:
    """Images of the subjects, not what was made of them."""
    for path in sorted(root.glob("sub-*/**/anat/sub-*.nii*")):
        inside = path.relative_to(root).parts
        name = parsed(path)
        if not set(inside) & set(OUTSIDE) and name.suffix in SEQUENCES and "sub" in name.entities:
            yield path


def _wanted(image: Named, found: Sequence[Named]) -> bool:
    """A FLAIR, or an image of a session that has none; magnitude, not phase."""
    if image.entities.get("part", "mag") != "mag":
        return False
    visit = ("sub", "ses")
    same = (o for o in found if all(o.entities.get(k) == image.entities.get(k) for k in visit))
    return image.suffix == "FLAIR" or not any(other.suffix == "FLAIR" for other in same)


def _participants(root: Path) -> dict[str, dict[str, str]]:
    """Rows of participants.tsv by participant_id; "n/a" is left out."""
    file = root / "participants.tsv"
    if not file.exists():
        return {}
    rows = _tsv(file)
    if rows and "participant_id" not in rows[0]:
        raise ConfigError(f"{file}: has no column participant_id; separate columns by tabs")
    return {row["participant_id"]: row for row in rows if row.get("participant_id")}


def _tsv(file: Path) -> list[dict[str, str]]:
    """Rows of a table of BIDS, names of columns in lower case."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as source:
            rows = list(csv.DictReader(source, delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{file}: cannot be read as a table: {error}") from error
    return [
        {str(k).strip().casefold(): v.strip() for k, v in row.items() if isinstance(v, str)
         and v.strip().casefold() not in ("", "n/a")}
        for row in rows
    ]  # fmt: skip


def _age(value: str) -> float | None:
    """Years; of "89+", which stands for all older ones, the number."""
    number = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)\+?", value)
    return float(number[1]) if number else None


def _scanner(root: Path, image: Named) -> str:
    """Manufacturer and field strength, by the inheritance principle."""
    known: dict[str, Any] = {}
    folders = [image.path.parent, *image.path.parent.parents]
    for folder in reversed(folders[: folders.index(root) + 1]):
        for file in sorted(folder.glob("*.json")):
            side = parsed(file)
            if side.suffix == image.suffix and side.belongs(image):
                known |= layout_files.json_object(file)
    strength = known.get("MagneticFieldStrength")
    tesla = f"{strength:g}T" if isinstance(strength, int | float) else ""
    return " ".join(filter(None, (str(known.get("Manufacturer", "")), tesla)))


def _lesions(image: Named, drawn: Sequence[Named], masks: Path) -> Path | None:
    """The first mask of an image's lesions that lies in its own space."""
    spaces = ("", "orig", image.suffix, image.suffix.removesuffix("w"))
    for one in drawn:
        if one.entities.get("space", "") not in spaces or not one.belongs(image, OF_DERIVATIVES):
            continue
        if not all(one.entities.get(key) == image.entities.get(key) for key in ("sub", "ses")):
            continue
        said = one.entities.get("label", "") + one.entities.get("desc", "")
        if one.suffix in ("mask", "dseg") and "lesion" in said.casefold():
            return one.path
        if one.suffix == "dseg" and (values := _of_table(one)):
            return layout_files.only(one.path, values, masks)
    return None


def _of_table(segmentation: Named) -> list[int]:
    """Values that stand for lesions, by the table of labels beside or above a segmentation."""
    stem = segmentation.path.name.partition(".")[0]
    folder = segmentation.path.parent
    places = [folder / f"{stem}.tsv", *(above / "dseg.tsv" for above in (folder, *folder.parents))]
    for file in places:
        if file.exists():
            rows = _tsv(file)
            named = [r for r in rows if "lesion" in r.get("name", "").casefold()]
            return [int(r["index"]) for r in named if r.get("index", "").isdigit()]
        if file.parent.name == "derivatives":
            break
    return []
