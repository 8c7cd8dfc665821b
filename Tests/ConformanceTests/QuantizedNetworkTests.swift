// ResNet-50 as ONNX Runtime's quantiser writes it, against ONNX Runtime: `make models` writes it, `make data` the references.

import LeapFormat
import LeapGraph
import LeapRuntime
import LeapTestSupport
import Leapstone
import Testing

@Suite(.serialized) struct QuantizedNetworkTests {
  private func path() -> String? {
    FullSizeNetworks.folder().map { "\($0)/\(FullSizeNetworks.quantized)" }
  }

  /// On 50 pictures, whatever the number of workers, one at a time and all at once: the same bits, and the first class that
  /// ONNX Runtime finds in the graph as it is.
  @Test func findsTheClassesThatONNXRuntimeFinds() throws {
    guard let path = path() else { return }
    let set = try ReferenceSet("\(path).top1.npz")
    let expected = try #require(set.outputs["output"])
    let count = expected.shape[0]
    #expect(count == 50)
    var whole: Tensor?
    for threads in [1, 2, 3] {
      var options = SessionOptions()
      options.threads = threads
      let session = try InferenceSession(path: "\(path).onnx", options: options)
      let results = try #require(try session.run(set.inputs)["output"])
      #expect(try classes(results) == classes(expected))
      #expect(whole.map { Comparison.identical($0, results) } ?? true)
      whole = results
      for picture in [0, count - 1] {
        let alone = try session.run(set.inputs.mapValues { try TestData.slice($0, picture) })
        #expect(Comparison.identical(alone["output"], try TestData.slice(results, picture)))
      }
    }
  }

  private func classes(_ scores: Tensor) throws -> [Int] {
    let all = try #require(scores.elements(as: Float.self))
    let count = scores.shape[1]
    return (0..<scores.shape[0]).map { row in
      let own = all[row * count..<(row + 1) * count]
      return own.indices.max { own[$0] < own[$1] || own[$0] == own[$1] && $0 > $1 }! - row * count
    }
  }

  /// Nothing is left that computes on floats, and no weights are kept as floats.
  @Test func runsOnBytes() throws {
    guard let path = path() else { return }
    let session = try SessionCore(
      model: try ModelReader.read(path: "\(path).onnx"), configuration: SessionConfiguration())
    let graph = session.program.graph
    let operators = Set(graph.nodes.map(\.operatorType))
    #expect(
      operators == [
        "QuantizeLinear", "QLinearConv", "MaxPool", "QLinearAdd", "QLinearGlobalAveragePool",
        "Flatten", "Reshape", "DequantizeLinear",
      ])
    let floats = graph.constants.values.filter { $0.dataType == .float32 }.map(\.byteCount)
    #expect(floats.allSatisfy { $0 <= 8192 })
  }
}
