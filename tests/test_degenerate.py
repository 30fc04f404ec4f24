"""Data that say little or lie far out: finite features, or one error that names the remedy."""

import re
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sk_infomax import DeepInfoMaxTransformer, KernelEncoder, PatchEncoder, PatternEncoder

ENCODERS = {
    "image": lambda: PatchEncoder(6, width=3, n_channels=4),
    "series": PatternEncoder,
    "table": KernelEncoder,
}
SHAPES = {
    "image": [(2, 2, 1), (8, 9, 3), (12, 12, 12), (3, 40, 2)],
    "series": [(1, 3), (2, 20)],
    "table": [(1,), (6,)],
}
REMEDY = r"(Divide|Multiply) it by a constant"


def model_of(kind):
    return DeepInfoMaxTransformer(
        3,
        encoder=ENCODERS[kind](),
        max_epochs=1,
        batch_size=16,
        channels="last" if kind == "image" else "auto",
        random_state=0,
    )


def blank(X, draw):
    """All but a few samples are the same."""
    X[draw(st.integers(0, len(X))) :] = draw(st.sampled_from([0.0, 1.0, -3.5]))


def repeated(X, draw):
    """One or two samples, again and again."""
    X[:] = X[np.arange(len(X)) % draw(st.integers(1, 2))]


def constant_places(X, draw):
    """Some places, of all channels, never change."""
    flat = X.reshape(len(X), -1)
    flat[:, : draw(st.integers(0, flat.shape[1]))] = draw(st.sampled_from([0.0, 1e6]))


def dead_channel(X, draw):
    X[..., 0] = draw(st.sampled_from([0.0, 7.0]))


def few_values(X, draw):
    X[:] = np.round(X * draw(st.sampled_from([0.2, 1.0])))


def outlier(X, draw):
    X.flat[draw(st.integers(0, X.size - 1))] = draw(st.sampled_from([1e6, 1e19, 1e30, 1e200]))


def nothing(X, draw):
    """Numbers as they are."""


@st.composite
def degenerate(draw, kind):
    """Samples that were spoilt twice, scaled and shifted."""
    n, shape = draw(st.sampled_from([2, 3, 17])), draw(st.sampled_from(SHAPES[kind]))
    X = np.random.RandomState(draw(st.integers(0, 9))).normal(size=(n, *shape))
    spoilers = [blank, repeated, constant_places, dead_channel, few_values, outlier, nothing]
    for spoil in draw(st.lists(st.sampled_from(spoilers), min_size=2, max_size=2)):
        spoil(X, draw)
    scales = st.sampled_from([1.0, 1.0, 1e19, 1e-30, 1e-170, 1e160])
    X = np.clip(X, -1e100, 1e100) * draw(scales) + draw(st.sampled_from([0.0, 0.0, 1e6]))
    if draw(st.booleans()) and np.abs(X).max() < np.finfo(np.float32).max:
        return X.astype(np.float32)
    return X


def features_or_refusal(kind, X):
    """Features, or nothing where there is one error that names column or channel and remedy."""
    try:
        return model_of(kind).fit_transform(X)
    except ValueError as error:
        if re.search(f"(Column|Channel) [0-9]+ of X .* {REMEDY}", str(error)) is None:
            raise
    return np.empty(0)


@pytest.mark.parametrize("kind", ENCODERS)
def test_degenerate_samples_have_finite_features_or_one_error(kind):
    @given(degenerate(kind))
    def check(X):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            assert np.isfinite(features_or_refusal(kind, X)).all()

    check()


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("scale", [1e160, 1e300, 1e-170, 1e-300])
def test_scales_without_a_variance_are_refused(kind, scale):
    X = np.random.RandomState(0).normal(size=(5, *SHAPES[kind][1]))
    with pytest.raises(ValueError, match=f"(Column|Channel) 0 of X .* {REMEDY}"):
        model_of(kind).fit(X * scale)


def test_the_channel_that_is_too_large_is_named():
    X = np.random.RandomState(0).normal(size=(5, 8, 8, 12))
    X[2, 3, 4, 7] = 1e200
    with pytest.raises(ValueError, match=r"Channel 7 of X .* up to 1e\+200"):
        model_of("image").fit(X)


@pytest.mark.parametrize("scale", [1e19, 1e30])
def test_single_precision_of_any_size_is_as_good(scale):
    X = np.random.RandomState(0).rand(20, 8, 8, 1).astype(np.float32)
    # Directions may turn by rounding; what they say of how alike two images are does not.
    expected, found = (
        model_of("image").set_params(output="hidden").fit_transform(X * np.float32(factor))
        for factor in (1, scale)
    )
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, rtol=1e-2, atol=1e-2)


def test_images_far_from_those_of_fit_are_refused_by_row():
    X = np.random.RandomState(0).rand(20, 8, 8, 3).astype(np.float32)
    model = model_of("image").fit(X)
    far = X.copy()
    far[13, 2, 3, 1] = 1e30
    with pytest.raises(ValueError, match=r"Row 13 of X .* channel 1, lies .*e\+30 .* clip"):
        model.transform(far)


@pytest.mark.parametrize(("encoder", "bounded"), [("table", True), ("perceptron", False)])
def test_a_scale_that_single_precision_does_not_hold(encoder, bounded):
    """A fit in double precision, and samples in single: none is divided by 0."""
    X = 1e-60 * np.random.RandomState(0).normal(size=(20, 3))
    model = DeepInfoMaxTransformer(4, encoder=encoder, max_epochs=1, random_state=0).fit(X)
    with np.errstate(all="raise", under="ignore"):
        assert np.isfinite(model.transform(np.zeros((2, 3), np.float32))).all()
        far = np.ones((2, 3), np.float32)
        if bounded:
            assert np.isfinite(model.transform(far)).all()
        else:
            with pytest.raises(ValueError, match="Row 0 of X"):
                model.transform(far)


@pytest.mark.parametrize("n_told", [0, 1, 3])
def test_blank_images_but_a_few(n_told):
    X = np.zeros((200, 12, 12, 3), np.uint8)
    X[:n_told] = np.random.RandomState(0).randint(0, 256, (n_told, 12, 12, 3))
    assert np.isfinite(model_of("image").fit_transform(X)).all()
