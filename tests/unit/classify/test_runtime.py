"""The running classifier: shared batches, fallbacks, failures."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from prometheus_client import REGISTRY
from torch import Tensor

from msnode.classify import Bundle, Runner, device, runtime, saliency
from msnode.classify.decision import slice_probabilities
from msnode.classify.device import Compute, phantom
from msnode.config import Classify
from msnode.errors import ConfigError, Refused, TryLater
from msnode.records.images import Float32Array, Slices
from tests.unit.classify.conftest import planted

CONFIG = Classify(device="cpu", batch=8, threads=2, precision="float32")

Maker = Callable[[Float32Array], Slices]


@pytest.fixture
def runner(bundle: Bundle) -> Iterator[Runner]:
    runner = Runner(bundle, CONFIG)
    yield runner
    runner.close()


def test_scores_are_the_models(runner: Runner, bundle: Bundle, as_slices: Maker) -> None:
    images, _ = planted(11, np.random.default_rng(1))
    scores = runner.score(as_slices(images))
    logits = bundle.model(torch.from_numpy(images)).numpy()
    expected = slice_probabilities(logits, bundle.manifest.calibration)
    np.testing.assert_allclose(scores.probabilities, expected, atol=1e-5)
    assert scores.probabilities.dtype == scores.saliency.dtype == np.float32
    assert scores.saliency.shape == (11, 64, 64)
    assert 0 <= scores.saliency.min() <= scores.saliency.max() <= 1
    finding = runner.decide(scores, as_slices(images))
    assert finding.decision == "present"
    assert [s.probability for s in finding.slices] == scores.probabilities.tolist()


def test_many_threads_get_what_each_gets_alone(runner: Runner, as_slices: Maker) -> None:
    rng = np.random.default_rng(2)
    studies = [as_slices(planted(n, rng)[0]) for n in (1, 5, 23, 3, 9, 2, 14, 7)]
    alone = [runner.score(study) for study in studies]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(runner.score, studies))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)
        np.testing.assert_allclose(one.saliency, other.saliency, atol=1e-5)


def test_waiting_studies_share_a_batch(
    runner: Runner, as_slices: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    go = threading.Event()
    compute = Compute.__call__

    def recorded(self: Compute, images: Tensor) -> object:
        sizes.append(len(images))
        assert go.wait(30)
        return compute(self, images)

    runner.warm_up()
    monkeypatch.setattr(Compute, "__call__", recorded)
    study = as_slices(planted(3, np.random.default_rng(3))[0])
    with ThreadPoolExecutor(5) as pool:
        results = [pool.submit(runner.score, study) for _ in range(5)]
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            waiting = sum(len(r.images) - r.taken for r in list(runner._waiting))
            if sum(sizes) + waiting == 15:
                break
            time.sleep(0.01)
        go.set()
        assert all(len(result.result(timeout=30).probabilities) == 3 for result in results)
    rest = 15 - sizes[0]
    assert sizes[1:] == [8] * (rest // 8) + [rest % 8], "as many studies in a batch as fit"


def test_batches_are_timed(runner: Runner, as_slices: Maker) -> None:
    def count() -> float:
        return REGISTRY.get_sample_value("msnode_inference_seconds_count") or 0.0

    before = count()
    runner.score(as_slices(planted(9, np.random.default_rng(4))[0]))
    assert count() == before + 2


@pytest.mark.parametrize("shape", [(0, 1, 64, 64), (2, 3, 64, 64), (2, 1, 64, 63), (1, 64, 64)])
def test_slices_of_another_shape_are_refused(
    runner: Runner, as_slices: Maker, shape: tuple[int, ...]
) -> None:
    study = as_slices(planted(2, np.random.default_rng(0))[0])
    object.__setattr__(study, "pixels", np.zeros(shape, np.float32))
    with pytest.raises(Refused, match=r"taught takes one or more of \(1, 64, 64\)"):
        runner.score(study)


def test_what_is_no_number_is_refused(runner: Runner, as_slices: Maker) -> None:
    images, _ = planted(3, np.random.default_rng(0))
    images[1] = np.nan
    with pytest.raises(Refused, match="slice 1 has a pixel that is no finite number"):
        runner.score(as_slices(images))
    runner.warm_up()
    runner._compute._maps = lambda x: (torch.full((len(x), 32, 8, 8), torch.nan),)
    with pytest.raises(Refused, match=r"taught 1\.0\.0 gives a slice no finite score"):
        runner.score(as_slices(images[:1]))


def test_a_closed_runner_says_later(bundle: Bundle, as_slices: Maker) -> None:
    runner = Runner(bundle, CONFIG)
    runner.close()
    with pytest.raises(TryLater, match="being closed"):
        runner.score(as_slices(planted(2, np.random.default_rng(0))[0]))


def break_maps(runner: Runner, error: Exception, above: int) -> None:
    """Let the device fail with more than ``above`` slices at once."""
    maps = runner._compute._maps

    def broken(images: Tensor) -> tuple[Tensor, ...]:
        if len(images) > above:
            raise error
        return maps(images)

    runner._compute._maps = broken


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
        MemoryError(),
        torch.AcceleratorError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
    ],
)
def test_short_of_memory_takes_fewer_slices(
    runner: Runner, as_slices: Maker, error: Exception
) -> None:
    study = as_slices(planted(7, np.random.default_rng(0))[0])
    before = runner.score(study)
    break_maps(runner, error, above=1)
    after = runner.score(study)
    assert runner._compute.chunk == 1
    assert runner.is_sound
    np.testing.assert_allclose(after.probabilities, before.probabilities, atol=1e-5)


def test_no_memory_at_all_is_tried_later(runner: Runner, as_slices: Maker) -> None:
    runner.warm_up()
    break_maps(runner, torch.OutOfMemoryError(), above=0)
    with pytest.raises(TryLater, match="no memory for a single slice"):
        runner.score(as_slices(planted(2, np.random.default_rng(0))[0]))
    assert runner.is_sound, "it comes back without a restart"


@pytest.mark.parametrize("kind", [torch.AcceleratorError, RuntimeError])
def test_a_failed_device_is_tried_later(
    runner: Runner, as_slices: Maker, kind: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    runner.warm_up()
    whole = runner._compute._maps
    study = as_slices(planted(2, np.random.default_rng(0))[0])
    break_maps(runner, kind("CUDA error: unspecified launch failure"), above=0)
    for _ in range(2):
        with pytest.raises(TryLater, match="unspecified launch failure"):
            runner.score(study)
        assert not runner.is_sound
    assert caplog.text.count("cpu has failed: CUDA error: unspecified launch failure") == 1
    runner._compute._maps = whole
    runner.score(study)
    assert runner.is_sound, "it has passed"


def test_a_bug_is_no_device_failure(runner: Runner, as_slices: Maker) -> None:
    runner.warm_up()
    break_maps(runner, RuntimeError("shapes do not match"), above=0)
    study = as_slices(planted(20, np.random.default_rng(0))[0])
    with pytest.raises(RuntimeError, match="shapes do not match"):
        runner.score(study)
    assert not runner._waiting, "the rest of the study is not computed"
    assert runner.is_sound


def test_whatever_fails_the_device_goes_on(
    runner: Runner, as_slices: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what comes after the device's work: without its thread each later study would hang."""
    add, failing = runtime._Request.add, [MemoryError(), MemoryError()]

    def short(self: runtime._Request, part: saliency.Explained) -> None:
        add(self, part)
        if failing:
            raise failing.pop()

    runner.warm_up()
    monkeypatch.setattr(runtime._Request, "add", short)
    runner.score(as_slices(planted(2, np.random.default_rng(0))[0]))
    with pytest.raises(MemoryError):
        runner.score(as_slices(planted(20, np.random.default_rng(0))[0]))
    runner.score(as_slices(planted(2, np.random.default_rng(0))[0]))


def test_bfloat16_where_it_decides_the_same(bundle: Bundle) -> None:
    compute = Compute(bundle, Classify(device="cpu", precision="bfloat16", threads=1))
    able = torch.ops.mkldnn._is_mkldnn_bf16_supported()  # not without AVX-512 or AVX-NE-CONVERT
    assert compute.warm_up() == ("folded bfloat16" if able else "folded float32")
    compute.close()


def test_another_result_is_not_used(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    maps = bundle.model.maps
    wrong = {torch.bfloat16: lambda x: maps(-x), torch.float32: lambda x: maps(x * torch.nan)}
    monkeypatch.setattr(Compute, "_folded", lambda self, dtype: wrong[dtype])
    compute = Compute(bundle, Classify(device="cpu", precision="bfloat16", threads=1))
    with caplog.at_level(logging.WARNING):
        assert compute.warm_up() == "plain float32"
    compute.close()
    assert "folded bfloat16 differs by" in caplog.text
    assert "folded float32 differs by" in caplog.text
    assert compute._maps == bundle.model.maps


def test_a_model_that_cannot_be_traced_runs_plain(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, as_slices: Maker
) -> None:
    def untraceable(_: object) -> None:
        raise torch.fx.proxy.TraceError("control flow")

    monkeypatch.setattr(device, "fold", untraceable)
    runner = Runner(bundle, CONFIG)
    assert runner.score(as_slices(planted(2, np.random.default_rng(0))[0])).probabilities.size == 2
    runner.close()


def test_a_missing_gpu_is_a_configuration_error(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"classify.device is cuda, but .*use auto or cpu"):
        Compute(bundle, Classify(device="cuda"))
    assert device.choose("auto") == torch.device("cpu")


def test_the_warm_up_batch_obeys_the_contract(bundle: Bundle) -> None:
    images = phantom(bundle.contract, 3)
    assert images.shape == (3, 1, 64, 64)
    assert torch.equal(images, phantom(bundle.contract, 3))
    torch.testing.assert_close(images.mean((1, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
