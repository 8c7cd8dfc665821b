// page.js: the page's state and what its controls do.

const page = {
  index: 0,
  foldings: model.graphs.map((graph) => new Folding(graph)),
  /** The name of the unit that is selected, or null; and the stage. */
  selected: null,
  stage: null,

  get graph() { return model.graphs[this.index]; },
  get folding() { return this.foldings[this.index]; },

  // Drawing

  /** Draws the graph as it is folded. A unit that is named stays where it is in the window. */
  redraw(anchor = null) {
    const before = anchor && this.unit(anchor);
    this.scene = layOut(this.folding.scene());
    this.units = new Map([...this.scene.boxes, ...this.scene.frames].map((unit) => [unit.name, unit]));
    const { group, bounds } = draw(this.scene);
    this.view.show(group, bounds);
    const after = anchor && this.unit(anchor);
    if (before && after) {
      this.view.pan((before.axis - after.axis) * this.view.scale, (before.y - after.y) * this.view.scale);
    }
    this.mark();
  },

  unit(name) { return this.units?.get(name) ?? null; },

  showGraph(index) {
    this.index = index;
    if (this.chooser) this.chooser.value = String(index);
    this.select(null);
    this.redraw();
    this.view.fit(0.6);
  },

  // Folding

  toggle(name) {
    this.folding.toggle(name);
    this.redraw(name);
    if (this.selected && !this.unit(this.selected)) this.select(name);
    else if (this.selected === name) this.select(name);
  },

  foldAll() {
    this.folding.open.clear();
    this.refold();
  },

  refold() {
    if (this.selected && !this.selected.startsWith("v")) this.selected = null;
    this.redraw();
    this.view.fit(0.25);
  },

  // Selecting

  /** Selects a unit by its name; null for none. */
  select(name) {
    this.selected = name;
    this.stage = null;
    const unit = name && this.unit(name);
    if (!unit) {
      this.selected = null;
      showSummary();
    } else if (unit.vertex) {
      showVertex(this.graph, unit.vertex);
    } else {
      showBlock(this.graph, unit);
    }
    if (this.scene) this.mark();
  },

  /** Unfolds what holds a vertex, and shows it. */
  goTo(place) {
    const holders = this.folding.holders(place).filter((name) => !this.folding.open.has(name));
    for (const name of holders) this.folding.open.add(name);
    if (holders.length > 0) this.redraw();
    this.select(`v${place}`);
    this.view.centre(this.unit(`v${place}`));
  },

  selectStage(stage) {
    if (this.index !== 0) this.showGraph(0);
    this.selected = null;
    this.stage = stage;
    showStage(stage);
    this.mark();
    const running = this.scene.boxes.find((box) => box.element.classList.contains("running"));
    if (running) this.view.reveal(running);
  },

  /** Marks what is selected, what it reaches, and what a stage runs and keeps. */
  mark() {
    const unit = this.unit(this.selected);
    for (const box of this.scene.boxes) box.element.classList.remove("selected", "near", "running", "alive");
    for (const frame of this.scene.frames) frame.element.classList.toggle("selected", frame === unit);
    for (const way of [...this.scene.flows, ...this.scene.arcs]) {
      const isNear = unit !== null && (way.from === unit || way.to === unit);
      way.element.classList.toggle("lit", isNear);
      if (isNear) for (const box of [way.from, way.to]) box.element.classList.add("near");
    }
    this.view.root.classList.toggle("choice", unit?.element.classList.contains("box") ?? false);
    this.view.root.classList.toggle("staged", this.stage !== null);
    if (unit) unit.element.classList.add("selected");
    if (this.stage !== null) this.markStage();
    else this.markLife(unit);
  },

  markStage() {
    const live = memory.liveIn(this.stage);
    const steps = new Set(memory.stages[this.stage].steps);
    const names = new Set(live.map(({ value }) => value.name));
    // What goes by another name in the plan is told by what makes it.
    const makers = new Set(live.filter(({ value }) => !this.graph.makers.has(value.name)).map(({ value }) => value.maker));
    for (const vertex of this.graph.vertices) {
      const box = this.scene.owner[vertex.place];
      if (steps.has(vertex.merged ?? vertex.title) && vertex.kind === "node") box.element.classList.add("running");
      const isMade = vertex.made.some(([name]) => names.has(name));
      if (isMade || (vertex.kind === "node" && makers.has(vertex.title))) box.element.classList.add("alive");
    }
    for (const arc of this.scene.arcs) {
      const isAlive = arc.links.some(({ from }) => this.graph.vertices[from].made.some(([name]) => names.has(name)));
      arc.element.classList.toggle("lit", isAlive);
    }
    memory.mark(this.stage, this.stage, live);
  },

  markLife(unit) {
    const lives = unit?.vertex ? memory.livesOf(this.graph, unit.vertex) : [];
    if (lives.length === 0) return memory.mark(null, null, []);
    const first = Math.min(...lives.map(({ value }) => value.first));
    const last = Math.max(...lives.map(({ value }) => value.last));
    memory.mark(first, last, lives);
  },

  // Searching

  /** Places of the vertices that a text fits: names first, then operators and values. */
  found(text) {
    const wanted = text.toLowerCase();
    const ranks = [[], [], []];
    for (const vertex of this.graph.vertices) {
      if (vertex.title.toLowerCase().includes(wanted)) ranks[0].push(vertex.place);
      else if (vertex.label.toLowerCase().includes(wanted)) ranks[1].push(vertex.place);
      else if ([...(vertex.inputs ?? []), ...(vertex.outputs ?? [])].some((value) => value?.[0].toLowerCase().includes(wanted))) {
        ranks[2].push(vertex.place);
      }
    }
    return ranks.flat();
  },

  showFound(text) {
    const places = text ? this.found(text) : [];
    const entries = places.slice(0, 40).map((place) => {
      const vertex = this.graph.vertices[place];
      return html("li", { role: "option" }, html("button", { type: "button", click: () => this.pick(place) },
        html("b", {}, vertex.label), " ", vertex.title));
    });
    if (text) {
      entries.push(html("li", { class: "count" }, places.length === 0 ? "nothing fits" : `${places.length} found`));
    }
    this.results.replaceChildren(...entries);
    this.results.hidden = entries.length === 0;
  },

  pick(place) {
    this.results.hidden = true;
    this.goTo(place);
  },

  // Controls

  build() {
    document.documentElement.classList.add("scripted");
    this.view = new View(document.getElementById("graph"));
    this.view.root.addEventListener("click", (event) => this.click(event));
    this.view.root.addEventListener("dblclick", (event) => {
      const unit = this.unit(event.target.closest("[data-unit]")?.dataset.unit);
      if (unit && !unit.vertex) this.toggle(unit.name);
    });
    document.addEventListener("keydown", (event) => this.key(event));
    window.addEventListener("resize", () => this.view.apply());
    this.results = html("ul", { id: "results", role: "listbox", hidden: "" });
    this.search = html("input", { type: "search", id: "search", placeholder: "Search  /", "aria-label": "Search nodes",
      autocomplete: "off", input: () => this.showFound(this.search.value.trim()),
      keydown: (event) => {
        if (event.key === "Enter") this.results.querySelector("button")?.click();
        if (event.key === "Escape") { this.results.hidden = true; this.view.root.focus(); }
      } });
    const button = (id, text, title, click) => html("button", { type: "button", id, title, click }, text);
    const hasBlocks = model.graphs.some((graph) => graph.blocks.length > 0);
    filled(document.getElementById("tools"), {}, [
      this.legend(), this.graphChooser(), html("div", { class: "searching" }, this.search, this.results),
      html("div", { class: "buttons" },
        hasBlocks ? button("fold", "Fold", "Fold all repeated blocks", () => this.foldAll()) : null,
        hasBlocks ? button("unfold", "Unfold", "Show each copy of repeated blocks", () => { this.folding.unfoldRuns(); this.refold(); }) : null,
        hasBlocks ? button("unfold-all", "All nodes", "Show every node", () => { this.folding.unfoldAll(); this.refold(); }) : null,
        button("fit", "Fit", "Show all (0)", () => this.view.fit()))]);
    this.redraw();
    this.view.fit(0.6);
  },

  /** Families with their counts; a click hides and shows their arcs. */
  legend() {
    const counts = new Map();
    for (const { family } of this.graph.links) counts.set(family, (counts.get(family) ?? 0) + 1);
    return html("div", { class: "legend" }, ...families.filter((family) => counts.has(family)).map((family) => {
      const entry = html("button", { type: "button", class: family, "data-legend": family, "aria-pressed": "true",
        title: `Skips: ${family}. Click to hide them.`,
        click: () => {
          const isHidden = this.view.root.classList.toggle(`no-${family}`);
          entry.setAttribute("aria-pressed", String(!isHidden));
        } }, html("i"), `${family} ${counts.get(family)}`);
      return entry;
    }));
  },

  graphChooser() {
    if (model.graphs.length < 2) return null;
    this.chooser = html("select", { id: "graphs", "aria-label": "Graph",
      change: () => this.showGraph(Number(this.chooser.value)) },
      ...model.graphs.map((graph, index) => html("option", { value: index }, graph.path)));
    return this.chooser;
  },

  click(event) {
    if (this.view.isDrag) return;
    const toggle = event.target.closest("[data-toggle]")?.dataset.toggle;
    if (toggle) this.toggle(toggle);
    else this.select(event.target.closest("[data-unit]")?.dataset.unit ?? null);
  },

  key(event) {
    if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") { event.preventDefault(); this.search.focus(); return; }
    if (event.key === "Escape") { this.select(null); return; }
    if (event.key === "0") { this.view.fit(); return; }
    if (event.key === "+" || event.key === "=") { this.view.zoom(1.25); return; }
    if (event.key === "-") { this.view.zoom(0.8); return; }
    if (!this.view.root.contains(event.target) && event.target !== document.body) return;
    const unit = this.unit(this.selected);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      const at = unit ? this.scene.boxes.indexOf(unit) + step : 0;
      const next = this.scene.boxes[Math.min(this.scene.boxes.length - 1, Math.max(0, at))];
      this.select(next.name);
      this.view.reveal(next);
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      this.view.pan(event.key === "ArrowLeft" ? 60 : -60, 0);
    } else if (event.key === "Enter" && unit && !unit.vertex) {
      this.toggle(unit.name);
    }
  },
};

/** The graph that is shown. */
function currentGraph() { return page.graph; }

page.build();
