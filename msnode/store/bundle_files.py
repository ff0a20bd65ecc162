"""What every model bundle is made of: weights (safetensors), bundle.yaml, CARD.md, a digest.

Weights may be stored in half precision and come in parts that any file host takes.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import cattrs
import numpy as np
import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from msnode.errors import ConfigError
from msnode.store import bundle_signature
from msnode.store.yaml_files import read_yaml

PART_BYTES = 45 * 1000 * 1000
"""Largest part of the weights: below the 50 MB at which code hosts begin to warn."""

MANIFEST, CARD = "bundle.yaml", "CARD.md"

Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class DataSource:
    """Data the weights learned from.

    Attributes:
        name: of the data set.
        licence: its licence, as the source states it.
        credit: whom the licence or good manners want named.
        use: what it served for, e.g. "training, folds 1-4".
    """

    name: str
    licence: str
    credit: str
    use: str = "training"


def write(
    folder: Path, model: nn.Module, manifest: Kind, card: str, keys: Sequence[str], half: bool
) -> Kind:
    """Write a bundle.

    Args:
        folder: created where missing; weights that lie there are replaced.
        model: whose state is stored.
        manifest: a dataclass with a ``digest``, which is computed here.
        card: CARD.md.
        keys: of the manifest that bear on a result.
        half: store matrices and kernels as float16; vectors and statistics stay float32.

    Returns:
        The manifest with its digest.
    """
    files = write_weights(folder, model, half)
    written: Kind = replace(manifest, digest=digest(plain(manifest), keys, files))  # type: ignore[type-var]
    text = yaml.safe_dump(plain(written), sort_keys=False, allow_unicode=True)
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    (folder / CARD).write_text(card, encoding="utf-8")
    return written


def read(
    folder: Path, setting: str, kind: type[Kind], keys: Sequence[str], trusted: Sequence[str] = ()
) -> tuple[Kind, tuple[Path, ...]]:
    """A bundle's manifest and weight files, of which nothing was changed.

    Args:
        folder: of the bundle.
        setting: of the configuration or command that names the folder.
        kind: the manifest's class.
        keys: of the manifest that bear on a result.
        trusted: public keys of minisign, of which one must have signed it; empty: nobody need.

    Raises:
        ConfigError: files are missing, wrong, not those that were measured, or not signed.
    """
    written = read_manifest(folder, setting)
    if trusted:
        bundle_signature.signer(folder, trusted)
    manifest = structured(written, kind)
    files = weight_files(folder)
    checked(written, keys, files)
    return manifest, files


def write_weights(folder: Path, model: nn.Module, half: bool = True) -> tuple[Path, ...]:
    """Write a model's state; weights that lie there are replaced.

    Args:
        folder: created where missing.
        model: whose state is stored.
        half: store matrices and kernels as float16; vectors and statistics stay float32.

    Returns:
        The files, in order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("weights-*.safetensors"):
        old.unlink()
    parts = list(_parts(model, half))
    for number, part in enumerate(parts, 1):
        path = folder / f"weights-{number:05}-of-{len(parts):05}.safetensors"
        save_file(part, path)
        path.chmod(0o644)  # safetensors makes it private, but the service has a user of its own
    return weight_files(folder)


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The parts of the weights, all of them.

    Raises:
        ConfigError: parts are missing.
    """
    files = tuple(sorted(folder.glob("weights-*.safetensors")))
    expected = int(files[0].stem.rpartition("-")[2]) if files else 1
    if len(files) != expected:
        raise ConfigError(
            f"{len(files)} of {expected} weight files are there; copy all weights-*.safetensors"
        )
    return files


def fill(model: nn.Module, files: Sequence[Path]) -> None:
    """Put the weights into a model.

    Raises:
        ConfigError: they do not fit, or are no numbers.
    """
    try:
        state = {name: value for file in files for name, value in load_file(file).items()}
        bad = [name for name, value in state.items() if not _is_finite(value)]
        if bad:
            raise ConfigError(f"{bad[0]} holds no numbers; restore the weights, or train again")
        model.load_state_dict(state)
    except (SafetensorError, RuntimeError) as error:
        raise ConfigError(
            f"the weights do not fit the architecture ({str(error)[:300]}); use the bundle that "
            "was trained with this version, or train again"
        ) from error


def _is_finite(value: Tensor) -> bool:
    """Whether a weight holds numbers; NumPy needs a hundredth of torch's time for it."""
    return bool(np.isfinite(value.float().numpy()).all())


def read_manifest(folder: Path, setting: str) -> Any:
    """bundle.yaml as it stands.

    Args:
        folder: of the bundle.
        setting: of the configuration that names the folder.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return read_yaml(folder / MANIFEST)
    except ConfigError as error:
        raise ConfigError(f"{error}; set {setting} to a folder made by `msnode train`") from error


def structured(written: Any, kind: type[Kind]) -> Kind:
    """bundle.yaml's contents, every problem listed.

    Raises:
        ConfigError: keys or values are wrong.
    """
    if not isinstance(written, dict):
        raise ConfigError(f"{MANIFEST} has errors: it holds no settings")
    try:
        return cattrs.Converter(forbid_extra_keys=True).structure(written, kind)
    except (cattrs.BaseValidationError, TypeError, ValueError) as error:
        problems = cattrs.transform_error(error, format_exception=_problem)
        raise ConfigError(f"{MANIFEST} has errors: {'; '.join(problems)}") from error


def checked(written: Mapping[str, Any], keys: Sequence[str], files: Sequence[Path]) -> None:
    """Refuse weights or settings that were changed.

    Raises:
        ConfigError: they do not have the digest that bundle.yaml names.
    """
    found, named = digest(written, keys, files), str(written.get("digest", ""))
    if found != named:
        raise ConfigError(
            f"the digest is {found[:12]}… but {MANIFEST} says {named[:12]}…: "
            "weights or settings were changed; restore the folder, or train again"
        )


def digest(written: Mapping[str, Any], keys: Sequence[str], files: Sequence[Path]) -> str:
    """Sha256 over what bears on a result, and the weight files in order.

    It covers what bundle.yaml says, not what this version makes of it: a bundle that was written
    before a setting existed stays valid.
    """
    bearing = {name: written[name] for name in keys if name in written}
    found = hashlib.sha256(json.dumps(bearing, sort_keys=True, default=str).encode())
    for path in files:
        with path.open("rb") as file:
            found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()


def plain(manifest: Any) -> dict[str, Any]:
    """A manifest as YAML and JSON know values: tuples become lists."""
    values: dict[str, Any] = json.loads(json.dumps(cattrs.unstructure(manifest)))
    return values


def _problem(error: BaseException, kind: type | None) -> str:
    """A value's own complaint rather than "invalid value"."""
    return str(error) if type(error) is ValueError else cattrs.v.format_exception(error, kind)


def _parts(model: nn.Module, half: bool) -> Iterator[dict[str, Tensor]]:
    """The state dictionary in parts of at most ``PART_BYTES``."""
    part: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        kept = value.detach().cpu().contiguous()
        if half and kept.is_floating_point() and kept.ndim > 1:
            kept = kept.to(torch.float16)
        if part and sum(t.nbytes for t in part.values()) + kept.nbytes > PART_BYTES:
            yield part
            part = {}
        part[name] = kept.clone()
    yield part
