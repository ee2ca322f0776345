"""The microscope's page: an HTML file and a folder beside it, which open by a double click and ask for no network."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import matplotlib
import numpy as np
from PIL import Image

from days.common import squeezenet
from days.common.categories import imagenet_categories
from days.common.images import IMAGE_NAMES, load_image
from days.common.paths import write_bytes
from days.day20.code.parameterization import color_basis
from days.microscope.store import photo, read_about
from days.microscope.tensorflow_js import tensorflow_js

PARTS = Path(__file__).with_name("page")
SCRIPTS = ("data.js", "photo.js", "live.js", "wall.js", "panel.js", "main.js")
PHOTO_SIDE, PHOTO_QUALITY = 512, 82

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(PARTS),
    autoescape=jinja2.select_autoescape(["html", "j2"]),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
)


def write_page(store: Path, folder: Path, *, home: str = "") -> Path:
    """Write `microscope.html` into a folder, and what it needs into `microscope/` beside it; returns the page's path.

    store : as `days.microscope.store` reads it. home : the page that the page's head links to, if any.

    Raises OSError for a folder that cannot be written.
    """
    for name, data in page_files(store, home=home).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(folder / name, data)
    return folder / "microscope.html"


def page_files(store: Path, *, home: str = "") -> dict[str, bytes]:
    """The page's files by name, as `write_page` writes them; where the network cannot run in it, a line is printed."""
    about = _described(store)
    files = {f"microscope/{name}": (PARTS / name).read_bytes() for name in (*SCRIPTS, "page.css")}
    for layer in about["layers"]:
        files[f"microscope/{layer['shown']}"] = (store / layer["sheet"]).read_bytes()
        files[f"microscope/{layer['script']}.js"] = _script(layer["script"], (store / layer["data"]).read_text("utf-8"))
    for index, one in enumerate(about["photos"]):
        files[one["file"]] = _jpeg(photo(store, index))
    note = ""
    if about["live"]:
        try:
            library = tensorflow_js()
        except OSError as error:
            note = f"The network does not run in the microscope, as TensorFlow.js is missing: {error}"
            about["live"] = False
            print(note)
        else:
            files |= live_files(library)
    return files | {"microscope.html": _html(about, home, note)}


def _described(store: Path) -> dict[str, Any]:
    """What the store says of itself, and what else the page must know before it draws."""
    about = read_about(store)
    about["categories"] = about["categories"] or imagenet_categories()
    for index, layer in enumerate(about["layers"]):
        with Image.open(store / layer["sheet"]) as sheet:
            layer["across"], layer["down"] = (side // layer["cell"] for side in sheet.size)
        # A layer's name may hold what no address may.
        layer["script"], layer["shown"] = f"layers/{index:02d}", f"layers/{index:02d}{Path(layer['sheet']).suffix}"
    for index, one in enumerate(about["photos"]):
        one["file"] = f"microscope/photos/{index:02d}.jpg"
    colors = {name: matplotlib.colormaps[name](range(256), bytes=True)[:, :3] for name in ("viridis", "inferno")}
    return about | {"scales": {name: values.tolist() for name, values in colors.items()}}


def _html(about: Mapping[str, Any], home: str, note: str) -> bytes:
    text = json.dumps(about, separators=(",", ":")).replace("<", "\\u003c")
    return (
        _TEMPLATES.get_template("page.html.j2")
        .render(
            about=about,
            about_json=text,
            count=sum(-(-layer["channels"] // about["every"]) for layer in about["layers"]),
            probes=IMAGE_NAMES,
            scripts=SCRIPTS[1:],
            home=home,
            note=note,
        )
        .encode()
    )


def _jpeg(image: np.ndarray) -> bytes:
    """A photo (H, W, 3) as a file, at most PHOTO_SIDE pixels a side."""
    picture, file = Image.fromarray((image * 255 + 0.5).astype(np.uint8)), io.BytesIO()
    picture.thumbnail((PHOTO_SIDE, PHOTO_SIDE), Image.Resampling.LANCZOS)
    picture.save(file, "JPEG", quality=PHOTO_QUALITY)
    return file.getvalue()


def live_files(library: Mapping[str, bytes], dtype: type = np.float16) -> dict[str, bytes]:
    """What runs the network in the page: TensorFlow.js with `engine.js`, the weights, the seven photos.

    library : the files of TensorFlow.js by name. dtype : of the weights, np.float16 or np.float32.
    """
    scripts = [
        library["tf.es2017.min.js"],
        library["tf-backend-wasm.es2017.min.js"],
        (PARTS / "engine.js").read_bytes(),
    ]
    weights = squeezenet.imagenet_weights()
    numbers = np.concatenate([part.ravel() for name in squeezenet.weight_shapes() for part in weights[name]])
    network = {
        "binary": _base64(library["tfjs-backend-wasm-simd.wasm"]),
        "values": _base64(numbers.astype(np.dtype(dtype).newbyteorder("<")).tobytes()),
        "half": dtype is np.float16,
        "shapes": list(squeezenet.weight_shapes().items()),
        "layers": ["conv1", *squeezenet.FIRE_WIDTHS],
        "pools": list(squeezenet.POOL_AFTER),
        "mean": squeezenet.MEAN_BGR.tolist(),
        "basis": color_basis().tolist(),
    }
    brought: dict[str, Any] = {"engine": "\n".join(part.decode() for part in scripts), "network": network}
    files = {f"microscope/probes/{name}.jpg": _jpeg(load_image(name, size=96)) for name in IMAGE_NAMES}
    for name in IMAGE_NAMES:  # 8 bits would change some scores by 0.3
        pixels = np.rint(load_image(name, size=224) * 65535).astype("<u2")
        brought[f"probes/{name}"] = _base64(pixels.tobytes())
    return files | {f"microscope/{name}.js": _script(name, json.dumps(data)) for name, data in brought.items()}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _script(name: str, text: str) -> bytes:
    """A script that brings JSON under a name: a page that is opened from a file may load scripts, and fetch nothing."""
    return f"give({json.dumps(name)}, {text});\n".encode()
