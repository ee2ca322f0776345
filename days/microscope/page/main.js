// The page's address: #fire9 is a wall, #fire9/426 a channel on it.
"use strict";

let byKeys = false; // whether the address was changed from the keyboard

function show() {
  const address = decodeURIComponent(location.hash.slice(1)), { layers, every } = GIVEN.about;
  const [, name, number] = layerNamed(address) ? [null, address] : address.match(/^(.*)\/(\d+)$/) ?? [null, address];
  const layer = layerNamed(name) ?? layers[layers.length - 1], channel = number === undefined ? null : Number(number);
  const known = layerNamed(name) && (channel === null || (channel < layer.channels && channel % every === 0));
  find("#missing").textContent = known || !address ? "" : `There is no ${address} here: choose a layer and a cell.`;
  const chosen = known ? channel : null;
  showWall(layer, chosen);
  showPanel(layer, chosen).catch((error) => panel.element.append(words(error.message)));
  if (byKeys) find(chosen === null ? "#wall a[tabindex='0']" : "#panel h2")?.focus();
  byKeys = false;
}

addEventListener("hashchange", show);
document.addEventListener("click", (event) => {
  byKeys = event.detail === 0 && Boolean(event.target.closest("#wall a, #panel a"));
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || panel.channel === null) return;
  const from = panel.channel;
  location.hash = `#${panel.layer.name}`;
  addEventListener("hashchange", () => {
    const cell = cellOf(from);
    setStop(cell);
    cell?.focus();
  }, { once: true });
});
show();
