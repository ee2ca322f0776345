// Pictures as the network sees them: the largest centered square, made as small as `load_image(..., size=224)` makes it.
"use strict";

const LARGEST = 1536; // the browser makes photos with a longer shorter side so small; smaller ones are resized as in the course

/** The cubic that Pillow resizes with. */
function cubic(x) {
  x = Math.abs(x);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/** For each of `size` pixels made of `span` that begin at `start`: the first of all `length` that counts, and shares. */
function shares(length, start, span, size) {
  const factor = span / size, wide = Math.max(1, factor);
  return Array.from({ length: size }, (_, place) => {
    const center = start + (place + 0.5) * factor;
    const first = Math.max(0, Math.trunc(center - 2 * wide + 0.5));
    const count = Math.min(length, Math.trunc(center + 2 * wide + 0.5)) - first;
    const parts = Float64Array.from({ length: count }, (_, step) => cubic((first + step - center + 0.5) / wide));
    const sum = parts.reduce((total, share) => total + share, 0);
    return { first, parts: parts.map((share) => share / sum) };
  });
}

/** The middle of RGBA pixels, 0 to 255, at another size, as Pillow makes it: (size, size, 3), RGB from 0 to 1. */
function resized({ data, width, height }, size) {
  const side = Math.min(width, height), found = new Float32Array(size * size * 3);
  const across = shares(width, (width - side) / 2, side, size), down = shares(height, (height - side) / 2, side, size);
  const rows = new Float32Array(height * size * 3);
  for (let y = down[0].first; y < down[size - 1].first + down[size - 1].parts.length; y++) for (let x = 0; x < size; x++) {
    const { first, parts } = across[x];
    let red = 0, green = 0, blue = 0;
    for (let place = 0, from = 4 * (y * width + first); place < parts.length; place++, from += 4) {
      red += parts[place] * data[from];
      green += parts[place] * data[from + 1];
      blue += parts[place] * data[from + 2];
    }
    rows.set([red / 255, green / 255, blue / 255], 3 * (y * size + x));
  }
  down.forEach(({ first, parts }, y) => parts.forEach((share, place) => {
    const from = (first + place) * size * 3, to = y * size * 3;
    for (let at = 0; at < size * 3; at++) found[to + at] += share * rows[from + at];
  }));
  return found.map((value) => Math.min(Math.max(value, 0), 1));
}

/** The middle of a picture or of a video's frame, `size` x `size`: (size, size, 3), RGB from 0 to 1. */
function middleOf(source, width, height, size) {
  const scale = Math.min(1, LARGEST / Math.min(width, height));
  const shape = { width: Math.round(scale * width), height: Math.round(scale * height) };
  const pen = Object.assign(document.createElement("canvas"), shape).getContext("2d", { willReadFrequently: true });
  pen.imageSmoothingEnabled = scale < 1;
  pen.imageSmoothingQuality = "high";
  pen.fillStyle = "#fff"; // what is transparent lies on white
  pen.fillRect(0, 0, shape.width, shape.height);
  pen.drawImage(source, 0, 0, shape.width, shape.height);
  return resized(pen.getImageData(0, 0, shape.width, shape.height), size);
}

/** A file as (size, size, 3). Throws an error with one line for a file that is no picture. */
async function readPhoto(file, size) {
  let picture;
  try {
    picture = await createImageBitmap(file, { colorSpaceConversion: "none" });
  } catch {
    throw new Error(`${file.name} is not a picture that this browser can read: choose a JPEG, PNG or WebP file.`);
  }
  const found = middleOf(picture, picture.width, picture.height, size);
  picture.close();
  return found;
}

/** RGB from 0 to 1, (size, size, 3), as what a canvas can show. */
function imageData(pixels, width, height = width) {
  const bytes = new Uint8ClampedArray(width * height * 4);
  for (let place = 0; place < width * height; place++) {
    for (let color = 0; color < 3; color++) bytes[4 * place + color] = 255 * pixels[3 * place + color];
    bytes[4 * place + 3] = 255;
  }
  return new ImageData(bytes, width, height);
}

/** Values as colors of a scale [[r, g, b] x 256], RGB from 0 to 1; `top` gets the last color, 0 the first. */
function colored(values, scale, top) {
  const found = new Float32Array(3 * values.length);
  values.forEach((value, place) => {
    const color = scale[Math.min(255, Math.max(0, Math.floor((256 * value) / (top || 1))))];
    for (let part = 0; part < 3; part++) found[3 * place + part] = color[part] / 255;
  });
  return found;
}

/** A map (height, width) at size x size, bilinear, the centers of pixels matched. */
function enlarged({ values, height, width }, size) {
  const place = (at, length) => {
    const where = Math.min(Math.max(((at + 0.5) * length) / size - 0.5, 0), length - 1), low = Math.floor(where);
    return [low, Math.min(low + 1, length - 1), where - low];
  };
  const columns = Array.from({ length: size }, (_, x) => place(x, width));
  return Float32Array.from({ length: size * size }, (_, at) => {
    const [top, below, down] = place(Math.floor(at / size), height), [left, right, across] = columns[at % size];
    const row = (y) => values[y * width + left] * (1 - across) + values[y * width + right] * across;
    return row(top) * (1 - down) + row(below) * down;
  });
}

/** Day 22's overlay: the photo gray and darker, and on it the map's colors, the stronger the higher the map. */
function overlaid(photo, map, scale, strength = 0.6) {
  const size = Math.sqrt(photo.length / 3), heights = enlarged(map, size);
  const top = map.values.reduce((most, value) => Math.max(most, value), 0), colors = colored(heights, scale, top);
  return photo.map((value, at) => {
    const place = Math.floor(at / 3), pixel = 3 * place, hidden = (strength * heights[place]) / (top || 1);
    const gray = 0.299 * photo[pixel] + 0.587 * photo[pixel + 1] + 0.114 * photo[pixel + 2];
    return (1 - hidden) * ((1 - strength) * value + strength * 0.6 * gray) + hidden * colors[at];
  });
}
