"""Turns the folders of public data sets, as unpacked, into rows of the index.

Each function knows one layout by the names of its files and raises ``ConfigError`` where it finds
none of them.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from msnode.errors import ConfigError
from msnode.learn.data import bids_layout, muse, nnunet_layout, outlines
from msnode.learn.data.index_csv import IMAGES, Row

IXI_SCANNERS = {"Guys": "Philips 1.5T", "HH": "Philips 3T", "IOP": "GE 1.5T"}
"""Scanners of IXI by the site in a file's name (brain-development.org)."""

MSSEG_SCANNERS = {
    "01": "Siemens Verio 3T",
    "03": "GE Discovery 3T",
    "07": "Siemens Aera 1.5T",
    "08": "Philips Ingenia 3T",
}
"""Scanners of MSSEG 2016 by centre (Commowick et al., NeuroImage 2021)."""

READ = (*IMAGES, *(ending.upper() for ending in IMAGES), ".nii", ".nii.gz")
MASK_ENDINGS = ("_lesions", "_lesion", "_mask", "_seg")
"""Of the name of a mask that lies beside its image, before the file's ending."""


def ixi(root: Path) -> list[Row]:
    """IXI's healthy people: files named like ``IXI002-Guys-0828-T1.nii.gz``."""
    name = re.compile(r"IXI(\d{3})-([A-Za-z]+)-\d+-(T1|T2|PD|MRA)\.nii(\.gz)?")
    rows = []
    for path, (number, site, sequence, _) in _named(root, name):
        scanner = IXI_SCANNERS.get(site, "")
        rows.append(Row(path, f"ixi-{number}", "control", site, scanner, sequence))
    return _some(rows, root, "IXI002-Guys-0828-T1.nii.gz")


def mendeley(root: Path) -> list[Row]:
    """Muslim et al. 2022, 60 patients: ``Patient-1/1-Flair.nii``, ``1-LesionSeg-Flair.nii``."""
    name = re.compile(r"(\d+)-(Flair|T1|T2)\.nii(\.gz)?", re.IGNORECASE)
    rows = []
    for path, (number, kind, _) in _named(root, name):
        mask = path.with_name(path.name.replace(f"-{kind}", f"-LesionSeg-{kind}"))
        person, sequence = f"mendeley-{number}", kind.upper()
        rows.append(Row(path, person, "ms", "mendeley", "", sequence, lesions=_present(mask)))
    return _some(rows, root, "Patient-1/1-Flair.nii")


def msseg2016(root: Path) -> list[Row]:
    """MSSEG 2016: ``Center_01/Patient_01/Raw_Data/FLAIR.nii.gz``, ``Masks/Consensus.nii.gz``."""
    rows = []
    for path in sorted(root.rglob("Raw_Data/FLAIR.nii*")):
        patient, centre = path.parents[1].name, path.parents[2].name.removeprefix("Center_")
        mask = next(iter(path.parents[1].glob("Masks/Consensus.nii*")), None)
        scanner, person = MSSEG_SCANNERS.get(centre, ""), f"msseg-{centre}-{patient}"
        rows.append(Row(path, person, "ms", f"centre-{centre}", scanner, "FLAIR", lesions=mask))
    return _some(rows, root, "Center_01/Patient_01/Raw_Data/FLAIR.nii.gz")


def isbi2015(root: Path) -> list[Row]:
    """ISBI 2015: ``preprocessed/training01_01_flair_pp.nii``, ``masks/training01_01_mask1.nii``."""
    name = re.compile(r"((?:training|test)\d+)_(\d+)_flair_pp(\.nii(?:\.gz)?)")
    rows = []
    for path, (person, visit, suffix) in _named(root, name):
        mask = f"{person}_{visit}_mask1{suffix}"
        found = _present(path.parents[1] / "masks" / mask) or _present(path.with_name(mask))
        row = Row(path, f"isbi-{person}", "ms", "isbi", "Philips 3T", "FLAIR", visit, lesions=found)
        rows.append(row)
    return _some(rows, root, "training01/preprocessed/training01_01_flair_pp.nii")


def ehealth(root: Path, masks: Path) -> list[Row]:
    """The eHealth lab's set (Loizou et al.): folders person/visit with TIFF and PLQ files.

    Images without an outline have no lesion. The outlines of an image become one mask.

    Args:
        root: folder of the persons.
        masks: folder that gets the masks as PNG.
    """
    rows = []
    for path in sorted(p for p in root.rglob("*") if p.suffix.lower() in (".tif", ".tiff")):
        person, visit, *_ = (*path.relative_to(root).parts[:-1], "", "")
        traced = [p for p in outlines.beside(path) if p.suffix.lower() == ".plq"]
        mask = masks / f"{person}-{visit or '1'}-{path.stem}.png"
        outlines.write_mask(path, traced, mask)
        row = Row(path, f"ehealth-{person}", "ms", "ehealth", "1.5T", "T2", visit, lesions=mask)
        rows.append(row)
    return _some(rows, root, "person/visit/IM_00031.TIF")


def nichart(root: Path, masks: Path) -> list[Row]:
    """NiChart's example: ``Subj1_FLAIR.nii.gz``, ``Subj1_wmh``, ``Subj1_regions_on_T1`` (DLMUSE).

    The hyperintensities are a program's (DLWMLS), so the rows have the role ``train``. Ventricles
    and brain are brought from the regions, which lie on the T1, to the FLAIR's grid.

    Args:
        root: folder of the persons.
        masks: folder that gets the masks of ventricles and brain.
    """
    rows = []
    for path, (person,) in _named(root, re.compile(r"(Subj\d+)_FLAIR\.nii\.gz")):
        wmh, regions = (path.with_name(f"{person}_{n}.nii.gz") for n in ("wmh", "regions_on_T1"))
        ventricles, brain = muse.masks(path, regions, masks)
        row = Row(path, f"nichart-{person}", "other", "nichart", "", "FLAIR", lesions=wmh)
        rows.append(replace(row, ventricles=ventricles, brain=brain, role="train"))
    return _some(rows, root, "Subj1_FLAIR.nii.gz")


def folders(root: Path, person: str = r"[^_\-.]+") -> list[Row]:
    """One folder per class, images or NIfTI volumes at any depth, e.g. tiles of blood smears.

    ``person_1_mask.png`` beside ``person_1.png`` is its lesion mask, as are names that end with
    ``_lesions``, ``_lesion`` or ``_seg``.

    Args:
        root: holds one folder per class.
        person: regular expression whose first match in the file's name is the person.

    Raises:
        ConfigError: also for a name in which the pattern finds no person, and for a mask that
            belongs to no image.
    """
    try:
        re.compile(person)
    except re.error as error:
        raise ConfigError(f"person: {person!r} is no regular expression: {error}") from error
    files = {p.with_name(_stem(p)): p for p in sorted(root.rglob("*")) if p.name.endswith(READ)}
    masks = {at: p for at, p in files.items() if at.name.endswith(MASK_ENDINGS)}
    rows = []
    for at, path in files.items():
        if at.name.endswith(MASK_ENDINGS):
            continue
        label, *_ = path.relative_to(root).parts
        match = re.search(person, at.name)
        if not (match and match[0]) or path.parent == root:
            raise ConfigError(
                f"{path}: no person matches {person!r} in the name, or the image lies in no class"
                " folder; give another pattern or write an index"
            )
        beside = (at.with_name(at.name + ending) for ending in MASK_ENDINGS)
        mask = next((masks.pop(one) for one in beside if one in masks), None)
        rows.append(Row(path, match[0], label, lesions=mask))
    if masks:
        raise ConfigError(f"{next(iter(masks.values()))}: a mask without an image of that name")
    return _some(rows, root, "class/person_1.png")


def _stem(path: Path) -> str:
    """A file's name without its ending, of which NIfTI may have two."""
    return path.name.removesuffix(".gz").rpartition(".")[0]


def dicom(root: Path) -> list[Row]:
    """DICOM studies: ``class/person/study`` folders."""
    studies = sorted(path for path in root.glob("*/*/*") if path.is_dir())
    rows = [Row(p, p.parent.name, p.parents[1].name, visit=p.name) for p in studies]
    return _some(rows, root, "control/person-01/study-1/ (with the DICOM files)")


def bids(root: Path, masks: Path, label: str | None = None) -> list[Row]:
    """BIDS, as ``bids_layout.bids`` reads it."""
    rows = bids_layout.bids(root, masks, label)
    return _some(rows, root, "sub-01/anat/sub-01_FLAIR.nii.gz")


def nnunet(
    root: Path, masks: Path, label: str | None = None, person: str | None = None
) -> list[Row]:
    """nnU-Net's raw folder, as ``nnunet_layout.nnunet`` reads it."""
    rows = nnunet_layout.nnunet(root, masks, label, person)
    return _some(rows, root, "imagesTr/CASE_0000.nii.gz, with dataset.json beside imagesTr")


LAYOUTS: dict[str, Callable[..., list[Row]]] = {
    f.__name__: f
    for f in (ixi, mendeley, msseg2016, isbi2015, ehealth, nichart, bids, nnunet, folders, dicom)
}
"""By the name that ``msnode data index`` takes."""
PERSON, LABEL = ("folders", "nnunet"), ("bids", "nnunet")
"""Layouts whose persons, or whose class, may have to be given."""


def index(
    layout: str, root: Path, out: Path, person: str | None = None, label: str | None = None
) -> list[Row]:
    """Rows of a data set by the name of its layout.

    Args:
        layout: a name of ``LAYOUTS``.
        root: where the data set was unpacked.
        out: the index to be written; masks that must be drawn go into a folder beside it.
        person: pattern of the person's name, for ``folders`` and ``nnunet`` only.
        label: class of everybody, for ``bids`` and ``nnunet`` only.

    Raises:
        ConfigError: no such layout, a setting that it does not take, or no data of that layout.
    """
    if layout not in LAYOUTS:
        raise ConfigError(f"layout {layout!r} is unknown; use one of {', '.join(LAYOUTS)}")
    given = {"person": person, "label": label}
    for name, taking, why in (
        ("person", PERSON, "the person in its own names"),
        ("label", LABEL, "the class by itself"),
    ):
        if given[name] is not None and layout not in taking:
            raise ConfigError(f"--{name} is for {' and '.join(taking)}; {layout} has {why}")
    settings = {name: value for name, value in given.items() if value is not None}
    if layout in ("ehealth", "nichart", "bids", "nnunet"):
        return LAYOUTS[layout](root, out.with_name(f"{out.stem}-masks"), **settings)
    return LAYOUTS[layout](root, **settings)


def _named(root: Path, name: re.Pattern[str]) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Files below a folder whose names match, with the groups of the match."""
    for path in sorted(root.rglob("*.nii*")):
        if match := name.fullmatch(path.name):
            yield path, match.groups(default="")


def _present(path: Path) -> Path | None:
    return path if path.exists() else None


def _some(rows: list[Row], root: Path, example: str) -> list[Row]:
    """The rows, if there are any."""
    if not rows:
        raise ConfigError(f"{root}: holds no file named like {example}")
    return rows
