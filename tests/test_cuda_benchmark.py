"""`benchmarks.cuda` at a tiny size on the CPU, and what it is made of."""

import json

import numpy as np
import pytest
import torch

from benchmarks import cuda
from benchmarks._backbone import WAYS, StrongViews, _seen, best_linear, few_linear, read_ways
from benchmarks._graphs import LargeBatchAdam, LargeBatchSGD, RecordedSteps
from sk_infomax import DeepInfoMaxTransformer


def recording(**settings):
    return DeepInfoMaxTransformer(callbacks=[RecordedSteps()], **settings)


SLOW = {"check": pytest.mark.slow}  # fits default models
LONG = ("speed", "choose", "paper")  # parts that take turns or train several models
WHEN = SLOW | dict.fromkeys(LONG, pytest.mark.nightly)


@pytest.mark.parametrize("part", [pytest.param(p, marks=WHEN.get(p, ())) for p in cuda.SECONDS])
def test_every_part_runs(part, tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks._backbone._ITERATIONS", 3)
    names = list(cuda.jobs_of(part))
    path = tmp_path / "cuda.json"
    words = ["--tiny", "--device", "cpu", "--parts", part, "--out", str(path)]
    cuda.main([*words, "--jobs", names[0]])
    content = json.loads(path.read_text())
    entry = content["results"][part][names[0]]["0"]
    assert "error" not in entry
    kept = dict(entry)
    cuda.main([*words, "--resume", "--jobs", names[0]])  # there is nothing left to do
    assert json.loads(path.read_text())["results"][part][names[0]]["0"] == kept


def test_a_job_that_fails_is_recorded_and_tried_again(tmp_path):
    path = tmp_path / "cuda.json"
    words = ["--device", "cpu", "--parts", "paper", "--seconds", "1", "--out", str(path)]
    images = tmp_path / "images.npz"
    np.savez(images, X=np.zeros((30, 4, 4), np.uint8), y=np.arange(30) % 3)
    cuda.main([*words, "--data", str(images)])  # too small for the paper's encoder
    errors = json.loads(path.read_text())["results"]["paper"]
    assert all("error" in entries["0"] for entries in errors.values())


@pytest.mark.parametrize("optimizer", [LargeBatchAdam, LargeBatchSGD])
def test_the_rate_in_a_tensor_follows_the_schedule(optimizer, digits):
    settings = {"max_epochs": 2, "lr": 0.01, "random_state": 0, "device": "cpu"}
    model = recording(optimizer=optimizer, **settings).fit(digits[0])
    (group,) = model.net_.optimizer_.param_groups
    assert torch.is_tensor(group["lr"])
    assert 0 < group["lr"].item() < 0.01


def test_recorded_steps_are_those_of_the_net(digits):
    settings = {"max_epochs": 2, "random_state": 0, "device": "cpu"}
    plain = DeepInfoMaxTransformer(optimizer="adamw", weight_decay=0.01, **settings)
    graphed = recording(optimizer=LargeBatchAdam, weight_decay=0.01, **settings)
    images = digits[0][:140]  # two batches
    features = [model.fit(images).transform(images) for model in (plain, graphed)]
    np.testing.assert_allclose(*features, atol=5e-3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_graphs_give_what_the_net_gives(digits):
    settings = {"max_epochs": 8, "batch_size": 64, "random_state": 0, "device": "cuda"}
    plain = DeepInfoMaxTransformer(optimizer="adamw", **settings).fit(digits[0])
    graphed = recording(optimizer=LargeBatchAdam, **settings).fit(digits[0])
    assert graphed.net_.train_step.recorded
    first, last = (m.history_[-1]["train_loss"] for m in (plain, graphed))
    assert last == pytest.approx(first, rel=0.05)


def test_strong_views():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(32, 3, 16, 16, generator=generator) * 2 - 1
    views = StrongViews(size=12)(x, generator)
    assert views.shape == (32, 3, 12, 12)
    assert -1 <= views.min() < views.max() <= 1
    grey = StrongViews(grey=1.0)(x, generator)
    assert (grey[:, 0] - grey[:, 2]).abs().max() < 1e-5
    bare = StrongViews(jittered=0.0, grey=0.0, size=16)
    torch.testing.assert_close(bare._recolour(x, generator), x)


def test_changes_are_kept_that_help_on_top_of_those_before():
    found = {"as it is": 0.7, "head": 0.75, "decay": 0.74, "momentum": 0.76, "local": 0.76}
    tried = {name: {"0": {"embedding": {"all": value}}} for name, value in found.items()}
    assert cuda.kept_of(tried, "0") == ("head", "momentum")
    assert cuda.kept_of(tried | {"momentum": {"0": {"error": "no memory"}}}, "0") == (
        "head",
        "local",
    )
    assert cuda.kept_of({}, "0") == ()


def test_ways_to_read_an_image(digits):
    X = np.kron(digits[0][:5], np.ones((2, 2)))
    model = DeepInfoMaxTransformer(4, max_epochs=1, random_state=0, device="cpu").fit(X)
    model.set_params(output="multiscale")
    whole, mirrored, _ = (side.numpy() for side in map(read_ways(model, X, WAYS).get, WAYS))
    np.testing.assert_allclose(whole, model.transform(X), atol=1e-4)
    both = (model.transform(X) + model.transform(X[:, :, ::-1])) / 2
    np.testing.assert_allclose(mirrored, both, atol=1e-4)
    views = list(_seen(torch.from_numpy(X[:, None])))
    assert [tuple(view.shape) for view in views] == [(5, 1, 16, 16)] * 12


def test_linear_probes():
    rng = np.random.RandomState(0)
    y = torch.from_numpy(rng.randint(3, size=300))
    Z = torch.from_numpy((rng.randn(300, 5) + 3 * np.eye(5)[y.numpy()]).astype(np.float32))
    pairs = (Z[:200], y[:200]), (Z[200:], y[200:])
    assert best_linear(*pairs) > 0.85
    mean, spread = few_linear(*pairs, 5)
    assert mean > 0.7
    assert spread < 0.2
