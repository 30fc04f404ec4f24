"""What the package does on a graphics card: is it right, how fast, and what becomes affordable.

    python -m benchmarks.cuda --data cifar10 --folder DIR

Four parts, each recorded as soon as it is there, in under eight minutes on a fast card; a run that
was cut off goes on with ``--resume``. ``--tiny`` runs every line on made-up data, on a CPU too.
``README.md`` beside this file says what the parts are.
"""

import argparse
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from sk_infomax import DeepInfoMaxTransformer, DotCritic, ResNetEncoder
from sk_infomax._training._batches import ResidentData, batch_sizes
from sk_infomax._training._net import InfoMaxNet
from sk_infomax._training._schedule import Plan
from sk_infomax.bounds import InfoNCE, JensenShannon
from sk_infomax.evaluation import PerceptronClassifier
from sk_infomax.paper import paper

from . import describe_run, open_record, write_json
from ._backbone import WAYS, StrongViews, best_linear, few_linear, read_ways
from ._cuda_checks import (
    TINY,
    Setting,
    Sizes,
    check_features,
    check_information,
    check_probe,
    resident,
)
from ._graphs import (
    GraphedStep,
    LargeBatchAdam,
    LargeBatchSGD,
    PaperAdam,
    RecordedSteps,
    optimizers_of,
)
from ._split import Split, load_split
from .paper import LAYERS, PUBLISHED, read_layers

FEW = 10  # labels a class
_TEMPERATURE = 0.2  # of the residual network's critic (MoCo's)
_PIXELS = 24  # on each side of a view of 32 pixels: what crops magnify is then as large as before
# Training seconds of each fit: with the rest of the parts they make less than eight minutes.
SECONDS = {"check": 0.0, "speed": 0.0, "choose": 20.0, "paper": 75.0, "backbone": 180.0}

# How fast ----------------------------------------------------------------------------------------


def paper_model(bound, setting: Setting, **changes) -> DeepInfoMaxTransformer:
    """DIM(L) by the paper's recipe: its encoder, critic, prior, adversary and optimizer."""
    model = paper(
        "DIM(L)",
        bound,
        max_epochs=10**6,
        max_time=setting.seconds,
        optimizer=PaperAdam,
        callbacks=[RecordedSteps()],
        device=setting.device,
        random_state=setting.seed,
    )
    units = setting.sizes.units  # fewer where all is tiny
    return model.set_params(critic__units=units, critic__hidden=units, **changes)


def default_model(setting: Setting) -> DeepInfoMaxTransformer:
    """The default for images, with an optimizer whose steps can be recorded."""
    return DeepInfoMaxTransformer(
        optimizer=LargeBatchAdam,
        batch_size=128,
        device=setting.device,
        random_state=setting.seed,
    )


def by_net(net: InfoMaxNet, data: ResidentData, step: GraphedStep) -> None:
    """An epoch of the package's net as it is."""
    net.train(data, None, Plan(1, net.plan_.batch_size))


def by_graph(net: InfoMaxNet, data: ResidentData, step: GraphedStep) -> None:
    """An epoch of the net with recorded steps."""
    net.train_step = step
    try:
        by_net(net, data, step)
    finally:
        del net.train_step


def by_hand(net: InfoMaxNet, data: ResidentData, step: GraphedStep) -> None:
    """An epoch of a plain loop over the same network, loss and optimizers."""
    module, samples, optimizers = net.module_.train(), data.samples, optimizers_of(net)
    order = torch.randperm(len(samples), device=samples.device)
    total = torch.zeros((), device=samples.device)
    for index in order.split(batch_sizes(len(samples), net.plan_.batch_size)):
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        terms = module(samples[index])
        loss = net.criterion_(terms)
        total += loss.detach()
        (loss - terms[net.adversary.term] if net.adversary else loss).backward()
        for optimizer in optimizers:
            optimizer.step()
    total.item()


LOOPS: dict[str, Callable] = {"net": by_net, "by hand": by_hand, "graphs": by_graph}


def take_turns(net: InfoMaxNet, data: ResidentData, step: GraphedStep, setting: Setting) -> dict:
    """Median seconds of an epoch of each loop, after a round that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in LOOPS}
    for number in range(setting.sizes.rounds + 1):
        for name, loop in LOOPS.items():
            setting.synchronise()
            start = time.perf_counter()
            loop(net, data, step)
            setting.synchronise()
            if number:
                seconds[name].append(time.perf_counter() - start)
    return {name: median(taken) for name, taken in seconds.items()}


def measure_speed(model: DeepInfoMaxTransformer, setting: Setting) -> dict:
    """Images a second of each loop, for the net of a model after an epoch."""
    n = setting.sizes.images
    X = np.random.RandomState(0).randint(0, 256, (n, 32, 32, 3)).astype(np.uint8)
    net = model.set_params(callbacks=None, max_epochs=1, max_time=None).fit(X).net_
    size, step = net.plan_.batch_size, GraphedStep(net)
    medians = take_turns(net, resident(model, X), step, setting)
    steps = len(batch_sizes(n, size))
    return {
        "batch_size": size,
        "images_a_second": {k: round(n / v) for k, v in medians.items()},
        "milliseconds_a_step": {k: round(1000 * v / steps, 3) for k, v in medians.items()},
        "net_to_by_hand": round(medians["net"] / medians["by hand"], 3),
        "graphs_failed": step.trouble,
    }


# What becomes affordable -------------------------------------------------------------------------


def fit_cost(model: DeepInfoMaxTransformer, X: np.ndarray) -> dict:
    """Fit, and what that took."""
    start = time.perf_counter()
    net = model.fit(X).net_
    taken, steps, size = time.perf_counter() - start, net.clock_.steps, net.plan_.batch_size
    return {
        "fit_seconds": round(taken, 1),
        "steps": steps,
        "batch_size": size,
        "epochs": round(steps * size / len(X), 1),
        "images_a_second": round(steps * size / taken),
        "graphs_failed": net.train_step.trouble,
        "last_epoch": {k: v for k, v in model.history_[-1].items() if k.startswith("train_")},
    }


def distance_to_uniform(Y: np.ndarray) -> float:
    """Mean Kolmogorov-Smirnov distance of the columns of sigmoid(Y) to the uniform distribution."""
    values = np.sort(1 / (1 + np.exp(-Y.astype(float))), axis=0)
    steps = np.arange(len(Y) + 1)[:, None] / len(Y)
    gaps = np.maximum(values - steps[:-1], steps[1:] - values)
    return float(gaps.max(0).mean())


def train_paper(bound, row: str, setting: Setting) -> dict:
    """Train by the paper's recipe; perceptrons with all labels, in per cent, beside the paper's."""
    split, model = setting.data, paper_model(bound, setting)
    found: dict[str, Any] = {"cost": fit_cost(model, split.X_train), "published": PUBLISHED[row]}
    train, test = (read_layers(model, X) for X in (split.X_train, split.X_test))
    found["distance_to_uniform"] = distance_to_uniform(test["Y"])
    found["score"] = model.score(split.X_test)
    start = time.perf_counter()
    for layer in LAYERS:
        found |= probe_layer(layer, train[layer], test[layer], setting)
    return found | {"probe_seconds": round(time.perf_counter() - start, 1)}


def probe_layer(layer: str, train: np.ndarray, test: np.ndarray, setting: Setting) -> dict:
    """Accuracy of the paper's perceptron on the features of a layer, and its steps."""
    split, scale = setting.data, train.std() or 1.0
    probe = PerceptronClassifier(
        max_steps=setting.sizes.probe_steps, device=setting.device, random_state=setting.seed
    )
    probe.fit(train / scale, split.y_train)
    accuracy = 100 * probe.score(test / scale, split.y_test)
    return {f"mlp {layer}": accuracy, f"steps {layer}": probe.n_steps_}


def backbone_model(setting: Setting, **changes) -> DeepInfoMaxTransformer:
    """Two views through a residual network: global against global vectors."""
    width = setting.sizes.width
    recipe = {
        "encoder": ResNetEncoder(width, local_stages=(3,)),
        "critic": DotCritic(2 * width, 16 * width, temperature=_TEMPERATURE),
        "bound": "infonce",
        "global_weight": 1.0,
        "local_weight": 0.0,
        "views": 2,
        "augmentation": StrongViews(size=_PIXELS),
        "max_epochs": 10**6,
        "max_time": setting.seconds,
        "batch_size": setting.sizes.batch,
        "optimizer": LargeBatchAdam,
        "lr": 2e-3,
        "weight_decay": 1e-2,
        "callbacks": [RecordedSteps()],
        "device": setting.device,
        "random_state": setting.seed,
    }
    return DeepInfoMaxTransformer(8 * width, **recipe | changes)


def wide_head(setting: Setting) -> dict[str, Any]:
    """A projection head as SimCLR's: wide, and without a linear shortcut beside it."""
    width = setting.sizes.width
    head = DotCritic(4 * width, 32 * width, temperature=_TEMPERATURE, shortcut=None)
    return {"critic": head}


# Changes that are tried before the long run, each on top of those kept before (see README.md).
CHOICES: dict[str, Callable[[Setting], dict[str, Any]]] = {
    "head": wide_head,
    "decay": lambda setting: {"weight_decay": 0.1},
    "momentum": lambda setting: {"target_momentum": 0.99, "bound": InfoNCE(anchor="global")},
    "local": lambda setting: {"local_weight": 0.5},
    "SGD": lambda setting: {"optimizer": LargeBatchSGD, "lr": 0.2, "weight_decay": 5e-4},
}
CHOSEN = ("head", "decay")


def changes_of(choice: Iterable[str], setting: Setting) -> dict[str, Any]:
    """The parameters that choices change, together."""
    changes: dict[str, Any] = {}
    for name in choice:
        changes |= CHOICES[name](setting)
    return changes


def try_choice(setting: Setting) -> dict:
    """A short run on a part of the training images, judged on others.

    Without a change it is preceded by an epoch that does not count: cuDNN takes seconds to choose
    its algorithms for new shapes.
    """
    inner = replace(setting, split=inner_split(setting.data))
    if not setting.choice:
        backbone_model(inner).set_params(max_epochs=1, max_time=None).fit(inner.data.X_train)
    return train_chosen(inner, few=False)


def kept_of(tried: dict[str, dict], seed: str) -> tuple[str, ...]:
    """The changes that helped, each on top of those before it."""
    best, kept = 0.0, []
    for name, entries in tried.items():
        accuracy = entries.get(seed, {}).get("embedding", {}).get("all", 0.0)
        if accuracy > best:
            best, kept = accuracy, [*kept, name]
    return tuple(name for name in kept if name in CHOICES)


def inner_split(split: Split) -> Split:
    """Two thirds of the training images, and the rest in the place of the test images."""
    n = 2 * len(split.X_train) // 3
    return Split(split.X_train[:n], split.y_train[:n], split.X_train[n:], split.y_train[n:])


def train_chosen(setting: Setting, few: bool = True) -> dict:
    """The residual network with the changes that were chosen."""
    changes = changes_of(setting.choice, setting)
    return {"choice": setting.choice} | train_backbone(setting, few, **changes)


def train_backbone(setting: Setting, few: bool = True, **changes) -> dict:
    """Train the residual network; linear probes with all labels and with few."""
    split, model = setting.data, backbone_model(setting, **changes)
    found: dict[str, Any] = {"cost": fit_cost(model, split.X_train)}
    found["score"] = model.score(split.X_test)
    start = time.perf_counter()
    found |= probe_backbone(model, setting, few)
    return found | {"probe_seconds": round(time.perf_counter() - start, 1)}


def probe_backbone(model: DeepInfoMaxTransformer, setting: Setting, few: bool) -> dict:
    """Accuracies of linear probes on each reading of the network."""
    split, d, found = setting.data, model.n_components, {}
    ways = WAYS if few else {"": 1}  # images as they are do to choose by
    both = [read_ways(model, X, ways) for X in (split.X_train, split.X_test)]
    labels = [torch.from_numpy(y).to(setting.device) for y in (split.y_train, split.y_test)]
    for way in ways:
        train, test = (sides[way] for sides in both)
        for name, width in (("embedding", d), ("multiscale", None)):
            pairs = (train[:, :width], labels[0]), (test[:, :width], labels[1])
            entry = found[name + way] = {"all": best_linear(*pairs)}
            if few:
                entry[f"{FEW} a class"] = few_linear(*pairs, FEW)
    return found


# Running -----------------------------------------------------------------------------------------


def jobs_of(part: str) -> dict[str, Callable[[Setting], dict]]:
    """What a part consists of, by name."""
    if part == "check":
        kinds = ("image", "series", "table")
        jobs = {k: lambda setting, k=k: check_features(k, setting) for k in kinds}
        return jobs | {"information": check_information, "perceptron": check_probe}
    if part == "speed":
        return {
            "basic32x32": lambda s: measure_speed(paper_model("jsd", s), s),
            "basic32x32, large batches": lambda s: measure_speed(
                paper_model("jsd", s, batch_size=s.sizes.batch), s
            ),
            "default": lambda s: measure_speed(default_model(s), s),
        }
    if part == "paper":
        return {
            "DIM(L) JSD": lambda s: train_paper(JensenShannon(), "DIM(L) JSD", s),
            "DIM(L) InfoNCE": lambda s: train_paper(InfoNCE(anchor="global"), "DIM(L) InfoNCE", s),
        }
    if part == "choose":
        return dict.fromkeys(["as it is", *CHOICES], try_choice)
    return {"resnet18": train_chosen}


def attempt(job: Callable[[Setting], dict], setting: Setting) -> dict:
    """What a job gives, with its seconds; or its error, which must not end the others."""
    start = time.perf_counter()
    try:
        found = job(setting)
    except Exception as error:
        traceback.print_exc()
        found = {"error": f"{type(error).__name__}: {error}".partition("\n")[0]}
    return found | {"seconds": round(time.perf_counter() - start, 1)}


def with_choice(name: str, setting: Setting, tried: dict[str, dict]) -> Setting:
    """The setting of a run that tries a change on top of those that have helped."""
    choice = (*kept_of(tried, str(setting.seed)), name) if name in CHOICES else ()
    return replace(setting, choice=choice)


def settings_of(part: str, split: Split | None, args) -> list[Setting]:
    """A setting for each seed; only the long parts have more than one."""
    sizes = TINY if args.tiny else Sizes()
    seconds = SECONDS[part] if args.seconds is None else args.seconds
    seeds = args.seeds if part in ("paper", "backbone") else args.seeds[:1]
    choice = tuple(args.choice)
    return [Setting(args.device, sizes, split, seed, seconds, choice) for seed in seeds]


def run_part(part: str, content: dict, split: Split | None, args) -> None:
    """Do what the record lacks; it is written after each job."""
    # The checks see torch as it is; elsewhere products too are in TF32, as convolutions always are.
    torch.backends.cudnn.benchmark = part != "check"
    torch.set_float32_matmul_precision("highest" if part == "check" else "high")
    results, run = content["results"].setdefault(part, {}), len(content["runs"]) - 1
    for setting in settings_of(part, split, args):
        for name, job in jobs_of(part).items():
            entries, seed = results.setdefault(name, {}), str(setting.seed)
            wanted = not args.jobs or name in args.jobs
            if wanted and "error" in entries.get(seed, {"error": "not there"}):
                if part == "choose":
                    setting = with_choice(name, setting, results)
                entries[seed] = attempt(job, setting) | {"run": run}
                write_json(args.out, content)
                print(f"{part}, {name}, seed {seed}: {entries[seed]}", flush=True)


def tiny_split() -> Split:
    """A few random images of ten brightnesses, which stand for classes."""
    rng = np.random.RandomState(0)
    y = np.arange(300) % 10
    X = (20 * y[:, None, None, None] + rng.randint(0, 60, (300, 32, 32, 3))).astype(np.uint8)
    return Split(X[:200], y[:200], X[200:], y[200:])


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Arguments of the command line, checked."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.cuda", description=__doc__.partition("\n")[0]
    )
    add = parser.add_argument
    usual = ["check", "speed", "paper", "backbone"]
    add("--parts", nargs="+", choices=list(SECONDS), default=usual, metavar="PART")
    add("--jobs", nargs="+", metavar="NAME", help="only these of the parts' jobs")
    add("--choice", nargs="+", choices=list(CHOICES), default=CHOSEN, metavar="NAME")
    add("--data", default="cifar10", help="cifar10 or FILE.npz")
    add("--folder", help="folder with the files of CIFAR-10; else OpenML")
    add("--seconds", type=float, help="of training for each fit, in place of the part's own")
    add("--seeds", type=int, nargs="+", default=[0])
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--tiny", action="store_true", help="made-up data and small networks, for a CPU")
    add("--out", type=Path, default=Path("benchmarks/results/cuda.json"))
    add("--resume", action="store_true", help="go on from the JSON file of --out")
    args = parser.parse_args(argv)
    if args.seconds is not None and args.seconds <= 0:
        parser.error(f"--seconds {args.seconds}: must be above 0.")
    if args.tiny and args.seconds is None:
        args.seconds = 0.2
    return args


def describe(args) -> dict:
    """Command, parts, seeds, card and versions of a run that begins."""
    card = torch.cuda.get_device_name() if args.device == "cuda" else None
    facts = {"parts": args.parts, "seeds": args.seeds, "card": card, "cuda": torch.version.cuda}
    return describe_run("benchmarks.cuda") | facts


def data_for(args) -> Split | None:
    """Images, if a part needs them."""
    if not set(args.parts) & {"choose", "paper", "backbone"}:
        return None
    return tiny_split() if args.tiny else load_split(args.data, args.folder, 0)


def main(argv: list[str] | None = None) -> None:
    """Run the parts and write what they gave."""
    args, start = parse_arguments(argv), time.perf_counter()
    empty: dict = {"settings": {"tiny": args.tiny}, "runs": [], "results": {}}
    content = open_record(args.out, empty, args.resume, ("settings",))
    content["runs"].append(describe(args))
    print(content["runs"][-1], flush=True)
    split = data_for(args)
    for part in args.parts:
        run_part(part, content, split, args)
    content["runs"][-1]["seconds"] = round(time.perf_counter() - start, 1)
    write_json(args.out, content)
    print(f"{content['runs'][-1]['seconds']} s in all", flush=True)


if __name__ == "__main__":
    main()
