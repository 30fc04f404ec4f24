"""Any function as an augmentation."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ._base import Augmentation

__all__ = ["FunctionViews"]


class FunctionViews(Augmentation):
    """Any function of a sample or of a batch as an augmentation, such as those of torchvision.

    The function gets samples with the values that ``X`` has, as float32 tensors on the device of
    the training: images of uint8 from 0 to 1, anything else in the units of ``X`` (of a mixed
    frame, of the numbers that its columns become). Images are (c, h, w), series (c, t), rows (p,),
    and batches have an axis of samples in front. It returns a tensor of the same shape, dtype and
    device, and is called without gradients.

    Parameters
    ----------
    function : callable
        What makes a view. If it has a parameter ``generator``, it is handed the generator of the
        package. If not, what it draws from the global generators of torch, numpy and Python in
        `fit` and `score` is repeated by ``random_state``, and these are put back.
    batched : bool, default=False
        False calls the function for each sample. Use True where it changes each sample of a batch
        in a way of its own, as kornia's augmentations and `Augmentation` do; torchvision's draw
        once for a batch.
    mirrored : bool, default=False
        Whether half of what it gives is mirrored left to right; see `Augmentation.mirrors`.

    Notes
    -----
    ``augmentation=function`` is short for ``augmentation=FunctionViews(function)``. A function is
    not saved: hand it to `load` again, as ``load(path, augmentation=function)``.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax import DeepInfoMaxTransformer
    >>> from sk_infomax.views import FunctionViews
    >>> def noisy(images, generator):
    ...     noise = torch.randn(images.shape, generator=generator, device=images.device)
    ...     return (images + 0.1 * noise).clamp(0, 1)
    >>> model = DeepInfoMaxTransformer(augmentation=FunctionViews(noisy, batched=True))
    """

    _parameter_constraints: dict = {
        "function": [callable],
        "batched": ["boolean"],
        "mirrored": ["boolean"],
    }
    draws_from_torch = True  # for all that is known of the function

    def __init__(self, function: Callable[..., Any], batched: bool = False, mirrored: bool = False):
        self.function = function
        self.batched = batched
        self.mirrored = mirrored

    @property
    def mirrors(self) -> bool:
        """Whether half of the views are mirrored: `mirrored`."""
        return bool(self.mirrored)

    def in_units(self, mean: Tensor, scale: Tensor) -> Augmentation:
        """The same for standardised samples, of which the function sees the original values."""
        return _InUnits(self, mean, scale)

    @torch.no_grad()
    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Change a batch (n, ...), as it is given."""
        call = self.function
        if _takes_generator(call):
            call = partial(call, generator=generator)
        if self.batched:
            return self._checked(call(x.clone()), x)
        return torch.stack([self._checked(call(sample.clone()), sample) for sample in x])

    def _checked(self, view: Any, given: Tensor) -> Tensor:
        """What the function returned for a sample or a batch, if it may."""
        name = getattr(self.function, "__name__", type(self.function).__name__)
        what = "a batch" if self.batched else "a sample"
        if not torch.is_tensor(view):
            raise TypeError(
                f"The augmentation {name} returned a {type(view).__name__} for {what} of shape "
                f"{tuple(given.shape)}. It must return a torch tensor."
            )
        if view.shape != given.shape:
            other = "samples" if self.batched else "batches"
            raise ValueError(
                f"The augmentation {name} returned shape {tuple(view.shape)} for {what} of shape "
                f"{tuple(given.shape)}. Views keep the shape; FunctionViews(function, "
                f"batched={not self.batched}) hands over {other}."
            )
        if view.dtype != given.dtype or view.device != given.device:
            raise ValueError(
                f"The augmentation {name} returned {view.dtype} on {view.device} for "
                f"{given.dtype} on {given.device}. Return view.to(x), x being what it was given."
            )
        return view


class _InUnits(Augmentation):
    """A function's views of samples that were standardised."""

    def __init__(self, views: FunctionViews, mean: Tensor, scale: Tensor):
        self.views = views
        self.mean = mean
        self.scale = scale

    @property
    def mirrors(self) -> bool:
        return self.views.mirrors

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        values = x * self.scale + self.mean
        # By what changes, since what a large mean rounds off would else be lost of all samples.
        return x + (self.views(values, generator) - values) / self.scale


def _takes_generator(function: Callable[..., Any]) -> bool:
    """Whether a function has a parameter of this name; of some builtins it can't be told."""
    called = function.forward if isinstance(function, nn.Module) else function
    try:
        return "generator" in inspect.signature(called).parameters
    except (TypeError, ValueError):
        return False
