"""Writes a study's result objects in every form in use, and finds those for a destination."""

import json
import logging
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from msnode import metrics, report
from msnode.config import (
    Config,
    Destination,
    FhirServer,
    Hl7Destination,
    ObjectDestination,
    Webhook,
)
from msnode.confined import Confined
from msnode.deliver.result_places import (
    FHIR,
    SENT,
    SIGNAL,
    files_for,
    message_path,
    sent_folders,
)
from msnode.errors import Refused, Unforeseen
from msnode.flow.steps import work_folder
from msnode.records.images import Study
from msnode.records.lesions import LesionFinding
from msnode.records.results import DocumentReference, Report
from msnode.records.sentences import Sentence
from msnode.records.uid_hash import uid_hash
from msnode.store.files import replacing

log = logging.getLogger(__name__)

NOT_SO = (Refused, Unforeseen)
"""Errors after which writing may still succeed, with less content or with another header."""


class ResultFiles:
    """Writes result objects and finds them.

    Args:
        config: the destinations, and what the objects say about this node.
        reader: for work on a study's files that may take long.
        glance: for reading a few headers.
    """

    def __init__(self, config: Config, reader: Confined, glance: Confined) -> None:
        self._config = config
        self._reader = reader
        self._glance = glance

    def dated(self, made: Report) -> tuple[Report, str]:
        """The report with a header that can be read, if there is one, and the study's date."""
        uid = made.study_instance_uid
        for path in dict.fromkeys((made.header, *_some(made.evidence))):
            with suppress(*NOT_SO):
                date = self._glance.call(str, report.study_date, path, uid)
                return replace(made, header=path), date
        return made, ""

    def study_date(self, paths: Sequence[Path], study_instance_uid: str) -> str:
        """The study's date (DA) by the first file that can be read; "" where none names it."""
        for path in _some(paths):
            with suppress(*NOT_SO):
                return self._glance.call(str, report.study_date, path, study_instance_uid)
        return ""

    def write(self, made: Report) -> Report:
        """Write the objects; a result that fails its validation becomes "not analysed"."""
        try:
            return self._written(made)
        except NOT_SO as refusal:
            log.error("study=%s result kept back: %s", uid_hash(made.study_instance_uid), refusal)
            failed = refusal
        if made.finding is not None:
            problems = failed.reason if isinstance(failed, Refused) else str(failed)
            reason = Sentence("kept_back", problems=problems)
            if made.lesions is not None and made.maps is not None:  # may be all that is wrong
                without = LesionFinding(made.lesions.model, reason=reason)
                return self.write(replace(made, lesions=without, maps=None, timeline=None))
            made = replace(made, finding=None, priority=None, timeline=None)
            bare = replace(made, lesions=None, maps=None)
            return self.write(replace(bare, reason=reason))
        for path in _some(made.evidence):  # its header may be whole where others are not
            with suppress(*NOT_SO):
                return self._written(replace(made, header=path, evidence=(path,)))
        raise failed

    def _written(self, made: Report) -> Report:
        """Write the objects as they are."""
        folder = self._folder(uid_hash(made.study_instance_uid), made.generation)
        written: list[Path] = []
        takers = [d for d in self._config.destinations if isinstance(d, ObjectDestination)]
        for name, one in {d.objects: d for d in takers}.items():
            shutil.rmtree(folder / name, ignore_errors=True)
            known = self._knowing(made, [d.name for d in takers if d.objects == name])
            task = (known, self._config.report, one.profile, folder / name, one.form)
            written += self._reader.call(tuple[Path, ...], report.write, *task)
        with replacing(folder / SENT) as file:
            file.write(json.dumps({d.name: d.objects for d in takers}).encode())
        others = self._config.destinations
        if any(isinstance(d, Webhook) for d in others):
            report.write_signal(made, written, folder / SIGNAL)
        for other in others:
            if isinstance(other, Hl7Destination):
                self._write_message(made, other, message_path(folder, other))
        self._write_bundles(made, folder / FHIR)
        self._keep(made, folder / report.FILE)
        return made

    def _keep(self, made: Report, path: Path) -> None:
        """Keep what pages show of the result; what fails there costs no destination anything."""
        path.unlink(missing_ok=True)
        try:
            self._reader.call(Path, report.write_report, report.slim(made), path)
        except NOT_SO as error:
            key = uid_hash(made.study_instance_uid)
            log.error("study=%s pages will show less of its result: %s", key, error)

    def _write_bundles(self, made: Report, folder: Path) -> None:
        """Write the transactions for FHIR servers; what fails there costs no other destination."""
        shutil.rmtree(folder, ignore_errors=True)
        for one in self._config.destinations:
            if isinstance(one, FhirServer):
                task = (made, self._config.report, one, folder / f"{one.name}.json")
                try:
                    self._reader.call(Path, report.write_bundle, *task)
                except NOT_SO as error:
                    key = uid_hash(made.study_instance_uid)
                    log.error("study=%s no transaction for %s: %s", key, one.name, error)

    def _write_message(self, made: Report, destination: Hl7Destination, path: Path) -> None:
        """The message of a result, by the site's template, or by ours where that makes none.

        A template that does not fit this result shall not keep it from whoever waits for it.
        """
        for one in (destination, replace(destination, template=None)):
            try:
                task = (made, self._config.report, one)
                message = self._reader.call(str, report.render_result, *task)
                break
            except NOT_SO as error:
                if one.template is None:
                    raise
                metrics.QUARANTINED.labels("hl7_template").inc()
                log.error("study=%s destination=%s the usual template is used instead: %s",
                          uid_hash(made.study_instance_uid), one.name, error)  # fmt: skip
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as file:
            file.write(message.encode())

    def _knowing(self, made: Report, takers: Sequence[str]) -> Report:
        """Add the files of the earlier result that these destinations got, if still here."""
        before = made.predecessor
        if before is None:
            return made
        this = self._folder(uid_hash(made.study_instance_uid), made.generation)
        folder = this.with_name(str(before.generation))
        sent = sent_folders(folder)
        folders = sorted({folder / sent[name] for name in takers if name in sent})
        if not sent or not all(one.is_dir() for one in folders):
            return made
        return replace(made, predecessor=replace(before, folders=tuple(folders)))

    def documents(self, study: Study) -> list[DocumentReference]:
        """The measurement SRs of a result, one for each form in use."""
        made = sorted(self._folder(study.key, study.generation).glob("*/sr.dcm"))
        return list(dict.fromkeys(map(report.document_reference, made)))

    def of(self, study: Study, destination: Destination) -> list[Path]:
        """All files of a result that go to a destination.

        Raises:
            Refused: there are none; an empty list would count as delivered.
        """
        found = files_for(self._folder(study.key, study.generation), destination)
        if not found:
            raise Refused(f"no result of the study is there for {destination.name}")
        return found

    def _folder(self, study_key: str, generation: int) -> Path:
        return work_folder(self._config.data, study_key, generation)


def _some(paths: Sequence[Path]) -> list[Path]:
    """A few of a study's files; the first, which was tried already, comes last."""
    return list(dict.fromkeys((paths[-1], paths[len(paths) // 2], paths[0])))
