"""Samples and parameters of every kind: a sound result, or an error that says what to do."""

import os

import numpy as np
import pytest

from benchmarks import fuzz_inputs
from benchmarks._drawing import draw_parameters, draw_samples, draw_side
from benchmarks._targets import FEATURES, Case, Wrong
from benchmarks.fuzz_inputs import case_of, judge
from sk_infomax import DeepInfoMaxTransformer

CASES = int(os.environ.get("SK_INFOMAX_INPUTS", 80))


def test_drawn_inputs_and_parameters():
    found = fuzz_inputs.run(CASES, seed=4)
    assert not found["faults"]
    kinds = "".join(found["counts"])
    assert ": sound" in kinds
    assert ": refused" in kinds


def test_a_case_is_the_same_again():
    for number in range(40):
        first, second = (case_of(7, number) for _ in range(2))
        assert first[0] == second[0]
        assert first[1].said.partition(" on ")[2] == second[1].said.partition(" on ")[2]


def test_every_target_and_kind_is_drawn():
    rng = np.random.RandomState(0)
    assert {case_of(0, number)[0] for number in range(400)} == set(fuzz_inputs.TARGETS)
    kinds = {type(draw_samples(rng).value).__name__ for _ in range(600)}
    assert {"ndarray", "list", "DataFrame", "Table", "Tensor", "csr_matrix"} <= kinds
    assert {draw_side(rng, 6).n for _ in range(100)} >= {5, 6, 7}
    drawn = [draw_parameters(rng, FEATURES) for _ in range(300)]
    assert {name for one in drawn for name in one} == set(FEATURES)


def raising(error):
    def call():
        raise error

    return call


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda: None, "sound"),
        (raising(KeyError("n")), "KeyError"),
        (raising(Wrong("nan came back")), "wrong"),
        (raising(ValueError("X must be larger")), "not checked"),  # no check of ours raised it
        (lambda: DeepInfoMaxTransformer(lr=-1).fit([[1.0]] * 9), "refused"),
        (lambda: int("X"), "not checked"),
    ],
)
def test_the_judge_sees_faults(call, kind):
    assert judge(Case("", call))[0] == kind
