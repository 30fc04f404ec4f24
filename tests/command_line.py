"""The same samples as files of each format, models of them, and the command line run on them."""

import contextlib

import numpy as np
import pytest

pytest.importorskip("click", reason='click is not installed: pip install "sk_infomax[cli]"')
pd = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")
Image = pytest.importorskip("PIL.Image")

from click.testing import CliRunner  # noqa: E402

from sk_infomax._cli._group import sk_infomax as group  # noqa: E402

N = 48  # samples of each kind
SMALL = [
    "--max-epochs",
    "1",
    "--n-components",
    "4",
    "--random-state",
    "0",
    "--set",
    "batch_size=16",
]
ENCODERS = {"table": "perceptron", "series": "convolutions", "image": "strided"}
KINDS = {"pictures": "image", "images.npy": "image", "images.npz": "image", "waves.ts": "series"}
KINDS |= {f"rows.{ending}": "table" for ending in ("npy", "csv", "tsv", "parquet")}
APART = {  # what is no sample
    "rows.csv": ("--label", "group", "--id", "name"),
    "rows.tsv": ("--label", "group", "--id", "name"),
    "rows.parquet": ("--label", "group", "--id", "name"),
    "rows.npy": ("--label", "labels.npy"),
    "images.npy": ("--label", "labels.csv"),
    "images.npz": ("--label", "y", "--id", "name"),
}


def make_data(folder):
    """Write the same samples as files of each format; give the folder."""
    rng = np.random.RandomState(0)
    y = np.arange(N) % 2
    images = np.clip(rng.normal(90 + 80 * y[:, None, None], 20, (N, 8, 8)), 0, 255).astype(np.uint8)
    np.save(folder / "images.npy", images)
    names = np.array([f"{i:03}" for i in range(N)])
    np.savez(folder / "images.npz", X=images, y=y, name=names)
    for name, image, label in zip(names, images, y):
        place = folder / "pictures" / "ab"[label]
        place.mkdir(parents=True, exist_ok=True)
        wide = np.pad(image, ((0, int(name) % 3), (0, 0)), mode="edge")
        Image.fromarray(wide).save(place / f"{name}.png")
    frame = pd.DataFrame(rng.normal(size=(N, 3)) + y[:, None], columns=["a", "b", "c, d"])
    np.save(folder / "rows.npy", frame.to_numpy())
    frame.insert(0, "name", names)
    frame["group"] = np.array(["no", "yes"])[y]
    frame.to_csv(folder / "rows.csv", index=False)
    frame.to_csv(folder / "rows.tsv", index=False, sep="\t")
    frame.to_parquet(folder / "rows.parquet")
    np.save(folder / "labels.npy", y)
    frame[["group"]].to_csv(folder / "labels.csv", index=False)
    series = [np.sin(np.arange(20 + i % 5) * (1 + y[i]) / 2 + rng.rand()) for i in range(N)]
    (folder / "waves.ts").write_text(ts_of(series, np.array(["slow", "fast"])[y]))
    return folder


def ts_of(series, labels):
    """Series of one channel as a .ts."""
    head = "# a comment\n@problemName waves\n@timeStamps false\n@univariate true\n"
    head += f"@equalLength false\n@classLabel true {' '.join(sorted(set(labels)))}\n@data\n"
    lines = (",".join(map(repr, map(float, s))) + f":{y}" for s, y in zip(series, labels))
    return head + "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The same samples as files of each format."""
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def models(folder):
    """A model of each input."""
    return Models(folder)


@pytest.fixture
def run(folder, monkeypatch):
    """Run a command in the folder; give what it returned."""
    monkeypatch.chdir(folder)
    return checked


class Models(dict):
    """A model of each input, fitted by the command line when it is first asked for."""

    def __init__(self, folder):
        self.folder = folder

    def __missing__(self, data):
        kind, path = KINDS[data], f"{data.replace('.', '-')}.safetensors"
        args = ["fit", data, "-o", path, *SMALL, "--encoder", ENCODERS[kind], *APART.get(data, ())]
        args += ["--size", "8", "--grey"] if data == "pictures" else []
        with contextlib.chdir(self.folder):
            result = CliRunner().invoke(group, args)
        assert result.exit_code == 0, result.output
        self[data] = path
        return path


def checked(*args, code=0):
    """Run a command that ends with this code; what fails says so in one line."""
    result = CliRunner().invoke(group, [str(arg) for arg in args])
    assert result.exit_code == code, result.output
    if code:
        assert "Traceback" not in result.output
        assert result.stdout == ""
    return result


def error_of(result):
    """The one line of an error."""
    lines = [line for line in result.stderr.splitlines() if line]
    assert lines[-1].startswith("Error: ")
    assert all(line.startswith(("Warning: ", "Left out")) for line in lines[:-1])
    return lines[-1]
