"""What ``mypy --strict`` says of a user's script: nothing of a sound one, and of each slip."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy", reason="mypy is not installed: pip install mypy")

# Ten seconds, for numpy's types and ours. Torch's take twenty more; a nightly test reads them.
pytestmark = pytest.mark.slow

SOUND = '''
import numpy as np

from sk_infomax import DeepInfoMaxTransformer, DotCritic, MutualInfoEstimator, mutual_info
from sk_infomax.evaluation import probe

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def study(images: Array, labels: Array, table: Array) -> dict[str, float]:
    """Learn features, judge them, and say how much a table tells about the labels."""
    model = DeepInfoMaxTransformer(n_components=64, critic=DotCritic(units=8), max_time=60.0)
    features = model.fit(images[:100]).transform(images[:100])
    judged = probe(model, images[:100], labels[:100], images[100:], labels[100:], "svm")
    estimator = MutualInfoEstimator(units="bits", cv=3, random_state=0).fit(table, labels)
    low, high = estimator.confidence_interval_
    value, (lower, upper) = mutual_info(table, labels, cv=3)
    model.save("model.safetensors")
    loaded = DeepInfoMaxTransformer.load("model.safetensors", device="cpu")
    nats = loaded.set_params(critic__units=8).fit_transform(images).mean() + loaded.score(images)
    figures = {"columns": float(features.shape[1]), "accuracy": judged.accuracy, "nats": nats}
    return figures | {"bits": estimator.mutual_info_ + high - low, "width": value + upper - lower}
'''
START = """
from sk_infomax import DeepInfoMaxTransformer, MutualInfoEstimator, mutual_info
from sk_infomax.evaluation import probe

model = DeepInfoMaxTransformer()
estimator = MutualInfoEstimator()
"""
SLIPS = {
    "model.trasnform([[0.0]])": 'has no attribute "trasnform"',
    "model.fit([[0.0]]).scroe([[0.0]])": 'has no attribute "scroe"',
    "model.n_iters_": 'has no attribute "n_iters_"',
    "estimator.mutual_information_": 'has no attribute "mutual_information_"',
    "probe(model, [[0.0]], [0], [[0.0]], [0]).acuracy": 'has no attribute "acuracy"',
    'DeepInfoMaxTransformer(n_components="many")': 'Argument "n_components"',
    "DeepInfoMaxTransformer(n_component=8)": "Unexpected keyword argument",
    'DeepInfoMaxTransformer(preset="fats")': 'Argument "preset"',
    "DeepInfoMaxTransformer(critic=3)": 'Argument "critic"',
    'MutualInfoEstimator(cv="three")': 'Argument "cv"',
    "value: str = mutual_info([[0.0]], [0.0])": "Incompatible types in assignment",
    'model.save(path=3, mode="w")': 'Unexpected keyword argument "mode"',
}


WITHOUT_TORCH = "[mypy]\n[mypy-torch.*]\nfollow_imports = skip\n"


def messages(folder, files, config=""):
    """What mypy says of files in a folder, with its settings or none: file, line, text."""
    if config:
        (folder / "mypy.ini").write_text(config)
    # Away from the checkout, so that the package is found as a user's interpreter finds it, with
    # no settings but those of --strict. Of other packages some have no types, and torch not all.
    others = ["--disable-error-code=import-untyped", "--disable-error-code=import-not-found"]
    others += ["--allow-untyped-calls"]
    command = [sys.executable, "-m", "mypy", "--strict", *others, *files]
    command += [f"--config-file={'mypy.ini' if config else ''}"]
    environment = {name: v for name, v in os.environ.items() if name not in ("MYPYPATH",)}
    run = subprocess.run(
        [*command, "--no-error-summary", "--cache-dir", str(folder / "cache")],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode in (0, 1), run.stderr
    lines = [re.match(r"(\w+)\.py:(\d+): error: (.*)", line) for line in run.stdout.splitlines()]
    return [(found[1], int(found[2]), found[3]) for found in lines if found]


@pytest.fixture(scope="module")
def complaints(tmp_path_factory):
    """Messages of one run, by file and line."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "sound.py").write_text(SOUND)
    (folder / "slips.py").write_text(START + "\n".join(SLIPS) + "\n")
    return messages(folder, ["sound.py", "slips.py"], WITHOUT_TORCH)


@pytest.mark.nightly
def test_examples_have_no_error(tmp_path):
    """The gallery's scripts, and the sound one, with torch's own types."""
    (tmp_path / "sound.py").write_text(SOUND)
    paths = sorted((Path(__file__).parent.parent / "examples").glob("plot_*.py"))
    files = [Path(shutil.copy(path, tmp_path)).name for path in paths]
    assert messages(tmp_path, ["sound.py", *files]) == []


def test_a_sound_script_has_no_error(complaints):
    assert [complaint for complaint in complaints if complaint[0] == "sound"] == []


@pytest.mark.parametrize(("number", "line"), list(enumerate(SLIPS)), ids=list(SLIPS))
def test_a_slip_is_seen(number, line, complaints):
    first = START.count("\n") + 1
    said = [text for file, at, text in complaints if file == "slips" and at == first + number]
    assert any(SLIPS[line] in text for text in said), said


def test_the_package_says_that_it_has_types():
    import sk_infomax

    assert (Path(sk_infomax.__file__).parent / "py.typed").exists()
