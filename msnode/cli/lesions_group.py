"""The command line of the lesions: `msnode lesions`."""

from pathlib import Path

import click

from msnode.cli.options import ANY, FOLDER, config_option, plain_errors


class Scans(click.Group):
    """Outlines what it is given, where no other command is named: `msnode lesions SCAN…`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the name of the command before the scans."""
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = ["outline", *args]
        return super().parse_args(ctx, args)


@click.group(cls=Scans)
def lesions() -> None:
    """Outline, count, place and compare the lesions of FLAIR scans.

    "lesions SCAN… --out DIR" writes masks and lesions.csv, with "--prior EARLIER" also what became
    of each lesion since an earlier scan; "lesions outline --help" says all of it.
    """


@lesions.command()
@click.argument("paths", nargs=-1, required=True, type=ANY)
@click.option("--out", type=FOLDER, required=True, help="Gets masks and lesions.csv.")
@click.option(
    "--prior",
    type=ANY,
    help="An earlier scan of the same person, with which each of them is compared.",
)
@click.option("--model", type=FOLDER, help="Bundle of the network; by default the shipped one.")
@plain_errors
def outline(paths: tuple[Path, ...], out: Path, prior: Path | None, model: Path | None) -> None:
    """Outline scans (DICOM or NIfTI); its name may be left out.

    For each scan OUT gets STEM_lesions.nii.gz on the scan's own grid (1 lesion, 2 ventricle,
    3 normal rim), and for all of them lesions.csv, a row a lesion. With an earlier scan it also
    gets STEM_change.nii.gz (1 unchanged, 2 new, 3 enlarging, 4 shrinking, 5 gone).
    """
    from msnode.cli.outline_files import outline as outline_scans

    outline_scans(paths, out, prior, model)


@lesions.command()
@config_option
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File that gets a row a lesion: NAME.csv or NAME.json.",
)
@plain_errors
def export(config_file: Path, out: Path) -> None:
    """Write the lesions of every study that a node has outlined into one file.

    Studies are named by their keys, as in the log; their dates are in it.
    """
    from msnode.cli.lesion_export import export as export_lesions
    from msnode.config import load

    rows = export_lesions(load(config_file).data, out)
    click.echo(f"{rows} rows are in {out}")
