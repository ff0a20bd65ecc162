"""What every page works with."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
from fastapi import Depends, Request

from msnode.audit import Trail
from msnode.config import Config, Pages
from msnode.store.for_reading import for_reading


@dataclass(frozen=True, slots=True)
class Site:
    """The node whose pages these are.

    Attributes:
        config: of the node.
        config_file: that it was read from.
        database: migrated.
        secret: of the patients' keys (`store.patients`).
        trail: hears who saw and did what.
    """

    config: Config
    config_file: Path
    database: sa.Engine
    secret: bytes = field(repr=False)
    trail: Trail = field(repr=False)

    @property
    def reading(self) -> sa.Engine:
        """The same database for who only reads, so that nobody waits for him."""
        return for_reading(self.database)

    @property
    def pages(self) -> Pages:
        """The settings of the pages."""
        assert self.config.pages is not None  # noqa: S101 - else nothing is served
        return self.config.pages


def site_of(request: Request) -> Site:
    """The site that a request came to."""
    site: Site = request.app.state.site
    return site


AnySite = Annotated[Site, Depends(site_of)]
"""Of a route's function: the site."""
