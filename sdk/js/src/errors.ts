// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

/** What every promise of an engine is rejected with. */
export class SwitchyardError extends Error {
  /**
   * @param code    numeric code, see {@link ErrorCode}; 0 when there is none
   * @param reason  in capitals, for example `USER_ROOM_LIMIT`
   * @param message in words
   * @param retryAfter when it may be tried again, in milliseconds; 0: nothing is known
   */
  constructor(readonly code: number, readonly reason: string, message: string, readonly retryAfter = 0) {
    super(message)
    this.name = 'SwitchyardError'
  }
}

/** Numeric codes that programs look at. Others may come; their reason says more. */
export const ErrorCode = {
  /** setRoomMode after an engine was created. */
  RoomModeFixed: 1001020,
  /** Mode single, and already in another room. */
  SingleRoomMode: 1002001,
  /** Not logged in to that room. */
  NotLoggedIn: 1002002,
  /** Another user id or name than in the first room. */
  UserMismatch: 1002018,
  /** The token was refused. */
  BadToken: 1002033,
  RoomFull: 1002034,
  /** Mode multi, and the app is not entitled to it. */
  MultiRoomDisabled: 1002036,
  /** Too many rooms at once. */
  UserRoomLimit: 1002037,
  /** The same user logged in elsewhere. */
  LoggedInElsewhere: 1002050,
  /** Put out of the room. */
  KickedOut: 1002055,
  /** The token expired. */
  TokenExpired: 1002056,
  AlreadyPublishing: 1003023,
  PublishDenied: 1003025,
  StreamExists: 1003028,
  /** Mode multi: publish without a room. */
  PublishRoomRequired: 1003070,
  /** Mode multi: publish with an empty room. */
  PublishRoomEmpty: 1003071,
  PlayDenied: 1004025,
  /** Mode multi: play without a room. */
  PlayRoomRequired: 1004070,
  /** Mode multi: play with an empty room. */
  PlayRoomEmpty: 1004071,
} as const
