"""Samples and parameters of every kind, and what both estimators and all functions make of them.

    python -m benchmarks.fuzz_inputs --count 20000

Each case calls one class or function with what `_drawing` draws. What comes back must be finite and
of the right shape, or the call must end in ValueError or TypeError, raised by a check of this
package or of scikit-learn, that names an argument and says what is to be done. Numbers are cases:
`--only 17` runs that one again.
"""

import argparse
import json
import multiprocessing
import re
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator

import sk_infomax
from sk_infomax._settings import REGISTRIES
from sk_infomax.exceptions import InfomaxWarning

from . import write_json
from ._targets import FEATURES, INFORMATION, OF_COLUMNS, TARGETS, Case, Wrong

RESULT = Path(__file__).parent / "results" / "fuzz_inputs.json"
SECONDS = 20  # of a processor that no case may take: data are tiny
OURS = str(Path(sk_infomax.__file__).parent)
CHECKS = ("sklearn/utils/validation.py", "sklearn/utils/_param_validation.py")
CHECKS += ("sklearn/utils/__init__.py", "sklearn/utils/_set_output.py", "sklearn/base.py")
CHECKS += ("sklearn/utils/multiclass.py", "sklearn/utils/_array_api.py")
REMEDY = re.compile(
    r"must|use |give|replace|bring|lower|leave|pass |at least|minimum|expected|expecting|"
    r"did you mean|should|ask for|"
    r"available|needs?\b|convert|choose|reduce|fill|drop|only|too large|contains|has no|fit first|"
    r"takes|say |read |change |multiply|divide|spread|make |set |put |unexpected keyword|required",
    re.IGNORECASE,
)


class Slow(BaseException):
    """A case takes too long."""


# The judge ----------------------------------------------------------------------------------


def case_of(seed: int, number: int) -> tuple[str, Case]:
    """The case of a number, and what it calls."""
    rng = np.random.RandomState([seed, number])
    weights = np.array([weight for weight, _ in TARGETS.values()])
    name = list(TARGETS)[rng.choice(len(TARGETS), p=weights / weights.sum())]
    return name, TARGETS[name][1](rng)


def judge(case: Case) -> tuple[str, str]:
    """What came of a case: "sound", "refused", or a fault, and what is to be said of it."""
    numpys: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            case.call()
            kind, said = "sound", ""
        except (ValueError, TypeError) as error:
            kind, said = _of_error(error)
        except FileNotFoundError as error:
            kind, said = "refused" if "checkpoints" in str(error) else "unclear", str(error)
        except FloatingPointError as error:
            kind, said = "refused" if "lr" in str(error) else "unclear", str(error)
        except Slow:
            kind, said = "slow", traceback.format_exc(limit=-3)
        except Wrong as error:
            kind, said = "wrong", str(error)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic of a library in Rust is no Exception
            kind, said = f"{type(error).__name__}", _place(error)
    numpys = [str(one.message) for one in caught if _is_of_numbers(one)]
    if numpys and kind in ("sound", "refused"):
        return f"{kind} with a warning of numpy", f"{numpys[0]} {said}"
    return kind, said


def _is_of_numbers(one: Any) -> bool:
    """Whether a warning is numpy's or torch's own, which tells a user nothing."""
    return issubclass(one.category, RuntimeWarning | DeprecationWarning | FutureWarning) and not (
        issubclass(one.category, InfomaxWarning)
    )


def _of_error(error: Exception) -> tuple[str, str]:
    """Whether an error comes from a check, names an argument and says what to do."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    text = str(error)
    ours = place.filename.startswith(OURS) or place.filename.replace("\\", "/").endswith(CHECKS)
    ours = ours or (isinstance(error, TypeError) and "unexpected keyword" in text)
    if not ours:
        return "not checked", _place(error)
    if not NAMED.search(text):
        return "names nothing", _place(error)
    if not REMEDY.search(text):
        return "without remedy", _place(error)
    return "refused", text


def _names() -> Iterator[str]:
    yield from ("X", "y", "z", "groups", "column", "columns", "samples?", "feature", "features")
    for own in (FEATURES, INFORMATION, OF_COLUMNS):
        yield from own
    parts = [member for family in REGISTRIES.values() for member in family.values()]
    for one in parts:
        if isinstance(one, type) and issubclass(one, BaseEstimator):
            yield from one._get_param_names()
    yield from (
        "n_samples",
        "lags",
        "k",
        "fdr",
        "t",
        "length",
        "step",
        "kind",
        "n_labels",
        "max_steps",
        "row",
    )
    yield from ("n_permutations", "max_epochs", "X_train", "X_test", "y_train", "y_test", "X_other")
    yield from ("image_size", "crops", "several", "oops", "n", "random_state", "n_jobs", "cv")
    yield from ("return_p_value", "return_interval", "return_p_values", "x", "given", "measures")
    yield from ("dim", "dim_x", "dim_y", "df", "table", "means", "strength", "n_classes", "epsilon")
    yield from ("correlation", "mutual_information", "n_interacting", "cubic", "probes")


NAMED = re.compile(r"\b(" + "|".join(sorted(set(_names()), key=len, reverse=True)) + r")\b")


def _place(error: BaseException) -> str:
    """An error and where it comes from."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [one for one in frames if one.filename.startswith(OURS)]
    at = [f"{Path(one.filename).name}:{one.lineno}" for one in (*own[-2:], frames[-1])]
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]} [{' > '.join(at)}]"


@contextmanager
def _limited(seconds: int) -> Iterator[None]:
    """Interrupt what takes longer, where the system can."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: Any) -> None:
        raise Slow

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


SOUND = ("sound", "refused")


def run(count: int, seed: int, first: int = 0) -> dict[str, Any]:
    """So many cases from a number on, counted; what must not be is listed.

    Parameters
    ----------
    count : int
        How many.
    seed : int
        Of all of them.
    first : int
        Number of the first one.
    """
    torch.set_num_threads(1)
    counts: Counter[str] = Counter()
    faults: list[str] = []
    messages: Counter[str] = Counter()
    slowest = 0.0
    for number in range(first, first + count):
        name, case = case_of(seed, number)
        start = time.process_time()
        with _limited(SECONDS):
            kind, said = judge(case)
        slowest = max(slowest, time.process_time() - start)
        counts[f"{name}: {kind}"] += 1
        if kind == "refused":
            messages[re.sub(r"[\d.e+-]+", "#", said)[:160]] += 1
        if kind not in SOUND:
            faults.append(f"{number} {name} {kind}: {said} | {case.said[:400]}")
    return {
        "counts": dict(counts), "faults": faults, "messages": dict(messages), "slowest": slowest
    }  # fmt: skip


def main() -> None:
    """Draw as many cases as the command line says, and write what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", type=int, default=None, help="run one case, with its traceback")
    parser.add_argument("--messages", type=Path, default=None, help="where what was said goes")
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    if arguments.only is not None:
        name, case = case_of(arguments.seed, arguments.only)
        print(name, case.said)
        case.call()
        sys.exit()
    share = -(-arguments.count // arguments.jobs)
    tasks = [
        (share, arguments.seed, arguments.first + job * share) for job in range(arguments.jobs)
    ]
    with multiprocessing.get_context("spawn").Pool(arguments.jobs) as pool:
        parts = pool.starmap(run, tasks)
    counts: Counter[str] = sum((Counter(one["counts"]) for one in parts), Counter())
    result = {
        "command": f"python -m benchmarks.fuzz_inputs --count {arguments.count} "
        f"--seed {arguments.seed} --first {arguments.first}",
        "cases": sum(counts.values()),
        "counts": dict(sorted(counts.items())),
        "slowest_cpu_seconds": round(max(one["slowest"] for one in parts), 2),
        "faults": [fault for one in parts for fault in one["faults"]],
    }
    if arguments.messages is not None:
        said: Counter[str] = sum((Counter(one["messages"]) for one in parts), Counter())
        arguments.messages.write_text("\n".join(f"{n} {text}" for text, n in said.most_common()))
    write_json(arguments.out, result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
