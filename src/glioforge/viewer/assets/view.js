// The page of `glioforge view`: the list of cases, controls and keys, and one or two linked panels.
import { Stage, missing } from "./adapter.js";
import { LABELS, Panel, factsOf, kindOf, make, volume } from "./panel.js";

const at = (id) => document.getElementById(id);
const state = { list: [], count: 0, number: -1, partner: -1, rows: new Map(), hidden: new Set(), turn: 0, opacity: 0.5, cross: true };
const stage = new Stage((found) => panels.forEach((panel) => panel.read(found)));
const panels = [];

/** Lineage decides the order: what a case was made from is on the left. */
function pair() {
  if (state.partner < 0) return [state.number];
  const role = state.list[state.number].partners.find(({ number }) => number === state.partner).role;
  return role === "parent" ? [state.partner, state.number] : [state.number, state.partner];
}

/** Rows that all shown cases have; labels where there is no common contrast. */
function rowsOf(facts) {
  const titles = facts[0].images.map(({ title }) => title);
  const common = titles.filter((title) => facts.every(({ images }) => images.some((image) => image.title === title)));
  const labelled = facts.some(({ labels }) => labels);
  const rows = common.length || labelled ? common : [...new Set(facts.flatMap(({ images }) => images.map(({ title }) => title)))];
  return { images: rows, labels: labelled };
}

/** Offer a switch for each row; labels alone are shown first where no image is. */
function offer({ images, labels }) {
  const rows = [...images, ...(labels ? [LABELS] : [])];
  at("rows").replaceChildren(...rows.map((row, n) => {
    const label = make("label");
    const box = make("input");
    box.type = "checkbox";
    box.checked = row === LABELS && !images.length ? true : state.rows.get(row) ?? row !== LABELS;
    box.dataset.row = row;
    box.addEventListener("change", () => { state.rows.set(row, box.checked); show(false); });
    label.append(box, row);
    label.title = `key ${n + 1}`;
    return label;
  }));
  const chosen = rows.filter((_, n) => at("rows").querySelectorAll("input")[n].checked);
  return chosen.length ? chosen : rows.slice(0, 1);
}

/** Share the grey scale of the left case where both were prepared alike. */
function sharedWindows(facts) {
  const alike = facts.length > 1 && facts[0].preparation !== null && facts.every(({ preparation }) => preparation === facts[0].preparation);
  return alike ? Object.fromEntries(facts[0].images.map(({ title, window }) => [title, window])) : null;
}

/** Fit the tiles of all panels: planes along one side, contrasts along the other. */
function arrange(count) {
  const plane = at("plane").value;
  const two = panels.filter(({ root }) => !root.hidden).length > 1;
  const columns = plane !== "all" ? Math.ceil(Math.sqrt(count)) : two ? 1 : count;
  const lines = Math.ceil(count / columns);
  for (const { grid } of panels) {
    grid.style.gridTemplate = `repeat(${lines}, minmax(0, 1fr)) / repeat(${columns}, minmax(0, 1fr))`;
  }
  stage.arrange({ plane, layout: count === 1 ? "grid" : two ? "row" : "column" });
}

function paint() {
  const style = { opacity: state.opacity, outline: at("outline").checked, tissue: at("tissue").checked, hidden: state.hidden };
  panels.filter(({ root }) => !root.hidden).forEach((panel) => panel.paint(style));
}

/** Paint once for all events of a moving slider that come before the next picture. */
function paintSoon() {
  state.soon ??= requestAnimationFrame(() => { state.soon = null; paint(); });
}

function toggle(name, on) {
  if (on) state.hidden.delete(name); else state.hidden.add(name);
  paint();
}

/** Load and show the chosen case and its partner; the newest call wins. */
async function show(move = true) {
  const turn = ++state.turn;
  const numbers = pair();
  say("loading");
  while (panels.length < numbers.length) panels.push(new Panel(at("panels"), stage, toggle));
  panels.forEach(({ root }, n) => { root.hidden = n >= numbers.length; });
  const results = await Promise.allSettled(numbers.map(factsOf));
  if (turn !== state.turn) return;
  const failed = results.map((result, n) => ({ result, n })).filter(({ result }) => result.status === "rejected");
  failed.forEach(({ result, n }) => { panels[n].introduce(state.list[numbers[n]]); panels[n].fail(result.reason.message); });
  if (failed.length) return say("error");
  await draw(turn, numbers, results.map(({ value }) => value), move);
}

async function draw(turn, numbers, facts, move) {
  const rows = offer(rowsOf(facts));
  const windows = sharedWindows(facts);
  at("tissue-label").hidden = !facts.some(({ labels }) => labels?.items.some(({ lesion }) => !lesion));
  for (const [n, number] of numbers.entries()) {
    try {
      await panels[n].show(number, state.list[number], facts[n], rows, windows);
    } catch (error) {
      if (turn === state.turn) panels[n].fail(error.message);
      return say("error");
    }
    if (turn !== state.turn) return;
    learn(number, facts[n]);
  }
  arrange(rows.length);
  paint();
  if (move) stage.go(facts[numbers.indexOf(state.number)].centre);
  say("ready");
}

/** Complete the list with a volume that was measured on loading. */
function learn(number, facts) {
  const whole = facts.labels?.regions.find(({ name }) => name === "WT") || facts.labels?.regions[0];
  const item = state.list[number];
  if (!whole || item.tumour_ml !== null || number >= state.count) return;
  item.tumour_ml = whole.ml;
  at("cases").children[number].querySelector("small").replaceWith(summary(item));
}

function summary(item) {
  const parts = [item.tumour_ml === null ? "" : `tumour ${volume(item.tumour_ml)}`, item.contrasts.join(" ") || "labels only"];
  const text = make("small");
  text.append(make("span", "kind", kindOf(item.kind)), ` ${parts.filter(Boolean).join(" · ")}`);
  return text;
}

/** Choose a case of the list; its parent comes with it, or any partner where a second cohort was given. */
function choose(number, partner) {
  if (number < 0 || number >= state.count) return;
  state.number = number;
  const { partners } = state.list[number];
  const first = partners.find(({ role }) => role === "parent") || (state.compared ? partners[0] : undefined);
  state.partner = partner ?? first?.number ?? -1;
  [...at("cases").children].forEach((entry, n) => entry.firstChild.setAttribute("aria-current", n === number));
  at("cases").children[number].scrollIntoView({ block: "nearest" });
  offerPartners(partners);
  location.replace(`#${number}`);
  show();
}

function offerPartners(partners) {
  const options = [{ number: -1, text: partners.length ? "nothing" : "nothing belongs to it" }, ...partners.map(({ number, role }) => {
    const item = state.list[number];
    return { number, text: `${kindOf(item.kind).toLowerCase()} ${item.case_id} (${role === "same" ? item.cohort : role})` };
  })];
  at("partner").replaceChildren(...options.map(({ number, text }) => new Option(text, number, false, number === state.partner)));
  at("partner-label").hidden = !partners.length && !state.compared;
}

function say(text) {
  at("status").textContent = text === "ready" ? `case ${state.number + 1} of ${state.count}` : text;
  document.body.dataset.state = text;
}

/** Move to the next or previous case that the filter leaves. */
function turnTo(step) {
  const left = [...at("cases").children].map((entry, n) => (entry.hidden ? -1 : n)).filter((n) => n >= 0);
  const next = step > 0 ? left.find((n) => n > state.number) : left.findLast((n) => n < state.number);
  if (next !== undefined) choose(next);
}

function flip(id) {
  at(id).checked = !at(id).checked;
  paint();
}

const KEYS = {
  n: () => turnTo(1), p: () => turnTo(-1), PageDown: () => turnTo(1), PageUp: () => turnTo(-1),
  ArrowUp: () => stage.step(0, 0, 1), ArrowDown: () => stage.step(0, 0, -1),
  ArrowLeft: () => stage.step(1, 0, 0), ArrowRight: () => stage.step(-1, 0, 0),
  ",": () => stage.step(0, -1, 0), ".": () => stage.step(0, 1, 0),
  "+": () => stage.zoom(1.25), "=": () => stage.zoom(1.25), "-": () => stage.zoom(0.8), 0: () => stage.zoom(0),
  l: () => { state.opacity = state.opacity > 0 ? 0 : Number(at("opacity").value) || 0.5; paint(); },
  x: () => { state.cross = !state.cross; stage.crosshair(state.cross); },
  o: () => flip("outline"), t: () => flip("tissue"),
  v: () => { at("plane").selectedIndex = (at("plane").selectedIndex + 1) % 4; arrangeShown(); },
};

function arrangeShown() {
  arrange([...panels[0].cells].filter(({ box }) => !box.hidden).length);
  stage.draw();
}

function press(event) {
  if (event.target.matches("input[type=search], input[type=range], select") || event.ctrlKey || event.metaKey || event.altKey) return;
  const row = /^[1-6]$/.test(event.key) ? at("rows").querySelectorAll("input")[Number(event.key) - 1] : null;
  if (row) row.click();
  else if (KEYS[event.key]) KEYS[event.key]();
  else if (event.target.tagName !== "CANVAS") return;
  if (row || KEYS[event.key]) event.preventDefault();
  event.stopPropagation();
}

function listen() {
  document.addEventListener("keydown", press, true);
  document.addEventListener("keyup", (event) => event.target.tagName === "CANVAS" && event.stopPropagation(), true);
  at("plane").addEventListener("change", arrangeShown);
  at("opacity").addEventListener("input", () => { state.opacity = Number(at("opacity").value); paintSoon(); });
  at("outline").addEventListener("change", paint);
  at("tissue").addEventListener("change", paint);
  at("partner").addEventListener("change", () => choose(state.number, Number(at("partner").value)));
  at("help-button").addEventListener("click", () => {
    at("help").hidden = !at("help").hidden;
    at("help-button").setAttribute("aria-expanded", !at("help").hidden);
  });
  at("filter").addEventListener("input", () => {
    const wanted = at("filter").value.toLowerCase();
    [...at("cases").children].forEach((entry, n) => {
      const { case_id, subject_id, kind } = state.list[n];
      entry.hidden = ![case_id, subject_id, kindOf(kind)].some((text) => (text || "").toLowerCase().includes(wanted));
    });
  });
}

async function start() {
  const lacking = missing();
  if (lacking) return say(lacking);
  const found = await (await fetch("cases.json")).json();
  Object.assign(state, { list: found.cases, count: found.count, compared: found.compared });
  at("title").textContent = found.compared ? `${found.title} next to ${found.compared}` : found.title;
  document.title = `${found.title} - glioforge view`;
  at("cases").replaceChildren(...found.cases.slice(0, found.count).map((item, n) => {
    const entry = make("li", item.kind);
    const button = make("button", "", item.case_id);
    button.type = "button";
    button.append(summary(item));
    button.addEventListener("click", () => choose(n));
    entry.append(button);
    return entry;
  }));
  listen();
  const asked = Number(location.hash.slice(1));
  choose(Number.isInteger(asked) && asked < state.count ? asked : 0);
}

start();
