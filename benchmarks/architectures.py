"""Published architectures through `capture`, Grad-CAM and the X-ray: what is found, how long it takes, how much memory.

    python -m benchmarks.architectures                  # all, one after the other, each in a process of its own
    python -m benchmarks.architectures timm: --quick    # those whose name begins so, X-rayed without pictures

All but the course's own have random weights, so a finding that is "certain" has to be proven by these weights. Seconds
are the processor's, in user mode, so that other work on the machine counts little. The exit code is 1 where a network
crashes, or a random one has a certain finding.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys

import numpy as np

from days.common.frameworks import framework_of, import_keras
from days.common.images import load_image
from days.common.models import Model, load_model
from days.day17.code.backends import backend_of, capture, conv_layers
from days.day22.code.methods import grad_cam
from days.xray import xray

PHOTOS = ("chelsea", "coffee")
SIZES = {"torchvision:inception_v3": 299, "keras:InceptionV3": 299, "keras:Xception": 299, "timm:mobilevit_xxs": 256}
GROUPS = {
    "course": "squeezenet/torch squeezenet/keras efficientnet_lite0/torch",
    "torchvision": "alexnet vgg11 resnet18 resnet50 densenet121 squeezenet1_1 googlenet inception_v3 mobilenet_v2 "
    "mobilenet_v3_small shufflenet_v2_x0_5 efficientnet_b0 mnasnet0_5 regnet_y_400mf convnext_tiny swin_t vit_b_16",
    "timm": "resnest14d ghostnet_100 repvgg_a0 nf_resnet26 mobilevit_xxs levit_128s",
    "keras": "MobileNetV2 MobileNetV3Small ResNet50 DenseNet121 EfficientNetB0 Xception InceptionV3 NASNetMobile",
}
NAMES = [f"{group}:{name}" for group, names in GROUPS.items() for name in names.split()]


def made(name: str):
    """A network, or a `Model` of the course, by a name out of `NAMES`."""
    group, _, kind = name.partition(":")
    if group == "course":
        kind, _, framework = kind.partition("/")
        return load_model(kind, framework=framework)
    if group == "keras":
        keras = import_keras()
        keras.utils.set_random_seed(0)
        return getattr(keras.applications, kind)(weights=None, classes=10, input_shape=(*[SIZES.get(name, 224)] * 2, 3))
    import torch

    torch.manual_seed(0)
    if group == "timm":
        import timm

        return timm.create_model(kind, pretrained=False, num_classes=10).eval()
    import torchvision

    how = {"init_weights": True} if kind in ("googlenet", "inception_v3") else {}
    return getattr(torchvision.models, kind)(weights=None, num_classes=10, **how).eval()


def examined(name: str, *, pictures: bool) -> dict:
    """One line of the table for a network: what was done with it, how long that took and how much memory."""
    model, size = made(name), SIZES.get(name, 224)
    network, start = model.network if isinstance(model, Model) else model, used().ru_utime
    photos = {photo: load_image(photo, size=size) for photo in PHOTOS}
    pixels = np.stack([*photos.values()]).astype(np.float32) - 0.5
    batch, layers = backend_of(network).to_batch(network, pixels), conv_layers(network)
    maps = capture(network, [layers[0], layers[-1]], batch)
    heatmap = grad_cam(network, batch[:1], layers[-1], 1, signed=True)
    if heatmap.shape != maps[layers[-1]].shape[2:] or not np.isfinite(heatmap).all():
        raise ValueError(f"expected a finite map {maps[layers[-1]].shape[2:]}, got {heatmap.shape}")
    middle = used().ru_utime
    report = xray(model, photos, size=size, pictures=pictures, progress=False)
    certain = [finding.title for finding in report.findings if finding.sure.startswith("certain")]
    left_out = re.findall(r"No (?:heatmap|filters|pictures|Grad-CAM|map) [^<]*", report.html) if pictures else []
    return {
        "network": f"{name} ({framework_of(network)})",
        "convolutions": len(layers),
        "findings": len(report.findings),
        "certain": "; ".join(certain) or "none",
        "left out": "; ".join(left_out) or "nothing",
        "maps, CPU s": round(middle - start, 1),
        "X-ray, CPU s": round(used().ru_utime - middle, 1),
        "peak, MB": round(used().ru_maxrss / 1024),
    }


def used() -> resource.struct_rusage:
    """What this process has used so far."""
    return resource.getrusage(resource.RUSAGE_SELF)


def main(arguments: list[str] | None = None) -> int:
    """Run the networks asked for, each in a process of its own, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.architectures")
    parser.add_argument("beginnings", nargs="*", help="how the names begin; all unless given")
    parser.add_argument("--quick", action="store_true", help="X-ray without pictures")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    asked, wrong, heads = parser.parse_args(arguments), 0, None
    if asked.inside:
        print(json.dumps(examined(asked.beginnings[0], pictures=not asked.quick)))
        return 0
    for name in (one for one in NAMES if one.startswith(tuple(asked.beginnings or [""]))):
        more = ["--quick"] if asked.quick else []
        command = [sys.executable, "-m", "benchmarks.architectures", name, "--inside", *more]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            wrong += 1
            print(f"| {name} | crashed: {(done.stderr.strip().splitlines() or ['without a word'])[-1]} |", flush=True)
            continue
        row = json.loads(done.stdout.splitlines()[-1])
        wrong += row["certain"] != "none" and not name.startswith("course:")
        if heads is None:
            heads = list(row)
            print(f"| {' | '.join(heads)} |\n|{' --- |' * len(heads)}")
        print(f"| {' | '.join(map(str, row.values()))} |", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
