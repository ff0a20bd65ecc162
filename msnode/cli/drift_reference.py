"""What `msnode drift reference` does: measures the volumes that a bundle has learned from."""

from pathlib import Path

import click

from msnode import classify, prepare
from msnode.config import Decode
from msnode.confined import Confined
from msnode.drift.reference import reference_of, write_reference
from msnode.errors import ConfigError, MsnodeError
from msnode.learn.data import index_csv
from msnode.records.images import InputContract


def measured(paths: list[Path], contract: InputContract) -> dict[str, float]:
    """The numbers of one volume, as a node records them; runs in a process of its own.

    Raises:
        NotAnalysable: it is none that a node would take.
    """
    slices = prepare.prepare(paths, contract).slices
    shape = {"distance_mm": float(slices.distance_mm), "slices": float(len(slices.affines))}
    return slices.measured | shape


def write(index: Path, bundle: Path) -> None:
    """Measure and write; whatever is no volume is named and left out.

    Raises:
        ConfigError: the index or the bundle cannot be used, or there are too few volumes.
    """
    contract = classify.load_bundle(bundle).contract
    reader = Confined(Decode(), ("msnode.prepare",))
    found, persons = [], set()
    for row in index_csv.read(index):
        paths = sorted(row.path.rglob("*")) if row.path.is_dir() else [row.path]
        files = [path for path in paths if path.is_file()]
        try:
            found.append(reader.call(dict[str, float], measured, files, contract))
        except MsnodeError as error:
            click.echo(f"line {row.number}: left out: {error}", err=True)
        else:
            persons.add(row.person)
    if not found:
        raise ConfigError(f"{index}: no volume could be measured; images alone will not do")
    path = write_reference(reference_of(found, len(persons)), bundle)
    click.echo(f"{path}: {len(found)} volumes of {len(persons)} persons")
