"""Sources of earlier studies: what can be set, and what is said of what cannot."""

from datetime import time
from typing import Any

import pytest

from msnode import config
from msnode.config import DicomPeer, NamedSource, PeerSource, peer_of
from tests.configs import BASE, PEER, problems

NAMED = {"name": "archive", "source": "pacs"}
OWN = {"name": "vna", "ae_title": "VNA", "host": "vna.example.org"}


def with_sources(*sources: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A configuration with a PACS."""
    return {"destinations": [PEER], "priors": list(sources), **more}


def test_a_source_is_a_destination_or_a_peer_of_its_own() -> None:
    settings = config.parse(with_sources(NAMED, OWN), BASE)
    named, own = settings.priors
    assert isinstance(named, NamedSource)
    assert peer_of(named, settings.destinations) == settings.destinations[0]
    assert isinstance(own, PeerSource)
    assert peer_of(own, ()) == DicomPeer("vna", "VNA", "vna.example.org", 104)
    assert (own.by, own.how_many, own.years, own.wait_s, own.window) == (
        "c-move",
        2,
        5,
        120.0,
        None,
    )


def test_hours_may_go_over_midnight() -> None:
    [source] = config.parse(with_sources(NAMED | {"hours": "18:00-07:30"}), BASE).priors
    assert source.window == (time(18), time(7, 30))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (NAMED | {"source": "pax"}, "priors.0.source: no DICOM destination is called 'pax'"),
        (NAMED | OWN, "priors.0: give either source, or ae_title, host and port"),
        ({"name": "archive"}, "priors.0: give either source, or ae_title, host and port"),
        (NAMED | {"tls": None, "ae_title": "PACS"},
         "priors.0.ae_title: does nothing for a source that is a destination"),
        (NAMED | {"folder": "x"}, "priors.0.folder: unknown key"),
        (NAMED | {"by": "wado"}, "priors.0.by: 'wado' is unknown"),
        (NAMED | {"hours": "18-7"}, "priors.0.hours: '18-7' are no hours"),
        (NAMED | {"hours": "07:00-07:00"}, "priors.0.hours: '07:00-07:00' are no hours"),
        (NAMED | {"hours": "24:00-07:00"}, "priors.0.hours: '24:00-07:00' are no hours"),
        (NAMED | {"how_many": 0}, "priors.0.how_many: 0 is out of range"),
        (NAMED | {"per_hour": 0}, "priors.0.per_hour: 0 is out of range"),
        (NAMED | {"wait_s": 0}, "priors.0.wait_s: 0.0 is out of range"),
        (OWN | {"host": "localhost", "port": 11112}, "priors.0.host: localhost port 11112 is this"),
    ],
)  # fmt: skip
def test_a_wrong_source_is_told_with_the_fix(source: dict[str, Any], said: str) -> None:
    [line] = problems(with_sources(source))
    assert line.startswith(said), line


def test_sources_that_do_nothing_or_share_a_name_are_refused() -> None:
    [line] = problems(with_sources(NAMED, lesions={"bundle": None}))
    assert line.startswith("priors: do nothing without lesions.bundle")
    [line] = problems(with_sources(NAMED, OWN | {"name": "archive"}))
    assert line.startswith("priors.1.name: 'archive' is used twice")
