"""The shipped bundles list the persons that their cards name."""

import re
from pathlib import Path

import yaml

from msnode import classify, lesions

MODELS = Path(__file__).parents[3] / "models"


def test_the_classifier_knows_its_nine_and_the_five_held_back() -> None:
    manifest = classify.load_bundle(MODELS / "hybrid").manifest
    assert manifest.persons is not None
    held_back = manifest.figures["held_back_persons"]
    assert {manifest.persons.acquaintance(one) for one in held_back} == {"calibrated"}
    card = (MODELS / "lesions" / "CARD.md").read_text()
    others = set(re.findall(r"tabriz-\d{6}", card)) - set(held_back)
    assert len(others) == 9
    assert {manifest.persons.acquaintance(one) for one in others} == {"learned"}
    assert manifest.persons.acquaintance("ljubljana-01") == "calibrated"
    assert manifest.persons.acquaintance("nichart-Subj9") == "learned"
    assert manifest.persons.acquaintance("nichart-23") == "calibrated"
    assert manifest.persons.acquaintance("nichart-2") == "unseen"
    assert not manifest.persons.others


def test_the_network_of_lesions_knows_all_it_learned_from() -> None:
    persons = lesions.load(MODELS / "lesions").manifest.persons
    assert persons is not None
    card = (MODELS / "lesions" / "CARD.md").read_text()
    tabriz = set(re.findall(r"tabriz-\d{6}", card))
    assert len(tabriz) == 14
    for spelling in ("nichart-{}", "nichart-Subj{}"):
        named = {spelling.format(number) for number in range(1, 25, 2)}
        assert {persons.acquaintance(one) for one in tabriz | named} == {"learned"}
    assert persons.acquaintance("nichart-2") == "unseen"


def test_what_was_measured_on_misplaced_masks_is_gone() -> None:
    text = (MODELS / "hybrid" / "bundle.yaml").read_text()
    assert "new_lesions" not in yaml.safe_load(text)["figures"]
    assert "0.526" not in (MODELS / "hybrid" / "CARD.md").read_text()
