"""What Day 23's figures and notebook compute once and use often: the teaching patient, and networks beside it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from scipy import optimize

from days.common.datasets import Shapes, make_shapes
from days.day18.code import runs, storage
from days.day23.code import detectors, diagnosis, limits, network, patients, pruning
from days.day23.code.network import LAYERS

COPIES = (0, 0.1, 0.15, 0.2, 0.22, 0.24, 0.26, 0.28, 0.3, 0.4, 0.5)
NOISES = (0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1)


class Lesson:
    """What the figures are drawn from: the teaching patient, a healthy network, and one that learned by heart."""

    @cached_property
    def admitted(self) -> tuple[patients.Patient, patients.Key]:
        """The teaching patient, 008, and its key, which the lesson opens."""
        return patients.admit(8)

    @cached_property
    def healthy(self) -> patients.Patient:
        """A healthy patient of the same build."""
        return patients.admit(6, "healthy")[0]

    def matches(self, layer: str) -> np.ndarray:
        """For each filter of the healthy network's layer, the teaching patient's that is most like it, each once: (n,).

        By cosines, so that their sum over all pairs is as large as it can be.
        """
        rows = [
            one.weights[layer][0].reshape(len(one.weights[layer][0]), -1) for one in (self.healthy, self.admitted[0])
        ]
        units = [row / np.linalg.norm(row, axis=1, keepdims=True) for row in rows]
        return optimize.linear_sum_assignment(-units[0] @ units[1].T)[1]

    @cached_property
    def noisy(self) -> tuple[str, np.ndarray]:
        """The first patient of the ward with noise in conv3: its name, and the filters there."""
        for seed in range(100, 150):
            patient, key = patients.admit(seed)
            if any(fault.kind == "noise" and fault.layer == "conv3" for fault in key.faults):
                return patient.name, patient.weights["conv3"][0]
        raise ValueError("no patient of the ward has noise in conv3")

    @cached_property
    def images(self) -> np.ndarray:
        """The 120 images of the clinic, (120, 32, 32, 3)."""
        return network.ward_images().images

    @cached_property
    def answers(self) -> network.Answers:
        """What the teaching patient, run rightly, answers to them."""
        return network.run(self.admitted[0].weights, self.images)

    def gaps(self, layer: str = "conv3", count: int = 300) -> dict[str, np.ndarray]:
        """Selectivity on `count` training images minus that on held-out ones, for two networks."""
        training, held_out = runs.training_images()[:count], runs.held_out_images()[:count]
        result = {}
        for name, weights in {"12,000 images": storage.load_weights(), "300 images": network.crammed()}.items():
            seen, new = (network.run(weights, data.images).activations[layer] for data in (training, held_out))
            result[name] = diagnosis.activation_gap(seen, new, training.labels, held_out.labels)
        return result

    def wrong(self, count: int = 240) -> tuple[Shapes, np.ndarray, np.ndarray, diagnosis.WrongOnes]:
        """Held-out images, the scores of the network that learned 300 by heart, occlusion maps, and its mistakes."""
        from days.day18.code import torch_backend as shapes_backend
        from days.day22.code import methods
        from days.day23.code import torch_backend

        data = make_shapes(count, seed=1)
        model = torch_backend.clinic_model(network.crammed())
        batch = shapes_backend.to_batch(data.images)
        scores = methods.scores(model.network, batch)
        named = [int(category) for category in scores.argmax(axis=1)]
        maps = methods.occlusion(model.network, batch, named, size=8, stride=4, names=model.categories)
        return data, scores, maps, diagnosis.wrong_predictions(scores, data.labels, maps, data.masks)

    def limits(self) -> dict[str, tuple[Sequence[float], dict[str, np.ndarray]]]:
        """The share of faults found, by how strong they are: {fault and what is varied: (levels, {layer: shares})}."""
        panels = {
            "copies: noise added, as a share of the filter's length": (limits.copies_found, COPIES),
            "noise: share of the filter's length that is random": (limits.noise_found, NOISES),
        }
        return {
            name: (levels, {layer: find(levels, layer=layer) for layer in LAYERS})
            for name, (find, levels) in panels.items()
        }

    def unexplained(self) -> tuple[dict[str, float], float]:
        """What each way of running leaves of the teaching patient's drift, by its name, and the drift itself."""
        patient = self.admitted[0]
        observed = diagnosis.observe(patient)
        named = {
            f"{'batch' if settings.batch_norm_training else 'stored'} statistics, {settings.preprocessing}": left
            for settings, left in diagnosis.explanations(patient, observed).items()
        }
        return named, detectors.paired_drift(patient.record, observed)

    @cached_property
    def curves(self) -> pruning.PruningCurves:
        """What is right after channels of Day 18's network are cut."""
        return pruning.load_curves()
