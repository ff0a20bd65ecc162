"""The commands that are about studies: read some, or delete them."""

from pathlib import Path

import click

from msnode.cli.options import (
    ANY,
    FILE,
    FOLDER,
    config_option,
    json_option,
    plain_errors,
)

any_model = click.option(
    "--model", type=FOLDER, help="Folder of the model bundle; by default as --config, or shipped."
)
whose_config = click.option(
    "--config", "config_file", type=FILE,
    help="Of a node: take its bundles, and only if one of its models.keys signed them.",
)  # fmt: skip


@click.command()
@click.argument("paths", type=ANY, nargs=-1, required=True)
@any_model
@whose_config
@json_option
@click.option("--prior", type=ANY, help="An earlier scan of the same person, to compare with.")
@click.option("--out", type=FOLDER, help="Write the result objects and the montage here.")
@click.option(
    "--profile",
    type=click.Choice(["minimal", "standard", "full"]),
    default="minimal",
    help="Of --out: which objects, as of a destination.",
)
@click.option(
    "--language",
    type=click.Choice(["en", "de", "fr", "es", "nl"]),
    default="en",
    help="Of --out: of the text in the objects.",
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@plain_errors
def predict(
    paths: tuple[Path, ...],
    model: Path | None,
    config_file: Path | None,
    as_json: bool,
    prior: Path | None,
    out: Path | None,
    profile: str,
    language: str,
    device: str,
) -> None:
    """Classify studies and outline their lesions: DICOM folders or files, or NIfTI files."""
    from msnode.cli import predict
    from msnode.cli.chosen_bundles import chosen

    output = None if out is None else predict.Output(out, profile, language)
    show = predict.as_json if as_json else predict.as_table
    predict.predict(paths, chosen(model, config_file), device, prior, output, show)


@click.command()
@click.argument("paths", type=ANY, nargs=-1, required=True)
@any_model
@whose_config
@plain_errors
def explain(paths: tuple[Path, ...], model: Path | None, config_file: Path | None) -> None:
    """Say which series of a study would be classified, and why the others not."""
    from msnode.cli import predict
    from msnode.cli.chosen_bundles import chosen

    predict.explain(paths, chosen(model, config_file))


@click.command()
@click.argument("study")
@config_option
@plain_errors
def priors(study: str, config_file: Path) -> None:
    """Say which earlier studies sources have of a study's patient, and why each was fetched or not.

    STUDY is the study's key, as `msnode studies` prints it, or its StudyInstanceUID.
    """
    from msnode.cli import prior_list

    prior_list.show(config_file, study)


@click.command()
@click.argument("study")
@config_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@plain_errors
def forget(study: str, config_file: Path, yes: bool, dry_run: bool) -> None:
    """Delete all that the node keeps of a STUDY: images, results, rows, jobs.

    STUDY is its StudyInstanceUID, or its key as in the log and in job IDs.
    """
    from msnode.cli import delete

    delete.forget_study(config_file, study, yes=yes, dry_run=dry_run)


@click.command()
@config_option
@click.option("--patient", metavar="ID", help="PatientID.")
@click.option("--accession", metavar="NUMBER", help="AccessionNumber.")
@click.option("--date", metavar="DATE", help="StudyDate, YYYY-MM-DD.")
@click.option("--limit", default=50, show_default=True, help="At most so many, the newest.")
@json_option
@plain_errors
def studies(
    config_file: Path,
    patient: str | None,
    accession: str | None,
    date: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List studies: what came, what was said, where it went.

    Names are those of the stored images, for whoever may read these.
    """
    from msnode.cli import study_list
    from msnode.manage.listed_studies import Wanted

    wanted = Wanted(patient, accession, date, limit)
    study_list.show(config_file, wanted, as_json=as_json)


@click.command()
@click.argument("study")
@config_option
@plain_errors
def redo(study: str, config_file: Path) -> None:
    """Analyse a STUDY again, with the images that are here; the new result replaces the old one.

    STUDY is its StudyInstanceUID, or its key as in `msnode studies`.
    """
    from msnode.cli import again

    again.analyse(config_file, study)


@click.command()
@click.argument("study")
@click.option("--to", "destination", required=True, help="Name of a destination.")
@config_option
@plain_errors
def resend(study: str, destination: str, config_file: Path) -> None:
    """Send a STUDY's newest result to a destination again, whatever it got before.

    STUDY is its StudyInstanceUID, or its key as in `msnode studies`.
    """
    from msnode.cli import again

    again.deliver(config_file, study, destination)


@click.command()
@config_option
@click.option("--dry-run", is_flag=True, help="Only list what would be deleted.")
@json_option
@plain_errors
def retention(config_file: Path, dry_run: bool, as_json: bool) -> None:
    """Delete now what is delivered and old, as the node does by itself every hour."""
    from msnode.cli import delete

    delete.apply_rules(config_file, dry_run=dry_run, as_json=as_json)
