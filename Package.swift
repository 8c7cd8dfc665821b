// swift-tools-version: 6.1
// Leapstone: runs ONNX networks on CPUs. ARCHITECTURE.md says which target may depend on which, and why.
import PackageDescription

/// What every Swift target of the package is compiled with.
let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny")
]

func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tool(_ name: String) -> Target {
  .executableTarget(name: name, dependencies: ["LeapTools"], swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

/// A dependency that only the picture code needs: absent when the trait `Images` is switched off.
func imagesOnly(_ name: String) -> Target.Dependency {
  .target(name: name, condition: .when(traits: ["Images"]))
}

/// What the page of onnx-inspect is made of.
let pageFiles = [
  "page.css", "data.js", "fold.js", "layout.js", "draw.js", "view.js", "details.js", "memory.js",
  "page.js",
]

let package = Package(
  name: "Leapstone",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "Leapstone", targets: ["Leapstone"]),
    .library(name: "LeapstoneImage", targets: ["LeapstoneImage"]),
    .library(name: "LeapstoneC", type: .static, targets: ["LeapstoneC"]),
    .executable(name: "onnx-run", targets: ["onnx-run"]),
    .executable(name: "onnx-bench", targets: ["onnx-bench"]),
    .executable(name: "onnx-inspect", targets: ["onnx-inspect"]),
    .executable(name: "onnx-verify", targets: ["onnx-verify"]),
  ],
  traits: [
    .default(enabledTraits: ["Images"]),
    .trait(
      name: "Images", description: "Read and write JPEG and PNG pictures (libjpeg-turbo, libpng)"),
  ],
  targets: [
    .systemLibrary(
      name: "CLeapBLAS", pkgConfig: "openblas",
      providers: [.apt(["libopenblas-dev"]), .brew(["openblas"])]),
    .systemLibrary(
      name: "CLeapProtobuf", pkgConfig: "libprotobuf-c",
      providers: [.apt(["libprotobuf-c-dev"]), .brew(["protobuf-c"])]),
    .systemLibrary(
      name: "CLeapJPEG", pkgConfig: "libjpeg",
      providers: [.apt(["libjpeg-dev"]), .brew(["jpeg-turbo"])]),
    .systemLibrary(
      name: "CLeapPNG", pkgConfig: "libpng",
      providers: [.apt(["libpng-dev"]), .brew(["libpng"])]),
    .systemLibrary(
      name: "CLeapZlib", pkgConfig: "zlib",
      providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
    .systemLibrary(name: "CLeapstone"),
    .target(name: "CLeapProto", dependencies: ["CLeapProtobuf"]),
    .target(name: "CLeapKernels"),
    .target(
      name: "CLeapImage", dependencies: [imagesOnly("CLeapJPEG"), imagesOnly("CLeapPNG")],
      cSettings: [.define("LEAP_IMAGES", .when(traits: ["Images"]))]),

    library("LeapTensors", []),
    library("LeapWorkers", ["LeapTensors", "CLeapKernels"]),
    library("LeapKernels", ["LeapTensors", "CLeapKernels", "CLeapBLAS", "LeapWorkers"]),
    library("LeapGraph", ["LeapTensors"]),
    library("LeapFormat", ["LeapGraph", "CLeapProto"]),
    library("LeapPictures", ["LeapTensors", "CLeapImage"]),
    library("LeapOperators", ["LeapGraph", "LeapKernels", "LeapPictures"]),
    library("LeapRuntime", ["LeapFormat", "LeapOperators", "LeapWorkers"]),
    library("Leapstone", ["LeapRuntime"]),
    library("LeapstoneImage", ["Leapstone", "LeapPictures"]),
    library("LeapstoneC", ["Leapstone", "CLeapstone", "LeapWorkers"]),
    .target(
      name: "LeapPage", resources: pageFiles.map { .embedInCode($0) }, swiftSettings: settings),
    library(
      "LeapTools",
      [
        "Leapstone", "LeapstoneImage", "LeapFormat", "LeapKernels", "LeapOperators", "LeapRuntime",
        "LeapWorkers", "LeapPage", imagesOnly("CLeapZlib"),
      ]),
    tool("onnx-run"),
    tool("onnx-bench"),
    tool("onnx-inspect"),
    tool("onnx-verify"),

    .target(
      name: "CLeapPeak", dependencies: ["CLeapKernels"], path: "Benchmarks/CLeapPeak",
      cSettings: [.headerSearchPath("../../Sources/CLeapKernels")]),
    .target(
      name: "LeapBenchmarks", dependencies: ["LeapTools", "LeapRuntime", "CLeapPeak"],
      path: "Benchmarks/Kernels", swiftSettings: settings),
    .executableTarget(
      name: "leap-kernel-bench", dependencies: ["LeapBenchmarks"],
      path: "Benchmarks/leap-kernel-bench", swiftSettings: settings),

    .target(name: "CLeapAllocationCounter", path: "Tests/CLeapAllocationCounter"),
    .target(
      name: "LeapTestSupport", dependencies: ["Leapstone", "LeapTools", "CLeapAllocationCounter"],
      path: "Tests/LeapTestSupport", swiftSettings: settings),
    tests("LeapTensorsTests", ["LeapTensors"]),
    tests("LeapWorkersTests", ["LeapWorkers", "LeapTestSupport"]),
    tests("LeapGraphTests", ["LeapGraph"]),
    tests("LeapFormatTests", ["LeapFormat", "LeapTestSupport"]),
    tests("LeapOperatorsTests", ["LeapOperators", "CLeapKernels"]),
    tests("LeapRuntimeTests", ["LeapRuntime", "LeapTestSupport"]),
    tests("LeapstoneTests", ["LeapFormat", "LeapRuntime", "LeapTestSupport"]),
    tests("LeapstoneCTests", ["LeapstoneC", "CLeapstone", "LeapTestSupport"]),
    tests("LeapstoneImageTests", ["LeapTestSupport"]),
    tests("LeapToolsTests", ["LeapTestSupport", "LeapBenchmarks"]),
    tests("ConformanceTests", ["LeapTestSupport"]),
  ]
)

// The fuzzers: libraries that `Fuzz/build` instruments and links, and that nothing else builds.
if Context.environment["LEAPSTONE_FUZZ"] != nil {
  package.targets += [
    library("LeapFuzzMutation", []), library("LeapFuzzScan", ["LeapFormat", "LeapFuzzMutation"]),
    library("LeapFuzzRun", ["Leapstone", "LeapFuzzMutation"]),
  ].map { target in
    target.path = "Fuzz/\(target.name)"
    return target
  }
  package.products += ["LeapFuzzScan", "LeapFuzzRun"].map {
    .library(name: $0, type: .static, targets: [$0])
  }
}

// `make test FILTER=` names the test targets that it wants, so that it waits for nothing else to be built.
if let wanted = Context.environment["LEAPSTONE_TESTS"]?.split(separator: ",").map(String.init) {
  package.targets.removeAll { $0.type == .test && !wanted.contains($0.name) }
}
