// What the page knows. Scripts bring data by `give`, as a page that is opened from a file may fetch nothing.
"use strict";

const GIVEN = {}; // {name: what a script has brought}
const LOADING = {}; // {name: a promise of it}

/** Called by the scripts of data, each with its own name. */
function give(name, value) {
  GIVEN[name] = value;
}

/** What the script microscope/NAME.js brings; it is loaded once. */
function load(name) {
  LOADING[name] ??= new Promise((resolve, reject) => {
    const failed = () => reject(new Error(`microscope/${name}.js is missing: build the page again.`));
    const loaded = () => resolve(GIVEN[name]);
    document.head.append(make("script", { src: `microscope/${name}.js`, onload: loaded, onerror: failed }));
  });
  return LOADING[name];
}

/** The bytes that Base64 text stands for. */
function bytesOf(text) {
  const letters = atob(text), bytes = new Uint8Array(letters.length);
  for (let place = 0; place < letters.length; place++) bytes[place] = letters.charCodeAt(place);
  return bytes;
}

/** An element with properties and children; `aria-...`, `data-...`, `role` and `style` may be among them. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (/^(aria|data)-|^(role|style)$/.test(name)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const find = (selector, root = document) => root.querySelector(selector);
const findAll = (selector, root = document) => [...root.querySelectorAll(selector)];

/** A number as text, with a true minus. */
const said = (value, digits = 1) => value.toFixed(digits).replace("-", "\u2212");
const signed = (value, digits = 1) => (value > 0 ? "+" : "") + said(value, digits);
const percent = (share) => `${said(100 * share)} %`;
const layerNamed = (name) => GIVEN.about.layers.find((layer) => layer.name === name);
const cellsOf = (layer) => Math.ceil(layer.channels / GIVEN.about.every);

/** Style that shows a channel's grown picture, at any size, cut from the layer's sheet. */
function sprite(layer, channel) {
  const cell = channel / GIVEN.about.every, [row, column] = [Math.floor(cell / layer.across), cell % layer.across];
  const part = (place, count) => `${count > 1 ? (100 * place) / (count - 1) : 0}%`;
  const size = `${100 * layer.across}% ${100 * layer.down}%`;
  return `background: url(microscope/${layer.shown}) ${part(column, layer.across)} ${part(row, layer.down)} / ${size}`;
}

/** Style that shows a part of a photo: its left, top, width and height as shares of the photo. */
function cutOut(photo, left, top, width, height) {
  const part = (start, length) => `${length < 1 ? (100 * start) / (1 - length) : 0}%`;
  return `background: url(${photo.file}) ${part(left, width)} ${part(top, height)} / ${100 / width}% ${100 / height}%`;
}
