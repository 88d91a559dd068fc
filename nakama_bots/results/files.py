"""Files: written as a whole, and errors of one line that begin with the path."""

from __future__ import annotations

import csv
import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, cast

import orjson

from nakama_bots.errors import NakamaError


def write_whole(
    path: Path, parts: Iterable[bytes], *, opener: Callable[[BinaryIO], BinaryIO] | None = None
) -> None:
    """Write a file atomically; ``opener`` wraps the raw file, for example to compress it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as raw:
            with opener(raw) if opener is not None else nullcontext(raw) as file:
                file.writelines(parts)
            raw.flush()
            os.fsync(raw.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def compressed(raw: BinaryIO) -> BinaryIO:
    """An ``opener`` of ``write_whole``: gzip."""
    # Without time and name: the same rows produce the same file.
    return cast("BinaryIO", gzip.GzipFile("", "wb", fileobj=raw, mtime=0))


def csv_line(cells: Sequence[object]) -> bytes:
    """Return a line of a CSV file."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def json_text(value: object) -> bytes:
    """Return ``value`` as indented JSON with an end of line."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


@contextmanager
def writing(path: Path, problem: type[NakamaError]) -> Iterator[None]:
    """Raise ``problem`` if the file, or the folder, cannot be written."""
    try:
        yield
    except OSError as error:
        raise problem(f"{path}: cannot be written ({error.strerror})") from None


@contextmanager
def reading(path: Path, problem: type[NakamaError]) -> Iterator[None]:
    """Raise ``problem`` if the file cannot be read or is damaged; a ``problem`` from within gets the path."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        msg = f"{path}: not a whole gzip file ({error})"
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror})"
    except orjson.JSONDecodeError as error:
        msg = f"{path}: not whole JSON ({error})"
    except problem as error:
        msg = f"{path}: {error}"
    else:
        return
    raise problem(msg)
