"""A node whose model is quick to load, for tests of everything but the model."""

from pathlib import Path
from typing import Any

from tests.acceptance import peers
from tests.acceptance.node import Node
from tests.acceptance.small_model import small_model


def small_node(folder: Path, data: Path, **more: Any) -> Node:
    """A node that is not started yet; it puts results into ``folder / "archive"``.

    Args:
        folder: for all that is not data.
        data: its data folder.
        more: settings that replace its own, section by section.
    """
    settings: dict[str, Any] = {
        "data": str(data),
        "receive": {"address": "127.0.0.1", "port": peers.free_port()},
        "complete": {"quiet_s": 2.0, "idle_s": 2.0, "cap_s": 60.0},
        "classify": {"bundle": str(small_model(folder / "bundle")), "device": "cpu", "threads": 1},
        "lesions": {"bundle": None},  # not what this is about, and it takes seconds
        "destinations": [{"name": "archive", "folder": str(folder / "archive")}],
        "http": {"port": peers.free_port()},
    }
    settings = {name: settings.get(name) for name in settings | more}
    return Node({name: _merged(of, more.get(name)) for name, of in settings.items()}, folder)


def _merged(section: Any, more: Any) -> Any:
    return section | more if isinstance(section, dict) and more else more or section
