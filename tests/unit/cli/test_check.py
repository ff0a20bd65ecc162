"""What `msnode check` finds before `msnode serve` or a delivery would."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
import trustme

from msnode import classify, lesions
from msnode.cli import check
from msnode.config import (
    Audit,
    Caller,
    Classify,
    Config,
    DicomPeer,
    Folder,
    Hl7,
    Hl7Destination,
    Http,
    OpenIdConnect,
    Outline,
    Pages,
    PageTls,
    PeerSource,
    Receive,
    RoleOf,
    Syslog,
    Tls,
    Webhook,
)
from msnode.lesions.unet import Unet
from msnode.pages.access.local_accounts import LocalAccounts
from msnode.store.database import open_database
from msnode.store.schema import migrate
from msnode.web.monitor import Monitor


@pytest.fixture
def sound(tmp_path: Path) -> Config:
    """Nothing is wrong with it but the model, which takes long to load and is left out."""
    receive = Receive(address="127.0.0.1", callers=(Caller("PACS"),), min_free_bytes=0)
    return Config(
        data=tmp_path / "data",
        receive=receive,
        classify=Classify(bundle=tmp_path / "none"),
        destinations=(Folder("archive", folder=tmp_path / "archive"),),
    )


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    files = Tls(tmp_path / "node.crt", tmp_path / "node.key", tmp_path / "ca.crt")
    certificate.cert_chain_pems[0].write_to_path(str(files.certificate))
    certificate.private_key_pem.write_to_path(str(files.key))
    authority.cert_pem.write_to_path(str(files.ca))
    return files


def wrong(config: Config) -> dict[str, str]:
    """What is wrong, without the model."""
    found = dict(check.problems(config, peers=False))
    assert "bundle" in (found.pop("model bundle") or "")
    return {name: problem for name, problem in found.items() if problem is not None}


def test_a_sound_configuration_passes(sound: Config, tls: Tls) -> None:
    destinations = (
        *sound.destinations,
        DicomPeer("pacs", ae_title="PACS", host="localhost", tls=tls),
        Webhook("ris", url="https://localhost/", secret="0123456789abcdef", ca=tls.ca),
    )
    assert wrong(replace(sound, destinations=destinations)) == {}
    assert wrong(replace(sound, receive=replace(sound.receive, tls=tls))) == {}


def test_an_hl7_destination_and_its_template_are_looked_at(
    sound: Config, tls: Tls, tmp_path: Path
) -> None:
    own = tmp_path / "own.hl7"
    own.write_text("MSH|^~\\&|{{ nobody }}")
    his = Hl7Destination("his", "localhost", tls=tls)
    assert wrong(replace(sound, destinations=(his,))) == {}
    found = wrong(replace(sound, destinations=(replace(his, template=own),)))
    assert "'nobody' is undefined" in found["destination his"]
    gone = replace(his, template=tmp_path / "none")
    found = wrong(replace(sound, destinations=(gone,)))
    assert found["destination his"].startswith("template: ")
    receive = replace(sound.receive, hl7=Hl7(port=0, tls=tls))
    assert wrong(replace(sound, receive=receive)) == {}


def test_nobody_may_call_and_nobody_gets_results(sound: Config) -> None:
    lonely = replace(sound, destinations=(), receive=replace(sound.receive, callers=()))
    assert set(wrong(lonely)) == {"callers", "destinations"}


def test_a_peer_that_must_call_back_has_to_be_let_in(sound: Config) -> None:
    pacs = DicomPeer("pacs", ae_title="PACS", host="localhost", verify="commitment")
    assert wrong(replace(sound, destinations=(pacs,))) == {}
    other = replace(sound.receive, callers=(Caller("SCANNER"),))
    found = wrong(replace(sound, destinations=(pacs,), receive=other))
    assert "PACS is not among receive.callers" in found["destination pacs"]


def test_a_source_that_sends_to_us_has_to_be_let_in(sound: Config) -> None:
    pacs = PeerSource("archive", "PACS", "localhost")
    assert wrong(replace(sound, priors=(pacs,))) == {}
    for caller in (Caller("SCANNER"), Caller("PACS", rights=("echo",))):
        other = replace(sound, receive=replace(sound.receive, callers=(caller,)))
        found = wrong(replace(other, priors=(pacs,)))
        assert "PACS is not among receive.callers" in found["prior source archive"]
        assert wrong(replace(other, priors=(replace(pacs, by="c-get"),))) == {}


@pytest.mark.parametrize("name", ["certificate", "key", "ca"])
def test_an_absent_tls_file_is_named(sound: Config, tls: Tls, tmp_path: Path, name: str) -> None:
    absent = replace(tls, **{name: tmp_path / "absent.pem"})
    pacs = DicomPeer("pacs", ae_title="PACS", host="localhost", tls=absent)
    receive = replace(sound.receive, tls=absent)
    found = wrong(replace(sound, receive=receive, destinations=(pacs,)))
    assert found["listener"].startswith(f"receive.tls.{name}: {tmp_path}/absent.pem cannot be read")
    assert found["destination pacs"].startswith(f"tls.{name}: {tmp_path}/absent.pem cannot be read")


def test_files_of_another_kind_are_no_tls_files(sound: Config, tls: Tls) -> None:
    swapped = Tls(tls.key, tls.certificate, tls.ca)
    hook = Webhook("ris", url="https://ris/", secret="0123456789abcdef", ca=tls.key)
    receive = replace(sound.receive, tls=swapped)
    found = wrong(replace(sound, receive=receive, destinations=(hook,)))
    assert found["listener"].startswith("receive.tls: ")
    assert found["destination ris"].startswith("ca: ")


def test_the_syslog_server_is_looked_at(sound: Config, tls: Tls, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = Syslog("127.0.0.1", server.getsockname()[1])
        good = replace(sound, audit=Audit(syslog=there))
        assert dict(check.problems(good, peers=True))["audit"] is None
    assert "refused" in (dict(check.problems(good, peers=True))["audit"] or "")
    absent = replace(tls, ca=tmp_path / "absent.pem")
    bad = replace(sound, audit=Audit(syslog=replace(there, tls=absent)))
    assert wrong(bad)["audit"].startswith("audit.syslog.tls.ca: ")


def test_an_address_of_another_host_cannot_be_listened_on(sound: Config) -> None:
    receive = replace(sound.receive, address="192.0.2.1")  # TEST-NET-1, RFC 5737
    found = wrong(replace(sound, receive=receive, http=Http(address="2001:db8::1")))
    assert found["listener"].startswith("receive.address: 192.0.2.1 is not of this host")
    assert found["http"].startswith("http.address: 2001:db8::1 is not of this host")


def test_a_folder_that_takes_no_file_is_said(sound: Config, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    blocked = Folder("archive", folder=tmp_path / "file" / "out")
    assert "destination archive" in wrong(replace(sound, destinations=(blocked,)))


def test_a_full_disk_is_said(sound: Config) -> None:
    receive = replace(sound.receive, min_free_bytes=2**62)
    assert "images would be refused" in wrong(replace(sound, receive=receive))["data folder"]


def test_the_database_of_a_newer_version_is_named(sound: Config) -> None:
    engine = open_database(sound.database_url)
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    assert "has schema 9999, of a newer msnode" in wrong(sound)["database"]


def test_all_tls_files_are_named_at_once(sound: Config, tmp_path: Path) -> None:
    absent = Tls(tmp_path / "1.pem", tmp_path / "2.pem", tmp_path / "3.pem")
    found = wrong(replace(sound, receive=replace(sound.receive, tls=absent)))
    assert [line.split(":")[0].strip() for line in found["listener"].splitlines()] == [
        "receive.tls.certificate",
        "receive.tls.key",
        "receive.tls.ca",
    ]


def test_a_port_that_another_program_has_is_said(sound: Config) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        found = wrong(replace(sound, receive=replace(sound.receive, port=port)))
        assert found["listener"].startswith(f"receive.port: {port} is in use on 127.0.0.1; end")
        found = wrong(replace(sound, http=Http(port=port)))
        assert found["http"].startswith(f"http.port: {port} is in use on 127.0.0.1; end")


def test_a_node_that_runs_may_have_its_ports(sound: Config) -> None:
    monitor = Monitor(Http(port=0), lambda: (True, "ready"), lambda: (False, "not well"))
    monitor.start()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        receive = replace(sound.receive, port=listener.getsockname()[1])
        assert wrong(replace(sound, receive=receive, http=Http(port=monitor.port))) == {}
    monitor.stop()


def test_a_name_of_this_host_with_our_port_is_the_node_itself(sound: Config) -> None:
    us = replace(sound.receive, address="0.0.0.0", port=11112)
    peer = DicomPeer("pacs", ae_title="PACS", host=socket.gethostname(), port=11112)
    found = dict(check.problems(replace(sound, receive=us, destinations=(peer,)), peers=True))
    assert "is this node itself" in (found["destination pacs"] or "")


def test_pages_that_nobody_could_log_in_to_are_told(sound: Config) -> None:
    with_pages = replace(sound, pages=Pages(port=0))
    assert "msnode accounts add" in wrong(with_pages)["accounts"]
    database = open_database(sound.database_url)
    migrate(database)
    LocalAccounts(database, "test").add("anna", ["administrator"], "correct horse battery")
    database.dispose()
    assert wrong(with_pages) == {}


def test_files_of_the_pages_that_cannot_be_used_are_told(sound: Config, tls: Tls) -> None:
    good = PageTls(tls.certificate, tls.key)
    pages = Pages(port=0, tls=good, passwords=True)
    assert "pages" not in wrong(replace(sound, pages=pages))
    other = replace(pages, tls=PageTls(tls.ca, tls.key))
    assert "pages.tls" in wrong(replace(sound, pages=other))["pages"]


def test_a_login_service_that_is_away_is_told(sound: Config) -> None:
    away = OpenIdConnect("http://127.0.0.1:9", "msnode", "0" * 16, (RoleOf("it", "viewer"),))
    pages = Pages(port=0, oidc=away)
    found = dict(check.problems(replace(sound, pages=pages), peers=True))
    assert "http://127.0.0.1:9" in (found["login service"] or "")


def test_classifier_and_lesion_network_that_do_not_belong_together_are_told(
    sound: Config, tmp_path: Path
) -> None:
    """Every study would be undetermined, and nobody would know why."""
    shipped = replace(sound, classify=Classify())
    assert dict(check.problems(shipped, peers=False))["decision"] is None
    alone = replace(shipped, lesions=Outline(bundle=None))
    assert "lesions.bundle is null" in (dict(check.problems(alone, peers=False))["decision"] or "")
    own = lesions.load(lesions.SHIPPED)
    manifest = replace(own.manifest, threshold=0.4)
    lesions.lesion_bundle.save(tmp_path / "own", Unet(manifest.widths), manifest, "# Own")
    other = replace(shipped, lesions=Outline(bundle=tmp_path / "own"))
    assert "another lesion network" in (dict(check.problems(other, peers=False))["decision"] or "")
    assert classify.load_manifest(Classify().bundle).undecided(own.manifest.digest) is None
