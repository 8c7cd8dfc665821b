// Dimension: an extent that may not be known before a model runs, kept as an expression over the model's
// symbols, so that "batch x 2048" stays that through a whole network.

/// One extent of a value in a graph.
public indirect enum Dimension: Hashable, Sendable {
  /// A known extent.
  case fixed(Int)
  /// A named extent that the inputs decide: ONNX's `dim_param`.
  case symbol(String)
  /// An extent computed from others.
  case expression(Operation, Dimension, Dimension)
  /// An extent of which nothing is known. Two unknown extents are not known to be equal.
  case unknown

  /// How an expression combines its two sides. Division rounds towards negative infinity.
  public enum Operation: Hashable, Sendable {
    case add, subtract, multiply, divide, minimum, maximum
  }

  /// The extent where it is known.
  public var value: Int? {
    if case .fixed(let value) = self { value } else { nil }
  }

  /// Combines two extents, simplifying what can be; an overflow leaves nothing known.
  package static func combine(
    _ operation: Operation, _ left: Dimension, _ right: Dimension
  ) -> Dimension {
    switch (operation, left, right) {
    case (_, .fixed(let a), .fixed(let b)):
      return operation.apply(a, b).map(Dimension.fixed) ?? .unknown
    case (.multiply, .fixed(0), _), (.multiply, _, .fixed(0)): return .fixed(0)
    case (_, .unknown, _), (_, _, .unknown): return .unknown
    case (.add, .fixed(0), let other), (.multiply, .fixed(1), let other): return other
    case (.add, let other, .fixed(0)), (.subtract, let other, .fixed(0)),
      (.multiply, let other, .fixed(1)), (.divide, let other, .fixed(1)):
      return other
    case (.subtract, let a, let b) where a == b: return .fixed(0)
    case (.divide, let a, let b) where a == b: return .fixed(1)
    case (.minimum, let a, let b) where a == b, (.maximum, let a, let b) where a == b: return a
    case (.subtract, let a, .fixed(let b)) where b != .min: return combine(.add, a, .fixed(-b))
    case (.add, .fixed, _), (.multiply, .fixed, _): return combine(operation, right, left)
    // What lies side by side n times: a + a and a * b + a with known b.
    case (.add, let a, let b) where a == b: return combine(.multiply, a, .fixed(2))
    case (.add, .expression(.multiply, let a, .fixed(let b)), let c) where a == c:
      return Operation.add.apply(b, 1).map { combine(.multiply, a, .fixed($0)) } ?? .unknown
    // (a + b) + c and (a * b) * c with known b and c.
    case (.add, .expression(.add, let a, .fixed(let b)), .fixed(let c)):
      return Operation.add.apply(b, c).map { combine(.add, a, .fixed($0)) } ?? .unknown
    case (.multiply, .expression(.multiply, let a, .fixed(let b)), .fixed(let c)):
      return Operation.multiply.apply(b, c).map { combine(.multiply, a, .fixed($0)) } ?? .unknown
    // (a * b) / c with known b and c, where one divides the other.
    case (.divide, .expression(.multiply, let a, .fixed(let b)), .fixed(let c))
    where c > 0 && b % c == 0:
      return combine(.multiply, a, .fixed(b / c))
    case (.divide, .expression(.multiply, let a, let b), let c) where b == c: return a
    case (.divide, .expression(.multiply, let b, let a), let c) where b == c: return a
    // (a + b) / c with known b and c, where c divides b.
    case (.divide, .expression(.add, let a, .fixed(let b)), .fixed(let c))
    where c > 0 && b % c == 0:
      return combine(.add, combine(.divide, a, .fixed(c)), .fixed(b / c))
    default:
      let terms = left.termCount + right.termCount
      return terms <= largestTermCount ? .expression(operation, left, right) : .unknown
    }
  }

  /// How many symbols and numbers an expression may have: a hostile model could grow it with every node, and what works on
  /// expressions calls itself. What is larger is not known until inputs are.
  private static let largestTermCount = 256

  private var termCount: Int {
    if case .expression(_, let left, let right) = self {
      left.termCount + right.termCount
    } else {
      1
    }
  }

  public static func + (left: Dimension, right: Dimension) -> Dimension {
    combine(.add, left, right)
  }
  public static func - (left: Dimension, right: Dimension) -> Dimension {
    combine(.subtract, left, right)
  }
  public static func * (left: Dimension, right: Dimension) -> Dimension {
    combine(.multiply, left, right)
  }
  public static func / (left: Dimension, right: Dimension) -> Dimension {
    combine(.divide, left, right)
  }

  /// The extent once the symbols in `bindings` are known.
  package func substituting(_ bindings: [String: Int]) -> Dimension {
    switch self {
    case .fixed, .unknown: return self
    case .symbol(let name): return bindings[name].map(Dimension.fixed) ?? self
    case .expression(let operation, let left, let right):
      return .combine(operation, left.substituting(bindings), right.substituting(bindings))
    }
  }
}

extension Dimension.Operation {
  /// The result on known numbers; nil on overflow and division by zero.
  package func apply(_ a: Int, _ b: Int) -> Int? {
    func checked(_ result: (partialValue: Int, overflow: Bool)) -> Int? {
      result.overflow ? nil : result.partialValue
    }
    switch self {
    case .add: return checked(a.addingReportingOverflow(b))
    case .subtract: return checked(a.subtractingReportingOverflow(b))
    case .multiply: return checked(a.multipliedReportingOverflow(by: b))
    case .divide:
      if b == 0 || (a == .min && b == -1) { return nil }
      let quotient = a / b
      return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient
    case .minimum: return Swift.min(a, b)
    case .maximum: return Swift.max(a, b)
    }
  }
}

extension Dimension: ExpressibleByIntegerLiteral, CustomStringConvertible {
  public init(integerLiteral value: Int) { self = .fixed(value) }

  public var description: String {
    switch self {
    case .fixed(let value): return String(value)
    case .symbol(let name): return name
    case .unknown: return "?"
    case .expression(.minimum, let left, let right): return "min(\(left), \(right))"
    case .expression(.maximum, let left, let right): return "max(\(left), \(right))"
    case .expression(let operation, let left, let right):
      let sign =
        switch operation {
        case .add: "+"
        case .subtract: "-"
        case .multiply: "*"
        default: "/"
        }
      return "(\(left) \(sign) \(right))"
    }
  }
}
