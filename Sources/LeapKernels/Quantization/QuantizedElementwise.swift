// QuantizedElementwise: element-wise operators on quantised bytes: ONNX Runtime's QLinearAdd, QLinearMul, QLinearSigmoid,
// QLinearConcat, QLinearGlobalAveragePool.

import CLeapKernels
import LeapTensors

/// Where, among the inputs, scale and zero point of a quantised tensor are; the zero point may be left out.
package struct QuantizationPlaces: Sendable {
  package var scale: Int
  package var zero: Int

  package init(scale: Int, zero: Int) {
    self.scale = scale
    self.zero = zero
  }

  func value(_ invocation: Invocation, isSigned: Bool) -> leap_quantization {
    leap_quantization(
      scale: invocation.input(scale).float(.float32),
      zero: invocation.optionalInput(zero)?.float(isSigned ? .int8 : .uint8) ?? 0)
  }
}

package enum QuantizedElementwise {
  /// y = a + b, or a · b, with broadcasting. Inputs `a` and `b` by index, all of output 0's type.
  package static func binary(
    multiplies: Bool, _ request: KernelRequest, a: (input: Int, places: QuantizationPlaces),
    b: (input: Int, places: QuantizationPlaces), y: QuantizationPlaces
  ) throws -> Kernel {
    let output = try request.requiredOutput(0)
    let isSigned = output.dataType == .int8
    let set = request.instructionSet.cValue
    let loop = StridedLoop(
      output.shape,
      [output, try request.requiredInput(a.input), try request.requiredInput(b.input)])
    return Kernel(blocks: loop.blockCount) { invocation, block in
      let left = invocation.input(a.input).assumingMemoryBound(to: UInt8.self)
      let right = invocation.input(b.input).assumingMemoryBound(to: UInt8.self)
      let result = invocation.output(0).assumingMemoryBound(to: UInt8.self)
      let qa = a.places.value(invocation, isSigned: isSigned)
      let qb = b.places.value(invocation, isSigned: isSigned)
      let qy = y.value(invocation, isSigned: isSigned)
      loop.forEachRun(of: block) { offsets, count in
        leap_quantized_binary_run(
          set, multiplies ? 1 : 0, isSigned ? 1 : 0, left + offsets[1], loop.runStrides[1], qa,
          right + offsets[2], loop.runStrides[2], qb, result + offsets[0], qy, count)
      }
    }
  }

  /// A part of an output that one input is looked up for: its elements lie in rows of `run`, `stride` apart in the output.
  package struct Part: Sendable {
    package var input: Int
    package var places: QuantizationPlaces
    package var rows: Int
    package var run: Int
    package var offset: Int
    package var stride: Int

    package init(
      input: Int, places: QuantizationPlaces, rows: Int, run: Int, offset: Int, stride: Int
    ) {
      self.input = input
      self.places = places
      self.rows = rows
      self.run = run
      self.offset = offset
      self.stride = stride
    }
  }

  /// y = quantised function(dequantised x): one table of 256 results for each part of the output.
  package static func lookUp(
    _ parts: [Part], y: QuantizationPlaces, isSigned: Bool,
    _ function: @escaping @Sendable (Float) -> Float
  ) -> Kernel {
    let tables = Phase(blockCount: parts.count) { invocation, index in
      let from = parts[index].places.value(invocation, isSigned: isSigned)
      let to = y.value(invocation, isSigned: isSigned)
      let table = (invocation.sharedScratch + 256 * index).assumingMemoryBound(to: UInt8.self)
      for pattern in 0..<256 {
        let bits = UInt8(pattern)
        let number = isSigned ? Float(Int8(bitPattern: bits)) : Float(bits)
        var exact = function((number - from.zero) * from.scale)
        var (scale, zero, result) = (to.scale, to.zero, Float(0))
        leap_quantize_run(
          &exact, &scale, 0, &zero, 0, isSigned ? -128 : 0, isSigned ? 127 : 255, &result, 1)
        table[pattern] = UInt8(truncatingIfNeeded: Int(result))
      }
    }
    let look = parts.enumerated().map { index, part in
      // Rows are cut into pieces, and a block takes so many.
      let piece = max(1, min(part.run, 65_536))
      let pieces = part.run == 0 ? 0 : (part.run - 1) / piece + 1
      let units = part.rows * pieces
      let unitsPerBlock = max(1, 65_536 / piece)
      return Phase(blockCount: units == 0 ? 0 : (units - 1) / unitsPerBlock + 1) {
        invocation, block in
        let table = (invocation.sharedScratch + 256 * index).assumingMemoryBound(to: UInt8.self)
        let x = invocation.input(part.input).assumingMemoryBound(to: UInt8.self)
        let y = invocation.output(0).assumingMemoryBound(to: UInt8.self) + part.offset
        for unit in block * unitsPerBlock..<min((block + 1) * unitsPerBlock, units) {
          let (row, first) = (unit / pieces, unit % pieces * piece)
          leap_lookup_run(
            table, x + row * part.run + first, y + row * part.stride + first,
            min(piece, part.run - first))
        }
      }
    }
    return Kernel(phases: [tables] + look, sharedScratch: 256 * parts.count)
  }

  /// The average of each channel's pixels. Input 0 is [N, C, pixels], or [N, pixels, C] where channels are last.
  package static func globalAverage(
    _ request: KernelRequest, images: Int, channels: Int, pixels: Int, channelsLast: Bool,
    x: QuantizationPlaces, y: QuantizationPlaces
  ) throws -> Kernel {
    let isSigned = try request.requiredOutput(0).dataType == .int8
    return Kernel(blocks: channels == 0 ? 0 : images) { invocation, image in
      let (qx, qy) = (
        x.value(invocation, isSigned: isSigned), y.value(invocation, isSigned: isSigned)
      )
      let source = (invocation.input(0) + image * channels * pixels)
        .assumingMemoryBound(to: UInt8.self)
      let result = (invocation.output(0) + image * channels).assumingMemoryBound(to: UInt8.self)
      let scale = qx.scale / (qy.scale * Float(pixels))
      let bias = Int32(truncatingIfNeeded: -Int(qx.zero) * pixels)
      for channel in 0..<channels {
        var sum = leap_sum_bytes(
          isSigned ? 1 : 0, source + channel * (channelsLast ? 1 : pixels), pixels,
          channelsLast ? channels : 1)
        leap_requantize_run(
          &sum, bias, scale, qy.zero, isSigned ? -128 : 0, isSigned ? 127 : 255,
          result + channel, 1)
      }
    }
  }
}
