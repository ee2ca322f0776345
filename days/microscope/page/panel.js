// The panel: what is known of one channel, each picture with what it shows and what it does not.
"use strict";

const panel = { layer: null, channel: null, element: find("#panel"), nothing: find("#panel p") };

const WORDS = {
  dead: "Nothing grew here: no place of this channel fired on the noise that growing starts from, so its gradient was 0. " +
    "The picture is still the gray of the start.",
  grown: "It shows what excites the channel most in one ascent. Photos may excite it by something else.",
  filter: "Each pixel has a weight for red, green and blue. Mid-gray is 0, lighter is positive, darker is negative; the scale " +
    "is this filter's own largest weight.",
  inputs: "Channels that feed this one, with their weights. In SqueezeNet a weight is taken through the squeeze layer, as if " +
    "its ReLU let everything pass. A channel with a minus lowers this one. The weights do not say how often a channel fires.",
  votes: "If the channel's mean response rises by 1, a category's score rises by this weight. The weight does not say how " +
    "large the response is.",
  votesBeforeReLU: "conv10's weights for this channel. If the channel's mean response rises by 1, the mean of a category's map " +
    "before its ReLU rises by exactly this weight. The score is the mean of that map after its ReLU.",
  silenced: "The channel's map is set to 0 everywhere. The table shows the probability of the category that the network " +
    "predicts, before and after, and the change of its score. On other photos the channel may matter more or less.",
};

/** Show a channel; resolves when all of it is there. */
async function showPanel(layer, channel) {
  Object.assign(panel, { layer, channel });
  document.body.classList.toggle("open", channel !== null);
  if (channel === null) return panel.element.replaceChildren(panel.nothing);
  const waiting = words("The rest loads\u2026");
  panel.element.replaceChildren(...heading(layer, channel), grownPicture(layer, channel), waiting);
  const data = await load(layer.script), cell = channel / GIVEN.about.every;
  if (panel.layer !== layer || panel.channel !== channel) return;
  waiting.remove();
  const parts = [grownWords, onThePhoto, filterPart, inputsPart, cropsPart, votesPart, silencedPart];
  panel.element.append(...parts.flatMap((part) => part(layer, channel, data, cell) ?? []));
  document.dispatchEvent(new Event("panel"));
}

function heading(layer, channel) {
  const step = GIVEN.about.every, last = (cellsOf(layer) - 1) * step;
  const link = (to, text, name) =>
    to < 0 || to > last ? null : make("a", { href: `#${layer.name}/${to}`, "aria-label": name, title: name }, text);
  return [
    make("div", { className: "bar" },
      make("h2", { tabIndex: -1 }, `${layer.name} / ${channel}`),
      link(channel - step, "\u2190", "previous channel"), link(channel + step, "\u2192", "next channel"),
      make("a", { href: `#${layer.name}`, "aria-label": "close the panel", title: "close the panel (Escape)" }, "\u00d7")),
  ];
}

const part = (title, ...children) => make("section", {}, make("h3", {}, title), ...children);
const words = (text) => make("p", { className: "words" }, text);

function grownPicture(layer, channel) {
  const picture = make("div", { className: "grown", role: "img", style: sprite(layer, channel) });
  picture.setAttribute("aria-label", `The picture that was grown for channel ${channel} of ${layer.name}.`);
  return make("div", { className: "first" }, picture, make("div", { className: "growing" }));
}

function grownWords(layer, channel, data, cell) {
  if (data.dead.includes(channel)) return words(WORDS.dead);
  const where = data.filter ? "after the ReLU, and a tenth of that before it," : "before the ReLU";
  const best = data.crops?.[cell]?.[0]?.[5], beside = best === undefined ? "" : `The best crop of a photo reaches ${said(best)}. `;
  const reached = said(data.response[cell]);
  return words(`Grown from noise until the channel's mean response ${where} was ${reached}. ${beside}${WORDS.grown}`);
}

// ---- What feeds it

function filterPart(layer, channel, data, cell) {
  if (!data.filter) return null;
  const [height, width] = data.filter_shape, values = data.filter[cell], most = Math.max(...values.map(Math.abs));
  const gray = Float32Array.from(values, (value) => 0.5 + value / (2 * most));
  const planes = ["all colors", "red", "green", "blue"].map((name, color) => {
    const canvas = make("canvas", { width, height, role: "img", "aria-label": `The filter, ${name}.` });
    const pixels = color ? gray.map((_, at) => gray[at - (at % 3) + color - 1]) : gray;
    canvas.getContext("2d").putImageData(imageData(pixels, width, height), 0, 0);
    return make("figure", {}, canvas, make("figcaption", {}, name));
  });
  return part("Its filter", make("div", { className: "row" }, ...planes), words(WORDS.filter));
}

function inputsPart(layer, channel, data, cell) {
  const inputs = data.inputs?.[cell];
  if (!inputs?.length) return null;
  const items = inputs.map(([name, from, weight]) => {
    const source = name && layerNamed(name), known = source && from % GIVEN.about.every === 0;
    const text = `${name ?? "input"}/${from}`, label = make("span", { className: weight < 0 ? "against" : "for" }, signed(weight, 2));
    if (!known) return make("li", {}, make("span", {}, text), make("br"), label);
    const picture = make("span", { className: "small", style: sprite(source, from) });
    return make("li", {}, make("a", { href: `#${text}` }, picture, text), label);
  });
  return part("Its strongest inputs", make("ul", { className: "inputs" }, ...items), words(WORDS.inputs));
}

// ---- What excites it in photos

function cropsPart(layer, channel, data, cell) {
  const crops = data.crops?.[cell];
  if (!crops?.length) return null;
  const [whole, show] = wholePhoto(), grid = make("div", { className: "crops" });
  crops.forEach((crop, place) => {
    const photo = GIVEN.about.photos[crop[0]], label = `Crop ${place + 1}, from the photo ${photo.name}: ${said(crop[5])}`;
    const button = make("button", { type: "button", style: cutOut(photo, ...crop.slice(1, 5)), "aria-label": label });
    const choose = () => {
      show(crop);
      for (const other of grid.children) other.setAttribute("aria-pressed", String(other === button));
    };
    for (const kind of ["focus", "pointerenter", "click"]) button.addEventListener(kind, choose);
    grid.append(button);
    if (!place) choose();
  });
  const text = `The ${crops.length} crops that excite it most, of ${GIVEN.about.photos.length} photos, each from another place. ` +
    "Other photos may excite it more.";
  return part("What excites it in photos", make("div", { className: "evidence" }, grid, whole), words(text));
}

/** A photo with a frame in it, and a function that shows a crop there. */
function wholePhoto() {
  const image = make("img"), mark = make("span", { className: "mark" }), caption = make("figcaption");
  const show = ([photo, left, top, width, height, response]) => {
    const { file, name } = GIVEN.about.photos[photo], [x, y, wide, high] = [left, top, width, height].map((share) => `${100 * share}%`);
    if (!image.src.endsWith(file)) image.src = file;
    image.alt = `The photo ${name}; a frame marks the crop.`;
    mark.style.cssText = `left: ${x}; top: ${y}; width: ${wide}; height: ${high}`;
    caption.textContent = `${name}: mean response ${said(response)}`;
  };
  return [make("figure", {}, make("div", { className: "whole" }, image, mark), caption), show];
}

// ---- What it does

function votesPart(layer, channel, data, cell) {
  const votes = data.votes?.[cell];
  if (!votes) return null;
  const most = Math.max(...votes.flat().map(([, weight]) => Math.abs(weight)));
  const item = ([category, weight]) => make("li", { style: `--share: ${Math.abs(weight) / most}` },
    make("span", {}, GIVEN.about.categories[category]), make("b", {}, signed(weight, 2)));
  const sides = ["for", "against"].map((side, place) =>
    make("div", {}, make("h4", {}, side), make("ul", { className: `votes ${side}` }, ...votes[place].map(item))));
  const text = GIVEN.about.live && layer.name === "fire9" ? WORDS.votesBeforeReLU : WORDS.votes;
  return part("Its votes", make("div", { className: "two" }, ...sides), words(text));
}

function silencedPart(layer, channel, data, cell) {
  const rows = data.silenced?.[cell];
  if (!rows) return null;
  const heads = ["photo", "category", "before", "after", "score"].map((head) => make("th", { scope: "col" }, head));
  const table = make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows.map(silencedRow)));
  return part("When it is silenced", table, words(WORDS.silenced));
}

/** What a probe's row of the store says: 0 where nothing changes, or [probability, change of the score, new category or -1]. */
function silencedRow(row, place) {
  const { photo, category, before } = GIVEN.about.probes[place], [after, change, now] = row || [before, 0, -1];
  const { file, name } = GIVEN.about.photos[photo], { categories } = GIVEN.about;
  const texts = [percent(before), percent(after), signed(change, 2)].map((text) => make("td", {}, text));
  const named = now < 0 ? categories[category] : make("em", {}, `now ${categories[now]}`);
  const image = make("img", { src: file, alt: name, loading: "lazy" });
  return make("tr", { className: row ? "" : "same" }, make("th", { scope: "row" }, image), make("td", {}, named), ...texts);
}

// ---- What it does on the photo above: live.js fills it in

function onThePhoto() {
  return GIVEN.about.live ? make("section", { id: "on-photo" }) : null;
}
