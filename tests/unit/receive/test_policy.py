"""Who may call, and how many at once."""

from contextlib import ExitStack

import pytest

from msnode import config
from msnode.receive.access.policy import Peer, Policy
from msnode.receive.dicom import request
from msnode.receive.dicom.request import Rejected, Request

KNOWN = config.Receive(
    callers=(
        config.Caller("MRI1", "10.1.2.0/24"),
        config.Caller("PACS", "2001:db8::7"),
        config.Caller("ANY"),
        config.Caller("SEC", subject="mri2.example.org", max_associations=2),
        config.Caller("SEC", "10.9.0.0/16", rights=("echo",)),
    )
)


def asking(calling: str = "MRI1", called: str = "MSNODE", version: int = 1) -> Request:
    return Request(version, called, calling, b"")


def rule(receive: config.Receive, calling: Request, peer: Peer) -> str | None:
    """The rule that a request breaks."""
    try:
        Policy(receive).admit(calling, peer)
    except Rejected as rejected:
        return rejected.rule
    return None


@pytest.mark.parametrize(
    ("calling", "address", "broken"),
    [
        ("MRI1", "10.1.2.77", None),
        ("MRI1", "10.1.3.77", "address"),
        ("MRI1", "::ffff:10.1.2.77", None),
        ("PACS", "2001:db8::7", None),
        ("PACS", "10.1.2.77", "address"),
        ("ANY", "192.0.2.1", None),
        ("ANY", "fe80::1%eth0", None),
        ("OTHER", "10.1.2.77", "caller"),
        ("mri1", "10.1.2.77", "caller"),
        ("MRI1", "127.0.0.1", "address"),
    ],
)
def test_callers_need_their_title_and_address(
    calling: str, address: str, broken: str | None
) -> None:
    assert rule(KNOWN, asking(calling), Peer(address)) == broken


@pytest.mark.parametrize(
    ("names", "address", "broken"),
    [
        ({"mri2.example.org"}, "192.0.2.1", None),
        ({"other", "MRI2.EXAMPLE.ORG"}, "192.0.2.1", None),
        ({"mri3.example.org"}, "192.0.2.1", "certificate"),
        ({"example.org", "xmri2.example.org"}, "192.0.2.1", "certificate"),
        (set(), "192.0.2.1", "certificate"),
        (set(), "10.9.1.1", None),  # the other entry of this title
    ],
)
def test_a_caller_may_need_its_certificate(
    names: set[str], address: str, broken: str | None
) -> None:
    assert rule(KNOWN, asking("SEC"), Peer(address, frozenset(names))) == broken


def test_the_entry_that_fits_decides_on_rights() -> None:
    policy = Policy(KNOWN)
    assert policy.admit(asking("SEC"), Peer("10.9.1.1")).rights == ("echo",)
    named = Peer("10.9.1.1", frozenset({"mri2.example.org"}))
    assert policy.admit(asking("SEC"), named).rights == ("echo", "store")


@pytest.mark.parametrize(
    ("address", "broken"),
    [
        ("127.0.0.1", None),
        ("::1", None),
        ("::ffff:127.0.0.1", None),
        ("192.0.2.1", "caller"),
    ],
)
def test_without_callers_only_this_host_may_call(address: str, broken: str | None) -> None:
    assert rule(config.Receive(), asking(), Peer(address)) == broken


@pytest.mark.parametrize("title", ["", "A\\x1b[31m", "A\\nB", "seventeen letters", "A\\B"])
def test_what_is_no_title_is_nobody(title: str) -> None:
    assert rule(config.Receive(), asking(title), Peer("127.0.0.1")) == "caller"


def test_the_called_title_and_the_protocol_count() -> None:
    local = Peer("127.0.0.1")
    assert rule(config.Receive(), asking(called="OTHER"), local) == "called_title"
    assert rule(config.Receive(), asking(version=2), local) == "protocol_version"


def test_an_address_gets_half_and_a_caller_its_own_limit() -> None:
    policy = Policy(config.Receive(callers=KNOWN.callers, max_associations=6))
    caller = config.Caller("ANY")
    with ExitStack() as stack:
        for address in ("10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2"):
            stack.enter_context(policy.place(caller, Peer(address)))
        for address in ("10.0.0.1", "10.0.0.1"):
            with pytest.raises(Rejected) as rejected, policy.place(caller, Peer(address)):
                pytest.fail("too many")
            assert rejected.value.rule == "max_associations"
            assert rejected.value.why == request.LIMIT_EXCEEDED
        stack.enter_context(policy.place(caller, Peer("10.0.0.3")))
    limited = KNOWN.callers[3]
    with ExitStack() as stack:
        for address in ("10.0.0.1", "10.0.0.2"):
            stack.enter_context(policy.place(limited, Peer(address)))
        with pytest.raises(Rejected) as rejected, policy.place(limited, Peer("10.0.0.3")):
            pytest.fail("too many")
        assert rejected.value.rule == "caller_max_associations"
    with policy.place(limited, Peer("10.0.0.1")):
        pass  # all places were given back
