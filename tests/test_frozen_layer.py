"""What a frozen first layer says of samples is made once, whatever training makes of it."""

import numpy as np
import pytest
import torch

from sk_infomax import DeepInfoMaxTransformer, PatternEncoder, _fitted
from sk_infomax.encoders._series_stem import SeriesStem

SMALL = PatternEncoder(n_filters=3, width=8)


def waves(n=40, channels=1, length=24):
    return np.random.RandomState(0).normal(size=(n, channels, length)).cumsum(2).astype(np.float32)


def model(**settings):
    settings = {"encoder": SMALL, "n_components": 8, "max_epochs": 3, "batch_size": 16} | settings
    return DeepInfoMaxTransformer(random_state=0, device="cpu", **settings)


def passes(monkeypatch, **settings):
    """How often each series was coded by the steps of a fit; the look at its end left out."""
    seen = []
    prepare = _fitted.FittedFeatures.prepare
    forward = SeriesStem.forward

    def prepared(self, rows):
        found = prepare(self, rows)
        seen.clear()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(_fitted.FittedFeatures, "prepare", prepared)
        looked = torch.zeros(2, 8)
        patch.setattr(_fitted.FittedFeatures, "_vectors", lambda self, rows: looked)
        patch.setattr(SeriesStem, "forward", lambda s, x: seen.append(len(x)) or forward(s, x))
        model(**settings).fit(waves())
    return sum(seen) / 40


def test_steps_ask_once_where_samples_get_to_the_layer_unchanged(monkeypatch):
    assert passes(monkeypatch) == 1
    assert passes(monkeypatch, max_epochs=20) == 1
    assert passes(monkeypatch, early_stopping=True, validation_fraction=0.3) == 1
    assert passes(monkeypatch, prior="uniform", coordinates="absolute") == 1


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"augmentation": "series"}, 3),
        ({"views": 2}, 6),
        ({"max_time": 1000.0}, 3),
        ({"encoder": SMALL, "context": "cpc"}, 3),
    ],
)
def test_each_step_asks_anew_where_samples_change(monkeypatch, settings, expected):
    assert passes(monkeypatch, **settings) == expected


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"early_stopping": True, "validation_fraction": 0.3},
        {"prior": "uniform", "coordinates": "absolute", "global_weight": 1.0},
        {"encoder": "table"},
    ],
)
def test_features_are_those_of_steps_that_ask_each_time(monkeypatch, settings):
    X = waves()[:, 0] if "encoder" in settings else waves()
    once = model(**settings).fit(X)
    monkeypatch.setattr(_fitted, "coded", lambda data, layer: data)
    each = model(**settings).fit(X)
    for name in ("train_loss", "valid_loss")[: 1 + ("early_stopping" in settings)]:
        np.testing.assert_allclose(
            once.history_[:, name], each.history_[:, name], rtol=1e-4, atol=1e-4
        )
    np.testing.assert_allclose(once.transform(X), each.transform(X), atol=2e-3)
    assert once.score(X) == pytest.approx(each.score(X), abs=1e-3)


def test_callbacks_and_further_passes_work_on_what_was_made_once():
    X, started = waves(), model()
    started.partial_fit(X).partial_fit(X)
    assert len(started.history_) == 2
    warm = model(warm_start=True).fit(X).fit(X)
    assert len(warm.history_) == 6
    assert np.isfinite(warm.transform(X)).all()
