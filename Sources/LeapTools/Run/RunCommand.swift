// RunCommand: onnx-run, from its arguments to its exit code.

import LeapTensors

package enum RunCommand {
  package static let grammar = CommandGrammar(
    tool: "onnx-run",
    overview: "Run an ONNX model on pictures, arrays or random numbers, and show what comes out.",
    positionals: [.init("model", "The model (.onnx), or - for stdin.")],
    groups: [
      InputOptions.group, RunSettings.group, ImageOptions.group, ShapeOptions.group,
      EngineOptions.group,
      CommonOptions.group(formats: RunSettings.formats, reportKinds: RunSettings.reportKinds),
    ],
    examples: [
      (
        "onnx-run resnet50.onnx --image cat.jpg --labels imagenet.txt",
        "The five best classes of a photograph."
      ),
      (
        "onnx-run unet.onnx --image scans/ --preset unit --overlay out/{name}.png",
        "A picture with its mask for every picture of a directory."
      ),
      (
        "onnx-run model.onnx --inputs inputs.npz --save outputs.npz",
        "From numpy and back."
      ),
      (
        "onnx-run model.onnx --random 0 --dim batch=4 --profile trace.json",
        "Does it run, and where does the time go?"
      ),
      (
        "ffmpeg -i film.mp4 -f image2pipe -c:v ppm - | onnx-run model.onnx --image - --format json",
        "A line of JSON for every frame."
      ),
    ],
    exitCodes: [
      (ExitCode.success, "done"),
      (ExitCode.failure, "the model, an input or a run failed; the message says where"),
      (ExitCode.usage, "wrong usage"), (ExitCode.interrupted, "interrupted"),
    ])

  /// Runs the tool.
  ///
  /// - Parameter arguments: without the tool's own name.
  /// - Returns: the exit code.
  package static func run(_ arguments: [String], _ environment: ToolEnvironment) -> Int32 {
    runTool(grammar, arguments, environment) { parsed, console in
      var tool = try RunTool(try RunSettings(parsed), console)
      try tool.run()
      return ExitCode.success
    }
  }
}
