// SqueezeNet and what the lessons ask of it, in a worker: the page stays free while it computes. Pictures are RGB, 0 to 1.
"use strict";

const MAPS = {}; // {layer: maps (1, h, w, C)} of the picture that was looked at last
let network; // {layers, pools, mean, basis, weights: {convolution: [filter, bias]}}, as page.py wrote it
let growing = 0; // how often growth was begun or stopped

/** 16-bit floating-point numbers, given as their bits, as 32-bit ones. */
function floats(bits) {
  const values = new Float32Array(65536).map((_, number) => {
    const exponent = (number >> 10) & 31, fraction = number & 1023;
    const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
    return number & 32768 ? -size : size;
  });
  const found = new Float32Array(bits.length);
  for (let place = 0; place < bits.length; place++) found[place] = values[bits[place]];
  return found;
}

/** Start TensorFlow.js and lay out the weights: `values` holds them one behind the other, 16 or 32 bits each. */
async function start({ binary, values, half, shapes, ...rest }) {
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  tf.env().platform.fetch = async () => ({ ok: true, arrayBuffer: async () => binary }); // a file's page may fetch nothing
  tf.wasm.setWasmPaths("/", true);
  if (!(await tf.setBackend("wasm"))) throw new Error("this browser does not run WebAssembly with SIMD");
  quickenGradient();
  const numbers = half ? floats(new Uint16Array(values)) : new Float32Array(values);
  let place = 0;
  const next = (shape) => {
    const size = shape.reduce((product, side) => product * side);
    return tf.tensor(numbers.subarray(place, (place += size)), shape);
  };
  network = { ...rest, weights: {} };
  for (const [name, shape] of shapes) network.weights[name] = [next(shape), next(shape.slice(3))];
}

/** A convolution's gradient is a convolution, too, with the filter turned over: a step of growing takes a third less time. */
function quickenGradient() {
  const { gradFunc } = tf.getGradient("Conv2D");
  tf.unregisterGradient("Conv2D");
  tf.registerGradient({
    kernelName: "Conv2D",
    inputsToSave: ["x", "filter"],
    gradFunc: (gradient, [x, filter], how) => {
      if (how.strides !== 1 || how.pad !== "same") return gradFunc(gradient, [x, filter], how);
      return { x: () => tf.conv2d(gradient, tf.transpose(tf.reverse(filter, [0, 1]), [0, 1, 3, 2]), 1, "same") };
    },
  });
}

// ---- The network

function convolved(x, name, strides = 1, pad = "same") {
  const [filter, bias] = network.weights[name];
  return tf.fused.conv2d({ x, filter, bias, strides, pad, activation: "relu" });
}

function block(x, layer) {
  if (layer === "conv1") return convolved(x, layer, 2, "valid");
  const squeezed = convolved(x, `${layer}.squeeze`);
  return tf.concat([convolved(squeezed, `${layer}.expand1x1`), convolved(squeezed, `${layer}.expand3x3`)], 3);
}

/** After a ReLU, a row and a column of zeros are what torchvision's ceil_mode does, at every size. */
function pooled(x) {
  return tf.maxPool(tf.pad(x, [[0, 0], [0, 1], [0, 1], [0, 0]]), 3, 2, "valid");
}

/** What `layer` is given when the network sees a picture (1, H, W, 3); `keep(layer, maps)` hears of all before it. */
function entering(picture, layer, keep = () => {}) {
  let x = tf.sub(tf.mul(tf.reverse(picture, 3), 255), network.mean);
  for (const name of network.layers) {
    if (name === layer) break;
    x = block(x, name);
    keep(name, x);
    if (network.pools.includes(name)) x = pooled(x);
  }
  return x;
}

/** The scores before the softmax (1, 1000), from fire9's maps. */
const scores = (maps) => tf.mean(convolved(maps, "conv10"), [1, 2]);

/** Look at a picture: its logits, and each channel's mean response. The maps stay here until the next look. */
function look({ pixels, side }) {
  for (const maps of Object.values(MAPS)) maps.dispose();
  return tf.tidy(() => {
    const picture = tf.tensor(pixels, [1, side, side, 3]);
    const last = entering(picture, "conv10", (layer, maps) => (MAPS[layer] = tf.keep(maps)));
    const mean = (maps) => tf.mean(maps, [0, 1, 2]).dataSync();
    const strengths = Object.fromEntries(Object.entries(MAPS).map(([layer, maps]) => [layer, mean(maps)]));
    return { logits: scores(last).dataSync(), strengths };
  });
}

/** A layer's maps of the last look: values (h, w, C), row by row. */
function maps({ layer }) {
  const [, height, width, channels] = MAPS[layer].shape;
  return { height, width, channels, values: MAPS[layer].dataSync() };
}

/** Where fire9's maps speak for a category: weight[c] = mean of gradients[c], map = ReLU(sum of weight[c] * maps[c]). */
function gradCam({ category }) {
  return tf.tidy(() => {
    const score = (maps) => tf.sum(tf.slice(scores(maps), [0, category], [1, 1]));
    const weights = tf.mean(tf.grad(score)(MAPS.fire9), [1, 2], true);
    const [, height, width] = MAPS.fire9.shape;
    return { height, width, values: tf.relu(tf.sum(tf.mul(weights, MAPS.fire9), 3)).dataSync() };
  });
}

// ---- Growing a picture, as on Day 20: Fourier, decorrelated colors, Adam, shaken before every look

/** A channel's mean response before the ReLU; conv1's after it, and a tenth of that before. Its own filter alone runs last. */
function response(picture, layer, channel) {
  let x = entering(picture, layer), [name, index] = [layer, channel];
  if (layer !== "conv1") {
    x = convolved(x, `${layer}.squeeze`);
    const half = network.weights[`${layer}.expand1x1`][1].size;
    [name, index] = channel < half ? [`${layer}.expand1x1`, channel] : [`${layer}.expand3x3`, channel - half];
  }
  const [filter, bias] = network.weights[name], [rows, columns, inputs] = filter.shape;
  const own = tf.slice(filter, [0, 0, 0, index], [rows, columns, inputs, 1]);
  const first = layer === "conv1", answer = first ? tf.conv2d(x, own, 2, "valid") : tf.conv2d(x, own, 1, "same");
  const map = tf.add(answer, tf.slice(bias, [index], [1]));
  return tf.mean(first ? tf.add(tf.relu(map), tf.mul(map, 0.1)) : map);
}

/** Matrices that turn a spectrum of `size` x `size / 2 + 1` waves into pixels, 1/f and irfft2's 1/size^2 among them. */
function waves(size) {
  const half = size / 2 + 1, turn = (2 * Math.PI) / size;
  const matrix = (rows, columns, value) => {
    const number = (_, at) => value(Math.floor(at / columns), at % columns);
    return tf.tensor2d(Float32Array.from({ length: rows * columns }, number), [rows, columns]);
  };
  const twice = (u) => (u % (size / 2) ? 2 : 1) / size ** 2;
  const frequency = (v, u) => Math.hypot(Math.min(v, size - v) / size, u / size);
  return {
    scale: matrix(size, half, (v, u) => size / Math.max(frequency(v, u), 1 / size) / 4),
    downCos: matrix(size, size, (y, v) => Math.cos(turn * v * y)),
    downSin: matrix(size, size, (y, v) => Math.sin(turn * v * y)),
    acrossCos: matrix(half, size, (u, x) => twice(u) * Math.cos(turn * u * x)),
    acrossSin: matrix(half, size, (u, x) => twice(u) * Math.sin(turn * u * x)),
  };
}

/** Spectra (2, 3, size, size / 2 + 1), real and imaginary parts, as a picture (1, size, size, 3). */
function drawn(spectrum, { scale, downCos, downSin, acrossCos, acrossSin }) {
  const [real, imaginary] = tf.unstack(tf.mul(spectrum, scale)), size = downCos.shape[0];
  const each = (parts, one) => tf.stack(tf.unstack(parts).map(one));
  const down = (matrix, part) => each(part, (plane) => tf.matMul(matrix, plane));
  const across = (part, matrix) => each(part, (plane) => tf.matMul(plane, matrix));
  const even = tf.sub(down(downCos, real), down(downSin, imaginary));
  const odd = tf.add(down(downCos, imaginary), down(downSin, real));
  const planes = tf.sub(across(even, acrossCos), across(odd, acrossSin));
  const colors = tf.matMul(tf.transpose(tf.reshape(planes, [3, size * size])), network.basis, false, true);
  return tf.reshape(tf.sigmoid(colors), [1, size, size, 3]);
}

/** Random numbers that are the same at every start: uniform from -1 to 1. */
function generator(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let value = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2147483648 - 1;
  };
}

/** How a picture is shaken: moved by up to 16 pixels, turned by 8 degrees, scaled by a tenth, reflected at its border. */
function shaking(random, size) {
  const [right, down] = [random() * 16, random() * 16], angle = (random() * 8 * Math.PI) / 180;
  const factor = 1 / (1 + random() / 10), middle = (size - 1) / 2;
  const [cos, sin] = [Math.cos(angle) * factor, Math.sin(angle) * factor];
  const reflected = (place) => {
    const around = (((place + 0.5) % (2 * size)) + 2 * size) % (2 * size);
    return Math.min(Math.max((around > size ? 2 * size - around : around) - 0.5, 0), size - 1);
  };
  const from = new Int32Array(4 * size * size), share = new Float32Array(4 * size * size);
  for (let y = 0, at = 0; y < size; y++) for (let x = 0; x < size; x++) {
    const [across, along] = [x - middle + right, y - middle + down];
    const row = reflected(sin * across + cos * along + middle), column = reflected(cos * across - sin * along + middle);
    const top = Math.floor(row), left = Math.floor(column);
    for (const [y, part] of [[top, 1 - row + top], [Math.min(top + 1, size - 1), row - top]]) {
      for (const [x, other] of [[left, 1 - column + left], [Math.min(left + 1, size - 1), column - left]]) {
        from[at] = 3 * (y * size + x);
        share[at++] = part * other;
      }
    }
  }
  return { from, share };
}

/** A picture (1, size, size, 3) shaken: each pixel is mixed from four, bilinear. The gradient goes back the same way. */
function shaken(picture, { from, share }) {
  const moved = (values, forth) => {
    const result = new Float32Array(values.length);
    for (let at = 0; at < from.length; at++) for (let color = 0, pixel = 3 * (at >> 2); color < 3; color++) {
      if (forth) result[pixel + color] += share[at] * values[from[at] + color];
      else result[from[at] + color] += share[at] * values[pixel + color];
    }
    return tf.tensor(result, picture.shape);
  };
  return tf.customGrad((given) => ({
    value: moved(given.dataSync(), true),
    gradFunc: (gradient) => moved(gradient.dataSync(), false),
  }))(picture);
}

/** Adam, going up. Returns a function that moves `values` one step along a gradient. */
function adam(values, rate = 0.05) {
  const first = new Float32Array(values.length), second = new Float32Array(values.length);
  let step = 0;
  return (gradient) => {
    step += 1;
    const [one, two] = [1 - 0.9 ** step, 1 - 0.999 ** step];
    for (let place = 0; place < values.length; place++) {
      first[place] += 0.1 * (gradient[place] - first[place]);
      second[place] += 0.001 * (gradient[place] ** 2 - second[place]);
      values[place] += (rate * first[place] / one) / (Math.sqrt(second[place] / two) + 1e-8);
    }
  };
}

/** Grow a channel's picture; every step reports its number, the picture before it, and the response of that, shaken. */
async function grow({ layer, channel, size, steps, seed = 0 }, report) {
  const turn = ++growing, random = generator(seed), table = waves(size), shape = [2, 3, size, size / 2 + 1];
  const noise = () => 0.01 * Math.sqrt(-2 * Math.log((1 - random()) / 2)) * Math.cos(Math.PI * random());
  const values = Float32Array.from({ length: 6 * size * (size / 2 + 1) }, noise), climb = adam(values);
  for (let step = 1; step <= steps && turn === growing; step++) {
    let pixels;
    const objective = (spectrum) => {
      const picture = drawn(spectrum, table);
      pixels = picture.dataSync();
      return response(shaken(picture, shaking(random, size)), layer, channel);
    };
    tf.tidy(() => {
      const { value, grad } = tf.valueAndGrad(objective)(tf.tensor(values, shape));
      report({ step, response: value.dataSync()[0], pixels });
      climb(grad.dataSync());
    });
    await new Promise((resolve) => setTimeout(resolve)); // other questions are answered in between
  }
  Object.values(table).forEach((matrix) => matrix.dispose());
}

function stop() {
  growing += 1;
}

// ---- Questions and answers

const TASKS = { start, look, maps, gradCam, grow, stop };

self.onmessage = async ({ data: { id, task, given } }) => {
  try {
    const answer = await TASKS[task](given, (progress) => postMessage({ id, progress }));
    postMessage({ id, answer });
  } catch (error) {
    postMessage({ id, error: error.message });
  }
};
