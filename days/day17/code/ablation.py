"""Taking a channel away, as section 3.9 does it: what a network says without it, and what a report on that is worth."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from days.common.comparison import brief
from days.common.images import IMAGE_NAMES, load_image
from days.common.models import Model, load_model
from days.common.tasks import Point, ReportError, fields
from days.day17.code.lesson import DEPTHS

BLOCKS = DEPTHS[:-1]
"""The layers that the task takes a channel from. In fire9, the sign of a channel's effect can be read off a weight."""
OTHERS, VERSIONS = 16, 6
DECIMALS = 2
"""To how many places the two changes of logits must be right."""
WANTED = {
    "layer": str,
    "channel": int,
    "photo": str,
    "speaks_for": str,
    "falls": float,
    "speaks_against": str,
    "rises": float,
    "elsewhere": int,
}


def logits_without(model: Model, layer: str, channels: int | Sequence[int], photos: Sequence[np.ndarray]) -> np.ndarray:
    """A PyTorch network's logits (N, categories) for photos (H, W, 3) of one size, some channels of a layer set to 0.

    channels : numbers of channels; [] takes none away. The network comes back as it was. Raises ValueError for a layer
    that does not exist, IndexError for a channel that does not.
    """
    import torch

    from days.day17.code.torch_backend import hooks, module_named

    def silence(module, inputs, output):
        output = output.clone()
        output[:, channels] = 0
        return output

    batch = torch.cat([model.preprocess(photo) for photo in photos])
    with hooks([(module_named(model.network, layer), silence)]):
        return model.logits(batch)


def versions(name: str) -> list[np.ndarray]:
    """Six other views of a bundled photo, (224, 224, 3) each: closer crops around six places, three mirrored."""
    photo = load_image(name, size=256)
    corners = [(0, 16), (16, 0), (16, 32), (32, 16), (8, 8), (24, 24)]
    crops = [photo[top : top + 224, left : left + 224] for top, left in corners]
    return [crop[:, ::-1] if place % 2 else crop for place, crop in enumerate(crops)]


def rubric(report) -> list[Point]:
    """Measure a report on one channel of SqueezeNet: see the task's text for what it claims.

    Raises TypeError or ValueError, in one line, for what is no such report.
    """
    model = _model()
    layer, channel, photo, category, falls, against, rises, elsewhere = _read(report, model)
    image = load_image(photo, size=224)
    here = _lost(model, layer, channel, [image])[0]
    others = [load_image(name, size=224) for name in IMAGE_NAMES if name != photo]
    there = _lost(model, layer, channel, others)[:, category]
    views = _lost(model, layer, channel, versions(photo))
    more = int((here > here[category]).sum())
    stronger = _stronger(model, layer, channel, image, category)
    fall, rise = float(here[category]), -float(here[against])
    kept, turned = int((views[:, category] > fall / 2).sum()), int((views[:, against] < 0).sum())
    # A fall of very nearly 0.1 may be counted or not: another processor computes it a little differently.
    least, count, most = (int((there > limit).sum()) for limit in (0.12, 0.1, 0.08))
    name, rival = report["speaks_for"], report["speaks_against"]
    return [
        _claimed(f"{name} falls", falls, fall),
        _claimed(f"{rival} rises", rises, rise),
        Point(fall > 0.5, f"the fall is {fall:.4g} (wanted: more than 0.5)"),
        Point(rise > 0.1, f"the rise is {rise:.4g} (wanted: more than 0.1)"),
        Point(more < 20, f"{more} of 1,000 categories lose more than {name} (fewer than 20 may)"),
        Point(stronger <= 1, f"{stronger} of {OTHERS} other channels cost {name} more (1 may)"),
        Point(kept >= 5, f"in {kept} of {VERSIONS} other views, {name} loses at least half as much (5 must)"),
        Point(turned >= 5, f"in {turned} of {VERSIONS} other views, {rival} rises (5 must)"),
        Point(
            least <= elsewhere <= most,
            f"{name} falls by more than 0.1 on {count} of the {len(others)} other photos, you say {elsewhere}",
        ),
    ]


def _lost(model: Model, layer: str, channel: int, photos: Sequence[np.ndarray]) -> np.ndarray:
    """By how much each logit falls without the channel, (N, categories)."""
    return logits_without(model, layer, [], photos) - logits_without(model, layer, channel, photos)


def _stronger(model: Model, layer: str, channel: int, image: np.ndarray, category: int) -> int:
    """How many of OTHERS other channels, drawn from all that fire on the photo, cost the category more."""
    from days.day17.code.backends import capture

    maps = capture(model.network, layer, model.preprocess(image))[layer][0]
    firing = np.setdiff1d(np.flatnonzero(maps.any(axis=(1, 2))), [channel])
    drawn = np.random.default_rng(channel).choice(firing, min(OTHERS, len(firing)), replace=False)
    left = logits_without(model, layer, channel, [image])[0, category]
    return sum(bool(logits_without(model, layer, int(other), [image])[0, category] < left) for other in drawn)


def _claimed(change: str, said: float, measured: float) -> Point:
    """Whether a claim is what was measured, rounded to DECIMALS places or more."""
    shown = f"{change} by {measured:.{DECIMALS + 1}f}, you say {said:.{DECIMALS + 1}f} (right to {DECIMALS} decimals)"
    return Point(abs(said - measured) <= 0.51 * 10**-DECIMALS, shown)


def _read(report, model: Model) -> tuple:
    """The report's values in the order of WANTED, with the categories as numbers."""
    values = dict(zip(WANTED, fields(report, **WANTED), strict=True))
    for key, known in (("layer", BLOCKS), ("photo", IMAGE_NAMES)):
        if values[key] not in known:
            raise ReportError(f"expected {key!r} as one of {', '.join(known)}, got {brief(values[key])}")
    width = model.network.get_submodule(values["layer"]).expand3x3.out_channels * 2
    if not 0 <= values["channel"] < width:
        raise ReportError(f"expected a channel of {values['layer']} from 0 to {width - 1}, got {values['channel']}")
    for key in ("speaks_for", "speaks_against"):
        if values[key] not in model.categories:
            raise ReportError(f"expected {key!r} as `model.categories` has it, got {brief(values[key])}")
        values[key] = model.categories.index(values[key])
    return tuple(values.values())


@cache
def _model() -> Model:
    return load_model("squeezenet")
