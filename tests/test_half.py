"""float16 and bfloat16: float32 inside, and the features of the same values in float32."""

import numpy as np
import pandas as pd
import pytest
import torch

from sk_infomax import DeepInfoMaxTransformer

SHAPES = {"table": (5,), "series": (2, 12), "image": (8, 8), "strided": (3, 8, 8)}
CONTAINERS = {
    "array": lambda X: X,
    "tensor": torch.from_numpy,
    "bfloat16": lambda X: torch.from_numpy(X.astype(np.float32)).bfloat16(),
}


def samples(shape, n=40):
    """Whole numbers, which bfloat16 holds too."""
    return np.random.RandomState(0).randint(-100, 100, (n, *shape)).astype(np.float16)


def fitted(X, encoder):
    return DeepInfoMaxTransformer(6, encoder=encoder, max_epochs=1, random_state=0).fit(X)


CASES = [("array", encoder) for encoder in SHAPES]
CASES += [(container, "strided") for container in ("tensor", "bfloat16")] + [("bfloat16", "series")]


@pytest.mark.parametrize(("container", "encoder"), CASES)
def test_half_precision_is_bitwise_as_float32(container, encoder):
    X = samples(SHAPES[encoder])
    half, single = CONTAINERS[container](X), X.astype(np.float32)
    ours, other = fitted(half, encoder), fitted(single, encoder)
    assert ours.transform(half).dtype == np.float32
    np.testing.assert_array_equal(ours.transform(half), other.transform(single))
    assert ours.score(half) == other.score(single)


@pytest.mark.parametrize("encoder", ["table", "strided"])
def test_values_that_are_rounded_to_half_give_nearly_the_same_features(encoder):
    X = np.random.RandomState(0).normal(size=(40, *SHAPES[encoder])).astype(np.float32)
    dim = fitted(X, encoder)
    expected = dim.transform(X)
    found = dim.transform(X.astype(np.float16))
    assert np.abs(found - expected).max() < 20 * np.finfo(np.float16).eps * np.abs(expected).max()


def test_frames_of_half_precision():
    frame = pd.DataFrame(samples((5,)))
    dim, single = fitted(frame, "auto"), frame.astype(np.float32)
    assert dim.transform(frame).dtype == np.float32
    np.testing.assert_array_equal(dim.transform(frame), fitted(single, "auto").transform(single))


@pytest.mark.parametrize("of", [np.asarray, torch.from_numpy, lambda X: torch.tensor(X).bfloat16()])
def test_series_of_several_lengths_in_half_precision(of):
    X = samples((2, 12))
    series = [of(one[:, : 12 - row % 3]) for row, one in enumerate(X)]
    single = [one[:, : 12 - row % 3].astype(np.float32) for row, one in enumerate(X)]
    found = fitted(series, "series").transform(series)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, fitted(single, "series").transform(single))
