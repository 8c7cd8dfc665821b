// OperatorProbe: finds out which element types an operator takes, by asking its inference about small nodes.

import LeapGraph
import LeapOperators
import LeapRuntime
import LeapTensors
import LeapTestSupport

struct OperatorName: Hashable {
  let domain: String
  let name: String
}

/// What an input of a node may be while types are tried: of the type that is tried, or of one that indices, scales and conditions
/// have.
private enum InputForm: Hashable {
  case tried, triedSequence, triedOptional
  case fixed(DataType)
  case absent

  func type(_ tried: DataType, _ shape: [Dimension]?) -> ValueType? {
    switch self {
    case .tried: .tensor(tried, shape: shape)
    case .triedSequence: .sequence(.tensor(tried, shape: nil))
    case .triedOptional: .optional(.tensor(tried, shape: nil))
    case .fixed(let type): .tensor(type, shape: shape)
    case .absent: nil
    }
  }

  var isTried: Bool { self == .tried || self == .triedSequence || self == .triedOptional }
}

/// What is said where no node of an operator is found that inference takes: `OperatorProbe.attributes` or `.forms` lacks something.
struct NoForm: Error {
  let names: [String]
}

/// Attributes that operators would miss. They pass over those of others.
private let commonAttributes: [String: Attribute] = [
  "to": .int(1), "kernel_shape": .ints([1, 1]), "blocksize": .int(1), "hidden_size": .int(2),
  "axis": .int(0), "num_groups": .int(1), "shape": .ints([2]), "num_heads": .int(1),
  "pooled_shape": .ints([1, 1]), "size": .int(3),
]

struct OperatorProbe {
  /// One node's operator; nil for one that runs graphs, which are none here.
  let operation: (any Operator)?
  /// The types that some input can have, the one for which there are most.
  let types: Set<DataType>

  /// nil where no form of a node is found.
  init?(_ name: OperatorName, opset: Int) {
    let searches = (OperatorProbe.attributes[name.name] ?? [[:]]).map {
      Search(name: name, opset: opset, attributes: commonAttributes.merging($0) { $1 })
    }
    if searches[0].runsGraphs {
      (operation, types) = (nil, Set(DataType.allCases))
      return
    }
    let found = searches.compactMap { $0.found() }
    guard let first = found.first, found.count == searches.count else { return nil }
    operation = first.operation
    // Where the one input is a shape or a length, it says nothing of elements.
    let isGenerator = first.operation.valueInputs == [0]
    types = isGenerator ? [] : found.reduce(into: []) { $0.formUnion($1.types) }
  }

  /// Of filters, which are as large as the image.
  private static let large: [[String: Attribute]] = [["kernel_shape": .ints([2, 2])]]

  /// Attributes of single operators, each list one of several that decide types.
  private static let attributes: [String: [[String: Attribute]]] = [
    "BitShift": [["direction": text("LEFT")]],
    "BitCast": [1, 3, 5, 7].map { ["to": .int($0)] },
    "Einsum": [["equation": text("ij,jk->ik")]],
    "Conv": large, "ConvTranspose": large, "ConvInteger": large, "QLinearConv": large,
    "DeformConv": large,
    "Constant": [["value_float": .float(1)]],
    "RegexFullMatch": [["pattern": text("a")]],
    "Attention": [["q_num_heads": .int(1), "kv_num_heads": .int(1)]],
    "LinearAttention": [
      ["q_num_heads": .int(1), "kv_num_heads": .int(1), "update_rule": text("linear")]
    ],
    "LabelEncoder": [
      ["keys_strings": .strings([Array("a".utf8)]), "values_int64s": .ints([1])],
      ["keys_int64s": .ints([1]), "values_int64s": .ints([1])],
      ["keys_floats": .floats([1]), "values_floats": .floats([1])],
    ] + [.float64, .int16].map { ["keys_tensor": zeros($0), "values_tensor": zeros($0)] },
    "TreeEnsemble": [TreeAttributes.ensemble],
    "TreeEnsembleRegressor": [TreeAttributes.listed("target")],
    "TreeEnsembleClassifier": [TreeAttributes.listed("class")],
    "LinearRegressor": [["coefficients": .floats([1, 1])]],
    "LinearClassifier": [
      ["coefficients": .floats([1, 1, 1, 1]), "classlabels_ints": .ints([0, 1])]
    ],
    "SVMRegressor": [["coefficients": .floats([1, 1]), "rho": .floats([0])]],
    "SVMClassifier": [
      [
        "coefficients": .floats([1, 1, 1, 1]), "rho": .floats([0]),
        "classlabels_ints": .ints([0, 1]),
      ]
    ],
    "CategoryMapper": [
      ["cats_strings": .strings([Array("a".utf8)]), "cats_int64s": .ints([1])]
    ],
    "OneHotEncoder": [
      ["cats_strings": .strings([Array("a".utf8)])], ["cats_int64s": .ints([1])],
    ],
    "NGramRepeatBlock": [["ngram_size": .int(1)]], "UnfoldTensor": [["size": .int(1)]],
    "FeatureVectorizer": [["inputdimensions": .ints([2])]],
    "TfIdfVectorizer": [
      ["pool_int64s": .ints([1])], ["pool_strings": .strings([Array("a".utf8)])],
    ].map { pool in
      pool.merging([
        "mode": text("TF"), "min_gram_length": .int(1), "max_gram_length": .int(1),
        "max_skip_count": .int(0), "ngram_counts": .ints([0]), "ngram_indexes": .ints([0]),
      ]) { $1 }
    },
  ]

  private static func text(_ value: String) -> Attribute { .string(Array(value.utf8)) }

  /// A tensor of one element.
  fileprivate static func zeros(_ type: DataType) -> Attribute {
    guard let tensor = try? Tensor(zeros: type, shape: [1]) else {
      preconditionFailure("a tensor of one element has memory")
    }
    return .tensor(Constant(tensor))
  }

  /// The inputs of operators that have many.
  private static let forms: [String: [[InputForm]]] = [
    "QLinearConv": [quantized([2, 2, 2])], "QLinearMatMul": [quantized([2, 2, 2])],
    "QLinearAdd": [quantized([2, 2, 2])], "QLinearMul": [quantized([2, 2, 2])],
    "QLinearGlobalAveragePool": [quantized([2, 2])],
    "QLinearConcat": [[.fixed(.float32), .tried, .tried, .fixed(.float32), .tried]],
    "LinearAttention": [[.tried, .tried, .tried]], "OptionalHasElement": [[.triedOptional]],
    "Max": [[.tried, .tried]], "Min": [[.tried, .tried]], "Mean": [[.tried, .tried]],
    "Sum": [[.tried, .tried]],
    "DeformConv": [[.tried, .tried, .tried]], "BifurcationDetector": [[.tried, .tried, .tried]],
    "NGramRepeatBlock": [[.fixed(.int64), .tried]],
    "CropAndResize": [[.tried, .tried, .fixed(.int32), .fixed(.int32)]],
  ]

  /// Values of the tried type, each with a scale and a zero point; of the last, which is the result, these two alone.
  private static func quantized(_ groups: [Int]) -> [InputForm] {
    let scaled: [InputForm] = [.tried, .fixed(.float32), .tried]
    return groups.dropLast().flatMap { _ in scaled } + [.fixed(.float32), .tried]
  }

  /// Tries nodes of one operator.
  private struct Search {
    let name: OperatorName
    let opset: Int
    let attributes: [String: Attribute]
    /// What all inputs have for a shape; where that fits no operator's inputs together, none that is known.
    private static let shapes: [[[Dimension]?]] = [
      [[2, 2], [2, 2, 2, 2], [2], [], [2, 2, 2], [1]], [nil],
    ]
    /// What is tried first: when none of these fits a form, the form is none.
    private static let samples: [DataType] = [
      .float32, .int64, .uint8, .bool, .string, .int32, .float16, .float64, .int16,
    ]

    var runsGraphs: Bool {
      OperatorTable.standard.type(of: node([], 0)) is any BodyOperator.Type
    }

    func found() -> (operation: any Operator, types: Set<DataType>)? {
      for shapes in Self.shapes {
        for (outputs, forms) in (1...3).flatMap({ count in candidates().map { (count, $0) } }) {
          let fitting = forms.filter { fits($0, outputs, shapes) }
          if let first = fitting.first, let operation = try? operation(first, outputs) {
            return (operation, widest(fitting, outputs, shapes))
          }
        }
      }
      return nil
    }

    /// Forms by the number of inputs.
    private func candidates() -> [[[InputForm]]] {
      if let given = OperatorProbe.forms[name.name] { return [given] }
      let few: [InputForm] =
        [.tried, .triedSequence, .triedOptional] + [.float32, .int64, .bool, .uint8].map(fixed)
      let many: [InputForm] = [.tried] + [.float32, .int64, .bool].map(fixed)
      return (0...3).map { forms(few, count: $0) } + [forms(many, count: 4), forms(many, count: 5)]
        + (6...9).map { [Array(repeating: .tried, count: $0)] }
    }

    private func fixed(_ type: DataType) -> InputForm { .fixed(type) }

    private func forms(_ letters: [InputForm], count: Int) -> [[InputForm]] {
      (0..<count).reduce([[]]) { words, _ in
        words.flatMap { word in letters.map { word + [$0] } }
      }
    }

    private func fits(_ form: [InputForm], _ outputs: Int, _ shapes: [[Dimension]?]) -> Bool {
      let types = form.contains(where: \.isTried) ? Self.samples : [.float32]
      return types.contains { takes(form, $0, outputs, shapes) }
    }

    /// The types of the first input, or of one that can have twice as many.
    private func widest(
      _ forms: [[InputForm]], _ outputs: Int, _ shapes: [[Dimension]?]
    ) -> Set<DataType> {
      var byInput: [Int: Set<DataType>] = [:]
      for form in forms {
        let taken = DataType.allCases.filter { takes(form, $0, outputs, shapes) }
        for (index, input) in form.enumerated() where input.isTried {
          byInput[index, default: []].formUnion(taken)
        }
      }
      let first = byInput.min { $0.key < $1.key }?.value ?? []
      let most = byInput.sorted { $0.key < $1.key }.map(\.value).max { $0.count < $1.count } ?? []
      return most.count >= 2 * first.count ? most : first
    }

    private func takes(
      _ form: [InputForm], _ type: DataType, _ outputs: Int, _ shapes: [[Dimension]?]
    ) -> Bool {
      guard let operation = try? operation(form, outputs) else { return false }
      return shapes.contains { shape in
        var context = InferenceContext(
          inputs: form.map { $0.type(type, shape).map { InferredValue($0) } },
          given: form.map { $0 != .absent }, outputCount: outputs)
        return (try? operation.infer(&context)) != nil
      }
    }

    private func operation(_ form: [InputForm], _ outputs: Int) throws -> any Operator {
      try OperatorTable.standard.makeOperator(
        for: node(form, outputs), in: graph(form.count + outputs))
    }

    private func node(_ form: [InputForm], _ outputs: Int) -> Node {
      Node(
        id: NodeID(0), name: name.name, domain: name.domain, operatorType: name.name, opset: opset,
        inputs: form.indices.map { form[$0] == .absent ? nil : ValueID($0) },
        outputs: (0..<outputs).map { ValueID(form.count + $0) },
        attributes: attributes)
    }

    /// A graph of values that messages of errors can name.
    private func graph(_ values: Int) -> Graph {
      var graph = Graph(name: name.name)
      for index in 0..<values { _ = graph.addValue(Value(name: "v\(index)", type: nil)) }
      return graph
    }
  }
}

/// Attributes of trees of one comparison.
private enum TreeAttributes {
  static var ensemble: [String: Attribute] {
    [
      "nodes_featureids": .ints([0]), "nodes_modes": OperatorProbe.zeros(.uint8),
      "nodes_splits": OperatorProbe.zeros(.float32),
      "nodes_truenodeids": .ints([0]), "nodes_falsenodeids": .ints([0]),
      "nodes_trueleafs": .ints([1]), "nodes_falseleafs": .ints([1]), "leaf_targetids": .ints([0]),
      "leaf_weights": OperatorProbe.zeros(.float32), "tree_roots": .ints([0]), "n_targets": .int(1),
    ]
  }

  /// - Parameter prefix: of the attributes of leaves.
  static func listed(_ prefix: String) -> [String: Attribute] {
    [
      "nodes_treeids": .ints([0]), "nodes_nodeids": .ints([0]), "nodes_featureids": .ints([0]),
      "nodes_values": .floats([0]), "nodes_modes": .strings([Array("LEAF".utf8)]),
      "nodes_truenodeids": .ints([0]), "nodes_falsenodeids": .ints([0]),
      "\(prefix)_treeids": .ints([0]), "\(prefix)_nodeids": .ints([0]), "\(prefix)_ids": .ints([0]),
      "\(prefix)_weights": .floats([1]), "n_targets": .int(1), "classlabels_int64s": .ints([0, 1]),
    ]
  }
}

/// What an operator is rewritten to.
struct RewritingProbe {
  /// The operators in its place, in order, each once; without constants and the casts of these.
  let operators: [String]

  /// nil where no form of a node is found.
  init?(_ name: OperatorName, opset: Int) {
    let found = (1...12).lazy.compactMap { count in
      try? RewritingProbe.operators(of: name, opset: opset, inputs: count)
    }
    guard let operators = found.first else { return nil }
    self.operators = operators
  }

  /// Attributes that operators would miss, or that show what they are made of.
  private static let attributes: [String: [String: Attribute]] = [
    "ImageScaler": ["scale": .float(2), "bias": .floats([1, 1])],
    "Scaler": ["scale": .floats([2]), "offset": .floats([1])],
    "Imputer": ["imputed_value_floats": .floats([1])],
    "Attention": ["num_heads": .int(1)], "MultiHeadAttention": ["num_heads": .int(1)],
    "QAttention": ["num_heads": .int(1)],
    "GroupQueryAttention": ["num_heads": .int(2), "kv_num_heads": .int(1), "do_rotary": .int(1)],
    "NhwcMaxPool": ["kernel_shape": .ints([1, 1])],
    "MatMulNBits": ["N": .int(2), "K": .int(2), "block_size": .int(2)],
    "FusedGemm": ["activation": .string(Array("Relu".utf8))],
    "Momentum": [
      "norm_coefficient": .float(1), "alpha": .float(1), "beta": .float(1),
      "mode": .string(Array("standard".utf8)),
    ],
  ]

  /// Operators whose rule looks at constants.
  private static let readsConstants: Set<String> = ["GatherBlockQuantized"]

  private static func operators(
    of name: OperatorName, opset: Int, inputs count: Int
  ) throws -> [String] {
    var builder = ModelBuilder()
    builder.opset = opset
    let zeros = try Tensor(zeros: .uint8, shape: [2, 2, 2, 2])
    let inputs = (0..<count).map { index in
      readsConstants.contains(name.name)
        ? builder.constant("x\(index)", zeros) : builder.input("x\(index)", [2, 2, 2, 2])
    }
    let y = builder.node(
      name.name, domain: name.domain, inputs, attributes: attributes[name.name] ?? [:],
      outputs: ["y"])
    let model = try FunctionInliner.inlined(builder.model(outputs: y))
    var operators: [String] = []
    for node in model.graph.nodes
    where !["Constant", "CastLike"].contains(node.operatorType)
      && !operators.contains(node.operatorType)
    {
      operators.append(node.operatorType)
    }
    return operators
  }
}
