// Placement: which values of a draft share a buffer, and how each lies in it.
//
// 1. A view lies where its input lies.
// 2. The parts of a concat are computed in their places in the concat's buffer, where their kernels and readers take
//    such strides; a dense block so gets one growing buffer.
// 3. An output overwrites an input that nobody reads any more.
// Every decision that went against sharing is kept with its reason, for the tools.

import LeapGraph
import LeapKernels
import LeapTensors

/// Where a value lies.
struct Place: Sendable, Hashable {
  /// Index of the buffer.
  var buffer: Int
  var byteOffset: Int
  var layout: Layout
}

/// The buffers of a draft, and the values in them.
struct Placement: Sendable {
  /// The place of each computed value; nil for values that are given or constant, or views of those.
  private(set) var places: [Place?]
  /// For a view of a given or constant value: that value.
  private(set) var externalAlias: [Int?]
  /// Bytes of each buffer.
  private(set) var bufferBytes: [Int] = []
  /// Whether a step has nothing to do, because its output lies in place already.
  private(set) var elided: [Bool]
  /// The parts of a concat (by step) that must be copied into their places; nil where the concat runs as a whole.
  private(set) var partialCopies: [Int: [Int]] = [:]
  /// Outputs that overwrite an input, as (step, input, output).
  private(set) var inPlace: [(step: Int, pair: InPlacePair)] = []
  /// Why a concat's part or an in-place pair does not share, by step.
  private(set) var notes: [Int: [String]] = [:]

  private let draft: Draft
  private let schedule: Schedule
  private let dependencies: DraftDependencies
  /// The value at the bottom of a chain of views.
  private var root: [Int]
  private var viewsOf: [Int: [Int]] = [:]
  private var members: [[Int]] = []
  /// Those of them that are not known to be dead when the steps run that are looked at.
  private var living: [[Int]] = []

  init(
    _ draft: Draft, _ dependencies: DraftDependencies, _ schedule: Schedule,
    reuse: PlanOptions.Reuse
  ) {
    self.draft = draft
    self.schedule = schedule
    self.dependencies = dependencies
    places = Array(repeating: nil, count: draft.values.count)
    externalAlias = Array(repeating: nil, count: draft.values.count)
    elided = Array(repeating: false, count: draft.steps.count)
    root = Array(draft.values.indices)
    if reuse == .full {
      shareViews()
      shareConcats()
      overwriteInputs()
    }
    for value in draft.values.indices where isComputed(value) && places[root[value]] == nil {
      place(root[value], in: newBuffer(draft.values[root[value]].operand.byteCount))
    }
  }

  // MARK: Views

  private mutating func shareViews() {
    for step in schedule.order {
      guard case .view(let input) = draft.steps[step].role,
        let source = draft.steps[step].inputs[input], let output = draft.steps[step].outputs[0]
      else { continue }
      let base = root[source]
      if !isComputed(base), isResult(output) { continue }
      if isResult(output), viewClass(base).contains(where: isResult) { continue }
      root[output] = base
      viewsOf[base, default: []].append(output)
      elided[step] = true
      if !isComputed(base) { externalAlias[output] = base }
    }
  }

  /// A value and all views of it.
  private func viewClass(_ base: Int) -> [Int] { [base] + viewsOf[base, default: []] }

  private func isComputed(_ value: Int) -> Bool {
    if case .computed = draft.values[value].kind { externalAlias[value] == nil } else { false }
  }

  private func isResult(_ value: Int) -> Bool { dependencies.isLasting[value] }

  // MARK: Concats

  private mutating func shareConcats() {
    // The outermost first: a dense block's last concat decides where all its layers write.
    for step in schedule.order.reversed() {
      guard case .concat(let axis) = draft.steps[step].role else { continue }
      shareConcat(step, axis)
    }
  }

  private mutating func shareConcat(_ step: Int, _ axis: Int) {
    guard let output = draft.steps[step].outputs[0] else { return }
    let parts = draft.steps[step].inputs.compactMap { $0 }
    let base = root[output]
    if places[base] == nil, adoptParts(parts, as: base, axis, step) { return }
    let operand = draft.values[output].operand
    guard parts.contains(where: { refusal($0, parts, operand, axis) == nil }) else {
      note(step, parts, operand, axis)
      return
    }
    if places[base] == nil { place(base, in: newBuffer(operand.byteCount)) }
    // The output itself may lie inside a larger concat by now: the parts follow its place.
    guard let home = places[base] else { return }
    let settled = Operand(operand.dataType, operand.shape, layout: home.layout)
    note(step, parts, settled, axis)
    var copies: [Int] = []
    let targets = partPlaces(home, settled, parts, axis)
    for (index, part) in parts.enumerated() {
      let target = targets[index]
      if let place = places[part], samePlace(place, target, part) { continue }
      if refusal(part, parts, settled, axis) == nil {
        place(root[part], at: target)
      } else {
        copies.append(index)
      }
    }
    partialCopies[step] = copies
    elided[step] = copies.isEmpty
  }

  /// Where the parts lie side by side already, as those of a dense block's earlier concats do, the output lies there too.
  private mutating func adoptParts(_ parts: [Int], as base: Int, _ axis: Int, _ step: Int) -> Bool {
    guard let output = draft.steps[step].outputs[0], base == output, !isResult(base),
      viewsOf[base] == nil, let first = parts.first, let home = places[root[first]],
      root[first] == first, let layout = draft.values[output].operand.layout(in: home.layout)
    else { return false }
    let operand = Operand(
      draft.values[output].operand.dataType, draft.values[output].operand.shape, layout: layout)
    let start = Place(buffer: home.buffer, byteOffset: home.byteOffset, layout: layout)
    guard parts.allSatisfy({ root[$0] == $0 && places[$0]?.buffer == home.buffer }) else {
      return false
    }
    let targets = partPlaces(start, operand, parts, axis)
    for (part, target) in zip(parts, targets) {
      guard let place = places[part], samePlace(place, target, part) else { return false }
    }
    guard readersAdmit(output, operand.layout) else { return false }
    place(base, at: start)
    partialCopies[step] = []
    elided[step] = true
    return true
  }

  private func samePlace(_ a: Place, _ b: Place, _ value: Int) -> Bool {
    let operand = draft.values[value].operand
    return a.buffer == b.buffer && a.byteOffset == b.byteOffset
      && Operand(operand.dataType, operand.shape, layout: a.layout).hasLayout(b.layout)
  }

  private func partPlaces(
    _ home: Place, _ whole: Operand, _ parts: [Int], _ axis: Int
  ) -> [Place] {
    whole.parts(parts.map { draft.values[$0].operand }, axis: axis).map { part in
      Place(
        buffer: home.buffer,
        byteOffset: home.byteOffset + part.offset * whole.dataType.byteWidth, layout: part.layout)
    }
  }

  /// Why a part cannot be computed in its place; nil where it can.
  private func refusal(_ part: Int, _ parts: [Int], _ whole: Operand, _ axis: Int) -> String? {
    let base = root[part]
    guard isComputed(base) else { return "is an input or a constant" }
    guard parts.filter({ root[$0] == base }).count == 1 else { return "occurs twice" }
    guard places[base] == nil else { return "lies elsewhere already" }
    guard !viewClass(base).contains(where: isResult) else { return "is an output" }
    guard draft.values[part].operand.dataType.bitWidth >= 8 else { return "is packed" }
    let inside: Layout = whole.strides.map { .strided($0) } ?? whole.layout
    guard let own = draft.values[part].operand.layout(in: inside) else {
      return "has another layout"
    }
    let isDense = Operand(whole.dataType, draft.values[part].operand.shape, layout: own).isDense
    if !isDense, viewClass(base).count > 1 { return "is read under another shape" }
    for member in viewClass(base) {
      let layout = isDense && whole.blocks == nil ? .contiguous : own
      guard producerAdmits(member, layout) else { return "its kernel writes without gaps" }
      guard readersAdmit(member, layout) else { return "a reader takes no gaps" }
    }
    return nil
  }

  private func producerAdmits(_ value: Int, _ layout: Layout) -> Bool {
    guard let step = dependencies.producer[value] else { return false }
    if elided[step] { return true }
    let operand = draft.values[value].operand
    return zip(draft.steps[step].outputs, draft.steps[step].candidate.outputs).allSatisfy {
      $0 != value || $1.admits(Operand(operand.dataType, operand.shape, layout: layout))
    }
  }

  private func readersAdmit(_ value: Int, _ layout: Layout) -> Bool {
    let operand = draft.values[value].operand
    return dependencies.readers[value].allSatisfy { step in
      zip(draft.steps[step].inputs, draft.steps[step].candidate.inputs).allSatisfy {
        $0 != value || $1.admits(Operand(operand.dataType, operand.shape, layout: layout))
      }
    }
  }

  private mutating func note(_ step: Int, _ parts: [Int], _ whole: Operand, _ axis: Int) {
    for (index, part) in parts.enumerated() {
      if let reason = refusal(part, parts, whole, axis) {
        notes[step, default: []].append("part \(index) is copied: it \(reason)")
      }
    }
  }

  // MARK: In place

  private mutating func overwriteInputs() {
    for step in schedule.order where !elided[step] && partialCopies[step] == nil {
      for pair in draft.steps[step].candidate.inPlace {
        if overwrite(step, pair) {
          inPlace.append((step, pair))
          break
        }
      }
    }
  }

  private mutating func overwrite(_ step: Int, _ pair: InPlacePair) -> Bool {
    guard let input = draft.steps[step].inputs[pair.input],
      let output = draft.steps[step].outputs[pair.output], root[output] == output,
      isComputed(root[input]), root[input] != output,
      draft.values[input].operand.byteCount == draft.values[output].operand.byteCount,
      draft.steps[step].inputs.filter({ $0 == input }).count == 1,
      !viewClass(root[input]).contains(where: isResult)
    else { return false }
    let home = places[root[input]]
    switch (home, places[output]) {
    case (nil, nil):
      guard diesHere(viewClass(root[input]), step) else { return refuse(step, input) }
      let buffer = newBuffer(draft.values[output].operand.byteCount)
      place(root[input], in: buffer)
      place(output, in: buffer)
    case (let home?, nil):
      // A place among others, a concat's part say, is overwritten only where all that lies there dies.
      living[home.buffer] = living[home.buffer].filter { !isDead($0, before: schedule.stage[step]) }
      guard diesHere(living[home.buffer], step), home.byteOffset == 0,
        Operand(.float32, draft.values[input].operand.shape, layout: home.layout).isDense,
        draft.values[output].operand.byteCount <= bufferBytes[home.buffer],
        !isResult(output) || draft.values[output].operand.byteCount == bufferBytes[home.buffer]
      else { return refuse(step, input) }
      guard !isBlocked(output) || draft.values[output].operand.layout == home.layout else {
        return false
      }
      place(output, in: home.buffer)
    default: return false
    }
    return true
  }

  private func isBlocked(_ value: Int) -> Bool { draft.values[value].operand.strides == nil }

  /// Whether this step is the last to touch all of some values.
  private func diesHere(_ values: [Int], _ step: Int) -> Bool {
    let stage = schedule.stage[step]
    return values.allSatisfy { value in
      !isResult(value)
        && dependencies.readers[value].allSatisfy { reader in
          reader == step || elided[reader] || schedule.stage[reader] < stage
        } && dependencies.producer[value].map { schedule.stage[$0] < stage || elided[$0] } ?? true
    }
  }

  /// Whether all that touches a value comes before a stage, and so before all that follow.
  private func isDead(_ value: Int, before stage: Int) -> Bool {
    guard !isResult(value) else { return false }
    let touching = dependencies.readers[value] + [dependencies.producer[value]].compactMap { $0 }
    return touching.allSatisfy { elided[$0] || schedule.stage[$0] < stage }
  }

  private mutating func refuse(_ step: Int, _ input: Int) -> Bool {
    let stage = schedule.stage[step]
    let later = dependencies.readers[input].first { $0 != step && schedule.stage[$0] >= stage }
    notes[step, default: []].append(
      "not in place: \(later.map { "read again by step \($0)" } ?? "it shares its buffer with values that live on")"
    )
    return false
  }

  // MARK: Buffers

  private mutating func newBuffer(_ bytes: Int) -> Int {
    bufferBytes.append(bytes)
    members.append([])
    living.append([])
    return bufferBytes.count - 1
  }

  private mutating func place(_ base: Int, in buffer: Int) {
    place(
      base,
      at: Place(buffer: buffer, byteOffset: 0, layout: draft.values[base].operand.layout))
  }

  private mutating func place(_ base: Int, at place: Place) {
    let values = viewClass(base)
    var own = place
    // Views differ in shape, and so in strides: only a place without gaps has them.
    if values.count > 1 { own.layout = .contiguous }
    for value in values {
      places[value] = own
      members[place.buffer].append(value)
      living[place.buffer].append(value)
    }
  }

  /// The values in each buffer.
  var membersOfBuffers: [[Int]] { members }
}
