// TextsTests: operators of strings, and patterns: what matches, what is no pattern, and texts that make others slow.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct TextsTests {
  private func matches(_ pattern: String, _ texts: [String]) throws -> [Int] {
    let result = try OperatorHarness(
      "RegexFullMatch", attributes: ["pattern": .string(Array(pattern.utf8))]
    ).run([Tensor(strings: texts)])[0]
    return try #require(result.integers)
  }

  @Test(
    arguments: [
      ("", ["", "a"], [1, 0]), ("a|b", ["a", "b", "ab"], [1, 1, 0]),
      ("a*b+c?", ["b", "aabbc", "ac"], [1, 1, 0]),
      ("(ab){2,3}", ["ab", "abab", "ababababab"], [0, 1, 0]),
      ("[^a-c]\\d", ["d1", "a1", "d"], [1, 0, 0]),
      ("\\w+@\\w+\\.(com|org)", ["me@x.org", "me@x.net"], [1, 0]),
      ("^a$", ["a", "aa"], [1, 0]), (".", ["é", "\n", "ab"], [1, 0, 0]),
      ("[]a]", ["]", "a", "b"], [1, 1, 0]),
      ("a{,3}", ["a{,3}", "aa"], [1, 0]), ("(?:x(y|z))*?", ["xyxz", "x"], [1, 0]),
    ] as [(String, [String], [Int])])
  func patternsMatch(pattern: String, texts: [String], wanted: [Int]) throws {
    #expect(try matches(pattern, texts) == wanted)
  }

  @Test(
    arguments: [
      "(", ")", "*a", "[", "[b-a]", "a{3,2}", "a{2000}", "\\", "\\q", "(?=a)",
      "((((a{900}){900}){900}){900})",
    ])
  func whatIsNoPatternIsRefused(pattern: String) throws {
    #expect(throws: OperatorError.self) { try matches(pattern, ["a"]) }
  }

  @Test func nestedGroupsAndRepetitionsStayCheap() throws {
    let deep = String(repeating: "(", count: 5000) + "a" + String(repeating: ")", count: 5000)
    #expect(throws: OperatorError.self) { try matches(deep, ["a"]) }
    #expect(try matches("(a*)*b", [String(repeating: "a", count: 3000)]) == [0])
  }

  @Test func textsAreSplit() throws {
    let texts = try Tensor(strings: ["a b  c ", "", " x"])
    let words = try OperatorHarness("StringSplit", outputCount: 2).run([texts])
    #expect(words[0].strings == ["a", "b", "c", "", "", "", "x", "", ""])
    #expect(words[1].integers == [3, 0, 1])
    let limited = try OperatorHarness(
      "StringSplit", attributes: ["delimiter": .string(Array("--".utf8)), "maxsplit": .int(1)],
      outputCount: 2
    ).run([Tensor(strings: ["a--b--c", "---"])])
    #expect(limited[0].strings == ["a", "b--c", "", "-"])
  }

  @Test func wordsAreNormalised() throws {
    let words = try Tensor(strings: ["Monday", "Tuesday"])
    let attributes: [String: Attribute] = [
      "case_change_action": .string(Array("UPPER".utf8)),
      "stopwords": .strings([Array("monday".utf8)]),
    ]
    #expect(
      try OperatorHarness("StringNormalizer", attributes: attributes).run([words])[0].strings == [
        "TUESDAY"
      ])
    let none = try OperatorHarness("StringNormalizer", attributes: attributes)
      .run([Tensor(strings: ["monday"])])[0]
    #expect(none.strings == [""])
  }

  @Test func hostilePoolsOfNGramsAreRefused() throws {
    func attributes(counts: [Int64], indexes: [Int64], pool: [Int64]) -> [String: Attribute] {
      [
        "mode": .string(Array("TF".utf8)), "min_gram_length": .int(1), "max_gram_length": .int(2),
        "max_skip_count": .int(0), "ngram_counts": .ints(counts), "ngram_indexes": .ints(indexes),
        "pool_int64s": .ints(pool),
      ]
    }
    for (counts, indexes, pool): ([Int64], [Int64], [Int64]) in [
      ([0, 5], [0, 1], [1, 2]), ([-1], [0], [1]), ([0, 1], [0, 1], [1, 2]), ([0], [-1], [1]),
      ([0], [.max], [1]), ([0], [0], [1, 2]), ([2, 0], [0], [1, 2]),
    ] {
      #expect(throws: OperatorError.self) {
        try OperatorHarness(
          "TfIdfVectorizer",
          attributes: attributes(counts: counts, indexes: indexes, pool: pool)
        ).run([Tensor([Int64(1)])])
      }
    }
    let counted = try OperatorHarness(
      "TfIdfVectorizer", attributes: attributes(counts: [0, 1], indexes: [1, 0], pool: [7, 7, 8])
    ).run([Tensor([Int64(7), 8, 7, 7])])[0]
    #expect(counted.doubles == [1, 3])
  }
}
