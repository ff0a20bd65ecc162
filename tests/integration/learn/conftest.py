"""What the tests that learn share."""

from tests.tiles import _one_thread, tiles

__all__ = ["_one_thread", "tiles"]
