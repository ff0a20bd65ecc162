"""`--help` of a command that trains lists every preset and setting, readable on 80 columns."""

import re

import pytest
from click.testing import CliRunner

from msnode.cli import plan_help
from msnode.cli.main import main
from msnode.learn.train import recipe


@pytest.mark.parametrize(
    "command", ["train", "crossval", "evaluate", "baseline", "ablate", "papers", "data check"]
)
def test_presets_and_settings_are_in_the_help(command: str) -> None:
    done = CliRunner(env={"COLUMNS": "80"}).invoke(main, [*command.split(), "--help"])
    lines = done.output.splitlines()
    assert max(map(len, lines)) <= 80
    settings = lines[lines.index("Settings (--set NAME=VALUE) with their defaults:") :]
    named = {match[1] for line in settings if (match := re.match(r"  (\w+)=", line))}
    assert named == set(recipe.Plan.__slots__)
    if command != "papers":
        at = lines.index("Presets (--preset NAME):")
        presets = {line.split()[0] for line in lines[at:] if re.match(r"  [a-z]", line)}
        assert set(recipe.PRESETS) <= presets
        assert "lr=0.0015" in done.output


def test_every_setting_and_preset_has_a_meaning() -> None:
    meanings = dict(plan_help.described())
    assert meanings.keys() == set(recipe.Plan.__slots__)
    assert all(len(meaning) > 5 for meaning in meanings.values())
    assert "`" not in "".join(meanings.values())
    assert recipe.ABOUT.keys() == recipe.PRESETS.keys()
