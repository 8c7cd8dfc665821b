// Pre-processing as Hugging Face's image processors write it into preprocessor_config.json.

import LeapPictures

extension Preprocessing {
  /// Reads a `preprocessor_config.json`.
  ///
  /// Understood: do_resize, size (number, shortest_edge, or height and width), resample, crop_pct, do_center_crop,
  /// crop_size, do_rescale, rescale_factor, do_normalize, image_mean, image_std.
  ///
  /// - Throws: `ImageError.malformed` where it is no JSON or a member has another form.
  public init(preprocessorConfiguration bytes: [UInt8]) throws {
    let json: JSON
    do {
      json = try JSON(parsing: bytes)
    } catch let error as JSONError {
      throw ImageError.malformed(format: "preprocessor_config.json", reason: error.description)
    }
    guard json.members != nil else { throw Preprocessing.malformed("an object is expected") }
    self.init(resize: .none)
    func flag(_ name: String) -> Bool { json[name]?.bool ?? (json[name] == nil) }
    let crop = try json["crop_size"].map { try Preprocessing.size($0, "crop_size") }
    if flag("do_resize"), let size = json["size"] {
      resize = try Preprocessing.resize(size, cropFraction: json["crop_pct"]?.double)
    }
    if flag("do_center_crop"), let crop { self.crop = .size(crop) }
    if let resample = json["resample"] {
      let filters: [Int: Interpolation] = [0: .nearest, 1: .lanczos, 2: .bilinear, 3: .bicubic]
      guard let filter = resample.int.flatMap({ filters[$0] }) else {
        throw Preprocessing.malformed("resample is 0 nearest, 1 lanczos, 2 bilinear or 3 bicubic")
      }
      interpolation = filter
    }
    if flag("do_rescale") { scale = json["rescale_factor"]?.double ?? 1.0 / 255 }
    if flag("do_normalize"), let means = json["image_mean"], let deviations = json["image_std"] {
      mean = try Preprocessing.numbers(means, "image_mean")
      std = try Preprocessing.numbers(deviations, "image_std")
    }
  }

  private static func malformed(_ reason: String) -> ImageError {
    .malformed(format: "preprocessor_config.json", reason: reason)
  }

  private static func numbers(_ json: JSON, _ name: String) throws -> [Double] {
    let values = (json.array ?? [json]).compactMap(\.double)
    guard values.count == json.array?.count ?? 1, values.count == 1 || values.count == 3 else {
      throw malformed("\(name) is one number or three")
    }
    return values
  }

  private static func extent(_ json: JSON?) -> Int? {
    json?.int.flatMap { (1...1 << 20).contains($0) ? $0 : nil }
  }

  private static func size(_ json: JSON, _ name: String) throws -> Size {
    if let side = extent(json) { return Size(height: side, width: side) }
    guard let height = extent(json["height"]), let width = extent(json["width"]) else {
      throw malformed("\(name) is a number, or has height and width")
    }
    return Size(height: height, width: width)
  }

  private static func resize(_ json: JSON, cropFraction: Double?) throws -> Resize {
    if let side = extent(json["shortest_edge"]) {
      guard let cropFraction, cropFraction > 0.01, cropFraction <= 1 else {
        return .shortSide(side)
      }
      return .shortSide(Int(Double(side) / cropFraction))
    }
    return .exact(try size(json, "size"))
  }
}
