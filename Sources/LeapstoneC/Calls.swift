// Calls: what surrounds every function that C can call: what was thrown becomes a status, and a message of the thread.

import CLeapstone
import LeapTensors
import Leapstone

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Why a call is refused.
struct CallFailure: Error {
  let status: leapstone_status
  let message: String

  init(_ status: Int, _ message: String) {
    self.status = leapstone_status(status)
    self.message = message
  }

  /// An argument that means nothing here.
  static func argument(_ message: String) -> CallFailure {
    CallFailure(LEAPSTONE_INVALID_ARGUMENT, message)
  }
}

/// Executes a call. Errors that tell of the model or its inputs alike, a plan that cannot be made say, mean the one
/// while a session is made and the other while it runs.
func call(isRun: Bool = false, _ body: () throws -> Void) -> leapstone_status {
  do {
    try body()
    return leapstone_status(LEAPSTONE_OK)
  } catch {
    let failure = failure(from: error, isRun: isRun)
    ErrorMessage.set(failure.message)
    return failure.status
  }
}

private func failure(from error: any Error, isRun: Bool) -> CallFailure {
  switch error {
  case let failure as CallFailure: return failure
  case let error as ModelError:
    return CallFailure(status(of: error, isRun: isRun), error.description)
  case let error as RunError: return CallFailure(status(of: error), error.description)
  case let error as OperatorError:
    return CallFailure(isRun ? LEAPSTONE_RUN_FAILED : LEAPSTONE_INVALID_MODEL, error.reason)
  default: return CallFailure(LEAPSTONE_INTERNAL, "\(error)")
  }
}

private func status(of error: ModelError, isRun: Bool) -> Int {
  switch error {
  case .unreadable(let path, _):
    access(path, F_OK) != 0 && errno == ENOENT ? LEAPSTONE_NO_SUCH_FILE : LEAPSTONE_UNREADABLE
  case .fileChanged: LEAPSTONE_UNREADABLE
  case .notONNX, .malformed: LEAPSTONE_NOT_ONNX
  case .limitExceeded, .invalid, .externalData: LEAPSTONE_INVALID_MODEL
  case .unsupportedOperators: LEAPSTONE_UNSUPPORTED
  case .inference, .pass, .planning: isRun ? LEAPSTONE_RUN_FAILED : LEAPSTONE_INVALID_MODEL
  case .overBudget, .outOfMemory: LEAPSTONE_OUT_OF_MEMORY
  case .option: LEAPSTONE_INVALID_ARGUMENT
  }
}

private func status(of error: RunError) -> Int {
  switch error {
  case .unknownInput, .missingInput, .inputMismatch, .unknownOutput, .outputMismatch, .noTensor,
    .elementCount:
    LEAPSTONE_INVALID_ARGUMENT
  case .node: LEAPSTONE_RUN_FAILED
  case .cancelled: LEAPSTONE_CANCELLED
  case .deadlineExceeded: LEAPSTONE_TIMED_OUT
  case .busy: LEAPSTONE_BUSY
  case .overBudget, .outOfMemory: LEAPSTONE_OUT_OF_MEMORY
  }
}

/// The message of the last call that failed, for each thread.
enum ErrorMessage {
  private static let key: pthread_key_t = {
    var key = pthread_key_t()
    // Without a key there are no messages; the status still says what happened.
    pthread_key_create(&key) { free($0) }
    return key
  }()

  private static let empty = ConstantText("")

  static func set(_ text: String) {
    free(pthread_getspecific(key))
    pthread_setspecific(key, strdup(text))
  }

  static var current: UnsafePointer<CChar> {
    guard let message = pthread_getspecific(key) else { return empty.pointer }
    return UnsafePointer(message.assumingMemoryBound(to: CChar.self))
  }
}
