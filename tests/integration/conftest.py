"""Databases for the integration tests: each on SQLite and on a real PostgreSQL."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydicom.uid import generate_uid

from msnode import config, sample
from tests.acceptance import peers
from tests.integration import fhir_posting
from tests.integration.fhir_intake_host import FEED
from tests.integration.listening import Receiver
from tests.integration.stowing import OPEN, Start
from tests.odd_classifiers import small_bundle
from tests.shadow_site import Site, conclude, site_in


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    with peers.postgresql() as url:
        yield url


@pytest.fixture
def postgresql_url(postgresql_server: str, tmp_path: Path) -> str:
    """An empty PostgreSQL database."""
    server = sa.make_url(postgresql_server)
    name = f"test_{tmp_path.name}".lower().replace("-", "_")[:63]
    engine = sa.create_engine(
        server.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    return server.set(database=name).render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'msnode.sqlite'}"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
def listen(tmp_path: Path) -> Iterator[Callable[..., Receiver]]:
    """Start a listener; settings override those of a test."""
    with ExitStack() as stack:

        def start(**settings: object) -> Receiver:
            folder = tmp_path / "data"
            values = {"address": "127.0.0.1", "port": 0, "min_free_bytes": 0} | settings
            url = f"sqlite:///{folder / 'msnode.sqlite'}"
            receiver = Receiver(url, folder, config.Receive(**values))  # type: ignore[arg-type]
            stack.callback(receiver.close)
            return receiver

        yield start


@pytest.fixture
def start_stow(tmp_path: Path) -> Iterator[Start]:
    """Start receivers that take STOW-RS, too."""
    running: list[Receiver] = []

    def started(**settings: Any) -> Receiver:
        folder = tmp_path / f"data{len(running)}"
        folder.mkdir()
        receive = replace(OPEN, **settings)
        running.append(Receiver(f"sqlite:///{folder / 'msnode.sqlite'}", folder, receive))
        return running[-1]

    yield started
    for receiver in running:
        receiver.close()


@pytest.fixture
def start_fhir(tmp_path: Path) -> Iterator[Callable[..., fhir_posting.Node]]:
    running: list[fhir_posting.Node] = []

    def started(feed: config.FhirReceive = FEED, url: str = "", **more: Any) -> fhir_posting.Node:
        folder = tmp_path / f"data{len(running)}"
        folder.mkdir()
        callers = more.pop("callers", ())
        web = config.Dicomweb(port=0, fhir=feed, callers=callers)
        url = url or f"sqlite:///{folder / 'msnode.sqlite'}"
        running.append(fhir_posting.Node(folder, url, web, **more))
        return running[-1]

    yield started
    for node in running:
        node.listener.stop(1.0)
        node.engine.dispose()


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Bundles of the same kind and another opinion."""
    folder = tmp_path_factory.mktemp("bundles")
    names = {"in-force": 0, "a": 1, "b": 2, "c": 3}
    return {name: small_bundle(folder / name, seed) for name, seed in names.items()}


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """The sample, as a study of its own."""
    uid = str(generate_uid())
    return tuple(sample.write_study(tmp_path_factory.mktemp("study"), study_uid=uid))


@pytest.fixture
def shadow_site(
    tmp_path: Path, bundles: dict[str, Path], images: tuple[Path, ...]
) -> Iterator[Site]:
    """A site whose one study has a result."""
    made = site_in(tmp_path, bundles["in-force"], images)
    conclude(made)
    yield made
    made.inbox.close()
    made.database.dispose()
