// One case on the page: what it is in large letters, its tiles, and its labels with their volumes.

const KINDS = { real: "REAL", phantom: "PHANTOM", synthetic: "SYNTHETIC", edited: "EDITED LABELS", file: "ORIGIN UNKNOWN" };
const WARNINGS = { synthetic: "NOT AUDITED: internal use", edited: "NOT AUDITED: internal use", phantom: "computed, no patient" };
export const LABELS = "Labels";

/** Make an element with a class and a text. */
export function make(tag, style = "", text = "") {
  const element = document.createElement(tag);
  if (style) element.className = style;
  if (text) element.textContent = text;
  return element;
}

/** Return what a case is, in words. */
export function kindOf(kind) {
  return KINDS[kind];
}

/** Return a volume in millilitres with a sensible number of digits. */
export function volume(ml) {
  return `${ml >= 100 ? ml.toFixed(0) : ml.toFixed(1)} ml`;
}

async function contents(name) {
  const response = await fetch(name);
  if (!response.ok) throw new Error(await response.text());
  return response;
}

/** Return the facts of a case, which loads it on the server. */
export async function factsOf(number) {
  return (await contents(`cases/${number}.json`)).json();
}

/** A place for one case; `stage` shows its tiles and `onToggle` is called when a label is switched. */
export class Panel {
  constructor(place, stage, onToggle) {
    this.stage = stage;
    this.onToggle = onToggle;
    this.root = make("section", "panel");
    this.head = make("div", "head");
    this.grid = make("div", "tiles");
    this.problem = make("div", "problem");
    this.problem.hidden = true;
    this.readout = make("div", "read");
    this.legend = make("div", "legend");
    this.root.append(this.head, this.problem, this.grid, this.readout, this.legend);
    place.append(this.root);
    this.cells = [];
    this.files = new Map();
  }

  /** Say what the case is. */
  introduce(item, facts) {
    this.root.className = `panel ${item.kind}`;
    this.root.dataset.kind = item.kind;
    const banner = make("div", "banner", kindOf(item.kind));
    if (WARNINGS[item.kind]) banner.append(make("small", "", WARNINGS[item.kind]));
    const origin = [item.cohort, item.source && item.source !== item.cohort ? item.source : ""];
    if (item.parents.length) origin.push(`from ${item.parents.join(", ")}`);
    if (item.edits.length) origin.push(`edits: ${item.edits.join(", ")}`);
    this.head.replaceChildren(banner, make("p", "who", item.case_id), make("p", "", origin.filter(Boolean).join(" · ")));
    if (facts) this.head.lastChild.title = facts.grid;
  }

  /** Show an error in place of the tiles. */
  fail(text) {
    this.problem.textContent = text;
    this.problem.hidden = !text;
    this.grid.hidden = Boolean(text);
  }

  /** Arrange the tiles of some rows and load what they need. */
  async show(number, item, facts, rows, windows) {
    if (this.number !== number) this.files.clear();
    this.number = number;
    this.item = item;
    this.facts = facts;
    this.rows = rows;
    this.fail("");
    this.introduce(item, facts);
    this.describe();
    this.cells.forEach((cell, n) => { cell.box.hidden = n >= rows.length; });
    for (const [n, row] of rows.entries()) await this._tile(n, row, windows);
  }

  /** Show labels with colours, volumes and switches. */
  describe() {
    const table = this.facts.labels;
    const entries = (table ? table.items : []).map((label) => {
      const entry = make("label", label.lesion || this.rows.includes(LABELS) || this.style?.tissue ? "" : "off");
      const box = make("input");
      box.type = "checkbox";
      box.checked = !this.style?.hidden.has(label.name);
      box.addEventListener("change", () => this.onToggle(label.name, box.checked));
      const swatch = make("span", "swatch");
      swatch.style.backgroundColor = `rgb(${label.rgb.join(",")})`;
      entry.append(box, swatch, `${label.name} ${volume(label.ml)}`);
      return entry;
    });
    const regions = (table ? table.regions : []).map(({ name, ml }) => `${name} ${volume(ml)}`);
    const text = table ? [regions.join(", "), `scheme ${table.scheme}`].filter(Boolean).join(" · ") : "no labels";
    this.legend.replaceChildren(...entries, make("span", "regions", text));
  }

  /** Apply the style of labels: opacity, hidden names, outlines, normal tissue over images. */
  paint(style) {
    this.style = style;
    if (!this.facts) return;
    const items = this.facts.labels ? this.facts.labels.items : [];
    const hidden = new Set(items.filter(({ name }) => style.hidden.has(name)).map(({ value }) => value));
    const over = new Set([...hidden, ...items.filter(({ lesion }) => !lesion && !style.tissue).map(({ value }) => value)]);
    this.describe();
    this.stage.paint(this, { opacity: style.opacity, outline: style.outline, hidden: over, hiddenAlone: hidden });
  }

  /** Show what is under the crosshair of the panel's tiles. */
  read(found) {
    const own = found.filter(({ tile }) => tile.panel === this);
    if (!own.length) return;
    const values = own.filter(({ tile, value }) => value !== null && value > tile.outside).map(({ tile, value }) => `${tile.title} ${Number(value.toPrecision(4))}`);
    const label = own.map((one) => one.label).find(Boolean) || "";
    const place = own[0].mm.map((mm) => mm.toFixed(0)).join(", ");
    this.readout.textContent = [`${place} mm`, ...values, label].filter(Boolean).join(" · ");
  }

  async _tile(n, row, windows) {
    const cell = this.cells[n] || (await this._cell());
    const image = this.facts.images.find(({ title }) => title === row);
    const window = windows?.[row] || image?.window;
    const kind = ["real", "file"].includes(this.item.kind) ? "" : `${this.item.kind} `;
    const grey = image ? `  ${window.map((grey) => Number(grey.toPrecision(3))).join(" to ")}` : "";
    cell.caption.textContent = image || row === LABELS ? `${kind}${row}${grey}` : `no ${row}`;
    cell.tile.title = row;
    cell.tile.outside = image?.outside ?? -Infinity;
    const alone = row === LABELS;
    await cell.tile.show({
      image: image && (await this._file(image.file)),
      window,
      labels: this.facts.labels && (image || alone) ? await this._file("labels") : null,
      items: this.facts.labels ? this.facts.labels.items : [],
    });
  }

  async _cell() {
    const box = make("div", "tile");
    const canvas = make("canvas");
    const caption = make("span");
    box.append(canvas, caption);
    this.grid.append(box);
    const cell = { box, caption, tile: await this.stage.add(canvas, this) };
    this.cells.push(cell);
    return cell;
  }

  /** Contents of a file of the case, fetched once while the case is shown. */
  async _file(name) {
    if (!this.files.has(name)) this.files.set(name, (await contents(`cases/${this.number}/${name}.nii`)).arrayBuffer());
    return (await this.files.get(name)).slice(0);
  }
}
