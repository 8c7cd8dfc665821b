// LinearAttentionKernel: attention by a recurrent state: each step adds the product of a key and a value to it.

import LeapTensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

package struct LinearAttentionKernel: Sendable {
  package var queryHeads: Int
  package var keyHeads: Int
  /// nil for 1 / √(size of a key).
  package var scale: Float?
  /// Whether the state decays (input 4), and whether what it already holds for a key is taken off (input 5).
  package var decays: Bool
  package var corrects: Bool

  package init(queryHeads: Int, keyHeads: Int, scale: Float?, decays: Bool, corrects: Bool) {
    self.queryHeads = queryHeads
    self.keyHeads = keyHeads
    self.scale = scale
    self.decays = decays
    self.corrects = corrects
  }

  /// The kernel, float32: inputs [batch, steps, heads · size] Q, K, V, the state [batch, heads, key, value], decay and beta; outputs
  /// Y and the state.
  ///
  /// - Throws: `OperatorError` for sizes that no memory has.
  package func kernel(_ request: KernelRequest) throws -> Kernel {
    let (q, v) = (try request.requiredInput(0).shape, try request.requiredInput(2).shape)
    let (batch, steps) = (q[0], q[1])
    let (keySize, valueSize) = (q[2] / queryHeads, v[2] / keyHeads)
    let decayRow = request.inputs.count > 4 ? request.inputs[4]?.shape[2] ?? 0 : 0
    let betaRow = request.inputs.count > 5 ? request.inputs[5]?.shape[2] ?? 0 : 0
    let outputs = request.outputs.map { $0 != nil }
    let scale = scale ?? 1 / Float(keySize).squareRoot()
    let state = Shape.product([keySize, valueSize])
    guard state < 1 << 40 else {
      throw OperatorError("a state of \(keySize) x \(valueSize) is too large")
    }
    let group = queryHeads / keyHeads
    // No closure that may throw ends in a copy.
    let compute: @Sendable (Invocation, Int) -> Void = { invocation, block in
      let (image, head) = block.quotientAndRemainder(dividingBy: keyHeads)
      let memory = invocation.scratch.assumingMemoryBound(to: Float.self)
      let (fresh, read) = (memory + state, memory + state + valueSize)
      if let past = invocation.optionalInput(3) {
        UnsafeMutableRawPointer(memory).copyMemory(
          from: past + block * state * 4, byteCount: state * 4)
      } else {
        memory.initialize(repeating: 0, count: state)
      }
      func row(_ input: Int, _ step: Int, _ width: Int) -> UnsafePointer<Float> {
        invocation.input(input).assumingMemoryBound(to: Float.self) + (image * steps + step) * width
      }
      for step in 0..<steps {
        let k = row(1, step, keyHeads * keySize) + head * keySize
        let v = row(2, step, keyHeads * valueSize) + head * valueSize
        if decays {
          let decay = row(4, step, decayRow)
          for d in 0..<keySize {
            let factor = expf(decay[decayRow == keyHeads ? head : head * keySize + d])
            for m in 0..<valueSize { memory[d * valueSize + m] *= factor }
          }
        }
        for m in 0..<valueSize { fresh[m] = v[m] }
        if corrects {
          let beta = row(5, step, betaRow)[betaRow == 1 ? 0 : head]
          for d in 0..<keySize {
            for m in 0..<valueSize { fresh[m] -= memory[d * valueSize + m] * k[d] }
          }
          for m in 0..<valueSize { fresh[m] *= beta }
        }
        for d in 0..<keySize {
          for m in 0..<valueSize { memory[d * valueSize + m] += k[d] * fresh[m] }
        }
        guard outputs.first == true else { continue }
        for member in 0..<group {
          let own = head * group + member
          let q = row(0, step, queryHeads * keySize) + own * keySize
          read.initialize(repeating: 0, count: valueSize)
          for d in 0..<keySize {
            for m in 0..<valueSize { read[m] += q[d] * memory[d * valueSize + m] }
          }
          let y =
            invocation.output(0).assumingMemoryBound(to: Float.self)
            + ((image * steps + step) * queryHeads + own) * valueSize
          for m in 0..<valueSize { y[m] = scale * read[m] }
        }
      }
      if outputs.count > 1, outputs[1] {
        (invocation.output(1) + block * state * 4).copyMemory(from: memory, byteCount: state * 4)
      }
    }
    return Kernel(
      blocks: batch * keyHeads, scratchPerWorker: (state + 2 * valueSize) * 4
    ) { invocation, block in compute(invocation, block) }
  }
}

/// CausalConvWithState: a convolution of each channel with its own filter over the past, which is kept.
package enum CausalConvolution {
  /// The kernel, float32: inputs [batch, channels, length], filters [channels, 1, k], and perhaps biases [channels] and what came
  /// before [batch, channels, k - 1]; outputs of the input's and of that shape.
  package static func kernel(_ request: KernelRequest, takesSiLU: Bool) throws -> Kernel {
    let x = try request.requiredInput(0).shape
    let taps = try request.requiredInput(1).shape[2]
    let (channels, length) = (x[1], x[2])
    let outputs = request.outputs.map { $0 != nil }
    return Kernel(blocks: x[0] * channels) { invocation, block in
      let channel = block % channels
      let x = invocation.input(0).assumingMemoryBound(to: Float.self) + block * length
      let w = invocation.input(1).assumingMemoryBound(to: Float.self) + channel * taps
      let bias = invocation.optionalInput(2)?.assumingMemoryBound(to: Float.self)[channel] ?? 0
      let past = invocation.optionalInput(3).map {
        $0.assumingMemoryBound(to: Float.self) + block * (taps - 1)
      }
      /// The number `index` places from the start; before it lies the past.
      func value(_ index: Int) -> Float {
        index >= 0 ? x[index] : past?[taps - 1 + index] ?? 0
      }
      if outputs.first == true {
        let y = invocation.output(0).assumingMemoryBound(to: Float.self) + block * length
        for place in 0..<length {
          var sum = bias
          for tap in 0..<taps { sum += w[tap] * value(place - taps + 1 + tap) }
          y[place] = takesSiLU ? sum / (1 + expf(-sum)) : sum
        }
      }
      if outputs.count > 1, outputs[1] {
        let kept = invocation.output(1).assumingMemoryBound(to: Float.self) + block * (taps - 1)
        for place in 0..<max(taps - 1, 0) { kept[place] = value(length - taps + 1 + place) }
      }
    }
  }
}

/// RotaryEmbedding: pairs of numbers turned by an angle of their position.
package struct RotaryKernel: Sendable {
  package var heads: Int
  package var headSize: Int
  /// How many numbers of a head are turned.
  package var turned: Int
  package var interleaved: Bool

  package init(heads: Int, headSize: Int, turned: Int, interleaved: Bool) {
    self.heads = heads
    self.headSize = headSize
    self.turned = turned
    self.interleaved = interleaved
  }

  /// The kernel, float32: inputs X, [batch, steps, heads · size] or [batch, heads, steps, size], cosines and sines, and perhaps the
  /// positions [batch, steps] of rows of those.
  ///
  /// - Throws: `OperatorError`. When it runs, a position out of range is one too.
  package func kernel(_ request: KernelRequest) throws -> Kernel {
    let (x, table) = (try request.requiredInput(0).shape, try request.requiredInput(1).shape)
    let isFlat = x.rank == 3
    let (batch, steps) = (x[0], x[isFlat ? 1 : 2])
    let half = turned / 2
    let positions = table.rank == 2 ? table[0] : 0
    return Kernel(blocks: batch * steps) { invocation, block in
      let (image, step) = block.quotientAndRemainder(dividingBy: steps)
      var place = block
      if let ids = invocation.optionalInput(3) {
        place = Int(ids.load(fromByteOffset: 8 * block, as: Int64.self))
        guard place >= 0, place < positions else {
          throw OperatorError("position \(place) is out of range; expected 0 to \(positions - 1)")
        }
      }
      let cosines = invocation.input(1).assumingMemoryBound(to: Float.self) + place * half
      let sines = invocation.input(2).assumingMemoryBound(to: Float.self) + place * half
      for head in 0..<heads {
        let row = isFlat ? block * heads + head : (image * heads + head) * steps + step
        let from = invocation.input(0).assumingMemoryBound(to: Float.self) + row * headSize
        let to = invocation.output(0).assumingMemoryBound(to: Float.self) + row * headSize
        for pair in 0..<half {
          let (i, j) = interleaved ? (2 * pair, 2 * pair + 1) : (pair, pair + half)
          let (a, b) = (from[i], from[j])
          to[i] = cosines[pair] * a - sines[pair] * b
          to[j] = sines[pair] * a + cosines[pair] * b
        }
        for rest in turned..<max(turned, headSize) { to[rest] = from[rest] }
      }
    }
  }
}
