// layout.js: where units stand: flows go down, branches side by side.
//
// A set of units is split where all paths meet (those stand one below the other), and into what is not connected (that stands side by
// side); what neither splits is laid out by ranks. Linear in the edges for each level of nesting.

const sizes = {
  vertex: [220, 26], light: [220, 20], copy: [220, 34], run: [256, 62],
  gap: 20, closeGap: 2, columnGap: 28, bendGap: 190, padding: 14, header: 24, deepest: 40,
};

/** Gives all boxes and frames of a scene `x`, `y`, `w` and `h`; the main line is at x = 0. */
function layOut(scene) {
  const bend = bendPlace(scene);
  if (bend === null) {
    const layout = setLayout(scene.root.units, 0);
    place(layout, -layout.axis, 0);
  } else {
    bent(scene, bend);
  }
  return scene;
}

// The U of encoder and decoder

/** The unit of the scene itself that something is in. */
function outermost(unit) {
  while (unit.parent.parent) unit = unit.parent;
  return unit;
}

/**
 * Where a graph turns, so that its encoder stands beside its decoder and skips go across: at what samples up first behind the last
 * skip. None where more than shapes go across besides.
 */
function bendPlace({ root, arcs, flows }) {
  const across = arcs.filter((arc) => arc.family === "encoder-decoder");
  if (across.length < 2) return null;
  const last = Math.max(...across.map((arc) => outermost(arc.from).order));
  const first = Math.min(...across.map((arc) => outermost(arc.to).order));
  if (last >= first) return null;
  const up = root.units.findIndex((unit, order) => order > last && order < first && unit.vertex?.looks === "up");
  let bend = up < 0 ? first : up;
  while (isAside(root.units[bend - 1])) bend -= 1;
  const crossing = flows.filter((flow) => !flow.isShape
    && outermost(flow.from).order < bend && outermost(flow.to).order >= bend);
  return crossing.length === 1 ? bend : null;
}

/** The encoder from top to bottom, and the decoder beside it from bottom to top. */
function bent({ root, arcs }, bend) {
  const down = setLayout(root.units.slice(0, bend), 0);
  const up = flipped(setLayout(root.units.slice(bend), 0));
  place(down, -down.axis, 0);
  const x = down.w - down.axis + sizes.bendGap;
  place(up, x, down.h - up.h, true);
  // Gaps, from the bottom upward, so that joins are as high as what they join.
  const pairs = arcs.filter(({ family }) => family === "encoder-decoder").sort((a, b) => b.from.y - a.from.y);
  let [raised, risen] = [0, 0];
  const steps = [];
  for (const { from, to } of pairs) {
    const distance = (to.y + to.h / 2 - risen) - (from.y + from.h / 2 - raised);
    if (distance > 0) risen += distance;
    else raised -= distance;
    steps.push({ from: outermost(from).order, to: outermost(to).order, raised, risen });
  }
  // What comes before a skip in the encoder, and after it in the decoder, moves with it.
  const lift = (order, isUp) => {
    const passed = steps.filter((step) => (isUp ? step.to <= order : step.from >= order)).at(-1);
    return passed ? (isUp ? passed.risen : passed.raised) : 0;
  };
  const top = Math.min(0, down.h - up.h - risen, -raised);
  for (const unit of root.units) move(unit, -lift(unit.order, unit.isUp) - top);
}

/** Moves a unit with all that it holds. */
function move(unit, y) {
  unit.y += y;
  for (const inner of unit.units ?? []) move(inner, y);
}

/** Upside down; titles of frames stay above what they hold. */
function flipped(layout) {
  const parts = layout.parts.map((part) => ({
    layout: flipped(part.layout), x: part.x, y: layout.unit ? part.y : layout.h - part.y - part.layout.h,
  }));
  return { ...layout, parts };
}

// Sets of units

/** Whether a unit only makes extents or indices: it stands beside who reads them. */
function isAside(unit) {
  const made = unit?.vertex?.flowsOut ?? [];
  return made.length > 0 && unit.vertex.kind === "node" && made.every((edge) => edge.isShape);
}

/** The units but those that stand aside, which are put beside a reader, or who they read. */
function withoutAsides(units) {
  const aside = units.filter(isAside);
  if (aside.length === 0 || aside.length === units.length) return units;
  mark(units);
  const own = units[0].mark;
  const others = (group, ways) => group.flatMap((unit) => unit[ways]).filter((other) => other.mark === own && !isAside(other));
  mark(aside);
  const groups = components(aside);
  aside.forEach((unit) => { unit.mark = own; });
  const neighbours = groups.map((group) => others(group, "next")[0] ?? others(group, "previous").at(-1));
  if (neighbours.includes(undefined)) return units;
  groups.forEach((group, index) => (neighbours[index].asides ??= []).push(group));
  return units.filter((unit) => !isAside(unit));
}

/** A layout has a size, the x of its main line, and parts at places of their own. */
function setLayout(units, depth) {
  if (units.length === 0) return { w: 0, h: 0, axis: 0, parts: [] };
  units = withoutAsides(units);
  if (units.length === 1) return unitLayout(units[0], depth);
  mark(units);
  const groups = components(units);
  if (groups.length > 1) {
    return beside(groups.map((group) => ({
      layout: setLayout(group, depth + 1),
      isSide: group.every((unit) => unit.vertex?.isShortcut),
    })));
  }
  const cuts = depth < sizes.deepest ? cutPlaces(units) : [];
  if (cuts.length === 0) return ranked(units, depth);
  const layers = [];
  let start = 0;
  for (const cut of [...cuts, units.length]) {
    if (start < cut) layers.push(units.slice(start, cut));
    if (cut < units.length) layers.push([units[cut]]);
    start = cut + 1;
  }
  return stacked(layers, depth);
}

function unitLayout(unit, depth) {
  const own = ownLayout(unit, depth);
  if (!unit.asides) return own;
  const side = beside(unit.asides.map((group) => ({ layout: setLayout(group, depth + 1), isSide: true })));
  const y = side.h + sizes.gap / 2;
  return {
    w: own.w + sizes.columnGap + side.w, h: y + own.h, axis: own.axis,
    parts: [{ layout: side, x: own.w + sizes.columnGap, y: 0 }, { layout: own, x: 0, y }],
  };
}

function ownLayout(unit, depth) {
  if (!unit.units) {
    const looks = unit.vertex && lightKinds.has(unit.vertex.looks) ? "light" : "vertex";
    [unit.w, unit.h] = unit.vertex ? sizes[looks] : unit.isRun ? sizes.run : sizes.copy;
    return { w: unit.w, h: unit.h, axis: unit.w / 2, parts: [], unit };
  }
  const inner = setLayout(unit.units, depth + 1);
  unit.w = inner.w + 2 * sizes.padding;
  unit.h = inner.h + sizes.header + 2 * sizes.padding;
  return {
    w: unit.w, h: unit.h, axis: inner.axis + sizes.padding, unit,
    parts: [{ layout: inner, x: sizes.padding, y: sizes.header + sizes.padding }],
  };
}

/** Units know their set by its mark, and their place in it. */
let marks = 0;
function mark(units) {
  marks += 1;
  units.forEach((unit, index) => { unit.mark = marks; unit.index = index; });
}

function components(units) {
  const groups = [];
  const own = units[0].mark;
  const seen = new Set();
  for (const unit of units) {
    if (seen.has(unit)) continue;
    seen.add(unit);
    const group = [unit];
    for (let at = 0; at < group.length; at += 1) {
      for (const other of [...group[at].next, ...group[at].previous]) {
        if (other.mark === own && !seen.has(other)) { seen.add(other); group.push(other); }
      }
    }
    groups.push(group.sort((a, b) => a.order - b.order));
  }
  return groups;
}

/** Places of units that all paths go through. */
function cutPlaces(units) {
  const own = units[0].mark;
  const cover = new Int32Array(units.length + 1);
  for (const unit of units) {
    for (const other of unit.next) {
      if (other.mark !== own) continue;
      cover[unit.index + 1] += 1;
      cover[other.index] -= 1;
    }
  }
  let covered = 0;
  const open = [];
  for (let index = 0; index < units.length; index += 1) {
    covered += cover[index];
    if (covered === 0) open.push(index);
  }
  // Not where something else begins before the next place, or ends behind the one before: paths do not meet there.
  const begun = counted(units, (unit) => !unit.previous.some((other) => other.mark === own));
  const ended = counted(units, (unit) => !unit.next.some((other) => other.mark === own));
  const met = [];
  for (const cut of open.reverse()) {
    const next = met[0] ?? units.length;
    if (begun[next] === begun[cut + 1]) met.unshift(cut);
  }
  const cuts = [];
  for (const cut of met) {
    const previous = cuts.at(-1) ?? -1;
    if (ended[cut] === ended[previous + 1]) cuts.push(cut);
  }
  return cuts;
}

/** How many units before each place are of a kind. */
function counted(units, isOne) {
  const counts = [0];
  for (const unit of units) counts.push(counts.at(-1) + (isOne(unit) ? 1 : 0));
  return counts;
}

function stacked(layers, depth) {
  const parts = [];
  let [y, left, right] = [0, 0, 0];
  layers.forEach((units, index) => {
    const layout = setLayout(units, depth + 1);
    if (index > 0) y += isClose(layers[index - 1], units) ? sizes.closeGap : sizes.gap;
    parts.push({ layout, x: -layout.axis, y });
    left = Math.min(left, -layout.axis);
    right = Math.max(right, layout.w - layout.axis);
    y += layout.h;
  });
  for (const part of parts) part.x -= left;
  return { w: right - left, h: y, axis: -left, parts };
}

/** Whether a single vertex only goes on with what the one before made. */
function isClose(before, after) {
  if (before.length !== 1 || after.length !== 1) return false;
  const [[above], [below]] = [before, after];
  return above.vertex && below.vertex && lightKinds.has(below.vertex.looks) && above.vertex.kind === "node"
    && above.vertex.flowsOut.length === 1 && below.vertex.flowsIn.length === 1;
}

function beside(groups) {
  const main = groups.filter((group) => !group.isSide);
  const ordered = [...main, ...groups.filter((group) => group.isSide)];
  const parts = [];
  let [x, h] = [0, 0];
  for (const { layout } of ordered) {
    parts.push({ layout, x, y: 0 });
    x += layout.w + sizes.columnGap;
    h = Math.max(h, layout.h);
  }
  const w = x - sizes.columnGap;
  const last = parts[Math.max(main.length, 1) - 1];
  const axis = main.length === 1 ? parts[0].layout.axis : (last.x + last.layout.w) / 2;
  return { w, h, axis, parts };
}

/** Rows by the longest path, each in the order of what it comes from. */
function ranked(units, depth) {
  const own = units[0].mark;
  const rows = [];
  const ranks = new Map();
  const columns = new Map();
  for (const unit of units) {
    const previous = unit.previous.filter((other) => other.mark === own);
    const rank = Math.max(-1, ...previous.map((other) => ranks.get(other) ?? -1)) + 1;
    ranks.set(unit, rank);
    (rows[rank] ??= []).push({ unit, previous });
  }
  const parts = [];
  let [y, left, right] = [0, 0, 0];
  for (const row of rows) {
    const middle = ({ previous }) =>
      previous.reduce((sum, other) => sum + (columns.get(other) ?? 0), 0) / Math.max(previous.length, 1);
    row.sort((a, b) => middle(a) - middle(b) || a.unit.order - b.unit.order);
    const layouts = row.map(({ unit }) => unitLayout(unit, depth + 1));
    const w = layouts.reduce((sum, layout) => sum + layout.w + sizes.columnGap, -sizes.columnGap);
    let [x, h] = [-w / 2, 0];
    layouts.forEach((layout, index) => {
      parts.push({ layout, x, y });
      columns.set(row[index].unit, x + layout.axis);
      x += layout.w + sizes.columnGap;
      h = Math.max(h, layout.h);
    });
    [left, right] = [Math.min(left, -w / 2), Math.max(right, w / 2)];
    y += h + sizes.gap;
  }
  for (const part of parts) part.x -= left;
  return { w: right - left, h: y - sizes.gap, axis: -left, parts };
}

function place(layout, x, y, isUp = false) {
  if (layout.unit) Object.assign(layout.unit, { x, y, axis: x + layout.axis, isUp });
  for (const part of layout.parts) place(part.layout, x + part.x, y + part.y, isUp);
}

/** Finds what is in the way: boxes by the rows of the picture that they are in. */
class Rows {
  constructor(boxes, height = 32) {
    this.height = height;
    this.rows = [];
    for (const box of boxes) {
      for (let row = this.row(box.y); row <= this.row(box.y + box.h); row += 1) {
        (this.rows[row] ??= []).push(box);
      }
    }
    this.sides = this.rows.map((row) => [
      Math.min(...row.map((box) => box.x)), Math.max(...row.map((box) => box.x + box.w)),
    ]);
  }

  row(y) { return Math.max(Math.floor(y / this.height), 0); }

  /** How far boxes reach to the left and to the right between two heights. */
  reach(top, bottom) {
    let [left, right] = [0, 0];
    for (let row = this.row(top); row <= this.row(bottom); row += 1) {
      if (!this.sides[row]) continue;
      left = Math.min(left, this.sides[row][0]);
      right = Math.max(right, this.sides[row][1]);
    }
    return [left, right];
  }

  /** Whether a box stands on a vertical line between two heights. */
  blocks(x, top, bottom) {
    for (let row = this.row(top); row <= this.row(bottom); row += 1) {
      for (const box of this.rows[row] ?? []) {
        if (box.x < x && x < box.x + box.w && box.y > top && box.y + box.h < bottom) return true;
      }
    }
    return false;
  }
}
