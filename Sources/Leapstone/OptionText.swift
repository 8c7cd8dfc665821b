// OptionText: options as text, for those who get them that way: flags of tools, keys and values from C.

/// Bytes from `64MiB`, `64MB`, `64KiB`, `64kB`, `64B` or a number; nil for anything else, and beyond 2^63.
package func parseSize(_ text: String) -> Int? {
  let units = [
    ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("kB", 1000),
    ("KB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000), ("B", 1),
  ]
  let unit = units.first { text.hasSuffix($0.0) } ?? ("", 1)
  let digits = text.dropLast(unit.0.count)
  guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isWholeNumber }),
    let number = Int(digits)
  else { return nil }
  let (size, overflow) = number.multipliedReportingOverflow(by: unit.1)
  return overflow ? nil : size
}

/// `NAME=VALUE` taken apart at the first `=`; the name is nil where there is none.
package func splitAssignment(_ text: String) -> (name: String?, value: String) {
  guard let sign = text.firstIndex(of: "=") else { return (nil, text) }
  return (String(text[..<sign]), String(text[text.index(after: sign)...]))
}
