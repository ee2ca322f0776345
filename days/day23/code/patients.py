"""Patients of the filter clinic: healthy networks, disguised, with faults planted by a seed; the key is kept apart.

    patient, key = admit(7)                     # a mixture of faults
    patient, key = admit(7, kind="noise")       # faults of one kind
    patient, key = admit(7, kind="healthy")     # none

`python -m days.day23.code.patients` writes six patients, and their keys into another folder; both into a folder that is
named behind it, if one is.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from days.common.arrays import flat, load_arrays, paired, reading, save_arrays
from days.common.checks import check_integer
from days.common.comparison import brief
from days.common.paths import REPO_ROOT, write_bytes
from days.day18.code.training import Weights, normalize
from days.day23.code import network
from days.day23.code.detectors import bounds
from days.day23.code.network import LAYERS, SETTINGS, RunSettings, Statistics

FILTER_KINDS = ("dead", "redundant", "noise", "tuned to one image", "exploded")
RUN_KINDS = ("batch norm in training mode", "wrong preprocessing")
KINDS = FILTER_KINDS + RUN_KINDS
CLINIC = REPO_ROOT / "days/day23"
WARD = {"01": (40, None), "02": (24, None), "03": (9, None), "04": (4, None), "05": (59, None), "06": (6, "healthy")}
"""The six patients that are stored: name -> (seed, kind)."""
_STATISTICS = ("mean", "variance")
_WAY_OUT = f"there are {', '.join(WARD)}, and python -m days.day23.code.patients makes them anew"


@dataclass(frozen=True, eq=False)
class Patient:
    """A network as it comes to the clinic. Nothing in it says what is wrong.

    weights : {layer: (weights, bias)}. statistics : what its batch norms have stored.
    record : (2, 8, C) mean and deviation, over all places, of the first convolution's answers to the eight images of
        `network.chart_images()`, written down when these weights were last run rightly.
    sealed_settings : how it is run now, as a digest that nobody can read; `network.run` needs `settings_of(patient)`.
    """

    name: str
    weights: Weights
    statistics: Statistics
    record: np.ndarray
    sealed_settings: str


@dataclass(frozen=True)
class Fault:
    """One planted fault.

    kind : of `KINDS`. layer : "" for the whole network. channels : (original, copy) if redundant. cause : how it was
    made. number : what it was made with, such as a copy's scale or an image's number; 0 where there is none.
    """

    kind: str
    layer: str
    channels: tuple[int, ...]
    cause: str
    number: float = 0.0


def read_claim(claim, *, evidence: bool = False) -> tuple[tuple[str, str, tuple[int, ...]], Any]:
    """A claim as what it names, (kind, layer, channels from small to large), and its evidence.

    (kind, layer, channel), with two channels for "redundant", or (kind,) for how a network is run. evidence : a claim
    ends with it, but for the batch norm's, which has none. Raises ValueError for anything else.

    >>> read_claim(("redundant", "conv2", 5, 3)), read_claim(("dead", "conv1", 4, -0.5), evidence=True)
    ((('redundant', 'conv2', (3, 5)), None), (('dead', 'conv1', (4,)), -0.5))
    """
    kind, *parts = claim if isinstance(claim, (tuple, list)) and claim else (claim,)
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"expected a claim that begins with a kind out of {', '.join(KINDS)}, got {brief(claim)}")
    wanted = [] if kind in RUN_KINDS else ["layer", "channel"] + ["channel"] * (kind == "redundant")
    names = wanted + ["evidence"] * (evidence and kind != RUN_KINDS[0])
    if len(parts) != len(names) and (names or parts != [None]):
        raise ValueError(f"expected ({', '.join([repr(kind), *names])}{',' * (not names)}), got {brief(claim)}")
    if wanted and (not isinstance(parts[0], str) or parts[0] not in LAYERS):
        raise ValueError(f"expected a layer out of {', '.join(LAYERS)} in a claim, got {brief(parts[0])}")
    channels = (check_integer(one, 0, "a channel in a claim") for one in parts[1 : len(wanted)])
    return (kind, parts[0] if wanted else "", tuple(sorted(channels))), parts[-1] if len(names) > len(wanted) else None


@dataclass(frozen=True)
class Key:
    """What is planted in which patient; [] in a healthy one."""

    name: str
    faults: tuple[Fault, ...]


def admit(seed: int, kind: str | None = None, *, name: str | None = None) -> tuple[Patient, Key]:
    """Make a patient and its key from a seed.

    A healthy network is disguised: its channels are shuffled and scaled, which no prediction notices, and its weights
    are jittered by a hundredth. Then faults are planted, no two of them on one channel.

    kind : one of `KINDS`, or "healthy"; without it every kind is drawn, with a chance of 1/2 for each that sits in
    filters and of 1/4 for each that sits in how the network is run. name : the patient's; its seed, unless given.
    """
    if kind is not None and kind not in (*KINDS, "healthy"):
        raise ValueError(f"expected a kind out of {', '.join(KINDS)} or 'healthy', got {kind!r}")
    weights, generator = _disguised_network(seed)
    draws = generator.random(len(KINDS)) < np.where([one in RUN_KINDS for one in KINDS], 0.25, 0.5)
    kinds = [one for one, drawn in zip(KINDS, draws, strict=True) if (drawn if kind is None else one == kind)]
    weights, faults = plant(weights, kinds, generator)
    training, preprocessing = RUN_KINDS[0] in kinds, SETTINGS[0].preprocessing
    if training:
        faults.append(Fault(RUN_KINDS[0], "", (), "the batch's own statistics in place of the stored ones"))
    if RUN_KINDS[1] in kinds:
        preprocessing = str(generator.choice(list(network.PREPROCESSINGS)[1:]))
        faults.append(Fault(RUN_KINDS[1], "", (), preprocessing))
    patient = patient_of(weights, RunSettings(training, preprocessing), name=f"{seed:03d}" if name is None else name)
    return patient, Key(patient.name, tuple(faults))


def before_faults(seed: int) -> Weights:
    """The weights that `admit(seed)` plants its faults in: a healthy network, disguised."""
    return _disguised_network(seed)[0]


def _disguised_network(seed: int) -> tuple[Weights, np.random.Generator]:
    generator, networks = np.random.default_rng([23, seed]), network.healthy_networks()
    return disguised(networks[generator.integers(len(networks))], generator), generator


def patient_of(weights: Weights, settings: RunSettings = SETTINGS[0], *, name: str = "unnamed") -> Patient:
    """A patient from weights of the small network, with statistics and record taken while it is run rightly."""
    statistics = {}
    with np.errstate(all="ignore"):
        for layer, maps in network.run(weights, network.ward_images().images[:32]).before.items():
            mean, variance = maps.mean(axis=(0, 2, 3)), maps.var(axis=(0, 2, 3))
            finite = np.isfinite(mean) & np.isfinite(variance)
            kept = np.where(finite, mean, 0), np.where(finite, variance, 1)
            statistics[layer] = kept[0].astype(np.float32), kept[1].astype(np.float32)
    return Patient(name, weights, statistics, record_of(weights), _seal(settings, name))


def record_of(weights: Weights, *, run: Callable = network.run, **how) -> np.ndarray:
    """Mean and deviation over all places of the first convolution's answers to the chart images: (2, 8, C).

    run : `network.run` or a backend's. how : `statistics` and `settings`, as `network.run` takes them.
    """
    with np.errstate(all="ignore"):
        answers = run(weights, network.chart_images().images, **how).before[LAYERS[0]].astype(np.float64)
        return np.stack([answers.mean(axis=(2, 3)), answers.std(axis=(2, 3))])


def scores(patient: Patient, images: np.ndarray) -> np.ndarray:
    """What a patient says of images (N, H, W, 3) as it is run now, rightly or wrongly: (N, 6)."""
    settings = settings_of(patient)
    return network.run(patient.weights, images, statistics=patient.statistics, settings=settings).scores


def settings_of(patient: Patient) -> RunSettings:
    """How a patient is run. For `run`, not for a diagnosis: it breaks the seal, and is as good as a look at the key.

    Raises ValueError if the seal is none of this patient's.
    """
    for one in SETTINGS:
        if _seal(one, patient.name) == patient.sealed_settings:
            return one
    raise ValueError(f"patient {patient.name!r} has a seal that is not its own: was it renamed? admit(...) makes one")


def _seal(settings: RunSettings, name: str) -> str:
    # The words under which the stored patients were sealed: do not change them.
    words = f"Habits({', '.join(f'{field}={value!r}' for field, value in vars(settings).items())})"
    return hashlib.sha256(f"{name} {words}".encode()).hexdigest()


# ---------------------------------------------------------------- a disguise that changes nothing


def disguised(weights: Weights, generator: np.random.Generator, *, jitter: float = 0.01) -> Weights:
    """The same network to look at anew: channels shuffled, each scaled by 1/2 to 2, each weight jittered.

    A ReLU lets a positive factor through, so the next layer can divide by it: relu(s x) = s relu(x). Without jitter,
    scores differ by rounding alone.

    jitter : standard deviation of the noise, as a share of the layer's weights' own.
    """
    order = {name: generator.permutation(len(weights[name][1])) for name in LAYERS}
    weights = network.with_channels(weights, order)
    for name, later in zip(LAYERS, [*LAYERS[1:], "scores"], strict=True):
        scale = (2 ** generator.uniform(-1, 1, len(order[name]))).astype(np.float32)
        (values, bias), (next_values, next_bias) = weights[name], weights[later]
        noise = jitter * values.std() * generator.standard_normal(values.shape)
        weights[name] = (((values + noise) * scale[:, None, None, None]).astype(np.float32), bias * scale)
        weights[later] = (next_values / scale.reshape((1, -1) + (1,) * (next_values.ndim - 2)), next_bias)
    return weights


# ---------------------------------------------------------------- faults


def plant(
    weights: Weights,
    kinds: Sequence[str],
    generator: np.random.Generator,
    *,
    channels: dict[str, np.ndarray] | None = None,
    limits: Limits | None = None,
) -> tuple[Weights, list[Fault]]:
    """Plant faults of these kinds (those that sit in filters) into copies of the weights, the first layer first.

    An exploded filter spoils whatever lies behind it, so none lies before a filter that is tuned to one image.

    channels, limits : for another network than the small one, the channels that a fault may be planted in, {layer:
    indices} in forward order, and its `Limits`.
    """
    channels = {name: np.arange(len(weights[name][1])) for name in LAYERS} if channels is None else channels
    weights = {name: (values.copy(), bias.copy()) for name, (values, bias) in weights.items()}
    layers = list(channels)
    places = {kind: int(generator.integers(len(layers))) for kind in FILTER_KINDS}
    if "tuned to one image" in kinds:
        places["exploded"] = max(places["exploded"], places["tuned to one image"])
    chosen = [kind for kind in FILTER_KINDS if kind in kinds]
    free = {name: list(generator.permutation(those)) for name, those in channels.items()}
    planters: dict[str, Callable[..., Iterable[Fault]]] = {
        "dead": partial(_plant_dead, limits=limits or _limits),
        "redundant": _plant_redundant,
        "noise": _plant_noise,
        "tuned to one image": _plant_tuned,
        "exploded": _plant_exploded,
    }
    faults: list[Fault] = []
    for kind in sorted(chosen, key=places.__getitem__):
        layer = layers[places[kind]]
        faults += planters[kind](weights, layer, free[layer], generator)
    return weights, faults


Limits = Callable[[Weights, str], tuple[np.ndarray, np.ndarray]]
"""(weights, layer) -> the most that each of its channels can answer to anything, and did answer to the images: (C,)."""


def _limits(weights: Weights, layer: str) -> tuple[np.ndarray, np.ndarray]:
    seen = network.run(weights, network.ward_images().images).before[layer].max(axis=(0, 2, 3))
    return bounds(weights)[layer][1], seen


def _plant_dead(weights: Weights, layer: str, free: list, generator, *, limits: Limits) -> Iterator[Fault]:
    """One to three filters: a bias below anything the filter can answer, or did answer; or weights of zero."""
    values, bias = weights[layer]
    below = ("bias below anything possible", "bias below anything seen")
    most = dict(zip(below, limits(weights, layer), strict=True))
    for cause in generator.permutation([*below, "zero weights"])[: generator.integers(1, 4)]:
        channel = int(free.pop())
        if cause == "zero weights":
            values[channel], bias[channel] = 0, min(bias[channel], 0)
        else:
            bias[channel] = -generator.uniform(1.2, 3) * max(most[cause][channel] - bias[channel], 1e-3)
        yield Fault("dead", layer, (channel,), str(cause), float(bias[channel]))


def _plant_redundant(weights: Weights, layer: str, free: list, generator) -> Iterator[Fault]:
    """One or two copies of other filters, biases included: exact, nearly, scaled, or with the sign flipped."""
    values, bias = weights[layer]
    causes = generator.permutation(["exact copy", "near copy", "scaled copy", "sign flipped"])
    for cause in causes[: generator.integers(1, 3)]:
        original, copy = int(free.pop()), int(free.pop())
        scale = {"scaled copy": 10 ** generator.uniform(-0.5, 0.5), "sign flipped": -1.0}.get(cause, 1.0)
        values[copy], bias[copy] = scale * values[original], scale * bias[original]
        if cause == "near copy":
            noise = generator.standard_normal(values[copy].shape)
            noise *= generator.uniform(0.02, 0.2) * np.linalg.norm(values[copy]) / np.linalg.norm(noise)
            values[copy] += noise
        yield Fault("redundant", layer, (original, copy), str(cause), float(scale))


def _plant_noise(weights: Weights, layer: str, free: list, generator) -> Iterator[Fault]:
    """One or two filters of random numbers, normally distributed, as long as the filter that was there."""
    values, _ = weights[layer]
    for _ in range(generator.integers(1, 3)):
        channel = int(free.pop())
        values[channel] = noise_like(values[channel], generator)
        yield Fault("noise", layer, (channel,), "random weights with the original norm")


def noise_like(values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Random numbers, normally distributed, of the shape and the length of these."""
    noise = generator.standard_normal(values.shape)
    return noise * np.linalg.norm(values) / np.linalg.norm(noise)


def _plant_tuned(weights: Weights, layer: str, free: list, generator) -> list[Fault]:
    """A filter that is a piece of one image, as this layer is shown it, and silent for nearly anything less.

    Of 40 pieces that one is taken which answers itself most clearly better than any other image answers it. The bias
    lets through that image and up to two more, faintly.
    """
    channel = int(free.pop())
    values, bias = weights[layer]
    images, size = network.ward_images().images, values.shape[-1]
    if layer == LAYERS[0]:
        maps = normalize(images).transpose(0, 3, 1, 2)
    else:
        maps = network.pool(network.run(weights, images).activations[LAYERS[LAYERS.index(layer) - 1]])
    mean = maps.mean(axis=(0, 2, 3)).reshape(-1, 1, 1)
    places = [
        [int(generator.integers(top)) for top in (len(maps), *(n - size + 1 for n in maps.shape[2:]))]
        for _ in range(40)
    ]
    pieces = np.stack([maps[n, :, y : y + size, x : x + size] - mean for n, y, x in places])
    pieces *= np.linalg.norm(values[channel]) / np.linalg.norm(pieces.reshape(40, -1), axis=1).reshape(-1, 1, 1, 1)
    strongest = network.convolve(maps, pieces, np.zeros(40, maps.dtype)).max(axis=(2, 3))
    order = np.sort(strongest, axis=0)
    best = int(np.argmin(np.where(order[-1] > 0, order[-2] / np.maximum(order[-1], 1e-6), np.inf)))
    passed = order[-generator.integers(2, 5), best]
    values[channel], bias[channel] = pieces[best], -(0.2 * order[-1, best] + 0.8 * passed)
    image = int(strongest[:, best].argmax())
    return [Fault("tuned to one image", layer, (channel,), "a piece of one image", float(image))]


def _plant_exploded(weights: Weights, layer: str, free: list, generator) -> list[Fault]:
    """One filter, bias included, a thousand to 10**37 times as large: what lies behind it hears nothing else."""
    channel, factor = int(free.pop()), np.float32(10 ** generator.uniform(3, 37))
    for part in weights[layer]:
        part[channel] *= factor
    return [Fault("exploded", layer, (channel,), "weights multiplied", float(factor))]


# ---------------------------------------------------------------- files


def load_patient(name: str | Path) -> Patient:
    """A stored patient, "01" to "06", or one in a file of its own.

    Raises FileNotFoundError or ValueError, with the way out, where the file is missing or holds no patient.
    """
    path = CLINIC / f"patients/{name}.safetensors" if str(name) in WARD else name
    with reading(path, "patient", _WAY_OUT):
        arrays, metadata = load_arrays(path)
        weights, statistics = paired(arrays, (*LAYERS, "scores")), paired(arrays, LAYERS, _STATISTICS)
        sealed, own_name = metadata["patient"].split(" ", 1)
        return Patient(own_name, weights, statistics, arrays["record"], sealed)


def load_key(name: str | Path) -> Key:
    """The key of a stored patient, "01" to "06", or one in a file of its own."""
    path = CLINIC / f"keys/{name}.json" if str(name) in WARD else name
    with reading(path, "key", _WAY_OUT):
        stored = json.loads(Path(path).read_text())
        faults = tuple(Fault(**{**fault, "channels": tuple(fault["channels"])}) for fault in stored["faults"])
        return Key(stored["name"], faults)


def main(folder: Path = CLINIC) -> list[Path]:
    """Write the stored patients and, into another folder, their keys, with a progress bar; returns the paths."""
    from tqdm.auto import tqdm

    written = []
    for part in ("patients", "keys"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for name, (seed, kind) in tqdm(WARD.items(), desc="Day 23 patients", unit="patient"):
        patient, key = admit(seed, kind, name=name)
        arrays = {"record": patient.record, **flat(patient.weights), **flat(patient.statistics, _STATISTICS)}
        sealed = {"patient": f"{patient.sealed_settings} {patient.name}"}
        written.append(save_arrays(arrays, folder / f"patients/{name}.safetensors", sealed))
        text = json.dumps(asdict(key), indent=1) + "\n"
        written.append(write_bytes(folder / f"keys/{name}.json", text.encode()))
    return written


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
