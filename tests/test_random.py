"""Randomness of our own: seeds, threads, and the global generators left alone."""

import threading

import numpy as np
import torch
from torch import nn

from sk_infomax import DeepInfoMaxTransformer, TorchEncoder
from sk_infomax._random import new_generator, private_rng


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
