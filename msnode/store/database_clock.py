"""The database's own clock."""

from typing import Any

from sqlalchemy import Float
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class unix_now(FunctionElement[float]):  # noqa: N801 - reads as the SQL function that it is
    """The database's clock, unix s: hosts' own clocks may differ."""

    type = Float()
    inherit_cache = True


@compiles(unix_now, "postgresql")
def _unix_now_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return "extract(epoch from clock_timestamp())::float8"


@compiles(unix_now, "sqlite")
def _unix_now_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"
