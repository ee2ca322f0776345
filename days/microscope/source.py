"""How a process comes by the network: by its name, so that processes on other machines make the same one themselves."""

from __future__ import annotations

import hashlib
import threading
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from days.common.frameworks import framework_of
from days.common.models import Model, load_model
from days.common.preprocessing import Preprocess
from days.day17.code.backends import backend_of
from days.microscope.backends import microscope_backend
from days.xray.loading import call_factory, load_weights, read_labels, ready_for_use
from days.xray.subject import Subject, subject_of


class Source(NamedTuple):
    """What makes a network, and how it is fed.

    factory : "package.module:callable", or None for the course's SqueezeNet. weights, labels : files, or None. mean,
    std, order : as of the X-ray.
    """

    factory: str | None = None
    weights: str | None = None
    labels: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    order: str | None = None


def subject_from(source: Source) -> Subject:
    """The network with what is needed to run it, made once for each thread: two threads may not watch one network.

    Raises ValueError, in one line, for what is no network that the microscope takes.
    """
    return _subject(source, threading.get_ident())


@cache
def _subject(source: Source, thread: int) -> Subject:
    network = call_factory(source.factory) if source.factory else load_model("squeezenet")
    if source.weights:
        load_weights(network, source.weights)
    ready_for_use(network)
    labels = read_labels(source.labels) if source.labels else None
    subject = subject_of(network, mean=source.mean, std=source.std, order=source.order, labels=labels)
    if len(subject.pixels.matrix) != 3:
        raise ValueError("expected a network for color images, got one for gray ones: no picture can be grown for it")
    return subject


def model_from(subject: Subject) -> Model:
    """A subject as the lessons' functions take a network."""
    preprocess = Preprocess(subject.pixels, partial(backend_of(subject.network).to_batch, subject.network))
    framework = framework_of(subject.network)
    return Model(subject.network, preprocess, subject.categories or [], subject.name, framework)


def network_key(subject: Subject) -> str:
    """A short text that is the same for two networks of the same weights that are fed alike."""
    digest = hashlib.sha256(subject.name.encode())
    pixels = subject.pixels.matrix, subject.pixels.offset
    for values in (*microscope_backend(subject.network).weights(subject.network), *pixels):
        digest.update(np.ascontiguousarray(values, np.float32).tobytes())
    return digest.hexdigest()[:16]
