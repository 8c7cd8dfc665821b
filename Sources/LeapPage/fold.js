// fold.js: which parts of a graph are seen as one box: runs of repeated blocks, and the copies of a run.
//
// A *unit* is what is laid out at one level: a box, or the frame of something that is unfolded, with units of its own.

class Folding {
  constructor(graph) {
    this.graph = graph;
    /** Names of what is unfolded: `b3` is a run of blocks, `b3.7` one of its copies. */
    this.open = new Set();
  }

  /** The names of what holds a vertex, the outermost first. */
  holders(place) {
    const index = this.graph.blocks.findIndex(
      (block) => place >= block.first && place < block.first + block.period * block.count);
    if (index < 0) return [];
    const block = this.graph.blocks[index];
    return [`b${index}`, `b${index}.${Math.floor((place - block.first) / block.period)}`];
  }

  toggle(name) {
    if (!this.open.delete(name)) this.open.add(name);
  }

  unfoldRuns() {
    this.graph.blocks.forEach((_, index) => this.open.add(`b${index}`));
  }

  unfoldAll() {
    this.unfoldRuns();
    this.graph.blocks.forEach((block, index) => {
      for (let copy = 0; copy < block.count; copy += 1) this.open.add(`b${index}.${copy}`);
    });
  }

  /** The tree of units that are seen, with the edges between them. */
  scene() {
    const root = { units: [], edges: [], depth: 0 };
    const scene = { root, boxes: [], frames: [], owner: [] };
    const { vertices, blocks } = this.graph;
    const firsts = new Map(blocks.map((block, index) => [block.first, index]));
    for (let place = 0; place < vertices.length; ) {
      if (firsts.has(place)) {
        this.addRun(scene, firsts.get(place));
        const block = blocks[firsts.get(place)];
        place += block.period * block.count;
      } else {
        addBox(scene, root, { name: `v${place}`, vertex: vertices[place], first: place, last: place });
        place += 1;
      }
    }
    connect(scene, this.graph);
    return scene;
  }

  addRun(scene, index) {
    const block = this.graph.blocks[index];
    const name = `b${index}`;
    const last = block.first + block.period * block.count - 1;
    if (!this.open.has(name)) {
      addBox(scene, scene.root, { name, block, isRun: true, first: block.first, last });
      return;
    }
    const run = addFrame(scene, scene.root, { name, block, isRun: true, first: block.first, last });
    for (let copy = 0; copy < block.count; copy += 1) {
      const first = block.first + copy * block.period;
      const part = { name: `${name}.${copy}`, block, copy, first, last: first + block.period - 1 };
      if (!this.open.has(part.name)) {
        addBox(scene, run, part);
        continue;
      }
      const frame = addFrame(scene, run, part);
      for (let place = part.first; place <= part.last; place += 1) {
        addBox(scene, frame, {
          name: `v${place}`, vertex: this.graph.vertices[place], first: place, last: place,
        });
      }
    }
  }
}

function addBox(scene, parent, box) {
  Object.assign(box, { parent, order: parent.units.length, next: [], previous: [], inner: {} });
  parent.units.push(box);
  scene.boxes.push(box);
  for (let place = box.first; place <= box.last; place += 1) scene.owner[place] = box;
}

function addFrame(scene, parent, frame) {
  Object.assign(frame, {
    parent, order: parent.units.length, units: [], edges: [], next: [], previous: [],
    depth: parent.depth + 1,
  });
  parent.units.push(frame);
  scene.frames.push(frame);
  return frame;
}

/** Finds the flows and arcs between boxes, and what units follow each other at each level. */
function connect(scene, graph) {
  const flows = new Map();
  const arcs = new Map();
  for (const edge of graph.edges) {
    const [from, to] = [scene.owner[edge.from], scene.owner[edge.to]];
    if (from === to || edge.skip) continue;
    const key = `${from.name}>${to.name}`;
    const flow = flows.get(key) ?? { from, to, isShape: true, edges: [] };
    flow.isShape &&= edge.isShape;
    flow.shortcut ??= edge.shortcut;
    flow.edges.push(edge);
    flows.set(key, flow);
  }
  for (const link of graph.links) {
    const [from, to] = [scene.owner[link.from], scene.owner[link.to]];
    // What goes around a part of a box, or around one box from the one before it, is a sign at that box.
    if (from === to || (!to.vertex && flows.has(`${from.name}>${to.name}`))) {
      to.inner[link.family] = (to.inner[link.family] ?? 0) + 1;
    } else if (link.via.length === 0 || link.via.every((place) => scene.owner[place] === to)) {
      const key = `${from.name}>${to.name}>${link.family}`;
      const arc = arcs.get(key) ?? { from, to, family: link.family, links: [] };
      arc.links.push(link);
      arcs.set(key, arc);
    }
  }
  scene.flows = [...flows.values()];
  scene.arcs = [...arcs.values()];
  for (const flow of scene.flows) joinUnits(flow.from, flow.to);
}

/** Notes, at the level where they part, that one unit comes before another. */
function joinUnits(from, to) {
  while (from.parent !== to.parent) {
    if (from.parent.depth >= to.parent.depth) from = from.parent;
    else to = to.parent;
  }
  if (from === to || from.next.includes(to)) return;
  from.next.push(to);
  to.previous.push(from);
}
