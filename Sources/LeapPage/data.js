// data.js: the model as the page has it, and small helpers of all parts.
//
// Names of the model are text: they go into text nodes and attributes, never into markup.

const model = JSON.parse(document.getElementById("data").textContent);

/** Families of skips, in the order of the legend; arcs of the first three are right of what they go around. */
const families = ["add", "concat", "gate", "encoder-decoder"];

/** An element of HTML. Attributes that are null are left out; children are elements or texts. */
function html(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** An element of SVG. */
function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A number with a unit: `4.09 G`. */
function readableCount(count) {
  const units = ["", " k", " M", " G", " T", " P"];
  let unit = 0;
  while (count >= 999.5 && unit + 1 < units.length) { count /= 1000; unit += 1; }
  return unit === 0 ? String(count) : count.toPrecision(3) + units[unit];
}

/** Bytes with a unit: `1.50 MiB`. */
function readableSize(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (bytes >= 1024 && unit + 1 < units.length) { bytes /= 1024; unit += 1; }
  return unit === 0 ? `${bytes} B` : `${bytes.toFixed(bytes < 10 ? 2 : 1)} ${units[unit]}`;
}

/** A text of so many letters at most, its end left out. */
function shortened(text, limit) {
  const letters = [...text];
  return letters.length <= limit ? text : letters.slice(0, Math.max(limit - 1, 1)).join("") + "…";
}

/** An operator as a picture has room for it. */
function readableOperator(caption) {
  return caption.replace("Normalization", "Norm").replace("Average", "Avg").replace("ConvTranspose", "ConvT");
}

/** The extents of a type as a picture has room for them: `64×56×56`, without a batch of one. */
function readableExtents(type) {
  const found = /^(?:sparse )?\w+ (.*)$/.exec(type);
  if (!found || found[1] === "of unknown rank") return "";
  return found[1].replace(/^1x(?=.)/, "").replace(/(?<=\d)x|x(?=\d)/g, "×");
}

const operatorKinds = [
  ["join", /^(Add|Sum|Concat|QLinearAdd|QLinearConcat|Mul|QLinearMul|Sub|SkipLayerNormalization)$/],
  ["up", /^(ConvTranspose|Resize|Upsample|DepthToSpace|MaxUnpool)$/],
  ["layer", /(Conv|Gemm|MatMul|Attention|LSTM|GRU|RNN|Einsum)/],
  ["norm", /(Normalization|^LRN$)/],
  ["pool", /(Pool|^Reduce)/],
  ["act", /(Relu|Sigmoid|Softmax|Tanh|Clip|Swish|Elu|Selu|Gelu|Celu|Softplus|Softsign|Erf|Mish|Identity|Dropout)$/],
  ["move", /^(Reshape|Flatten|Transpose|Squeeze|Unsqueeze|Shape|Slice|Gather|Split|Pad|Cast|Expand|Constant|Size)/],
];

/** What a vertex is drawn as. */
function kindOf(vertex) {
  if (vertex.kind !== "node") return vertex.kind;
  const name = vertex.operator.split(".").pop();
  const found = operatorKinds.find(([, pattern]) => pattern.test(name));
  return found ? found[0] : "other";
}

/** Kinds that continue what stands before them: they are drawn right below it. */
const lightKinds = new Set(["norm", "act"]);

/** Adds to a graph what is looked up often. */
function prepare(graph) {
  graph.makers = new Map();
  graph.byName = new Map();
  graph.vertices.forEach((vertex, place) => {
    vertex.place = place;
    vertex.looks = kindOf(vertex);
    vertex.made = (vertex.outputs ?? []).filter(Boolean);
    const ends = vertex.kind === "output" ? vertex.inputs : vertex.made;
    vertex.extents = ends.length ? readableExtents(ends[0][1]) : "";
    vertex.title = vertex.kind === "node" ? vertex.name : ends[0][0];
    vertex.label = vertex.kind === "node" ? readableOperator(vertex.caption) : vertex.title;
    vertex.flowsIn = [];
    vertex.flowsOut = [];
    for (const [name] of vertex.made) graph.makers.set(name, place);
    if (vertex.kind === "node" && !graph.byName.has(vertex.name)) graph.byName.set(vertex.name, place);
  });
  const skips = new Map();
  const shortcuts = new Map();
  graph.links = graph.links.map(([from, to, family, via]) => ({ from, to, family, via }));
  for (const link of graph.links) {
    if (link.via.length === 0) skips.set(`${link.from}>${link.to}`, link.family);
    const inside = new Set(link.via);
    for (const place of link.via) shortcuts.set(place, { inside, link });
    if (link.via.length > 0) graph.vertices[link.to].shortcut = link.family;
  }
  graph.edges = graph.edges.map(([from, to, output, isShape]) => {
    const extents = readableExtents(graph.vertices[from].made[output]?.[1] ?? "");
    const edge = { from, to, extents, isShape: isShape === 1 || graph.vertices[to].operator === "Shape",
      skip: skips.get(`${from}>${to}`) };
    const shortcut = shortcuts.get(to) ?? shortcuts.get(from);
    if (shortcut && (shortcut.inside.has(to) || to === shortcut.link.to)) {
      edge.shortcut = shortcut.link.family;
    }
    graph.vertices[from].flowsOut.push(edge);
    graph.vertices[to].flowsIn.push(edge);
    return edge;
  });
  for (const place of shortcuts.keys()) graph.vertices[place].isShortcut = true;
}

model.graphs.forEach(prepare);
