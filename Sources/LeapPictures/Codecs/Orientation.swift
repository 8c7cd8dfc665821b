// Orientation: how a camera was held, from a JPEG's EXIF block (CIPA DC-008, tag 0x0112).

/// The eight orientations of EXIF; 1 is upright.
enum Orientation {
  /// The orientation that a JPEG states; 1 where it states none, or damaged.
  static func inJPEG(_ bytes: [UInt8]) -> Int {
    var position = 2
    while position + 4 <= bytes.count, bytes[position] == 0xFF {
      let marker = bytes[position + 1]
      // Pixels begin at "start of scan"; there is no EXIF behind it.
      if marker == 0xDA || marker == 0xD9 { return 1 }
      let length = Int(bytes[position + 2]) << 8 | Int(bytes[position + 3])
      let end = position + 2 + length
      guard length >= 2, end <= bytes.count else { return 1 }
      let segment = bytes[(position + 4)..<end]
      if marker == 0xE1, segment.starts(with: Array("Exif\0\0".utf8)) {
        return inTIFF(Array(segment.dropFirst(6)))
      }
      position = end
    }
    return 1
  }

  private static func inTIFF(_ bytes: [UInt8]) -> Int {
    let isBigEndian = bytes.starts(with: Array("MM".utf8))
    func number(_ position: Int, _ count: Int) -> Int? {
      guard position >= 0, position + count <= bytes.count else { return nil }
      let part = bytes[position..<(position + count)]
      return (isBigEndian ? Array(part) : part.reversed()).reduce(0) { $0 << 8 | Int($1) }
    }
    guard let directory = number(4, 4), let count = number(directory, 2) else { return 1 }
    for entry in 0..<count {
      let position = directory + 2 + 12 * entry
      guard let tag = number(position, 2) else { return 1 }
      if tag == 0x0112, let value = number(position + 8, 2) {
        return (1...8).contains(value) ? value : 1
      }
    }
    return 1
  }
}

extension Image {
  /// The picture turned upright from one of EXIF's eight orientations.
  func oriented(_ orientation: Int) -> Image {
    if orientation == 1 { return self }
    let swapsAxes = orientation >= 5
    let (newWidth, newHeight) = swapsAxes ? (height, width) : (width, height)
    var result = [UInt8](repeating: 0, count: pixels.count)
    for y in 0..<newHeight {
      for x in 0..<newWidth {
        // Where the upright pixel (x, y) was stored.
        let (column, row) =
          switch orientation {
          case 2: (width - 1 - x, y)
          case 3: (width - 1 - x, height - 1 - y)
          case 4: (x, height - 1 - y)
          case 5: (y, x)
          case 6: (y, height - 1 - x)
          case 7: (width - 1 - y, height - 1 - x)
          default: (width - 1 - y, x)
          }
        for channel in 0..<channels {
          result[(y * newWidth + x) * channels + channel] =
            pixels[(row * width + column) * channels + channel]
        }
      }
    }
    return Image(unchecked: result, width: newWidth, height: newHeight, channels: channels)
  }
}
