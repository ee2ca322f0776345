"""Awkward PyTorch networks: small samples of what learners bring, and of what public bug reports are about."""

from __future__ import annotations

import random
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.ao.quantization as quantization
from awkward import Awkward
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm
from torch.utils.checkpoint import checkpoint

NO_GRADIENT = "no gradient|gradients? off|no_grad|inference|does not lead|detach"


def torch_state(network) -> list:
    """All that must not change while a network is looked into."""
    told = [random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes()]
    told.append((torch.is_grad_enabled(), torch.is_inference_mode_enabled()))
    if hasattr(network, "modules"):
        for module in network.modules():
            hooks = [
                len(getattr(module, name, ())) for name in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")
            ]
            told.append((module.training, getattr(module, "inplace", None), *hooks))
    for one in [*network.parameters(), *network.buffers()]:
        if isinstance(one, nn.UninitializedParameter):
            told.append(type(one))
            continue
        values = b"" if one.is_meta or one.is_quantized else one.detach().double().numpy().tobytes()
        told.append((one.requires_grad, one.dtype, str(one.device), one.stride(), one.grad is None, values))
    return told


class Net(nn.Module):
    """Two convolutions and three categories; each awkward network changes one thing of it."""

    def __init__(self, channels: int = 3, outputs: int = 3, **how):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(channels, 6, 3, **how), nn.Conv2d(6, 8, 3)
        self.last = nn.Linear(8, outputs)

    def forward(self, x):
        return self.head(self.body(x))

    def body(self, x):
        x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
        return functional.relu(self.conv2(x))

    def head(self, x):
        return self.last(x.mean((2, 3)))


def net(forward=None, **how):
    """A maker of `Net`s with another forward(self, x)."""
    kind = type("Net", (Net,), {"forward": forward}) if forward else Net
    return lambda: kind(**how)


def stack(*layers):
    """A maker of sequential networks that end in three categories: layers are functions that make one each."""
    return lambda: nn.Sequential(*(make() for make in layers), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(3))


def conv(channels: int = 3, count: int = 6, **how):
    """A maker of a convolution."""
    return lambda: nn.Conv2d(channels, count, 3, **how)


def changed(maker, change):
    """A maker whose network is put through `change`, which returns a network or None for the one it has changed."""

    def make():
        network = maker()
        made = change(network)
        return network if made is None else made

    return make


# ---------------------------------------------------------------- forwards


def flattens(self, x):
    x = functional.adaptive_avg_pool2d(self.body(x), 1)
    return self.last(x.view(x.size(0), -1))


def strides(self, x):
    x = self.body(x)
    assert x.stride(1) == x.shape[2] * x.shape[3], "laid out channels first"
    return self.head(x)


def in_place(self, x):
    x = self.conv1(x)
    x.relu_()
    return self.head(self.conv2(x).clamp_(min=0))


def pool_first(self, x):
    return self.head(functional.relu(functional.max_pool2d(self.conv2(functional.relu(self.conv1(x))), 2)))


def twice(self, x):
    x = functional.relu(self.conv1(x))
    return self.head(self.conv2(x) + self.conv2(x.flip(3)))


def without_gradients(self, x):
    with torch.no_grad():
        x = self.body(x)
    return self.head(x)


@torch.inference_mode()
def inferring(self, x):
    return self.head(self.body(x))


def checkpointed(self, x):
    return self.head(checkpoint(self.body, x, use_reentrant=False))


def checkpointed_reentrant(self, x):
    return self.head(checkpoint(self.body, x, use_reentrant=True))


def by_numpy(self, x):
    return self.head(torch.from_numpy(self.body(x).detach().numpy()))


def to_integers(self, x):
    return self.head(self.body((x * 8).long().float()))


def branching(self, x):
    x = self.body(x)
    return self.head(x if float(x.mean()) > 1e9 else 2 * x)


def failing(self, x):
    return {}["missing"]


def fixed_size(self, x):
    assert x.shape[2:] == (32, 32), f"Input image size {tuple(x.shape[2:])} does not match (32, 32)"
    return self.head(self.body(x))


def swallowing(self, x):
    try:
        return self.head(self.body(x))
    except Exception:
        return torch.zeros(len(x), 3)


def two_inputs(self, x, other):
    return self.head(self.body(x + other))


def optional_input(self, x, other=None):
    return self.head(self.body(x if other is None else x + other))


def random_inside(self, x):
    return self.head(functional.dropout(self.body(x), 0.0, training=True))


def hooks_tensors(self, x):
    x = self.body(x)
    self.handle = x.register_hook(lambda gradient: None)
    return self.head(x)


def changes_its_input(self, x):
    x.sub_(0.5).mul_(2)
    return self.head(self.body(x))


def indexes(self, x):
    return self.last(functional.adaptive_avg_pool2d(self.body(x), 1)[:, :, 0, 0])


def of_channels_last(self, x):
    return self.head(self.body(x.permute(0, 3, 1, 2)))


def squeezes(self, x):
    return self.last(functional.adaptive_avg_pool2d(self.body(x), 1).squeeze())


def mixes_images(self, x):
    return self.last(self.body(x).reshape(-1, 8))


def through_frequencies(self, x):
    return self.head(torch.fft.rfft2(self.body(x)).abs())


def at_random(self, x):
    drawn = random.random() + np.random.random() + functional.dropout(torch.ones(()), 0.5, training=True)
    return self.head(self.body(x) + 0 * drawn)


def in_autocast(self, x):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return self.head(self.body(x))


def of_a_pair(self, pair):
    first, second = pair
    return self.head(self.body(first[None] - second[None]))


def of_clips(self, x):
    images, frames, *form = x.shape
    channels, height, width = form
    return self.head(self.body(x.reshape(-1, channels, height, width))).reshape(images, frames, -1).mean(1)


class Lightning(nn.Module):
    """A wrapper as trainers have them: the network inside, and a lock beside it, which has no copy."""

    def __init__(self):
        super().__init__()
        self.model, self.lock, self.metrics = Net(), threading.Lock(), {"loss": []}

    def forward(self, x):
        return self.model(x)

    def training_step(self, batch, index):
        return functional.cross_entropy(self(batch[0]), batch[1])


@dataclass
class Output:
    """An answer as Hugging Face's networks give them."""

    logits: torch.Tensor
    loss: torch.Tensor | None = None


class Tempered(Net):
    """Its first parameter is in double precision, its convolutions are not."""

    def __init__(self):
        super().__init__()
        self.register_parameter("temperature", None)
        parts = dict(self._modules)
        for name in parts:
            delattr(self, name)
        self.temperature = nn.Parameter(torch.ones((), dtype=torch.float64))
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return super().forward(x) / self.temperature.float()


class UNet(nn.Module):
    """A skip connection over a strided and a transposed convolution."""

    def __init__(self, pooled: bool = True):
        super().__init__()
        self.enter, self.down = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 8, 3, 2, 1)
        self.up, self.out, self.pooled = nn.ConvTranspose2d(8, 4, 2, 2), nn.Conv2d(8, 3, 1), pooled

    def forward(self, x):
        skip = functional.elu(self.enter(x))
        x = torch.cat([skip, self.up(functional.leaky_relu(self.down(skip), 0.1))], 1)
        return self.out(x).mean((2, 3)) if self.pooled else self.out(x)


class Recurrent(nn.Module):
    """A GRU that reads the columns of a convolution's maps, as text recognizers do."""

    def __init__(self):
        super().__init__()
        self.conv, self.gru, self.last = nn.Conv2d(3, 4, 5, (4, 2)), nn.GRU(28, 6, batch_first=True), nn.Linear(6, 3)

    def forward(self, x):
        x = functional.hardswish(self.conv(x)).permute(0, 3, 1, 2).flatten(2)
        return self.last(self.gru(x)[0][:, -1])


class Listed(Net):
    """Its second convolution lies in a plain list, which PyTorch does not look into."""

    def __init__(self):
        super().__init__()
        self.more = [nn.Conv2d(8, 8, 3)]

    def body(self, x):
        return self.more[0](super().body(x))


class ByFunction(Net):
    """A convolution that is a parameter and a function."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(8, 8, 3, 3))

    def body(self, x):
        return functional.conv2d(super().body(x), self.weight * 0.1)


class Attention(nn.Module):
    """Squeeze and excitation, then every place looks at every other one."""

    def __init__(self):
        super().__init__()
        self.conv, self.squeeze = nn.Conv2d(3, 8, 5, 4), nn.Sequential(nn.Linear(8, 8), nn.Hardsigmoid())
        self.attention, self.last = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 3)

    def forward(self, x):
        x = functional.silu(self.conv(x))
        x = x * self.squeeze(x.mean((2, 3)))[:, :, None, None]
        tokens = x.flatten(2).transpose(1, 2)
        return self.last((tokens + self.attention(tokens, tokens, tokens)[0]).mean(1))


def through(activation):
    """A forward whose every ReLU is this function."""

    def forward(self, x):
        return self.head(activation(self.conv2(functional.max_pool2d(activation(self.conv1(x)), 2))))

    return forward


def zeroed(x):
    x[x < 0] = 0
    return x


def through_a_view(x):
    x.view(-1).mul_((x.detach() > 0).flatten().to(x.dtype))
    return x


def channel_by_channel(x):
    for channel in range(x.shape[1]):
        x[:, channel].clamp_(min=0)
    return x


class Counts(Net):
    """It keeps, in buffers, how often it ran and what it saw: the one in place, the other anew."""

    def __init__(self):
        super().__init__()
        self.register_buffer("runs", torch.zeros(()))
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        self.runs += 1
        self.seen = self.seen * 0.9 + x.detach().mean()
        return self.head(self.body(x))


class OwnReLU(torch.autograd.Function):
    """A ReLU with a gradient of its own, which runs where no function of PyTorch's is seen."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, gradient):
        return gradient * (ctx.saved_tensors[0] > 0)


@torch.jit.script
def scripted_relu(x):
    return torch.clamp(x, min=0.0)


class ReadsRows(nn.Module):
    """A recurrent network whose ReLU is inside one function of PyTorch's."""

    def __init__(self):
        super().__init__()
        self.conv, self.read = nn.Conv2d(3, 6, 3), nn.RNN(6, 8, nonlinearity="relu", batch_first=True)
        self.last = nn.Linear(8, 3)

    def forward(self, x):
        return self.last(self.read(self.conv(x).mean(2).transpose(1, 2))[0][:, -1])


class Gated(nn.Module):
    """A ReLU that a learner writes: what is positive passes."""

    def forward(self, x):
        return x * (x > 0)


class Doubled(torch.autograd.Function):
    """An operation with a gradient of its own."""

    @staticmethod
    def forward(context, x):
        return 2 * x

    @staticmethod
    def backward(context, gradient):
        return 2 * gradient


class Residual(nn.Module):
    """relu(x + bn(conv(x))), its batch norm's scale 0 as zero-init residuals have it."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x):
        return functional.relu(x + self.norm(self.conv(x)))


class ChannelsLastNorm(nn.Module):
    """ConvNeXt's: a layer norm over channels, between two permutations."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(6)

    def forward(self, x):
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Permuted(nn.Module):
    """Flattens maps with their channels last."""

    def forward(self, x):
        return torch.flatten(functional.relu(x).permute(0, 2, 3, 1), 1)[:, :, None, None]


class Dense(nn.Module):
    """Concatenates its input with what it makes of it, as DenseNet does."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(6, 4, 3, padding=1)

    def forward(self, x):
        return torch.cat([x, functional.relu(self.conv(x))], 1)


class Ends(nn.Module):
    """A network whose answer is put through `end`."""

    def __init__(self, end, **how):
        super().__init__()
        self.net, self.end = Net(**how), end

    def forward(self, x):
        return self.end(self.net(x))


# ---------------------------------------------------------------- changes


def quantized(network):
    whole = nn.Sequential(OrderedDict(q=quantization.QuantStub(), conv1=network.conv1, d=quantization.DeQuantStub()))
    whole.qconfig = quantization.get_default_qconfig("x86")
    whole.eval()
    quantization.prepare(whole, inplace=True)
    whole(torch.randn(1, 3, 32, 32))
    return quantization.convert(whole, inplace=True)


def traced(network):
    return torch.jit.trace(network.eval(), torch.randn(1, 3, 32, 32))


def scripted(network):
    return torch.jit.script(nn.Sequential(OrderedDict(conv1=network.conv1, end=nn.ReLU())))


def on_meta(network):
    return network.to("meta")


def normed(norm):
    def change(network):
        network.conv1 = norm(network.conv1)

    return change


def pruned(network):
    prune.ln_structured(network.conv1, "weight", 0.5, n=2, dim=0)


def loaded(network):
    """Hook-made weights of before the loading: what `weight` holds is stale until the next forward pass."""
    weight_norm(network.conv1)
    fresh = Net()
    weight_norm(fresh.conv1)
    network.load_state_dict(fresh.state_dict())


def hooked(network):
    network.conv1.register_forward_hook(lambda module, inputs, output: 2 * output)


def frozen(network):
    network.requires_grad_(False)


def half_frozen(network):
    network.conv1.requires_grad_(False)


def backward_hooked(network):
    network.conv2.register_full_backward_hook(lambda module, inputs, outputs: None)


def scripted_inside(network):
    network.conv2 = torch.jit.trace(nn.Sequential(network.conv2, nn.ReLU()), torch.randn(1, 6, 15, 15))


def first_half(network):
    network.conv1.half()
    network.conv1.register_forward_hook(lambda module, inputs, output: output.float())


def without_bias(network):
    network.conv1 = parametrizations.weight_norm(nn.Conv2d(3, 6, 3, bias=False))


def last_memory(network):
    return network.to(memory_format=torch.channels_last)


RELUS = {
    "clamp": lambda x: torch.clamp(x, min=0),
    "clamp in place": lambda x: x.clamp_(min=0),
    "clamp to 0 and much": lambda x: x.clamp(0, 1e4),
    "maximum": lambda x: torch.maximum(x, torch.zeros_like(x)),
    "maximum, turned around": lambda x: torch.max(torch.zeros(()), x),
    "threshold": lambda x: functional.threshold(x, 0, 0),
    "threshold in place": nn.Threshold(0, 0, inplace=True),
    "hardtanh": nn.Hardtanh(0, 1e4),
    "gate": Gated(),
    "where": lambda x: torch.where(x > 0, x, 0),
    "masked fill": lambda x: x.masked_fill(x < 0, 0),
    "assignment": zeroed,
    "absolute value": lambda x: (x + x.abs()) / 2,
    "difference": lambda x: x - x.clamp(max=0),
    "mask": lambda x: x * (x > 0),
    "view in place": through_a_view,
    "channels in place": channel_by_channel,
    "minimum, turned around": lambda x: -torch.minimum(-x, torch.zeros_like(x)),
    "leaky ReLU of slope 0": lambda x: functional.leaky_relu(x, 0.0, inplace=True),
}
"""ReLUs that are not called so."""

UNGUIDED = {
    "the largest of a stack": (net(through(lambda x: torch.stack([x, 0 * x]).amax(0))), "'amax', which may hold"),
    "an autograd function": (net(through(OwnReLU.apply)), "'OwnReLU', which may hold"),
    "a scripted function": (net(through(scripted_relu)), "'ClampBackward1', which may hold"),
    "vmap": (net(through(torch.func.vmap(torch.relu))), "'ReluBackward0', which may hold"),
    "recurrent": (ReadsRows, "'rnn_relu', which may hold"),
    "no ReLU at all": (net(through(functional.gelu)), "no ReLU ran"),
}
"""What guided backpropagation cannot guide, and the words in which it must say so."""


TORCH = [
    *(Awkward(f"a ReLU by {name}", net(through(relu)), "conv2", plain=net()) for name, relu in RELUS.items()),
    Awkward(
        "a ReLU where all is positive",
        net(lambda self, x: self.head(self.body(torch.clamp(x, min=0)))),
        "conv2",
        plain=net(lambda self, x: self.head(self.body(functional.relu(x)))),
    ),
    Awkward("counts its runs", Counts, "conv2"),
    Awkward("flattens with view", net(flattens), "conv2"),
    Awkward("asks for strides", net(strides), "conv2"),
    Awkward("ReLUs in place", net(in_place), "conv1"),
    Awkward("pools before the ReLU", net(pool_first), "conv2"),
    Awkward("a layer that runs twice", net(twice), "conv1"),
    Awkward("same padding", net(padding="same"), "conv1"),
    Awkward("reflected padding", net(padding=1, padding_mode="reflect"), "conv1"),
    Awkward("strided and dilated", net(stride=2, dilation=2), "conv1"),
    Awkward("grouped", stack(conv(), nn.ReLU, conv(6, 6, groups=3)), "2"),
    Awkward("depthwise and pointwise", stack(conv(), conv(6, 6, groups=6), lambda: nn.Conv2d(6, 4, 1)), "1"),
    Awkward("transposed", stack(conv(), lambda: nn.ConvTranspose2d(6, 4, 2, 2)), "0"),
    Awkward("ReLU modules in place", stack(conv(), lambda: nn.ReLU(inplace=True), conv(6, 4)), "0"),
    Awkward("batch norm", stack(conv(), lambda: nn.BatchNorm2d(6), nn.ReLU), "0"),
    Awkward(
        "batch norm without statistics",
        stack(conv(), lambda: nn.BatchNorm2d(6, track_running_stats=False), nn.ReLU),
        "0",
    ),
    Awkward("instance norm", stack(conv(), lambda: nn.InstanceNorm2d(6), nn.ReLU, conv(6, 4)), "0"),
    Awkward("group norm", stack(conv(), lambda: nn.GroupNorm(2, 6), nn.ReLU), "0"),
    Awkward("layer norm over channels", stack(conv(), ChannelsLastNorm, nn.GELU), "0"),
    Awkward("zero-init residual", stack(conv(), Residual), "1.conv", flat=True),
    Awkward("concatenating", stack(conv(), Dense), "1.conv"),
    Awkward("leaky ReLU", stack(conv(), lambda: nn.LeakyReLU(0.2)), "0"),
    Awkward("SiLU", stack(conv(), lambda: nn.SiLU(inplace=True)), "0"),
    Awkward("ReLU6 and Hardswish", stack(conv(), nn.ReLU6, conv(6, 4), nn.Hardswish), "2"),
    Awkward("PReLU", stack(conv(), nn.PReLU), "0"),
    Awkward("lazy convolution", stack(lambda: nn.LazyConv2d(6, 3), nn.ReLU), "0"),
    Awkward("dropout, left training", changed(stack(conv(), lambda: nn.Dropout2d(0.5)), lambda n: n.train()), "0"),
    Awkward("dropout that is always on, at 0", net(random_inside), "conv2"),
    Awkward("a gradient of its own", net(lambda self, x: self.head(Doubled.apply(self.body(x)))), "conv2"),
    Awkward("branches on its values", net(branching), "conv2"),
    Awkward("ends in softmax", lambda: Ends(nn.Softmax(1)), "net.conv2"),
    Awkward("ends in log-softmax", lambda: Ends(nn.LogSoftmax(1)), "net.conv2"),
    Awkward("several sigmoids", lambda: Ends(nn.Sigmoid()), "net.conv2"),
    Awkward("one logit", net(outputs=1), "conv2", category=0),
    Awkward("one sigmoid", lambda: Ends(nn.Sigmoid(), outputs=1), "net.conv2", category=0),
    Awkward("gray", net(channels=1), "conv2", channels=1),
    Awkward("four channels", net(channels=4), "conv2", channels=4),
    Awkward("hooks tensors, as a tutorial on Grad-CAM does", net(hooks_tensors), "conv2"),
    Awkward("changes its input in place", net(changes_its_input), "conv2"),
    Awkward("indexes what it has pooled", net(indexes), "conv2"),
    Awkward("flattens what it has permuted", stack(conv(), Permuted), "0"),
    Awkward("through Fourier space", net(through_frequencies), "conv2"),
    Awkward("dropout that is always on", net(at_random), "conv2"),
    Awkward("autocast", net(in_autocast), "conv2", tolerance=0.05),
    Awkward("wrapped for a trainer", Lightning, "model.conv2", copied=False),
    Awkward("a first parameter in double precision", Tempered, "conv2"),
    Awkward("a stem in half precision", changed(net(), first_half), "conv2", tolerance=0.01),
    Awkward("skip connection", UNet, "down"),
    Awkward("recurrent", Recurrent, "conv"),
    Awkward("attention", Attention, "conv"),
    Awkward("a convolution in a plain list", Listed, "conv2"),
    Awkward("a convolution by function", ByFunction, "conv2"),
    Awkward("a backward hook of the learner's own", changed(net(), backward_hooked), "conv2"),
    Awkward("weight norm without a bias", changed(net(), without_bias), "conv1"),
    Awkward("TorchScript inside", changed(net(), scripted_inside), "conv1"),
    Awkward("negative slope by function", net(through(partial(functional.leaky_relu, negative_slope=0.3))), "conv2"),
    Awkward("log of sigmoids", lambda: Ends(functional.logsigmoid), "net.conv2"),
    Awkward("double precision", changed(net(), lambda n: n.double()), "conv2"),
    Awkward("bfloat16", changed(net(), lambda n: n.bfloat16()), "conv2", tolerance=0.05),
    Awkward("weights laid out channels last", changed(net(), last_memory), "conv2"),
    Awkward("frozen", changed(net(), frozen), "conv2"),
    Awkward("half frozen", changed(net(), half_frozen), "conv2"),
    Awkward("weight norm by hooks", changed(net(), normed(weight_norm)), "conv1"),
    Awkward("weight norm, then loaded", changed(net(), loaded), "conv1"),
    Awkward("weight norm as parametrization", changed(net(), normed(parametrizations.weight_norm)), "conv1"),
    Awkward("spectral norm by hooks", changed(net(), normed(spectral_norm)), "conv1"),
    Awkward("spectral norm as parametrization", changed(net(), normed(parametrizations.spectral_norm)), "conv1"),
    Awkward("pruned", changed(net(), pruned), "conv1", found=("dead",)),
    Awkward("a hook of the learner's own", changed(net(), hooked), "conv1"),
    Awkward("checkpointed", net(checkpointed), "conv2"),
    Awkward("an optional second input", net(optional_input), "conv2"),
    Awkward("DataParallel", changed(net(), nn.DataParallel), "module.conv2"),
    Awkward("compiled", changed(net(), lambda n: torch.compile(n, backend="eager")), "conv2"),
    Awkward("bound to one size", net(fixed_size), "conv2"),
    Awkward("swallows exceptions", net(swallowing), "conv2"),
    Awkward("no gradients up to the head", net(without_gradients), "conv2", dark=NO_GRADIENT, dark_above=False),
    Awkward("inference mode", net(inferring), "conv2", dark=NO_GRADIENT),
    Awkward("checkpointed, reentrant", net(checkpointed_reentrant), "conv2", dark="checkpoint"),
    Awkward("through NumPy", net(by_numpy), "conv2", dark=NO_GRADIENT, dark_below=False),
    Awkward("casts to integers", net(to_integers), "conv2", dark="casts to whole numbers", dark_above=False),
    Awkward("two inputs", net(two_inputs), "conv2", refused="one input|two inputs|takes the image alone"),
    Awkward("a pair", net(of_a_pair), "conv2", refused="several inputs, or more axes"),
    Awkward("clips", net(of_clips), "conv2", refused="several inputs, or more axes"),
    Awkward("takes channels last", net(of_channels_last), "conv2", refused=r"moves the axes .* takes \(N, C, H, W\)$"),
    Awkward("squeezes the batch away", net(squeezes), "conv2", refused=r"got \(3,\): .* squeeze"),
    Awkward("mixes images", net(mixes_images), "conv2", refused=r"got \(\d+, 3\): .* reshape"),
    Awkward("scores as maps", lambda: UNet(pooled=False), "down", refused=r"got \(\d, 3, 32, 32\): .* mean of each"),
    Awkward("answers a dataclass", lambda: Ends(Output), "net.conv2", refused="got Output: wrap it"),
    Awkward("lazy, never called", stack(lambda: nn.LazyConv2d(6, 3)), "0", refused="lazy layer: call it once"),
    Awkward("raises KeyError", net(failing), "conv2", refused="KeyError|missing"),
    Awkward("quantized", changed(net(), quantized), "conv1", refused="quantized"),
    Awkward("traced", changed(net(), traced), "conv2", refused="TorchScript"),
    Awkward("scripted", changed(net(), scripted), "conv1", refused="TorchScript"),
    Awkward("on the meta device", changed(net(), on_meta), "conv2", refused="meta|never loaded"),
    Awkward("answers a dictionary", lambda: Ends(lambda x: {"out": x, "aux": x}), "net.conv2", refused="scores|dict"),
    Awkward("1-d convolutions", lambda: nn.Sequential(nn.Conv1d(3, 4, 3)), "0", refused="."),
]
