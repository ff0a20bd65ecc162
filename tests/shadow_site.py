"""A node's data folder with one study, and the shadows that read it, in the test's own process."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pydicom
import sqlalchemy as sa

from msnode import config
from msnode.config import Classify, Config, Folder, Shadow
from msnode.receive import Inbox
from msnode.service.shadow_worker import ShadowWorker
from msnode.store.database import instances, open_database, results, studies
from msnode.store.schema import migrate
from msnode.store.shadow_tables import shadow_results
from tests.unit.receive.datasets import store


@dataclass
class Site:
    """A data folder, its database and its inbox."""

    folder: Path
    config: Config
    inbox: Inbox

    @property
    def database(self) -> sa.Engine:
        return self.inbox.engine

    def with_shadows(self, *shadows: Shadow, **more: Any) -> "Site":
        changed = replace(self.config.classify, shadow=shadows, **more)
        return replace(self, config=replace(self.config, classify=changed))

    def rows(self) -> dict[str, dict[str, Any]]:
        """The table's rows by shadow, of one study."""
        with self.database.connect() as connection:
            found = connection.execute(sa.select(shadow_results)).mappings()
            return {row["shadow"]: dict(row) for row in found}

    def worker(self) -> ShadowWorker:
        worker = ShadowWorker(self.config, self.database)
        worker.start()
        return worker

    def work(self) -> None:
        """Until nothing waits."""
        worker = self.worker()
        while worker.round():
            pass


def shadow(bundle: Path, **more: Any) -> Shadow:
    return Shadow(bundle.name, bundle, **more)


def site_in(folder: Path, bundle: Path, images: tuple[Path, ...]) -> Site:
    """A site with one study that is complete and not analysed yet."""
    settings = Config(
        data=folder / "data",
        classify=Classify(bundle=bundle, device="cpu", threads=1),
        lesions=config.Outline(bundle=None),
        destinations=(Folder("out", folder=folder / "out"),),
    )
    database = open_database(settings.database_url)
    migrate(database)
    inbox = Inbox(database, settings.data)
    for path in images:
        assert store(inbox, pydicom.dcmread(path), at=time.time() - 3600) == "stored"
    return Site(folder, settings, inbox)


def everything(database: sa.Engine) -> dict[str, list[Any]]:
    """All rows but those of shadows."""
    tables = (results, studies, instances)
    with database.connect() as connection:
        return {table.name: list(connection.execute(sa.select(table))) for table in tables}


def conclude(site: Site) -> None:
    """The study has a result."""
    (study,) = site.inbox.complete(time.time(), site.config.complete, lambda _: True)
    row = {"study_key": study.key, "generation": 1, "outcome": "absent", "probability": 0.25,
           "model_digest": "f" * 64, "created_at": time.time(), "folder": "-"}  # fmt: skip
    with site.database.begin() as connection:
        connection.execute(results.insert(), row)
    site.inbox.studies.finish(study.key, 1)
