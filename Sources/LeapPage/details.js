// details.js: what the panel tells of a node, of a constant that it reads, or of a repeated block.

const panel = {
  summary: document.getElementById("summary"),
  details: document.getElementById("details"),
};

/** Shows the model's summary again. */
function showSummary() {
  panel.details.hidden = true;
  panel.summary.hidden = false;
}

function showDetails(...parts) {
  panel.details.replaceChildren(
    html("button", { class: "back", type: "button", click: () => page.select(null) }, "← about the model"),
    ...parts.filter(Boolean));
  panel.details.hidden = false;
  panel.summary.hidden = true;
  panel.details.parentElement.scrollTop = 0;
}

/** Rows of a name and a value; those without a value are left out. */
function facts(rows) {
  const known = rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
  if (known.length === 0) return null;
  return html("dl", {}, ...known.flatMap(([name, value]) => [html("dt", {}, name), html("dd", {}, value)]));
}

function titled(title, ...parts) {
  const shown = parts.filter(Boolean);
  return shown.length === 0 ? null : html("section", {}, html("h3", {}, title), ...shown);
}

// A node

function showVertex(graph, vertex) {
  showDetails(
    html("h2", { class: vertex.looks }, vertex.label),
    html("p", { class: "name" }, vertex.title),
    vertex.unsupported ? html("p", { class: "bad" }, "Leapstone cannot compute it.") : null,
    titled("Cost", facts([
      ["multiply-adds", shareText(vertex.multiply_adds, model.multiply_adds)],
      ["parameters", vertex.parameters ? readableCount(vertex.parameters) : null],
      ["reads", vertex.read === undefined ? null : readableSize(vertex.read)],
      ["writes", vertex.written === undefined ? null : readableSize(vertex.written)],
      ["estimated", vertex.ns === undefined ? null : `${(vertex.ns / 1000).toFixed(1)} µs on one core`],
    ])),
    titled("Attributes", facts(vertex.attributes ?? [])),
    titled("Inputs", operandList(graph, vertex.inputs)),
    titled("Outputs", operandList(graph, vertex.outputs)),
    titled("Skips", skipList(graph, vertex)),
    titled("In a run", facts([
      ["computed by", vertex.plan], ["stage", vertex.stage], ["before it", vertex.before], ["after it", vertex.after],
      ["stands for", (vertex.origins ?? []).join(", ")], ["made by", vertex.pass],
    ]), memoryFacts(graph, vertex)),
    titled("Holds", subgraphList(vertex)),
    titled("Node", facts([["operator", vertex.operator], ["opset", vertex.opset], ["index", vertex.index]])));
}

function shareText(part, whole) {
  if (!part) return null;
  return whole > 0 ? `${readableCount(part)}, ${(100 * part / whole).toFixed(1)} % of all` : readableCount(part);
}

function operandList(graph, operands = []) {
  if (operands.length === 0) return null;
  return html("ul", { class: "operands" }, ...operands.map((operand) => {
    if (!operand) return html("li", { class: "none" }, "–");
    const [name, type, weight] = operand;
    const maker = graph.makers.get(name);
    const label = weight === undefined && maker !== undefined
      ? html("button", { type: "button", class: "link", click: () => page.goTo(maker) }, name) : html("span", { class: "value" }, name);
    return html("li", {}, label, html("span", { class: "type" }, type),
      weight === undefined ? null : weight < 0 ? html("span", { class: "type" }, "constant") : weightElement(model.weights[weight]));
  }));
}

/** What a constant's elements are like. */
function weightElement(weight) {
  const rest = weight.statistics;
  if (!rest) return html("div", { class: "weight" }, readableSize(weight.bytes));
  const [least, largest, mean, deviation, zeros, count] = rest;
  const words = `min ${least ?? "–"}  max ${largest ?? "–"}  mean ${mean ?? "–"}  std ${deviation ?? "–"}`
    + (zeros > 0 ? `  zeros ${(100 * zeros / count).toFixed(1)} %` : "");
  return html("div", { class: "weight" }, histogram(weight.histogram, least, largest),
    html("div", { class: "statistics" }, words));
}

/** Bars for the elements in each part of the range. */
function histogram(counts, least, largest) {
  const most = Math.max(...counts, 1);
  if (counts.length === 0) return null;
  const [w, h] = [counts.length * 14, 44];
  return svg("svg", { class: "histogram", viewBox: `0 0 ${w} ${h}`, role: "img", "aria-label": "Histogram" },
    ...counts.map((count, index) => {
      const height = count === 0 ? 0 : Math.max(count / most * h, 1);
      const width = (Number(largest) - Number(least)) / counts.length;
      const from = Number(least) + index * width;
      return svg("rect", { x: index * 14, y: h - height, width: 12.5, height },
        svg("title", {}, `${count} from ${from.toPrecision(3)} to ${(from + width).toPrecision(3)}`));
    }));
}

function skipList(graph, vertex) {
  const own = graph.links.filter((link) => link.from === vertex.place || link.to === vertex.place);
  if (own.length === 0) return null;
  return html("ul", { class: "skips" }, ...own.map((link) => {
    const [word, other] = link.from === vertex.place ? ["to", link.to] : ["from", link.from];
    return html("li", { class: link.family }, `${link.family} ${word} `,
      html("button", { type: "button", class: "link", click: () => page.goTo(other) },
        graph.vertices[other].title || graph.vertices[other].label),
      link.via.length ? ` through ${link.via.length} nodes` : null);
  }));
}

function subgraphList(vertex) {
  if (!vertex.subgraphs) return null;
  return html("ul", {}, ...vertex.subgraphs.map(([attribute, index]) => html("li", {},
    html("button", { type: "button", class: "link", click: () => page.showGraph(index) }, attribute))));
}

/** When what a node makes is in memory, and where. */
function memoryFacts(graph, vertex) {
  const lives = memory.livesOf(graph, vertex);
  if (lives.length === 0) return null;
  return facts(lives.flatMap(({ buffer, value }) => [
    ["lives", `stages ${value.first} to ${value.last}`],
    ["memory", `${readableSize(buffer.bytes)} at ${buffer.offset}`
      + (buffer.values.length > 1 ? `, shared by ${buffer.values.length} values` : "")],
  ]));
}

// A repeated block

function showBlock(graph, unit) {
  const { block } = unit;
  const title = nameOf(unit);
  const isOpen = page.folding.open.has(unit.name);
  const operators = new Map();
  for (let place = unit.first; place <= unit.last; place += 1) {
    const name = graph.vertices[place].operator;
    operators.set(name, (operators.get(name) ?? 0) + 1);
  }
  showDetails(
    html("h2", { class: "run" }, title),
    html("p", { class: "name" }, unit.isRun ? block.scope : block.copies[unit.copy]),
    html("p", {}, html("button", { type: "button", click: () => page.toggle(unit.name) }, isOpen ? "Fold" : "Unfold")),
    titled("Cost", facts([
      ["multiply-adds", shareText(total(unit, graph, "multiply_adds"), model.multiply_adds)],
      ["parameters", readableCount(total(unit, graph, "parameters"))],
      ["nodes", String(unit.last - unit.first + 1)],
    ])),
    titled("Operators", facts([...operators].map(([name, count]) => [name, String(count)]))),
    titled("Shapes", facts([
      ["first copy", graph.vertices[block.first + block.period - 1].extents],
      ["last copy", graph.vertices[block.first + block.period * block.count - 1].extents],
    ])));
}

// A stage of the run

function showStage(stage) {
  const graph = model.graphs[0];
  const live = memory.liveIn(stage);
  const items = live.map(({ buffer, value }) => {
    const maker = graph.makers.get(value.name) ?? graph.byName.get(value.maker);
    const words = ` ${readableSize(buffer.bytes)}, until stage ${value.last}`;
    return html("li", {}, maker === undefined ? value.name
      : html("button", { type: "button", class: "link", click: () => page.goTo(maker) }, value.name), words);
  });
  showDetails(
    html("h2", {}, `Stage ${stage}`),
    html("p", { class: "name" }, memory.stages[stage].steps.join(", ")),
    titled("Memory", facts([
      ["in use", readableSize(memory.stages[stage].live)], ["arena", readableSize(memory.arena)],
    ])),
    titled(`Live values, ${live.length}`, html("ul", { class: "operands" }, ...items)));
}
