// The reading edition's comforts: search, copy buttons, tabs, the reader's place, a window under the pointer.
// Every page reads and prints without this file, and nothing here asks the network.
"use strict";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

// ---- Search: every word must occur; a section whose title has it comes first.

const search = document.querySelector("search");
const [box, status, list] = search.children;

function loadIndex() {
  if (document.getElementById("index")) return;
  document.head.append(make("script", { id: "index", src: "search.js", onload: showFound }));
}

function findSections(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const found = [];
  for (const [page, anchor, day, title, text] of words.length ? SECTIONS : []) {
    const head = title.toLowerCase(), body = text.toLowerCase();
    const counts = words.map((word) => 20 * head.includes(word) + Math.min(body.split(word).length - 1, 9));
    if (!counts.includes(0)) {
      const score = counts.reduce((sum, count) => sum + count) + 30 * body.includes(query.toLowerCase());
      found.push({ page, anchor, day, title, text, words, score });
    }
  }
  return found.sort((one, other) => other.score - one.score);
}

function excerpt({ text, words }) {
  const places = words.map((word) => text.toLowerCase().indexOf(word)).filter((place) => place >= 0);
  const start = Math.max(0, Math.min(...places, text.length) - 50);
  const shown = (start ? "…" : "") + text.slice(start, start + 150) + (start + 150 < text.length ? "…" : "");
  const pattern = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
  const pieces = shown.split(new RegExp(`(${pattern})`, "gi"));
  return pieces.map((piece, place) => (place % 2 ? make("mark", {}, piece) : piece));
}

function showFound() {
  if (typeof SECTIONS === "undefined") return;
  const query = box.value.trim(), found = findSections(query);
  status.textContent = query && `${found.length} section${found.length === 1 ? "" : "s"} found`;
  list.replaceChildren(...found.slice(0, 20).map((one) => make("li", {}, make(
    "a", { href: `${one.page}#${one.anchor}` },
    make("b", {}, one.title), make("small", {}, one.day), make("span", {}, ...excerpt(one)),
  ))));
}

function moveInSearch(event) {
  const stops = [box, ...all("a", list)], place = stops.indexOf(document.activeElement);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    stops[Math.min(Math.max(place + step, 0), stops.length - 1)].focus();
  } else if (event.key === "Enter" && place === 0 && stops[1]) {
    stops[1].click();
  } else if (event.key === "Escape") {
    closeSearch();
    document.activeElement.blur();
  } else {
    return;
  }
  event.preventDefault();
}

function closeSearch() {
  box.value = "";
  showFound();
}

search.hidden = false;
box.addEventListener("focus", loadIndex);
box.addEventListener("input", showFound);
search.addEventListener("keydown", moveInSearch);
list.addEventListener("click", (event) => event.target.closest("a") && setTimeout(closeSearch));
document.addEventListener("pointerdown", (event) => search.contains(event.target) || closeSearch());
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.target.closest("input, textarea")) {
    event.preventDefault();
    box.focus();
  }
});

// ---- Copy

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // no permission, or a browser that gives files no clipboard
    const area = make("textarea", { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

for (const code of all("main .highlight")) {
  const button = make("button", { type: "button", className: "copy" }, "Copy");
  button.addEventListener("click", async () => {
    await copy(code.querySelector("pre").textContent.trimEnd() + "\n");
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  code.append(button);
}

// ---- PyTorch and Keras as tabs; the choice holds on every page

const panels = all("section[data-framework]");
const tabs = panels.map((panel, place) => make(
  "button", { type: "button", role: "tab", id: `tab-${place}` }, panel.dataset.framework,
));

function remembered() {
  try { return localStorage.getItem("framework"); } catch { return null; }
}

function choose(framework, focus) {
  try { localStorage.setItem("framework", framework); } catch { /* a browser that keeps nothing for files */ }
  panels.forEach((panel, place) => {
    const chosen = panel.dataset.framework === framework;
    panel.hidden = false;
    if (!chosen) panel.setAttribute("hidden", "until-found"); // the browser's own search looks into it
    tabs[place].ariaSelected = String(chosen);
    tabs[place].tabIndex = chosen ? 0 : -1;
    if (chosen && focus) tabs[place].focus();
  });
}

function reveal() {
  const hidden = document.getElementById(decodeURIComponent(location.hash.slice(1)))?.closest("section[hidden]");
  if (!hidden) return;
  choose(hidden.dataset.framework);
  document.getElementById(decodeURIComponent(location.hash.slice(1))).scrollIntoView();
}

if (panels.length) {
  panels[0].before(make("div", { role: "tablist", ariaLabel: "Framework" }, ...tabs));
  panels.forEach((panel, place) => {
    Object.assign(panel, { id: `panel-${place}`, role: "tabpanel" });
    panel.setAttribute("aria-labelledby", tabs[place].id);
    tabs[place].setAttribute("aria-controls", panel.id);
    tabs[place].addEventListener("click", () => choose(panel.dataset.framework));
    panel.addEventListener("beforematch", () => choose(panel.dataset.framework));
  });
  tabs[0].parentElement.addEventListener("keydown", (event) => {
    if (!event.key.startsWith("Arrow")) return;
    event.preventDefault();
    choose(panels[1 - tabs.indexOf(document.activeElement)].dataset.framework, true);
  });
  const names = panels.map((panel) => panel.dataset.framework);
  choose(names.includes(remembered()) ? remembered() : names[0]);
  addEventListener("hashchange", reveal);
  reveal();
}

// ---- Where am I: the contents mark the heading that was passed last

const menu = document.querySelector(".columns > nav");
const headings = all("main h2[id], main h3[id]").filter((heading) => menu.querySelector(`[href="#${heading.id}"]`));

function markPlace() {
  const passed = (heading) => heading.checkVisibility() && heading.getBoundingClientRect().top < innerHeight / 4;
  const current = headings.filter(passed).pop();
  const link = current && menu.querySelector(`[href="#${current.id}"]`);
  for (const marked of all("[aria-current=location]", menu)) marked.removeAttribute("aria-current");
  if (!link) return;
  link.setAttribute("aria-current", "location");
  if (menu.scrollHeight > menu.clientHeight) menu.scrollTo({ top: link.offsetTop - menu.clientHeight / 2 });
}

// Headings above the window count as seen: a jump over many of them is noticed, too.
const watcher = new IntersectionObserver(markPlace, { rootMargin: "1000000px 0px -75% 0px" });
headings.forEach((heading) => watcher.observe(heading));

// ---- The window under the pointer: image, kernel, window times kernel, map

const number = (value) => String(Number(value.toPrecision(4)));

for (const figure of all("figure.windows")) {
  const [image, kernel, products, map] = all("table", figure).map((table) => all("tr", table).map((row) => [...row.cells]));
  const value = (cell) => Number(cell.style.getPropertyValue("--v"));
  const said = figure.querySelector("p");

  const show = (top, left) => {
    const terms = [];
    image.forEach((row, y) => row.forEach((pixel, x) => {
      const inside = y >= top && x >= left && y < top + kernel.length && x < left + kernel[0].length;
      pixel.classList.toggle("on", inside);
      if (!inside) return;
      const product = value(pixel) * value(kernel[y - top][x - left]);
      const cell = products[y - top][x - left];
      cell.textContent = number(product + 0); // no minus before a zero
      cell.style.setProperty("--v", product);
      terms.push(product < 0 ? `(${number(product)})` : number(product + 0));
    }));
    map.forEach((row, y) => row.forEach((cell, x) => cell.classList.toggle("on", y === top && x === left)));
    said.textContent = `row ${top + 1}, column ${left + 1}: ${terms.join(" + ")} = ${number(value(map[top][left]))}`;
  };

  map.forEach((row, y) => row.forEach((cell, x) => {
    const button = make("button", { type: "button", ariaLabel: `row ${y + 1}, column ${x + 1}: ${cell.textContent}` });
    button.append(...cell.childNodes);
    cell.append(button);
    cell.addEventListener("pointerenter", () => show(y, x));
    button.addEventListener("focus", () => show(y, x));
    button.addEventListener("keydown", (event) => {
      const [down, right] = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key] ?? [];
      const next = map[y + down]?.[x + right];
      if (next) event.preventDefault(), next.firstChild.focus();
    });
  }));
}
