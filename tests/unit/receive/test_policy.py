"""Who may call."""

import pytest
from pynetdicom.pdu_primitives import A_ASSOCIATE

from msnode import config
from msnode.errors import ConfigError
from msnode.receive import upper_layer
from msnode.receive.policy import Policy


def request(called: str = "MSNODE", calling: str = "MRI1") -> A_ASSOCIATE:
    primitive = A_ASSOCIATE()
    primitive.application_context_name = upper_layer.APPLICATION_CONTEXT
    primitive.called_ae_title, primitive.calling_ae_title = called, calling
    return primitive


KNOWN = config.Receive(
    callers=(
        config.Caller("MRI1", "10.1.2.0/24"),
        config.Caller("PACS", "2001:db8::7"),
        config.Caller("ANY"),
    )
)


@pytest.mark.parametrize(
    ("calling", "address", "welcome"),
    [
        ("MRI1", "10.1.2.77", True),
        ("MRI1", "10.1.3.77", False),
        ("MRI1", "::ffff:10.1.2.77", True),
        ("PACS", "2001:db8::7", True),
        ("PACS", "10.1.2.77", False),
        ("ANY", "192.0.2.1", True),
        ("OTHER", "10.1.2.77", False),
        ("MRI1", "127.0.0.1", False),
    ],
)
def test_callers_need_their_title_and_address(calling: str, address: str, welcome: bool) -> None:
    objection = Policy(KNOWN).objection(request(calling=calling), address)
    assert objection == (None if welcome else upper_layer.CALLING_UNKNOWN)


@pytest.mark.parametrize(
    ("address", "welcome"),
    [("127.0.0.1", True), ("::1", True), ("::ffff:127.0.0.1", True), ("192.0.2.1", False)],
)
def test_without_callers_only_this_host_may_call(address: str, welcome: bool) -> None:
    objection = Policy(config.Receive()).objection(request(), address)
    assert objection == (None if welcome else upper_layer.CALLING_UNKNOWN)


def test_the_called_title_counts() -> None:
    objection = Policy(config.Receive()).objection(request(called="OTHER"), "127.0.0.1")
    assert objection == upper_layer.CALLED_UNKNOWN


def test_another_application_context_is_rejected() -> None:
    primitive = request()
    primitive.application_context_name = "1.2.3"
    objection = Policy(config.Receive()).objection(primitive, "127.0.0.1")
    assert objection == upper_layer.NO_CONTEXT_NAME


def test_a_wrong_network_is_a_configuration_error() -> None:
    receive = config.Receive(callers=(config.Caller("MRI1", "10.1.2.0/40"),))
    with pytest.raises(ConfigError, match=r"callers\.0\.address"):
        Policy(receive)
