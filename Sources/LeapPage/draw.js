// draw.js: a scene as SVG: frames, flows, arcs, boxes, in this order from back to front.

/** Draws a scene that is laid out. Returns the group, and what it takes: `left`, `top`, `right`, `bottom`. */
function draw(scene) {
  const rows = new Rows(scene.boxes);
  const arcs = scene.arcs.map((arc) => arcElement(arc, rows));
  const bounds = { left: 0, top: 0, right: 0, bottom: 0 };
  const include = (left, top, right, bottom) => {
    bounds.left = Math.min(bounds.left, left);
    bounds.top = Math.min(bounds.top, top);
    bounds.right = Math.max(bounds.right, right);
    bounds.bottom = Math.max(bounds.bottom, bottom);
  };
  for (const box of scene.boxes) include(box.x, box.y, box.x + box.w + 34, box.y + box.h + (box.isUp ? 36 : 0));
  for (const { reach } of arcs) include(reach, 0, reach, 0);
  scene.frames.forEach((frame) => widen(frame, scene.arcs));
  for (const frame of scene.frames) include(frame.x, frame.y, frame.x + frame.w, frame.y + frame.h);
  const group = svg("g", { class: "scene" },
    svg("g", { class: "frames" }, ...scene.frames.map(frameElement)),
    svg("g", { class: "flows" }, ...scene.flows.map((flow) => flowElement(flow, rows))),
    svg("g", { class: "arcs" }, ...arcs.map(({ element }) => element)),
    svg("g", { class: "boxes" }, ...scene.boxes.map(boxElement)));
  return { group, bounds };
}

// What goes around

/** How far an arc stands out that spans so much: nested arcs do not meet. */
function bulge(span) {
  return 14 + 0.2 * Math.min(span, 700) + 0.05 * Math.max(span - 700, 0);
}

function arcElement(arc, rows) {
  const { path, out } = arcPath(arc, rows);
  arc.out = out;
  const count = arc.links.length;
  const words = `${arc.family}${count > 1 ? ` × ${count}` : ""}: ${nameOf(arc.from)} → ${nameOf(arc.to)}`;
  arc.element = svg("path", {
    class: `arc ${arc.family}`, d: path, "data-family": arc.family, "data-count": count,
    "stroke-width": Math.min(1.7 + Math.log2(count) * 0.5, 4), "marker-end": `url(#head-${arc.family})`,
  }, svg("title", {}, words));
  return { element: arc.element, reach: out };
}

/** The way of an arc, and the x of its outermost point. */
function arcPath(arc, rows) {
  if (arc.to.isUp && !arc.from.isUp) return across(arc);
  const side = arc.family === "encoder-decoder" ? -1 : 1;
  const edge = (box) => (side > 0 ? box.x + box.w : box.x);
  const [x0, y0] = [edge(arc.from), arc.from.y + arc.from.h * (arc.from.vertex ? 0.5 : 0.72)];
  const [x1, y1] = [edge(arc.to), arc.to.y + arc.to.h * (arc.to.vertex ? 0.5 : 0.72)];
  const [left, right] = rows.reach(y0, y1);
  const widest = side > 0 ? right : -left;
  const own = Math.max(x0 * side, x1 * side);
  const out = Math.max(own, widest) + bulge(y1 - y0);
  const x = out * side;
  let path;
  if (widest <= own + 30) {
    // A cubic reaches three quarters of the way to its handles.
    const handle = (end) => (end + (x - end) / 0.75).toFixed(1);
    path = `M${x0} ${y0}C${handle(x0)} ${y0} ${handle(x1)} ${y1} ${x1} ${y1}`;
  } else {
    const r = Math.min(26, (y1 - y0) / 2);
    path = `M${x0} ${y0}H${x - side * r}Q${x} ${y0} ${x} ${y0 + r}V${y1 - r}Q${x} ${y1} ${x - side * r} ${y1}H${x1}`;
  }
  return { path, out: x };
}

/** From an encoder over to its decoder. */
function across({ from, to }) {
  const [x0, y0, x1, y1] = [from.x + from.w, from.y + from.h / 2, to.x, to.y + to.h / 2];
  const middle = (x0 + x1) / 2;
  return { path: `M${x0} ${y0}C${middle} ${y0} ${middle} ${y1} ${x1} ${y1}`, out: x1 };
}

/** A frame also holds the arcs between what it holds. */
function widen(frame, arcs) {
  let [left, right] = [frame.x, frame.x + frame.w];
  for (const arc of arcs) {
    if (arc.from.first < frame.first || arc.to.last > frame.last) continue;
    left = Math.min(left, arc.out - 10);
    right = Math.max(right, arc.out + 10);
  }
  Object.assign(frame, { x: left, w: right - left });
}

function flowElement(flow, rows) {
  const kind = flow.shortcut ? ` ${flow.shortcut}` : flow.isShape ? " shape" : "";
  const extents = [...new Set(flow.edges.map((edge) => edge.extents))].join(", ");
  const isClose = Math.abs(flow.to.y - flow.from.y) < 40 && flow.from.isUp === flow.to.isUp
    && Math.min(Math.abs(flow.to.y - flow.from.y - flow.from.h), Math.abs(flow.from.y - flow.to.y - flow.to.h)) < 8;
  flow.element = svg("path", {
    class: `flow${kind}`, d: flowPath(flow, rows), "data-shortcut": flow.shortcut,
    "marker-end": isClose ? null : `url(#head${flow.shortcut ? `-${flow.shortcut}` : ""})`,
  }, svg("title", {}, extents));
  return flow.element;
}

function flowPath(flow, rows) {
  if (flow.to.isUp) return flow.from.isUp ? upPath(flow) : turnPath(flow);
  const [x0, y0] = [flow.from.axis, flow.from.y + flow.from.h];
  const [x1, y1] = [flow.to.axis, flow.to.y];
  let path;
  if (Math.abs(x0 - x1) < 1 && !(y1 - y0 > 60 && rows.blocks(x0, y0, y1))) {
    path = `M${x0} ${y0}V${y1}`;
  } else if (flow.from.next.length > 1 && flow.to.previous.length === 1 && !rows.blocks(x1, y0 + 20, y1)) {
    // Over at the beginning, and down in the column of what it enters.
    const turn = Math.min(y0 + 26, y1);
    path = `M${x0} ${y0}C${x0} ${y0 + 16} ${x1} ${turn - 16} ${x1} ${turn}V${y1}`;
  } else if (y1 - y0 <= 60 || !rows.blocks(x0, y0, y1 - 20)) {
    // Down in its own column, and over at the end.
    const turn = Math.max(y1 - 30, y0);
    path = `M${x0} ${y0}V${turn}C${x0} ${turn + 18} ${x1} ${y1 - 18} ${x1} ${y1}`;
  } else {
    const x = Math.min(flow.from.x, flow.to.x, rows.reach(y0, y1)[0]) - bulge((y1 - y0) / 3);
    path = `M${x0} ${y0}C${x0} ${y0 + 14} ${x} ${y0} ${x} ${y0 + 40}V${y1 - 40}C${x} ${y1} ${x1} ${y1 - 14} ${x1} ${y1}`;
  }
  return path;
}

/** In a decoder, which goes up. */
function upPath({ from, to }) {
  const [x0, y0, x1, y1] = [from.axis, from.y, to.axis, to.y + to.h];
  if (Math.abs(x0 - x1) < 1) return `M${x0} ${y0}V${y1}`;
  const turn = Math.min(y1 + 30, y0);
  return `M${x0} ${y0}V${turn}C${x0} ${turn - 18} ${x1} ${y1 + 18} ${x1} ${y1}`;
}

/** From the end of an encoder to the beginning of its decoder; shapes go straight across. */
function turnPath(flow) {
  if (flow.isShape) return across(flow).path;
  const [x0, y0] = [flow.from.axis, flow.from.y + flow.from.h];
  const [x1, y1] = [flow.to.axis, flow.to.y + flow.to.h];
  const low = Math.max(y0, y1) + 44;
  return `M${x0} ${y0}C${x0} ${low} ${x1} ${low} ${x1} ${y1}`;
}

// Boxes and frames

/** What a box or frame is called. */
function nameOf(unit) {
  if (unit.vertex) return unit.vertex.title || unit.vertex.label;
  if (unit.isRun) return `${unit.block.kind} × ${unit.block.count}`;
  return copyName(unit);
}

/** A copy's own name behind its run's, or its number. */
function copyName(unit) {
  const scope = unit.block.copies[unit.copy];
  const isOwn = scope.length > unit.block.scope.length && unit.block.copies.indexOf(scope) === unit.copy;
  const own = isOwn ? scope.slice(unit.block.scope.length).replace(/^[/.]+/, "") : "";
  return own && !/^\d+$/.test(own) ? own : `${unit.block.kind} ${unit.copy + 1}`;
}

function boxElement(box) {
  const looks = box.vertex ? `vertex ${box.vertex.looks}` : box.isRun ? "run" : "copy";
  const states = box.vertex
    ? (box.vertex.unsupported ? " unsupported" : "") + (box.vertex.hidden ? " dim" : "") : "";
  box.element = svg("g", {
    class: `box ${looks}${states}`, "data-unit": box.name, "data-family": joinFamily(box), "data-shortcut": box.vertex?.shortcut,
    transform: `translate(${box.x} ${box.y})`, tabindex: -1, role: "button", "aria-label": describe(box),
  }, ...(box.vertex ? vertexParts(box) : box.isRun ? runParts(box) : copyParts(box)));
  return box.element;
}

/** The family of what enters a join. */
function joinFamily(box) {
  const skip = box.vertex?.flowsIn.find((edge) => edge.skip ?? edge.shortcut);
  return box.vertex?.looks === "join" && skip ? skip.skip ?? skip.shortcut : null;
}

function describe(box) {
  if (!box.vertex) return `${nameOf(box)}, folded, ${box.last - box.first + 1} nodes`;
  return `${box.vertex.label} ${box.vertex.title} ${box.vertex.extents}`;
}

function vertexParts(box) {
  const { vertex, w, h } = box;
  // What goes through unchanged need not be said again.
  const isSame = lightKinds.has(vertex.looks) && vertex.flowsIn.length === 1 && vertex.flowsIn[0].extents
    && vertex.flowsIn[0].extents === vertex.extents;
  const extents = isSame ? "" : shortened(vertex.extents, 18);
  const letters = Math.floor((w - 30 - extents.length * 6.5) / 7.6);
  const share = model.multiply_adds > 0 ? (vertex.multiply_adds ?? 0) / model.multiply_adds : 0;
  return [
    svg("title", {}, `${vertex.title}\n${vertex.label}  ${vertex.extents}`),
    svg("rect", { class: "body", width: w, height: h, rx: vertex.kind === "node" ? 5 : 13 }),
    svg("rect", { class: "stripe", width: 4, height: h - 8, x: 5, y: 4, rx: 2 }),
    svg("text", { class: "label", x: 15, y: h / 2 + 4 }, shortened(vertex.label, letters)),
    svg("text", { class: "extents", x: w - 9, y: h / 2 + 4 }, extents),
    // How much of all work it does.
    share > 0.002 ? svg("rect", { class: "cost", x: 14, y: h - 3.5, height: 2, rx: 1, width: Math.max(2, Math.sqrt(share) * (w - 28)) }) : null,
  ];
}

/** The sum of something over the vertices of a unit. */
function total(unit, graph, member) {
  let sum = 0;
  for (let place = unit.first; place <= unit.last; place += 1) sum += graph.vertices[place][member] ?? 0;
  return sum;
}

function runParts(box) {
  const { block, w, h } = box;
  const graph = currentGraph();
  const [work, parameters] = [total(box, graph, "multiply_adds"), total(box, graph, "parameters")];
  const figures = [`${block.period} nodes each`];
  if (work > 0) figures.push(`${readableCount(work)} MAC`);
  if (parameters > 0) figures.push(`${readableCount(parameters)} par.`);
  return [
    svg("title", {}, `${nameOf(box)}\n${block.scope}\nclick the sign, or press Enter, to unfold`),
    svg("rect", { class: "behind", x: 8, y: 8, width: w, height: h, rx: 8 }),
    svg("rect", { class: "behind", x: 4, y: 4, width: w, height: h, rx: 8 }),
    svg("rect", { class: "body", width: w, height: h, rx: 8 }),
    sign(box.name, 12, 10, false),
    svg("text", { class: "label", x: 36, y: 22 }, nameOf(box)),
    svg("text", { class: "scope", x: 14, y: 39 }, shortened(block.scope || repeatedOperators(box), 34)),
    svg("text", { class: "extents", x: 14, y: 54 }, figures.join(" · ")),
    ...innerArcs(box),
  ];
}

function repeatedOperators(box) {
  const names = [];
  for (let place = box.first; place < box.first + box.block.period; place += 1) {
    names.push(currentGraph().vertices[place].operator);
  }
  return [...new Set(names)].join(", ");
}

function copyParts(box) {
  const { w, h } = box;
  const extents = currentGraph().vertices[box.last].extents;
  return [
    svg("title", {}, `${nameOf(box)}\n${box.block.copies[box.copy]}\nclick the sign, or press Enter, to unfold`),
    svg("rect", { class: "body", width: w, height: h, rx: 7 }),
    sign(box.name, 9, h / 2 - 8, false),
    svg("text", { class: "label", x: 32, y: h / 2 + 4 }, shortened(nameOf(box), 16)),
    svg("text", { class: "extents end", x: w - 9, y: h / 2 + 4 }, shortened(extents, 14)),
    ...innerArcs(box),
  ];
}

/** Signs, beside a folded box, for the arcs in it, with how many there are. */
function innerArcs(box) {
  const found = families.filter((family) => box.inner[family]);
  return found.flatMap((family, index) => {
    const count = box.inner[family];
    const side = family === "encoder-decoder" ? -1 : 1;
    const x = side > 0 ? box.w : 0;
    const rings = Math.min(count, box.isRun ? 3 : 1);
    const parts = [];
    for (let ring = 0; ring < rings; ring += 1) {
      const [reach, inset] = [(14 + 8 * index + 7 * (rings - 1 - ring)) / 0.75, 7 + ring * (box.h / 9)];
      parts.push(svg("path", {
        class: `arc inner ${family}`,
        d: `M${x} ${inset}C${x + side * reach} ${inset} ${x + side * reach} ${box.h - inset} ${x} ${box.h - inset}`,
      }));
    }
    if (count > 1) {
      parts.push(svg("text", {
        class: `count ${family}`, x: x + side * (14 + 8 * index + 7 * rings), y: box.h / 2 + 4,
        "text-anchor": side > 0 ? "start" : "end",
      }, String(count)));
    }
    return [svg("g", { class: "inners", "data-family": family, "data-count": count },
      svg("title", {}, `${family} × ${count} inside`), ...parts)];
  });
}

/** The sign that unfolds and folds. */
function sign(name, x, y, isOpen) {
  return svg("g", { class: "sign", "data-toggle": name, transform: `translate(${x} ${y})`, role: "button",
    "aria-label": isOpen ? "fold" : "unfold" },
    svg("rect", { width: 16, height: 16, rx: 4 }),
    svg("path", { d: isOpen ? "M4 8H12" : "M4 8H12M8 4V12" }));
}

function frameElement(frame) {
  const title = nameOf(frame);
  frame.element = svg("g", { class: `frame ${frame.isRun ? "run" : "copy"}`, "data-unit": frame.name },
    svg("title", {}, `${title}\n${frame.isRun ? frame.block.scope : frame.block.copies[frame.copy]}`),
    svg("rect", { class: "body", x: frame.x, y: frame.y, width: frame.w, height: frame.h, rx: 10 }),
    sign(frame.name, frame.x + 9, frame.y + 7, true),
    svg("text", { class: "label", x: frame.x + 32, y: frame.y + 19 }, shortened(title, Math.floor((frame.w - 40) / 7.4))));
  return frame.element;
}

/** Arrow heads, one for each colour. */
function heads() {
  const head = (id, kind) => svg("marker", {
    id, class: kind, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7,
    markerUnits: "userSpaceOnUse", orient: "auto-start-reverse",
  }, svg("path", { d: "M0.5 0.8L7.5 4L0.5 7.2Z" }));
  return svg("defs", {}, head("head", "head"),
    ...families.map((family) => head(`head-${family}`, `head ${family}`)));
}
