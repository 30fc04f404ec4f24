"""What features tell about samples and labels: closed forms, and what must not change them."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import FunctionTransformer

from sk_infomax.evaluation import information_plane, mine
from sk_infomax.evaluation._information import _channel_bounds
from sk_infomax.priors import NoisePrior


@pytest.fixture(scope="module")
def normal():
    return np.random.RandomState(1).normal(size=(1200, 3))


def noisy_copy(noise):
    rng = np.random.RandomState(2)
    return FunctionTransformer(lambda X: X + noise * rng.normal(size=X.shape))


# MINE -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_mine_of_noisy_features_is_near_the_truth(normal):
    truth = 1.5 * np.log1p(1 / 1.0**2)
    assert mine(noisy_copy(1.0), normal, max_steps=150) == pytest.approx(truth, abs=0.2)


def test_mine_of_noise_alone_and_of_constants(normal):
    alone = FunctionTransformer(lambda X: np.random.RandomState(3).normal(size=X.shape))
    assert mine(alone, normal, max_steps=30) < 0.05
    assert mine(FunctionTransformer(np.ones_like), normal) == 0.0


def test_mine_grows_with_what_features_keep():
    X = np.random.RandomState(0).normal(size=(400, 8))
    kept = [mine(FunctionTransformer(lambda X, k=k: X[:, :k]), X, max_steps=80) for k in (1, 4)]
    assert kept[1] > kept[0] + 1


def test_mine_does_not_change_with_the_scale_of_features(normal):
    curved = FunctionTransformer(lambda X: np.exp(3 * X))
    assert mine(curved, normal, max_steps=20) == mine(None, normal, max_steps=20)


def test_mine_projects_wide_sides():
    """Of 200 columns the two that carry all the spread are what the critic sees."""
    rng = np.random.RandomState(0)
    core = rng.normal(size=(400, 2))
    wide = core @ np.linalg.qr(rng.normal(size=(200, 2)))[0].T
    narrow = PCA(2, svd_solver="full").fit_transform(wide)
    whole = mine(FunctionTransformer(lambda X: core), wide, n_components=2, max_steps=70)
    known = mine(FunctionTransformer(lambda X: core), narrow, max_steps=70)
    assert whole == pytest.approx(known, rel=0.2)
    assert whole > 1


@pytest.mark.slow
def test_mine_chooses_in_a_grid_search():
    X = np.random.RandomState(0).normal(size=(400, 6)) * [6, 5, 4, 3, 2, 1]
    search = GridSearchCV(
        PCA(),
        {"n_components": [1, 3]},
        scoring=lambda *case: mine(*case, max_steps=60),
        cv=2,
        error_score="raise",
    )
    assert search.fit(X).best_params_ == {"n_components": 3}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"critic": "dott"}, "critic='dott' is unknown: did you mean 'dot'"),
        ({"n_components": 0}, "'n_components' parameter of mine .* Got 0"),
        ({"max_steps": 0}, "'max_steps' parameter of mine .* Got 0"),
        ({"device": "abacus"}, "device='abacus' is not a device"),
    ],
)
def test_bad_settings_of_mine(settings, message, normal):
    with pytest.raises(ValueError, match=message):
        mine(None, normal, **settings)


def test_mine_of_few_samples(normal):
    with pytest.raises(ValueError, match="20 samples or more; got n_samples = 19"):
        mine(None, normal[:19])


# The information plane --------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.3, 1.0])
def test_linear_map_of_normal_samples_has_a_closed_form(noise, normal):
    """1/2 log det(I + R / noise**2), with R the correlations of the features."""
    A = np.array([[1, 0.8], [0, 0.6], [0, 0]])
    labels = (normal[:, 0] > 0).astype(int)
    plane = information_plane(
        FunctionTransformer(lambda X: 5 * X @ A), normal, labels, noise, max_steps=20
    )
    truth = 0.5 * np.linalg.slogdet(np.eye(2) + np.array([[1, 0.8], [0.8, 1]]) / noise**2)[1]
    assert plane.x == pytest.approx(truth, abs=0.08)
    assert plane.x_bounds[0] <= plane.x <= plane.x_bounds[1] <= plane.capacity
    assert plane.capacity == NoisePrior(noise=noise).capacity(2)
    assert plane.y_interval[0] <= plane.y <= min(np.log(2) + 0.05, plane.x)


def test_one_normal_feature_meets_the_capacity(normal):
    first = FunctionTransformer(lambda X: X[:, :1] - 7)
    plane = information_plane(first, normal, normal[:, 0] > 0, 0.5, max_steps=2)
    assert plane.x == pytest.approx(NoisePrior(noise=0.5).capacity(1), abs=0.06)


def test_information_of_labels_is_that_of_a_noisy_sign():
    """A sign under noise of its own size: 0.337 nats, by numerical integration."""
    rng = np.random.RandomState(0)
    labels = rng.randint(2, size=1500)
    signs = (2.0 * labels - 1)[:, None]
    plane = information_plane(None, signs, labels, 1.0, max_steps=30)
    grid = np.linspace(-9, 9, 20001)
    both = [np.exp(-0.5 * (grid - s) ** 2) / np.sqrt(2 * np.pi) for s in (-1, 1)]
    mean = 0.5 * (both[0] + both[1])
    truth = np.trapezoid(-mean * np.log(mean), grid) - 0.5 * np.log(2 * np.pi * np.e)
    assert truth == pytest.approx(0.337, abs=1e-3)
    assert plane.y == pytest.approx(truth, abs=0.05)
    assert plane.x == pytest.approx(truth, abs=0.05)


def test_channel_bounds_are_the_loops():
    rng = np.random.RandomState(0)
    Z = rng.normal(size=(30, 2))
    Z = (Z - Z.mean(0)) / Z.std(0)
    noisy = Z + 0.4 * rng.normal(size=Z.shape)

    def density(a, b):
        return np.exp(-((a - b) ** 2).sum() / (2 * 0.4**2))

    lower, upper = [], []
    for i in range(30):
        values = [density(noisy[i], Z[j]) for j in range(30)]
        others = np.mean(values[:i] + values[i + 1 :])
        lower.append(np.log(values[i] / np.mean(values)))
        upper.append(np.log(values[i] / others))
    normal = 0.5 * np.linalg.slogdet(np.eye(2) + np.corrcoef(Z.T) / 0.4**2)[1]
    assert _channel_bounds(Z, noisy, 0.4) == pytest.approx(
        (np.mean(lower), min(np.mean(upper), normal))
    )


def test_lower_bound_ends_at_log_n_and_the_upper_one_at_the_normal_information():
    Z = np.random.RandomState(1).normal(size=(100, 30))
    plane = information_plane(None, Z, Z[:, 0], noise=0.1, max_steps=2)
    assert plane.x_bounds[0] == pytest.approx(np.log(100))
    assert 60 < plane.x_bounds[1] < plane.capacity
    assert plane.x == np.mean(plane.x_bounds)


def test_noise_is_not_that_of_samples_with_the_same_seed():
    """Samples drawn from the seed that the noise is drawn with must not meet themselves."""
    X = np.random.RandomState(0).normal(size=(1000, 1))
    plane = information_plane(None, X, X[:, 0] > 0, noise=1.0, max_steps=2, random_state=0)
    assert plane.x == pytest.approx(NoisePrior(noise=1.0).capacity(1), abs=0.06)


def test_collapsed_features_lie_at_the_origin(normal):
    plane = information_plane(FunctionTransformer(np.ones_like), normal, normal[:, 0] > 0)
    assert plane == (0.0, 0.0, (0.0, 0.0), (0.0, 0.0), 0.0)


def test_bad_input_of_the_plane(normal):
    with pytest.raises(ValueError, match=r"'noise' parameter .* Got 0"):
        information_plane(None, normal, normal[:, 0], noise=0)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        information_plane(None, normal, normal[:-1, 0])
