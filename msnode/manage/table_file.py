"""Rows in a file for other programs."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path


def write_rows(rows: Sequence[Mapping[str, object]], columns: Sequence[str], out: Path) -> None:
    """Write rows as CSV, or as JSON if the file is called so."""
    if out.suffix.lower() == ".json":
        out.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        return
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
