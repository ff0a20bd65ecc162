"""Starts what analyses and delivers: model, engine and upkeep. With it comes PyTorch."""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace

import sqlalchemy as sa
import torch

from msnode import __version__, audit, classify, lesions, metrics
from msnode.config import Config
from msnode.confined import Confined
from msnode.deliver.deliveries import Deliveries
from msnode.engine.durable import Engine
from msnode.fetch.way import Taking
from msnode.flow import Flow
from msnode.flow.flow import GLANCE_S
from msnode.flow.routes import BLOOD_SMEAR, BRAIN_MRI, fitting_bundle
from msnode.receive import Inbox
from msnode.receive.c_get_scu import receiver
from msnode.receive.dicomweb.wado_body import body_receiver
from msnode.records.results import ModelInfo
from msnode.retention.expiry import DAY_S, Retention
from msnode.service.clinical_search import ClinicalSearch
from msnode.service.periodic import Periodic
from msnode.service.report_search import ReportSearch
from msnode.service.returned_documents import ReturnedDocuments
from msnode.service.upkeep import Upkeep
from msnode.store.prior_searches import PriorSearches
from msnode.store.shadow_evidence import verify_evidence
from msnode.twin import Twin

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """What runs, and is asked whether it is well.

    Attributes:
        smears: the classifier of blood smears; None where none are read.
    """

    runner: classify.Runner
    periodic: Periodic
    smears: classify.Runner | None = None

    @property
    def unsound(self) -> str | None:
        """A device that has failed; None where all work."""
        runners = filter(None, (self.runner, self.smears))
        return next((one.device for one in runners if not one.is_sound), None)


def start(
    config: Config,
    database: sa.Engine,
    inbox: Inbox,
    trail: audit.Trail,
    stack: ExitStack,
    go_on: Callable[[], None],
) -> Work:
    """Start all that works.

    Args:
        config: of the node.
        database: migrated.
        inbox: the studies that are analysed.
        trail: hears of what is sent and deleted.
        stack: stops it again, in reverse.
        go_on: called between the parts, whose exception ends the start.
    """
    go_on()
    model, network = _bundles(config)
    go_on()
    runner = classify.Runner(model, config.classify)
    stack.callback(runner.close)
    go_on()
    smears = _of_smears(config)
    if smears is not None:
        stack.callback(smears.close)
    outliner = network.on(runner.device) if network is not None else None
    go_on()
    deliveries = Deliveries(database, trail)
    flow = Flow(config, inbox.studies, runner, deliveries, Twin(database), outliner, smears)
    stack.callback(flow.stop)
    runner.warm_up()
    if smears is not None:
        smears.warm_up()
    go_on()
    flow.warm_up()
    go_on()
    rules = config.retention
    taking = Taking(receiver(config.receive, inbox), body_receiver(config.receive, inbox))
    priors = flow.priors(database, taking, trail)
    searches = PriorSearches(database)
    searches.abandon([one.name for one in config.priors])
    keep_s = rules.jobs_days * DAY_S
    engine = Engine(database, config.name, flow, keep_s=keep_s, priors=priors)
    stack.callback(engine.stop)
    engine.launch()
    retention = Retention(database, config.data, rules, engine.unsettled, trail)
    glance = Confined(replace(config.decode, time_s=min(GLANCE_S, config.decode.time_s)))
    stack.callback(glance.stop)
    documents = ReturnedDocuments(config.feedback, database, config.data, inbox.secret, glance)
    upkeep = Upkeep(config, inbox, engine, flow, retention, searches, documents)
    periodic = upkeep.periodic
    stack.callback(periodic.stop)
    periodic.start()
    _ask_clinics(config, database, inbox, trail, stack)
    _ask_for_reports(config, database, taking, trail, stack)
    _describe(runner.info, str(runner.device))
    return Work(runner, periodic, smears)


def _bundles(config: Config) -> tuple[classify.Bundle, lesions.Bundle | None]:
    """The classifier and the lesion network, if there is one, which should belong together.

    Raises:
        ConfigError: one cannot be used, or is not what the evidence is of.
    """
    keys, folder = config.models.keys, config.lesions.bundle
    model = fitting_bundle(config.classify.bundle, BRAIN_MRI, keys)
    if (evidence := config.classify.evidence) is not None:
        verify_evidence(evidence, model.info.digest)
    network = lesions.load(folder, keys) if folder is not None else None
    if why := model.manifest.undecided(network.manifest.digest if network is not None else None):
        log.warning("%s", why)
    return model, network


def _of_smears(config: Config) -> classify.Runner | None:
    """The classifier of blood smears; it takes memory only where it is configured."""
    smears = config.classify.smears
    if smears is None:
        return None
    return classify.Runner(
        fitting_bundle(smears.bundle, BLOOD_SMEAR, config.models.keys), config.classify
    )


def _ask_clinics(
    config: Config, database: sa.Engine, inbox: Inbox, trail: audit.Trail, stack: ExitStack
) -> None:
    """Start asking what clinics know of the patients."""
    glance = Confined(replace(config.decode, time_s=min(GLANCE_S, config.decode.time_s)))
    stack.callback(glance.stop)
    for source in config.clinical:
        asking = ClinicalSearch(source, database, config.data, inbox.secret, glance, trail)
        stack.callback(asking.stop)
        asking.start()


def _ask_for_reports(
    config: Config, database: sa.Engine, taking: Taking, trail: audit.Trail, stack: ExitStack
) -> None:
    """Start asking the PACS for reports on delivered results, where that is configured."""
    source = config.feedback.source
    peer = config.peer(source.destination) if source is not None else None
    if source is None or peer is None:
        return
    title = config.receive.ae_title
    asking = ReportSearch(source, peer, database, config.data, title, taking, trail)
    stack.callback(asking.stop)
    asking.start()


def _describe(info: ModelInfo, device: str) -> None:
    """The build metric: which program and which model."""
    metrics.BUILD.info(
        {
            "version": __version__,
            "model": info.name,
            "model_version": info.version,
            "model_digest": info.digest[:12],
            "torch": torch.__version__,
            "device": device,
        }
    )
