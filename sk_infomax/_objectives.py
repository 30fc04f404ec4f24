"""Objectives: what training maximises, as a sum of named terms.

==============  =====================================================================
Term            What it is
==============  =====================================================================
local           information between the global vector and each location
local_2         the same of the encoder's second local map, and so on
locations       information between a location of one view and each of the other
global          information between the global vector and the whole: the other view's
                global vector with two views, the flattened local map with one
prior           how well the embedding passes for draws of the prior
discriminator   how well the adversary tells them apart (trained by its own optimizer)
coordinates     log probability of the place of a location, given it and the global vector
local_nats      what the bound reports of the local term, in nats; not trained
local_2_nats    the same of its term, and so on
locations_nats  the same of its term
global_nats     the same of its term
==============  =====================================================================
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ._coordinates import CoordinateTerm
from ._random import new_generator
from ._state import require
from ._training._net import REPORTED
from .bounds import Bound, RunningObjective, split
from .contexts import Context, with_context
from .critics import Critic
from .encoders import DataDriven, Encoder, Encoding
from .priors import DISCRIMINATOR, Match, Prior
from .views import Augmentation, Occlusion

__all__ = [
    "DISCRIMINATOR",
    "Follower",
    "InfoMax",
    "InformationTerm",
    "Parts",
    "Views",
    "assemble",
    "term_weights",
]

_EVALUATION_SEED = 0  # of the views and draws of every evaluation; any number does


class Views(NamedTuple):
    """Encodings of the views of a batch: of each, what is set against something, and that thing.

    Parameters
    ----------
    given : list of Encoding
        By the encoder that is trained.
    partners : list of Encoding
        The same ones, or those by the encoder that follows it.
    """

    given: list[Encoding]
    partners: list[Encoding]


class Follower(nn.Module):
    """An encoder whose weights are a moving average of those of another one, which is trained.

    Parameters
    ----------
    encoder : Module
        Built as the other one is.
    momentum : float
        Weight of the past in each step.

    References
    ----------
    He, Fan, Wu, Xie and Girshick, Momentum contrast for unsupervised visual representation
    learning, CVPR 2020, equation 2.
    """

    def __init__(self, encoder: nn.Module, momentum: float):
        super().__init__()
        self.encoder = encoder.requires_grad_(False)
        self.momentum = momentum

    def catch_up(self, other: nn.Module) -> None:
        """Take the weights and buffers of the other encoder as they are."""
        self.encoder.load_state_dict(other.state_dict())

    @torch.no_grad()
    def follow(self, other: nn.Module) -> None:
        """Move towards the weights of the other encoder."""
        pairs = zip(self.encoder.parameters(), other.parameters())
        learned = [(mine, live) for mine, live in pairs if live.requires_grad]
        if learned:
            mine, live = map(list, zip(*learned))
            torch._foreach_lerp_(mine, live, 1 - self.momentum)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Encoding:
        """Encoding of samples (n, *shape), without gradients."""
        found: Encoding = self.encoder(x)
        return found


class InformationTerm(nn.Module):
    """A bound on the information between the global vector and something else.

    Parameters
    ----------
    critic : Critic
        Makes the network that scores pairs.
    bound : Bound
        Turns scores into a value.
    example : Encoding
        An encoding that shows the widths.
    whole : bool
        False sets the global vector against each location; True against the whole.
    paired : bool
        Whether there are two views, so that "the whole" is the other view's global vector.
    pairs : tuple of two Tensors or None
        Indices of global vectors, and of the location that each is set against; its candidates
        are then the same pair of the other samples. None sets all against all, and so does
        `whole`.
    encoder : Encoder or None
        What makes the encodings; a critic of whole maps may repeat its layers. None leaves it to
        the widths.
    depth : int
        Which of the local maps locations are of, 0 for the first.
    """

    vectors: Tensor | None
    places: Tensor | None

    def __init__(
        self,
        critic: Critic,
        bound: Bound,
        example: Encoding,
        whole: bool,
        paired: bool,
        pairs: tuple[Tensor, Tensor] | None = None,
        encoder: Encoder | None = None,
        depth: int = 0,
    ):
        super().__init__()
        vectors, places = (None, None) if pairs is None or whole else pairs
        # Buffers, and not the context's module, whose weights are the encoder's.
        self.register_buffer("vectors", vectors, persistent=False)
        self.register_buffer("places", places, persistent=False)
        self.bound = bound
        self.objective = bound.start()
        self.whole = whole
        self.paired = paired
        self.depth = depth
        global_size, size = (
            side.shape[-1] for side in (self.given(example), self.partner(example))
        )
        if whole and not paired and encoder is not None:
            map_shape = (example.local_map.shape[-1], *example.grid())
            self.critic = critic.build_whole(global_size, map_shape, encoder)
        else:
            self.critic = critic.build(global_size, size)

    def given(self, encoding: Encoding, generator: torch.Generator | None = None) -> Tensor:
        """What is set against something else, the global vector or vectors: (n, d) or (n, k, d)."""
        return encoding.summary() if self.whole else encoding.global_vector

    def partner(self, encoding: Encoding) -> Tensor:
        """What the global vector is set against: (n, m, c)."""
        if not self.whole:
            return encoding.local_maps()[self.depth]
        if self.paired:
            return encoding.summary().unsqueeze(1)
        return encoding.local_map.flatten(1).unsqueeze(1)

    def tables(
        self, views: Views, generator: torch.Generator | None = None
    ) -> list[tuple[Tensor, Tensor]]:
        """Joint and marginal scores, once for each way round between two views."""
        found = []
        for mine, other in zip(views.given, reversed(views.partners)):
            scores, n_vectors = self._scores(self.given(mine, generator), other)
            if self.bound.anchor == "local":
                scores = scores.transpose(0, 1)
            found.append(split(scores, n_vectors))
        return found

    def _scores(self, given: Tensor, other: Encoding) -> tuple[Tensor, int]:
        """Scores (n, n, m * k) of k vectors with an encoding's m partners; and k.

        A chosen pair is a vector that has one partner.
        """
        if self.vectors is None or self.places is None:
            n_vectors = 1 if given.dim() == 2 else given.shape[1]
            return self.critic(given, self.partner(other)), n_vectors
        pairs = self.vectors, self.places
        return self.critic.chosen(given, self.partner(other), pairs), len(self.vectors)

    def forward(
        self, views: Views, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Value to maximise, and what the bound reports of the same scores in nats: scalars."""
        tables = self.tables(views, generator)
        values = [self.objective(*table) for table in tables]
        pairs = zip(values, tables)
        nats = [self.bound.nats_in_training(value.detach(), *table) for value, table in pairs]
        return torch.stack(values).mean(), torch.stack(nats).mean()

    def pointwise(self, encoding: Encoding, partner: Encoding) -> Tensor:
        """How much each location says of whose it is, (n, m), of one encoding of n samples.

        The logarithm of how much likelier the critic takes a location to belong to its own
        global vector's sample than to any of the n; log n nats at most.
        """
        scores, n_vectors = self._scores(self.given(encoding), partner)
        found = scores.diagonal().T - scores.logsumexp(1) + math.log(len(scores))
        if self.places is None:
            return found.unflatten(1, (-1, n_vectors)).mean(2)
        m = encoding.local_map.shape[1]
        sums = found.new_zeros(len(found), m).index_add_(1, self.places, found)
        return sums / torch.bincount(self.places, minlength=m).clamp(min=1)

    def nats(self, views: Views, generator: torch.Generator | None = None) -> Tensor:
        """Estimate of the information in nats, a scalar."""
        values = [self.bound.nats(*table) for table in self.tables(views, generator)]
        return torch.stack(values).mean()


class LocationTerm(InformationTerm):
    """A bound on the information between a location of one view and each of the other's.

    Of each sample one location is drawn, in the place of the global vector; without a generator it
    is the middle one.
    """

    def given(self, encoding: Encoding, generator: torch.Generator | None = None) -> Tensor:
        """A location of each sample: (n, c)."""
        local = encoding.local_map
        n, m = local.shape[:2]
        if generator is None:
            return local[:, m // 2]
        where = torch.randint(m, (n,), generator=generator, device=local.device)
        return local[torch.arange(n, device=local.device), where]


class InfoMax(nn.Module):
    """The whole of what is trained: views, encoder, critics and adversary.

    Parameters
    ----------
    encoder : Module
        Maps (n, *shape) to an `Encoding`.
    terms : dict of str to InformationTerm
        By name.
    prior : Match or None
        Matches the embedding to a prior.
    n_views : {1, 2}
        How many views of a batch are encoded.
    augmentation : Augmentation or None
        Makes the views.
    occlusion : Occlusion or None
        Hides a part of what the global vector sees; the local map sees all.
    coordinates : CoordinateTerm or None
        Tells where locations lie.
    follower : Follower or None
        Encodes what global vectors are set against; None leaves that to the encoder.

    Attributes
    ----------
    generator : torch.Generator
        Where training draws its views and its samples of the prior from.
    """

    def __init__(
        self,
        encoder: nn.Module,
        terms: dict[str, InformationTerm],
        prior: Match | None,
        n_views: int,
        augmentation: Augmentation | None,
        occlusion: Occlusion | None = None,
        coordinates: CoordinateTerm | None = None,
        follower: Follower | None = None,
    ):
        super().__init__()
        self.follower = follower
        self.occlusion = occlusion
        self.coordinates = coordinates
        self.encoder = encoder
        self.terms = nn.ModuleDict(terms)
        self.prior = prior
        self.n_views = n_views
        self.augmentation = augmentation
        self.generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Value of each term for a batch (n, *shape): scalars to maximise, and their nats."""
        if self.training and self.follower is not None:
            self.follower.follow(self.encoder)
        generator = self._current_generator(x)
        encoding, views = self._encode(x, generator)
        values: dict[str, Tensor] = {}
        for name, term in self.terms.items():
            values[name], values[name + REPORTED] = term(views, generator)
        if self.coordinates is not None:
            values["coordinates"] = self.coordinates(views.given, generator)
        if self.prior is not None:
            values |= self.prior.objectives(encoding.summary(), generator)
        return values

    def nats(self, x: Tensor) -> dict[str, Tensor]:
        """Information in nats that each information term reports for a batch."""
        generator = self._current_generator(x)
        _, views = self._encode(x, generator)
        terms: Any = self.terms
        return {name: term.nats(views, generator) for name, term in terms.items()}

    def local_nats(self, x: Tensor) -> Tensor:
        """What each location says of a sample, (n, *places) in nats, as the samples are."""
        encoding = self.encoder(x)
        partner = encoding if self.follower is None else self.follower(x)
        term: Any = self.terms["local"]
        return term.pointwise(encoding, partner).unflatten(1, encoding.grid())

    def catch_up(self) -> None:
        """Let what follows the encoder be as the encoder is."""
        if self.follower is not None:
            self.follower.catch_up(self.encoder)

    @property
    def frozen_layer(self) -> nn.Module | None:
        """The encoder's frozen first layer, where samples get there unchanged; else None."""
        if self.augmentation is not None or self.occlusion is not None:
            return None
        return self.encoder.frozen_layer if isinstance(self.encoder, DataDriven) else None

    def memory(self) -> dict[str, Tensor]:
        """What objectives keep of the batches they have seen, by the name of the term."""
        kept = {name: one.memory for name, one in self._running().items()}
        return {name: tensor for name, tensor in kept.items() if tensor is not None}

    def take_memory(self, kept: dict[str, Tensor]) -> None:
        """Go on with what other objectives have kept."""
        for name, one in self._running().items():
            if name in kept:
                require(kept[name].shape == (2,), f"what its {name} term kept does not fit")
                device = next(self.parameters()).device
                one.memory = kept[name].to(device)

    def _running(self) -> dict[str, RunningObjective]:
        terms: Any = self.terms
        objectives = {name: term.objective for name, term in terms.items()}
        return {k: one for k, one in objectives.items() if isinstance(one, RunningObjective)}

    def _current_generator(self, x: Tensor) -> torch.Generator:
        """Training goes on in its own sequence; evaluation sees the same views every time."""
        if self.training and self.generator is not None:
            return self.generator
        return new_generator(_EVALUATION_SEED, x.device)

    def _encode(self, x: Tensor, generator: torch.Generator) -> tuple[Encoding, Views]:
        """One pass through the encoder for all views: their encodings together and apart."""
        views = [x] * self.n_views
        if self.augmentation is not None:
            views = [self.augmentation(view, generator) for view in views]
        seen = torch.cat(views) if len(views) > 1 else views[0]
        hidden = None if self.occlusion is None else self.occlusion(seen, generator)
        together, occluded = self._seen_by(self.encoder, seen, hidden)
        vectors = occluded.global_vector
        if self.prior is not None:
            rows = vectors.flatten(0, -2)  # those of all contexts, if there are several
            vectors = self.prior.carry(rows, generator).reshape(vectors.shape)
        given = together._replace(global_vector=vectors).chunk(len(views))
        if self.follower is None:
            return together, Views(given, given)
        whole, occluded = self._seen_by(self.follower, seen, hidden)
        partners = whole._replace(global_vector=occluded.global_vector)
        return together, Views(given, partners.chunk(len(views)))

    @staticmethod
    def _seen_by(
        encoder: nn.Module, seen: Tensor, hidden: Tensor | None
    ) -> tuple[Encoding, Encoding]:
        """Encodings of samples (n, *shape), and of them with a part hidden, in one pass."""
        if hidden is None:
            found: Encoding = encoder(seen)
            return found, found
        whole, occluded = encoder(torch.cat([seen, hidden])).chunk(2)
        return whole, occluded


@dataclass(frozen=True)
class Parts:
    """The settings from which an `InfoMax` module is assembled.

    Parameters
    ----------
    encoder, critic, bound : Encoder, Critic, Bound
        The main line.
    prior : Prior or None
        What the embedding is matched to.
    augmentation : Augmentation or None
        What makes views.
    n_views : {1, 2}
        How many there are.
    n_components : int
        Width of the embedding.
    weights : dict of str to float
        Weight of each term that is not left out.
    occlusion : Occlusion or None
        What hides a part of the sample from the global vector.
    coordinates : {"absolute", "relative", "both"} or None
        Which places are predicted.
    context : Context or None
        Makes several global vectors of the local map.
    target_momentum : float or None
        Of an encoder that follows the other one and encodes the partners.
    """

    encoder: Encoder
    critic: Critic
    bound: Bound
    prior: Prior | None
    augmentation: Augmentation | None
    n_views: int
    n_components: int
    weights: dict[str, float]
    occlusion: Occlusion | None = None
    coordinates: str | None = None
    context: Context | None = None
    target_momentum: float | None = None


def assemble(parts: Parts, shape: tuple[int, ...]) -> tuple[InfoMax, Encoding]:
    """Make the module for samples of this shape, and an encoding of one blank sample."""
    encoder, example = _built_encoder(parts, shape)
    pairs = None if parts.context is None else encoder.context.pairs
    terms = dict(_information_terms(parts, example, pairs))
    match = None if parts.prior is None else parts.prior.build(parts.n_components)
    places = None if parts.coordinates is None else CoordinateTerm(example, parts.coordinates)
    changes = parts.n_views, parts.augmentation, parts.occlusion
    follower = None
    if parts.target_momentum is not None:
        follower = Follower(_built_encoder(parts, shape)[0], parts.target_momentum)
    module = InfoMax(encoder, terms, match, *changes, places, follower)
    module.catch_up()
    return module, example


def _built_encoder(parts: Parts, shape: tuple[int, ...]) -> tuple[Any, Encoding]:
    """The encoder, with its context if there is one, and its encoding of one blank sample."""
    encoder = parts.encoder.build(shape, parts.n_components)
    example = _blank_encoding(encoder, shape)
    if parts.context is None:
        return encoder, example
    encoder = with_context(encoder, parts.context, example, parts.n_components)
    return encoder, _blank_encoding(encoder, shape)


def term_weights(weights: Mapping[str, float], terms: Iterable[str]) -> dict[str, float]:
    """Weight of each term by its name, where one weight may be that of terms of several depths."""
    depths = {name: weights["local"] for name in terms if name.startswith("local_")}
    return dict(weights) | depths


def _information_terms(
    parts: Parts, example: Encoding, pairs: tuple[Tensor, Tensor] | None
) -> Iterator[tuple[str, InformationTerm]]:
    """The terms that have a weight, by name."""
    made = partial(InformationTerm, parts.critic, parts.bound, example)
    paired = parts.n_views == 2
    if "local" in parts.weights:
        yield "local", made(False, paired, pairs)
        for depth in range(1, len(example.local_maps())):
            yield f"local_{depth + 1}", made(False, paired, depth=depth)
    if "locations" in parts.weights:
        yield "locations", LocationTerm(parts.critic, parts.bound, example, False, paired)
    if "global" in parts.weights:
        yield "global", made(True, paired, encoder=parts.encoder)


def _blank_encoding(encoder: nn.Module, shape: tuple[int, ...]) -> Encoding:
    """What an encoder gives for one blank sample; its statistics are left alone."""
    encoder.eval()
    with torch.no_grad():
        example: Encoding = encoder(torch.zeros(1, *shape))
    encoder.train()
    return example
