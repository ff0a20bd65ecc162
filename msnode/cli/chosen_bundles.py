"""Which bundles a command takes: those of a node's configuration, or those that are shipped."""

from dataclasses import dataclass
from pathlib import Path

from msnode import config as configuration


@dataclass(frozen=True, slots=True)
class Chosen:
    """Bundles, and who must have signed them.

    Attributes:
        model: folder of the classifier's.
        lesions: folder of the one that outlines.
        trusted: public keys; empty: nobody need have signed.
    """

    model: Path = configuration.BUNDLE
    lesions: Path = configuration.LESIONS
    trusted: tuple[str, ...] = ()


def chosen(model: Path | None, config_file: Path | None) -> Chosen:
    """What the options ``--model`` and ``--config`` say.

    Raises:
        ConfigError: the configuration has errors.
    """
    config = configuration.load(config_file) if config_file else configuration.Config()
    outlining = config.lesions.bundle or configuration.LESIONS
    return Chosen(model or config.classify.bundle, outlining, config.models.keys)
