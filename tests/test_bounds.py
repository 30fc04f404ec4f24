"""Bounds over the registry: loop-written references, an oracle, extremes, half precision."""

import itertools
import math

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from torch.utils._python_dispatch import TorchDispatchMode

from sk_infomax.bounds import (
    BOUNDS,
    SMILE,
    Bound,
    InfoNCE,
    JensenShannon,
    balancing_constant,
    split,
)

MEMBERS = [pytest.param(cls(), id=name) for name, cls in BOUNDS.items()] + [
    pytest.param(InfoNCE(anchor="global"), id="infonce-global")
]


def softplus(x):
    return math.log1p(math.exp(-abs(x))) + max(x, 0.0)


def loop_objective(bound, scores):
    """The objective, recomputed one pair at a time from scores[anchor, other, location]."""
    n, _, m = scores.shape
    joint = [scores[i, i, loc] for i in range(n) for loc in range(m)]
    marginal = [scores[i, j, loc] for i in range(n) for j in range(n) if j != i for loc in range(m)]
    name = next(key for key, cls in BOUNDS.items() if type(bound) is cls)
    mean_joint = sum(joint) / len(joint)
    if name == "dv":
        return mean_joint - math.log(sum(map(math.exp, marginal)) / len(marginal))
    if name in ("jsd", "smile"):
        positive = sum(-softplus(-t) for t in joint) / len(joint)
        return positive - sum(softplus(t) for t in marginal) / len(marginal)
    if name == "nwj":
        return mean_joint + 1 - sum(map(math.exp, marginal)) / len(marginal)
    total = 0.0
    for i in range(n):
        for loc in range(m):
            locations = range(m) if bound.anchor == "global" else [loc]
            others = [scores[i, j, k] for j in range(n) if j != i for k in locations]
            candidates = [scores[i, i, loc], *others]
            total += scores[i, i, loc] - math.log(sum(map(math.exp, candidates)))
    return total / (n * m)


def gaussian_log_ratio(n, correlation, seed):
    """Pairs of correlated normal numbers scored by their true log density ratio: (n, n, 1)."""
    rng = np.random.RandomState(seed)
    x = rng.normal(size=n)
    y = correlation * x + math.sqrt(1 - correlation**2) * rng.normal(size=n)
    a, b, r = x[:, None], y[None, :], correlation
    ratio = -0.5 * math.log(1 - r**2) - (r**2 * (a**2 + b**2) - 2 * r * a * b) / (2 * (1 - r**2))
    return torch.from_numpy(ratio)[:, :, None]


def test_split_takes_the_diagonal_and_the_rest():
    n, m = 5, 3
    scores = torch.arange(n * n * m, dtype=torch.float64).reshape(n, n, m)
    joint, marginal = split(scores)
    assert joint.shape == (n, m)
    assert marginal.shape == (n, n - 1, m)
    for i in range(n):
        assert torch.equal(joint[i], scores[i, i])
        rest = torch.stack([scores[i, j] for j in range(n) if j != i])
        assert torch.equal(marginal[i], rest)


@pytest.mark.parametrize("bound", MEMBERS)
@pytest.mark.parametrize("shape", [(2, 1), (6, 1), (5, 4)])
def test_objective_equals_the_loop(bound, shape):
    n, m = shape
    scores = torch.from_numpy(np.random.RandomState(0).normal(size=(n, n, m)))
    value = bound.objective(*split(scores)).item()
    assert value == pytest.approx(loop_objective(bound, scores.numpy()), abs=1e-12)


@pytest.mark.parametrize("bound", MEMBERS)
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.8])
def test_true_log_ratio_gives_the_true_information(bound, correlation):
    truth = -0.5 * math.log(1 - correlation**2)
    values = [
        bound.nats(*split(gaussian_log_ratio(1500, correlation, seed))).item() for seed in range(3)
    ]
    assert np.mean(values) == pytest.approx(truth, abs=0.03)


@pytest.mark.parametrize("bound", MEMBERS)
@pytest.mark.parametrize("constant", [-2.0, 0.0, 3.0])
def test_constant_critic(bound, constant):
    value = bound.nats(*split(torch.full((7, 7, 2), constant, dtype=torch.float64))).item()
    nwj = constant + 1 - math.exp(constant)
    expected = nwj if isinstance(bound, BOUNDS["nwj"]) else 0.0
    assert value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("bound", MEMBERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_finite_at_extreme_scores(bound, dtype):
    rng = np.random.RandomState(0)
    scores = torch.from_numpy(rng.choice([-1e4, 0.0, 1e4], size=(6, 6, 3))).to(dtype)
    scores.requires_grad_()
    for read in (bound.objective, bound.nats):
        value = read(*split(scores))
        (gradient,) = torch.autograd.grad(value, scores)
        assert value.dtype == torch.float32
        assert torch.isfinite(value)
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("bound", MEMBERS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_under_autocast(bound, dtype):
    rng = np.random.RandomState(0)
    left = torch.from_numpy(rng.normal(size=(8, 16))).float().requires_grad_()
    with torch.autocast("cpu", dtype=dtype):
        scores = (left @ left.detach().T)[:, :, None]
        assert scores.dtype == dtype
        value = bound.objective(*split(scores))
    assert value.dtype == torch.float32
    value.backward()
    assert torch.isfinite(left.grad).all()


@pytest.mark.parametrize("bound", MEMBERS)
def test_better_critic_has_the_larger_objective(bound):
    scores = gaussian_log_ratio(300, 0.9, 0)
    true, flat = (bound.objective(*split(s)) for s in (scores, torch.zeros_like(scores)))
    assert true > flat


@pytest.mark.parametrize("anchor", ["local", "global"])
def test_infonce_reaches_its_ceiling_and_never_exceeds_it(anchor):
    bound = InfoNCE(anchor=anchor)
    n, m = 6, 3
    scores = 1e4 * torch.eye(n, dtype=torch.float64)[:, :, None].expand(n, n, m)
    candidates = n if anchor == "local" else 1 + (n - 1) * m
    assert bound.ceiling(n, m) == pytest.approx(math.log(candidates))
    assert bound.nats(*split(scores)).item() == pytest.approx(math.log(candidates))


def test_only_infonce_has_a_ceiling():
    for name, cls in BOUNDS.items():
        assert math.isinf(cls().ceiling(100, 4)) == (name != "infonce")


def test_smile_clips_the_marginal_scores():
    joint, marginal = torch.zeros(2, 1), torch.full((2, 1, 1), 100.0)
    assert SMILE(clip=2.0).nats(joint, marginal).item() == pytest.approx(-2.0)
    assert SMILE(clip=1e300).nats(joint, marginal).item() == pytest.approx(-100.0)


class LargestTensor(TorchDispatchMode):
    """Remembers the size of the largest tensor that any operation makes."""

    def __init__(self):
        super().__init__()
        self.size = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else [out]:
            if torch.is_tensor(tensor):
                self.size = max(self.size, tensor.numel())
        return out


@pytest.mark.parametrize("bound", MEMBERS)
@pytest.mark.parametrize("k", [1, 3])
def test_memory_grows_with_pairs_of_samples_not_of_locations(bound, k):
    n, m = 12, 9
    scores = torch.zeros(n, n, m * k, requires_grad=True)
    with LargestTensor() as largest:
        bound.objective(*split(scores, k)).backward()
    assert largest.size <= n * n * m * k


def test_a_bound_without_a_formula_says_so():
    with pytest.raises(TypeError, match="must define _objective"):
        Bound().objective(torch.zeros(2, 1), torch.zeros(2, 1, 1))


# Several global vectors of a sample --------------------------------------------------------------


def loop_infonce(scores, k, anchor):
    """InfoNCE from scores[i, j, l * k + g], anchor i, one softmax for each vector and location."""
    n, m, total = len(scores), scores.shape[2] // k, 0.0
    for i, loc, g in itertools.product(range(n), range(m), range(k)):
        places = range(m) if anchor == "global" else [loc]
        others = [scores[i, j, p * k + g] for j in range(n) if j != i for p in places]
        own = scores[i, i, loc * k + g]
        total += own - math.log(sum(map(math.exp, [own, *others])))
    return total / (n * m * k)


@given(
    n=st.integers(2, 5),
    m=st.integers(1, 4),
    k=st.integers(1, 4),
    anchor=st.sampled_from(["global", "local"]),
    seed=st.integers(0, 2**16),
)
def test_each_vector_and_location_has_its_own_softmax(n, m, k, anchor, seed):
    scores = 2 * np.random.RandomState(seed).normal(size=(n, n, m * k))
    bound, tables = InfoNCE(anchor=anchor), split(torch.from_numpy(scores), k)
    expected = loop_infonce(scores, k, anchor)
    assert bound.objective(*tables).item() == pytest.approx(expected, abs=1e-10)
    assert bound.nats(*tables).item() == pytest.approx(expected + bound.ceiling(n, m), abs=1e-10)


@pytest.mark.parametrize("anchor", ["local", "global"])
def test_a_constant_for_one_vector_changes_nothing(anchor):
    """The best critic of `infonce` is known up to a constant for each anchor, here a vector."""
    scores = torch.from_numpy(np.random.RandomState(0).normal(size=(6, 6, 4, 3)))
    moved = scores + torch.tensor([0.0, 20.0, -20.0])
    values = [InfoNCE(anchor).nats(*split(s.flatten(2), 3)).item() for s in (scores, moved)]
    assert values[0] == pytest.approx(values[1], abs=1e-9)


@pytest.mark.parametrize("bound", [member for member in MEMBERS if member.id != "infonce-global"])
def test_the_axis_of_vectors_matters_to_global_anchors_only(bound):
    scores = torch.from_numpy(np.random.RandomState(0).normal(size=(6, 6, 4 * 3)))
    for read in (bound.objective, bound.nats):
        assert read(*split(scores, 3)).item() == pytest.approx(read(*split(scores)).item())


# The constant of Jensen-Shannon ---------------------------------------------------------------


def test_balancing_constant_maximises_the_objective():
    scores = gaussian_log_ratio(400, 0.7, 0) + 0.8
    joint, marginal = split(scores)
    constant = balancing_constant(joint, marginal).item()
    values = [
        BOUNDS["jsd"]().objective(joint + c, marginal + c).item()
        for c in np.linspace(constant - 0.3, constant + 0.3, 7)
    ]
    assert constant == pytest.approx(-0.8, abs=0.1)
    assert int(np.argmax(values)) == 3


def test_one_outlier_cannot_move_the_constant_far():
    joint, marginal = split(gaussian_log_ratio(400, 0.7, 0))
    before = balancing_constant(joint, marginal).item()
    spoiled = marginal.clone()
    spoiled[0, 0] = 60.0
    assert balancing_constant(joint, spoiled).item() == pytest.approx(before, abs=1e-3)
    dv = BOUNDS["dv"]()
    assert dv.nats(joint, spoiled).item() < dv.nats(joint, marginal).item() - 40


def test_constant_is_kept_where_nothing_tells_it():
    """Scores of 12 nats and of -40: the objective is flat over a wide range of constants."""
    joint, marginal = torch.full((50, 1), 12.0), torch.full((50, 20, 1), -40.0)
    joint += torch.randn(50, 1, generator=torch.Generator().manual_seed(0))
    assert abs(balancing_constant(joint, marginal).item()) < 1.0


@pytest.mark.parametrize("bound", MEMBERS)
@pytest.mark.parametrize("k", [1, 2])
def test_nats_in_training_are_the_nats(bound, k):
    scores = gaussian_log_ratio(60, 0.7, 0).repeat(1, 1, 2 * k) + 0.5
    joint, marginal = split(scores.requires_grad_(), k)
    objective = bound.start()(joint, marginal)
    reported = bound.nats_in_training(objective, joint, marginal)
    assert not reported.requires_grad
    assert reported.item() == pytest.approx(bound.nats(joint, marginal).item(), abs=1e-4)


@pytest.mark.parametrize("bound", MEMBERS)
@pytest.mark.parametrize("k", [1, 3])
def test_a_step_waits_for_no_device(bound, k):
    """Tensors of the meta device hold no numbers: whoever asked for one would get an error."""
    joint, marginal = split(torch.zeros(6, 6, 2 * k, device="meta", requires_grad=True), k)
    objective = bound.start()(joint, marginal)
    assert bound.nats_in_training(objective, joint, marginal).shape == ()


def test_nats_of_an_own_bound_are_its_own_in_training_too():
    class Halved(JensenShannon):
        def _nats(self, joint, marginal):
            return joint.mean() / 2

    tables = split(torch.ones(4, 4, 1))
    assert Halved().nats_in_training(torch.tensor(0.0), *tables).item() == 0.5


@given(
    counts=st.lists(st.integers(0, 4), min_size=6, max_size=6).filter(any), seed=st.integers(0, 99)
)
def test_divergence_is_exact_for_the_log_ratio_and_less_for_others(counts, seed):
    """Of a table of counts (2, 3): each pair as often as it is likely, in exact proportions."""
    table = np.reshape(counts, (2, 3))
    product = np.outer(table.sum(1), table.sum(0))
    p, q = table / table.sum(), product / product.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(q > 0, np.log(p / q), 0.0)
        halves = [np.where(r > 0, r * np.log(2 * r / (p + q)), 0.0).sum() for r in (p, q)]
    other = ratio.clip(-3, 3) + np.random.RandomState(seed).normal(size=ratio.shape)
    values = []
    for scores in (ratio.clip(-300, 300), other):
        pairs = (np.repeat(scores.ravel(), times.ravel()) for times in (table, product))
        joint, marginal = (torch.from_numpy(column) for column in pairs)
        values.append(JensenShannon().divergence(joint[:, None], marginal[:, None, None]).item())
    assert values[0] == pytest.approx(sum(halves) / 2, abs=1e-9)
    assert values[1] <= values[0] + 1e-9


# The moving average of Donsker-Varadhan -------------------------------------------------------


def test_moving_average_divides_the_gradient():
    """MINE, equation 12: the gradient of the second term is E[exp(T) dT] over the average."""
    rng = np.random.RandomState(0)
    rule = BOUNDS["dv"](decay=0.9).start()
    batches = [split(torch.from_numpy(rng.normal(size=(6, 6, 1)))) for _ in range(3)]
    average = None
    for count, (joint, marginal) in enumerate(batches, 1):
        marginal.requires_grad_()
        value = rule(joint, marginal)
        (gradient,) = torch.autograd.grad(value, marginal)
        mean = marginal.exp().mean().item()
        decay = min(0.9, count / (count + 10))
        average = mean if average is None else decay * average + (1 - decay) * mean
        expected = -marginal.exp() / marginal.numel() / average
        torch.testing.assert_close(gradient, expected.detach(), rtol=1e-9, atol=0)
        assert value.item() == pytest.approx(BOUNDS["dv"]().nats(joint, marginal).item())


def test_without_average_the_gradient_is_the_batchs_own():
    joint, marginal = split(torch.from_numpy(np.random.RandomState(0).normal(size=(6, 6, 1))))
    bound = BOUNDS["dv"](decay=None)
    marginal.requires_grad_()
    values = bound.start()(joint, marginal), bound.objective(joint, marginal)
    ours, plain = (torch.autograd.grad(value, marginal)[0] for value in values)
    assert torch.equal(ours, plain)


@pytest.mark.parametrize("bound", MEMBERS)
def test_each_training_starts_anew(bound):
    joint, marginal = split(torch.from_numpy(np.random.RandomState(0).normal(size=(6, 6, 1))))
    first, second = bound.start(), bound.start()
    first(joint, marginal + 3)
    marginal.requires_grad_()
    gradients = [
        torch.autograd.grad(rule(joint, marginal), marginal)[0] for rule in (second, bound.start())
    ]
    assert torch.equal(*gradients)


def test_validation_leaves_no_trace_in_the_average():
    joint, marginal = split(torch.from_numpy(np.random.RandomState(0).normal(size=(6, 6, 1))))
    rules = [BOUNDS["dv"]().start() for _ in range(2)]
    with torch.no_grad():
        value = rules[0](joint, marginal + 5)
    assert value.item() == pytest.approx(BOUNDS["dv"]().nats(joint, marginal + 5).item())
    marginal.requires_grad_()
    gradients = [torch.autograd.grad(rule(joint, marginal), marginal)[0] for rule in rules]
    assert torch.equal(*gradients)


# What a bound says of itself -------------------------------------------------------------------


@pytest.mark.parametrize("bound", MEMBERS)
def test_capped_where_the_ceiling_is_finite(bound):
    assert bound.capped == math.isfinite(bound.ceiling(7, 2))
    assert bound.n_negatives == (16 if bound.capped else 2)


def test_an_own_ceiling_caps():
    class Timid(Bound):
        def ceiling(self, n, m=1):
            return 1.0

    assert Timid().capped
    assert not Bound().capped
