// Preprocessing: from a picture to the tensor that a model wants, as a specification that can be printed.
//
// 1. The steps are those of Pillow, torchvision and Hugging Face; results differ from Pillow's by at most 1/255.
// 2. What is left open here (size, layout, number of channels) follows the model's input.

import LeapGraph
@_exported import LeapPictures
import LeapTensors

/// Rows and columns, in pixels.
public struct Size: Sendable, Hashable, CustomStringConvertible {
  public var height: Int
  public var width: Int

  public init(height: Int, width: Int) {
    self.height = height
    self.width = width
  }

  public var description: String { "\(height)x\(width)" }
}

/// The steps from a picture to a tensor: turn upright, resize, crop, choose channels, `(value · scale − mean) / std`.
public struct Preprocessing: Sendable, Equatable {
  /// What a picture is resized to, its proportions kept or not.
  public enum Resize: Sendable, Equatable {
    case none
    /// The shorter side gets this length; the other follows, rounded down.
    case shortSide(Int)
    /// The shorter side gets this multiple of the crop's shorter side.
    case shortSideOfCrop(Double)
    case exact(Size)
    /// Exactly the size of the model's input.
    case input
  }

  /// The middle of the picture that is kept; where the picture is smaller, black is added around it.
  public enum Crop: Sendable, Equatable {
    case none
    case size(Size)
    /// The size of the model's input, or this one where the model leaves it open.
    case input(default: Size)
  }

  /// The order of the colours.
  public enum Channels: String, Sendable, CaseIterable { case rgb, bgr, gray }

  /// Where the channels stand in the tensor.
  public enum Layout: String, Sendable, CaseIterable { case nchw, nhwc }

  public var resize: Resize
  public var crop: Crop
  public var interpolation: Interpolation
  /// Factor of the values 0 to 255, applied first.
  public var scale: Double
  /// One value, or one for each channel in the order of `channels`; subtracted after scaling.
  public var mean: [Double]
  /// One value, or one for each channel in the order of `channels`; divided by in the end.
  public var std: [Double]
  /// nil: grey where the model's input has one channel, otherwise RGB.
  public var channels: Channels?
  /// nil: where the model's input has 1 or 3 channels; NCHW where that does not tell.
  public var layout: Layout?
  /// Whether a JPEG is turned as its EXIF orientation says. The decoder does it.
  public var appliesOrientation = false

  public init(
    resize: Resize = .input, crop: Crop = .none, interpolation: Interpolation = .bilinear,
    scale: Double = 1, mean: [Double] = [0], std: [Double] = [1], channels: Channels? = nil,
    layout: Layout? = nil
  ) {
    self.resize = resize
    self.crop = crop
    self.interpolation = interpolation
    self.scale = scale
    self.mean = mean
    self.std = std
    self.channels = channels
    self.layout = layout
  }

  /// Short side 256, centre crop 224 (or the model's size in the same proportion), /255, mean and deviation of ImageNet:
  /// torchvision's evaluation transform.
  public static let imagenet = Preprocessing(
    resize: .shortSideOfCrop(256.0 / 224), crop: .input(default: Size(height: 224, width: 224)),
    scale: 1.0 / 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225])

  /// As `imagenet`, but BGR, 0 to 255, minus ImageNet's mean: the networks that come from Caffe.
  public static let imagenetBGR255 = Preprocessing(
    resize: .shortSideOfCrop(256.0 / 224), crop: .input(default: Size(height: 224, width: 224)),
    mean: [103.939, 116.779, 123.68], channels: .bgr)

  /// Short side 342, centre crop 299 (or the model's size in the same proportion), bicubic, −1 to 1.
  public static let inception = Preprocessing(
    resize: .shortSideOfCrop(342.0 / 299), crop: .input(default: Size(height: 299, width: 299)),
    interpolation: .bicubic, scale: 1.0 / 255, mean: [0.5], std: [0.5])

  /// Resized to the model's size, 0 to 1.
  public static let unit = Preprocessing(scale: 1.0 / 255)

  /// Resized to the model's size, 0 to 255.
  public static let none = Preprocessing()

  /// A preset by the name that the tools use: `imagenet`, `imagenet-bgr255`, `inception`, `unit`, `none`.
  public static func named(_ name: String) -> Preprocessing? {
    presets.first { $0.name == name }?.value
  }

  /// The presets, in the order that help pages show.
  package static let presets: [(name: String, value: Preprocessing)] = [
    ("imagenet", imagenet), ("imagenet-bgr255", imagenetBGR255), ("inception", inception),
    ("unit", unit), ("none", none),
  ]
}

extension Preprocessing {
  /// What the ONNX metadata keys `Image.BitmapPixelFormat`, `Image.NominalPixelRange` and
  /// `Image.ColorSpaceGamma` say (ONNX, MetadataProps); the picture is resized to the model's size.
  ///
  /// - Throws: `ImageError.mismatch` where the keys are missing or have values that are not known.
  public init(metadata: [String: String]) throws {
    self.init()
    func unknown(_ key: String, _ value: String) -> ImageError {
      .mismatch("the model's metadata \(key) is '\(value)', which is not known")
    }
    guard let format = metadata["Image.BitmapPixelFormat"] else {
      throw ImageError.mismatch("the model has no metadata Image.BitmapPixelFormat")
    }
    switch format {
    case "Gray8": channels = .gray
    case "Rgb8": channels = .rgb
    case "Bgr8": channels = .bgr
    default: throw unknown("Image.BitmapPixelFormat", format)
    }
    if let gamma = metadata["Image.ColorSpaceGamma"], gamma != "SRGB" {
      throw unknown("Image.ColorSpaceGamma", gamma)
    }
    switch metadata["Image.NominalPixelRange"] {
    case nil, "NominalRange_0_255": break
    case "Normalized_0_1": scale = 1.0 / 255
    case "Normalized_1_1": (scale, mean) = (2.0 / 255, [1])
    case "NominalRange_16_235": (scale, mean) = (219.0 / 255, [-16])
    case .some(let range): throw unknown("Image.NominalPixelRange", range)
    }
  }
}
