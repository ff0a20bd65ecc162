"""The machine-readable result: Comprehensive (3D) SR by TID 1500 Measurement Report (PS3.16)."""

import numpy as np
from highdicom import sr
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from msnode.records.images import Float64Array, SourceFrame
from msnode.records.results import SliceFinding
from msnode.report import codes, dicom_modules, wording
from msnode.report.case import PROGRAM, Case, image_label, matter
from msnode.report.localised import per_cent
from msnode.report.sr_document import document, remarks, text
from msnode.report.uids import uid

Graphic = tuple[sr.GraphicTypeValues, Float64Array]

SOP_CLASSES = {
    "comprehensive": ComprehensiveSRStorage,
    "comprehensive-3d": Comprehensive3DSRStorage,
}
"""By `config.Form.sr`."""

"""Reported one by one: those that matter, as viewers list every measurement."""


def build(case: Case) -> Dataset:
    """The SR with the study's probability and decision and the slices that matter."""
    groups = [_study_group(case)]
    if case.report.finding is not None:
        groups += [_slice_group(case, found) for found in matter(case)]
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
        priority = codes.PRIORITIES[case.report.is_urgent]
        evaluations.append(sr.QualitativeEvaluation(codes.READING_PRIORITY, priority))
        source = matter(case, 1)[0].source
        measurements = [
            _probability(
                codes.concept(words.study_probability),
                per_cent(finding.probability, *wording.limits(case))[0],
                _anchor(source),
                source,
            )
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
    group[0].ContentSequence.extend(remarks(case))
    return group


def _slice_group(case: Case, found: SliceFinding) -> sr.MeasurementsAndQualitativeEvaluations:
    """TID 1501 group of one slice; OHIF needs exactly one SCOORD below each NUM."""
    words = case.report.words
    image = image_label(case, found.peak.source) or case.say(
        "slice_of", number=found.index + 1, count=len(case.finding.slices)
    )
    label = case.say("peak", image=image, probability=case.say.percent(found.probability))
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(case, f"slice {found.index}", label),
        finding_type=codes.SALIENCY,
        finding_sites=[sr.FindingSite(codes.concept(words.region))],
        measurements=[
            _probability(
                codes.concept(words.image_probability),
                per_cent(found.probability)[0],
                _peak(found),
                found.peak.source,
            )
        ],
    )
    group[0].ContentSequence.append(text(codes.COMMENT, case.say("peak_only")))
    return group


def _tracking(case: Case, what: str, label: str) -> sr.TrackingIdentifier:
    tracking_uid = uid("tracking", case.uid("sr"), what)
    return sr.TrackingIdentifier(uid=tracking_uid, identifier=label)


def _anchor(frame: SourceFrame) -> Graphic:
    """A point beside the head on the strongest image: OHIF shows no number without coordinates.

    The study's number belongs to no place; the label of its group says so.
    """
    return sr.GraphicTypeValues.POINT, np.array([[frame.columns / 16, frame.rows / 10]]).round(2)


def _peak(found: SliceFinding) -> Graphic:
    """The point where a slice's saliency peaks."""
    return sr.GraphicTypeValues.POINT, np.array([found.peak.graphic_data]).round(2)


def _probability(
    name: CodedConcept, percent: float, graphic: Graphic, frame: SourceFrame
) -> sr.Measurement:
    """TID 300 in per cent, rounded as in all texts, inferred from coordinates on an image."""
    image = sr.SourceImageForRegion(
        referenced_sop_class_uid=frame.sop_class_uid,
        referenced_sop_instance_uid=frame.sop_instance_uid,
        referenced_frame_numbers=None if frame.frame is None else [frame.frame],
    )
    graphic_type, points = graphic
    return sr.Measurement(
        name=name,
        value=float(percent),
        unit=codes.PERCENT,
        referenced_coordinates=[sr.CoordinatesForMeasurement(graphic_type, points, image)],
    )
