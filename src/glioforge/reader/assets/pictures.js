// Slices and stacks on canvases: linked scrolling, zoom, window, a mark, and an outline that is drawn.

const MARK = "#ffd447";
const FULL_TURN = 2 * Math.PI;

/** Fetch the pixels of a panel; every panel of a study has as many bytes. */
async function pixelsOf(id, panel) {
  const response = await fetch(`/image/${id}/${panel}.bin`);
  if (!response.ok) throw new Error("The image could not be loaded.");
  return new Uint8Array(await response.arrayBuffer());
}

/** The images of an item; `onMark` is called with slice, row and column of a mark, `onDraw` after each stroke. */
export class Pictures {
  constructor(desk, { onMark = () => {}, onDraw = () => {} } = {}) {
    const numbers = (name) => desk.dataset[name].split(",").map(Number);
    [this.contrasts, this.slices, this.rows, this.columns] = numbers("shape");
    [this.across, this.along] = numbers("spacing");
    this.canvases = [...desk.querySelectorAll("canvas")];
    this.view = { slice: Math.floor((this.slices - 1) / 2), zoom: 1, x: 0, y: 0, level: 0, width: 0 };
    this.marks = desk.dataset.marks === "yes";
    this.draws = desk.dataset.draw === "yes";
    this.mark = null;
    this.erasing = false;
    this.history = [];
    this.onMark = onMark;
    this.onDraw = onDraw;
    this.mask = new OffscreenCanvas(this.columns, this.rows);
    this.sheet = new OffscreenCanvas(this.columns, this.rows);
    this.canvases.forEach((canvas) => this._listen(canvas));
    new ResizeObserver(() => this.draw()).observe(desk);
  }

  /** Load what every panel shows, and draw it. */
  async load(desk) {
    const panels = Array.from({ length: Number(desk.dataset.panels) }, (_, n) => pixelsOf(desk.dataset.id, n));
    this.pixels = await Promise.all(panels);
    this.draw();
  }

  /** Change the view of all canvases. */
  set(change) {
    Object.assign(this.view, change);
    this.view.slice = Math.min(this.slices - 1, Math.max(0, this.view.slice));
    this.view.zoom = Math.min(12, Math.max(1, this.view.zoom));
    if (this.view.zoom === 1) this.view.x = this.view.y = 0;
    this.draw();
  }

  step(count) {
    this.set({ slice: this.view.slice + count });
    return this.view.slice;
  }

  zoom(factor) {
    this.set(factor === 0 ? { zoom: 1 } : { zoom: this.view.zoom * factor });
  }

  /** Move the mark by pixels; it begins in the middle. */
  nudge(rows, columns) {
    const [, row, column] = this.mark || [0, Math.floor(this.rows / 2), Math.floor(this.columns / 2)];
    this._put(row + rows, column + columns);
  }

  /** Return the drawing as packed bits in base64; empty where nothing is drawn. */
  drawing() {
    const data = this.mask.getContext("2d").getImageData(0, 0, this.columns, this.rows).data;
    const bits = new Uint8Array(Math.ceil((this.rows * this.columns) / 8));
    let any = false;
    for (let n = 0; n < this.rows * this.columns; n += 1) {
      if (data[4 * n + 3] > 127) { bits[n >> 3] |= 128 >> (n & 7); any = true; }
    }
    return any ? btoa(String.fromCharCode(...bits)) : "";
  }

  /** Take back the last stroke. */
  undo() {
    const last = this.history.pop();
    if (last) this.mask.getContext("2d").putImageData(last, 0, 0);
    this.draw();
    this.onDraw();
  }

  draw() {
    if (!this.pixels) return;
    for (const canvas of this.canvases) this._paint(canvas);
  }

  /** Place of the image on a canvas, in its pixels. */
  _box(canvas) {
    const { zoom, x, y } = this.view;
    const [wide, high] = [this.columns * this.across, this.rows * this.along];
    const scale = Math.min(canvas.width / wide, canvas.height / high) * zoom;
    const [width, height] = [wide * scale, high * scale];
    return { left: (canvas.width - width) / 2 + x * width, top: (canvas.height - height) / 2 + y * height, width, height };
  }

  _paint(canvas) {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const context = canvas.getContext("2d");
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
    this._fill(Number(canvas.dataset.panel), Number(canvas.dataset.contrast));
    const box = this._box(canvas);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.sheet, box.left, box.top, box.width, box.height);
    if (this.draws) this._outline(context, box);
    if (this.mark && this.mark[0] === this.view.slice) this._cross(context, box, ratio);
  }

  /** Put one slice, in the grey window, onto the hidden sheet. */
  _fill(panel, contrast) {
    const count = this.rows * this.columns;
    const start = (contrast * this.slices + this.view.slice) * count;
    const image = new ImageData(this.columns, this.rows);
    const table = this._table();
    const words = new Uint32Array(image.data.buffer);
    const pixels = this.pixels[panel];
    for (let n = 0; n < count; n += 1) words[n] = table[pixels[start + n]];
    this.sheet.getContext("2d").putImageData(image, 0, 0);
  }

  /** Colours of the 256 levels: black outside the brain, grey inside. */
  _table() {
    const [level, width] = [127.5 - this.view.level * 1.275, 255 * 2 ** (-this.view.width / 50)];
    return Uint32Array.from({ length: 256 }, (_, value) => {
      const grey = value === 0 ? 0 : Math.min(255, Math.max(0, Math.round(((value - level) / width + 0.5) * 255)));
      return (255 << 24) | (grey << 16) | (grey << 8) | grey;
    });
  }

  _outline(context, box) {
    context.save();
    context.globalAlpha = 0.45;
    context.imageSmoothingEnabled = false;
    context.drawImage(this.mask, box.left, box.top, box.width, box.height);
    context.restore();
    if (!this.stroke) return;
    context.beginPath();
    for (const [row, column] of this.stroke) {
      context.lineTo(box.left + (column / this.columns) * box.width, box.top + (row / this.rows) * box.height);
    }
    context.strokeStyle = MARK;
    context.lineWidth = 2;
    context.stroke();
  }

  _cross(context, box, ratio) {
    const [, row, column] = this.mark;
    const [x, y] = [box.left + ((column + 0.5) / this.columns) * box.width, box.top + ((row + 0.5) / this.rows) * box.height];
    context.strokeStyle = MARK;
    context.lineWidth = 2 * ratio;
    context.beginPath();
    context.arc(x, y, 9 * ratio, 0, FULL_TURN);
    context.moveTo(x - 14 * ratio, y); context.lineTo(x - 4 * ratio, y);
    context.moveTo(x + 4 * ratio, y); context.lineTo(x + 14 * ratio, y);
    context.moveTo(x, y - 14 * ratio); context.lineTo(x, y - 4 * ratio);
    context.moveTo(x, y + 4 * ratio); context.lineTo(x, y + 14 * ratio);
    context.stroke();
  }

  /** Row and column under the pointer, with fractions. */
  _at(canvas, event) {
    const box = this._box(canvas);
    const frame = canvas.getBoundingClientRect();
    const x = ((event.clientX - frame.left) / frame.width) * canvas.width;
    const y = ((event.clientY - frame.top) / frame.height) * canvas.height;
    return [((y - box.top) / box.height) * this.rows, ((x - box.left) / box.width) * this.columns];
  }

  _put(row, column) {
    const clip = (value, size) => Math.min(size - 1, Math.max(0, Math.floor(value)));
    this.mark = [this.view.slice, clip(row, this.rows), clip(column, this.columns)];
    this.draw();
    this.onMark(this.mark);
  }

  _listen(canvas) {
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (event.ctrlKey || this.slices === 1) this.zoom(event.deltaY < 0 ? 1.12 : 1 / 1.12);
      else canvas.dispatchEvent(new CustomEvent("slices", { bubbles: true, detail: event.deltaY < 0 ? 1 : -1 }));
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button || !this.pixels) return;
      canvas.setPointerCapture(event.pointerId);
      this.last = { x: event.clientX, y: event.clientY, moved: 0 };
      if (this.draws) this.stroke = [this._at(canvas, event)];
    });
    canvas.addEventListener("pointermove", (event) => this._move(canvas, event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this._end(canvas, event));
  }

  _move(canvas, event) {
    if (!this.last) return;
    if (this.stroke) {
      this.stroke.push(this._at(canvas, event));
      return this.draw();
    }
    const { width, height } = this._box(canvas);
    const ratio = window.devicePixelRatio || 1;
    const [dx, dy] = [event.clientX - this.last.x, event.clientY - this.last.y];
    Object.assign(this.last, { x: event.clientX, y: event.clientY, moved: this.last.moved + Math.abs(dx) + Math.abs(dy) });
    if (this.view.zoom > 1) this.set({ x: this.view.x + (dx * ratio) / width, y: this.view.y + (dy * ratio) / height });
  }

  _end(canvas, event) {
    const { last, stroke } = this;
    this.last = this.stroke = null;
    if (!last) return;
    if (stroke) this._close(stroke);
    else if (this.marks && last.moved < 6 && event.type === "pointerup") this._put(...this._at(canvas, event));
  }

  /** Fill the outline that was drawn, or take it away. */
  _close(stroke) {
    const context = this.mask.getContext("2d", { willReadFrequently: true });
    if (stroke.length > 2) {
      this.history.push(context.getImageData(0, 0, this.columns, this.rows));
      context.globalCompositeOperation = this.erasing ? "destination-out" : "source-over";
      context.fillStyle = MARK;
      context.beginPath();
      for (const [row, column] of stroke) context.lineTo(column, row);
      context.fill();
      context.globalCompositeOperation = "source-over";
    }
    this.draw();
    this.onDraw();
  }
}
