"use strict";
// The page is whole without this script, which adds copy buttons, filters, sorting, and a viewer that compares the
// sides of a stage in place. What the viewer shows it finds in the page; #IMAGE/STAGE opens it.

const one = (selector, from = document) => from.querySelector(selector);
const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const clamp = (value, least, most) => Math.min(most, Math.max(least, value));

function make(tag, values = {}, ...children) {
  const element = Object.assign(document.createElement(tag), values);
  element.append(...children);
  return element;
}

// Copy buttons

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // a browser that does not trust this page with the clipboard
    const area = make("textarea", { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

for (const text of all("[data-copy]")) {
  const button = make("button", { type: "button", className: "copy", textContent: "copy" });
  button.setAttribute("aria-label", `copy ${text.dataset.copy}`);
  button.addEventListener("click", async () => {
    await copy(text.textContent);
    button.textContent = "copied";
    setTimeout(() => { button.textContent = "copy"; }, 2000);
  });
  text.after(button);
}

// Filters and sorting

const form = one(".filters");
const rows = all("tr.image");
const cards = new Map(all(".card").map((card) => [card.dataset.image, card]));

function filter() {
  const given = Object.fromEntries(new FormData(form));
  const text = given.text.trim().toLowerCase();
  const fits = ({ status, stage, cause, sides }) =>
    (!given.status || status === given.status) && (!given.stage || stage === given.stage) &&
    (!given.cause || cause.split(" ").includes(given.cause)) && (!given.sides || sides === given.sides);
  let count = 0;
  for (const row of rows) {
    const card = cards.get(row.dataset.image);
    const pairs = all(".pair", card);
    for (const pair of pairs) pair.hidden = !fits(pair.dataset);
    const isNamed = pairs[0].dataset.title.toLowerCase().includes(text);
    row.hidden = card.hidden = !isNamed || pairs.every((pair) => pair.hidden);
    count += !row.hidden;
  }
  one("output", form).textContent = `${count} of ${rows.length} images`;
}

function sortBy(head) {
  const first = head.dataset.sort === "most" ? "descending" : "ascending";
  const now = head.getAttribute("aria-sort");
  const order = !now ? first : now === "ascending" ? "descending" : "ascending";
  for (const other of all("th", head.parentNode)) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order);
  const cell = (row) => row.cells[head.cellIndex];
  const compare = head.dataset.sort === "text"
    ? (a, b) => cell(a).textContent.localeCompare(cell(b).textContent, undefined, { numeric: true })
    : (a, b) => Number(cell(a).dataset.key) - Number(cell(b).dataset.key) || 0; // two infinities are equal
  const sorted = [...rows].sort(order === "ascending" ? compare : (a, b) => compare(b, a));
  one(".matrix tbody").append(...sorted);
}

if (form) {
  form.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const head of all(".matrix th")) {
    const button = make("button", { type: "button" }, ...head.childNodes);
    button.addEventListener("click", () => sortBy(head));
    head.append(button);
  }
}

// Values of pixels: each file hands them to this function, see pixel_values.py

const NOT_FINITE = 0xffff;
const valuesOf = new Map();

window.ocrparityValues = async (values) => {
  const { file } = document.currentScript.dataset;
  const packed = Uint8Array.from(atob(values.data), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const count = bytes.length / 2;
  values.steps = new Uint16Array(count);
  let step = 0;
  for (let place = 0; place < count; place += 1) {
    step = (step + bytes[place] + (bytes[count + place] << 8)) & 0xffff;
    values.steps[place] = step;
  }
  valuesOf.set(file, values);
};

function loadValues(file) {
  if (!file || valuesOf.has(file)) return;
  valuesOf.set(file, null);
  const script = make("script", { src: file });
  script.dataset.file = file;
  document.head.append(script);
}

function valueText(values, x, y) {
  const column = clamp(Math.floor(x * values.width / values.step), 0, values.columns - 1);
  const row = clamp(Math.floor(y * values.height / values.step), 0, values.rows - 1);
  const texts = Array.from({ length: values.channels }, (_, channel) => {
    const step = values.steps[(channel * values.rows + row) * values.columns + column];
    return step === NOT_FINITE ? "not finite" : String(Number((values.low + values.size * step).toPrecision(3)));
  });
  const text = texts.length > 1 ? `[${texts.join(", ")}]` : texts[0];
  return `${text} at ${column * values.step}, ${row * values.step}`;
}

// The viewer. Places are shares of a picture's width and height, so that all sides and stages keep them.

const viewer = one(".viewer");
const panes = one(".panes", viewer);
const slide = one(".slide", viewer);
const boxesOn = { detections: { reference: true, candidate: true, numbers: true }, other: {} };
const state = { stage: null, view: "side", zoom: 1, x: 0.5, y: 0.5, finding: null };
let layers = []; // of the stage that is shown: { side, name, picture, values, boxes, element }
let isPushed = false; // whether closing goes back in the history

const drawnStages = all(".stage").filter((stage) => one(".look", stage));
const pairOf = (stage) => stage.closest(".pair");
const isListed = (stage) => !pairOf(stage).hidden && !stage.closest(".card").hidden;
const stagesOf = (pair) => drawnStages.filter((stage) => pairOf(stage) === pair);
const boxDrawing = (pair) => one(".stage[data-stage=detections] .look svg", pair);
const isPart = (stage) => stage.classList.contains("part"); // feature maps, which have no place on the image
const boxesOf = (stage) => (isPart(stage) ? null : boxDrawing(pairOf(stage)));
const findingsOf = (pair) => all("a.finding:not(.minor)", pair); // without amounts that keep their limit
const boxChoice = () => boxesOn[state.stage.dataset.stage === "detections" ? "detections" : "other"];

function sourceSize(pair) {
  const drawing = boxDrawing(pair);
  if (drawing) return [drawing.viewBox.baseVal.width, drawing.viewBox.baseVal.height];
  const found = /^(\d+)x(\d+) px/.exec(pair.dataset.size || "");
  return found ? [Number(found[1]), Number(found[2])] : [1, 1];
}

function layersOf(stage) {
  const links = all(".look", stage);
  const pair = pairOf(stage);
  const drawn = links.find((link) => one("svg", link));
  if (!drawn) {
    return links.map(({ href, dataset }) => ({ ...dataset, picture: href, boxes: ["reference", "candidate"] }));
  }
  const picture = drawn.dataset.photo;
  const sides = ["reference", "candidate"].map((side) => ({ side, name: pair.dataset[side], picture, boxes: [side] }));
  return [...sides, { side: "both", name: "both sides", picture, boxes: ["reference", "candidate"] }];
}

function layerElement(layer) {
  const element = make("div", { className: "layer" });
  if (layer.picture) {
    const image = make("img", { src: layer.picture, alt: `${state.stage.dataset.stage} of ${layer.name}`, draggable: false });
    image.addEventListener("load", place);
    element.append(image);
  }
  const drawing = boxesOf(state.stage);
  if (drawing) {
    const copied = drawing.cloneNode(true);
    for (const other of all("image, rect, title, text", copied)) if (!other.closest("polygon")) other.remove();
    copied.setAttribute("preserveAspectRatio", "none");
    copied.setAttribute("aria-hidden", "true");
    for (const box of all(".box", copied)) {
      if (!layer.boxes.includes(box.dataset.side)) box.remove();
      else box.append(numberOf(box));
    }
    element.append(copied);
  }
  element.append(make("div", { className: "place", hidden: true }));
  return element;
}

function numberOf(box) {
  const [polygon] = all("polygon", box).slice(-1);
  const corners = polygon.points;
  const isBelow = box.dataset.side === "candidate";
  const corner = corners[isBelow ? corners.length - 1 : 0];
  const text = document.createElementNS("http://www.w3.org/2000/svg", "text");
  const values = { x: corner.x, y: corner.y, dy: isBelow ? "1em" : "-0.25em", fill: polygon.getAttribute("stroke"), stroke: "#fff", "paint-order": "stroke", "font-weight": "bold" };
  for (const [name, value] of Object.entries(values)) text.setAttribute(name, value);
  text.textContent = box.dataset.index;
  return text;
}

function naturalSize(layer) {
  const image = one("img", layer.element);
  if (image && image.naturalWidth) return [image.naturalWidth, image.naturalHeight];
  return image ? [1, 1] : sourceSize(pairOf(state.stage));
}

function shownSize(layer) {
  const [width, height] = naturalSize(layer);
  const pane = layer.element.parentNode;
  const scale = Math.min(pane.clientWidth / width, pane.clientHeight / height) * state.zoom;
  return [width * scale, height * scale, scale];
}

function place() {
  const [sourceWidth, sourceHeight] = sourceSize(pairOf(state.stage));
  const choice = boxChoice();
  const [firstWidth, firstHeight] = naturalSize(layers[0]);
  panes.classList.toggle("rows", firstWidth > 2.5 * firstHeight); // lines of text stand below each other
  layers.forEach((layer, index) => {
    const { element } = layer;
    const pane = element.parentNode;
    const [width, height, scale] = shownSize(layer);
    const left = pane.clientWidth / 2 - state.x * width;
    const top = pane.clientHeight / 2 - state.y * height;
    for (const each of all(":scope > img, :scope > svg", element)) {
      Object.assign(each.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
    }
    one("img", element)?.classList.toggle("pixels", scale >= 2);
    const drawing = one("svg", element);
    if (drawing) {
      const letters = 13 * sourceWidth / width; // numbers keep their size on the screen
      drawing.setAttribute("font-size", letters);
      drawing.setAttribute("stroke-width", letters / 5);
      for (const box of all(".box", drawing)) {
        box.style.display = choice[box.dataset.side] ? "" : "none";
        one("text", box).style.display = choice.numbers ? "" : "none";
      }
    }
    const mark = one(".place", element);
    mark.hidden = !state.finding;
    if (state.finding) {
      mark.style.left = `${left + state.finding.x / sourceWidth * width}px`;
      mark.style.top = `${top + state.finding.y / sourceHeight * height}px`;
    }
    if (index === 0) one(".scale", viewer).textContent = `${Math.round(100 * scale)} %`;
  });
  const split = Number(slide.value);
  const isSplit = state.view === "slider";
  for (const layer of layers) {
    const isSide = layer.side === "candidate" || layer.side === "reference";
    layer.element.hidden = state.view !== "side" && (isSplit ? !isSide : layer.side !== state.view);
    layer.element.style.clipPath = isSplit && layer.side === "candidate" ? `inset(0 0 0 ${split}%)` : "";
  }
  for (const rule of all(".rule", panes)) rule.style.left = `${split}%`;
}

function arrange() {
  const has = (side) => layers.some((layer) => layer.side === side);
  if (state.view === "slider" ? !has("reference") || !has("candidate") : state.view !== "side" && !has(state.view)) {
    state.view = "side";
  }
  const tag = (layer, className = "tag") => make("span", { className, textContent: layer.name });
  if (state.view === "side") {
    panes.replaceChildren(...layers.map((layer) => make("div", { className: "pane" }, layer.element, tag(layer))));
  } else {
    const pane = make("div", { className: "pane" }, ...layers.map((layer) => layer.element));
    if (state.view === "slider") {
      const [reference, candidate] = ["reference", "candidate"].map((side) => layers.find((layer) => layer.side === side));
      pane.append(tag(reference), tag(candidate, "tag right"), make("div", { className: "rule" }));
    } else {
      pane.append(tag(layers.find((layer) => layer.side === state.view)));
    }
    panes.replaceChildren(pane);
  }
  slide.hidden = state.view !== "slider";
  for (const button of all("[data-view]", viewer)) button.setAttribute("aria-pressed", button.dataset.view === state.view);
  place();
}

function button(label, values, action, isPressed) {
  const made = make("button", { type: "button", textContent: label });
  Object.assign(made.dataset, values);
  if (isPressed !== undefined) made.setAttribute("aria-pressed", isPressed);
  made.addEventListener("click", (event) => {
    action();
    if (event.detail) panes.focus(); // of a pointer: Space goes on to blink
  });
  return made;
}

function show(stage) {
  const pair = pairOf(stage);
  if (state.stage && pairOf(state.stage) !== pair) Object.assign(state, { zoom: 1, x: 0.5, y: 0.5 });
  state.finding = null;
  state.stage = stage;
  layers = layersOf(stage);
  for (const layer of layers) {
    layer.element = layerElement(layer);
    loadValues(layer.values);
  }
  const name = stage.dataset.stage;
  one("h2", viewer).textContent = `${pair.dataset.title}: ${name} of ${pair.dataset.candidate} against ${pair.dataset.reference}`;
  const [views, steps] = all(".group", viewer);
  const places = [["side by side", "side"], ...(layers.length > 1 ? [["slider", "slider"]] : []), ...layers.map((layer) => [layer.name, layer.side])];
  views.replaceChildren(...places.map(([label, view]) => button(label, { view }, () => { state.view = view; arrange(); }, false)));
  steps.replaceChildren(...stagesOf(pair).map((each) => button(each.dataset.stage, {}, () => go(each), each === stage)));
  one(".boxes", viewer).replaceChildren(...(boxesOf(stage) ? ["reference", "candidate", "numbers"].map(boxSwitch) : []));
  one(".findings", viewer).replaceChildren(...findingsOf(pair).map((link) => button(link.dataset.label, {}, () => jump(link))));
  const notes = all("figcaption, .legend, p.line", stage).map((note) => make("div", { className: note.className }, ...note.cloneNode(true).childNodes));
  one(".captions", viewer).replaceChildren(...notes);
  for (const link of all(".captions .look", viewer)) link.remove();
  for (const link of all(".captions a", viewer)) link.replaceWith(link.textContent);
  one(".values", viewer).textContent = layers.some((layer) => layer.values) ? "point at a pixel for its values" : "";
  const wasOpen = viewer.open;
  if (!wasOpen) viewer.showModal();
  arrange();
  if (!wasOpen || document.activeElement === document.body) panes.focus(); // as the button that was pressed is gone
}

function boxSwitch(what) {
  const input = make("input", { type: "checkbox", checked: Boolean(boxChoice()[what]) });
  input.addEventListener("change", () => { boxChoice()[what] = input.checked; place(); });
  const name = what === "numbers" ? "numbers" : `boxes of ${pairOf(state.stage).dataset[what]}`;
  return make("label", {}, input, name);
}

function toggleBoxes() {
  const choice = boxChoice();
  const isOn = !(choice.reference || choice.candidate);
  Object.assign(choice, { reference: isOn, candidate: isOn, numbers: isOn });
  one(".boxes", viewer).replaceChildren(...(boxesOf(state.stage) ? ["reference", "candidate", "numbers"].map(boxSwitch) : []));
  place();
}

const fragment = (stage) => `#${encodeURI(stage.id)}`;

function go(stage) {
  if (viewer.open) {
    history.replaceState(null, "", fragment(stage));
    show(stage);
  } else if (location.hash === fragment(stage)) {
    show(stage);
  } else {
    isPushed = true; // the event of the changed fragment shows it
    location.hash = fragment(stage);
  }
}

function jump(link) {
  const stage = document.getElementById(decodeURIComponent(link.hash.slice(1)));
  if (!stage || !drawnStages.includes(stage)) return;
  const aim = () => {
    const [width, height] = sourceSize(pairOf(stage));
    state.finding = { x: Number(link.dataset.x), y: Number(link.dataset.y), link };
    state.zoom = Math.max(state.zoom, clamp(width / 200, 2, 8));
    Object.assign(state, { x: clamp(state.finding.x / width, 0, 1), y: clamp(state.finding.y / height, 0, 1) });
    place();
  };
  if (viewer.open && state.stage === stage) {
    aim();
  } else if (viewer.open || location.hash === fragment(stage)) {
    go(stage);
    aim();
  } else {
    window.addEventListener("hashchange", aim, { once: true });
    go(stage);
  }
}

function nextFinding(step) {
  const links = findingsOf(pairOf(state.stage));
  if (!links.length) return;
  const now = state.finding ? links.indexOf(state.finding.link) : step > 0 ? -1 : 0;
  jump(links[(now + step + links.length) % links.length]);
}

function nextStage(step) {
  const stages = stagesOf(pairOf(state.stage));
  go(stages[(stages.indexOf(state.stage) + step + stages.length) % stages.length]);
}

function nextImage(step) {
  const pairs = [...new Set(drawnStages.filter(isListed).map(pairOf))];
  const stages = stagesOf(pairs[(pairs.indexOf(pairOf(state.stage)) + step + pairs.length) % pairs.length]);
  go(stages.find((stage) => stage.dataset.stage === state.stage.dataset.stage) || stages[0]);
}

function blink() {
  state.view = state.view === "reference" ? "candidate" : "reference";
  arrange();
}

// Zoom and pan: the place below the pointer stays below it

function paneAt(event) {
  const pane = event.target.closest(".pane");
  const layer = pane && layers.find((each) => pane.contains(each.element) && !each.element.hidden);
  if (!layer) return null;
  const { left, top, width, height } = pane.getBoundingClientRect();
  return { layer, dx: event.clientX - left - width / 2, dy: event.clientY - top - height / 2 };
}

function zoomBy(factor, at) {
  const layer = at ? at.layer : layers[0];
  const [dx, dy] = at ? [at.dx, at.dy] : [0, 0];
  const [width, height] = shownSize(layer);
  const zoom = clamp(state.zoom * factor, 1, 64);
  const grown = zoom / state.zoom;
  move(state.x + dx / width - dx / (width * grown), state.y + dy / height - dy / (height * grown), zoom);
}

function move(x, y, zoom = state.zoom) {
  Object.assign(state, zoom === 1 ? { x: 0.5, y: 0.5, zoom } : { x: clamp(x, 0, 1), y: clamp(y, 0, 1), zoom });
  place();
}

function tellValues(at) {
  const [width, height] = shownSize(at.layer);
  const pointed = valuesOf.get(at.layer.values);
  const [left, top, wide, high] = (pointed && pointed.frame) || [0, 0, 1, 1];
  const x = (state.x + at.dx / width - left) / wide;
  const y = (state.y + at.dy / height - top) / high;
  if (x < 0 || y < 0 || x >= 1 || y >= 1) return;
  const [sourceWidth, sourceHeight] = sourceSize(pairOf(state.stage));
  const texts = layers.map((layer) => {
    const values = valuesOf.get(layer.values);
    if (!values || !values.steps) return "";
    const block = layer.side === "difference" && values.step > 1 ? `, largest of ${values.step}x${values.step}` : "";
    return `${layer.name} ${valueText(values, x, y)}${block}`;
  });
  const isLine = at.layer.picture && at.layer.picture.endsWith(".svg"); // a drawing of a line is not placed as the image
  const source = isLine || isPart(state.stage) ? "" : `x=${Math.floor(x * sourceWidth)} y=${Math.floor(y * sourceHeight)} of the image`;
  one(".values", viewer).textContent = [source, ...texts].filter(Boolean).join("; ");
}

const pointers = new Map();

panes.addEventListener("wheel", (event) => {
  const at = paneAt(event);
  if (!at) return;
  event.preventDefault();
  zoomBy(Math.exp(-clamp(event.deltaY, -200, 200) / 300), at);
  tellValues(at);
}, { passive: false });

panes.addEventListener("pointerdown", (event) => {
  pointers.set(event.pointerId, event);
  event.target.setPointerCapture(event.pointerId);
});

for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
  panes.addEventListener(name, (event) => pointers.delete(event.pointerId));
}

panes.addEventListener("pointermove", (event) => {
  const at = paneAt(event);
  if (!at) return;
  const before = pointers.get(event.pointerId);
  if (before) {
    const [width, height] = shownSize(at.layer);
    const share = 1 / pointers.size; // each of two fingers moves the picture by half
    pointers.set(event.pointerId, event);
    move(state.x - share * (event.clientX - before.clientX) / width, state.y - share * (event.clientY - before.clientY) / height);
    const other = [...pointers.values()].find((each) => each.pointerId !== event.pointerId);
    if (other) {
      const apart = (each) => Math.hypot(each.clientX - other.clientX, each.clientY - other.clientY) || 1;
      zoomBy(apart(event) / apart(before), at);
    }
  }
  tellValues(at);
});

const actions = {
  close: () => viewer.close(),
  "image-back": () => nextImage(-1),
  "image-on": () => nextImage(1),
  "zoom-in": () => zoomBy(1.5),
  "zoom-out": () => zoomBy(1 / 1.5),
  fit: () => move(0.5, 0.5, 1),
};
for (const each of all("[data-do]", viewer)) each.addEventListener("click", actions[each.dataset.do]);
slide.addEventListener("input", place);
new ResizeObserver(() => { if (viewer.open) place(); }).observe(panes);

document.addEventListener("keydown", (event) => {
  if (!viewer.open || event.ctrlKey || event.metaKey || event.altKey) return;
  const isRange = event.target.type === "range";
  const keys = {
    ArrowLeft: () => (event.shiftKey ? nextFinding(-1) : nextStage(-1)),
    ArrowRight: () => (event.shiftKey ? nextFinding(1) : nextStage(1)),
    ArrowUp: () => nextImage(-1),
    ArrowDown: () => nextImage(1),
    " ": event.target.closest("button, input") ? null : blink,
    b: toggleBoxes,
    "+": actions["zoom-in"],
    "=": actions["zoom-in"],
    "-": actions["zoom-out"],
    0: actions.fit,
  };
  const action = isRange && event.key.startsWith("Arrow") ? null : keys[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

viewer.addEventListener("close", () => {
  if (isPushed) history.back();
  isPushed = false;
});

document.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = event.target.closest("a.look, a.finding, a.mark");
  const stage = link && link.closest(".stage");
  if (link && link.classList.contains("finding")) {
    event.preventDefault();
    jump(link);
  } else if (stage && drawnStages.includes(stage)) {
    event.preventDefault();
    if (link.classList.contains("look") && state.view !== "side" && state.view !== "slider") state.view = "side";
    go(stage);
  }
});

// The fragment: a stage opens the viewer, an image its card

// Cards that were off the screen have no height yet: what is above a place grows while it comes into view.
function reveal(element, tries = 10) {
  element.scrollIntoView();
  const { top } = element.getBoundingClientRect();
  requestAnimationFrame(() => {
    if (tries && Math.abs(element.getBoundingClientRect().top - top) > 1) reveal(element, tries - 1);
  });
}

function followFragment() {
  let id = "";
  try {
    id = decodeURIComponent(location.hash.slice(1));
  } catch { // no address that this page writes
    return;
  }
  let target = document.getElementById(id);
  while (!target && id.includes("/")) { // a stage that this run did not draw: its image
    id = id.slice(0, id.lastIndexOf("/"));
    target = document.getElementById(id);
  }
  const card = target && target.closest(".card");
  if (card) {
    if (card.hidden) {
      form.reset();
      filter();
    }
    for (let each = target; each; each = each.parentElement.closest("details")) if (each.tagName === "DETAILS") each.open = true;
    card.open = true;
    reveal(target.parentNode === card ? card : target);
  }
  if (target && drawnStages.includes(target)) {
    show(target);
  } else if (viewer.open) {
    isPushed = false;
    viewer.close();
  }
}

window.addEventListener("hashchange", followFragment);
followFragment();
