// view.js: what part of the drawing is seen: dragged, zoomed with the wheel, with two fingers and with keys.

class View {
  constructor(parent) {
    this.world = svg("g", { class: "world" });
    this.root = svg("svg", { class: "canvas", tabindex: 0, role: "application",
      "aria-label": "Graph: drag to move, wheel to zoom; arrows go from node to node, Enter unfolds, 0 shows all" },
      heads(), this.world);
    parent.append(this.root);
    [this.x, this.y, this.scale] = [0, 0, 1];
    this.bounds = { left: 0, top: 0, right: 1, bottom: 1 };
    this.pointers = new Map();
    this.moved = 0;
    this.root.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.root.addEventListener("pointerdown", (event) => this.press(event));
    this.root.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) {
      this.root.addEventListener(name, (event) => this.pointers.delete(event.pointerId));
    }
  }

  show(group, bounds) {
    this.world.replaceChildren(group);
    this.bounds = bounds;
  }

  apply() {
    this.world.setAttribute("transform", `translate(${this.x} ${this.y}) scale(${this.scale})`);
    this.root.classList.toggle("far", this.scale < 0.35);
  }

  /** Everything, or at a scale where it can be read its upper end. */
  fit(least = 0) {
    const { clientWidth: width, clientHeight: height } = this.root;
    const { left, top, right, bottom } = this.bounds;
    const margin = 28;
    const whole = Math.min((width - 2 * margin) / (right - left), (height - 2 * margin) / (bottom - top));
    this.scale = Math.min(1.25, Math.max(whole, least, 0.01));
    this.x = width / 2 - (left + right) / 2 * this.scale;
    this.y = whole < this.scale ? margin - top * this.scale : height / 2 - (top + bottom) / 2 * this.scale;
    this.apply();
  }

  /** Brings a unit to the middle, large enough to be read. */
  centre(unit) {
    this.scale = Math.max(this.scale, 0.7);
    this.x = this.root.clientWidth / 2 - (unit.x + unit.w / 2) * this.scale;
    this.y = this.root.clientHeight / 2 - (unit.y + Math.min(unit.h, 200) / 2) * this.scale;
    this.apply();
  }

  /** Moves until a unit is seen. */
  reveal(unit) {
    const { clientWidth: width, clientHeight: height } = this.root;
    const [left, top] = [unit.x * this.scale + this.x, unit.y * this.scale + this.y];
    const inside = left >= 0 && top >= 0 && left + unit.w * this.scale <= width && top + unit.h * this.scale <= height;
    if (!inside) this.centre(unit);
  }

  /** Changes the scale around a point of the window. */
  zoom(factor, x = this.root.clientWidth / 2, y = this.root.clientHeight / 2) {
    const scale = Math.min(4, Math.max(0.02, this.scale * factor));
    this.x = x - (x - this.x) * scale / this.scale;
    this.y = y - (y - this.y) * scale / this.scale;
    this.scale = scale;
    this.apply();
  }

  pan(x, y) {
    this.x += x;
    this.y += y;
    this.apply();
  }

  wheel(event) {
    event.preventDefault();
    const { left, top } = this.root.getBoundingClientRect();
    const step = event.deltaMode === 1 ? event.deltaY * 30 : event.deltaY;
    this.zoom(Math.exp(-Math.max(-300, Math.min(300, step)) / 400), event.clientX - left, event.clientY - top);
  }

  press(event) {
    if (event.button !== 0) return;
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    this.moved = 0;
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY];
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.pointers.set(event.pointerId, now);
    const way = Math.hypot(now[0] - before[0], now[1] - before[1]);
    this.moved += way;
    if (this.moved > 4 && !this.root.hasPointerCapture(event.pointerId)) {
      this.root.setPointerCapture(event.pointerId);
    }
    if (other) {
      const distance = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]);
      const { left, top } = this.root.getBoundingClientRect();
      this.zoom(distance(now) / Math.max(distance(before), 1), (now[0] + other[0]) / 2 - left, (now[1] + other[1]) / 2 - top);
    } else if (this.moved > 4) {
      this.pan(now[0] - before[0], now[1] - before[1]);
    }
  }

  /** Whether the last press was a drag: then its click means nothing. */
  get isDrag() { return this.moved > 4; }
}
