"""Settings that are right alone and wrong together; and that no mistake hides another."""

from pathlib import Path

import pytest

from msnode import config
from msnode.errors import ConfigError
from tests.configs import BASE, FOLDER, PEER, WEBHOOK, problems, to


@pytest.mark.parametrize(
    ("ours", "http", "wrong"),
    [
        ({"port": 9112}, {}, True),
        ({"address": "10.1.2.3", "port": 9112}, {}, False),
        ({"address": "127.0.0.1", "port": 9112}, {"address": "localhost"}, True),
        ({"port": 0}, {"port": 0}, False),
    ],
)
def test_two_listeners_have_two_ports(
    ours: dict[str, object], http: dict[str, object], wrong: bool
) -> None:
    raw = {"receive": ours, "http": http}
    if wrong:
        line = "http.port: 9112 is receive.port, too; give one of them another"
        assert problems(raw) == [line]
    else:
        assert config.parse(raw, BASE)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.1.1", "0.0.0.0"])
def test_a_destination_is_not_the_node_itself(host: str) -> None:
    (problem,) = problems(to(PEER, host=host, port=11112))
    assert problem.startswith(f"destinations.0.host: {host} port 11112 is this node itself")
    assert config.parse(to(PEER, host=host, port=104), BASE)
    assert config.parse(to(PEER, host="pacs", port=11112), BASE)


def test_where_the_node_listens_is_the_node() -> None:
    there = {"receive": {"address": "10.1.2.3"}}
    (problem,) = problems(there | to(PEER, host="10.1.2.3", port=11112))
    assert "is this node itself" in problem
    assert config.parse(there | to(PEER, host="localhost", port=11112), BASE)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (PEER, {**PEER, "host": "PACS.", "profile": "full"}),
        (FOLDER, {**FOLDER, "folder": "x/../out"}),
        (WEBHOOK, WEBHOOK),
    ],
)
def test_no_destination_has_a_twin(one: dict[str, object], other: dict[str, object]) -> None:
    twins = {"destinations": [one, {**other, "name": "again"}]}
    (problem,) = problems(twins)
    assert problem.startswith(f"destinations.1: brings to where {one['name']!r} brings already")


def test_two_titles_of_one_host_are_no_twins() -> None:
    other = {**PEER, "name": "archive", "ae_title": "ARCHIVE"}
    assert config.parse({"destinations": [PEER, other]}, BASE)


def callers(*entries: dict[str, object]) -> dict[str, object]:
    return {"receive": {"callers": [{"ae_title": "CT1", **entry} for entry in entries]}}


@pytest.mark.parametrize(
    ("first", "second", "idle"),
    [
        ({}, {}, True),
        ({}, {"address": "10.1.2.3"}, True),
        ({"address": "10.1.2.0/24"}, {"address": "10.1.2.3", "rights": ["echo"]}, True),
        ({"address": "10.1.2.3"}, {"address": "10.1.2.0/24"}, False),
        ({"address": "10.1.2.3"}, {}, False),
        ({"address": "10.1.2.3"}, {"address": "2001:db8::1"}, False),
        ({}, {"ae_title": "CT2"}, False),
    ],
)
def test_every_caller_counts(
    first: dict[str, object], second: dict[str, object], idle: bool
) -> None:
    if idle:
        (problem,) = problems(callers(first, second))
        assert problem.startswith("receive.callers.1: never counts, as callers.0 has the same")
    else:
        assert config.parse(callers(first, second), BASE)


@pytest.mark.parametrize("device", ["gpu", "GPU", "cuda:0"])
def test_a_gpu_is_called_cuda(device: str) -> None:
    (problem,) = problems({"classify": {"device": device}})
    assert problem == f'classify.device: {device!r} is unknown; did you mean "cuda"?'


MIXTURE = {
    "name": 5,
    "recieve": {},
    "receive": {
        "port": "eleven",
        "ae_title": "SEVENTEEN_LETTERS",
        "warn_free_bytes": 1,
        "callers": [
            "CT1", {"ae_titel": "CT2", "address": "10.1.2"}, {"ae_title": "A", "rights": []}
        ],
        "tls": {"certificate": "a.crt", "key": "a.key", "ca": 5},
        "accept": [5, "CTImagStorage"],
    },
    "complete": {"quiet_s": "soon", "idle_s": 5000},
    "classify": {"device": "gpu"},
    "destinations": [
        {**PEER, "port": 0, "verfy": "find", "retry": {"first_s": 1000},
         "tls": {"certificate": "b.crt", "key": "b.key", "ca": "b.ca"}},
        {"name": "half", "ae_title": "PACS"},
        {**FOLDER, "name": "pacs", "verify": "find"},
        {**WEBHOOK, "ca": "c.ca", "timeout_s": 0},
    ],
    "http": {"address": "nowhere"},
    "audit": {"syslog": {"tls": {"certificate": "d.crt", "key": "d.key", "ca": "d.ca"}}},
}  # fmt: skip

SAID = [
    "name", "recieve", "receive.port", "receive.ae_title", "receive.warn_free_bytes",
    "receive.callers.0", "receive.callers.1.ae_title", "receive.callers.1.ae_titel",
    "receive.callers.1.address", "receive.callers.2.rights", "receive.tls.ca", "receive.accept.0",
    "receive.accept.1", "complete.quiet_s", "complete.idle_s", "classify.device",
    "destinations.0.port", "destinations.0.verfy", "destinations.0.retry.first_s",
    "destinations.1", "destinations.2.name", "destinations.2.verify", "destinations.3.timeout_s",
    "http.address", "audit.syslog.host",
]  # fmt: skip
FILES = [
    "receive.tls.certificate", "receive.tls.key",
    "destinations.0.tls.certificate", "destinations.0.tls.key", "destinations.0.tls.ca",
    "destinations.3.ca",
    "audit.syslog.tls.certificate", "audit.syslog.tls.key", "audit.syslog.tls.ca",
]  # fmt: skip


def test_no_mistake_hides_another(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse(MIXTURE, tmp_path, files=True)
    lines = [line.strip() for line in str(caught.value).splitlines()[1:]]
    assert sorted(line.split(":")[0] for line in lines) == sorted(SAID + FILES), "\n".join(lines)
    with pytest.raises(ConfigError) as caught:
        config.parse(MIXTURE, tmp_path)
    assert "cannot be read" not in str(caught.value), "only check looks at files"


def test_what_stands_in_for_a_mistake_is_no_mistake() -> None:
    assert problems({"complete": {"quiet_s": "soon", "idle_s": 2}}) == [
        "complete.quiet_s: must be float, not str 'soon'"
    ]
    assert problems({"receive": {"port": 9112}, "http": {"port": "x"}}) == [
        "http.port: must be int, not str 'x'"
    ]
    two = [{"name": 1, "folder": "a"}, {"name": 2, "folder": "b"}]
    assert len(problems({"destinations": two})) == 2


@pytest.mark.parametrize("host", ["localhost", "10.1.2.3"])
def test_results_by_hl7_do_not_go_to_this_node(host: str) -> None:
    hl7 = {"name": "his", "mllp": host, "port": 2575}
    settings = {"receive": {"hl7": {"address": "10.1.2.3"}}, "destinations": [hl7]}
    assert problems(settings) == [
        "destinations.0.mllp: is this node itself; give the host and port of the HL7 system"
    ]
    assert config.parse({**settings, "destinations": [{**hl7, "port": 2576}]}, BASE)
