"""A residual network for small images, with local maps of several depths."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .._checks import POSITIVE_INT
from ._base import Encoder, Encoding, convolution, flatten_channels_last, locations, normed_output
from ._crops import check_n_blocks

__all__ = ["ResNetEncoder"]

_STAGES = 4  # of a residual network, each with twice the channels of the one before


class ResNetEncoder(Encoder):
    """A residual network for small images, ResNet-18 unless set otherwise; every layer is learned.

    A 3x3 convolution without pooling and four stages of residual blocks, of which the last three
    halve the sides. Of images of 32x32 pixels the maps of the stages have 32, 16, 8 and 4 rows; the
    global vector is read from the mean of the last. It is meant for a graphics card, where it
    computes in bfloat16 with channels last; on a CPU it computes in float32, and takes hours for
    what the default encoder does in minutes.

    Parameters
    ----------
    width : int, default=64
        Channels of the first stage; the next ones have 2, 4 and 8 times as many.
    n_blocks : tuple of int, default=(2, 2, 2, 2)
        Residual blocks of each stage.
    local_stages : tuple of int, default=(3, 4)
        Stages, counted from 1, whose maps the global vector is set against, each by a critic of its
        own. The first one's is the local map that contexts, coordinates and `locations_weight`
        see.

    Notes
    -----
    Where `n_components` is 8 times `width` the global vector is the mean of the last map itself;
    else a linear layer with batch normalisation follows, and that mean is ``output="hidden"``.

    References
    ----------
    He, Zhang, Ren and Sun, Deep residual learning for image recognition, CVPR 2016. Maps of several
    depths: Bachman, Hjelm and Buchwalter, Learning representations by maximizing mutual information
    across views, NeurIPS 2019.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax import ResNetEncoder
    >>> encoding = ResNetEncoder(width=4).build((3, 32, 32), 10)(torch.randn(2, 3, 32, 32))
    >>> encoding.map_shape, [tuple(deeper.shape) for deeper in encoding.further_maps]
    ((8, 8), [(2, 16, 32)])
    """

    _parameter_constraints: dict = {
        "width": [POSITIVE_INT],
        "n_blocks": [tuple, list],
        "local_stages": [tuple, list],
    }
    kind = "image"

    def __init__(
        self,
        width: int = 64,
        n_blocks: Sequence[int] = (2, 2, 2, 2),
        local_stages: Sequence[int] = (3, 4),
    ):
        self.width = width
        self.n_blocks = n_blocks
        self.local_stages = local_stages

    def build(self, shape: tuple[int, ...], n_components: int) -> nn.Module:
        """Make the network for images of shape (c, h, w)."""
        check_n_blocks(self, _STAGES)
        stages = list(self.local_stages)
        known = stages and all(stage in range(1, _STAGES + 1) for stage in stages)
        if not known or len(set(stages)) < len(stages):
            raise ValueError(
                f"ResNetEncoder(local_stages={self.local_stages!r}) must name some of the stages "
                "1, 2, 3 and 4, each once, such as (3, 4)."
            )
        return _ResNet(shape[0], self.width, self.n_blocks, stages, n_components)


class _ResNet(nn.Module):
    """The stem, the stages, and an output where widths differ."""

    def __init__(
        self,
        channels: int,
        width: int,
        n_blocks: Sequence[int],
        local_stages: Sequence[int],
        n_components: int,
    ):
        super().__init__()
        self.stem = convolution(2, channels, width, 3, 1, 1)
        self.stages = nn.ModuleList()
        size = width
        for stage, number in enumerate(n_blocks):
            blocks, size_out = nn.Sequential(), width * 2**stage
            for block in range(number):
                blocks.append(_Block(size, size_out, 2 if stage > 0 and block == 0 else 1))
                size = size_out
            self.stages.append(blocks)
        self.local_stages = local_stages
        self.output: nn.Module = nn.Identity()
        if size != n_components:
            self.output = normed_output(size, n_components)

    def forward(self, x: Tensor) -> Encoding:
        """Encoding of images (n, c, h, w), in their dtype."""
        maps = self._maps(x)
        hidden = maps[-1].mean((2, 3))
        first, *further = (maps[stage - 1] for stage in self.local_stages)
        return Encoding(
            locations(first),
            self.output(hidden),
            hidden,
            flatten_channels_last(maps[-1]),
            map_shape=tuple(first.shape[2:]),
            further_maps=tuple(locations(deeper) for deeper in further),
        )

    def _maps(self, x: Tensor) -> list[Tensor]:
        """Maps of all stages, those that are read in the dtype of x."""
        wanted, found = {*self.local_stages, _STAGES}, []
        # A recorded step must not keep casts of the weights from one step to the next.
        with torch.autocast("cuda", torch.bfloat16, enabled=x.is_cuda, cache_enabled=False):
            maps = self.stem(x.contiguous(memory_format=torch.channels_last))
            for number, stage in enumerate(self.stages, 1):
                maps = stage(maps)
                found.append(maps.to(x.dtype) if number in wanted else maps)
        return found


class _Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut: (n, a, h, w) to (n, b, h / stride, w / stride)."""

    def __init__(self, size_in: int, size_out: int, stride: int):
        super().__init__()
        self.layers = nn.Sequential(
            convolution(2, size_in, size_out, 3, stride, 1),
            nn.Conv2d(size_out, size_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(size_out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or size_in != size_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(size_in, size_out, 1, stride, bias=False), nn.BatchNorm2d(size_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).add_(self.shortcut(x)).relu_()
