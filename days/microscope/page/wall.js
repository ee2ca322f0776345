// The wall: every channel of a layer as a link to its panel, as grown pictures or as maps of the photo that is looked at.
"use strict";

const wall = { layer: null, show: "grown", order: "number", element: find("#wall") };

/** Show a layer's wall; `chosen` is the channel that the panel shows, or null. */
function showWall(layer, chosen) {
  if (wall.layer !== layer) {
    wall.layer = layer;
    const cells = Array.from({ length: cellsOf(layer) }, (_, place) => cell(layer, place * GIVEN.about.every));
    wall.element.replaceChildren(...cells);
    describeWall(layer);
    arrange();
  }
  for (const link of findAll("[aria-current]", wall.element)) link.removeAttribute("aria-current");
  if (chosen !== null) cellOf(chosen)?.setAttribute("aria-current", "true");
  setStop(cellOf(chosen ?? -1) ?? find("a", wall.element));
}

function cell(layer, channel) {
  const link = make("a", {
    href: `#${layer.name}/${channel}`, tabIndex: -1, title: `channel ${channel}`, style: sprite(layer, channel),
    "aria-label": `channel ${channel}`, "data-channel": channel,
  });
  return make("li", {}, link);
}

const cellOf = (channel) => find(`[data-channel="${channel}"]`, wall.element);

/** The only cell that Tab stops at; the arrow keys go on from there. */
function setStop(link) {
  find("a[tabindex='0']", wall.element)?.setAttribute("tabindex", "-1");
  if (link) link.tabIndex = 0;
}

function describeWall(layer) {
  find("#wall-title").textContent = layer.name;
  const grown = GIVEN.about.every > 1 ? `, of which every ${GIVEN.about.every}th was grown` : "";
  find("#wall-count").textContent = `${layer.channels} channels${grown}`;
  find("#wall-caption").textContent = layer.caption ?? "";
  wall.element.setAttribute("aria-label", `Channels of ${layer.name}`);
  const links = findAll("#layers a"), current = links.find((link) => decodeURIComponent(link.hash) === `#${layer.name}`);
  for (const link of links) link.removeAttribute("aria-current");
  current.setAttribute("aria-current", "page");
  const row = current.parentElement;
  row.scrollLeft = current.offsetLeft - (row.clientWidth - current.clientWidth) / 2;
}

function moveOnWall(event) {
  const links = findAll("a", wall.element), place = links.indexOf(document.activeElement);
  if (place < 0) return;
  const second = links.findIndex((link) => link.offsetTop > links[0].offsetTop);
  const row = second < 0 ? links.length : second;
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: row, ArrowUp: -row, Home: -place, End: links.length - 1 - place };
  const next = links[place + (steps[event.key] ?? NaN)];
  if (!next) return;
  event.preventDefault();
  setStop(next);
  next.focus();
}

/** Order the cells: by number, or the strongest on the photo first. Nothing moves where they are in order. */
function arrange() {
  const strengths = live.seen?.strengths[wall.layer.name], items = [...wall.element.children];
  const channel = (item) => Number(item.firstChild.dataset.channel);
  const rank = wall.order === "fires" && strengths ? (item) => -strengths[channel(item)] : channel;
  const sorted = [...items].sort((one, other) => rank(one) - rank(other) || channel(one) - channel(other));
  if (sorted.some((item, place) => item !== items[place])) {
    const focused = document.activeElement;
    wall.element.append(...sorted);
    if (wall.element.contains(focused)) focused.focus();
  }
  showMaps();
}

/** Draw the photo's maps over the grown pictures, or take them away. */
async function showMaps() {
  const layer = wall.layer, maps = wall.show === "maps" && live.seen ? await live.maps(layer.name) : null;
  if (layer !== wall.layer) return;
  wall.element.classList.toggle("maps", Boolean(maps));
  find("#scale").hidden = !maps;
  if (!maps) return findAll("canvas", wall.element).forEach((canvas) => canvas.remove());
  find("#scale-top").textContent = said(maps.top);
  for (const link of findAll("a", wall.element)) {
    const canvas = find("canvas", link) ?? link.appendChild(make("canvas", { width: maps.width, height: maps.height }));
    drawMap(canvas, channelOf(maps, Number(link.dataset.channel)), maps.top);
  }
}

/** One channel of a layer's maps (h, w, C): a map (h, w). */
function channelOf({ values, height, width, channels }, channel) {
  const own = Float32Array.from({ length: height * width }, (_, at) => values[at * channels + channel]);
  return { height, width, values: own };
}

/** A map in viridis, from 0 to `top`. */
function drawMap(canvas, { values, width, height }, top) {
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(imageData(colored(values, GIVEN.about.scales.viridis, top), width, height), 0, 0);
}

wall.element.addEventListener("keydown", moveOnWall);
for (const [name, redraw] of [["show", showMaps], ["order", arrange]]) {
  for (const input of findAll(`[name=${name}]`)) {
    input.addEventListener("change", () => {
      wall[name] = input.value;
      redraw();
    });
  }
}
document.addEventListener("looked", arrange);
