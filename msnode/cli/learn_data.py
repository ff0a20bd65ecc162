"""The command line of the learning bench's data: check, index, draft, thicken, synthesize."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from msnode.cli.learn_calibrate import exchange, vary
from msnode.cli.learn_options import plain_errors, plan_of, progress_bars, run_options
from msnode.cli.options import FILE, FOLDER, config_option
from msnode.cli.plan_help import PlanCommand
from msnode.errors import ConfigError

if TYPE_CHECKING:  # torch takes seconds to import; --help should not
    from msnode.learn import Findings


@click.group()
def data() -> None:
    """Look at data before a model learns from it."""


data.add_command(exchange)
data.add_command(vary)


@data.command("check", cls=PlanCommand)
@run_options
def data_check(index: Path, out: Path, preset: str, changes: tuple[str, ...]) -> None:
    """Count persons, find duplicates, and warn of confounds in INDEX (CSV)."""
    from msnode import learn

    with progress_bars() as progress:
        cohort = learn.open_cohort(
            index, plan_of(preset, changes), out, progress=lambda n: progress("preparing", n, n)
        )
        found = learn.check(cohort)
    _show_findings(found)


@data.command("index")
@click.argument("layout")
@click.argument("root", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option(
    "--person", help="Of folders, nnunet: regular expression of the person in a file's name."
)
@click.option("--label", help="Of bids, nnunet: class of everybody, e.g. ms.")
@plain_errors
def data_index(layout: str, root: Path, out: Path, person: str | None, label: str | None) -> None:
    """Write the index (CSV) of a data set that unpacks as LAYOUT below ROOT.

    LAYOUT: bids (sub-01/ses-1/anat, participants.tsv, masks in derivatives), nnunet (imagesTr,
    labelsTr, dataset.json), folders (class/…/person_1.png, person_1_mask.png), dicom
    (class/person/study/), or the set as it unpacks: ixi, mendeley, msseg2016, isbi2015, ehealth,
    nichart; see docs/models.md.
    """
    from msnode.learn.data import index_csv, layouts

    rows = layouts.index(layout, root.resolve(), out.resolve(), person, label)
    index_csv.write(out, rows)
    persons = len({row.person for row in rows})
    masks = sum(row.lesions is not None for row in rows)
    both = index_csv.of_several_labels(rows)
    if both:
        click.echo(
            f"in more than one class: {', '.join(both)}; is the pattern of the person right?"
        )
    click.echo(f"{out}: {len(rows)} rows, {persons} persons, {masks} with lesion masks")


@data.command("from-feedback")
@config_option
@click.option("--out", type=FOLDER, required=True, help="Gets the volumes, masks and index.csv.")
@click.option("--site", help="Of the index; by default the node's name.")
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d"]), help="Studies with a result made since that day."
)
@click.option(
    "--own-outlines",
    is_flag=True,
    help="Write the node's own outlines where no reader has judged them, as …_lesions_node.",
)
@plain_errors
def data_from_feedback(
    config_file: Path, out: Path, site: str | None, since: datetime | None, own_outlines: bool
) -> None:
    """Write an index (CSV) of this node's studies whose truth is known by feedback.

    Persons are pseudonyms, no date is in it; faces are. See docs/feedback.md.
    """
    from msnode.cli.feedback_studies import write

    write(config_file, out, site, since, own_outlines=own_outlines)


@data.command("draft")
@click.argument("index", type=FILE)
@click.option("--out", type=FOLDER, required=True, help="Gets the masks and index.csv.")
@click.option(
    "--threshold",
    type=click.FloatRange(1),
    default=2.8,
    show_default=True,
    help="Of a lesion, in robust standard deviations above the tissue around it.",
)
@plain_errors
def data_draft(index: Path, out: Path, threshold: float) -> None:
    """Draft lesion masks for the axial FLAIR volumes of INDEX (CSV) that have none.

    Correct them by hand: delete what is no lesion, add what is missing. A mask that is in OUT
    already stays as it is.
    """
    from msnode.learn.data import index_csv
    from msnode.learn.synth import auto_masks

    _apart(index, out)
    rows = index_csv.read(index)
    with progress_bars() as progress:
        found = auto_masks.draft(rows, out.resolve(), threshold, progress)
    made = sum(row.lesions is None for row in rows)
    click.echo(f"{out / 'index.csv'}: {made} drafted masks, {len(rows) - made} were there")
    for row in auto_masks.empty(rows, found):
        click.echo(f"line {row.number}: {row.path.name}: the mask is empty")


@data.command("thicken")
@click.argument("index", type=FILE)
@click.option("--out", type=FOLDER, required=True, help="Gets the volumes, masks and index.csv.")
@click.option(
    "--slices", type=click.IntRange(2, 8), default=2, show_default=True, help="That make one."
)
@plain_errors
def data_thicken(index: Path, out: Path, slices: int) -> None:
    """Average neighbouring slices of the NIfTI volumes of INDEX (CSV), as thicker slices would."""
    from msnode.learn.data import index_csv
    from msnode.learn.synth import thicken

    _apart(index, out)
    with progress_bars() as progress:
        rows = thicken.thicken(index_csv.read(index), out.resolve(), slices, progress)
    click.echo(f"{out / 'index.csv'}: {len(rows)} volumes")


def _apart(index: Path, out: Path) -> None:
    """Refuse to write over the index that is read.

    Raises:
        ConfigError: it is OUT's index.csv.
    """
    if index.resolve() == (out / "index.csv").resolve():
        raise ConfigError(f"{index}: would be written over; give another folder as --out")


@data.command("tissues")
@click.argument("regions", nargs=-1, required=True, type=FILE)
@click.option("--out", type=FOLDER, required=True, help="Gets STEM_tissues.nii.gz of each.")
@plain_errors
def data_tissues(regions: tuple[Path, ...], out: Path) -> None:
    """Make of MUSE's REGIONS (NIfTI) the tissues that synthesize paints."""
    from msnode.learn.data import muse

    for number, file in enumerate(regions, 1):
        click.echo(f"{muse.tissues(file, out)} ({number} of {len(regions)})")


@data.command("synthesize")
@click.argument("tissues", nargs=-1, required=True, type=FILE)
@click.option(
    "--lesions",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder of lesion masks in MNI space (NIfTI).",
)
@click.option("--out", type=FOLDER, required=True, help="Gets the scans and index.csv.")
@click.option("--count", type=click.IntRange(1), default=50, show_default=True, help="Pairs.")
@click.option("--seed", default=0, show_default=True)
@click.option(
    "--flair",
    type=click.FloatRange(0, 1),
    default=0.75,
    show_default=True,
    help="Part of the pairs with the contrast of FLAIR; the others have any.",
)
@plain_errors
def data_synthesize(
    tissues: tuple[Path, ...], lesions: Path, out: Path, count: int, seed: int, flair: float
) -> None:
    """Draw pairs of FLAIR-like scans, with and without lesions, from TISSUES.

    TISSUES are label volumes of people without MS (1 CSF, 2 grey, 3 white matter, at will 4
    ventricles; 1 mm NIfTI).
    """
    from msnode.learn.synth import dataset

    masks = sorted(lesions.glob("*.nii*"))
    if not masks:
        raise ConfigError(f"{lesions}: holds no NIfTI file; name the folder of the masks")
    with progress_bars() as progress:
        rows = dataset.synthesize(tissues, masks, out.resolve(), count, seed, flair, progress)
    click.echo(f"{out / 'index.csv'}: {len(rows)} scans of {len({r.person for r in rows})} heads")


def _show_findings(found: "Findings") -> None:
    console = Console()
    table = Table("label", "site", "persons")
    for label, sites in found.persons.items():
        for site, persons in sites.items():
            table.add_row(label, site, str(persons))
    console.print(table)
    console.print(f"{found.images} images; naive classifier by person: AUC {found.naive_auc}")
    for group in found.duplicates:
        console.print(f"[yellow]same pixels[/] in lines {', '.join(map(str, group))}")
    for warning in found.warnings:
        console.print(f"[yellow]warning[/] {warning}")
