"""Presets and settings in ``--help``, read off the source of the plan.

The package of learning takes seconds to import, and its extra may not be installed: the module of
the plan, which needs neither, is loaded by itself.
"""

import ast
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import click

RECIPE = Path(__file__).parents[1] / "learn" / "train" / "recipe.py"


class PlanCommand(click.Command):
    """A command with a plan: its help lists presets and settings below the options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, then presets and settings."""
        super().format_options(ctx, formatter)
        recipe = _recipe()
        if any(parameter.name == "preset" for parameter in self.params):
            with formatter.section("Presets (--preset NAME)"):
                formatter.write_dl(list(_presets(recipe)), col_max=22)
        with formatter.section("Settings (--set NAME=VALUE) with their defaults"):
            formatter.write_dl(list(_settings(recipe)), col_max=26)


def _recipe() -> ModuleType:
    """The plan's module, without its package."""
    name = "msnode_recipe"
    if name not in sys.modules:
        spec = spec_from_file_location(name, RECIPE)
        assert spec is not None  # noqa: S101 - the file is a part of this package
        assert spec.loader is not None  # noqa: S101
        sys.modules[name] = module_from_spec(spec)  # dataclasses look their module up
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def _presets(recipe: ModuleType) -> Iterator[tuple[str, str]]:
    """Name; what it is and what it sets."""
    for name, settings in recipe.PRESETS.items():
        told = ", ".join(f"{key}={_word(value)}" for key, value in settings.items())
        yield name, f"{recipe.ABOUT[name]}: {told}"


def _settings(recipe: ModuleType) -> Iterator[tuple[str, str]]:
    """Name with default; meaning."""
    defaults = recipe.Plan()
    for name, meaning in described():
        yield f"{name}={_word(getattr(defaults, name))}", meaning


def _word(value: Any) -> str:
    """A value as YAML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_word(v)}" for k, v in value.items()) + "}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def described() -> Iterator[tuple[str, str]]:
    """Name and meaning of every setting, from the text below its field."""
    tree = ast.parse(RECIPE.read_text(encoding="utf-8"))
    plan = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Plan")
    for field, text in zip(plan.body, plan.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            said = text.value if isinstance(text, ast.Expr) else None
            meaning = said.value if isinstance(said, ast.Constant) else ""
            yield field.target.id, " ".join(str(meaning).replace("``", "").split())
