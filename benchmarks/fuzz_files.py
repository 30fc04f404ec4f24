"""Saved files that are damaged by chance and on purpose, and what comes of loading them.

    python -m benchmarks.fuzz_files --count 100000 --jobs 2

Every file is made from a sound one. Most are changed in their bytes; the others have sound
checksums, or are of the format without any, and are changed in what they say: wrong types, huge
numbers, values inside of values, missing and new keys, arrays of other shapes, types and values.
A file must be refused by ValueError, or give an estimator that reads its data; nothing may take
more than two seconds, nor more memory than ten times the file beside the network it declares.
"""

import argparse
import copy
import json
import multiprocessing
import re
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save

from sk_infomax import DeepInfoMaxTransformer, MutualInfoEstimator
from sk_infomax._state._files import FORMAT, seal
from sk_infomax.critics import DotCritic
from sk_infomax.encoders import ENCODERS

from . import describe_run, write_json

RESULT = Path(__file__).parent / "results" / "fuzz_files.json"
SHARE_OF_BYTES = 0.5  # of the files, changed in their bytes; the others in what they say
# What may come of a file: it is refused or loaded, or what it makes of samples is not finite, which
# is refused then: weights of someone's, with sound checksums.
SOUND = ("loaded", "refused", "late ValueError")
SLOW = 2.0  # CPU seconds that no load may take
TIMES = 10  # the file's size that no load may take
BESIDES = 2**27  # bytes of a load beside that: a network declared by mistake, and noise


class Sound(NamedTuple):
    """A file to damage.

    Parameters
    ----------
    content : bytes
        The file.
    kind : type
        Loads it.
    read : callable
        Reads the data of the fit with what was loaded, and gives numbers (n, ...).
    n : int
        How many rows.
    """

    content: bytes
    kind: type
    read: Callable[[Any], np.ndarray]
    n: int


def sound_files(folder: Path) -> dict[str, Sound]:
    """One small file of each kind, by name."""
    rng = np.random.RandomState(0)
    table = rng.normal(size=(40, 6)).astype(np.float32)
    noisy = table[:, 0] + rng.normal(size=40)
    codes = rng.randint(3, size=(40, 1))
    levels = rng.randint(30, size=(200, 1)).astype(str)
    wide = rng.normal(size=(200, 1))
    images = rng.normal(size=(12, 8, 8)).astype(np.float32)
    fast: dict[str, Any] = {"max_epochs": 1, "random_state": 0, "n_components": 3}
    fast |= {"critic": DotCritic(units=4)}
    perceptron, strided = ENCODERS["perceptron"](hidden=8), ENCODERS["strided"](width=4)
    few: dict[str, Any] = {"cv": 2, "max_steps": 2, "random_state": 0}
    few |= {"critic": DotCritic(units=4)}
    features = {
        "table": (DeepInfoMaxTransformer(encoder=perceptron, prior="uniform", **fast), table),
        "images": (DeepInfoMaxTransformer(encoder=strided, views=2, **fast), images),
        "kernels": (DeepInfoMaxTransformer(**fast), table),
    }
    pairs = {
        "critic": (MutualInfoEstimator(**few), table[:, :2], noisy),
        "levels": (MutualInfoEstimator(**few), levels, wide),
        "counts": (MutualInfoEstimator(random_state=0), codes, (codes[:, 0] + 1) % 3),
    }
    found = {}
    for name, (model, X) in features.items():
        model.fit(X).save(folder / name)
        found[name] = Sound(_content(folder / name), type(model), _Features(X), len(X))
    for name, (estimator, X, y) in pairs.items():
        estimator.fit(X, y).save(folder / name)
        found[name] = Sound(_content(folder / name), type(estimator), _Pairs(X, y), len(X))
    return found


def _content(path: Path) -> bytes:
    return path.read_bytes()


class _Features(NamedTuple):
    X: np.ndarray

    def __call__(self, model: Any) -> np.ndarray:
        return model.transform(self.X)


class _Pairs(NamedTuple):
    X: np.ndarray
    y: np.ndarray

    def __call__(self, model: Any) -> np.ndarray:
        return model.pointwise(self.X, self.y)


# Damage by chance ---------------------------------------------------------------------------


def damage_bytes(content: bytes, rng: np.random.RandomState) -> bytes:
    """A file with some bytes changed, lost, or put in."""
    start = rng.randint(len(content))
    if rng.rand() < 0.5:  # the header is small beside the arrays
        start = rng.randint(min(len(content), 4096))
    length = 1 + int(rng.geometric(0.1))
    noise = rng.bytes(length)
    ways = [
        lambda: (
            content[:start] + bytes([content[start] ^ (1 << rng.randint(8))]) + content[start + 1 :]
        ),
        lambda: content[:start] + noise + content[start + length :],
        lambda: content[:start],
        lambda: content[:start] + noise + content[start:],
        lambda: content[:start] + content[start + length :],
        lambda: content[:start] + bytes(length) + content[start + length :],
        lambda: content[start:] + content[:start],
    ]
    return ways[rng.randint(len(ways))]()


# Damage on purpose --------------------------------------------------------------------------

VALUES: list[Any] = [
    None, True, False, -1, 0, 1, 2, 3, 2**31, 2_000_000, 64_000_000, 10**30, 0.5, -0.5, 1e308,
    float("nan"), float("inf"), "", "a", "auto", "x" * 2000, [], {}, [[]], [1, 2], {"a": 1},
    {"list": []}, {"list": [1, 2]}, {"tuple": [64_000_000, 64_000_000]}, {"tuple": [-1]},
    {"dict": {}}, {"dict": {"a": {"list": []}}}, {"unsaved": "Own"}, {"unsaved": 3},
    {"class": ["encoder", "image"]}, {"class": ["torch.optim", "LBFGS"]},
    {"part": ["critic", "dot"], "settings": {}}, {"part": ["encoder", "series"], "settings": {}},
    {"part": ["critic", "dot"], "settings": {"units": 2_000_000}},
    {"part": ["bound", "dv"], "settings": {"decay": "a"}}, {"part": ["auto", "auto"]},
    {"part": ["encoder", "image"], "settings": {"n_filters": 4_000_000}},
]  # fmt: skip


def damage_meaning(content: bytes, rng: np.random.RandomState) -> bytes:
    """A file with sound checksums, or of version 1, that says or holds something else."""
    arrays, meta = unpacked(content)
    for _ in range(rng.geometric(0.7)):
        if rng.rand() < 0.25:
            _damage_arrays(arrays, rng)
        else:
            _damage_json(meta, rng)
    if rng.rand() < 0.3:
        meta["version"] = 1
        return save(arrays, metadata={FORMAT: _deepened(json.dumps(meta), rng)})
    sealed = seal(arrays, meta)
    sealed[FORMAT] = _deepened(sealed[FORMAT], rng)
    return save(arrays, metadata=sealed | {"sha256": sha256(sealed[FORMAT].encode()).hexdigest()})


def unpacked(content: bytes) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and metadata of a file."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        with safe_open(file.name, framework="numpy") as opened:
            meta = json.loads(opened.metadata()[FORMAT])
            return {name: opened.get_tensor(name) for name in opened.keys()}, meta  # noqa: SIM118


def _deepened(text: str, rng: np.random.RandomState) -> str:
    """JSON, now and then with many lists inside of lists at the place of a number."""
    places = [match.span() for match in re.finditer(r"\b\d+\b", text)]
    if rng.rand() > 0.05 or not places:
        return text
    start, end = places[rng.randint(len(places))]
    deep = int(rng.choice([100, 900, 3000, 100_000]))
    return text[:start] + "[" * deep + "]" * deep + text[end:]


def _places(node: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every container and key or position inside of it."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in list(items):
        found.append((node, key))
        if isinstance(value, dict | list):
            _places(value, found)
    return found


def _damage_json(meta: dict[str, Any], rng: np.random.RandomState) -> None:
    places = _places(meta, [])
    node, key = places[rng.randint(len(places))]
    other, at = places[rng.randint(len(places))]
    way = rng.randint(10)
    if way == 0:
        del node[key]
    elif way == 1 and isinstance(node, dict):
        node[f"{key}x"] = node.pop(key)
    elif way == 2:
        node[key] = copy.deepcopy(other[at])
    elif way == 3 and isinstance(node[key], int | float):
        node[key] = node[key] * 10 ** int(rng.randint(1, 9))
    elif way == 4:
        deep: Any = 1
        for _ in range(rng.choice([10, 40, 150])):
            deep = {"list": [deep]} if rng.rand() < 0.9 else [deep]
        node[key] = deep
    else:
        node[key] = copy.deepcopy(VALUES[rng.randint(len(VALUES))])


def _damage_arrays(arrays: dict[str, np.ndarray], rng: np.random.RandomState) -> None:
    if not arrays:
        return
    names = sorted(arrays)
    name, other = names[rng.randint(len(names))], names[rng.randint(len(names))]
    array = arrays[name].copy()
    flat = array.reshape(-1)
    place = rng.randint(max(1, flat.size))
    way = rng.randint(9)
    if way == 0:
        del arrays[name]
    elif way == 1:
        arrays[f"{name}x"] = arrays.pop(name)
    elif way == 2:
        arrays[name] = arrays[other].copy()
    elif way == 3:
        arrays[name] = np.ascontiguousarray(array.T)
    elif way == 4:
        arrays[name] = array[..., None].repeat(2, -1)
    elif way == 5:
        arrays[name] = array.astype([np.float16, np.float64, np.int64, np.uint8][rng.randint(4)])
    elif way == 6:
        arrays[name] = flat[: rng.randint(flat.size + 1)].copy()
    elif flat.size and array.dtype.kind == "f":
        flat[place] = [np.nan, np.inf, -1.0, 0.0, 1e30][rng.randint(5)]
        arrays[name] = array
    elif flat.size and array.dtype.kind in "iu":
        flat[place] = [-1, 0, 10**6, 2**62][rng.randint(4)] % (np.iinfo(array.dtype).max + 1)
        arrays[name] = array


# What comes of it ---------------------------------------------------------------------------


class Outcome(NamedTuple):
    """What came of one file."""

    kind: str
    detail: str
    seconds: float
    n_bytes: int


def outcome_of(path: Path, sound: Sound) -> Outcome:
    """Load a file, and read the data of the fit with what it gives."""
    before, start = _reset_peak(), time.process_time()
    kind, detail = "loaded", ""
    try:
        model = sound.kind.load(path)
    except ValueError as error:
        kind, detail = "refused", str(error)
    except BaseException as error:
        kind, detail = type(error).__name__, str(error)
    seconds, n_bytes = time.process_time() - start, _peak() - before
    if kind == "loaded":
        try:
            if len(sound.read(model)) != sound.n:
                kind, detail = "wrong", "rows are missing"
        except BaseException as error:
            kind, detail = f"late {type(error).__name__}", str(error)
    return Outcome(kind, detail, seconds, n_bytes)


def _reset_peak() -> int:
    """Bytes of this process now, from which the peak counts; 0 where Linux does not say."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return 0
    return _peak()


def _peak() -> int:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if "VmHWM" in line)


def run(count: int, seed: int, keep: Path | None = None) -> dict[str, Any]:
    """Outcomes of so many damaged files, counted; what must not be is listed, and kept.

    Parameters
    ----------
    count : int
        How many.
    seed : int
        Of the damage.
    keep : Path or None
        A folder for files with which something is wrong.
    """
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    rng, counts = np.random.RandomState(seed), Counter()
    found: dict[str, Any] = {"faults": [], "slowest": 0.0, "largest_beside": 0}
    with tempfile.TemporaryDirectory() as name:
        files, path = sound_files(Path(name)), Path(name) / "damaged"
        names = sorted(files)
        for number in range(count):
            of = names[rng.randint(len(names))]
            by_chance = rng.rand() < SHARE_OF_BYTES
            damage = damage_bytes if by_chance else damage_meaning
            content = damage(files[of].content, rng)
            path.write_bytes(content)
            one = outcome_of(path, files[of])
            changed = by_chance and content != files[of].content and one.kind == "loaded"
            kind = "unnoticed" if changed else one.kind
            counts[("bytes " if by_chance else "meaning ") + kind] += 1
            beside = one.n_bytes - TIMES * len(content)
            found["slowest"] = max(found["slowest"], one.seconds)
            found["largest_beside"] = max(found["largest_beside"], beside)
            if kind not in SOUND or one.seconds > SLOW or beside > BESIDES:
                found["faults"].append(f"{of} {number} {kind}: {one.detail[:200]} {one[2:]}")
                if keep is not None:
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f"{seed}-{number}").write_bytes(content)
    return found | {"counts": dict(counts)}


def main() -> None:
    """Damage as many files as the command line says, and write what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=None)
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    share = -(-arguments.count // arguments.jobs)
    tasks = [(share, arguments.seed + job, arguments.keep) for job in range(arguments.jobs)]
    with multiprocessing.get_context("spawn").Pool(arguments.jobs) as pool:
        parts = pool.starmap(run, tasks)
    counts: Counter = sum((Counter(part["counts"]) for part in parts), Counter())
    result = describe_run("benchmarks.fuzz_files") | {
        "files": sum(counts.values()),
        "seeds": [task[1] for task in tasks],
        "counts": dict(sorted(counts.items())),
        "slowest_cpu_seconds": round(max(part["slowest"] for part in parts), 3),
        "most_bytes_beside_ten_times_the_file": max(part["largest_beside"] for part in parts),
        "faults": [fault for part in parts for fault in part["faults"]],
    }
    write_json(arguments.out, result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
