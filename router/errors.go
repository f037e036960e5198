// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"strconv"
	"strings"
	"time"
)

// ErrorKind is the class of a failure. Faces turn it into a gRPC code or an HTTP status; nothing else does.
type ErrorKind uint8

// The error kinds, named after the canonical codes they become.
const (
	KindInternal ErrorKind = iota
	KindInvalidArgument
	KindNotFound
	KindAlreadyExists
	KindFailedPrecondition
	KindPermissionDenied
	KindResourceExhausted
	KindAborted
	KindUnavailable
	KindUnauthenticated
	KindUnimplemented
	KindDeadlineExceeded
)

// Error is a domain error: a sentinel, or a copy of one with details. errors.Is matches copies by Reason.
type Error struct {
	Kind       ErrorKind
	Reason     string // stable, UPPER_SNAKE, part of the API
	Code       int    // the seed's numeric code, 0 when it has none
	Message    string // for people
	Field      string // the request field at fault, snake_case
	Subject    string // the id it is about
	RetryAfter time.Duration
	Current    uint64 // for KindAborted: the value a stale fence should have had
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	if e.Subject != "" {
		b.WriteString(": ")
		b.WriteString(strconv.Quote(e.Subject))
	}
	return b.String()
}

// Is matches by Reason, so that a copy with details is still its sentinel.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Reason == e.Reason
}

// About returns a copy that names the id it is about.
func (e *Error) About(subject string) *Error {
	c := *e
	c.Subject = subject
	return &c
}

// In returns a copy that names the request field at fault.
func (e *Error) In(field string) *Error {
	c := *e
	c.Field = field
	return &c
}

// saying returns a copy with another message.
func (e *Error) saying(message string) *Error {
	c := *e
	c.Message = message
	return &c
}

// coded returns a copy with another numeric code.
func (e *Error) coded(code int) *Error {
	c := *e
	c.Code = code
	return &c
}

// Now returns a copy that carries the current value of a stale fence.
func (e *Error) Now(current uint64) *Error {
	c := *e
	c.Current = current
	return &c
}

// After returns a copy that says when to try again.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// The domain errors. Reasons and codes are part of the control API.
var (
	ErrSessionNotFound      = &Error{Kind: KindNotFound, Reason: "SESSION_NOT_FOUND", Message: "no such session"}
	ErrSessionExists        = &Error{Kind: KindAlreadyExists, Reason: "SESSION_EXISTS", Message: "session id is taken"}
	ErrRoomNotFound         = &Error{Kind: KindNotFound, Reason: "ROOM_NOT_FOUND", Message: "no such room"}
	ErrNotAMember           = &Error{Kind: KindNotFound, Reason: "NOT_A_MEMBER", Code: 1002002, Message: "not a member of the room"}
	ErrNotInRoom            = &Error{Kind: KindFailedPrecondition, Reason: "NOT_IN_ROOM", Code: 1000002, Message: "the session is not in the room"}
	ErrStreamNotFound       = &Error{Kind: KindNotFound, Reason: "STREAM_NOT_FOUND", Code: 1004002, Message: "no such stream"}
	ErrSubscriptionNotFound = &Error{Kind: KindNotFound, Reason: "SUBSCRIPTION_NOT_FOUND", Message: "no such subscription"}
	ErrUnknownApp           = &Error{Kind: KindPermissionDenied, Reason: "UNKNOWN_APP", Message: "app is not configured on this node"}

	ErrRoomModeFixed     = &Error{Kind: KindFailedPrecondition, Reason: "ROOM_MODE_FIXED", Code: 1001020, Message: "a session's room mode cannot change"}
	ErrSingleRoomMode    = &Error{Kind: KindFailedPrecondition, Reason: "SINGLE_ROOM_MODE", Code: 1002001, Message: "a session in SINGLE mode is in one room only"}
	ErrUserMismatch      = &Error{Kind: KindFailedPrecondition, Reason: "USER_MISMATCH", Code: 1002018, Message: "user differs from the session's user"}
	ErrMultiRoomDisabled = &Error{Kind: KindPermissionDenied, Reason: "MULTI_ROOM_DISABLED", Code: 1002036, Message: "the app is not entitled to several rooms at once"}
	ErrUserRoomLimit     = &Error{Kind: KindResourceExhausted, Reason: "USER_ROOM_LIMIT", Code: 1002037, Message: "the user is in the most rooms allowed at once", RetryAfter: 5 * time.Second}
	ErrPublishRoom       = &Error{Kind: KindInvalidArgument, Reason: "ROOM_ID_REQUIRED", Code: 1003070, Field: "room_id", Message: "publishing in MULTI mode needs a room_id"}
	ErrPlayRoom          = &Error{Kind: KindInvalidArgument, Reason: "ROOM_ID_REQUIRED", Code: 1004070, Field: "room_id", Message: "subscribing in MULTI mode needs a room_id"}

	ErrRoomFull          = &Error{Kind: KindResourceExhausted, Reason: "ROOM_FULL", Code: 1002034, Message: "the room has the most members allowed", RetryAfter: 5 * time.Second}
	ErrNodeRoomLimit     = &Error{Kind: KindResourceExhausted, Reason: "NODE_ROOM_LIMIT", Code: 1002035, Message: "the node has the most rooms allowed", RetryAfter: 5 * time.Second}
	ErrNodeSessionLimit  = &Error{Kind: KindResourceExhausted, Reason: "NODE_SESSION_LIMIT", Message: "the node has the most sessions allowed", RetryAfter: 5 * time.Second}
	ErrStreamLimit       = &Error{Kind: KindResourceExhausted, Reason: "STREAM_LIMIT", Message: "the user publishes the most streams allowed", RetryAfter: 5 * time.Second}
	ErrSubscriptionLimit = &Error{Kind: KindResourceExhausted, Reason: "SUBSCRIPTION_LIMIT", Code: 1004010, Message: "the user has the most subscriptions allowed", RetryAfter: 5 * time.Second}
	ErrMessageRate       = &Error{Kind: KindResourceExhausted, Reason: "MESSAGE_RATE", Code: 1009015, Message: "messages are sent too fast"}
	ErrBanLimit          = &Error{Kind: KindResourceExhausted, Reason: "BAN_LIMIT", Message: "the node holds the most bans allowed", RetryAfter: 5 * time.Second}
	ErrMetadataLimit     = &Error{Kind: KindResourceExhausted, Reason: "METADATA_LIMIT", Code: 1002017, Message: "the room has the most metadata keys allowed", RetryAfter: 5 * time.Second}

	ErrUserExists         = &Error{Kind: KindAlreadyExists, Reason: "USER_EXISTS", Code: 1002050, Message: "the user has a session already"}
	ErrStreamExists       = &Error{Kind: KindAlreadyExists, Reason: "STREAM_EXISTS", Code: 1003028, Message: "stream id is taken"}
	ErrSubscriptionExists = &Error{Kind: KindAlreadyExists, Reason: "SUBSCRIPTION_EXISTS", Message: "the session has another subscription to the stream"}
	ErrBanned             = &Error{Kind: KindPermissionDenied, Reason: "BANNED", Code: 1002066, Message: "the user is banned from the room"}
	ErrPublishDenied      = &Error{Kind: KindPermissionDenied, Reason: "PUBLISH_DENIED", Code: 1003025, Message: "the member may not publish"}
	ErrSubscribeDenied    = &Error{Kind: KindPermissionDenied, Reason: "SUBSCRIBE_DENIED", Code: 1004025, Message: "the member may not subscribe"}
	ErrMessageDenied      = &Error{Kind: KindPermissionDenied, Reason: "MESSAGE_DENIED", Code: 1009010, Message: "the member may not send messages"}
	ErrMetadataETag       = &Error{Kind: KindAborted, Reason: "STALE_ETAG", Message: "metadata was changed by somebody else"}
	ErrStaleEpoch         = &Error{Kind: KindAborted, Reason: "STALE_EPOCH", Message: "the session is another one than meant"}
	ErrStaleIncarnation   = &Error{Kind: KindAborted, Reason: "STALE_INCARNATION", Message: "the room is another one than meant"}
	ErrStaleGeneration    = &Error{Kind: KindAborted, Reason: "STALE_GENERATION", Message: "a later generation was applied"}
	ErrDraining           = &Error{Kind: KindUnavailable, Reason: "DRAINING", Message: "the node is draining", RetryAfter: time.Second}

	ErrRoomIDInvalid   = &Error{Kind: KindInvalidArgument, Reason: "ROOM_ID_INVALID", Code: 1002012, Field: "room_id", Message: "room id must be 1 to 127 bytes of the allowed characters"}
	ErrUserIDInvalid   = &Error{Kind: KindInvalidArgument, Reason: "USER_ID_INVALID", Code: 1002006, Field: "user.id", Message: "user id must be 1 to 63 bytes of the allowed characters"}
	ErrUserNameInvalid = &Error{Kind: KindInvalidArgument, Reason: "USER_NAME_INVALID", Code: 1002009, Field: "user.name", Message: "user name must be 1 to 255 bytes of UTF-8"}
	ErrStreamIDInvalid = &Error{Kind: KindInvalidArgument, Reason: "STREAM_ID_INVALID", Code: 1000016, Field: "stream_id", Message: "stream id must be 1 to 255 bytes of letters, digits, - and _"}
	ErrAppIDInvalid    = &Error{Kind: KindInvalidArgument, Reason: "APP_ID_INVALID", Field: "app_id", Message: "app id must be 1 to 63 bytes of letters, digits, ., - and _"}
	ErrSessionID       = &Error{Kind: KindInvalidArgument, Reason: "SESSION_ID_INVALID", Field: "session_id", Message: "session id must be 1 to 127 bytes of letters, digits, ., - and _"}
	ErrArgument        = &Error{Kind: KindInvalidArgument, Reason: "INVALID_ARGUMENT", Code: 1000017, Message: "invalid argument"}
	ErrUnknownMid      = &Error{Kind: KindFailedPrecondition, Reason: "UNKNOWN_MID", Message: "the session has no such up line"}
	ErrMediaRequired   = &Error{Kind: KindInvalidArgument, Reason: "MEDIA_REQUIRED", Message: "audio, video or both must be asked for"}
	ErrMessageEmpty    = &Error{Kind: KindInvalidArgument, Reason: "MESSAGE_EMPTY", Code: 1009001, Field: "payload", Message: "message is empty"}
	ErrMessageTooLong  = &Error{Kind: KindInvalidArgument, Reason: "MESSAGE_TOO_LONG", Code: 1009002, Field: "payload", Message: "message is too long"}
	ErrMetadataTooLong = &Error{Kind: KindInvalidArgument, Reason: "METADATA_TOO_LONG", Code: 1003051, Field: "metadata", Message: "metadata is too long"}
	ErrMetadataKey     = &Error{Kind: KindInvalidArgument, Reason: "METADATA_KEY_INVALID", Code: 1002014, Field: "key", Message: "metadata key must be 1 to 127 bytes"}
)
