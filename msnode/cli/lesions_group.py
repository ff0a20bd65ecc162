"""The command line of the lesions: `msnode lesions`."""

from pathlib import Path

import click

from msnode.cli.options import FOLDER, plain_errors


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=FOLDER, required=True, help="Gets masks and lesions.csv.")
@click.option("--model", type=FOLDER, help="Bundle of the network; by default the shipped one.")
@plain_errors
def lesions(paths: tuple[Path, ...], out: Path, model: Path | None) -> None:
    """Outline, count and place the lesions of FLAIR scans (DICOM or NIfTI).

    For each scan OUT gets STEM_lesions.nii.gz on the scan's own grid (1 lesion, 2 ventricle,
    3 normal rim), and for all of them lesions.csv, a row a lesion.
    """
    from msnode.cli.outline_files import outline

    outline(paths, out, model)
