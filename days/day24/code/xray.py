"""The X-ray of a CNN of your own: what is inside, what is wrong with it and how sure that is, as one HTML file.

    python -m days.day24.code.xray days.day24.code.examples:squeezenet --images photos -o report.html

In a notebook: `xray(network, "photos")`.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
from tqdm.auto import tqdm

from days.common.checks import check_integer
from days.common.models import Model, softmax
from days.common.paths import write_bytes
from days.day20.code.objectives import channel
from days.day20.code.parameterization import pixel_map
from days.day24.code import loading, pictures, report
from days.day24.code.anatomy import Layer, NormStatistics, Pixels, Summary, together
from days.day24.code.findings import Facts, Finding, Trial, facts_of, findings_of
from days.day24.code.loading import Photos
from days.day24.code.pictures import Picture
from days.day24.code.preprocessing import alternatives, pixels_of

BATCH = 4
LAYERS_SHOWN = 8
CAMS_OF_A_KIND = 4
FAVORITES = 6
STEPS, SIDE, DEEP, FLAT = 48, 96, 60, 0.03


@dataclass(frozen=True)
class Subject:
    """A network with all that is needed to run it."""

    network: object = field(repr=False)
    backend: ModuleType = field(repr=False)
    pixels: Pixels
    size: int
    categories: list[str] | None = field(repr=False)
    name: str

    def batch(self, images: np.ndarray, pixels: Pixels | None = None):
        """Images (N, H, W, 3) as the network takes them."""
        return self.backend.to_batch(self.network, (pixels or self.pixels)(images))

    def called(self, category: int) -> str:
        """A category's name, or its number."""
        return self.categories[category] if self.categories else f"category {category}"


@dataclass(frozen=True)
class Report:
    """What an X-ray found: `findings`, worst first, and the whole report as `html`."""

    findings: list[Finding]
    html: str = field(repr=False)

    def _repr_html_(self) -> str:
        look = "width:100%;height:48rem;border:1px solid #888"
        return f'<iframe title="X-ray report" sandbox srcdoc="{escape(self.html)}" style="{look}"></iframe>'


@dataclass
class Examination:
    """All that was seen, as the report shows it."""

    subject: Subject
    photos: Photos
    truth: np.ndarray | None
    truth_words: str
    layers: list[Layer]
    facts: list[Facts]
    trials: list[Trial]
    findings: list[Finding]
    cams: list[Picture] = field(default_factory=list)
    shown: dict[str, list[Picture]] = field(default_factory=dict)
    favorites: dict[str, list[Picture]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def xray(
    network,
    images,
    output: Path | str | None = None,
    *,
    size: int | None = None,
    mean=None,
    std=None,
    order: str | None = None,
    labels: Sequence[str] | None = None,
    limit: int = 60,
    progress: bool = True,
) -> Report:
    """X-ray a CNN on some photos; the report is shown in a notebook, and written to `output` if that is named.

    Parameters
    ----------
    network : a torch module, a functional or sequential Keras model, or a `Model` of the course, whose preprocessing
        and categories are then used. It comes back as it was.
    images : a folder, or a list or dictionary of whatever `load_image` takes. Names of folders inside are the truth.
    size : of the squares that photos are cropped to; what the network is bound to, or 224. mean, std, order : see
        `pixels_of`; ImageNet's unless given. labels : the categories' names, by number.
    limit : of more photos than this, as many are looked at, evenly spread.

    Nothing is written but `output`, whole or not at all. Raises ValueError, in one line, for a network or photos
    that it cannot take, and OSError where `output` cannot be written.
    """
    output = _checked_output(output)
    subject = prepare(network, size=size, mean=mean, std=std, order=order, labels=labels)
    photos = loading.read_photos(images, subject.size, check_integer(limit, 1, "limit"))
    with tqdm(desc="X-ray", unit="step", disable=not progress) as bar, warnings.catch_warnings():
        # What is not finite or empty is a finding here, not a warning.
        warnings.simplefilter("ignore", RuntimeWarning)
        found = examine(subject, photos, bar)
        illustrate(found, bar)
    html = report.render(found)
    if output:
        write_bytes(output, html.encode())
    return Report(found.findings, html)


def _checked_output(output: Path | str | None) -> Path | None:
    """The file to write, or ValueError before any work is done where it could not be written."""
    if output is None:
        return None
    path = Path(output).expanduser()
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"cannot write {str(path)!r}: expected the name of a file in a folder that exists")
    return path


# ---------------------------------------------------------------- examine


def prepare(network, *, size=None, mean=None, std=None, order=None, labels=None) -> Subject:
    """A network with its backend, preprocessing, size and categories. Raises ValueError for what cannot be X-rayed."""
    model = network if isinstance(network, Model) else None
    network = model.network if model else network
    backend = backend_of(network)
    channels, bound = backend.input_form(network)
    if size is not None and bound not in (None, size):
        raise ValueError(f"expected the size {bound} that the network is bound to, got {size}")
    if model and mean is None and std is None and order is None:
        matrix, offset = pixel_map(model.preprocess, backend.to_planes)
        pixels = Pixels("the model's own preprocessing", matrix, offset)
    else:
        pixels = pixels_of(channels, mean, std, order or "rgb")
    categories = list(labels) if labels is not None else (model.categories if model else None)
    name = model.name if model else type(network).__name__
    size = check_integer((bound or 224) if size is None else size, 8, "size")
    return Subject(network, backend, pixels, size, categories, name)


def backend_of(network) -> ModuleType:
    """The backend for a network, told by its type, so that the other framework is never imported."""
    packages = {one.__module__.split(".")[0] for one in type(network).__mro__}
    for package in ("torch", "keras"):
        if package in packages:
            return import_module(f"days.day24.code.{package}_backend")
    raise ValueError(f"expected a torch or Keras network, got {type(network).__name__}")


def examine(subject: Subject, photos: Photos, bar) -> Examination:
    """Run the network over the photos, as it is fed and as it might be, and judge what is seen."""
    network, backend = subject.network, subject.backend
    modes = backend.training_layers(network)
    try:
        places, norm = backend.places(network, subject.batch(photos.images[:1]))
    except ValueError as error:
        raise ValueError(f"{error}; for the X-ray, size (--size) says how large, now {subject.size}") from error
    if not places:
        raise ValueError("no 2-d convolution of the network ran on the first photo: there are no maps to look at")
    others = alternatives(subject.pixels) if len(photos.names) > 2 else []
    bar.total = -(-len(photos.names) // BATCH) * (1 + len(others)) + 1
    bar.total += len(_spread(places, LAYERS_SHOWN)) + len(_loved(places))
    trial, summaries = _tried(subject, photos.images, subject.pixels, places, norm, bar)
    trials = [trial, *(_tried(subject, photos.images, one, [], norm, bar)[0] for one in others)]
    truth, words = loading.truth_of(photos.folders, _fitting(subject, trial), trial.scores.shape[1])
    layers = [Layer(place, backend.weights(network, place), summaries[place.layer]) for place in places]
    with np.errstate(all="ignore"):
        facts = [facts_of(layer, subject.pixels.reach) for layer in layers]
        findings = findings_of(layers, facts, trials, truth, modes)
    return Examination(subject, photos, truth, words, layers, facts, trials, findings)


def _fitting(subject: Subject, trial: Trial) -> list[str] | None:
    if subject.categories and len(subject.categories) != trial.scores.shape[1]:
        raise ValueError(f"expected {trial.scores.shape[1]} labels, one a category, got {len(subject.categories)}")
    return subject.categories


def _tried(subject: Subject, images: np.ndarray, pixels: Pixels, places, norm, bar) -> tuple[Trial, dict[str, Summary]]:
    """One preprocessing tried on all images, a few at a time: what is said, and the maps' summaries by layer."""
    scores, norms, summaries = [], [], {place.layer: [] for place in places}
    for start in range(0, len(images), BATCH):
        batch = subject.batch(images[start : start + BATCH], pixels)
        answers, seen, statistics = subject.backend.look(subject.network, places, norm, batch)
        scores.append(answers)
        norms += [statistics] if statistics else []
        for layer, one in seen.items():
            summaries[layer].append(one)
        bar.update()
    answers = np.concatenate(scores)
    trial = Trial(pixels.name, as_scores(answers), _averaged(norms), answers.shape[1])
    return trial, {layer: together(parts) for layer, parts in summaries.items()}


def _averaged(norms: list[NormStatistics]) -> NormStatistics | None:
    """Statistics of several batches as one."""
    if not norms:
        return None
    means, variances = np.stack([one.mean for one in norms]), np.stack([one.variance for one in norms])
    return norms[0]._replace(mean=means.mean(axis=0), variance=variances.mean(axis=0) + means.var(axis=0))


def as_scores(answers: np.ndarray) -> np.ndarray:
    """A network's answers (N, categories) as scores before the softmax, whatever it ends in; one number becomes two.

    Probabilities are told by their sum of 1. One number of 0 to 1 throughout is a sigmoid's, any other a logit.
    """
    if answers.shape[1] == 1:
        within = answers.min() >= 0 and answers.max() <= 1
        return (
            np.log(np.maximum([1 - answers, answers], 1e-30))[..., 0].T if within else np.hstack([0 * answers, answers])
        )
    if answers.min() >= 0 and np.allclose(answers.sum(axis=1), 1, atol=1e-3):
        return np.log(np.maximum(answers, 1e-30))
    return answers


# ---------------------------------------------------------------- illustrate


def illustrate(found: Examination, bar) -> None:
    """Add the pictures: Grad-CAM, some layers' filters and maps, some channels' favorites."""
    found.cams = _cams(found)
    bar.update()
    for layer in _spread(found.layers, LAYERS_SHOWN):
        found.shown[layer.name] = _layer_pictures(found, layer)
        bar.update()
    for layer in _loved(found.layers):
        found.favorites[layer.name] = _favorites(found, layer)
        bar.update()


def _loved(layers: Sequence) -> list:
    """The layers whose strongest channels are shown with what they love: three behind the first, spread."""
    return _spread(layers[1:] or layers, 4)[-3:]


def _spread(layers: Sequence, count: int) -> list:
    """At most `count` layers, the first and the last among them."""
    chosen = np.unique(np.linspace(0, len(layers) - 1, min(count, len(layers))).round().astype(int))
    return [layers[index] for index in chosen]


def _cams(found: Examination) -> list[Picture]:
    """Grad-CAM at the last convolution that still has maps: of wrong and right answers, or of sure and unsure ones."""
    scores, truth, subject = found.trials[0].scores, found.truth, found.subject
    deep = [layer for layer in found.layers if min(layer.summary.size) > 1]
    if not deep or not np.isfinite(scores).all():
        found.remarks.append("No Grad-CAM: the scores are not finite, or no layer has maps of more than one place.")
        return []
    place, said, sure = deep[-1].place, scores.argmax(axis=1), softmax(scores).max(axis=1)
    order = np.argsort(-sure, kind="stable")
    wrong = order[(len(order) + 1) // 2 :][::-1] if truth is None else order[(said != truth)[order]]
    right = order[: (len(order) + 1) // 2] if truth is None else order[(said == truth)[order]]
    cams = []
    for index in (*wrong[:CAMS_OF_A_KIND], *right[:CAMS_OF_A_KIND]):
        asked = int(said[index]) if found.trials[0].outputs > 1 else 0
        batch = subject.batch(found.photos.images[index : index + 1])
        one = subject.backend.grad_cam(subject.network, batch, place.watch, asked)
        words = f"says {subject.called(int(said[index]))} ({sure[index]:.0%})"
        if truth is not None:
            verdict = "right" if said[index] == truth[index] else f"wrong, it is {subject.called(int(truth[index]))}"
            words = f"{words}: {verdict}"
        name = found.photos.names[index]
        cams.append(pictures.cam_picture(found.photos.images[index], np.nan_to_num(one), name, f"{name}: {words}"))
    found.remarks.append(f"Grad-CAM is taken at {place.watch}, and each map is scaled by itself.")
    return cams


def _layer_pictures(found: Examination, layer: Layer) -> list[Picture]:
    """A layer's strongest filters, and what they make of the photo that the layer answers most strongly."""
    subject, photos = found.subject, found.photos
    channels = np.sort(_strongest(layer, pictures.SHOWN))
    index = int(np.nan_to_num(layer.summary.mean[:, channels].sum(axis=1)).argmax())
    maps = _maps(subject, layer, photos.images[index : index + 1])[0, channels]
    exchanged = np.argmax(subject.pixels.matrix[0]) == 2
    order = ("BGR" if exchanged else "RGB") if layer.place.sees_pixels else None
    raw = subject.backend.filters(subject.network, layer.name)
    return [
        pictures.filters_picture(raw, channels, layer.name, order=order),
        pictures.maps_picture(maps, channels, layer.name, photos.names[index]),
    ]


def _strongest(layer: Layer, count: int) -> np.ndarray:
    means = np.nan_to_num(layer.summary.mean.mean(axis=0), posinf=0)
    return np.argsort(-means, kind="stable")[:count]


def _maps(subject: Subject, layer: Layer, images: np.ndarray) -> np.ndarray:
    """A layer's maps (N, C, h, w) of some images, after the ReLU if one follows."""
    maps = subject.backend.capture(subject.network, layer.place.watch, subject.batch(images))[layer.place.watch]
    return np.maximum(maps, 0) if layer.place.rectified else maps


def _favorites(found: Examination, layer: Layer) -> list[Picture]:
    """A layer's strongest channels: for each a grown picture, and the photo that excites it most, lit by its map."""
    subject, photos = found.subject, found.photos
    channels = _strongest(layer, FAVORITES)
    loved = np.nan_to_num(layer.summary.top[:, channels]).argmax(axis=0)
    grown = _grown(found, layer, channels)
    maps = _maps(subject, layer, photos.images[loved])
    shown = []
    for place, (number, index, favorite) in enumerate(zip(channels, loved, grown, strict=True)):
        name = photos.names[index]
        alt = f"{'' if favorite is None else 'A grown picture, and '}{name} lit where channel {number} answers."
        caption = f"channel {number}; of the photos it loves {name}"
        shown.append(pictures.channel_picture(favorite, photos.images[index], maps[place, number], alt, caption))
    return shown


def _grown(found: Examination, layer: Layer, channels: np.ndarray) -> list[np.ndarray | None]:
    """A picture that excites each channel, by a short ascent; None, with a remark, where there is none to be had."""
    subject, none = found.subject, [None] * len(channels)
    if len(subject.pixels.matrix) != 3:
        found.remarks.append(f"No pictures are grown for {layer.name}: the network sees gray images.")
        return none
    _, bound = subject.backend.input_form(subject.network)
    # The way back is kept in memory: a deep network gets smaller pictures.
    side = SIDE if len(found.layers) <= DEEP else SIDE * 2 // 3
    how = {"size": bound or min(side, subject.size), "preprocess": lambda image: subject.batch(image[None])}
    # The convolution itself is asked, where no ReLU hides which way is up; a batch norm behind it may turn the sign.
    raw = subject.backend.filters(subject.network, layer.name)[channels]
    signs = np.where((raw * layer.weights.filters[channels]).sum(axis=(1, 2, 3)) < 0, -1, 1)
    wanted = [int(sign) * channel(layer.name, int(one)) for sign, one in zip(signs, channels, strict=True)]
    try:
        ascent = subject.backend.Ascent(subject.network, wanted, **how)
        for _ in range(STEPS):
            if ascent.step() is None:
                break
    except ValueError as error:
        found.remarks.append(f"No pictures are grown for {layer.name}: {loading.one_line(error)}.")
        return none
    flat = [one.std() < FLAT for one in ascent.images()]
    if any(flat):
        found.remarks.append(f"{layer.name}: {sum(flat)} channels moved no picture, as they start silent.")
    return [None if still else one for still, one in zip(flat, ascent.images(), strict=True)]


# ---------------------------------------------------------------- the command line


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: 0 when the report is written, 2 with one line for what cannot be done, 130 when interrupted."""
    asked = _parser().parse_args(arguments)
    try:
        network = loading.call_factory(asked.model)
        if asked.weights:
            _load_weights(network, asked.weights)
        labels = loading.read_labels(asked.labels) if asked.labels else None
        how = {"size": asked.size, "mean": asked.mean, "std": asked.std, "order": asked.order, "limit": asked.limit}
        found = xray(network, asked.images, asked.output, labels=labels, **how).findings
    except (ValueError, OSError, ImportError) as error:
        print(f"xray: {loading.one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("xray: interrupted; nothing was written", file=sys.stderr)
        return 130
    print(f"{len(found)} {'finding' if len(found) == 1 else 'findings'}, in {asked.output}")
    for one in found:
        print(f"- {one.title} ({one.sure})")
    return 0


def _load_weights(network, path: str) -> None:
    network = network.network if isinstance(network, Model) else network
    with warnings.catch_warnings():
        # What torch says of a file that it then refuses is said again in one line.
        warnings.simplefilter("ignore", UserWarning)
        backend_of(network).load_weights_file(network, str(Path(path).expanduser()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m days.day24.code.xray",
        description="X-ray a CNN of your own: what is inside, what is wrong, how sure that is. One HTML file.",
        epilog="Example: python -m days.day24.code.xray days.day24.code.examples:squeezenet --images photos -o r.html",
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="package.module:callable, a function that returns a torch or Keras network")
    add("--images", required=True, metavar="FOLDER", help="photos; names of folders inside it are the truth")
    add("-o", "--output", default="report.html", metavar="FILE", help="the report (report.html)")
    add("--weights", metavar="FILE", help="weights alone: .pt, .pth or .safetensors (torch), .weights.h5 (Keras)")
    add("--size", type=int, help="photos are cropped to squares of SIZE pixels (224)")
    add("--mean", type=_numbers, metavar="R,G,B", help="taken away from values of 0 to 1 (ImageNet's)")
    add(
        "--std", type=_numbers, metavar="R,G,B", help="what is left is divided by it (ImageNet's; 1/255 gives 0 to 255)"
    )
    add("--order", choices=("rgb", "bgr"), help="of the colors that the network wants (rgb)")
    add("--labels", metavar="FILE", help="the categories' names, one a line")
    add("--limit", type=int, default=60, help="of more photos than this, as many are looked at (60)")
    return parser


def _numbers(text: str) -> list[float]:
    """Numbers and fractions with commas between: "0.5" or "104/255,117/255,123/255"."""
    try:
        parts = [part.split("/") for part in text.split(",")]
        return [float(part[0]) / float(part[1]) if len(part) == 2 else float("".join(part)) for part in parts]
    except (ValueError, ZeroDivisionError) as error:
        raise argparse.ArgumentTypeError(f"expected numbers such as 0.5 or 0.485,0.456,0.406, got {text!r}") from error


if __name__ == "__main__":
    sys.exit(main())
