"""The machine-readable result: Comprehensive (3D) SR by TID 1500 Measurement Report (PS3.16)."""

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage, SegmentationStorage

from msnode.records.results import SliceFinding
from msnode.report import codes, dicom_modules, lesion_sr, wording
from msnode.report.case import PROGRAM, Case, matter
from msnode.report.localised import per_cent
from msnode.report.sr_document import document, remarks, text
from msnode.report.sr_numbers import anchor, measured, point
from msnode.report.uids import uid

SOP_CLASSES = {
    "comprehensive": ComprehensiveSRStorage,
    "comprehensive-3d": Comprehensive3DSRStorage,
}
"""By `config.Form.sr`."""


def build(case: Case) -> Dataset:
    """The SR with the study's probability and decision and the slices that matter."""
    groups: list[lesion_sr.Group] = [_study_group(case)]
    if case.report.finding is not None:
        groups += lesion_sr.groups(case)
        groups += [_slice_group(case, found) for found in matter(case)]
        groups += lesion_sr.earlier(case, matter(case, 1)[0].source)
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer(case)),
        procedure_reported=codes.concept(case.report.words.procedure),
        imaging_measurements=groups,
        language_of_content_item_and_descendants=sr.LanguageOfContentItemAndDescendants(
            codes.LANGUAGES[case.describe.language]
        ),
    )
    dataset = dicom_modules.new(case, "sr", SOP_CLASSES[case.form.sr])
    document(dataset, case, content[0], "sr")
    if case.has_segments:
        segments = (case.uid("seg", "series"), SegmentationStorage, case.uid("seg"))
        dicom_modules.add_evidence(dataset, segments)
    return dataset


def observer(case: Case) -> sr.ObserverContext:
    """The device that observed (TID 1004): this model on this node."""
    return sr.ObserverContext(
        observer_type=codes.DEVICE,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=case.device_uid,
            name=case.report.model.name[:64],
            manufacturer_name=PROGRAM,
            model_name=PROGRAM,
            serial_number=case.describe.serial_number[:64],
        ),
    )


def algorithm(case: Case) -> sr.AlgorithmIdentification:
    """TID 4019: the model, and the operating point as its parameters."""
    model = case.report.model
    return sr.AlgorithmIdentification(
        name=model.name,
        version=model.version,
        parameters=wording.parameters(model),
        family=codes.ARTIFICIAL_INTELLIGENCE,
        manufacturer=PROGRAM,
    )


def _study_group(case: Case) -> sr.MeasurementsAndQualitativeEvaluations:
    """TID 1501 group of the whole study; without a finding it carries the reason instead."""
    words, finding = case.report.words, case.report.finding
    decision = finding.decision if finding is not None else "undetermined"
    evaluations = [
        sr.QualitativeEvaluation(codes.concept(words.finding), codes.DECISIONS[decision])
    ]
    measurements = []
    if finding is not None:
        if words.has_places:
            priority = codes.PRIORITIES[case.report.is_urgent]
            evaluations.append(sr.QualitativeEvaluation(codes.READING_PRIORITY, priority))
        source = matter(case, 1)[0].source
        percent = per_cent(finding.probability, *wording.limits(case))[0]
        name = codes.concept(words.study_probability)
        measurements = [
            measured(name, percent, codes.PERCENT, anchor(source)),
            *lesion_sr.totals(case, anchor(source)),
        ]
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(case, "study", case.say("whole_study")),
        # "Finding: Multiple sclerosis" above "absent" would be read as a finding
        finding_type=codes.concept(words.condition) if decision == "present" else None,
        finding_sites=[sr.FindingSite(codes.concept(words.region))],
        algorithm_id=algorithm(case),
        measurements=measurements,
        qualitative_evaluations=evaluations,
    )
    group[0].ContentSequence.extend([*remarks(case), *lesion_sr.remarks(case)])
    return group


def _slice_group(case: Case, found: SliceFinding) -> sr.MeasurementsAndQualitativeEvaluations:
    """TID 1501 group of one slice; OHIF needs exactly one SCOORD below each NUM."""
    words = case.report.words
    image = wording.where(case, found)
    label = case.say("peak", image=image, probability=case.say.percent(found.probability))
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(case, f"slice {found.index}", label),
        finding_type=codes.SALIENCY if words.has_places else None,
        finding_sites=[sr.FindingSite(codes.concept(words.region))],
        measurements=[
            measured(
                codes.concept(words.image_probability),
                per_cent(found.probability)[0],
                codes.PERCENT,
                point(found.peak.source, *found.peak.graphic_data),
            )
        ],
    )
    group[0].ContentSequence.append(text(codes.COMMENT, case.say("peak_only")))
    return group


def _tracking(case: Case, what: str, label: str) -> sr.TrackingIdentifier:
    tracking_uid = uid("tracking", case.uid("sr"), what)
    return sr.TrackingIdentifier(uid=tracking_uid, identifier=label)
