// CacheKey: all that decides the packed weights of a session, and what one of them is a packing of.

import LeapGraph
import LeapKernels
import LeapTensors

/// What a cache file is made for. Files of another key are foreign, whatever they are called.
struct CacheKey: Hashable, Sendable {
  let bytes: [UInt8]

  /// - Parameters:
  ///   - version: the library's.
  ///   - outputs: names of the values that the graph has for outputs: they decide what is fused.
  init(
    _ model: ModelIdentity, _ configuration: SessionConfiguration, version: String,
    outputs: [String]
  ) {
    var fields = CacheBytes()
    fields.append(version)
    fields.append(BLASProduct.library)
    for word in model.skeleton { fields.append(word) }
    fields.append(model.files.count)
    for file in model.files { fields.append(file) }
    let plan = configuration.plan
    fields.append(plan.instructionSet.rawValue)
    fields.append(plan.memoryPolicy.rawValue)
    fields.append(plan.reuse == .full ? 1 : 0)
    fields.append(plan.algorithms.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] })
    fields.append(plan.forbidden.sorted())
    fields.append(configuration.disablesAllPasses ? 1 : 0)
    fields.append(configuration.disabledPasses.sorted())
    for (name, extent) in configuration.dimensions.sorted(by: { $0.key < $1.key }) {
      fields.append(name)
      fields.append(extent)
    }
    fields.append(outputs)
    bytes = fields.bytes
  }

  /// The name of the file, from the key's digest.
  var fileName: String {
    let digits = bytes.withUnsafeBytes(Digest.wide).map { word in
      let text = String(word, radix: 16)
      return String(repeating: "0", count: 16 - text.count) + text
    }
    return digits.joined() + CacheKey.suffix
  }

  static let suffix = ".leapcache"
}

extension WeightStore.Key {
  /// What is packed, and how, in the words of the cache. The graph is the same for the same `CacheKey`; what can be said of
  /// the constant beside its number is there for the day on which it is not.
  ///
  /// - Parameter path: which of the program's graphs has the constant.
  func cacheEntry(in graph: Graph, at path: String, _ constant: Constant) -> [UInt8] {
    var fields = CacheBytes()
    fields.append(path)
    fields.append(value.index)
    fields.append(graph[value].name)
    fields.append(Int(constant.dataType.rawValue))
    fields.append(constant.shape.dimensions)
    if case .file(_, let offset) = constant.source { fields.append(offset) }
    fields.append(recipe?.order ?? "")
    fields.append(recipe?.extents ?? [])
    fields.append(recipe?.layout ?? .contiguous)
    return fields.bytes
  }
}
