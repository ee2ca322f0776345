// The network at work: top five, maps, Grad-CAM, a covering square, a picture that grows. A worker computes: engine.js.
"use strict";

const SIDE = GIVEN.about.input_size;
const live = {
  ask: null, // puts a question to the worker; null until it runs
  seen: null, // what the last look gave: logits, strengths, maps by layer, and how long it took
  photo: null, // what is looked at: {name, pixels, logits}
  mode: "photo", category: null, stream: null, busy: false, again: false,
  cover: { left: 88, top: 88, size: 48 },
};
const say = (text) => {
  if (find("#said").textContent !== text) find("#said").textContent = text; // a screen reader hears what is new
};
const named = (category) => `\u201c${GIVEN.about.categories[category]}\u201d`;

// ---- The worker

/** Start the worker, and look at the first photo. Whatever prevents that is said in a line. */
async function startLive() {
  try {
    const [source, { binary, values, ...rest }] = await Promise.all(["engine", "network"].map(load));
    const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
    const ask = questions(worker), buffers = [bytesOf(binary).buffer, bytesOf(values).buffer];
    await ask("start", { ...rest, binary: buffers[0], values: buffers[1] }, null, buffers);
    live.ask = ask;
    document.body.classList.add("live");
    for (const button of findAll("[data-probe], #camera, #file, [name=mode]")) button.disabled = false;
    await lookAtProbe(find("[data-probe]").dataset.probe);
  } catch (error) {
    say(`The network cannot run here: ${error.message}`);
  }
}

/** A function that asks a worker, and gives a promise of its answer. */
function questions(worker) {
  const open = new Map();
  let count = 0;
  worker.onmessage = ({ data: { id, answer, progress, error } }) => {
    const { resolve, reject, report } = open.get(id);
    if (progress) return report(progress);
    open.delete(id);
    if (error) reject(new Error(error));
    else resolve(answer);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    for (const { reject } of open.values()) reject(new Error(event.message ?? "its worker did not start"));
  };
  return (task, given, report = null, transferred = []) => new Promise((resolve, reject) => {
    open.set(++count, { resolve, reject, report });
    worker.postMessage({ id: count, task, given }, transferred);
  });
}

// ---- Looking at a photo

async function lookAtProbe(name) {
  const numbers = new Uint16Array(bytesOf(await load(`probes/${name}`)).buffer);
  await lookAt(name, Float32Array.from(numbers, (value) => value / 65535));
}

/** Look at a picture (224, 224, 3) of this name, from now on. */
async function lookAt(name, pixels) {
  live.photo = { name, pixels, logits: null };
  if (name !== "camera") live.category = null;
  for (const button of findAll("[data-probe]")) button.setAttribute("aria-pressed", String(button.dataset.probe === name));
  find("#seen").setAttribute("aria-label", `The photo ${name}, as the network sees it.`);
  await refresh();
}

/** The photo as it is shown to the network: with the square on it, where a square is asked for. */
function shownPixels() {
  const { pixels } = live.photo, { left, top, size } = live.cover;
  if (live.mode !== "cover") return pixels;
  const covered = pixels.slice(), color = [...GIVEN.network.mean].reverse().map((part) => part / 255);
  for (let y = top; y < top + size; y++) for (let x = left; x < left + size; x++) covered.set(color, 3 * (y * SIDE + x));
  return covered;
}

/** Look again; while a look runs, what changes meanwhile is looked at once, afterwards. */
async function refresh() {
  if (live.mode !== "gradcam") drawPhoto(shownPixels());
  live.again = true;
  if (live.busy) return;
  live.busy = true;
  try {
    while (live.again) {
      live.again = false;
      await lookOnce();
    }
  } catch (error) {
    say(`The network stopped: ${error.message}`);
  } finally {
    live.busy = false;
  }
}

async function lookOnce() {
  const { photo, mode } = live, pixels = shownPixels(), begun = performance.now();
  const look = (shown) => live.ask("look", { pixels: shown, side: SIDE });
  if (mode === "cover" && !photo.logits) photo.logits = (await look(photo.pixels)).logits;
  const seen = await look(pixels);
  if (mode !== "cover") photo.logits = seen.logits;
  live.seen = { ...seen, photo, maps: {}, took: performance.now() - begun, probabilities: softmax(seen.logits) };
  showTop();
  await showEvidence();
  document.dispatchEvent(new Event("looked"));
}

function softmax(logits) {
  const most = logits.reduce((one, other) => Math.max(one, other)), powers = logits.map((logit) => Math.exp(logit - most));
  const sum = powers.reduce((total, power) => total + power);
  return powers.map((power) => power / sum);
}

/** A layer's maps (h, w, C) on what was looked at last, with the largest value in them. */
live.maps = async (layer) => {
  live.seen.maps[layer] ??= live.ask("maps", { layer }).then((maps) => ({
    ...maps, top: maps.values.reduce((most, value) => Math.max(most, value), 0),
  }));
  return live.seen.maps[layer];
};

// ---- What it says

function drawPhoto(pixels) {
  find("#seen").getContext("2d").putImageData(imageData(pixels, SIDE), 0, 0);
}

function showTop() {
  const { probabilities } = live.seen;
  const best = [...probabilities.keys()].sort((one, other) => probabilities[other] - probabilities[one]).slice(0, 5);
  findAll("#top button").forEach((button, place) => {
    const category = best[place], share = probabilities[category];
    button.disabled = false;
    button.dataset.category = category;
    button.style.setProperty("--share", share);
    button.setAttribute("aria-pressed", String(category === asked(live.seen.photo)));
    find("span", button).textContent = GIVEN.about.categories[category];
    find("b", button).textContent = percent(share);
  });
}

/** The category that is explained: the chosen one, or else the network's own prediction for the uncovered photo. */
function asked({ logits }) {
  return live.category ?? logits.indexOf(Math.max(...logits));
}

async function showEvidence() {
  const { seen } = live, { photo } = seen, category = asked(photo);
  if (live.mode === "gradcam") {
    const map = await live.ask("gradCam", { category });
    if (live.mode !== "gradcam") return;
    drawPhoto(overlaid(photo.pixels, map, GIVEN.about.scales.inferno));
    say(`Grad-CAM: where fire9's maps speak for ${named(category)}, on 13 \u00d7 13 places. The map is scaled by its own ` +
      "largest value, so it says where, and not how much.");
  } else if (live.mode === "cover") {
    const before = softmax(photo.logits)[category], change = seen.logits[category] - photo.logits[category];
    say(`${named(category)}: ${percent(before)} uncovered, ${percent(seen.probabilities[category])} covered; its score ` +
      `changes by ${signed(change, 2)}. The square has the training set's mean color.`);
  } else {
    const took = live.stream ? "" : `One look took ${said(seen.took, 0)} ms. `;
    say(`${took}These are the 224 \u00d7 224 pixels that the network sees: the middle of ${photo.name}.`);
  }
}

// ---- A photo of one's own, the camera

async function lookAtFile(file) {
  if (!file || !live.ask) return;
  stopCamera();
  try {
    await lookAt(file.name, await readPhoto(file, SIDE));
  } catch (error) {
    say(error.message);
  }
}

async function toggleCamera() {
  if (live.stream) return stopCamera();
  if (!navigator.mediaDevices?.getUserMedia) {
    return say("This browser gives a page that is opened from a file no camera: choose a photo instead.");
  }
  try {
    const stream = (live.stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640 } }));
    find("#camera").textContent = "Stop the camera";
    const video = make("video", { srcObject: stream, muted: true, playsInline: true });
    await video.play();
    while (live.stream === stream) {
      await lookAt("camera", middleOf(video, video.videoWidth, video.videoHeight, SIDE));
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
  } catch (error) {
    stopCamera();
    say(`The camera cannot be used: ${error.message}.`);
  }
}

function stopCamera() {
  for (const track of live.stream?.getTracks() ?? []) track.stop();
  live.stream = null;
  find("#camera").textContent = "Camera";
}

// ---- The covering square

function placeCover(left, top) {
  const most = SIDE - live.cover.size, within = (place) => Math.round(Math.min(Math.max(place, 0), most));
  Object.assign(live.cover, { left: within(left), top: within(top) });
  const [x, y, side] = [live.cover.left, live.cover.top, live.cover.size].map((pixels) => `${(100 * pixels) / SIDE}%`);
  find("#cover").style.cssText = `left: ${x}; top: ${y}; width: ${side}; height: ${side}`;
  if (live.ask && live.mode === "cover") refresh();
}

function dragCover(event) {
  if (live.mode !== "cover" || (event.type === "pointermove" && !event.buttons)) return;
  const box = find("#seen").getBoundingClientRect(), scale = SIDE / box.width;
  event.preventDefault();
  event.currentTarget.setPointerCapture(event.pointerId);
  const half = live.cover.size / 2;
  placeCover((event.clientX - box.left) * scale - half, (event.clientY - box.top) * scale - half);
}

function moveCover(event) {
  const [right, down] = { ArrowLeft: [-8, 0], ArrowRight: [8, 0], ArrowUp: [0, -8], ArrowDown: [0, 8] }[event.key] ?? [];
  if (right === undefined) return;
  event.preventDefault();
  placeCover(live.cover.left + right, live.cover.top + down);
}

// ---- In the panel: this channel on the photo, and its picture grown here

async function showOnPhoto() {
  const section = find("#on-photo"), { layer, channel } = panel;
  if (!section || !live.seen) return;
  if (!section.firstChild) section.append(...onPhotoParts());
  const maps = await live.maps(layer.name), strengths = live.seen.strengths[layer.name];
  if (panel.channel !== channel || panel.layer !== layer) return;
  const rank = strengths.filter((strength) => strength > strengths[channel]).length + 1;
  drawMap(find("canvas", section), channelOf(maps, channel), maps.top);
  const place = rank === 1 ? "the strongest" : `number ${rank}`;
  find(".words", section).textContent =
    `Its map, ${maps.height} \u00d7 ${maps.width} places, from 0 (dark) to the layer's largest value, ${said(maps.top)}. ` +
    `Mean response ${said(strengths[channel], 2)}: ${place} of ${layer.channels} channels.`;
}

function onPhotoParts() {
  const button = make("button", { type: "button", id: "grow" }, "Grow its picture here");
  button.addEventListener("click", growHere);
  const map = make("canvas", { role: "img", className: "map" });
  map.setAttribute("aria-label", "The channel's map of the photo.");
  find(".growing", panel.element).append(make("span", { id: "grown-so-far", role: "status", "aria-live": "off" }), button);
  return [make("h3", {}, "On the photo above"), make("div", { className: "row" }, map), words("")];
}

const STEPS = 96;

/** Grow the channel's picture in place of the stored one; a second press stops it. */
async function growHere() {
  const { layer, channel } = panel, [button, box, line] = ["#grow", "#panel .grown", "#grown-so-far"].map((name) => find(name));
  if (button.dataset.grows) return live.ask("stop");
  const canvas = find("canvas", box) ?? box.appendChild(make("canvas", { width: 128, height: 128 }));
  button.dataset.grows = "yes";
  line.ariaLive = "off";
  button.textContent = "Stop";
  line.textContent = "Growing begins\u2026";
  const report = ({ step, response, pixels }) => {
    canvas.getContext("2d").putImageData(imageData(pixels, 128), 0, 0);
    if (box.isConnected) line.textContent = `step ${step} of ${STEPS}: response ${said(response)}`;
    else live.ask("stop");
  };
  const given = { layer: layer.name, channel, size: 128, steps: STEPS, seed: Math.floor(performance.now()) };
  await live.ask("grow", given, report).catch((error) => (line.textContent = error.message));
  line.ariaLive = "polite"; // the steps are not read out, the end is
  line.append(".");
  delete button.dataset.grows;
  button.textContent = "Grow it once more";
}

// ---- Beginning

function connect() {
  for (const button of findAll("[data-probe]")) {
    button.addEventListener("click", () => (stopCamera(), lookAtProbe(button.dataset.probe)));
  }
  find("#file").addEventListener("change", (event) => lookAtFile(event.target.files[0]));
  find("#camera").addEventListener("click", toggleCamera);
  for (const input of findAll("[name=mode]")) input.addEventListener("change", () => {
    live.mode = input.value;
    find("#photo").dataset.mode = input.value;
    placeCover(live.cover.left, live.cover.top);
    refresh();
  });
  for (const button of findAll("#top button")) button.addEventListener("click", () => {
    live.category = Number(button.dataset.category);
    showTop();
    showEvidence();
  });
  find("#cover-size").addEventListener("input", (event) => {
    live.cover.size = Number(event.target.value);
    placeCover(live.cover.left, live.cover.top);
  });
  for (const kind of ["pointerdown", "pointermove"]) find("#frame").addEventListener(kind, dragCover);
  find("#cover").addEventListener("keydown", moveCover);
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => (event.preventDefault(), lookAtFile(event.dataTransfer.files[0])));
  for (const kind of ["looked", "panel"]) document.addEventListener(kind, showOnPhoto);
}

if (GIVEN.about.live) {
  connect();
  (window.requestIdleCallback ?? setTimeout)(startLive);
}
