"""The command line of model bundles: `msnode bundle`."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from msnode.cli.extras import require
from msnode.cli.options import FILE, plain_errors
from msnode.errors import ConfigError

if TYPE_CHECKING:  # torch takes seconds to import; --help should not
    from msnode.cli.bundle_diff import Difference

BUNDLE = click.Path(exists=True, file_okay=False, path_type=Path)
NEW = click.Path(dir_okay=False, path_type=Path)
keys_option = click.option(
    "--key", "keys", multiple=True, metavar="KEY", help="A public key, or its file: who must sign."
)


@click.group()
def bundle() -> None:
    """Look at model bundles, compare, export and sign them."""


@bundle.command()
@click.argument("folder", type=BUNDLE)
@keys_option
@plain_errors
def verify(folder: Path, keys: tuple[str, ...]) -> None:
    """See whether a bundle is whole: digest, files, contract, signature."""
    from msnode.cli import bundle_checks

    wrong = 0
    for looked in bundle_checks.verify(folder, public_keys(keys)):
        wrong += looked.wrong
        word, colour = ("FAIL", "red") if looked.wrong else ("ok", "green")
        click.secho(f"{word:>4}  {looked.what}: {looked.told}", fg=colour)
    if wrong:
        raise click.ClickException(f"{folder}: {wrong} problem(s) found")


@bundle.command()
@click.argument("first", type=BUNDLE)
@click.argument("second", type=BUNDLE)
@click.option("--index", type=FILE, help="CSV: whom of these persons each has learned from.")
@plain_errors
def diff(first: Path, second: Path, index: Path | None) -> None:
    """Say what is different: settings, figures, persons, weights."""
    if index is not None:
        require("learn")
    from msnode.cli import bundle_diff
    from msnode.cli.any_bundle import load_any

    one, other = load_any(first), load_any(second)
    console = Console()
    console.print(f"{one.kind} {one.title} [dim]{one.manifest.digest[:12]}[/]")
    console.print(f"{other.kind} {other.title} [dim]{other.manifest.digest[:12]}[/]")
    lines = [*bundle_diff.settings(one, other), *bundle_diff.persons(one, other, index)]
    _show("bundle.yaml", [line for line in lines if line.first != line.second], console)
    changed = bundle_diff.weights(one, other)
    _show("weights", changed.lines, console)
    console.print(
        f"{changed.changed} tensors changed, by {changed.largest:.3g} at most;"
        f" {changed.same} are equal"
    )


def _show(title: str, lines: "Iterable[Difference]", console: Console) -> None:
    """A table; * marks what bears on results."""
    shown = list(lines)
    if not shown:
        console.print(f"{title}: no difference")
        return
    table = Table(title, "first", "second", caption="* bears on results")
    for line in shown:
        table.add_row(f"{line.what}{' *' if line.bears else ''}", escape(line.first),
                      escape(line.second))  # fmt: skip
    console.print(table)


@bundle.command()
@click.argument("folder", type=BUNDLE)
@click.option("--onnx", "file", type=NEW, required=True, help="File that gets the network.")
@click.option(
    "--tolerance", type=click.FloatRange(0, min_open=True), default=1e-4, show_default=True,
    help="Of a logit, between PyTorch and onnxruntime.",
)  # fmt: skip
@plain_errors
def export(folder: Path, file: Path, tolerance: float) -> None:
    """Write a bundle's network as ONNX, if onnxruntime computes the same with it."""
    require("onnx")
    from msnode.cli import bundle_onnx
    from msnode.cli.any_bundle import load_any

    found = bundle_onnx.export(load_any(folder), file, tolerance)
    click.echo(f"{file}: {file.stat().st_size / 1e6:.0f} MB; logits differ by {found:.2g} at most")


@bundle.command()
@click.option("--out", type=NEW, required=True, help="NAME.key is written, and NAME.pub beside it.")
@click.option("--no-password", is_flag=True, help="Leave the key unencrypted.")
@plain_errors
def keygen(out: Path, no_password: bool) -> None:
    """Make a key to sign bundles with, in the format of minisign."""
    from msnode.store import minisign

    public = out.with_suffix(".pub")
    for file in (out, public):
        if file.exists() or (file.suffix == ".pub" and out.suffix == ".pub"):
            raise ConfigError(f"{file}: is there already; give another name, such as site.key")
    password = "" if no_password else click.prompt(
        "Password", hide_input=True, confirmation_prompt=True
    )  # fmt: skip
    key = minisign.make_key()
    out.touch(mode=0o600, exist_ok=False)
    out.write_text(minisign.secret_file(key, password), encoding="utf-8")
    words = f"{minisign.UNTRUSTED}minisign public key {key.public.name}\n{key.public.text}\n"
    public.write_text(words, encoding="utf-8")
    click.echo(f"{out}: keep it where only those who release bundles can read it")
    click.echo(f"{public}: for models.keys in the nodes' configuration:\n  {key.public.text}")


@bundle.command()
@click.argument("folder", type=BUNDLE)
@click.option("--key", "file", type=FILE, required=True, help="Secret key of minisign.")
@plain_errors
def sign(folder: Path, file: Path) -> None:
    """Sign a bundle that is whole: bundle.minisig, which minisign verifies as well."""
    from msnode.cli import bundle_checks
    from msnode.store import bundle_signature, minisign

    for looked in bundle_checks.verify(folder, ()):
        if looked.wrong:
            raise ConfigError(f"{folder}: not signed, for {looked.what}: {looked.told}")
    text = file.read_text(encoding="utf-8")
    asked = minisign.is_encrypted(text)
    password = click.prompt("Password", hide_input=True) if asked else ""
    key = minisign.secret_key(text, password)
    click.echo(f"{bundle_signature.sign(folder, key)}: signed by {key.public.name}")


@bundle.command("list")
@click.argument("registry", type=BUNDLE)
@keys_option
@plain_errors
def list_bundles(registry: Path, keys: tuple[str, ...]) -> None:
    """List the bundles of a folder, and who signed them."""
    from msnode.cli import bundle_checks

    trusted = public_keys(keys)
    table = Table("folder", "kind", "version", "digest", "signature", "loadable")
    for folder in bundle_checks.registry(registry):
        found, signed, wrong = bundle_checks.listed(folder, trusted)
        known = ("-", "-", "-")
        if found is not None:
            known = (found.kind, found.manifest.version, found.manifest.digest[:12])
        table.add_row(folder.name, *known, signed, f"[red]{escape(wrong)}[/]" if wrong else "yes")
    Console().print(table)


def public_keys(given: Sequence[str]) -> tuple[str, ...]:
    """Public keys as lines, whether they or their files were given.

    Raises:
        ConfigError: one is no public key.
    """
    from msnode.store import minisign

    texts = (Path(one).read_text(encoding="utf-8") if Path(one).is_file() else one for one in given)
    return tuple(minisign.public_key(text).text for text in texts)
