"""What `msnode priors` prints: what sources have of a patient, and why it was fetched or not."""

from collections.abc import Iterator
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from msnode import config
from msnode.manage.node_database import opened
from msnode.records.uid_hash import study_key
from msnode.store.prior_searches import PriorSearches


def show(config_file: Path, study: str) -> None:
    """List what is on record for a study, newest first."""
    searches = PriorSearches(opened(config.load(config_file)))
    key = study_key(study)
    table = Table(box=SIMPLE, pad_edge=False)
    for name in ("source", "study", "date", "what became of it", "why"):
        table.add_column(name, overflow="fold")
    for row in _rows(searches, key):
        table.add_row(*map(escape, row))
    Console().print(table if table.row_count else "no source was asked for earlier studies of it")


def _rows(searches: PriorSearches, key: str) -> Iterator[tuple[str, ...]]:
    """A line for each search, and one for each study that it found."""
    for source, state, detail in searches.states(key):
        yield source, "", "", state.replace("_", " "), detail
        for one in searches.priors(key, source):
            yield "", one.key, one.study_date, str(one.fate), one.reason
