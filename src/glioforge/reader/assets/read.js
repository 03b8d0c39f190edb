// The page of one item: its images, the keys, and an answer that is kept before the next item comes.

const at = (id) => document.getElementById(id);
const desk = at("desk");
const form = at("form");
const volume = desk.dataset.show === "volume";
const { Pictures, Volumes } = await import(volume ? "./volume.js" : "./pictures.js");
const clock = { since: null, ms: 0 };
const RETRY_MS = 1500;

/** Lay the tiles of a panel out so that the images come out as large as they can. */
function arrange() {
  const shape = desk.dataset.shape.split(",").map(Number);
  const spacing = desk.dataset.spacing.split(",").map(Number);
  const aspect = volume ? 1.2 : (shape[3] * spacing[0]) / (shape[2] * spacing[1]);
  for (const tiles of desk.querySelectorAll(".tiles")) {
    const count = tiles.children.length;
    const size = (columns) => Math.min(tiles.clientWidth / columns, (tiles.clientHeight / Math.ceil(count / columns)) * aspect);
    const best = Array.from({ length: count }, (_, n) => n + 1).reduce((a, b) => (size(b) > size(a) + 1 ? b : a));
    tiles.style.gridTemplate = `repeat(${Math.ceil(count / best)}, minmax(0, 1fr)) / repeat(${best}, minmax(0, 1fr))`;
  }
  view.draw?.();
}

/** Count the time in which the page is seen. */
function tick() {
  if (clock.since !== null) clock.ms += performance.now() - clock.since;
  clock.since = document.visibilityState === "visible" ? performance.now() : null;
}

function slices(count) {
  view.step(count);
  const slider = at("slice");
  if (slider) { slider.value = view.view.slice + 1; number(); }
}

function number() {
  at("slice-number").textContent = `${at("slice").value} of ${at("slice").max}`;
}

function tools() {
  at("in").addEventListener("click", () => view.zoom(1.25));
  at("out").addEventListener("click", () => view.zoom(0.8));
  at("fit").addEventListener("click", () => view.zoom(0));
  desk.addEventListener("slices", (event) => slices(event.detail));
  at("slice")?.addEventListener("input", () => { view.set({ slice: at("slice").value - 1 }); number(); });
  for (const name of ["level", "width"]) at(name)?.addEventListener("input", () => view.set({ [name]: Number(at(name).value) }));
  at("undo")?.addEventListener("click", () => view.undo());
  at("add")?.addEventListener("click", () => erase(false));
  at("erase")?.addEventListener("click", () => erase(true));
  at("keys-button").addEventListener("click", keys);
}

function erase(on) {
  view.erasing = on;
  at("erase").setAttribute("aria-pressed", on);
  at("add").setAttribute("aria-pressed", !on);
}

function keys() {
  at("keys").hidden = !at("keys").hidden;
  at("keys-button").setAttribute("aria-expanded", !at("keys").hidden);
}

/** Questions that are asked now, in their order. */
const questions = () => [...form.querySelectorAll("fieldset[data-step]")].filter((one) => one.offsetParent !== null);
const open = (one) => one.dataset.step !== "cues" && !one.querySelector("input:checked");

/** Mark the question that the digits belong to: the first open one, then the reasons. */
function follow(wanted) {
  const all = questions();
  const withDigits = all.filter((one) => one.dataset.step !== "call");
  const now = wanted || all.find(open) || withDigits.find((one) => one.dataset.step === "cues") || withDigits.at(-1);
  all.forEach((one) => one.classList.toggle("now", one === now));
  at("send").setAttribute("aria-disabled", Boolean(lacking()));
}

/** Return what is still to be answered, as a sentence; empty where nothing is. */
function lacking() {
  const first = questions().find(open);
  if (first) return `Please answer: ${first.querySelector("legend").textContent.trim()}`;
  if (form.elements.where && !at("if-tumour").hidden && !form.elements.where.value) return "Please mark the tumour in the image.";
  if (form.elements.drawing && !form.elements.nothing.checked && !form.elements.drawing.value) return "Please outline the tumour, or say that there is none.";
  return "";
}

/** Ask the questions about a tumour where there is one. */
function branch() {
  const more = at("if-tumour");
  if (!more) return;
  const found = form.querySelector('input[value="tumour"]:checked');
  more.hidden = !found;
  more.querySelectorAll("input[type=radio]").forEach((input) => { input.required = Boolean(found); });
}

function changed(event) {
  branch();
  const asked = event?.target.closest("fieldset[data-step]");
  follow(asked?.dataset.step === "cues" ? asked : null);
  if (!lacking()) at("problem").hidden = true;
}

/** Tick a step of the marked question, or a reason. */
function digit(key) {
  const now = form.querySelector(".ask.now");
  if (!now) return;
  const n = key === "0" ? 9 : Number(key) - 1;
  now.querySelectorAll("input")[n]?.click();
}

function letter(key) {
  const choice = questions().flatMap((one) => [...one.querySelectorAll("input[data-key]")]).find((one) => one.dataset.key.toLowerCase() === key);
  choice?.click();
  return Boolean(choice);
}

const KEYS = {
  "+": () => view.zoom(1.25), "=": () => view.zoom(1.25), "-": () => view.zoom(0.8), "?": keys,
  ArrowUp: () => slices(1), ArrowDown: () => slices(-1), PageUp: () => slices(5), PageDown: () => slices(-5),
  c: () => form.elements.comment?.focus(),
};
const DRAWING = { a: () => erase(false), e: () => erase(true), u: () => view.undo() };
const NUDGES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

function press(event) {
  const { target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (target.matches("textarea, input[type=range]")) return event.key === "Escape" ? target.blur() : undefined;
  if (event.key === "Enter" && !target.matches("button, a")) { event.preventDefault(); return form ? send() : location.assign(at("next").href); }
  if (event.key.startsWith("Arrow") && target.matches("input[type=radio]")) return;
  if (event.shiftKey && NUDGES[event.key] && view.nudge && desk.dataset.marks === "yes") {
    event.preventDefault();
    return view.nudge(...NUDGES[event.key]);
  }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (form && /^\d$/.test(key)) digit(key);
  else if (key === "0") view.zoom(0);
  else if (at("undo") && DRAWING[key]) DRAWING[key]();
  else if (!(form && letter(key))) {
    if (!KEYS[key]) return;
    KEYS[key]();
  }
  event.preventDefault();
}

function complain(text) {
  at("problem").textContent = text;
  at("problem").hidden = !text;
}

/** Send the answer until it is kept; the key in the form makes sending it twice harmless. */
async function send() {
  const missing = lacking();
  if (missing) return complain(missing);
  if (form.dataset.busy) return;
  form.dataset.busy = "yes";
  at("send").setAttribute("aria-disabled", "true");
  tick();
  form.elements.ms.value = Math.round(clock.ms);
  const body = new URLSearchParams(new FormData(form));
  for (;;) {
    try {
      const response = await fetch("/answer", { method: "POST", body, headers: { Accept: "application/json" } });
      const said = await response.json();
      if (response.ok) return location.replace(said.next);
      complain(said.problem);
      if (response.status === 409 || response.status === 401) after(response.status);
      break;
    } catch {
      complain("Not saved yet: there is no connection to the study. Trying again …");
      await new Promise((resume) => { setTimeout(resume, RETRY_MS); });
    }
  }
  delete form.dataset.busy;
  at("send").setAttribute("aria-disabled", "false");
}

/** Offer the way on where this item cannot be answered any more. */
function after(status) {
  const link = document.createElement("a");
  link.href = status === 401 ? "/" : "/read";
  link.textContent = status === 401 ? " Log in" : " Go on";
  at("problem").append(link);
}

const view = new (volume ? Volumes : Pictures)(desk, {
  onMark: (place) => {
    if (!form) return;
    form.elements.where.value = place.join(",");
    at("where-text").textContent = "Marked. Click again to move the mark.";
    follow();
  },
  onDraw: () => { form.elements.drawing.value = view.drawing(); form.elements.nothing.checked = false; follow(); },
});
arrange();
new ResizeObserver(arrange).observe(desk);
tools();
if (at("slice")) number();
document.addEventListener("keydown", press);
document.addEventListener("visibilitychange", tick);
if (form) {
  form.addEventListener("change", changed);
  form.addEventListener("submit", (event) => { event.preventDefault(); send(); });
  form.noValidate = true;
  changed();
}
try {
  await view.load(desk);
  tick();
  document.body.dataset.state = "ready";
} catch (error) {
  at("trouble").textContent = `${error.message} Reload the page.`;
  at("trouble").hidden = false;
  document.body.dataset.state = "error";
}
