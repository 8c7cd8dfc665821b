// TeamState: all that workers agree on between regions, in one word, so that one atomic operation
// moves a team from one state to the next and no two of its facts can disagree.

/// The word that a team's workers share. Fields of 16 bits count helpers; the caller is in none of
/// them.
struct TeamState {
  var word: UInt64

  /// Helpers inside the region. It is over when they are none and it is not open.
  var active: Int { Int(word & 0xFFFF) }
  /// Helpers that have come to the team and not left it, parked ones among them.
  var attending: Int { Int(word >> 16 & 0xFFFF) }
  /// Helpers that sleep until they are signalled. Only they raise it, only the caller lowers it.
  var parked: Int { Int(word >> 32 & 0xFFFF) }
  /// Whether there may be blocks to hand out. Whoever finds none left closes the region.
  var isOpen: Bool { word & TeamState.open != 0 }
  /// Whether the run is over and the helpers are to leave.
  var isDismissed: Bool { word & TeamState.dismissed != 0 }
  /// Whether the caller sleeps until the last helper has left the region.
  var callerWaits: Bool { word & TeamState.callerWaits != 0 }

  static let oneActive: UInt64 = 1
  static let oneAttending: UInt64 = 1 << 16
  static let oneParked: UInt64 = 1 << 32
  static let open: UInt64 = 1 << 48
  static let dismissed: UInt64 = 1 << 49
  static let callerWaits: UInt64 = 1 << 50

  /// The widest team whose counts fit, with room to spare.
  static let maximalWidth = 4096
}
