"""Where Day 18 keeps what its trainings made: weights and runs, as safetensors, which hold arrays and run nothing."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from days.common.paths import REPO_ROOT, write_bytes
from days.day18.code.snapshots import LayerState, Snapshot
from days.day18.code.training import Weights, weight_shapes

WEIGHTS_FILE = REPO_ROOT / "days/day18/weights/shapes_cnn.safetensors"
RUNS_FILE = REPO_ROOT / "days/day18/weights/runs.safetensors"
_WAY_OUT = "python -m days.day18.code.runs makes it anew"


def save_weights(weights: Weights, path: Path | str) -> Path:
    """Store the small network's weights, {layer: (weights, bias)}, and return the path."""
    parts = {f"{layer}.{kind}": one for layer, pair in weights.items() for kind, one in zip(_KINDS, pair, strict=True)}
    return write_bytes(path, save({name: np.ascontiguousarray(values) for name, values in parts.items()}))


def load_weights(path: Path | str = WEIGHTS_FILE) -> Weights:
    """The small network's weights, {layer: (weights, bias)}: those trained on shapes, unless another file is named.

    Raises FileNotFoundError or ValueError where the file is missing, damaged or holds another network.
    """
    tensors, _ = _read(path)
    weights = {name: tuple(tensors.get(f"{name}.{kind}", np.empty(0)) for kind in _KINDS) for name in weight_shapes()}
    wanted = {name: (shape, shape[:1]) for name, shape in weight_shapes().items()}
    found = {name: tuple(one.shape for one in pair) for name, pair in weights.items()}
    if found != wanted:
        raise ValueError(f"expected weights of the shapes {wanted}, got {found} in {Path(path).name}: {_WAY_OUT}")
    return weights


_KINDS = ("weight", "bias")


def save_runs(
    runs: dict[str, list[Snapshot]],
    path: Path | str,
    *,
    layer: str,
    channels: dict[str, dict[str, list[int]]],
    results: dict[str, dict[str, float]],
) -> Path:
    """Store runs as one safetensors file: all numbers, the filters of one layer, the maps of the chosen channels.

    channels : {run: {layer: channels whose maps are kept}}; runs not named keep no maps.
    results : {run: {what: number}} from after the training. Filters and maps are stored with 16 bits, numbers with 64.
    """
    tensors, numbers = {}, {}
    for name, snapshots in runs.items():
        numbers[name] = [_numbers(one) for one in snapshots]
        tensors[f"{name}/filters/{layer}"] = np.stack([one.filters[layer] for one in snapshots]).astype(np.float16)
        for kept, indices in channels.get(name, {}).items():
            tensors[f"{name}/maps/{kept}"] = np.stack([one.maps[kept][indices] for one in snapshots]).astype(np.float16)
    return write_bytes(path, save(tensors, {"numbers": json.dumps(numbers), "results": json.dumps(results)}))


def load_runs(path: Path | str = RUNS_FILE) -> dict[str, list[Snapshot]]:
    """What `save_runs` stored: {run: snapshots}, with the filters and maps that were kept.

    Raises FileNotFoundError or ValueError, with the command that makes the file, where it is missing or damaged.
    """
    tensors, metadata = _read(path)
    try:
        runs = json.loads(metadata["numbers"])
        return {name: _snapshots(name, rows, tensors) for name, rows in runs.items()}
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ValueError(f"{Path(path).name} holds no runs ({error}): {_WAY_OUT}") from error


def load_results(path: Path | str = RUNS_FILE) -> dict[str, dict[str, float]]:
    """How the stored trainings ended: {run: {"own labels": share right, "held out": share right}}."""
    _, metadata = _read(path)
    try:
        results = json.loads(metadata["results"])
        return {name: {what: float(share) for what, share in one.items()} for name, one in results.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{Path(path).name} holds no results ({error}): {_WAY_OUT}") from error


def _read(path: Path | str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}: {_WAY_OUT}")
    try:
        with safe_open(path, "numpy") as file:
            tensors = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}
    except (SafetensorError, OSError, TypeError, AttributeError) as error:
        raise ValueError(f"{path.name} is damaged ({error}): {_WAY_OUT}") from error


def _numbers(one: Snapshot) -> dict:
    numbers = {key: getattr(one, key) for key in ("step", "loss", "accuracy", "input_spread", "categories")}
    return numbers | {"layers": {name: asdict(state) for name, state in one.layers.items()}}


def _snapshots(run: str, rows: list[dict], tensors: dict[str, np.ndarray]) -> list[Snapshot]:
    def at(place, kind):
        prefix = f"{run}/{kind}/"
        return {name.removeprefix(prefix): values[place] for name, values in tensors.items() if name.startswith(prefix)}

    return [
        Snapshot(
            **{**row, "layers": {name: LayerState(**state) for name, state in row["layers"].items()}},
            filters=at(place, "filters"),
            maps=at(place, "maps"),
        )
        for place, row in enumerate(rows)
    ]
