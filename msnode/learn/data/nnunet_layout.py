"""nnU-Net's raw folders: its dataset format, version 2, and the older dataset.json of version 1.

Isensee et al., Nat Methods 2021.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msnode.errors import ConfigError
from msnode.learn.data import layout_files
from msnode.learn.data.index_csv import Row

NIFTI = (".nii.gz", ".nii")


def nnunet(
    root: Path, masks: Path, label: str | None = None, person: str | None = None
) -> list[Row]:
    """nnU-Net's raw folder: ``imagesTr/CASE_0000.nii.gz``, ``labelsTr/CASE.nii.gz``, dataset.json.

    Args:
        root: ``Dataset001_Name``, with ``dataset.json``.
        masks: folder that gets the lesions out of segmentations of several labels.
        label: class of everybody; the format has no place for it.
        person: regular expression of the person in a case's name; by default each case is one.

    Raises:
        ConfigError: dataset.json is missing, or does not say which channel or label to take.
    """
    file = root / "dataset.json"
    if not file.exists():
        return []
    if not label:
        raise ConfigError(
            f"{root}: nnU-Net's folders do not say of which class people are; give --label"
        )
    described = layout_files.json_object(file)
    ending = str(described.get("file_ending", ".nii.gz"))
    if ending not in NIFTI:
        raise ConfigError(f"{file}: file_ending is {ending!r}; NIfTI is read ({', '.join(NIFTI)})")
    channel, sequence = _channel(file, described)
    values, several = _foreground(file, described)
    name, rows = layout_files.slug(described.get("name") or root.name), []
    for part in ("Tr", "Ts"):
        for path in sorted((root / f"images{part}").glob(f"*_{channel:04}{ending}")):
            case = path.name.removesuffix(f"_{channel:04}{ending}")
            mask: Path | None = root / f"labels{part}" / f"{case}{ending}"
            if mask is not None and not mask.exists():
                mask = None
            elif mask is not None and several:
                mask = layout_files.only(mask, values, masks)
            who = f"{name}-{_person(case, person)}"
            rows.append(Row(path, who, label, site=name, sequence=sequence, lesions=mask))
    return rows


def _person(case: str, pattern: str | None) -> str:
    """The person in a case's name."""
    found = re.search(pattern, case) if pattern else None
    if pattern and not (found and found[0]):
        raise ConfigError(
            f"{case}: no person matches {pattern!r} in the name; give another pattern"
        )
    return found[0] if found else case


def _channel(file: Path, described: Mapping[str, Any]) -> tuple[int, str]:
    """Number and name of the FLAIR, or of the only channel."""
    channels = described.get("channel_names") or described.get("modality") or {}
    if not isinstance(channels, dict) or not channels:
        raise ConfigError(f"{file}: names no channels; add channel_names")
    flair = [number for number, name in channels.items() if "flair" in str(name).casefold()]
    chosen = flair or (list(channels) if len(channels) == 1 else [])
    if len(chosen) != 1:
        raise ConfigError(
            f"{file}: of the channels {', '.join(map(str, channels.values()))} one must be called"
            " FLAIR"
        )
    name = str(channels[chosen[0]])
    return int(chosen[0]), "FLAIR" if flair else name.upper()


def _foreground(file: Path, described: Mapping[str, Any]) -> tuple[list[int], bool]:
    """The values that stand for lesions, and whether there are others beside them."""
    labels = described.get("labels") or {}
    named = labels.items() if isinstance(labels, dict) else ()
    pairs = [(v, k) if str(k).isdigit() else (k, v) for k, v in named]  # version 1 has it reversed
    by_name = {
        str(name): [int(v) for v in (value if isinstance(value, list) else [value])]
        for name, value in pairs
        if str(name).casefold() not in ("background", "ignore")
    }
    lesions = [name for name in by_name if re.search("lesion|wmh", name, re.IGNORECASE)]
    chosen = lesions or (list(by_name) if len(by_name) == 1 else [])
    if not chosen:
        raise ConfigError(
            f"{file}: none of the labels {', '.join(by_name) or '(none)'} is called lesion"
        )
    return sorted({v for name in chosen for v in by_name[name]}), len(by_name) > len(chosen)
