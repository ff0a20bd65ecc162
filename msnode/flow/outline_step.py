"""The durable step that outlines: reads the prepared volume, leaves lesions, keeps the visit."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from msnode import prepare
from msnode.flow import lesion_analysis
from msnode.flow.lesion_analysis import Outlined
from msnode.flow.past import spared
from msnode.lesions import Bundle, cache, kept
from msnode.lesions.kept import Kept
from msnode.records.dicom_date import day_of
from msnode.records.images import Study
from msnode.records.lesions import LesionFinding, LesionMaps
from msnode.records.sentences import Sentence
from msnode.store.prior_searches import PriorSearches
from msnode.twin import Twin
from msnode.twin.expectations import Expectations


class OutlineStep:
    """Outlines studies and compares them with what is kept of earlier ones.

    Args:
        data: the node's data folder.
        bundle: the network.
        twin: knows the patient's earlier studies.
        expectations: are told before a study is compared.

    Attributes:
        bundle: the network.
    """

    def __init__(self, data: Path, bundle: Bundle, twin: Twin, expectations: Expectations) -> None:
        self._data = data
        self.bundle = self._bundle = bundle
        self._twin = twin
        self._expectations = expectations
        self._searches = PriorSearches(twin.engine)

    def outlined(self, study: Study, folder: Path) -> Outlined:
        """Outline a study whose volume is prepared; the scan grades itself."""
        slices, volume = prepare.load(folder).slices, prepare.load_volume(folder)
        return lesion_analysis.outlined(study.key, slices, volume, self._bundle)

    def run(
        self, study: Study, study_date: str, folder: Path, done: Outlined | None = None
    ) -> dict[str, float]:
        """Outline a study, compare it, keep the visit.

        Args:
            study: whose volume is prepared.
            study_date: DA; "" where it has none.
            folder: of the study's work.
            done: what `outlined` gives, where it was asked before.

        Returns:
            Seconds by stage.
        """
        now = done or self.outlined(study, folder)
        slices = prepare.load(folder).slices
        if now.visit is not None:
            here = lesion_analysis.about(study.key, study_date, slices, now)
            self._expect(here)
            now = self._compared(now, here, study.generation)
            assert now.visit is not None  # noqa: S101 - comparing keeps it
            here = replace(here, comparison=now.finding.comparison)
            kept.keep(self._data, study.generation, here, now.visit, now.compared)
        cache.save(now.finding, now.maps, folder)
        return now.seconds

    def _expect(self, here: Kept) -> None:
        """Put on record what is expected; whatever is wrong with that costs no result."""
        day = day_of(here.study_date)
        if day is None:
            return
        record = partial(self._expectations.record, here.study_key, day, here.digest)
        spared("telling what is expected", record)

    def _compared(self, now: Outlined, here: Kept, generation: int) -> Outlined:
        """Compare with the most comparable earlier visit that is kept, reported yet or not."""
        read = partial(self._twin.others, study_key=here.study_key)
        others = self._searches.looked(here.study_key, generation, read)
        known = lesion_analysis.candidates(self._data, others)
        # of two studies of one day nobody knows here which was the earlier one
        earlier = [one for one in known if one.study_date and one.study_date < here.study_date]
        chosen = lesion_analysis.most_comparable(earlier, here)
        if chosen is None:
            return now
        load = partial(kept.load, self._data, chosen)
        return lesion_analysis.compared(now, load, chosen, here, self._bundle)

    def is_awaited(self, study_key: str, generation: int) -> bool:
        """Whether a generation was compared while earlier studies were being looked for."""
        return self._searches.is_awaited(study_key, generation)

    def finding(self, folder: Path) -> LesionFinding | None:
        """What `run` found; None where it did not end."""
        return cache.load_finding(folder) if cache.was_saved(folder) else None

    def load(self, folder: Path) -> tuple[LesionFinding, LesionMaps | None]:
        """What `run` left, or that it did not end."""
        if cache.is_saved(folder):
            return _load(folder)
        model = lesion_analysis.model_of(self._bundle)
        return LesionFinding(model, reason=Sentence("outline_missing")), None


def _load(folder: Path) -> tuple[LesionFinding, LesionMaps | None]:
    finding = cache.load_finding(folder)
    if finding.reason is not None:
        return finding, None
    return finding, cache.load_maps(folder, prepare.load_volume(folder).voxels)
