"""Whether bundles are what they say: `msnode bundle verify` and `list`."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from msnode.cli.any_bundle import KEYS, AnyBundle, kind_of, load_any
from msnode.errors import ConfigError
from msnode.store import bundle_files, bundle_signature, minisign
from msnode.store.bundle_files import CARD, MANIFEST


@dataclass(frozen=True, slots=True)
class Looked:
    """One thing that was looked at.

    Attributes:
        what: it was.
        told: what was found.
        wrong: whether the bundle must not be used because of it.
    """

    what: str
    told: str
    wrong: bool = False


def verify(folder: Path, trusted: Sequence[str]) -> Iterator[Looked]:
    """Everything about a bundle, also what follows after something is wrong.

    Args:
        folder: of the bundle.
        trusted: public keys, of which one must have signed; empty: a signature is only shown.
    """
    yield from _settings(folder)
    for file in sorted(folder.glob("weights-*.safetensors")):
        yield Looked(file.name, _hash(file))
    yield _tried("weights and contract", partial(_whole, folder))
    card = folder / CARD
    yield Looked(CARD, _hash(card) if card.exists() else "is missing", not card.exists())
    yield _signature(folder, trusted)


def _settings(folder: Path) -> Iterator[Looked]:
    """bundle.yaml, and the digest that stands in it."""
    file = folder / MANIFEST
    try:
        written = bundle_files.read_manifest(folder, "the argument")
        yield Looked(MANIFEST, _hash(file))
        files = bundle_files.weight_files(folder)
        bundle_files.checked(written, KEYS[kind_of(written)], files)
    except ConfigError as error:
        yield Looked("digest", str(error), wrong=True)
        return
    yield Looked("digest", str(written["digest"]))


def _whole(folder: Path) -> str:
    """What fits together: the manifest, the architecture, this program, the weights."""
    found = load_any(folder)
    count = sum(value.numel() for value in found.model.state_dict().values())
    people = found.persons
    known = "training persons not listed" if people is None else f"{len(people.learned)} hashes"
    return f"{found.kind} {found.title}, {count:,} numbers, {known}"


def _signature(folder: Path, trusted: Sequence[str]) -> Looked:
    """Who signed it."""
    if trusted:
        return _tried(
            "signature", lambda: f"by {bundle_signature.signer(folder, trusted).name}, trusted"
        )
    named = signed_by(folder)
    return Looked("signature", f"by the key {named}, not checked: give --key" if named else "none")


def signed_by(folder: Path) -> str:
    """The key that a signature names, unchecked; "" without a readable signature."""
    file = folder / bundle_signature.SIGNATURE
    if not file.exists():
        return ""
    try:
        return minisign.named(file.read_text(encoding="utf-8", errors="replace"))
    except ConfigError as error:
        return str(error)


def _tried(what: str, attempt: Callable[[], str]) -> Looked:
    """What an attempt says, or why it fails."""
    try:
        return Looked(what, attempt())
    except ConfigError as error:
        return Looked(what, str(error), wrong=True)


def _hash(file: Path) -> str:
    """Sha256 of a file, or why there is none."""
    with file.open("rb") as source:
        return f"sha256 {hashlib.file_digest(source, 'sha256').hexdigest()}"


def registry(folder: Path) -> list[Path]:
    """The bundles of a folder, by name.

    Raises:
        ConfigError: it holds none.
    """
    found = sorted(file.parent for file in folder.glob(f"*/{MANIFEST}"))
    if not found:
        raise ConfigError(f"{folder}: holds no bundle; each is a folder with {MANIFEST} in it")
    return found


def listed(folder: Path, trusted: Sequence[str]) -> tuple[AnyBundle | None, str, str]:
    """A bundle of a registry: itself, who signed it, and what is wrong ("" if nothing).

    Args:
        folder: of the bundle.
        trusted: public keys; empty: a signature is only shown.
    """
    signed = _signature(folder, trusted)
    told = signed.told.partition(";")[0]  # the fix stands where a node refuses the bundle
    try:
        found = load_any(folder)
    except ConfigError as error:
        return None, told, str(error)
    return found, told, "no" if signed.wrong else ""
