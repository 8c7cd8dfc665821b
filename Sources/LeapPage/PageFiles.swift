// PageFiles: the script and the style of onnx-inspect's page. They stand in files of their own beside this one, which the package puts
// into the program; that takes the compiler long, so they are a target by themselves.

package enum PageFiles {
  package static let style = text(PackageResources.page_css)

  /// All parts, in a scope of their own. A later part may use what earlier ones declare.
  package static let script =
    "(() => {\n\"use strict\";\n"
    + [
      PackageResources.data_js, PackageResources.fold_js, PackageResources.layout_js,
      PackageResources.draw_js, PackageResources.view_js, PackageResources.details_js,
      PackageResources.memory_js, PackageResources.page_js,
    ].map(text).joined(separator: "\n") + "})();\n"

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
