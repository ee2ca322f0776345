"""A small store for tests of the microscope's page: the layers of SqueezeNet, with made-up pictures and numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from days.common import squeezenet

LAYERS = {"conv1": 64} | {name: 2 * widths[2] for name, widths in squeezenet.FIRE_WIDTHS.items()}
PHOTOS, PROBES = ["chelsea", "coffee", "rocket", "brick"], [(0, 285, 0.58), (1, 504, 0.91)]
CELL, COLUMNS = 8, 32


def make_store(folder: Path, *, live: bool = True, every: int = 1) -> Path:
    """Write a store into a folder: cells of one color each, numbers drawn from a seed; channel 3 of fire9 is dead."""
    generator, layers = np.random.default_rng(0), []
    folder.mkdir(parents=True, exist_ok=True)
    for name, channels in LAYERS.items():
        cells = -(-channels // every)
        colors = generator.integers(0, 256, (-(-cells // COLUMNS), COLUMNS, 3), np.uint8)
        Image.fromarray(colors.repeat(CELL, 0).repeat(CELL, 1)).save(folder / f"{name}.webp", quality=60)
        data = {"response": generator.uniform(5, 90, cells).round(1).tolist(), "dead": [3] if name == "fire9" else []}
        data |= {"crops": [_crops(generator) for _ in range(cells)], "silenced": [[0, [0.5, -0.75, 282]]] * cells}
        if name == "conv1":
            data |= {"filter": generator.normal(size=(cells, 27)).round(3).tolist(), "filter_shape": [3, 3, 3]}
        else:
            before = list(LAYERS)[list(LAYERS).index(name) - 1]
            data["inputs"] = [[[before, 8 * place, 1.5 - place] for place in range(6)]] * cells
        votes = [[[category, 0.5] for category in range(5)], [[category, -0.25] for category in range(5, 10)]]
        data["votes"] = [votes] * cells if name == "fire9" else None
        (folder / f"{name}.json").write_text(json.dumps(data))
        files = {"sheet": f"{name}.webp", "data": f"{name}.json", "caption": f"What {name} sees."}
        layers.append({"name": name, "channels": channels, "cell": CELL, "columns": COLUMNS, **files})
    about = {
        "network": "SqueezeNet 1.1",
        "framework": "torch",
        "live": live,
        "input_size": 224,
        "every": every,
        "layers": layers,
        "categories": None,
        "photos": [{"name": name, "file": None} for name in PHOTOS],
        "probes": [{"photo": photo, "category": category, "before": before} for photo, category, before in PROBES],
        "grown": {"sizes": {}, "steps": 1, "parameterization": "none", "transforms": "none", "seed": 0},
        "says": ["These numbers are made up."],
    }
    (folder / "about.json").write_text(json.dumps(about))
    return folder


def _crops(generator: np.random.Generator) -> list[list[float]]:
    places = generator.uniform(0, 0.6, (9, 2)).round(3).tolist()
    responses = sorted(generator.uniform(1, 40, 9).round(2).tolist(), reverse=True)
    return [[place % 4, left, top, 0.25, 0.375, responses[place]] for place, (left, top) in enumerate(places)]
