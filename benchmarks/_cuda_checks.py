"""Whether the package is right on a card: the checks of `benchmarks.cuda`, and what they share."""

import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits

from sk_infomax import DeepInfoMaxTransformer, MutualInfoEstimator
from sk_infomax._scaling import Scaling
from sk_infomax._training._batches import ResidentData, batch_sizes
from sk_infomax._training._schedule import Plan
from sk_infomax.datasets import multinormal_dense
from sk_infomax.evaluation import PerceptronClassifier

from ._split import Split

__all__ = [
    "TINY",
    "Setting",
    "Sizes",
    "check_features",
    "check_information",
    "check_probe",
    "resident",
]

_LEVELS = 16  # of grey in a digit
_STEPS = 200  # of each network of an estimate; enough for a normal distribution (rule of thumb)
_PROBE_STEPS = 500  # of the perceptron; enough for digits (rule of thumb)


@dataclass(frozen=True)
class Sizes:
    """How large everything is: as it is meant, or small enough for a test.

    Parameters
    ----------
    rows : int
        Samples of each kind in the checks.
    images : int
        Images in the measurements of speed.
    rounds : int
        Epochs that are timed, after one that is not.
    units : int
        Width of the critics in the paper's recipe.
    width : int
        Channels of the first stage of the residual network.
    batch : int
        Images in a batch of that network.
    probe_steps : int
        Steps of the perceptrons at most.
    """

    rows: int = 1000
    images: int = 12_800
    rounds: int = 3
    units: int = 2048
    width: int = 64
    batch: int = 512
    probe_steps: int = 10_000


TINY = Sizes(rows=100, images=128, rounds=1, units=8, width=2, batch=32, probe_steps=20)


@dataclass(frozen=True)
class Setting:
    """What all parts share: device, sizes, data, seed, seconds of a fit and the choices made."""

    device: str
    sizes: Sizes
    split: Split | None
    seed: int
    seconds: float
    choice: tuple[str, ...]

    @property
    def data(self) -> Split:
        """Images and labels."""
        if self.split is None:
            raise ValueError("This part needs images: give --data, or --folder for CIFAR-10.")
        return self.split

    def synchronise(self) -> None:
        """Wait until the card has done what it was told."""
        if self.device == "cuda":
            torch.cuda.synchronize()


def samples_of(kind: str, rows: int) -> np.ndarray:
    """Digits as images, series or a table."""
    images = load_digits().images[:rows].astype(np.float32)
    shapes = {"image": (8, 8), "series": (2, 32), "table": (64,)}
    return images.reshape(len(images), *shapes[kind])


@contextmanager
def full_float32() -> Iterator[None]:
    """Products of float32 in float32: not in TF32, which keeps ten bits of the mantissa."""
    convolutions, products = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = convolutions
        torch.set_float32_matmul_precision(products)


def resident(model: DeepInfoMaxTransformer, X: np.ndarray) -> ResidentData:
    """Samples as the net of a fitted model trains on them, on its device."""
    samples = Scaling(model.layout_).update(X).apply(X)
    return ResidentData(samples.to(model.net_.device))


def largest(first: np.ndarray, second: np.ndarray) -> float:
    """Largest difference, in standard deviations of the first."""
    return float(np.abs(first - second).max() / first.std())


def check_features(kind: str, setting: Setting) -> dict:
    """A default fit: the same state on the CPU, a second fit, and where the device is waited for.

    Differences are the largest ones, in standard deviations of the features.
    """
    X = samples_of(kind, setting.sizes.rows)
    model, again = (
        DeepInfoMaxTransformer(
            encoder=kind, max_epochs=2, device=setting.device, random_state=setting.seed
        ).fit(X)
        for _ in range(2)
    )
    loaded = on_cpu(model)
    here, there, second = (m.transform(X) for m in (model, loaded, again))
    with full_float32():
        exact = model.transform(X)
    return {
        "parameters_on": str(next(model.net_.module_.parameters()).device),
        "card_against_cpu": largest(there, here),
        "card_against_cpu_without_tf32": largest(there, exact),
        "two_fits_equal": bool(np.array_equal(here, second)),
        "two_fits_differ_by": largest(here, second),
        "score": [model.score(X), loaded.score(X)],
        "waits": waits_of(model, X),
    }


def on_cpu(model: DeepInfoMaxTransformer) -> DeepInfoMaxTransformer:
    """The same state, saved and loaded on the CPU."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model.save(path)
        return DeepInfoMaxTransformer.load(path, device="cpu")


@contextmanager
def noted_waits() -> Iterator[list]:
    """Collect torch's warnings of waits for the card, where there is one."""
    card = torch.cuda.is_available()
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        if card:
            torch.cuda.set_sync_debug_mode("warn")
        try:
            yield found
        finally:
            if card:
                torch.cuda.set_sync_debug_mode("default")


def waits_of(model: DeepInfoMaxTransformer, X: np.ndarray) -> dict:
    """How often the device is waited for in one epoch, for each line of the package."""
    net, data = model.net_, resident(model, X)
    plan = Plan(1, net.plan_.batch_size)
    with noted_waits() as found:
        net.train(data, None, plan)
    lines = Counter(
        f"{Path(w.filename).name}:{w.lineno}" for w in found if "called a sync" in str(w.message)
    )
    return {"steps": len(batch_sizes(len(X), plan.batch_size)), "lines": dict(lines)}


def check_information(setting: Setting) -> dict:
    """An estimate on the device and one on the CPU, beside the truth."""
    task = multinormal_dense(3, 3)
    X, Y = task.sample(3 * setting.sizes.rows, random_state=setting.seed)
    found: dict[str, Any] = {"truth": task.mutual_information}
    for name in dict.fromkeys((setting.device, "cpu")):
        start = time.perf_counter()
        estimator = MutualInfoEstimator(device=name, random_state=setting.seed, max_steps=_STEPS)
        estimator.fit(X, Y)
        found[name] = {
            "nats": estimator.mutual_info_,
            "standard_error": estimator.standard_error_,
            "seconds": round(time.perf_counter() - start, 2),
        }
    return found


def check_probe(setting: Setting) -> dict:
    """Accuracy of the perceptron on digits, on the device and on the CPU."""
    X, y = load_digits(return_X_y=True)
    rows, found = setting.sizes.rows, {}
    for name in dict.fromkeys((setting.device, "cpu")):
        probe = PerceptronClassifier(max_steps=_PROBE_STEPS, device=name, random_state=setting.seed)
        probe.fit(X[:rows] / _LEVELS, y[:rows])
        found[name] = probe.score(X[rows:] / _LEVELS, y[rows:])
    return found
