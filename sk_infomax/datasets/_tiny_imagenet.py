"""Tiny ImageNet, from its tree of folders."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np

from ._albums import Album
from ._files import (
    UNLABELLED,
    Folder,
    Loaded,
    as_loaded,
    check_folder,
    check_subset,
    find_files,
)

__all__ = ["load_tiny_imagenet"]

_EDGE = 64  # pixels; some pictures are grey (Le and Yang 2015)
_N_CLASSES = 200  # (Le and Yang 2015)
_COUNTS = {"train": 100_000, "test": 10_000, "unlabeled": 10_000}  # images (Le and Yang 2015)
_SUBSETS = {"train": ("train",), "test": ("test",), "all": ("train", "test")}
_UNPACKED = ("tiny-imagenet-200",)  # what the archive unpacks to
_REMEDY = (
    "Download http://cs231n.stanford.edu/tiny-imagenet-200.zip, unpack it, and give its folder."
)
_DESCRIPTION = """Tiny ImageNet: 200 classes of ImageNet at 64x64, in colour, of each 500 images to
train on and 50 to validate on, which are the test part here; the labels of 10,000 more were never
published (Le and Yang 2015, http://cs231n.stanford.edu/tiny-imagenet-200.zip)."""


def load_tiny_imagenet(
    folder: Folder,
    *,
    subset: str = "train",
    n_jobs: int | None = None,
    cache: str | PathLike[str] | None = None,
    return_X_y: bool = False,
) -> Loaded:
    """Load Tiny ImageNet: colour images in two hundred classes. Needs Pillow.

    Parameters
    ----------
    folder : str or path-like
        Folder with ``wnids.txt``, ``words.txt``, ``train/WNID/images``, ``val/images``,
        ``val/val_annotations.txt`` and ``test/images``, of which those of the subset are read.
        The folder that holds the unpacked archive will do.
    subset : {"train", "test", "all", "unlabeled"}, default="train"
        Which images. ``"test"`` are the validation images, ``"all"`` those with labels, and
        ``"unlabeled"`` the test images of the set, whose labels were never published.
    n_jobs : int or None, default=None
        Processes that read, as joblib counts them: -1 takes all processors.
    cache : str, path-like or None, default=None
        A file ``NAME.npy`` in which the images of the subset are kept and from which they are
        mapped into memory the next time; see `load_image_folder`.
    return_X_y : bool, default=False
        Give ``(images, target)`` instead of a Bunch.

    Returns
    -------
    bunch : `~sklearn.utils.Bunch`
        ``images`` of shape (n, 64, 64, 3), red, green and blue in uint8, also as ``data``;
        ``target`` of shape (n,), int64: places in ``wnids.txt``, -1 without labels; ``wnids`` and
        ``target_names``, what ``words.txt`` says of them; ``filenames`` in the folder; ``DESCR``.

    Raises
    ------
    FileNotFoundError
        If the folder or one of its files is missing.
    ValueError
        If a picture is broken, or there are fewer than there should be.
    ImportError
        If Pillow is not installed.

    References
    ----------
    Le and Yang, Tiny ImageNet visual recognition challenge, CS 231N, 2015.

    Examples
    --------
    >>> from sk_infomax.datasets import load_tiny_imagenet
    >>> bunch = load_tiny_imagenet("tiny-imagenet-200", n_jobs=-1)  # doctest: +SKIP
    >>> bunch.images.shape, bunch.target_names[0]  # doctest: +SKIP
    ((100000, 64, 64, 3), 'Egyptian cat')
    """
    check_subset(subset, (*_SUBSETS, "unlabeled"))
    folder = check_folder(folder, _UNPACKED, _REMEDY)
    wnids = _read_wnids(folder)
    labels_of: dict[str, int] = {}
    for part in _SUBSETS.get(subset, (subset,)):
        labels_of |= _list_part(folder, part, wnids)
    album = Album(folder, list(labels_of), _EDGE, "RGB", _REMEDY, n_jobs=n_jobs)
    images, _ = album.read(cache)
    return as_loaded(
        images,
        np.array(list(labels_of.values()), dtype=np.int64),
        _words_of(folder, wnids),
        _DESCRIPTION,
        return_X_y,
        wnids=wnids,
        filenames=np.array(list(labels_of)),
    )


def _read_wnids(folder: Path) -> list[str]:
    """Names of the classes in WordNet, in the order of their labels."""
    path = find_files(folder, ["wnids.txt"], ("",), _REMEDY)["wnids.txt"]
    wnids = path.read_text(encoding="utf-8").split()
    if len(wnids) != _N_CLASSES:
        raise ValueError(f"{path.name} names {len(wnids)} classes of {_N_CLASSES}. {_REMEDY}")
    return wnids


def _list_part(folder: Path, part: str, wnids: list[str]) -> dict[str, int]:
    """Paths of pictures in the folder, and their labels."""
    if part == "test":
        found = _list_annotated(folder, wnids)
    elif part == "train":
        found = {
            name: label
            for label, wnid in enumerate(wnids)
            for name in _list_pictures(folder, f"train/{wnid}/images")
        }
    else:
        found = dict.fromkeys(_list_pictures(folder, "test/images"), UNLABELLED)
    if len(found) != _COUNTS[part]:
        where = {"train": "train", "test": "val/val_annotations.txt", "unlabeled": "test/images"}
        raise ValueError(
            f"{where[part]} in {str(folder)!r} has {len(found)} pictures of {_COUNTS[part]}: it "
            f"was not unpacked as a whole. {_REMEDY}"
        )
    return found


def _list_pictures(folder: Path, inside: str) -> list[str]:
    """Paths of the pictures of a sub-folder, in alphabetical order."""
    if not (folder / inside).is_dir():
        raise FileNotFoundError(f"{str(folder)!r} holds no folder {inside!r}. {_REMEDY}")
    return [f"{inside}/{path.name}" for path in sorted((folder / inside).glob("[!.]*.JPEG"))]


def _list_annotated(folder: Path, wnids: list[str]) -> dict[str, int]:
    """Paths of the validation pictures and their labels, as the annotations say."""
    path = find_files(folder / "val", ["val_annotations.txt"], ("",), _REMEDY)[
        "val_annotations.txt"
    ]
    place = {wnid: label for label, wnid in enumerate(wnids)}
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        name, _, rest = line.partition("\t")
        wnid = rest.partition("\t")[0]
        if wnid not in place:
            raise ValueError(
                f"Line {number} of {path.name} is {line!r}, not a picture and a class of "
                f"wnids.txt: it is truncated or damaged. {_REMEDY}"
            )
        found[f"val/images/{name}"] = place[wnid]
    _check_there(folder, found)
    return found


def _check_there(folder: Path, found: dict[str, int]) -> None:
    """Refuse annotations of pictures that are not there."""
    missing = sorted(set(found) - set(_list_pictures(folder, "val/images")))
    if missing:
        raise FileNotFoundError(
            f"{str(folder)!r} holds no file {missing[0]!r} and lacks {len(missing) - 1} more that "
            f"val_annotations.txt names: it was not unpacked as a whole. {_REMEDY}"
        )


def _words_of(folder: Path, wnids: list[str]) -> list[str]:
    """What each class is called; without ``words.txt`` its name in WordNet."""
    path = folder / "words.txt"
    if not path.is_file():
        return wnids
    lines = path.read_text(encoding="utf-8").splitlines()
    words = dict(line.partition("\t")[::2] for line in lines)
    return [words.get(wnid, wnid) for wnid in wnids]
