"""The durable step that delivers: one attempt at one destination."""

import logging

from msnode import metrics
from msnode.config import Config, Destination
from msnode.deliver.backoff import pause
from msnode.deliver.deliveries import Attempt, Deliveries, identify
from msnode.deliver.verification import Delivery
from msnode.flow.analysis import unexpected
from msnode.flow.result_files import ResultFiles
from msnode.receive import Studies
from msnode.receive.inbox.redo import PRIORS, REDO

log = logging.getLogger(__name__)


class DeliverStep:
    """Sends results.

    Args:
        config: of the node.
        studies: knows the studies.
        files: knows their result objects.
        deliveries: keeps what was sent, and sends.
    """

    def __init__(
        self, config: Config, studies: Studies, files: ResultFiles, deliveries: Deliveries
    ) -> None:
        self._destinations = {d.name: d for d in config.destinations}
        self._ae_title = config.receive.ae_title
        self._studies = studies
        self._files = files
        self._deliveries = deliveries

    def run(self, study_key: str, generation: int, name: str, attempt: int) -> Attempt:
        """Send the results to one destination, once (``attempt`` counts from 1)."""
        destination = self._destinations.get(name)
        if destination is None:
            log.error("study=%s destination=%s is not configured any more", study_key, name)
            metrics.DELIVERIES.labels(name, "dead").inc()
            return {"delivered": False, "pause_s": None}
        try:
            return self._attempt(study_key, generation, destination, attempt)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next attempt must come
            unexpected(error, f"delivering to {name}")
        pause_s = pause(destination.retry, attempt)
        if pause_s is None:
            metrics.DELIVERIES.labels(name, "dead").inc()
        return {"delivered": False, "pause_s": pause_s}

    def _attempt(
        self, study_key: str, generation: int, destination: Destination, attempt: int
    ) -> Attempt:
        """Send what is missing, keep the receipts, judge them."""
        study = self._studies.study(study_key, generation)
        files = {identify(path): path for path in self._files.of(study, destination)}
        delivery = Delivery(
            destination,
            study_key,
            generation,
            files,
            self._ae_title,
            None if study.completion in (REDO, PRIORS) else study.last_instance_at,
        )
        return self._deliveries.attempt(delivery, attempt)
