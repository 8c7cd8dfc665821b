// ModelReaderTests: what becomes of a model's parts: values, captures, functions, defaults, versions, payloads in files.

import Foundation
import LeapFormat
import LeapGraph
import LeapTensors
import LeapTestSupport
import Testing

@Suite struct ModelReaderTests {
  private func read(_ bytes: [UInt8]) throws -> Model {
    try bytes.withUnsafeBytes { try ModelReader.read(bytes: $0) }
  }

  private func initializer(_ name: String, _ value: Float) -> (inout WireWriter) -> Void {
    {
      $0.int(1, 1)
      $0.int(2, 1)
      $0.string(8, name)
      $0.data(9, withUnsafeBytes(of: value) { Array($0) })
    }
  }

  @Test func graphNodesValuesAndMetadata() throws {
    let model = try read(
      WireWriter.model(extra: {
        $0.string(2, "maker")
        $0.message(14) {
          $0.string(1, "key")
          $0.string(2, "value")
        }
      }) {
        $0.string(2, "main")
        $0.node("Clip", ["x", "", "w"], ["h"], domain: "ai.onnx")
        $0.node("Dropout", ["h", ""], ["y", ""], name: "drop")
        $0.message(5, initializer("w", 2))
        $0.value(11, "x", shape: [-1])
        $0.value(12, "y")
        $0.value(13, "h", shape: [7])
      })
    try model.graph.checkInvariants()
    #expect(model.producerName == "maker")
    #expect(model.metadata.map(\.key) == ["key"])
    #expect(model.opsets == ["": 17])
    #expect(model.warnings.isEmpty)
    let graph = model.graph
    #expect(graph.nodes.map(\.name) == ["#0", "drop"])
    #expect(graph.nodes[0].domain == "" && graph.nodes[0].opset == 17)
    #expect(graph.nodes[0].inputs.map { $0.map { graph[$0].name } } == ["x", nil, "w"])
    #expect(graph.nodes[1].inputs.count == 1, "operands left out at the end are dropped")
    #expect(graph.nodes[1].outputs.count == 2 && graph.nodes[1].outputs[1] == nil)
    #expect(graph.inputs.map { graph[$0].name } == ["x"])
    #expect(graph[graph.inputs[0]].type == .tensor(.float32, shape: [.unknown]))
    #expect(graph.nodes[0].outputs[0].flatMap { graph[$0].type } == .tensor(.float32, shape: [7]))
    let weight = try #require(graph.constants.values.first)
    #expect(try weight.tensor().elements(as: Float.self) == [2])
  }

  @Test(arguments: zip([Int64(3), 4], [["x"], ["x", "w"]]))
  func defaultsOfInputs(_ irVersion: Int64, _ inputs: [String]) throws {
    let model = try read(
      WireWriter.model(irVersion: irVersion) {
        $0.node("Add", ["x", "w"], ["y"])
        $0.message(5, initializer("w", 2))
        $0.value(11, "x")
        $0.value(11, "w")
        $0.value(12, "y")
      })
    #expect(model.graph.inputs.map { model.graph[$0].name } == inputs)
    #expect(model.graph.constants.count == 1)
  }

  @Test func capturesThroughTwoLevels() throws {
    func branch(_ body: @escaping (inout WireWriter) -> Void) -> (inout WireWriter) -> Void {
      {
        $0.string(1, "then_branch")
        $0.message(6, body)
        $0.int(20, 5)
      }
    }
    let model = try read(
      WireWriter.model {
        $0.node("Neg", ["x"], ["n"])
        $0.node(
          "If", ["c"], ["y"],
          attributes: [
            branch {
              $0.node(
                "If", ["c"], ["m"],
                attributes: [
                  branch {
                    $0.node("Relu", ["n"], ["r"])
                    $0.value(12, "r")
                  }
                ])
              $0.value(12, "m")
            }
          ])
        $0.value(11, "c", type: 9, shape: [])
        $0.value(11, "x")
        $0.value(12, "y")
      })
    try model.graph.checkInvariants()
    let outer = model.graph
    let middle = try #require(outer.nodes[1].subgraphs.first?.graph)
    let inner = try #require(middle.nodes[0].subgraphs.first?.graph)
    #expect(Set(middle.captures.map { outer[$0.outer].name }) == ["c", "n"])
    #expect(inner.captures.map { middle[$0.outer].name } == ["n"])
    #expect(inner.captures.map { inner[$0.inner].name } == ["n"])
  }

  @Test func nodesInWrongOrderAreSorted() throws {
    let model = try read(
      WireWriter.model {
        $0.node("Relu", ["h"], ["y"], name: "second")
        $0.node("Neg", ["x"], ["h"], name: "first")
        $0.value(11, "x")
        $0.value(12, "y")
      })
    #expect(model.graph.nodes.map(\.name) == ["first", "second"])
    #expect(model.warnings.count == 1 && model.warnings[0].contains("sorted"))
  }

  @Test func localFunctionsKeepTheirVersionsAndReferences() throws {
    let model = try read(
      WireWriter.model(extra: {
        $0.message(25) {
          $0.string(1, "F")
          $0.string(4, "a")
          $0.string(5, "b")
          $0.string(6, "alpha")
          $0.message(7) {
            $0.string(1, "a")
            $0.string(2, "b")
            $0.string(4, "LeakyRelu")
            $0.message(5) {
              $0.string(1, "alpha")
              $0.string(21, "alpha")
              $0.int(20, 1)
            }
          }
          $0.message(9) { $0.int(2, 16) }
          $0.string(10, "local")
        }
      }) {
        $0.node("F", ["x"], ["y"], domain: "local")
        $0.value(11, "x")
        $0.value(12, "y")
      })
    let function = try #require(model.functions.first)
    #expect(function.domain == "local" && function.inputs == ["a"] && function.outputs == ["b"])
    #expect(function.attributes == ["alpha"] && function.opsets == ["": 16])
    guard case .reference("alpha") = function.body.nodes[0].attributes["alpha"] else {
      Issue.record("the attribute is no reference")
      return
    }
  }

  @Test func newerVersionsAreWarnedOf() throws {
    let model = try read(
      WireWriter.model(
        irVersion: 99, opset: 99,
        extra: {
          $0.message(25) {
            $0.string(1, "F")
            $0.message(9) { $0.int(2, 98) }
            $0.string(10, "local")
          }
        }
      ) {
        $0.node("Relu", ["x"], ["y"])
        $0.value(11, "x")
        $0.value(12, "y")
      })
    let versions = ["IR version 99", "opset 99", "function 'F' imports opset 98"]
    #expect(model.warnings.count == versions.count)
    for (warning, version) in zip(model.warnings, versions) { #expect(warning.contains(version)) }
  }

  private func calling(_ domain: String, extra: (inout WireWriter) -> Void = { _ in }) -> [UInt8] {
    WireWriter.model(extra: extra) {
      $0.node("Anything", ["x"], ["h"], domain: domain)
      $0.node("Anything", ["h"], ["y"], domain: domain)
      $0.value(11, "x")
      $0.value(12, "y")
    }
  }

  @Test(arguments: [
    "com.microsoft", "com.microsoft.nchwc", "ai.onnx.ml", "ai.onnx.preview.training",
  ])
  func knownDomainsNeedNoImport(domain: String) throws {
    let model = try read(calling(domain))
    let newest = try #require(ModelReader.newestOpsets[domain])
    #expect(model.graph.nodes.map(\.opset) == [newest, newest])
    #expect(
      model.warnings == ["the model imports no version of domain '\(domain)'; \(newest) is taken"])
  }

  @Test func onnxItselfIsImportedWhereAnotherDomainIs() throws {
    let bytes = WireWriter {
      $0.int(1, 10)
      $0.message(7) {
        $0.node("Relu", ["x"], ["y"])
        $0.value(11, "x")
        $0.value(12, "y")
      }
      $0.message(8) {
        $0.string(1, "com.microsoft")
        $0.int(2, 1)
      }
    }.bytes
    #expect(try read(bytes).graph.nodes.map(\.opset) == [ModelReader.newestOpset])
  }

  /// As in ONNX Runtime.
  @Test func otherDomainsAndThoseOfFunctionsNeedOne() {
    #expect(throws: ModelError.self) { try read(calling("org.example")) }
    let function = calling("") {
      $0.message(25) {
        $0.string(1, "F")
        $0.string(4, "a")
        $0.string(5, "b")
        $0.node("FastGelu", ["a"], ["b"], domain: "com.microsoft", field: 7)
        $0.message(9) { $0.int(2, 16) }
        $0.string(10, "local")
      }
    }
    #expect(throws: ModelError.self) { try read(function) }
  }

  @Test func unknownFieldsAreDropped() throws {
    let model = try read(
      WireWriter.model(extra: {
        $0.int(900, 5)
        $0.string(901, "later")
      }) {
        $0.node("Relu", ["x"], ["y"])
        $0.value(11, "x")
        $0.value(12, "y")
      })
    #expect(model.graph.nodes.count == 1)
  }

  /// A model of 64 MB costs next to nothing to load from its file, and the payload is what was written.
  @Test func largePayloadsStayInTheFile() throws {
    let count = 16 << 20
    let payload = [UInt8](repeating: 0x3f, count: count * 4)
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("leapstone-large-\(UUID().uuidString).onnx").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(
      WireWriter.model {
        $0.node("Add", ["x", "w"], ["y"])
        $0.message(5) {
          $0.int(1, Int64(count))
          $0.int(2, 1)
          $0.string(8, "w")
          $0.data(9, payload)
        }
        $0.value(11, "x")
        $0.value(12, "y")
      }
    ).write(to: URL(fileURLWithPath: path))
    let constant = try #require(try ModelReader.read(path: path).graph.constants.values.first)
    guard case .file(_, let offset) = constant.source else {
      Issue.record("the payload was read")
      return
    }
    #expect(offset > 0 && constant.shape == [count])
    let tensor = try constant.tensor()
    #expect(tensor.withUnsafeBytes { $0.allSatisfy { $0 == 0x3f } })
  }
}
