"""What settings must obey beyond their types."""

import inspect
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any, get_args, get_type_hints

import pytest

from msnode import config
from msnode.config import constraints, rules
from tests.configs import BASE, FOLDER, PEER, WEBHOOK, parsed, problems, to


@pytest.mark.parametrize("title", ["", " ", "SEVENTEEN_LETTERS", "BACK\\SLASH", "ÜMLAUT"])
def test_ae_titles_follow_the_standard(title: str) -> None:
    assert any("is no AE title" in line for line in problems({"receive": {"ae_title": title}}))


@pytest.mark.parametrize(
    "destination",
    [
        {"name": "neither"},
        {"name": "both", "folder": "out", "ae_title": "PACS", "host": "pacs"},
        {"name": "half", "ae_title": "PACS"},
        {"name": "two", "folder": "out", "url": "https://ris/", "secret": "0123456789abcdef"},
    ],
)
def test_a_destination_is_a_peer_or_a_folder_or_a_webhook(destination: dict[str, str]) -> None:
    assert any("destinations.0" in line for line in problems({"destinations": [destination]}))


@pytest.mark.parametrize(
    ("folder", "allowed"),
    [
        ("data/work/out", False),
        ("data/quarantine", False),
        ("data/x/../work", False),
        ("data/out", True),
    ],
)
def test_results_do_not_go_to_what_the_node_deletes(folder: str, allowed: bool) -> None:
    raw = to(FOLDER, folder=folder) | {"data": "data"}
    if allowed:
        assert parsed(raw).folder == BASE / folder
    else:
        (problem,) = problems(raw)
        assert problem == (
            f"destinations.0.folder: {BASE / folder} is the node's own; take another"
        )


@pytest.mark.parametrize(
    "url",
    ["https://ris", "https://[2001:db8::1]:8443/a?b=c", "http://localhost:8080/", "http://[::1]/",
     "http://127.0.0.1/"],
)  # fmt: skip
def test_a_webhook_is_an_address(url: str) -> None:
    assert parsed(to(WEBHOOK, url=url)).url == url


@pytest.mark.parametrize(
    "url",
    ["", "ris", "ftp://ris/", "https://", "https://ris:0/", "https://ris:99999/", "https://ris/ä",
     "https://user:word@ris/", "https://ris/ a", "https://ris/#a", "https://[::1/", "https://a..b/",
     "https://ris/\r\nX: y"],
)  # fmt: skip
def test_what_is_no_address_is_said(url: str) -> None:
    (problem,) = problems(to(WEBHOOK, url=url))
    assert problem == ("destinations.0.url: is no address; write https://HOST[:PORT]/PATH")


@pytest.mark.parametrize("url", ["http://ris/", "http://127.0.0.1.example.org/"])
def test_results_cross_no_network_in_clear_text_unless_allowed(url: str) -> None:
    (problem,) = problems(to(WEBHOOK, url=url))
    assert "destinations.0.url" in problem
    assert "use https, or set allow_http" in problem
    assert parsed(to(WEBHOOK, url=url, allow_http=True)).url == url


@pytest.mark.parametrize(
    ("secret", "why"),
    [(None, "shorter"), ("", "shorter"), ("short", "shorter"), ("$NOT_SET_ANYWHERE", "not set"),
     ("${NOT_SET_ANYWHERE}", "not set")],
)  # fmt: skip
def test_a_webhook_needs_a_secret(secret: str | None, why: str) -> None:
    (problem,) = problems(to(WEBHOOK, secret=secret))
    assert problem.startswith("destinations.0.secret: ")
    assert why in problem


@pytest.mark.parametrize("token", ["", "T", "MS AI", "SIXTEEN_LETTERS_"])
def test_a_token_is_short_text(token: str) -> None:
    assert config.parse({"report": {"token": token}}, BASE).report.token == token


@pytest.mark.parametrize("token", [" ", "A ", "SEVENTEEN_LETTERS", "BACK\\SLASH", "ÜMLAUT"])
def test_other_tokens_are_errors(token: str) -> None:
    assert any("report.token" in line for line in problems({"report": {"token": token}}))


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ({"receive": {"port": 65536}}, "receive.port"),
        ({"receive": {"max_associations": 0}}, "receive.max_associations"),
        ({"receive": {"max_pdu": 4095}}, "receive.max_pdu"),
        ({"receive": {"min_free_bytes": -1}}, "receive.min_free_bytes"),
        ({"receive": {"max_instance_bytes": 0}}, "receive.max_instance_bytes"),
        ({"receive": {"network_timeout_s": 0}}, "receive.network_timeout_s"),
        ({"complete": {"quiet_s": float("nan")}}, "complete.quiet_s"),
        ({"classify": {"batch": 0}}, "classify.batch"),
        ({"classify": {"threads": -1}}, "classify.threads"),
        ({"http": {"port": -1}}, "http.port"),
        ({"retention": {"images_days": 0}}, "retention.images_days"),
        ({"retention": {"jobs_days": float("inf")}}, "retention.jobs_days"),
        (to(PEER, port=0), "destinations.0.port"),
        (to(PEER, port=65536), "destinations.0.port"),
        (to(PEER, retry={"give_up_s": float("inf")}), "destinations.0.retry.give_up_s"),
        (to(WEBHOOK, timeout_s=0), "destinations.0.timeout_s"),
    ],
)
def test_numbers_have_a_range(raw: object, key: str) -> None:
    (problem,) = problems(raw)
    assert problem.startswith(f"{key}: ")
    assert "is out of range; use " in problem


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({"complete": {"quiet_s": 90}},
         "complete.quiet_s: 90.0 is longer than idle_s, 60.0; lower it, or raise idle_s"),
        ({"complete": {"cap_s": 30}},
         "complete.idle_s: 60.0 is longer than cap_s, 30.0; lower it, or raise cap_s"),
        (to(FOLDER, retry={"longest_s": 5}), "destinations.0.retry.first_s: 10.0 is longer than "
         "longest_s, 5.0; lower it, or raise longest_s"),
        (to(FOLDER, retry={"give_up_s": 5}), "destinations.0.retry.first_s: 10.0 is longer than "
         "give_up_s, 5.0; lower it, or raise give_up_s"),
    ],
)  # fmt: skip
def test_times_are_in_order(raw: object, problem: str) -> None:
    assert problems(raw) == [problem]


def test_the_alert_comes_before_the_refusal() -> None:
    (problem,) = problems({"receive": {"warn_free_bytes": 1}})
    assert problem.startswith("receive.warn_free_bytes: 1 is below min_free_bytes")
    raw = {"receive": {"warn_free_bytes": 0, "min_free_bytes": 0}}
    assert config.parse(raw, BASE).receive.warn_free_bytes == 0


def test_retention_may_be_for_ever() -> None:
    kept = config.parse({"retention": {"images_days": None, "results_days": 7}}, BASE).retention
    assert (kept.images_days, kept.results_days) == (None, 7.0)


def test_accepted_classes_are_storage_classes() -> None:
    assert config.parse({"receive": {"accept": ["CTImageStorage"]}}, BASE).receive.accept
    assert problems({"receive": {"accept": ["CTImagStorage", "Verification"]}}) == [
        "receive.accept.0: 'CTImagStorage' is no storage class; did you mean \"CTImageStorage\"?",
        "receive.accept.1: 'Verification' is no storage class; did you mean \"CTImageStorage\"?",
    ]


@pytest.mark.parametrize("address", ["10.1.2.3", "10.1.2.3/24", "2001:db8::/32"])
def test_a_caller_has_an_address_or_network(address: str) -> None:
    callers = [{"ae_title": "CT1", "address": address}]
    assert config.parse({"receive": {"callers": callers}}, BASE).receive.callers[0].address


@pytest.mark.parametrize("address", ["", "10.1.2", "10.1.2.0/33", "scanner.example.org"])
def test_a_caller_has_no_other_address(address: str) -> None:
    (problem,) = problems({"receive": {"callers": [{"ae_title": "CT1", "address": address}]}})
    assert problem.startswith("receive.callers.0.address: ")
    assert "10.1.2.0/24" in problem


@pytest.mark.parametrize("section", ["receive", "http"])
def test_what_is_listened_on_is_an_address(section: str) -> None:
    for address in ("::", "127.0.0.1", "localhost"):
        assert config.parse({section: {"address": address}}, BASE)
    for address in ("", "10.0.0.0/8", "127.0.0.1:80"):
        (problem,) = problems({section: {"address": address}})
        assert problem.startswith(f"{section}.address: ")


@pytest.mark.parametrize("host", ["pacs_1", "pacs.example.org.", "10.1.2.3", "2001:db8::1"])
def test_a_host_is_a_name_or_an_address(host: str) -> None:
    assert parsed(to(PEER, host=host)).host == host


@pytest.mark.parametrize("host", ["", " ", "pacs:104", "[::1]", "http://pacs", "a..b"])
def test_nothing_else_is_a_host(host: str) -> None:
    (problem,) = problems(to(PEER, host=host))
    assert problem.startswith("destinations.0.host: ")


@pytest.mark.parametrize("name", ["", " ", ".", "..", "a/b", "a\\b", "a\nb", "a ", "x" * 65])
def test_a_name_is_a_label(name: str) -> None:
    (problem,) = problems(to(FOLDER, name=name))
    assert problem.startswith("destinations.0.name: ")
    assert problems({"name": name})[0].startswith("name: ")


@pytest.mark.parametrize(
    ("destination", "key"),
    [
        (to(PEER, ca="ca.pem"), "ca"),
        (to(FOLDER, ae_title="PACS"), "ae_title"),
        (to(WEBHOOK, profile="full"), "profile"),
        (to(PEER, verify_s=60.0), "verify_s"),
        (to(FOLDER, verify="find"), "verify"),
        (to(WEBHOOK, ca="c", tls={"certificate": "a", "key": "b", "ca": "c"}), "ca"),
    ],
)
def test_no_setting_of_a_destination_does_nothing(destination: object, key: str) -> None:
    (problem,) = problems(destination)
    assert problem.startswith(f"destinations.0.{key}: does nothing ")


def test_a_form_is_named_in_the_fields_own_terms() -> None:
    form = {"sr": "comprehensive-3d", "transfer_syntax": "JPEG2000Lossless"}
    made = parsed(to(PEER, form=form))
    assert made.form == config.Form("comprehensive-3d", "single-frame", "JPEG2000Lossless")
    (problem,) = problems(to(PEER, form={"transfer_syntax": "JPEG2000Lossles"}))
    assert problem.endswith('did you mean "JPEG2000Lossless"?')
    (problem,) = problems(to(WEBHOOK, form=form))
    assert problem.startswith("destinations.0.form: does nothing ")


def test_an_overlay_has_a_form_only_where_there_is_one() -> None:
    form = {"overlay": "multi-frame"}
    assert config.parse(to(PEER, profile="standard", form=form), BASE)
    (problem,) = problems(to(PEER, form=form))
    assert problem.startswith("destinations.0.form.overlay: does nothing for the profile minimal")


def test_hosts_that_share_a_database_have_names() -> None:
    shared = {"database": "postgresql+psycopg://u@db/msnode"}
    assert config.parse(shared | {"name": "node-1"}, BASE).name == "node-1"
    for wanted in (shared, shared | {"name": "msnode"}):
        (problem,) = problems(wanted)
        assert problem.startswith("name: hosts that share a database need different ones")


def test_the_shared_database_is_postgresql() -> None:
    (problem,) = problems({"name": "a", "database": "mysql://u:hush@db/msnode"})
    assert problem.startswith("database: is no PostgreSQL URL")
    assert "hush" not in problem


@pytest.mark.parametrize(
    "describe", [{"serial_number": ""}, {"institution": "x" * 65}, {"institution": "a\\b"}]
)
def test_what_goes_into_objects_fits(describe: dict[str, str]) -> None:
    (problem,) = problems({"report": describe})
    assert problem.startswith(f"report.{next(iter(describe))}: ")


def test_destinations_need_different_names() -> None:
    twice = [{"name": "pacs", "folder": "a"}, {"name": "pacs", "folder": "b"}]
    assert any("used twice" in line for line in problems({"destinations": twice}))


def test_a_subject_needs_a_certificate() -> None:
    caller = {"ae_title": "CT1", "subject": "ct1.example.org"}
    assert problems({"receive": {"callers": [caller]}}) == [
        "receive.callers.0.subject: is in no certificate without TLS; set tls, or delete it"
    ]
    tls = {"certificate": "a", "key": "b", "ca": "c"}
    assert config.parse({"receive": {"callers": [caller], "tls": tls}}, BASE)


def sections(kind: Any = config.Config) -> Iterator[tuple[type, dict[str, Any]]]:
    """Every section that a file can have, with the annotations of its settings."""
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind, include_extras=True)
        yield kind, hints
        for inner in hints.values():
            yield from sections(inner)
    else:
        for inner in get_args(kind):
            yield from sections(inner)


def test_every_number_has_a_rule() -> None:
    """A number without one takes 0 and infinity; so the annotation must say what it may be."""
    bare = [
        f"{kind.__name__}.{name}"
        for kind, hints in sections()
        for name, hint in hints.items()
        if {int, float} & {hint, *get_args(hint)} and not list(rules.rules_of(hint))
    ]
    assert bare == []


def test_no_rule_is_forgotten() -> None:
    """Every rule that is written down stands at a field, and every section's is reached."""
    at_fields = {
        rule if inspect.isfunction(rule) else type(rule)
        for _, hints in sections()
        for hint in hints.values()
        for each in (hint, *get_args(hint))
        for rule in rules.rules_of(each)
    }
    written = {
        thing
        for _, thing in inspect.getmembers(constraints)
        if (inspect.isclass(thing) or inspect.isfunction(thing)) and is_rule(thing)
    }
    assert at_fields == written
    owners = {
        kind
        for module in (config.settings, config.destinations)
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if "contradictions" in vars(kind)
    }
    reached = {base for kind, _ in sections() for base in kind.__mro__}
    assert owners <= reached


def is_rule(thing: Any) -> bool:
    """Whether this is a rule of `constraints`: takes a value, gives a message or None."""
    call = vars(thing).get("__call__", thing) if isinstance(thing, type) else thing
    return (
        thing.__module__ == constraints.__name__
        and inspect.isfunction(call)
        and call.__annotations__.get("return") == str | None
    )
