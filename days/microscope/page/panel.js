// The panel: what is known of one channel, each picture with what it shows and what it does not.
"use strict";

const panel = { layer: null, channel: null, element: find("#panel") };

/** Show a channel; resolves when all of it is there. */
async function showPanel(layer, channel) {
  Object.assign(panel, { layer, channel });
  document.body.classList.toggle("open", channel !== null);
  if (channel === null) return panel.element.replaceChildren(find("#nothing-chosen").content.cloneNode(true));
  panel.element.replaceChildren(...heading(layer, channel), grownPicture(layer, channel), make("p", { className: "note" }, "The rest loads\u2026"));
  const data = await load(layer.script), cell = channel / GIVEN.about.every;
  if (panel.layer !== layer || panel.channel !== channel) return;
  find(".note", panel.element).remove();
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
const link = ([layer, channel], ...children) => make("a", { href: `#${layer}/${channel}` }, ...children);

function grownPicture(layer, channel) {
  const picture = make("div", { className: "grown", role: "img", style: sprite(layer, channel) });
  picture.setAttribute("aria-label", `The picture that was grown for channel ${channel} of ${layer.name}.`);
  return make("div", { className: "first" }, picture, make("div", { className: "growing" }));
}

function grownWords(layer, channel, data, cell) {
  if (data.dead.includes(channel)) {
    return words("Nothing grew: at the start no place of this channel fired, and its gradient was 0. So the picture is the gray that it began as.");
  }
  const best = data.crops?.[cell]?.[0]?.[5];
  const beside = best === undefined ? "" : ` The best crop of a photo reaches ${said(best)}.`;
  const where = data.filter ? "after the ReLU, and a tenth of that before it," : "before the ReLU";
  return words(
    `Grown from noise until the channel's mean response ${where} was ${said(data.response[cell])}.${beside} ` +
    "It shows what excites the channel most, and not all that does: photos may excite it by something else.");
}

// ---- What feeds it

function filterPart(layer, channel, data, cell) {
  if (!data.filter) return null;
  const [rows, columns] = data.filter_shape, values = data.filter[cell];
  const most = Math.max(...values.map(Math.abs)), gray = Float32Array.from(values, (value) => 0.5 + value / (2 * most));
  const planes = ["all colors", "red", "green", "blue"].map((name, color) => {
    const canvas = make("canvas", { width: columns, height: rows, role: "img" });
    canvas.setAttribute("aria-label", `The filter, ${name}.`);
    const pixels = color ? gray.map((_, at) => gray[at - (at % 3) + color - 1]) : gray;
    canvas.getContext("2d").putImageData(imageData(pixels, columns, rows), 0, 0);
    return make("figure", {}, canvas, make("figcaption", {}, name));
  });
  return part("Its filter", make("div", { className: "row" }, ...planes),
    words(`${rows} \u00d7 ${columns} pixels, each a weight for red, green and blue. Mid-gray is 0, lighter is positive; the scale is this filter's own largest weight.`));
}

function inputsPart(layer, channel, data, cell) {
  const inputs = data.inputs?.[cell];
  if (!inputs?.length) return null;
  const items = inputs.map(([name, from, weight]) => {
    const source = name && layerNamed(name), text = `${name ?? "input"}/${from}`;
    const shown = source && from % GIVEN.about.every === 0 ? make("span", { className: "small", style: sprite(source, from) }) : null;
    const label = make("span", { className: weight < 0 ? "against" : "for" }, signed(weight, 2));
    return make("li", {}, source ? link([name, from], shown, text) : text, label);
  });
  return part("Its strongest inputs", make("ul", { className: "inputs" }, ...items),
    words("Channels of the layer before, with the weight of each: through the squeeze layer, as if the ReLU there let everything pass. A minus means that they speak against this channel."));
}

// ---- What excites it in photos

function cropsPart(layer, channel, data, cell) {
  const crops = data.crops?.[cell];
  if (!crops?.length) return null;
  const whole = make("img", { alt: "" }), mark = make("span", { className: "mark" }), caption = make("figcaption");
  const choose = ([photo, left, top, width, height, response], button) => {
    const { file, name } = GIVEN.about.photos[photo];
    if (!whole.src.endsWith(file)) whole.src = file;
    whole.alt = `The photo ${name}; a frame marks the crop.`;
    mark.style.cssText = `left: ${100 * left}%; top: ${100 * top}%; width: ${100 * width}%; height: ${100 * height}%`;
    caption.textContent = `${name}: mean response ${said(response)}`;
    for (const other of findAll("button", button.parentElement)) other.setAttribute("aria-pressed", String(other === button));
  };
  const buttons = crops.map((crop, place) => {
    const photo = GIVEN.about.photos[crop[0]];
    const button = make("button", { type: "button", style: cutOut(photo, ...crop.slice(1, 5)), "aria-pressed": "false" });
    button.setAttribute("aria-label", `Crop ${place + 1} of ${crops.length}, from the photo ${photo.name}: ${said(crop[5])}`);
    for (const kind of ["focus", "pointerenter", "click"]) button.addEventListener(kind, () => choose(crop, button));
    return button;
  });
  const grid = make("div", { className: "crops" }, ...buttons);
  choose(crops[0], buttons[0]);
  return part("What excites it in photos", make("div", { className: "evidence" }, grid, make("figure", {}, make("div", { className: "whole" }, whole, mark), caption)),
    words(`The ${crops.length} crops with the highest mean response, of ${GIVEN.about.photos.length} photos; each from another place. Other photos may excite the channel more.`));
}

// ---- What it does

function votesPart(layer, channel, data, cell) {
  const votes = data.votes?.[cell];
  if (!votes) return null;
  const most = Math.max(...votes.flat().map(([, weight]) => Math.abs(weight)));
  const list = (title, side, className) => make("div", {}, make("h4", {}, title), make("ul", { className: `votes ${className}` }, ...side.map(([category, weight]) =>
    make("li", { style: `--share: ${Math.abs(weight) / most}` }, make("span", {}, GIVEN.about.categories[category]), make("b", {}, signed(weight, 2))))));
  return part("Its votes", make("div", { className: "two" }, list("for", votes[0], "for"), list("against", votes[1], "against")),
    words("conv10's weights for this channel: by so much does a mean response of 1 raise or lower the mean of the category's map before its ReLU. The score is that map's mean after its ReLU, so a category at 0 stays there."));
}

function silencedPart(layer, channel, data, cell) {
  const rows = data.silenced?.[cell];
  if (!rows) return null;
  const names = GIVEN.about.categories;
  const lines = rows.map((row, place) => {
    const { photo, category, before } = GIVEN.about.probes[place], [after, change, now] = row || [before, 0, -1];
    const name = now >= 0 ? make("em", {}, `now ${names[now]}`) : names[category];
    return make("tr", { className: row ? "" : "same" },
      make("th", { scope: "row" }, make("img", { src: GIVEN.about.photos[photo].file, alt: GIVEN.about.photos[photo].name, loading: "lazy" })),
      make("td", {}, name), make("td", {}, percent(before)), make("td", {}, percent(after)), make("td", {}, signed(change, 2)));
  });
  const heads = ["photo", "category", "before", "after", "score"].map((head) => make("th", { scope: "col" }, head));
  return part("When it is silenced", make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...lines)),
    words("The channel is set to 0 everywhere: the probability of the category that the network had named, before and after, and the change of its score. A channel can matter more for photos that are not here."));
}

// ---- What it does on the photo above: filled in by live.js

function onThePhoto() {
  return GIVEN.about.live ? make("section", { id: "on-photo" }) : null;
}
