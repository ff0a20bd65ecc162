"""`msnode bundle`: whole or not, what is different, signed by whom, as ONNX."""

import json
from dataclasses import replace
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
import yaml
from click.testing import CliRunner

from msnode import classify, lesions
from msnode.classify import Manifest, build, load_bundle, save_bundle
from msnode.cli import bundle_onnx, check, extras
from msnode.cli.any_bundle import AnyBundle, load_any
from msnode.cli.main import main
from msnode.config import Config, Models
from msnode.config.loading import parse
from msnode.errors import ConfigError
from msnode.lesions import lesion_bundle
from msnode.lesions.unet import Unet
from msnode.records.learned_persons import learned_persons
from msnode.store import bundle_signature, minisign


def run(*words: object, code: int = 0) -> str:
    done = CliRunner(env={"COLUMNS": "160"}).invoke(main, ["bundle", *map(str, words)])
    assert done.exit_code == code, done.output
    return done.output


def small(folder: Path, seed: int = 0, **changes: object) -> Path:
    torch.manual_seed(seed)
    model = build("shallow_cnn")
    manifest = Manifest("small", "1.0.0", "shallow_cnn", model.contract)
    save_bundle(folder, model, replace(manifest, **changes), "# Card\n")  # type: ignore[arg-type]
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return small(tmp_path / "registry" / "small", persons=learned_persons(["p1", "p2"], ["p3"]))


@pytest.fixture
def outliner(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    manifest = lesion_bundle.Manifest("lesions", "0.0.1", widths=(4, 8))
    lesion_bundle.save(tmp_path / "registry" / "lesions", Unet((4, 8)).eval(), manifest, "# Card\n")
    return tmp_path / "registry" / "lesions"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    run("keygen", "--out", tmp_path / "site.key", "--no-password")
    return tmp_path / "site.key"


def test_a_whole_bundle_is_told_so_and_a_changed_one_named(bundle: Path, outliner: Path) -> None:
    told = run("verify", bundle)
    assert "FAIL" not in told
    assert f"digest: {load_bundle(bundle).manifest.digest}" in told
    assert "weights-00001-of-00001.safetensors: sha256 " in told
    assert "2 hashes" in told
    assert "signature: none" in told
    assert "lesions lesions 0.0.1" in run("verify", outliner)
    file = bundle / "bundle.yaml"
    file.write_text(file.read_text().replace("threshold: 0.5", "threshold: 0.4"))
    told = run("verify", bundle, code=1)
    assert "FAIL  digest: the digest is" in told
    (bundle / "CARD.md").unlink()
    assert "FAIL  CARD.md: is missing" in run("verify", bundle, code=1)
    (bundle / "weights-00001-of-00001.safetensors").write_bytes(b"no weights")
    assert "3 problem(s) found" in run("verify", bundle, code=1)


def test_a_key_is_kept_from_others_and_written_over_nothing(key: Path) -> None:
    assert key.stat().st_mode & 0o777 == 0o600
    assert minisign.secret_key(key.read_text()).public.text in key.with_suffix(".pub").read_text()
    assert "is there already" in run("keygen", "--out", key, "--no-password", code=1)


def test_only_whole_bundles_are_signed_and_the_signature_covers_all_of_it(
    bundle: Path, key: Path
) -> None:
    public = key.with_suffix(".pub")
    assert "FAIL  signature: nobody has signed it" in run("verify", bundle, "--key", public, code=1)
    run("sign", bundle, "--key", key)
    assert "trusted" in run("verify", bundle, "--key", public)
    trusted = (minisign.public_key(public.read_text()).text,)
    assert load_bundle(bundle, trusted).manifest.name == "small"
    text = (bundle / "bundle.yaml").read_text()
    (bundle / "bundle.yaml").write_text(text.replace("notice: ''", "notice: all clear"))
    load_bundle(bundle)  # the digest does not cover what is written beside results
    with pytest.raises(ConfigError, match=r"bundle\.yaml or its signature was changed") as refused:
        load_bundle(bundle, trusted)
    assert f"msnode bundle sign {bundle} --key FILE" in str(refused.value)
    (bundle / "bundle.yaml").write_text(text)
    (bundle / "CARD.md").write_text("# Another card\n")
    with pytest.raises(ConfigError, match=r"CARD\.md was changed after signing"):
        load_bundle(bundle, trusted)
    (bundle / "weights-00001-of-00001.safetensors").write_bytes(b"no weights")
    assert "not signed, for" in run("sign", bundle, "--key", key, code=1)


def test_a_registry_is_listed_with_who_signed(bundle: Path, outliner: Path, key: Path) -> None:
    run("sign", bundle, "--key", key)
    lines = run("list", bundle.parent, "--key", key.with_suffix(".pub")).splitlines()
    signed, other = (
        next(line for line in lines if f"│ {n} " in line) for n in ("small", "lesions")
    )
    assert "trusted" in signed
    assert "yes" in signed
    assert "nobody has signed it" in other
    assert "no " in other
    assert "not checked: give --key" in run("list", bundle.parent)
    assert "holds no bundle" in run("list", bundle, code=1)


def test_a_node_with_keys_takes_signed_bundles_only(
    bundle: Path, outliner: Path, key: Path, tmp_path: Path
) -> None:
    public = minisign.public_key(key.with_suffix(".pub").read_text()).text
    settings = {
        "data": str(tmp_path / "data"), "models": {"keys": [public]},
        "classify": {"bundle": str(bundle), "device": "cpu"}, "lesions": {"bundle": str(outliner)},
    }  # fmt: skip
    config = parse(settings, tmp_path)

    def problems(of: Config) -> list[str | None]:
        names = ("model bundle", "lesion bundle")
        return [told for name, told in check.problems(of, peers=False) if name in names]

    for told in problems(config):
        assert told is not None
        assert "nobody has signed it; look at the bundle" in told
    (tmp_path / "node.yaml").write_text(yaml.safe_dump(settings))
    words = ["predict", str(tmp_path), "--config", str(tmp_path / "node.yaml")]
    (tmp_path / "scan.nii.gz").write_bytes(b"")
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 1
    assert "nobody has signed it" in refused.output
    for folder in (bundle, outliner):
        run("sign", folder, "--key", key)
    assert problems(config) == [None, None]
    assert classify.load_bundle(bundle, config.models.keys).manifest.version == "1.0.0"
    assert lesions.load(outliner, config.models.keys).manifest.version == "0.0.1"
    stranger = minisign.make_key().public.text
    for told in problems(replace(config, models=Models((stranger,)))):
        assert told is not None
        assert "which is not trusted" in told


def test_what_is_no_key_is_refused_in_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"models\.keys\.0: 'RWxyz' is no public key"):
        parse({"models": {"keys": ["RWxyz"]}}, tmp_path)


def test_differences_are_told_by_what_bears_on_results(bundle: Path, tmp_path: Path) -> None:
    other = small(
        tmp_path / "other", seed=1, threshold=0.6, figures={"auc": 0.9},
        persons=learned_persons(["p1"]),
    )  # fmt: skip
    (tmp_path / "index.csv").write_text(
        "path,person,label\nother/CARD.md,p1,ms\nother/CARD.md,p2,ms\n"
    )
    told = " ".join(run("diff", bundle, other, "--index", tmp_path / "index.csv").split())
    assert "│ threshold * │ 0.5 │ 0.6 │" in told
    assert "│ figures.auc │ - │ 0.9 │" in told
    assert "2 learned, 1 calibrated │ 1 learned, 0 calibrated" in told
    assert "│ persons.p2 │ learned │ unseen │" in told
    assert "persons.p1" not in told
    assert "largest change" in told
    same = run("diff", bundle, bundle)
    assert "bundle.yaml: no difference" in same
    assert "weights: no difference" in same


def test_networks_of_another_shape_are_told(bundle: Path, outliner: Path) -> None:
    told = run("diff", bundle, outliner)
    assert "architecture *" in told
    assert "0 tensors changed" in told


@pytest.mark.parametrize("which", ["bundle", "outliner"])
def test_as_onnx_it_computes_the_same(
    which: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(which)
    told = run("export", folder, "--onnx", tmp_path / "net.onnx")
    assert "logits differ by" in told
    found = {p.key: p.value for p in onnx.load(tmp_path / "net.onnx").metadata_props}
    loaded = load_any(folder)
    assert found["digest"] == loaded.manifest.digest
    if which == "bundle":
        assert json.loads(found["input"])["rows"] == 64
    session = onnxruntime.InferenceSession(
        (tmp_path / "net.onnx").read_bytes(), providers=["CPUExecutionProvider"]
    )
    shape = (5, 1, 64, 64) if which == "bundle" else (5, 4, 48, 80)
    images = torch.rand(shape)
    (theirs,) = session.run(None, {"images": images.numpy()})
    with torch.inference_mode():
        torch.testing.assert_close(torch.from_numpy(theirs), loaded.model(images))


def test_a_network_that_computes_otherwise_is_not_written(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_onnx, "difference", lambda *_: 0.01)
    told = run("export", bundle, "--onnx", tmp_path / "net.onnx", code=1)
    assert "not written, as onnxruntime's logits differ by up to 0.01" in " ".join(told.split())
    assert not (tmp_path / "net.onnx").exists()


def test_without_onnx_the_extra_is_named_first(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    told = run("export", bundle, "--onnx", tmp_path / "net.onnx", code=1)
    assert "pip install -e '.[onnx]'" in told


@pytest.mark.long  # half a minute each
@pytest.mark.parametrize("architecture", ["hybrid", "swin", "inception", "densenet"])
def test_every_architecture_goes_to_onnx(architecture: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = build(architecture).eval()
    manifest = Manifest(architecture, "0", architecture, model.contract)
    written = {"architecture": architecture}
    one = AnyBundle("classifier", tmp_path, written, manifest, model.requires_grad_(False))
    assert bundle_onnx.export(one, tmp_path / "net.onnx") <= bundle_onnx.TOLERANCE


def test_the_signature_is_a_file_that_others_may_read(bundle: Path, key: Path) -> None:
    run("sign", bundle, "--key", key)
    assert (bundle / bundle_signature.SIGNATURE).stat().st_mode & 0o777 == 0o644
