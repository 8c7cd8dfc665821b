// Placement: which values of a draft share a buffer, and how each lies in it.
//
// 1. A view lies where its input lies.
// 2. The parts of a concat are computed in their places in the concat's buffer, where their kernels and readers take
//    such strides; a dense block so gets one growing buffer.
// 3. An output overwrites an input that nobody reads any more.
// Every decision is kept, those against sharing with their reason, for the tools.

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
  /// What was decided, in the order of the decisions.
  private(set) var decisions: [SharingDecision] = []

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
      let refusal = viewRefusal(output, base)
      decide(.view, step, input, refusal)
      guard refusal == nil else { continue }
      root[output] = base
      viewsOf[base, default: []].append(output)
      elided[step] = true
      if !isComputed(base) { externalAlias[output] = base }
    }
  }

  private func viewRefusal(_ output: Int, _ base: Int) -> SharingRefusal? {
    guard isResult(output) else { return nil }
    if !isComputed(base) { return .givenOrConstant }
    return viewClass(base).contains(where: isResult) ? .isResult : nil
  }

  private mutating func decide(
    _ kind: SharingDecision.Kind, _ step: Int, _ input: Int, _ refusal: SharingRefusal?
  ) {
    decisions.append(SharingDecision(kind: kind, step: step, input: input, refusal: refusal))
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
    if places[base] == nil, adoptParts(parts, as: base, axis, step) {
      for index in parts.indices { decide(.part, step, index, nil) }
      return
    }
    let operand = draft.values[output].operand
    let refusals = parts.map { refusal($0, parts, operand) }
    guard refusals.contains(nil) else {
      for (index, refusal) in refusals.enumerated() { decide(.part, step, index, refusal) }
      return
    }
    if places[base] == nil { place(base, in: newBuffer(operand.byteCount)) }
    // The output itself may lie inside a larger concat by now: the parts follow its place.
    guard let home = places[base] else { return }
    let settled = Operand(operand.dataType, operand.shape, layout: home.layout)
    var copies: [Int] = []
    let targets = partPlaces(home, settled, parts, axis)
    for (index, part) in parts.enumerated() {
      let target = targets[index]
      let isThere = places[part].map { samePlace($0, target, part) } ?? false
      let refusal = isThere ? nil : refusal(part, parts, settled)
      decide(.part, step, index, refusal)
      if refusal != nil { copies.append(index) } else if !isThere { place(root[part], at: target) }
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
    guard readerRefusing(output, operand.layout) == nil else { return false }
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
  private func refusal(_ part: Int, _ parts: [Int], _ whole: Operand) -> SharingRefusal? {
    let base = root[part]
    guard isComputed(base) else { return .givenOrConstant }
    guard parts.filter({ root[$0] == base }).count == 1 else { return .occursTwice }
    guard places[base] == nil else { return .liesElsewhere }
    guard !viewClass(base).contains(where: isResult) else { return .isResult }
    guard draft.values[part].operand.dataType.bitWidth >= 8 else { return .isPacked }
    let inside: Layout = whole.strides.map { .strided($0) } ?? whole.layout
    guard let own = draft.values[part].operand.layout(in: inside) else { return .layout }
    let isDense = Operand(whole.dataType, draft.values[part].operand.shape, layout: own).isDense
    if !isDense, viewClass(base).count > 1 { return .otherShape }
    for member in viewClass(base) {
      let layout = isDense && whole.blocks == nil ? .contiguous : own
      guard producerAdmits(member, layout) else { return .producer }
      if let reader = readerRefusing(member, layout) { return .reader(step: reader) }
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

  /// The first step that cannot read a value in a layout.
  private func readerRefusing(_ value: Int, _ layout: Layout) -> Int? {
    let operand = draft.values[value].operand
    return dependencies.readers[value].first { step in
      zip(draft.steps[step].inputs, draft.steps[step].candidate.inputs).contains {
        $0 == value && !$1.admits(Operand(operand.dataType, operand.shape, layout: layout))
      }
    }
  }

  // MARK: In place

  private mutating func overwriteInputs() {
    for step in schedule.order where !elided[step] && partialCopies[step] == nil {
      for pair in draft.steps[step].candidate.inPlace {
        guard let input = draft.steps[step].inputs[pair.input],
          let output = draft.steps[step].outputs[pair.output], root[output] == output,
          root[input] != output
        else { continue }
        let refusal = overwrite(input, with: output, step)
        decide(.overwrite, step, pair.input, refusal)
        if refusal == nil { break }
      }
    }
  }

  /// Lets an output lie where an input lies; says why where it cannot.
  private mutating func overwrite(
    _ input: Int, with output: Int, _ step: Int
  ) -> SharingRefusal? {
    let bytes = draft.values[output].operand.byteCount
    guard isComputed(root[input]) else { return .givenOrConstant }
    guard draft.values[input].operand.byteCount == bytes else { return .size }
    guard draft.steps[step].inputs.filter({ $0 == input }).count == 1 else { return .occursTwice }
    guard !viewClass(root[input]).contains(where: isResult) else { return .isResult }
    guard places[output] == nil else { return .liesElsewhere }
    guard let home = places[root[input]] else {
      guard diesHere(viewClass(root[input]), step) else { return lifeRefusal(input, step) }
      let buffer = newBuffer(bytes)
      place(root[input], in: buffer)
      place(output, in: buffer)
      return nil
    }
    // A place among others, a concat's part say, is overwritten only where all that lies there dies.
    living[home.buffer] = living[home.buffer].filter { !isDead($0, before: schedule.stage[step]) }
    guard diesHere(living[home.buffer], step) else { return lifeRefusal(input, step) }
    guard home.byteOffset == 0,
      Operand(.float32, draft.values[input].operand.shape, layout: home.layout).isDense,
      bytes <= bufferBytes[home.buffer], !isResult(output) || bytes == bufferBytes[home.buffer]
    else { return .sharesBuffer }
    guard !isBlocked(output) || draft.values[output].operand.layout == home.layout else {
      return .layout
    }
    place(output, in: home.buffer)
    return nil
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

  /// Why an input does not die in a step.
  private func lifeRefusal(_ input: Int, _ step: Int) -> SharingRefusal {
    let stage = schedule.stage[step]
    let later = viewClass(root[input]).lazy.flatMap { dependencies.readers[$0] }
      .first { $0 != step && !elided[$0] && schedule.stage[$0] >= stage }
    return later.map { .readAgain(step: $0) } ?? .sharesBuffer
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
