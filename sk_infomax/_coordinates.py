"""Telling where a location lies from what is there and from the summary of the sample."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from .encoders import Encoding

__all__ = ["COORDINATES", "CoordinateTerm"]

COORDINATES = ("absolute", "relative", "both")
_HIDDEN = 256  # units of the hidden layer of each network (rule of thumb)
_APART = 2  # locations between the two of a relative place in evaluation, in reading order


class CoordinateTerm(nn.Module):
    """Log probability of the place of a location, given it and the global vector.

    Absolute, ``log p(i, j | y, c)``: where in the map the location c of a sample with the global
    vector y lies. Relative, ``log p(i - i', j - j' | y, c, c')``: how far it lies from another
    location c' of the same sample. Each axis of the map has a softmax of its own. The other
    location is a random one in training, and the next but one in evaluation.

    Parameters
    ----------
    example : Encoding
        An encoding that shows the widths and how the locations lie.
    kind : {"absolute", "relative", "both"}
        What is predicted.

    Raises
    ------
    ValueError
        If there is one location alone.

    References
    ----------
    Hjelm et al., ICLR 2019, section 4.3 and appendix A.4.
    """

    def __init__(self, example: Encoding, kind: str):
        super().__init__()
        vector, local = example.global_vector.shape[-1], example.local_map.shape[-1]
        self.map_shape = map_shape = example.grid()
        if math.prod(map_shape) < 2:
            raise ValueError(
                f"coordinates={kind!r} needs a local map of two locations or more and got one, as "
                "a table of n_features = 1 gives. Choose another encoder, or coordinates=None."
            )
        kinds = ("absolute", "relative") if kind == "both" else (kind,)
        self.networks = nn.ModuleDict()
        for name in kinds:
            sizes = list(map_shape) if name == "absolute" else [2 * s - 1 for s in map_shape]
            width = vector + local * (1 if name == "absolute" else 2)
            self.networks[name] = nn.Sequential(
                nn.Linear(width, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, sum(sizes))
            )
        axes = torch.meshgrid(*(torch.arange(s) for s in map_shape), indexing="ij")
        places = torch.stack([axis.flatten() for axis in axes], 1)  # (m, number of axes)
        self.register_buffer("places", places, persistent=False)

    def forward(self, encodings: list[Encoding], generator: torch.Generator) -> Tensor:
        """Mean log probability over samples, locations and views: a scalar, at most 0."""
        read = {"absolute": self._absolute, "relative": self._relative}
        values = [
            read[name](network, encoding, generator)
            for encoding in encodings
            for name, network in self.networks.items()
        ]
        return torch.stack(values).mean()

    def chance(self) -> float:
        """What `forward` gives if nothing tells the place: absolute ones, all alike."""
        return -math.log(len(self.get_buffer("places")))

    def _absolute(
        self, network: nn.Module, encoding: Encoding, generator: torch.Generator
    ) -> Tensor:
        seen = torch.cat([self._summary(encoding), encoding.local_map], 2)
        return self._log_probability(network(seen), self.get_buffer("places"), self.map_shape)

    def _relative(
        self, network: nn.Module, encoding: Encoding, generator: torch.Generator
    ) -> Tensor:
        local, places = encoding.local_map, self.get_buffer("places")
        m = len(places)
        order = (torch.arange(m) + min(_APART, m - 1)) % m
        if self.training:
            order = torch.randperm(m, generator=generator, device=generator.device)
        order = order.to(local.device)
        seen = torch.cat([self._summary(encoding), local, local[:, order]], 2)
        steps = places - places[order] + torch.tensor(self.map_shape, device=local.device) - 1
        return self._log_probability(network(seen), steps, [2 * s - 1 for s in self.map_shape])

    def _summary(self, encoding: Encoding) -> Tensor:
        """The global vector beside each location: (n, m, d)."""
        m = encoding.local_map.shape[1]
        return encoding.summary()[:, None].expand(-1, m, -1)

    @staticmethod
    def _log_probability(logits: Tensor, places: Tensor, sizes: Sequence[int]) -> Tensor:
        """Mean over samples and locations of the sum over axes."""
        n = len(logits)
        total = logits.new_zeros(())
        for axis, part in enumerate(logits.split(list(sizes), 2)):
            target = places[:, axis].expand(n, -1)
            total = total - cross_entropy(part.flatten(0, 1), target.flatten())
        return total
