"""scikit-learn's own checks, for the defaults and every member of every registry."""

import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_estimators_partial_fit_n_features,
    check_global_output_transform_pandas,
    check_global_set_output_transform_polars,
    check_param_validation,
    check_set_output_transform,
    check_set_output_transform_pandas,
    check_set_output_transform_polars,
    check_transformer_get_feature_names_out,
    check_transformer_get_feature_names_out_pandas,
    parametrize_with_checks,
)
from torch import nn

from sk_infomax import DeepInfoMaxTransformer, ImageViews, TorchEncoder
from sk_infomax._coordinates import COORDINATES
from sk_infomax.bounds import BOUNDS
from sk_infomax.contexts import CONTEXTS
from sk_infomax.critics import CRITICS, DotCritic
from sk_infomax.encoders import ENCODERS
from sk_infomax.priors import PRIORS
from sk_infomax.views import VIEWS


class AnyTable(nn.Module):
    """A network for tables of any width, as a user might bring it."""

    def __init__(self):
        super().__init__()
        self.inner = nn.LazyLinear(12)
        self.outer = nn.Linear(12, 4)

    def forward(self, x):
        return self.outer(self.inner(x).relu())


def fast(**settings):
    return DeepInfoMaxTransformer(**({"n_components": 8, "max_epochs": 2} | settings))


def strided(**settings):
    """`fast` with the small network for images."""
    return fast(**({"encoder": "strided", "random_state": 0} | settings))


def n_weights(model):
    return sum(weight.numel() for weight in model.net_.module_.parameters())


def each_once(**choices):
    """Settings in which each value of each parameter occurs, as few as there are values of one."""
    rounds = max(map(len, choices.values()))
    return [
        {name: values[i % len(values)] for name, values in choices.items()} for i in range(rounds)
    ]


TABLE_ENCODERS = [name for name, cls in ENCODERS.items() if cls.kind != "image"]
# scikit-learn's checks hand over tables, which "series" reads as series of one channel; members
# that read images only have their own data below. Each member goes through all checks once, beside
# others: what a check asks of an estimator hangs on no pair of them.
MEMBERS = each_once(
    encoder=[*TABLE_ENCODERS[:2], TorchEncoder(AnyTable, "inner"), *TABLE_ENCODERS[2:]],
    critic=list(CRITICS),
    bound=list(BOUNDS),
    prior=[*PRIORS, None],
    context=[*CONTEXTS, None],
    coordinates=[*list(COORDINATES)[:2], None, *list(COORDINATES)[2:]],
    occlusion=[0.5, None],
    views=[2, 1],
    output=["embedding", "hidden", "feature_map"],
    optimizer=["adamw", "adam", "sgd", "rmsprop"],
    early_stopping=[False, True],
)


@parametrize_with_checks([fast(**MEMBERS[0])])
def test_scikit_learn_check(estimator, check):
    check(estimator)


@pytest.mark.nightly
@parametrize_with_checks([fast(), *(fast(**settings) for settings in MEMBERS[1:])])
def test_scikit_learn_check_of_other_members(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([DeepInfoMaxTransformer()])
def test_scikit_learn_check_as_it_comes(estimator, check):
    """The defaults."""
    check(estimator)


@pytest.mark.parametrize(
    "check",
    [
        check_dataframe_column_names_consistency,
        check_estimators_partial_fit_n_features,
        check_global_output_transform_pandas,
        pytest.param(check_global_set_output_transform_polars, marks=pytest.mark.nightly),
        check_param_validation,
        check_set_output_transform,
        check_set_output_transform_pandas,
        pytest.param(check_set_output_transform_polars, marks=pytest.mark.nightly),
        check_transformer_get_feature_names_out,
        check_transformer_get_feature_names_out_pandas,
    ],
    ids=lambda check: check.__name__,
)
def test_checks_that_the_suite_leaves_out(check):
    check("DeepInfoMaxTransformer", fast())


IMAGE_MEMBERS = [
    *(
        pytest.param({"encoder": name}, marks=pytest.mark.nightly if name == "alex64x64" else [])
        for name, cls in ENCODERS.items()
        if cls.kind == "image"
    ),
    *({"bound": name} for name in BOUNDS),
    *({"critic": name} for name in CRITICS),
    *({"prior": name} for name in PRIORS),
    *({"augmentation": name} for name in VIEWS if name in ("image", "occlusion")),
    *({"coordinates": kind, "occlusion": 0.5} for kind in COORDINATES),
    *({"context": name} for name in CONTEXTS),
    {"context": "blocks", "coordinates": "both", "prior": "sphere", "global_weight": 0.5},
]


# Of networks whose width is a setting, small ones; crops that digits have room for.
NARROW = {
    "foldalex64x64": {"encoder__width": 2, "encoder__hidden": 8, "encoder__crop": 15},
    "resnet": {"encoder__width": 2},
    "foldresnet32x32": {"encoder__width": 2, "encoder__hidden": 8},
}


@pytest.mark.parametrize("settings", IMAGE_MEMBERS, ids=str)
def test_members_on_images(settings, digits):
    images = digits[0][:60]
    if "64x64" in settings.get("encoder", ""):
        images = np.kron(images, np.ones((1, 2, 2), np.float32))
    model = strided(**settings).set_params(**NARROW.get(settings.get("encoder"), {})).fit(images)
    features = model.transform(images)
    assert features.shape == (60, len(model.get_feature_names_out()))
    assert np.isfinite(features).all()
    assert np.isfinite(model.score(images))
    np.testing.assert_array_equal(clone(model).fit(images).transform(images), features)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).transform(images), features)


@pytest.mark.slow
def test_pipeline_as_on_the_card():
    X, y = load_digits(return_X_y=True)
    line = Pipeline([("dim", DeepInfoMaxTransformer(random_state=0)), ("svm", LinearSVC())])
    assert line.fit(X[:500], y[:500]).score(X[500:], y[500:]) > 0.85


def test_pipeline_with_a_scaler_in_front_and_sample_shape():
    X, y = load_digits(return_X_y=True)
    X, y = X[:400].astype(np.float32), y[:400]
    dim = DeepInfoMaxTransformer(sample_shape=(8, 8), max_epochs=2, random_state=0)
    line = make_pipeline(StandardScaler(), dim, LinearSVC(C=0.01))
    assert line.fit(X[:300], y[:300]).score(X[300:], y[300:]) > 0.8
    assert dim.layout_.kind == "image"


@pytest.mark.slow
def test_grid_search_over_nested_parameters(digits):
    images, labels = digits
    line = Pipeline(
        [
            (
                "dim",
                fast(
                    encoder="strided", critic=DotCritic(), augmentation=ImageViews(), random_state=0
                ),
            ),
            ("svm", LinearSVC(C=0.01)),
        ]
    )
    grid = {
        "dim__n_components": [4, 16],
        "dim__critic__units": [8],
        "dim__augmentation__flip": [False, True],
        "dim__bound": ["jsd"],
    }
    search = GridSearchCV(line, grid, cv=2).fit(images, labels)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = search.best_estimator_["dim"]
    assert best.get_params()["critic__units"] == 8
    wide = strided(n_components=best.n_components).fit(images)
    assert n_weights(best) < n_weights(wide)
    assert best.transform(images).shape[1] == search.best_params_["dim__n_components"]


@pytest.mark.nightly
def test_grid_search_by_its_own_score(digits):
    search = GridSearchCV(strided(), {"max_epochs": [1, 8]}, cv=2).fit(digits[0])
    assert search.best_params_ == {"max_epochs": 8}


@pytest.mark.slow
def test_joblib_runs_fits_in_processes(digits):
    images = digits[0][:80]
    jobs = [joblib.delayed(strided(random_state=seed).fit)(images) for seed in (0, 1)]
    models = joblib.Parallel(n_jobs=2)(jobs)
    for seed, model in enumerate(models):
        here = strided(random_state=seed).fit(images)
        np.testing.assert_allclose(model.transform(images), here.transform(images), atol=1e-4)


def test_set_output_names_the_columns(digits):
    model = (
        fast(n_components=3, output="embedding").set_output(transform="pandas").fit(digits[0][:40])
    )
    frame = model.transform(digits[0][:5])
    assert list(frame.columns) == [f"deepinfomaxtransformer{i}" for i in range(3)]
