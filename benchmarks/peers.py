"""Days 20 and 22 beside their floors and their peers, run by `make bench` in an environment of its own (.venv-bench).

lucent 0.1.8 asks for a kornia of 2020. Four of its functions have moved since; they are put back where it looks.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator

import numpy as np

from days.common.frameworks import import_keras
from days.common.images import load_image
from days.common.models import load_model

Row = tuple[str, Callable, str, Callable]
SIZE, STEPS = 128, 16


def torch_floor_rows() -> Iterator[Row]:
    """A step of `maximize` against forward and backward of the network cut at the same layer, as it comes."""
    import torch

    from days.day20.code.torch_backend import Ascent

    network = load_model("squeezenet").network
    names = [name for name, _ in network.named_children()]
    for layer in ("fire5", "fire9"):
        for count in (1, 8):
            cut = network[: names.index(layer) + 1]
            ascent = Ascent(network, layer, range(0, 8 * count, 8), size=SIZE)
            noise = torch.randn(count, 3, SIZE, SIZE)

            def bare(cut=cut, noise=noise, count=count):
                cut.zero_grad(set_to_none=True)
                cut(noise.requires_grad_(True))[range(count), range(count)].mean().backward()

            def for_the_picture(cut=cut, noise=noise, count=count):
                reached = cut(noise.requires_grad_(True))[range(count), range(count)].mean()
                torch.autograd.grad(reached, [noise])

            name = f"maximize, one step, {layer}, batch {count}, torch"
            yield name, ascent.step, "bare forward and backward", bare
            yield name, ascent.step, "the same, no weight's gradient", for_the_picture


def keras_floor_rows() -> Iterator[Row]:
    """The same in Keras, the floor compiled, too."""
    import_keras()
    import tensorflow

    from days.day17.code.keras_backend import submodel
    from days.day20.code.keras_backend import Ascent

    network = load_model("squeezenet", framework="keras").network
    for count in (1, 8):
        cut = submodel(network, ["fire9"])
        ascent = Ascent(network, "fire9", range(0, 8 * count, 8), size=SIZE)
        noise = tensorflow.random.normal((count, SIZE, SIZE, 3))

        @tensorflow.function
        def bare(cut=cut, noise=noise):
            with tensorflow.GradientTape() as tape:
                tape.watch(noise)
                reached = tensorflow.reduce_mean(cut(noise, training=False)[..., 0])
            return tape.gradient(reached, noise)

        yield f"maximize, one step, fire9, batch {count}, keras", ascent.step, "bare forward and backward", bare


def lucent_rows() -> Iterator[Row]:
    """`maximize` against lucent: SqueezeNet, fire9, 128 pixels, shaking on, as many steps, a channel each.

    As it comes, lucent enlarges what is below 224 pixels before the network sees it; it can be told not to.
    """
    import kornia
    from kornia.geometry import transform

    for name in ("get_rotation_matrix2d", "warp_affine", "translate", "warp_perspective"):
        setattr(kornia, name, getattr(transform, name))
    from lucent.optvis import objectives, param, render

    from days.day20.code.torch_backend import maximize

    network = load_model("squeezenet").network
    for count, seen in ((1, None), (8, None), (1, SIZE), (8, SIZE)):
        channels = list(range(0, 8 * count, 8))
        wanted = sum(objectives.channel("fire9", index, batch=place) for place, index in enumerate(channels))

        def theirs(wanted=wanted, count=count, seen=seen):
            render.render_vis(
                network,
                wanted,
                lambda: param.image(SIZE, batch=count),
                thresholds=(STEPS,),
                fixed_image_size=seen,
                progress=False,
                show_image=False,
            )

        def ours(channels=channels):
            maximize(network, "fire9", channels, size=SIZE, steps=STEPS, progress=False)

        peer = "lucent 0.1.8, kept at 128 pixels" if seen else "lucent 0.1.8 as it comes"
        yield f"maximize, {STEPS} steps, fire9, batch {count}, torch", ours, peer, theirs


def tf_keras_vis_rows() -> Iterator[Row]:
    """`maximize` in Keras against tf-keras-vis: the same network, layer, size and number of steps."""
    import_keras()
    from tf_keras_vis.activation_maximization import ActivationMaximization

    from days.day17.code.keras_backend import submodel
    from days.day20.code.keras_backend import maximize

    network = load_model("squeezenet", framework="keras").network
    for count in (1, 8):
        channels = list(range(0, 8 * count, 8))
        visualizer = ActivationMaximization(submodel(network, ["fire9"]), clone=False)
        generator = np.random.default_rng(0)

        def theirs(visualizer=visualizer, channels=channels, generator=generator):
            noise = generator.uniform(-100, 100, (len(channels), SIZE, SIZE, 3)).astype(np.float32)
            score = lambda answer: [answer[place, ..., index] for place, index in enumerate(channels)]  # noqa: E731
            visualizer(score, seed_input=noise, input_range=(-123, 151), steps=STEPS)

        def ours(channels=channels):
            maximize(network, "fire9", channels, size=SIZE, steps=STEPS, progress=False)

        yield f"maximize, {STEPS} steps, fire9, batch {count}, keras", ours, "tf-keras-vis 0.8.7", theirs


def attribution_rows() -> Iterator[Row]:
    """`grad_cam` at fire9, 224 pixels, against the whole network's forward pass and three peers; other methods, too.

    The peers get a copy of the network without ReLUs in place, which their hooks cannot take. grad-cam and torchcam
    scale their map to 0 to 1, and grad-cam enlarges it.
    """
    import torch
    from captum.attr import IntegratedGradients, LayerGradCam, Saliency
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    from torchcam.methods import GradCAM as TorchCam

    from days.day22.code import torch_backend

    model, number, steps = load_model("squeezenet"), 285, 20
    network, batch = model.network, model.preprocess(load_image("chelsea", size=224))
    plain = copy.deepcopy(network)
    for module in plain.modules():
        if isinstance(module, torch.nn.ReLU):
            module.inplace = False
    captum, twins = LayerGradCam(plain, plain.fire9), [copy.deepcopy(plain) for _ in range(2)]
    gradcam, torchcam = GradCAM(twins[0], [twins[0].fire9]), TorchCam(twins[1], "fire9")

    fast = batch.contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def forward(pixels):
        return network(pixels)

    peers = {
        "forward pass of the whole network": lambda: forward(batch),
        "the same, channels last": lambda: forward(fast),
        "captum 0.9.0": lambda: captum.attribute(batch, target=number, relu_attributions=True),
        "grad-cam 1.5.7": lambda: gradcam(batch, [ClassifierOutputTarget(number)]),
        "torchcam 0.5.0": lambda: torchcam(number, twins[1](batch)),
    }
    for peer, theirs in peers.items():
        yield "grad_cam, fire9, torch", lambda: torch_backend.grad_cam(network, batch, "fire9", number), peer, theirs
    saliency = Saliency(plain)
    yield (
        "saliency, torch",
        lambda: torch_backend.saliency(network, batch, number),
        "captum 0.9.0",
        lambda: saliency.attribute(batch.requires_grad_(), target=number, abs=False),
    )
    explainer = IntegratedGradients(plain)
    yield (
        f"integrated_gradients, {steps} steps, torch",
        lambda: torch_backend.integrated_gradients(network, batch, number, steps=steps),
        "captum 0.9.0",
        lambda: explainer.attribute(batch, target=number, n_steps=steps),
    )


def main() -> None:
    """Print one Markdown row for each comparison as soon as it is measured."""
    from benchmarks.run import print_rows

    warnings.simplefilter("ignore")
    for rows in (attribution_rows, torch_floor_rows, lucent_rows, keras_floor_rows, tf_keras_vis_rows):
        print_rows(rows())


if __name__ == "__main__":
    main()
