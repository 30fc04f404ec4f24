"""Benchmarks: what the package costs and what it is worth. See ``README.md`` beside this file.

Here is what the scripts share: a description of the machine, the command, and JSON files that a
later run can go on from.
"""

import json
import os
import platform
import sys
import time
from pathlib import Path

import numpy
import sklearn
import skorch
import torch


def describe_machine() -> dict:
    """Processor, cores and versions: what a figure in seconds depends on."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "scikit-learn": sklearn.__version__,
        "skorch": skorch.__version__,
        "torch": torch.__version__,
    }


def load_average() -> list[float] | None:
    """Load over 1, 5 and 15 minutes, or None where the system does not tell."""
    if not hasattr(os, "getloadavg"):
        return None
    return [round(value, 2) for value in os.getloadavg()]


def command_line(module: str) -> str:
    """The command as it was typed, with only the last part of absolute paths."""
    words = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    return " ".join(["python -m", module, *words])


def describe_run(module: str) -> dict:
    """Command, machine and time of a run that begins."""
    started = time.strftime("%Y-%m-%d %H:%M")
    return {"command": command_line(module), "machine": describe_machine(), "started": started}


def open_record(path: Path, empty: dict, resume: bool, same: tuple[str, ...]) -> dict:
    """With `resume` the record in a file, whose entries `same` must be those of `empty`, else it.

    Raises
    ------
    SystemExit
        If the file was made with other settings.
    """
    if not (resume and path.is_file()):
        return empty
    content = json.loads(path.read_text())
    for name in same:
        if content[name] != empty[name]:
            raise SystemExit(
                f"{path.name} was made with other {name}: {content[name]}, not {empty[name]}. "
                "Leave --resume out to start anew, or give another --out."
            )
    return content


def write_json(path: Path, content: dict) -> None:
    """Write a file as a whole: a run that is cut off leaves the last one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(content, indent=1) + "\n")
    draft.replace(path)


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
