"""The administrator's pages when two work at once, or when the configuration has moved on."""

from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from msnode.deliver.result_places import SIGNAL
from msnode.errors import MsnodeError
from msnode.manage.quarantine_list import KeptAside, QuarantineFiles
from msnode.manage.repeats import resend
from msnode.pages.frame.site import Site
from msnode.records.uid_hash import uid_hash
from tests.admin_pages import analysed, audited, keep
from tests.pages_site import as_visitor, site_in
from tests.unit.receive.datasets import STUDY, mr

KEY = uid_hash(STUDY)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path, http={"port": 1}) as site:
        yield site


def shown(site: Site, path: str) -> str:
    with as_visitor(site, "administrator") as client:
        return client.get(path).text


def test_a_file_that_somebody_else_deals_with_meanwhile_keeps_no_other_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(site, mr())
    folder = site.config.data / "quarantine" / KEY
    folder.mkdir()
    (image,) = (site.config.data / "instances").glob("*/*.dcm")
    for name in ("first.dcm", "second.dcm"):
        (folder / name).write_bytes(image.read_bytes())
    image.unlink()
    found = QuarantineFiles.found

    def late(self: QuarantineFiles, tokens: Collection[str]) -> Iterator[KeptAside]:
        kept = list(found(self, tokens))
        (folder / "first.dcm").unlink()
        yield from kept

    monkeypatch.setattr(QuarantineFiles, "found", late)
    tokens = [uid_hash(f"{KEY}/{name}.dcm") for name in ("first", "second")]
    with as_visitor(site, "administrator", account="anna") as client:
        form = {"file": tokens, "confirmed": "true"}
        taken = client.post("/quarantine/take", data=form)
    assert taken.headers["location"] == "/quarantine?did=taken"
    assert image.exists()
    assert list(folder.iterdir()) == []
    assert audited(site, "anna", 'EventActionCode="U"')


def test_what_was_never_made_for_a_destination_is_not_sent_to_it(tmp_path: Path) -> None:
    """A webhook that was configured after the result: all attempts would be in vain."""
    hook = {"name": "ris", "url": "http://127.0.0.1:9/", "secret": "0" * 32}
    with site_in(tmp_path, destinations=[hook], http={"port": 1}) as site:
        keep(site, mr())
        analysed(site, KEY)
        text = shown(site, f"/studies/{KEY}")
        assert "nothing was made for this destination" in text
        with pytest.raises(MsnodeError, match="msnode redo"):
            resend(site.config, site.database, KEY, "ris")
        (site.config.data / "work" / KEY / "1" / SIGNAL).write_text("{}")
        assert "nothing was made for this destination" not in shown(site, f"/studies/{KEY}")
