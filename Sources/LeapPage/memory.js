// memory.js: the arena over the stages of a run, linked with the graph both ways. The drawing is there already.

const memory = {
  figure: document.getElementById("memory"),
  arena: model.memory?.arena ?? 0,
  peak: model.memory?.peak ?? 0,
  stages: (model.memory?.stages ?? []).map(([live, steps]) => ({ live, steps })),
  buffers: (model.memory?.buffers ?? []).map(([bytes, offset, first, last, values], index) => ({
    index, bytes, offset, first, last,
    values: values.map(([name, maker, from, to]) => ({ name, maker, first: from, last: to })),
  })),
  byName: new Map(),
  byMaker: new Map(),

  /** Looks up values by their names and by the steps that make them, and listens to the picture. */
  prepare() {
    for (const buffer of this.buffers) {
      for (const value of buffer.values) {
        const life = { buffer, value };
        if (!this.byName.has(value.name)) this.byName.set(value.name, []);
        this.byName.get(value.name).push(life);
        if (value.maker !== null && !this.byMaker.has(value.maker)) this.byMaker.set(value.maker, [life]);
      }
    }
    if (!this.figure) return;
    this.picture = this.figure.querySelector("svg");
    this.rects = [...this.picture.querySelectorAll(".buffer")];
    this.span = html("div", { class: "span", hidden: "" });
    this.cursor = html("div", { class: "cursor", hidden: "" });
    this.plot = html("div", { class: "plot", tabindex: 0, role: "slider", "aria-label": "Stage of the run",
      "aria-valuemin": 0, "aria-valuemax": this.stages.length - 1 });
    this.picture.before(this.plot);
    this.plot.append(this.picture, this.span, this.cursor);
    this.plot.addEventListener("click", (event) => {
      const { left, width } = this.plot.getBoundingClientRect();
      page.selectStage(Math.min(this.stages.length - 1, Math.max(0, Math.floor((event.clientX - left) / width * this.stages.length))));
    });
    this.plot.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
      if (!step) return;
      event.preventDefault();
      page.selectStage(Math.min(this.stages.length - 1, Math.max(0, (page.stage ?? this.peak) + step)));
    });
  },

  /** Where and when the outputs of a vertex are in memory. What is merged into another node is made by that. */
  livesOf(graph, vertex) {
    if (graph !== model.graphs[0] || vertex.kind === "output") return [];
    const own = vertex.made.flatMap(([name]) => this.byName.get(name) ?? []);
    if (own.length > 0) return own;
    return this.byMaker.get(vertex.merged ?? vertex.title) ?? [];
  },

  liveIn(stage) {
    return this.buffers.flatMap((buffer) => buffer.values
      .filter((value) => value.first <= stage && stage <= value.last)
      .map((value) => ({ buffer, value })))
      .sort((a, b) => b.buffer.bytes - a.buffer.bytes);
  },

  /** Marks stages, and the buffers of some lives. */
  mark(first, last, lives) {
    if (!this.figure) return;
    const has = first !== null;
    this.span.hidden = !has;
    if (has) {
      this.span.style.left = `${100 * first / this.stages.length}%`;
      this.span.style.width = `${100 * (last + 1 - first) / this.stages.length}%`;
      this.plot.setAttribute("aria-valuenow", first);
    }
    const chosen = new Set(lives.map(({ buffer }) => buffer.index));
    this.figure.classList.toggle("chosen", chosen.size > 0);
    this.rects.forEach((rect, index) => rect.classList.toggle("lit", chosen.has(index)));
  },
};

memory.prepare();
