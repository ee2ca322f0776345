"""Arrays on the disk, as safetensors files, which hold numbers and run nothing; and one clear error for a bad file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from days.common.paths import write_bytes

Arrays = dict[str, np.ndarray]
Pairs = dict[str, tuple[np.ndarray, np.ndarray]]


def save_arrays(arrays: Arrays, path: Path | str, metadata: dict[str, str] | None = None) -> Path:
    """Store arrays by name, whole or not at all, and return the path.

    metadata : at most one entry, where files are to repeat byte for byte: safetensors writes several in any order.
    """
    return write_bytes(path, save({name: np.ascontiguousarray(values) for name, values in arrays.items()}, metadata))


def load_arrays(path: Path | str) -> tuple[Arrays, dict[str, str]]:
    """The arrays and the metadata that `save_arrays` stored. Call it inside `reading`, which explains a bad file."""
    with safe_open(path, "numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118


def save_record(record: Any, path: Path | str) -> Path:
    """Store a NamedTuple of arrays in single precision, by the names of its fields, and return the path."""
    return save_arrays({name: values.astype(np.float32) for name, values in record._asdict().items()}, path)


def load_record(kind: Any, path: Path | str) -> Any:
    """The NamedTuple of this kind that `save_record` stored, in double precision. Call it inside `reading`."""
    arrays, _ = load_arrays(path)
    return kind(*(arrays[name].astype(np.float64) for name in kind._fields))


@contextlib.contextmanager
def reading(path: Path | str, what: str, way_out: str) -> Iterator[None]:
    """Inside the `with`, a file that is missing, damaged or of another content is one clear error.

    what : the file should hold, such as "runs". way_out : how to get one that does, such as a command.
    Raises FileNotFoundError or ValueError.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no file {path}: {way_out}")
    try:
        yield
    except (SafetensorError, OSError, KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        damaged = " or is damaged" if isinstance(error, (SafetensorError, OSError)) else ""
        raise ValueError(f"{Path(path).name} holds no {what}{damaged} ({error}): {way_out}") from error


def flat(pairs: Pairs, parts: tuple[str, str] = ("weight", "bias"), prefix: str = "") -> Arrays:
    """Pairs of arrays by layer, such as weights, as arrays by name: "conv1.weight", "conv1.bias", ..."""
    return {
        f"{prefix}{name}.{part}": one for name, pair in pairs.items() for part, one in zip(parts, pair, strict=True)
    }


def paired(
    arrays: Arrays, layers: Iterable[str], parts: tuple[str, str] = ("weight", "bias"), prefix: str = ""
) -> Pairs:
    """The way back from `flat`, for these layers; raises KeyError for one that is not there."""
    return {layer: (arrays[f"{prefix}{layer}.{parts[0]}"], arrays[f"{prefix}{layer}.{parts[1]}"]) for layer in layers}
