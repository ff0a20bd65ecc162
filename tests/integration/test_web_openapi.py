"""The node answers by HTTP as its OpenAPI document says, whatever is sent (schemathesis)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from msnode import config
from tests.integration.fhir_intake_host import FEED, listening
from tests.integration.stowing import BOUNDARY, part10
from tests.integration.test_stow_hostile import mutated
from tests.unit.receive.datasets import mr

ROOT = Path(__file__).parents[2]
GOOD = part10(mr())
MULTIPART = "multipart/related"
UNTOLD = [positive_data_acceptance, negative_data_rejection]
document = schemathesis.openapi.from_path(ROOT / "docs/receive.openapi.yaml")
document.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
schemathesis.openapi.media_type(MULTIPART, mutated() | st.binary())
schemathesis.openapi.media_type("application/dicom", st.just(GOOD) | st.binary())


@schemathesis.serializer(MULTIPART, "application/dicom")
def as_it_is(_: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("data")
    web = config.Dicomweb(port=0, fhir=FEED)
    node = listening(folder, f"sqlite:///{folder / 'msnode.sqlite'}", web, network_timeout_s=2.0)
    node._services.pace.stop()  # refusals would make the test wait
    yield f"http://127.0.0.1:{node.port}"
    node.stop(1)


@document.parametrize()
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_it_answers_as_documented(case: Any, url: str) -> None:
    if case.media_type == MULTIPART:
        kind = f'{MULTIPART}; type="application/dicom"; boundary={BOUNDARY}'
        case.headers = {**(case.headers or {}), "Content-Type": kind}
    # to the document a body is bytes, or any JSON: it cannot tell a good one from a bad one
    case.call_and_validate(base_url=url, excluded_checks=UNTOLD)
