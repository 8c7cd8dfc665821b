// swift-tools-version: 6.1
// Centre: a program with an operator of its own, which depends on Leapstone as yours would, by git URL.
import PackageDescription

/// Where Leapstone is cloned from. Write the project's URL here; the tests set LEAPSTONE_URL to a clone on their own disk.
let leapstone =
  Context.environment["LEAPSTONE_URL"]
  ?? Context.packageDirectory.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" }

/// SwiftPM names a package after the last part of its URL.
let identity = leapstone.split(separator: "/").last.map {
  $0.hasSuffix(".git") ? String($0.dropLast(4)) : String($0)
}

let package = Package(
  name: "Centre",
  platforms: [.macOS(.v15)],
  dependencies: [.package(url: leapstone, branch: "main")],
  targets: [
    .executableTarget(
      name: "Centre",
      dependencies: [.product(name: "Leapstone", package: identity ?? "leapstone")])
  ]
)
