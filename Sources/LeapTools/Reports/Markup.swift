// Markup: text of models and files as a part of XML and HTML.

import LeapTensors

/// Text for XML and HTML, between tags and in attributes. Line feeds stay; other control characters are spelled out.
func markup(_ text: String) -> String {
  escapedLines(text).map { character in
    switch character {
    case "&": "&amp;"
    case "<": "&lt;"
    case ">": "&gt;"
    case "\"": "&quot;"
    case "'": "&#39;"
    default: String(character)
    }
  }.joined()
}

/// Lines, each made safe by itself.
func escapedLines(_ text: String) -> String {
  text.split(separator: "\n", omittingEmptySubsequences: false).map { escaped(String($0)) }
    .joined(separator: "\n")
}
