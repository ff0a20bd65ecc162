"""Other people's validators and readers judge every object, in every outcome and language."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest

from msnode import report
from msnode.config import Describe, Form
from msnode.records.results import Predecessor, Prior, Report
from msnode.records.timeline import ScanPoint, Timeline
from msnode.sample import TABRIZ
from tests import lesion_reports, reports
from tests.acceptance import peers

PIXELMED = Path("/usr/share/java/pixelmed.jar")
XPATH = [f"-Djdk.xml.xpath{name}Limit=0" for name in ("ExprGrp", "ExprOp", "TotalOp")]
BRIEF = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
"""For a program that runs seconds: half the CPU time."""
EXTENSIBLE = 'Code (24590-2,LN,"MR Brain") not found in context group 100'
"""CID 100 is extensible (PS3.16), and has nothing nearer than "MRI unspecified body region"."""
UTF8 = "The VR checker does not support this Specific Character Set: ISO_IR 192"
"""dcmtk says so of every document in UTF-8, whatever it contains."""

TID1500READER = Path(sys.executable).with_name("tid1500reader")
"""Of dcmqi, from PyPI."""

SHARED_GROUPS = "Template 1411 VolumetricROIMeasurements"
"""PixelMed holds every Measurement Group against TID 1411 as soon as one is; groups of TID 1501,
which TID 1500 allows beside them, have no segment."""

MISSING = "Missing conditional content item"

CASES = (
    "present", "absent", "undetermined", "not_analysed", "revised", "other_form", "outlined",
    "compared",
)  # fmt: skip

PIXELMED_READS = {
    "present": ("sr", "readable", "kos"),
    "absent": (),
    "undetermined": ("sr",),
    "not_analysed": ("sr", "readable"),
    "revised": ("readable",),
    "other_form": ("sr",),
    "outlined": (),
    "compared": ("sr", "readable"),
}
"""Documents with other content items than those read already; it takes ten seconds for each."""

OTHER = Form("comprehensive-3d", "multi-frame", "JPEG2000Lossless")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A report of the sample study."""
    return reports.real(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def outlined(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A sample study with its lesions."""
    return lesion_reports.scanned(tmp_path_factory.mktemp("outlined"), TABRIZ)


@pytest.fixture(scope="module", params=CASES)
def written(
    request: pytest.FixtureRequest,
    source: Report,
    outlined: Report,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Report, Path]:
    """A report and the folder with its full set of objects, each case in another language."""
    made, language = _case(source, outlined, request.param)
    folder, form = tmp_path_factory.mktemp(request.param), Form()
    if request.param == "other_form":
        form = OTHER
    report.write(made, Describe(language=language), "full", folder, form)  # type: ignore[arg-type]
    return made, folder


def _case(source: Report, outlined: Report, name: str) -> tuple[Report, str]:
    assert source.finding is not None
    if name == "outlined":
        return outlined, "nl"
    if name == "compared":
        scans = (ScanPoint(date(2021, 2, 1), 4.0), ScanPoint(date(2022, 2, 1), 5.0))
        course = Timeline(on=date(2022, 2, 1), scans=scans, edss=((date(2021, 3, 1), 2.0),))
        return replace(lesion_reports.compared(outlined), timeline=course), "fr"
    if name == "not_analysed":
        return reports.not_analysed(source, "no FLAIR: RepetitionTime is 500 ms"), "nl"
    if name == "revised":
        before = Predecessor(1, "0" * 64, "absent", 0.12)
        priors = (Prior(date(2020, 2, 29), "absent", 0.2, 0.5, "hybrid 0.9.0", "0" * 64),)
        return replace(source, generation=2, predecessor=before, priors=priors), "de"
    if name == "other_form":
        return source, "en"
    finding = replace(source.finding, decision=name, probability=0.4)  # type: ignore[arg-type]
    language = {"present": "en", "absent": "fr", "undetermined": "es"}[name]
    return replace(source, finding=finding), language


def _run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
    )


def _errors(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.lower().startswith("error")]


def _documents(folder: Path) -> Sequence[Path]:
    return [folder / "sr.dcm", folder / "readable.dcm"]


def test_dciodvfy_finds_no_error(written: tuple[Report, Path]) -> None:
    dciodvfy = peers.tool("dciodvfy", "dicom3tools")
    for path in sorted(written[1].glob("*.dcm")):
        if path.name.startswith("overlay") and not path.name.endswith(("1.dcm", "6.dcm")):
            continue
        done = _run(dciodvfy, "-new", path)
        assert _errors(done.stderr + done.stdout) == [], path.name
        assert done.returncode == 0, path.name


@pytest.mark.parametrize("syntax", ["RLELossless", "JPEG2000Lossless", "JPEGLSLossless"])
def test_dciodvfy_finds_no_error_in_a_compressed_object(
    source: Report, tmp_path: Path, syntax: str
) -> None:
    dciodvfy = peers.tool("dciodvfy", "dicom3tools")
    for overlay in ("single-frame", "multi-frame"):
        form = Form(overlay=overlay, transfer_syntax=syntax)  # type: ignore[arg-type]
        for path in report.write(source, Describe(), "standard", tmp_path / overlay, form)[1:5]:
            done = _run(dciodvfy, "-new", path)
            assert _errors(done.stderr + done.stdout) == [], path.name
            assert done.returncode == 0, path.name


def test_dcmtk_decodes_to_the_same_pixels(source: Report, tmp_path: Path) -> None:
    plain = report.write(source, Describe(), "minimal", tmp_path / "plain")[1]
    for tool, syntax in (("dcmdrle", "RLELossless"), ("dcmdjpls", "JPEGLSLossless")):
        form = Form(transfer_syntax=syntax)  # type: ignore[arg-type]
        packed = report.write(source, Describe(), "minimal", tmp_path / syntax, form)[1]
        done = _run(peers.tool(tool, "dcmtk"), packed, tmp_path / f"{tool}.dcm")
        assert done.returncode == 0, done.stderr
        decoded = pydicom.dcmread(tmp_path / f"{tool}.dcm")
        assert np.array_equal(decoded.pixel_array, pydicom.dcmread(plain).pixel_array)


def test_dcentvfy_finds_no_contradiction(written: tuple[Report, Path]) -> None:
    made, folder = written
    files = [*sorted(folder.glob("*.dcm")), *made.evidence]
    done = _run(peers.tool("dcentvfy", "dicom3tools"), *files)
    assert _errors(done.stderr + done.stdout) == []


def test_pixelmed_finds_the_templates_kept(written: tuple[Report, Path]) -> None:
    java = peers.tool("java", "default-jre-headless")
    assert PIXELMED.exists(), "pixelmed.jar is missing: install Debian package pixelmed-apps"
    for name in PIXELMED_READS[written[1].name.rstrip("0123456789")]:
        path = written[1] / f"{name}.dcm"
        done = _run(
            java, *BRIEF, *XPATH, "-cp", PIXELMED,
            "com.pixelmed.validate.DicomSRValidator", path,
        )  # fmt: skip
        text = done.stdout + done.stderr
        assert "Template" in text, text
        wrong = [line for line in _errors(text) if EXTENSIBLE not in line]
        if written[0].lesions is not None:
            wrong = [line for line in wrong if SHARED_GROUPS not in line or MISSING not in line]
        assert wrong == [], path.name


def test_dcmtk_reads_the_documents(written: tuple[Report, Path]) -> None:
    for path in _documents(written[1]):
        dump = _run(peers.tool("dsrdump", "dcmtk"), path)
        page = _run(peers.tool("dsr2html", "dcmtk"), "+U8", path)
        for done in (dump, page):
            assert done.returncode == 0
            assert {line for line in done.stderr.splitlines() if UTF8 not in line} == set()
        assert "Imag" in page.stdout


def test_dcmpschk_accepts_the_presentation_state(written: tuple[Report, Path]) -> None:
    path = written[1] / "gsps.dcm"
    if not path.exists():
        pytest.skip("there is nothing to mark in a study that was not analysed")
    done = _run(peers.tool("dcmpschk", "dcmtk"), path)
    values = re.findall(r"Attribute value   : \[([^]]*)\]", done.stderr)
    # dcmpschk knows no UTF-8; it must have nothing to say of anything else
    assert [value for value in values if value.isascii()] == []
    assert ("Test passed" in done.stdout + done.stderr) == (values == [])


def test_tid1500reader_finds_the_same_numbers(written: tuple[Report, Path], tmp_path: Path) -> None:
    made, folder = written
    done = _run(
        TID1500READER, "--inputDICOM", folder / "sr.dcm", "--outputMetadata", tmp_path / "m.json"
    )
    assert done.returncode == 0, done.stderr
    groups = json.loads((tmp_path / "m.json").read_text())["Measurements"]
    assert groups
    if made.finding is not None:
        study = groups[0]["measurementItems"][0]
        assert float(study["value"]) == pytest.approx(100 * made.finding.probability, abs=0.01)


def test_highdicom_reads_the_saliency_back(written: tuple[Report, Path]) -> None:
    made, folder = written
    if made.scores is None or made.slices is None:
        pytest.skip("a study that was not analysed has no saliency")
    image = highdicom.imread(folder / "map.dcm")
    values = image.get_frames()
    peaks = values.reshape(len(values), -1).max(axis=1)
    assert peaks == pytest.approx(made.scores.saliency.max(axis=(1, 2)), abs=0.05)
    for index in (0, len(values) - 1):
        place = image.PerFrameFunctionalGroupsSequence[index].PlanePositionSequence[0]
        expected = made.slices.source(index).affine[:3, 3]
        assert np.allclose(np.array(place.ImagePositionPatient, float), expected, atol=1e-4)


def test_the_overlay_lies_on_the_source(written: tuple[Report, Path]) -> None:
    made, folder = written
    originals = {
        str(image.SOPInstanceUID): image
        for image in (pydicom.dcmread(path, stop_before_pixels=True) for path in made.evidence)
    }
    for path in folder.glob("overlay-*.dcm"):
        overlay = pydicom.dcmread(path, stop_before_pixels=True)
        original = originals[overlay.SourceImageSequence[0].ReferencedSOPInstanceUID]
        assert overlay.ImageOrientationPatient == original.ImageOrientationPatient
        assert (overlay.Rows, overlay.Columns) == (original.Rows, original.Columns)
        assert overlay.FrameOfReferenceUID == original.FrameOfReferenceUID
        for keyword in ("ImagePositionPatient", "PixelSpacing"):
            ours, theirs = overlay[keyword].value, original[keyword].value
            assert np.allclose(np.array(ours, float), np.array(theirs, float), atol=1e-4)
