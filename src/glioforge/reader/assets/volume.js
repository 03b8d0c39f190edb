// Volumes in three planes through NiiVue, linked among contrasts and panels.
import { Stage, missing } from "./adapter.js";

const WINDOW = [0, 255];

/** Volumes of an item, with the same methods as pictures; `onMark` is called with the voxel under the crosshair. */
export class Volumes {
  constructor(desk, { onMark = () => {} } = {}) {
    const numbers = (name) => desk.dataset[name].split(",").map(Number);
    [, ...this.size] = numbers("shape");
    this.spacing = numbers("spacing");
    this.canvases = [...desk.querySelectorAll("canvas")];
    this.marks = desk.dataset.marks === "yes";
    this.onMark = onMark;
    this.stage = new Stage((found) => this._moved(found));
  }

  async load(desk) {
    const lacking = missing();
    if (lacking) throw new Error(lacking);
    for (const canvas of this.canvases) {
      const tile = await this.stage.add(canvas, this);
      const response = await fetch(`/image/${desk.dataset.id}/${canvas.dataset.panel}/${canvas.dataset.contrast}.nii`);
      if (!response.ok) throw new Error("The image could not be loaded.");
      await tile.show({ image: await response.arrayBuffer(), window: WINDOW, labels: null });
      tile.nv.updateGLVolume();
    }
    this.stage.arrange({ plane: "all", layout: this.canvases.length === 1 ? "grid" : this.canvases.length === 2 ? "column" : "row" });
    this.stage.go([0, 0, 0]);
    this.ready = true;
  }

  step(count) {
    this.stage.step(0, 0, count);
  }

  zoom(factor) {
    this.stage.zoom(factor);
  }

  _moved(found) {
    if (!this.marks || !this.ready || !found.length) return;
    this.onMark(found[0].mm.map((mm, n) => Math.min(this.size[n] - 1, Math.max(0, Math.round(mm / this.spacing[n] + (this.size[n] - 1) / 2)))));
  }
}
