"""Files that are there as a whole or as they were before."""

import os
import platform
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["replacing"]

_MODE = 0o666  # of a new file, less what the umask takes
_TOKEN_BYTES = 4  # that tell the writers of one process apart
_NAME_LENGTH = 100  # characters of the file's name in that of a temporary one: 255 are allowed


def replacing(path: str | os.PathLike[str], content: bytes | Callable[[BinaryIO], object]) -> None:
    """Write a file so that at every moment the old or the new one is there, and whole.

    The content goes to a temporary file beside it, and to the disk, before that takes its name. A
    symbolic link is followed; a file that is there keeps its mode, a new one has that of the
    umask. What killed writers of this machine left behind is removed. What is no regular file,
    such as a pipe, is written directly.

    Parameters
    ----------
    path : str or path-like
        Where to.
    content : bytes or callable
        All of it, or what writes it to a binary file.

    Raises
    ------
    OSError
        Python's own, for a missing folder, a folder in its place, a full disk and the like.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        with open(target, "wb") as file:
            _fill(file, content)
        return
    start = f".{target.name[:_NAME_LENGTH]}.{platform.node()}."
    for left in _leftovers(target.parent, start):
        with suppress(OSError):
            left.unlink()
    new = target.parent / f"{start}{os.getpid()}.{secrets.token_hex(_TOKEN_BYTES)}.part"
    try:
        _write(new, content)
        if target.exists():
            os.chmod(new, target.stat().st_mode)
        os.replace(new, target)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise
    _sync_folder(target.parent)


def _write(new: Path, content: bytes | Callable[[BinaryIO], object]) -> None:
    """Write a file that must not be there yet, to the disk."""
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), _MODE)
    with open(handle, "wb") as file:
        _fill(file, content)
        file.flush()
        os.fsync(file.fileno())


def _fill(file: BinaryIO, content: bytes | Callable[[BinaryIO], object]) -> None:
    if callable(content):
        content(file)
    else:
        file.write(content)


def _leftovers(folder: Path, start: str) -> Iterable[Path]:
    """Temporary files of one target whose writers live no more."""
    if not folder.is_dir():
        return
    for file in folder.iterdir():
        if file.name.startswith(start) and file.name.endswith(".part"):
            number = file.name.removeprefix(start).partition(".")[0]
            if number.isdigit() and not _lives(int(number)):
                yield file


def _lives(process: int) -> bool:
    """Whether a process is running; where that can't be asked without harm, yes."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _sync_folder(folder: Path) -> None:
    """Let a new name reach the disk, where folders can be synchronised."""
    if os.name != "posix":
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
