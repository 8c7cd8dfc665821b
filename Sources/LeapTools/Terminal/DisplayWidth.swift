// DisplayWidth: how many columns of a terminal a text takes. East Asian wide characters and emoji take two (Unicode Standard
// Annex 11).

extension Character {
  /// The columns of a terminal that the character takes.
  package var columns: Int {
    guard let scalar = unicodeScalars.first else { return 0 }
    if scalar.value < 0x1100 { return 1 }
    return scalar.properties.isEmojiPresentation || Character.isWide(scalar.value) ? 2 : 1
  }

  /// Whether a code point is of the classes W or F, all of a block taken for what most of it is.
  private static func isWide(_ code: UInt32) -> Bool {
    switch code {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3,
      0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF01...0xFF60, 0xFFE0...0xFFE6, 0x1B000...0x1B2FF,
      0x1F200...0x1F2FF, 0x20000...0x3FFFD:
      true
    default: false
    }
  }
}

extension StringProtocol {
  /// The columns of a terminal that the text takes.
  package var columns: Int {
    utf8.allSatisfy { $0 < 0x80 } ? utf8.count : reduce(0) { $0 + $1.columns }
  }

  /// As many of the first characters as fit in so many columns.
  package func prefix(columns limit: Int) -> SubSequence {
    var taken = 0
    return prefix { character in
      taken += character.columns
      return taken <= limit
    }
  }

  /// As many of the last characters as fit in so many columns.
  func suffix(columns limit: Int) -> SubSequence {
    var (taken, start) = (0, endIndex)
    while start > startIndex {
      let before = index(before: start)
      taken += self[before].columns
      if taken > limit { break }
      start = before
    }
    return self[start...]
  }
}
