"""The command line of the lesions: `msnode lesions`."""

from pathlib import Path

import click

from msnode.cli.options import FOLDER, plain_errors


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=FOLDER, required=True, help="Gets masks and lesions.csv.")
@click.option(
    "--prior",
    type=click.Path(exists=True, path_type=Path),
    help="An earlier scan of the same person, with which each of them is compared.",
)
@click.option("--model", type=FOLDER, help="Bundle of the network; by default the shipped one.")
@plain_errors
def lesions(paths: tuple[Path, ...], out: Path, prior: Path | None, model: Path | None) -> None:
    """Outline, count and place the lesions of FLAIR scans (DICOM or NIfTI).

    For each scan OUT gets STEM_lesions.nii.gz on the scan's own grid (1 lesion, 2 ventricle,
    3 normal rim), and for all of them lesions.csv, a row a lesion. With an earlier scan it also
    gets STEM_change.nii.gz (1 unchanged, 2 new, 3 enlarging, 4 shrinking, 5 gone).
    """
    from msnode.cli.outline_files import outline

    outline(paths, out, prior, model)
