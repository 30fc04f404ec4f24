"""Shared fixtures; one torch thread a worker, which is fastest for networks this small."""

import builtins
import os

# Before torch and numpy are imported: their pools of threads are made once. Processes that joblib
# starts read it too.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import hypothesis
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

torch.set_num_threads(1)
pytest.register_assert_rewrite("command_line")

# Drawn cases of a property: the same in each run, few by default. A long run has
# SK_INFOMAX_CASES=2000 in its environment.
hypothesis.settings.register_profile(
    "drawn",
    max_examples=int(os.environ.get("SK_INFOMAX_CASES", "5")),
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
hypothesis.settings.load_profile("drawn")


def pytest_configure(config):
    """Fits of tests are short on purpose; what they are told is tested in test_exceptions.py."""
    config.addinivalue_line("filterwarnings", "ignore::sk_infomax.exceptions.TrainingWarning")


@pytest.fixture(scope="session")
def digits():
    """Images (n, 8, 8) in float32 and labels of the first 300 digits."""
    images, labels = load_digits(return_X_y=True)
    return images[:300].reshape(-1, 8, 8).astype(np.float32), labels[:300]


@pytest.fixture(scope="session")
def series():
    """Noisy sines and sawtooths (n, 2, 40) in float32, and which they are."""
    rng = np.random.RandomState(0)
    time, phase = np.linspace(0, 4 * np.pi, 40), rng.uniform(0, 2 * np.pi, (120, 1))
    labels = rng.randint(0, 2, 120)
    saw = ((time + phase) % (2 * np.pi)) / np.pi - 1
    first = np.where(labels[:, None] == 1, np.sin(time + phase), saw)
    both = np.stack([first, rng.normal(size=first.shape)], axis=1)
    return (both + 0.1 * rng.normal(size=both.shape)).astype(np.float32), labels


@pytest.fixture
def without_pillow(monkeypatch):
    """From here on Pillow can't be imported."""
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "PIL":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
