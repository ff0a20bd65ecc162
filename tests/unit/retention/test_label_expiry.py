"""Who a study is of is known as long as something of it is here."""

from pathlib import Path

import pytest

from msnode.manage.study_labels import Labels
from msnode.store.page_tables import study_labels
from tests.unit.receive.datasets import mr, rows
from tests.unit.retention.test_expiry import DAY, NOW, Node


def test_the_label_goes_with_the_last_of_images_results_and_visit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Node(tmp_path, monkeypatch)
    node.send(mr())
    study = node.analyse()
    node.receipt(study)
    Labels(node.engine, node.folder).update()
    (node.folder / "visits" / study.key).mkdir(parents=True)
    for day, left in {31: 1, 91: 1, 366: 0}.items():
        node.now = NOW + day * DAY
        node.apply(visits_days=365)
        assert len(rows(node.engine, study_labels)) == left, day
    node.inbox.close()
    node.engine.dispose()
