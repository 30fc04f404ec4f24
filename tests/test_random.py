"""Randomness of our own: seeds, threads, and the global generators left alone."""

import threading

import numpy as np
import torch
from torch import nn

from benchmarks import threads
from sk_infomax import DeepInfoMaxTransformer, MutualInfoEstimator, TorchEncoder
from sk_infomax._random import new_generator, own_draws, private_rng


def table():
    return np.random.RandomState(0).normal(size=(48, 6)).astype(np.float32)


def dropout_net():
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 8))


def fast(encoder="auto", seed=0, **settings):
    return DeepInfoMaxTransformer(
        8, encoder=encoder, max_epochs=3, batch_size=16, random_state=seed, **settings
    )


def with_dropout(seed=0):
    torch.manual_seed(1)
    return fast(TorchEncoder(dropout_net(), "1"), seed)


def test_private_rng_restores_and_seeds():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with private_rng(3, torch.device("cpu")):
        first = torch.rand(2)
    assert torch.equal(before, torch.get_rng_state())
    with private_rng(3, torch.device("cpu")):
        assert torch.equal(first, torch.rand(2))
    assert torch.equal(
        torch.rand(2, generator=new_generator(7)), torch.rand(2, generator=new_generator(7))
    )


def test_fits_with_one_seed_are_bitwise_equal_and_with_another_differ():
    for make in (
        lambda seed: fast(seed=seed),
        lambda seed: fast(seed=seed, prior="normal", views=2),
        with_dropout,
    ):
        first, again, other = (make(seed).fit(table()).transform(table()) for seed in (0, 0, 1))
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)


def test_random_state_instances_move_on():
    rng = np.random.RandomState(0)
    first, second = (fast(seed=rng).fit(table()).transform(table()) for _ in range(2))
    assert not np.array_equal(first, second)


def test_global_generators_are_neither_read_nor_moved():
    states = np.random.get_state()[1].copy(), torch.get_rng_state()
    model = fast(views=2, prior="uniform").fit(table())
    model.partial_fit(table()).transform(table())
    model.score(table())
    with_dropout_model = fast(TorchEncoder(dropout_net, "1"))
    after_build = torch.get_rng_state()
    with_dropout_model.fit(table())
    np.testing.assert_array_equal(states[0], np.random.get_state()[1])
    assert torch.equal(states[1], after_build)
    assert torch.equal(after_build, torch.get_rng_state())


def test_two_threads_that_fit_at_once_do_not_disturb_each_other():
    for make in (fast, with_dropout):
        models = [make(seed=seed) for seed in (0, 1, 2, 3)]
        expected = [make(seed=seed).fit(table()).transform(table()) for seed in (0, 1, 2, 3)]
        threads = [threading.Thread(target=model.fit, args=(table(),)) for model in models]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for model, features in zip(models, expected):
            np.testing.assert_array_equal(model.transform(table()), features)


def draws():
    module = nn.Sequential(nn.Linear(3, 4), nn.Conv1d(2, 3, 2))
    weights = [parameter.detach() for parameter in module.parameters()]
    random = [torch.randn(3), torch.rand(2), torch.randint(9, (4,)), torch.randint(2, 9, (4,))]
    return [
        *weights,
        *random,
        torch.randperm(7),
        torch.empty(3).normal_(),
        torch.dropout(torch.ones(9), 0.5, True),
    ]


def test_own_draws_are_those_of_the_global_generator_which_they_leave_alone():
    with private_rng(3, torch.device("cpu")):
        expected = draws()
    before = torch.get_rng_state()
    with own_draws(3):
        found = draws()
        assert torch.equal(before, torch.get_rng_state())  # inside too: other threads see it
        own = torch.rand(2, generator=new_generator(7))
    for one, other in zip(found, expected):
        assert torch.equal(one, other)
    assert torch.equal(own, torch.rand(2, generator=new_generator(7)))


def test_fits_leave_the_global_generators_alone_at_every_moment(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the global generator was seeded")

    for name in ("manual_seed", "set_rng_state"):
        monkeypatch.setattr(torch, name, refuse)
    fast(views=2, prior="uniform").fit(table()).score(table())
    MutualInfoEstimator(max_steps=1, cv=2).fit(table()[:, :1], table()[:, 1])


def test_fits_in_threads_beside_a_witness():
    kinds = threads.fits()
    expected = threads.expected_of(kinds)
    with threads.Witness() as witness:
        found = threads.in_threads(kinds, expected, 3, 2)
    assert found["equal"] == found["fits"] == 6
    assert witness.seen
    assert witness.disturbed() == 0
