"""The node answers by STOW-RS as its OpenAPI document says, whatever is sent (schemathesis)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from msnode import config
from tests.integration.listening import Receiver
from tests.integration.stowing import BOUNDARY, part10
from tests.integration.test_stow_hostile import mutated
from tests.unit.receive.datasets import mr

ROOT = Path(__file__).parents[2]
GOOD = part10(mr())
MULTIPART = "multipart/related"
document = schemathesis.openapi.from_path(ROOT / "docs/stow.openapi.yaml")
document.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
schemathesis.openapi.media_type(MULTIPART, mutated() | st.binary())
schemathesis.openapi.media_type("application/dicom", st.just(GOOD) | st.binary())


@schemathesis.serializer(MULTIPART, "application/dicom")
def as_it_is(_: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("data")
    receive = config.Receive(
        address="127.0.0.1",
        port=0,
        min_free_bytes=0,
        network_timeout_s=2.0,
        dicomweb=config.Dicomweb(port=0),
    )
    running = Receiver(f"sqlite:///{folder / 'msnode.sqlite'}", folder, receive)
    assert running.web is not None
    running.web._services.pace.stop()  # refusals would make the test wait
    yield f"http://127.0.0.1:{running.web.port}"
    running.close()


@document.parametrize()
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_it_answers_as_documented(case: Any, url: str) -> None:
    if case.media_type == MULTIPART:
        kind = f'{MULTIPART}; type="application/dicom"; boundary={BOUNDARY}'
        case.headers = {**(case.headers or {}), "Content-Type": kind}
    # a body is bytes to the document: it cannot tell a good one from a bad one
    case.call_and_validate(base_url=url, excluded_checks=[positive_data_acceptance])
