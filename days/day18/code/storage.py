"""Where Day 18 keeps what its trainings made: weights and runs, as safetensors, which hold arrays and run nothing."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

import numpy as np

from days.common.arrays import Arrays, flat, load_arrays, paired, reading, save_arrays
from days.common.paths import REPO_ROOT
from days.day18.code.snapshots import LayerState, Snapshot
from days.day18.code.training import Weights, weight_shapes

WEIGHTS_FILE = REPO_ROOT / "days/day18/weights/shapes_cnn.safetensors"
RUNS_FILE = REPO_ROOT / "days/day18/weights/runs.safetensors"
FINALS_FILE = REPO_ROOT / "days/day18/weights/finals.safetensors"
_WAY_OUT = "python -m days.day18.code.runs makes it anew"


def save_weights(weights: Weights, path: Path | str) -> Path:
    """Store the small network's weights, {layer: (weights, bias)}, and return the path."""
    return save_arrays(flat(weights), path)


def load_weights(path: Path | str = WEIGHTS_FILE) -> Weights:
    """The small network's weights, {layer: (weights, bias)}: those trained on shapes, unless another file is named.

    Raises FileNotFoundError or ValueError where the file is missing, damaged or holds another network.
    """
    with reading(path, "weights", _WAY_OUT):
        weights = paired(defaultdict(lambda: np.empty(0), load_arrays(path)[0]), weight_shapes())
    wanted = {name: (shape, shape[:1]) for name, shape in weight_shapes().items()}
    got = {name: tuple(part.shape for part in pair) for name, pair in weights.items()}
    if got != wanted:
        raise ValueError(f"expected weights of the shapes {wanted}, got {got} in {Path(path).name}: {_WAY_OUT}")
    return weights


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
    tensors: Arrays = {}
    numbers = {name: [_numbers(snapshot) for snapshot in snapshots] for name, snapshots in runs.items()}
    for name, snapshots in runs.items():
        tensors[f"{name}/filters/{layer}"] = np.stack([snapshot.filters[layer] for snapshot in snapshots])
        for kept, indices in channels.get(name, {}).items():
            tensors[f"{name}/maps/{kept}"] = np.stack([snapshot.maps[kept][indices] for snapshot in snapshots])
    tensors = {name: values.astype(np.float16) for name, values in tensors.items()}
    return save_arrays(tensors, path, {"numbers": json.dumps(numbers), "results": json.dumps(results)})


def load_runs(path: Path | str = RUNS_FILE) -> dict[str, list[Snapshot]]:
    """What `save_runs` stored: {run: snapshots}, with the filters and maps that were kept.

    Raises FileNotFoundError or ValueError, with the command that makes the file, where it is missing or damaged.
    """
    with reading(path, "runs", _WAY_OUT):
        tensors, metadata = load_arrays(path)
        tensors = {name: values.astype(np.float32) for name, values in tensors.items()}
        return {name: _snapshots(name, rows, tensors) for name, rows in json.loads(metadata["numbers"]).items()}


def load_results(path: Path | str = RUNS_FILE) -> dict[str, dict[str, float]]:
    """How the stored trainings ended: {run: {"own labels": share right, "held out": share right}}."""
    with reading(path, "results", _WAY_OUT):
        results = json.loads(load_arrays(path)[1]["results"])
        return {name: {what: float(share) for what, share in shares.items()} for name, shares in results.items()}


def save_finals(finals: dict[str, Weights], path: Path | str, *, shares: dict[str, list[float]]) -> Path:
    """Store the weights that trainings ended with, with 16 bits, and the shares that trials named rightly."""
    tensors = {
        name: values.astype(np.float16)
        for run, weights in finals.items()
        for name, values in flat(weights, prefix=f"{run}/").items()
    }
    return save_arrays(tensors, path, {"results": json.dumps(shares)})


def load_finals(path: Path | str = FINALS_FILE) -> dict[str, Weights]:
    """The weights that `save_finals` stored: {run: {layer: (weights, bias)}}, float32."""
    with reading(path, "weights", _WAY_OUT):
        tensors = {name: values.astype(np.float32) for name, values in load_arrays(path)[0].items()}
        runs = dict.fromkeys(name.split("/")[0] for name in tensors)
        return {run: paired(tensors, weight_shapes(), prefix=f"{run}/") for run in runs}


def load_shares(path: Path | str = FINALS_FILE) -> dict[str, list[float]]:
    """The share of the held-out images that each trial named rightly, from each of its starts: {trial: shares}."""
    with reading(path, "results", _WAY_OUT):
        return dict(json.loads(load_arrays(path)[1]["results"]))


def _numbers(snapshot: Snapshot) -> dict:
    numbers = {key: getattr(snapshot, key) for key in ("step", "loss", "accuracy", "input_spread", "categories")}
    return numbers | {"layers": {name: asdict(state) for name, state in snapshot.layers.items()}}


def _snapshots(run: str, rows: list[dict], tensors: Arrays) -> list[Snapshot]:
    def at(place, part):
        prefix = f"{run}/{part}/"
        return {name.removeprefix(prefix): values[place] for name, values in tensors.items() if name.startswith(prefix)}

    return [
        Snapshot(
            **{**row, "layers": {name: LayerState(**state) for name, state in row["layers"].items()}},
            filters=at(place, "filters"),
            maps=at(place, "maps"),
        )
        for place, row in enumerate(rows)
    ]
