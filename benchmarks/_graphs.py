"""Training steps replayed as CUDA graphs, for networks whose kernels are shorter than their launch.

`RecordedSteps` is a callback for `DeepInfoMaxTransformer(callbacks=[RecordedSteps()])`: after a
few steps on batches of a size, the whole step (views, forward, backward, every optimizer) is
recorded, and from then on replayed. What is computed is the same. On a CPU the net trains as ever.
The optimizer is one of this module, whose rate is a tensor.
"""

from collections import Counter
from dataclasses import replace

import torch
from skorch.callbacks import Callback
from torch import Tensor

from sk_infomax._settings import GANAdam
from sk_infomax._training._net import InfoMaxNet
from sk_infomax._training._schedule import cosine_factor

__all__ = [
    "GraphedStep",
    "LargeBatchAdam",
    "LargeBatchSGD",
    "PaperAdam",
    "RecordedSteps",
    "optimizers_of",
]

# Steps before one is recorded: the optimizer's state and cuDNN's choices are then settled. A rule
# of thumb; torch's own examples take three.
_FIRST_STEPS = 4
_MOMENTUM = 0.9  # of SGD; usual for residual networks (He et al., 2016)

# Optimizers --------------------------------------------------------------------------------------


def optimizers_of(net: InfoMaxNet) -> list[torch.optim.Optimizer]:
    """That of encoder and critics, and that of the adversary if there is one."""
    return [net.optimizer_] if net.adversary is None else [net.optimizer_, net.optimizer_adversary_]


def _rate(params: list, lr: float) -> dict:
    """The rate as a tensor beside the weights, which a recorded step reads anew each time."""
    device = params[0].device
    extra = {"capturable": True} if device.type == "cuda" else {}
    return {"lr": torch.tensor(lr, device=device), "fused": True} | extra


class PaperAdam(GANAdam):
    """Adam with the moments of the paper, whose rate can change between recorded steps."""

    def __init__(self, params, lr: float, weight_decay: float = 0.0):
        params = list(params)
        super().__init__(params, weight_decay=weight_decay, **_rate(params, lr))


class LargeBatchAdam(torch.optim.AdamW):
    """AdamW whose rate can change between recorded steps."""

    def __init__(self, params, lr: float, weight_decay: float = 0.0):
        params = list(params)
        super().__init__(params, weight_decay=weight_decay, **_rate(params, lr))


class LargeBatchSGD(torch.optim.SGD):
    """SGD with Nesterov's momentum whose rate can change between recorded steps."""

    def __init__(self, params, lr: float, weight_decay: float = 0.0):
        params = list(params)
        settings = _rate(params, lr)
        settings.pop("capturable", None)
        super().__init__(
            params, momentum=_MOMENTUM, nesterov=True, weight_decay=weight_decay, **settings
        )


# Steps -------------------------------------------------------------------------------------------


class GraphedStep:
    """What a net does for a batch: `InfoMaxNet.train_step`, recorded once for each batch size.

    A bound that keeps Python numbers from step to step (`DonskerVaradhan`) cannot be replayed.

    Parameters
    ----------
    net : InfoMaxNet
        Whose optimizers are those of this module, and whose own plan has a constant rate.
    lr_schedule : {"cosine", "constant"}
        What the rate follows here.

    Attributes
    ----------
    trouble : str or None
        Why recording failed, if it did; steps are then launched one kernel at a time.
    """

    def __init__(self, net: InfoMaxNet, lr_schedule: str = "constant"):
        self.net = net
        self.lr_schedule = lr_schedule
        self.seen: Counter = Counter()
        self.recorded: dict[int, tuple] = {}
        self.trouble: str | None = None
        self.stream = torch.cuda.Stream() if torch.device(net.device).type == "cuda" else None

    def __call__(self, batch: Tensor, **fit_params) -> dict:
        """Terms and loss of one step on a batch (b, ...)."""
        self._set_rate()
        size = len(batch)
        if self.stream is None or self.trouble:
            return self._step(batch)
        if size not in self.recorded and self.seen[size] < _FIRST_STEPS:
            self.seen[size] += 1
            return self._beside(batch)
        if size not in self.recorded and not self._record(batch):
            return self._step(batch)
        held, graph, result = self.recorded[size]
        held.copy_(batch)
        graph.replay()
        return result

    def _step(self, batch: Tensor) -> dict:
        """A step whose results hold no graph of gradients: its nodes belong to one stream."""
        result = InfoMaxNet.train_step(self.net, batch)
        terms = {name: value.detach() for name, value in result["y_pred"].items()}
        return {"loss": result["loss"].detach(), "y_pred": terms}

    def _beside(self, batch: Tensor) -> dict:
        """A step on the stream that will be recorded."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            result = self._step(batch)
        torch.cuda.current_stream().wait_stream(self.stream)
        return result

    def _record(self, batch: Tensor) -> bool:
        """Record a step on batches of this size, without taking it; whether that went well."""
        held, graph, module = batch.clone(), torch.cuda.CUDAGraph(), self.net.module_
        graph.register_generator_state(module.generator)
        try:
            with torch.cuda.graph(graph, stream=self.stream):
                result = self._step(held)
        except RuntimeError as error:
            self.trouble = str(error).partition("\n")[0]
            seed = module.generator.initial_seed() + 1  # the old one may be stuck in the recording
            module.generator = torch.Generator(batch.device).manual_seed(seed)
            return False
        self.recorded[len(batch)] = held, graph, result
        return True

    def _set_rate(self) -> None:
        """The rate that the schedule asks for, written into the optimizers' tensors."""
        if self.lr_schedule == "constant":
            return
        clock = self.net.clock_
        rate = self.net.lr * cosine_factor(clock.progress(), 1 / clock.total)
        for optimizer in optimizers_of(self.net):
            for group in optimizer.param_groups:
                group["lr"].fill_(rate)


class RecordedSteps(Callback):
    """Lets a net take recorded steps."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Put a `GraphedStep` in the place of the net's own, and the schedule into its hands."""
        net.train_step = GraphedStep(net, net.plan_.lr_schedule)
        net.plan_ = replace(net.plan_, lr_schedule="constant")
