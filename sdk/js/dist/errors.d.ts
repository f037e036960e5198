/** What every promise of an engine is rejected with. */
export declare class SwitchyardError extends Error {
    readonly code: number;
    readonly reason: string;
    readonly retryAfter: number;
    /**
     * @param code    numeric code, see {@link ErrorCode}; 0 when there is none
     * @param reason  in capitals, for example `USER_ROOM_LIMIT`
     * @param message in words
     * @param retryAfter when it may be tried again, in milliseconds; 0: nothing is known
     */
    constructor(code: number, reason: string, message: string, retryAfter?: number);
}
/** Numeric codes that programs look at. Others may come; their reason says more. */
export declare const ErrorCode: {
    /** setRoomMode after an engine was created. */
    readonly RoomModeFixed: 1001020;
    /** Mode single, and already in another room. */
    readonly SingleRoomMode: 1002001;
    /** Not logged in to that room. */
    readonly NotLoggedIn: 1002002;
    /** Another user id or name than in the first room. */
    readonly UserMismatch: 1002018;
    /** The token was refused. */
    readonly BadToken: 1002033;
    readonly RoomFull: 1002034;
    /** Mode multi, and the app is not entitled to it. */
    readonly MultiRoomDisabled: 1002036;
    /** Too many rooms at once. */
    readonly UserRoomLimit: 1002037;
    /** The same user logged in elsewhere. */
    readonly LoggedInElsewhere: 1002050;
    /** Put out of the room. */
    readonly KickedOut: 1002055;
    /** The token expired. */
    readonly TokenExpired: 1002056;
    readonly AlreadyPublishing: 1003023;
    readonly PublishDenied: 1003025;
    readonly StreamExists: 1003028;
    /** Mode multi: publish without a room. */
    readonly PublishRoomRequired: 1003070;
    /** Mode multi: publish with an empty room. */
    readonly PublishRoomEmpty: 1003071;
    readonly PlayDenied: 1004025;
    /** Mode multi: play without a room. */
    readonly PlayRoomRequired: 1004070;
    /** Mode multi: play with an empty room. */
    readonly PlayRoomEmpty: 1004071;
};
