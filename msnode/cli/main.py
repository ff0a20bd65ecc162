"""The command line: which commands there are, and where each is found when it is asked for."""

from importlib import import_module

import click

from msnode import __version__

COMMANDS = {
    "serve": ("serve", "receive", "work", "check", "demo"),
    "by_study": (
        "predict",
        "explain",
        "studies",
        "priors",
        "redo",
        "resend",
        "forget",
        "retention",
    ),
    "peers": ("send", "echo"),
    "jobs_group": ("jobs",),
    "lesions_group": ("lesions",),
    "twin_group": ("twin",),
    "hl7_group": ("hl7",),
    "pages_group": ("pages", "accounts"),
    "feedback_group": ("feedback",),
    "drift_group": ("drift",),
    "shadow_group": ("shadow",),
    "conformance": ("conformance",),
    "learn_calibrate": ("calibrate",),
    "bundle_group": ("bundle",),
    "learn_data": ("data",),
    "learn_train": ("train", "crossval", "evaluate", "baseline", "ablate"),
    "learn_papers": ("papers",),
}
"""Commands by the module that defines them, which is imported only for one of its own."""

MODULES = {name: module for module, names in COMMANDS.items() for name in names}


class Lazy(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command's name."""
        return sorted(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or None where there is none of this name."""
        if cmd_name not in MODULES:
            return None
        module = import_module(f"msnode.cli.{MODULES[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.option("-v", "--verbose", is_flag=True, help="Log what happens, not only what goes wrong.")
def main(verbose: bool) -> None:
    """The multiple sclerosis triage node for a PACS. For research; not a medical device."""
    import logging  # here, as --version is done without

    from msnode.cli.logs import log_to_stderr

    log_to_stderr(logging.INFO if verbose else logging.WARNING)
