// SHAPES: free extents are filled in, or told with the options to add.

import LeapTools
import Leapstone
import Testing

@Suite struct ShapeOptionsTests {
  private func input(_ name: String, _ extents: [Dimension]?) -> ValueInfo {
    ValueInfo(name: name, type: .tensor(.float32, shape: extents))
  }

  @Test func aFreeFirstDimensionIsOneAndThatIsTold() throws {
    let inputs = [input("x", [.symbol("n"), 3, 8, 8]), input("y", [.symbol("n"), 4])]
    let (shapes, notes) = try ShapeOptions.choose(inputs, given: [])
    #expect(shapes == ["x": [1, 3, 8, 8], "y": [1, 4]])
    #expect(notes == ["input 'x': the free first dimension is taken as 1"])
  }

  @Test func namedDimensionsFollowTheTensorsThatAreGiven() throws {
    let given: [(type: ValueType, shape: Shape)] = [
      (.tensor(.float32, shape: [.symbol("n"), .symbol("t")]), [5, 7])
    ]
    let inputs = [input("y", [.symbol("n"), .symbol("t"), 2])]
    let (shapes, notes) = try ShapeOptions.choose(inputs, given: given)
    #expect(shapes == ["y": [5, 7, 2]])
    #expect(notes.isEmpty)
  }

  @Test func otherFreeDimensionsAreToldWithTheOptionsToAdd() {
    let inputs = [
      input("x", [.symbol("n"), 3, .symbol("h"), .symbol("w")]), input("y", [1, .symbol("h")]),
      input("z", [2, .unknown]), input("a", nil),
    ]
    let error = #expect(throws: ToolError.self) { try ShapeOptions.choose(inputs, given: []) }
    #expect(error?.exitCode == 64)
    #expect(
      error?.description.hasSuffix(
        "open: add --dim h=N --dim w=N --shape z=2xN --shape a=... with numbers") == true,
      "\(error?.description ?? "none")")
  }

  private func options(_ arguments: [String]) throws -> ShapeOptions {
    let grammar = CommandGrammar(
      tool: "t", overview: "", positionals: [], groups: [ShapeOptions.group], examples: [],
      exitCodes: [])
    return try ShapeOptions(grammar.parse(arguments))
  }

  @Test func optionsFillTheTypesIn() throws {
    let inputs = [
      input("x", [.symbol("n"), 3, .symbol("h"), .unknown]), input("a=b", [.symbol("h")]),
    ]
    let types = try options(["--shape", "x=2x3x8x9"]).apply(to: inputs)
    #expect(types["x"]?.description == "float32 2x3x8x9")
    #expect(types["a=b"]?.description == "float32 8")
    let named = try options(["--dim", "h=6", "--shape", "a=b=6"]).apply(to: inputs)
    #expect(named["x"]?.description == "float32 nx3x6x?")
    #expect(try options(["--shape", "a=scalar"]).apply(to: [input("a", nil)])["a"]?.shape == [])
  }

  @Test func severalInputsWantAName() throws {
    let error = #expect(throws: ToolError.self) {
      try options(["--shape", "1x2"]).apply(to: [input("x", nil), input("y", nil)])
    }
    #expect(error?.description.contains("say which: --shape NAME=...; it has 'x', 'y'") == true)
  }
}
