// The only code that knows NiiVue. A Stage is a group of canvases, one image each, linked by world position and zoom.
/* global niivue */

const PLANES = { all: 3, axial: 0, coronal: 1, sagittal: 2 };
const LAYOUTS = { column: 1, grid: 2, row: 3 };
const CROSSHAIR_PIXELS = 1.4;
const MOUSE = { crosshair: 8, pan: 3 };
const OPTIONS = {
  backColor: [0, 0, 0, 1],
  crosshairColor: [0.95, 0.75, 0.2, 1],
  crosshairWidthUnit: "percent",
  crosshairGap: 6,
  fontColor: [0.75, 0.75, 0.75, 1],
  fontMinPx: 11,
  isRadiologicalConvention: true,
  isColorbar: false,
  showLegend: false,
  multiplanarShowRender: 0,
  multiplanarPadPixels: 2,
  dragAndDropEnabled: false,
  isAntiAlias: false,
  dragMode: 0,
  mouseEventConfig: {
    leftButton: { primary: MOUSE.crosshair, withShift: MOUSE.pan, withCtrl: MOUSE.pan },
    rightButton: MOUSE.pan,
    centerButton: MOUSE.pan,
  },
  clipPlaneHotKey: "",
  cycleClipPlaneHotKey: "",
  viewModeHotKey: "",
  loadingText: "",
  logLevel: "error",
};

/** Return what a browser lacks that volumes need, or an empty text. */
export function missing() {
  const canvas = document.createElement("canvas");
  return canvas.getContext("webgl2") ? "" : "This browser shows no WebGL 2: enable graphics acceleration, or use another browser.";
}

// The intent makes NiiVue look colours up by the integer. Its other way rounds 0 and 1 up in a table of 256 colours.
const INTENT_LABEL = 1002;
const FAINT = 0.01;

/** Return colours and names of labels by their integers. */
function tableOf(items) {
  const lut = new Uint8ClampedArray(256 * 4);
  const labels = Array(256).fill("");
  for (const { value, name, rgb } of items) {
    lut.set([...rgb, 255], value * 4);
    labels[value] = name;
  }
  return { lut, min: 0, max: 255, labels };
}

/** One image on a canvas, with labels over it or alone. */
class Tile {
  constructor(canvas, panel) {
    this.canvas = canvas;
    this.panel = panel;
    this.nv = new niivue.Niivue(OPTIONS);
    this.shown = false;
    this.crossed = true;
    // A canvas that is hidden has no size, for which NiiVue computes negative ones.
    const draw = this.nv.drawScene.bind(this.nv);
    this.nv.drawScene = () => (canvas.clientWidth > 9 && canvas.clientHeight > 9 ? draw(this._thin()) : undefined);
  }

  /** Keep the crosshair at a few pixels: NiiVue takes its width in parts of the volume, and keeps its shape until it moves. */
  _thin() {
    const { nv } = this;
    const pixels = nv.screenSlices[0]?.leftTopWidthHeight[2] || this.canvas.width;
    const zoom = Math.max(1, nv.scene.pan2Dxyzmm[3]);
    const wanted = this.crossed ? (100 * CROSSHAIR_PIXELS * nv.uiData.dpr) / pixels / zoom : 0;
    if (Math.abs(wanted - nv.opts.crosshairWidth) < 0.1 * wanted) return;
    nv.opts.crosshairWidth = wanted;
    if (nv.crosshairs3D) nv.crosshairs3D.mm = [NaN, NaN, NaN];
  }

  /** Show an image, labels over it, or labels alone, from the contents of NIfTI files; none leave it black. */
  async show({ image, window: [low, high] = [0, 1], labels, items = [] }) {
    this.alone = !image;
    const volumes = [];
    if (image) volumes.push(await niivue.NVImage.loadFromUrl({ url: image, name: "image.nii", cal_min: low, cal_max: high }));
    if (labels) {
      const volume = await niivue.NVImage.loadFromUrl({ url: labels, name: "labels.nii" });
      volume.hdr.intent_code = INTENT_LABEL;
      volume.colormapLabel = tableOf(items);
      this.voxels = volume.img;
      volumes.push(volume);
    }
    const { nv } = this;
    [nv.volumes, nv.back, nv.overlays] = [volumes, volumes[0] ?? null, volumes.slice(1)];
    nv.opts.isNearestInterpolation = this.alone;
    this.overlay = labels ? volumes.length - 1 : -1;
    this.shown = volumes.length > 0;
  }

  /** Apply opacity, hidden values and outlines to the labels. */
  paint({ opacity, hidden, hiddenAlone, outline }) {
    if (this.overlay < 0) return this.nv.updateGLVolume();
    const volume = this.nv.volumes[this.overlay];
    const left = Uint8Array.from({ length: 256 }, (_, value) => ((this.alone ? hiddenAlone : hidden).has(value) ? 0 : value));
    volume.img = this.voxels.map((value) => left[value]);
    volume.opacity = this.alone ? 1 : outline ? opacity && FAINT : opacity;
    this.nv.opts.atlasOutline = outline && !this.alone ? Math.min(1, 2 * opacity) : 0;
    this.nv.updateGLVolume();
  }

  /** Return world position, value of the image and name of the label under the crosshair. */
  read() {
    const mm = this.nv.frac2mm(this.nv.scene.crosshairPos, 0, true);
    const at = (volume) => volume.getValue(...volume.mm2vox([mm[0], mm[1], mm[2]]));
    const label = this.overlay < 0 ? "" : this.nv.volumes[this.overlay].colormapLabel.labels[Math.round(at(this.nv.volumes[this.overlay]))];
    return { mm: [mm[0], mm[1], mm[2]], value: this.alone ? null : at(this.nv.volumes[0]), label: label || "" };
  }
}

/** A group of linked tiles; `onMove` is called with what is under the crosshair of each tile after every move. */
export class Stage {
  constructor(onMove) {
    this.tiles = [];
    this.onMove = onMove;
    this.look = { plane: "all", layout: "row", crosshair: true };
    this.waiting = null;
  }

  /** Add a canvas, which has to be in the page. */
  async add(canvas, panel) {
    const tile = new Tile(canvas, panel);
    this.tiles.push(tile);
    canvas.addEventListener("dblclick", (event) => event.stopImmediatePropagation(), true);
    canvas.addEventListener("wheel", (event) => this._wheel(event, tile), { capture: true, passive: false });
    for (const name of ["mousedown", "mousemove", "mouseup", "wheel", "touchmove", "touchend"]) {
      canvas.addEventListener(name, (event) => { if (name !== "mousemove" || event.buttons) this._later(tile); });
    }
    await tile.nv.attachToCanvas(canvas);
    this._arrange(tile);
    return tile;
  }

  /** Choose planes (`all`, `axial`, `coronal`, `sagittal`) and their arrangement on a canvas (`row`, `column`, `grid`). */
  arrange(look) {
    Object.assign(this.look, look);
    this.tiles.forEach((tile) => this._arrange(tile));
  }

  /** Apply opacity, hidden label values and outlines to the tiles of a panel. */
  paint(panel, style) {
    for (const tile of this._shown()) if (tile.panel === panel) tile.paint(style);
    this.draw();
  }

  /** Draw the crosshair or leave it out. */
  crosshair(on) {
    this.arrange({ crosshair: on });
    this.draw();
  }

  /** Move the crosshair of all tiles to a world position in millimetres. */
  go(mm) {
    for (const { nv } of this._shown()) nv.scene.crosshairPos = nv.mm2frac([...mm], 0, true);
    this.draw();
  }

  /** Move by whole voxels along x (right), y (front) and z (up). */
  step(x, y, z) {
    const tile = this._shown()[0];
    if (!tile) return;
    tile.nv.moveCrosshairInVox(x, y, z);
    this._link(tile);
  }

  /** Zoom around the crosshair; 0 shows everything again. */
  zoom(factor) {
    const tile = this._shown()[0];
    if (!tile) return;
    const { nv } = tile;
    const pan = nv.scene.pan2Dxyzmm;
    const next = factor === 0 ? 1 : Math.min(12, Math.max(0.5, pan[3] * factor));
    const mm = nv.frac2mm(nv.scene.crosshairPos);
    const change = pan[3] - next;
    const moved = factor === 0 ? [0, 0, 0] : [0, 1, 2].map((n) => pan[n] + change * mm[n]);
    nv.scene.pan2Dxyzmm = Float32Array.from([...moved, next]);
    this._link(tile);
  }

  /** Draw all tiles. */
  draw() {
    const shown = this._shown();
    shown.forEach(({ nv }) => nv.drawScene());
    this.onMove(shown.map((tile) => ({ tile, ...tile.read() })));
  }

  _shown() {
    return this.tiles.filter((tile) => tile.shown && tile.canvas.offsetParent !== null);
  }

  _arrange(tile) {
    const { nv } = tile;
    tile.crossed = this.look.crosshair;
    nv.opts.multiplanarLayout = LAYOUTS[this.look.layout];
    nv.setSliceType(PLANES[this.look.plane]);
    nv.resizeListener();
  }

  _wheel(event, tile) {
    if (!event.ctrlKey) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    this.zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15);
    this._later(tile);
  }

  _later(tile) {
    if (this.waiting === null && tile.shown) {
      this.waiting = requestAnimationFrame(() => { this.waiting = null; this._link(tile); });
    }
  }

  /** Copy position and zoom of a tile to the others. */
  _link(tile) {
    const mm = tile.nv.frac2mm(tile.nv.scene.crosshairPos, 0, true);
    for (const { nv } of this._shown()) {
      if (nv === tile.nv) continue;
      nv.scene.crosshairPos = nv.mm2frac([mm[0], mm[1], mm[2]], 0, true);
      nv.scene.pan2Dxyzmm = Float32Array.from(tile.nv.scene.pan2Dxyzmm);
    }
    this.draw();
  }
}
