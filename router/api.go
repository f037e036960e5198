// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import "time"

// SessionID names one client transport on the node. Chosen by the caller or, when empty, by the node.
type SessionID string

// SubscriptionID names one subscription on the node; given by the router, never reused within a process.
type SubscriptionID string

// RoomMode says whether a session may be in more than one room. It is fixed when the session is created.
type RoomMode uint8

// The room modes.
const (
	ModeSingle RoomMode = iota + 1
	ModeMulti
)

// Kind is a media kind.
type Kind uint8

// The media kinds.
const (
	Audio Kind = iota + 1
	Video
)

// User is a user of an app; both fields are fixed for the life of a session.
type User struct {
	ID   string // 1 to 63 bytes
	Name string // 1 to 255 bytes
}

// Grants say what a member may do in its room.
type Grants struct {
	Publish, Subscribe, Message, Manage bool
}

// DefaultGrants is what a join without grants gets: everything but Manage.
func DefaultGrants() Grants { return Grants{Publish: true, Subscribe: true, Message: true} }

// DuplicateUserPolicy says what a second session of the same user id does.
type DuplicateUserPolicy uint8

// The duplicate-user policies. Replace is the default: the earlier session is closed with ReasonDuplicateUser.
const (
	DuplicateReplace DuplicateUserPolicy = iota
	DuplicateReject
)

// StreamIDScope says where a stream id must be unique.
type StreamIDScope uint8

// The stream id scopes. ScopeRoom is the default.
const (
	ScopeRoom StreamIDScope = iota
	ScopeApp
)

// Limits of one app. A zero field means "the default" in configuration; after Router.New every field is positive.
type Limits struct {
	RoomsPerUser         int // rooms one user is in at once; default 5
	MembersPerRoom       int // default 1000
	Rooms                int // rooms of this app on the node; default 10000
	Sessions             int // sessions of this app on the node; default 10000
	StreamsPerUser       int // published streams of one user over all rooms; default 32
	SubscriptionsPerUser int // subscriptions of one user over all rooms; default 256
	MessageBytes         int // payload of one message; default 1024
	BroadcastPerSecond   int // per room; default 10
	BroadcastPerUser     int // per user and second in a room; default 2
	BarragePerSecond     int // per room; default 20
	CommandPerSecond     int // per room, to one user; default 200
	CommandManyPerSecond int // per room, to many users; default 10
	MetadataBytes        int // one metadata value; default 1024
	MetadataKeys         int // keys per room; default 32
}

// App is a tenant: a namespace of users and rooms with its own entitlements.
type App struct {
	ID            string
	MultiRoom     bool // entitled to ModeMulti; without it joining in ModeMulti fails with ErrMultiRoomDisabled
	DuplicateUser DuplicateUserPolicy
	StreamIDScope StreamIDScope
	Loudest       uint32 // what a room of the app opens with, see Room.Loudest; 0 to MaxLoudest
	Limits        Limits
}

// Config of a Router. It is not changed after New; SetApp changes one app at run time.
type Config struct {
	DefaultApp     App            // what an app that Apps does not name gets (its ID is ignored)
	Apps           map[string]App // by app id
	OnlyNamedApps  bool           // an app id that is not in Apps is refused with ErrUnknownApp
	NodeRooms      int            // rooms on the node; default 10000
	NodeSessions   int            // sessions on the node; default 10000
	SessionTTL     time.Duration  // never connected, or disconnected for so long: closed; default 60 s
	ReconnectGrace time.Duration  // connection lost to close, for sessions that were connected; default 30 s
	ExpiryWarning  time.Duration  // member_expiring is told so long before the end; default 30 s
	EventRingCount int            // default 65536
	EventRingBytes int            // estimated; default 32 MiB
	MessageDedup   int            // client_message_ids remembered per room; default 256
	Bans           int            // bans kept at once on the node; default 10000
	Epoch          uint64         // of this process; in ids, so that they differ between processes
}

// ---- what the router tells about itself: value copies, safe to keep ----

// ConnectionState of a session's transport.
type ConnectionState uint8

// The connection states.
const (
	ConnectionNew ConnectionState = iota + 1
	ConnectionConnected
	ConnectionDisconnected // consent lost; the session and its rooms stay for Config.ReconnectGrace
	ConnectionClosed
)

// Session is a copy of a session's state.
type Session struct {
	ID         SessionID
	App        string
	User       User
	Mode       RoomMode
	Epoch      uint64 // differs for every session ever created on the node
	Connection ConnectionState
	Labels     map[string]string
	TTL        time.Duration
	Created    time.Time
	Rooms      []string // sorted
	Lines      []Line   // in m-line order
	Limits     Limits
}

// LineDirection is the direction of an m-line, seen from the node.
type LineDirection uint8

// The line directions.
const (
	LineInactive LineDirection = iota + 1
	LineUp                     // a source: the client sends
	LineDown                   // a slot: the node sends
)

// Line is one negotiated m-line of a session. A Down line is a slot; the last five fields say what it is bound to, and
// are empty for an idle slot. An Up line is a source that may back any number of streams.
type Line struct {
	Mid          string
	Kind         Kind
	Direction    LineDirection
	Pair         int    // number of a slot among those of its kind, from 1, in m-line order; 0: never a slot. The audio and the video slot of a number are played in step
	Live         bool   // Up: media arrives
	Codec        string // Up: MIME type of what arrived last; empty before
	Subscription SubscriptionID
	Room         string
	Stream       string
	SourceMid    string
	Source       SessionID
}

// Member is a copy of a member's state.
type Member struct {
	App         string
	Room        string
	Incarnation uint64
	Session     SessionID
	User        User
	Grants      Grants
	Metadata    string
	Joined      time.Time
	Expires     time.Time // zero: never
	Weight      uint32    // of the room when the member's link is short, 1 to MaxWeight
}

// StreamState says whether media of a stream arrives.
type StreamState uint8

// The stream states.
const (
	StreamWaiting StreamState = iota + 1
	StreamLive
)

// Stream is a copy of a stream's state.
type Stream struct {
	App                    string
	Room                   string
	Incarnation            uint64
	ID                     string
	Session                SessionID
	User                   User
	AudioMid, VideoMid     string // empty: no such track
	AudioMuted, VideoMuted bool   // by MuteStream: subscribers of this room get nothing
	AudioCodec, VideoCodec string // MIME types; empty before media has arrived
	State                  StreamState
	Metadata               string
	Published              time.Time
	Layers                 []VideoLayer // of the video as of the last PublisherLayersEvent, smallest first; shared, read only
}

// SubscriptionState says where a subscription stands.
type SubscriptionState uint8

// The subscription states.
const (
	SubscriptionActive            SubscriptionState = iota + 1 // bound to its slots
	SubscriptionPending                                        // no such stream yet
	SubscriptionNeedsNegotiation                               // the stream exists, an idle slot does not
	SubscriptionEnded                                          // in events only
	SubscriptionPausedByBandwidth                              // as Active, but the link does not carry the video
)

// Preference is a subscriber's wish for layers; zero fields mean "no wish".
type Preference struct {
	MaxSpatial, MaxTemporal *uint8
	Width, Height, FPS      uint32
}

// Subscription is a copy of a subscription's state.
type Subscription struct {
	ID                 SubscriptionID
	App                string
	Session            SessionID
	User               User
	Room               string
	Incarnation        uint64
	Stream             string
	Audio, Video       bool // wanted
	Preference         Preference
	Priority           uint32
	Paused             bool
	State              SubscriptionState
	AudioMid, VideoMid string // slots, when Active or PausedByBandwidth
	Spatial, Temporal  int8   // layer of the video that is shown; negative: none, or not told yet
	TargetSpatial      int8   // layer that is aimed at; negative: none, or not told yet
	BandwidthPaused    bool   // exactly in PausedByBandwidth
}

// Metadata is one key of a room's metadata.
type Metadata struct {
	Key, Value string
	ETag       string
}

// Room is a copy of a room's state.
type Room struct {
	App         string
	ID          string
	Incarnation uint64
	Revision    uint64 // of the room's last event
	Opened      time.Time
	Members     []Member   // sorted by user id
	Streams     []Stream   // sorted by id
	Metadata    []Metadata // sorted by key
	Loudest     uint32     // audio streams that are forwarded at most, the loudest; 0: all; at most MaxLoudest
}

// Reason says why something ended or changed.
type Reason string

// The reasons.
const (
	ReasonRequested      Reason = "REQUESTED"       // the call that names it
	ReasonLeft           Reason = "LEFT"            // its user left the room
	ReasonKicked         Reason = "KICKED"          // KickUser
	ReasonRoomClosed     Reason = "ROOM_CLOSED"     // CloseRoom
	ReasonSessionClosed  Reason = "SESSION_CLOSED"  // CloseSession
	ReasonDuplicateUser  Reason = "DUPLICATE_USER"  // the same user opened another session
	ReasonConnectionLost Reason = "CONNECTION_LOST" // consent lost and not regained in time
	ReasonNeverConnected Reason = "NEVER_CONNECTED" // no transport within the session's TTL
	ReasonExpired        Reason = "EXPIRED"         // the membership's expire_time passed
	ReasonMoved          Reason = "MOVED"           // SwitchRoom or MoveMembers
	ReasonGrantsChanged  Reason = "GRANTS_CHANGED"  // UpdateMember took the grant away
	ReasonStreamRemoved  Reason = "STREAM_REMOVED"  // the stream of a subscription ended
	ReasonSourceGone     Reason = "SOURCE_GONE"     // the publisher's m-line went inactive
	ReasonSwitched       Reason = "SWITCHED"        // SwitchSubscription
	ReasonDrained        Reason = "DRAINED"         // the drain's deadline passed
	ReasonMediaFailed    Reason = "MEDIA_FAILED"    // the media engine gave up on the session
)

// Command is one change asked of the router; see the types below. A failed command changes nothing: no state, no event,
// no effect.
type Command interface {
	apply(r *Router, tx *transaction) (any, error)
}

// Fence guards a command against a session or room that is not the one the caller means. Zero fields do not check.
type Fence struct {
	SessionEpoch uint64
	Incarnation  uint64
}

// CreateSession opens a session. Reply: Session.
type CreateSession struct {
	App    string
	ID     SessionID // empty: the router makes one
	User   User
	Mode   RoomMode
	TTL    time.Duration // 0: Config.SessionTTL
	Labels map[string]string
}

// CloseSession leaves all rooms and ends the session. Reply: Stopped.
type CloseSession struct {
	Session SessionID
	Fence   Fence
	Reason  Reason // empty: ReasonSessionClosed
	Why     string // told in the session's last event, at most 255 bytes
}

// SetConnection tells the router the state of a session's transport. Reply: nil.
type SetConnection struct {
	Session SessionID
	State   ConnectionState
}

// SetLines replaces a session's m-lines by those of an accepted offer, in m-line order; lines are never taken away, only
// added or changed in direction (RFC 9429, section 5.2.2). Waiting subscriptions take the new slots. Reply: []Line.
type SetLines struct {
	Session SessionID
	Fence   Fence
	Lines   []Line // Mid, Kind and Direction
}

// SetSourceLive tells the router that media of an up line arrives, or has stopped. Reply: nil.
type SetSourceLive struct {
	Session SessionID
	Mid     string
	Live    bool
	Codec   string // as its MIME type, for example "video/VP8"; empty: not known
}

// Connect is everything of a join in one command, all or nothing. Session fields as in CreateSession; the Session field of
// the other commands is ignored. Reply: ConnectReply.
type Connect struct {
	Create        CreateSession
	Lines         []Line
	Joins         []JoinRoom
	Publishes     []Publish
	Subscriptions []Subscribe
}

// ConnectReply answers Connect, in the order of its parts.
type ConnectReply struct {
	Session       Session
	Rooms         []JoinReply
	Streams       []Stream
	Subscriptions []Subscription
	Lines         []Line
}

// JoinRoom makes the session a member of the room. Repeating it answers the same member. Reply: JoinReply.
type JoinRoom struct {
	Session  SessionID
	Fence    Fence // Incarnation is not looked at
	Room     string
	User     *User   // when given, must equal the session's user, id and name
	Grants   *Grants // nil: DefaultGrants
	Expires  time.Time
	Metadata string
	Weight   uint32 // of the room among the session's rooms when its link is short, 1 to MaxWeight; 0: 1. A repeat changes nothing
}

// JoinReply is the member and the room as of Revision; the first event with a higher revision is the next change.
type JoinReply struct {
	Member   Member
	Room     Room
	Revision uint64
	Repeated bool
}

// LeaveRoom ends the membership and everything that hangs on it. Reply: Stopped.
type LeaveRoom struct {
	Session SessionID
	Fence   Fence
	Room    string // may be empty in ModeSingle
}

// LeaveAllRooms leaves every room of the session. Reply: Stopped.
type LeaveAllRooms struct {
	Session SessionID
	Fence   Fence
}

// Stopped counts what a stop command ended.
type Stopped struct {
	Rooms, Streams, Subscriptions int // Rooms: memberships; Subscriptions: own ones and those of others to the ended streams
}

// SwitchRoom leaves From and joins To in one step; limits are checked on the outcome. Reply: JoinReply.
type SwitchRoom struct {
	Session  SessionID
	Fence    Fence // Incarnation: of From
	From, To string
	Grants   *Grants // nil: those in From
	Expires  time.Time
	Weight   uint32 // 0: that in From
}

// MoveMembers is a batch of SwitchRoom of one app, by user, with a result per item: an item that fails changes nothing
// and does not stop the others. From may be empty: join only. Reply: []MoveResult, in order.
type MoveMembers struct {
	App   string
	Items []Move
}

// Move is one item of MoveMembers.
type Move struct {
	User     string
	From, To string
	Grants   *Grants
	Weight   uint32 // 0: that in From, or 1
}

// MoveResult is the outcome of one Move.
type MoveResult struct {
	Member Member
	Err    error
}

// KickUser removes a user from one room. With Ban > 0 it cannot join again for so long. Reply: Stopped.
type KickUser struct {
	App, Room, User string
	Fence           Fence
	Why             string // told to the user, at most 255 bytes
	Ban             time.Duration
}

// CloseRoom removes everybody. Reply: Stopped.
type CloseRoom struct {
	App, Room string
	Fence     Fence
	Why       string
}

// UpdateMember changes grants, metadata and weight; nil fields stay. A grant taken away ends what it allowed. Reply: Member.
type UpdateMember struct {
	App, Room, User string
	Fence           Fence
	Grants          *Grants
	Metadata        *string
	Weight          *uint32 // see JoinRoom
}

// RenewMember sets the end of a membership; the zero time means never. Reply: Member.
type RenewMember struct {
	App, Room, User string
	Fence           Fence
	Expires         time.Time
}

// SetRoomMetadata sets a key, or removes it when Value is nil. With ETag set it must match. Reply: Metadata.
type SetRoomMetadata struct {
	App, Room string
	Fence     Fence
	Key       string
	Value     *string
	ETag      string
}

// Publish announces a stream in a room, backed by up lines of the session. The same lines may be published in any of its
// rooms. Reply: Stream.
type Publish struct {
	Session            SessionID
	Fence              Fence
	Room               string // may be empty in ModeSingle
	Stream             string
	AudioMid, VideoMid string // at least one
	Metadata           string
}

// Unpublish ends a stream and every subscription to it. Reply: Stopped.
type Unpublish struct {
	Session SessionID
	Fence   Fence
	Room    string
	Stream  string
}

// MuteStream stops or resumes forwarding of a stream's kinds to all its subscribers in that room; nil stays. Reply: Stream.
type MuteStream struct {
	App, Room, Stream string
	Fence             Fence
	Audio, Video      *bool // true: muted
}

// SetStreamMetadata replaces a stream's metadata. Reply: Stream.
type SetStreamMetadata struct {
	App, Room, Stream string
	Fence             Fence
	Metadata          string
}

// RequestKeyframe asks the stream's source for a keyframe. Reply: Stream.
type RequestKeyframe struct {
	App, Room, Stream string
	Fence             Fence
}

// Subscribe wishes for a stream of a room the session is in. A stream that does not exist yet makes it pending. Repeating
// it answers the same subscription. Reply: Subscription.
type Subscribe struct {
	Session      SessionID
	Fence        Fence
	Room         string // may be empty in ModeSingle
	Stream       string
	Audio, Video bool // at least one
	Preference   Preference
	Priority     uint32
	Paused       bool
}

// SwitchSubscription points a subscription at another stream, in place: it keeps its id and slots. Reply: Subscription.
type SwitchSubscription struct {
	ID           SubscriptionID
	Room, Stream string
}

// UpdateSubscription changes how a subscription is served; nil fields stay. Reply: Subscription.
type UpdateSubscription struct {
	ID         SubscriptionID
	Preference *Preference
	Priority   *uint32
	Paused     *bool
}

// Unsubscribe ends a subscription. Reply: Stopped.
type Unsubscribe struct {
	ID SubscriptionID
}

// SetSubscriptions makes Desired the session's subscriptions in the room, by the smallest change; a Generation lower than
// the last is ErrStaleGeneration. All or nothing. Session and Room of the items are ignored. Reply: []Subscription, in
// the order of Desired.
type SetSubscriptions struct {
	Session    SessionID
	Fence      Fence
	Room       string
	Generation uint64
	Desired    []Subscribe
}

// MessageKind is the kind of a room message.
type MessageKind uint8

// The message kinds.
const (
	MessageBroadcast MessageKind = iota + 1
	MessageBarrage
	MessageCommand
)

// SendMessage sends a message to members of a room. From need not be in the room when FromServer is set. Reply: MessageReply.
type SendMessage struct {
	App, Room       string
	Fence           Fence
	From            string // user id
	FromServer      bool
	Kind            MessageKind
	To              []string // MessageCommand only; empty: all but the sender
	Payload         []byte
	ClientMessageID string // repeats within the room are answered the same and not sent again
}

// MessageReply tells how many members a message went to.
type MessageReply struct {
	ID                string
	Accepted, Dropped int // Dropped: named users that are not in the room
	Repeated          bool
}

// SetApp replaces an app's entitlements and limits at run time. Sessions and rooms over a lowered limit stay. Reply: App.
type SetApp struct {
	App App
}

// ChangeApp replaces an app's entitlements and limits by what Change makes of those that hold, in one step: no other command
// comes between what Change sees and what it sets. It is for who changes some of them; SetApp for who knows all. Reply: App.
type ChangeApp struct {
	ID     string
	Change func(App) (App, error) // must not call the Router; an error is the command's. It cannot change the id
}

// SetDraining starts or ends draining: no new sessions and no new rooms meanwhile. Reply: nil.
type SetDraining struct {
	Draining bool
	Deadline time.Time
}

// Tick lets time pass: expiries, warnings, lost connections, ends of bans. Call it about once a second. Reply: nil.
type Tick struct{}

// ReportSpeakers tells who speaks in a room, loudest first; it only makes an event. Reply: nil.
type ReportSpeakers struct {
	App, Room string
	Speakers  []Speaker
}

// Speaker is one active speaker.
type Speaker struct {
	Stream, User string
	Level        uint8 // -dBov, 0 loudest, 127 silence (RFC 6464)
}

// ---- effects ----

// Effect is one thing the media engine must do for one session. Effects of a command are carried out in order; those that
// stop media are awaited before the command is answered.
type Effect interface {
	// Target is the session whose loop carries the effect out.
	Target() SessionID
}

// BindSlot forwards a source into a slot: starts an idle one, or switches a bound one in place.
type BindSlot struct {
	Session      SessionID
	Mid          string
	Kind         Kind
	Subscription SubscriptionID
	Room, Stream string
	Source       SessionID
	SourceMid    string
	Paused       bool // by the subscriber or a muted stream
	Preference   Preference
	Priority     uint32
	Weight       uint32 // of the room for this member, 1 to MaxWeight
}

// UnbindSlot stops forwarding into a slot. When the media engine has done it not one more packet leaves.
type UnbindSlot struct {
	Session      SessionID
	Mid          string
	Kind         Kind
	Subscription SubscriptionID
	Room, Stream string
}

// UpdateSlot changes how a bound slot is served. Paused true is awaited like UnbindSlot.
type UpdateSlot struct {
	Session      SessionID
	Mid          string
	Kind         Kind
	Subscription SubscriptionID
	Paused       bool
	Preference   Preference
	Priority     uint32
	Weight       uint32 // as in BindSlot
}

// AskKeyframe asks a source for a keyframe.
type AskKeyframe struct {
	Session SessionID // the publisher
	Mid     string
}

// DeliverMessage hands a room message to a session's data channel, if it has one.
type DeliverMessage struct {
	Session SessionID
	Message *MessageEvent // shared, read only
	Room    string
}

// EndSession closes the session's transport. It is the last effect of a session.
type EndSession struct {
	Session SessionID
	Reason  Reason
}

// Target implements Effect.
func (e BindSlot) Target() SessionID { return e.Session }

// Target implements Effect.
func (e UnbindSlot) Target() SessionID { return e.Session }

// Target implements Effect.
func (e UpdateSlot) Target() SessionID { return e.Session }

// Target implements Effect.
func (e AskKeyframe) Target() SessionID { return e.Session }

// Target implements Effect.
func (e DeliverMessage) Target() SessionID { return e.Session }

// Target implements Effect.
func (e EndSession) Target() SessionID { return e.Session }

// ---- events ----

// Event is one change, in the one order of the node. Events are immutable once logged; payloads are shared.
type Event struct {
	Revision     uint64 // node-wide, starts at 1, no gaps
	Time         time.Time
	App          string
	Room         string // empty: not of a room
	Incarnation  uint64
	RoomRevision uint64 // within the room's incarnation, starts at 1, no gaps
	Session      SessionID
	Payload      Payload
}

// Payload is the typed body of an event: always one of the structs below as a value, never a pointer to one.
type Payload interface {
	// Kind names the payload as in the control API, for example "member_joined".
	Kind() string
}

// The event payloads.
type (
	SessionEvent struct {
		Session Session
		Reason  Reason
		Why     string // of CloseSession
	} // created, connection changed, closed
	NegotiationNeededEvent struct{ Audio, Video int } // slots missing
	MemberJoinedEvent      struct{ Member Member }
	MemberLeftEvent        struct {
		Member Member
		Reason Reason
		Why    string
	} // also after a kick
	MemberKickedEvent struct {
		Member   Member
		Reason   Reason
		Why      string
		BanUntil time.Time
	} // before its MemberLeft
	MemberExpiringEvent struct{ Member Member }
	MemberUpdatedEvent  struct{ Member Member }
	StreamAddedEvent    struct{ Stream Stream }
	StreamRemovedEvent  struct {
		Stream Stream
		Reason Reason
	}
	StreamChangedEvent struct{ Stream Stream } // metadata or state
	StreamMutedEvent   struct{ Stream Stream }
	SubscriptionEvent  struct {
		Subscription Subscription
		Reason       Reason
	}
	LayersEvent struct {
		Subscription                     SubscriptionID
		Stream                           string
		Spatial, Temporal, TargetSpatial int8 // as in Subscription
	} // of one subscription
	PublisherLayersEvent struct {
		Stream string
		Layers []VideoLayer // smallest first; read only
	} // anything but a bitrate changed
	SpeakersEvent struct{ Speakers []Speaker }
	MessageEvent  struct {
		ID, ClientMessageID string
		From                User
		MessageKind         MessageKind
		To                  []string // user ids that get it
		All                 bool     // to everybody but the sender
		Payload             []byte
		Sent                time.Time
	}
	RoomMetadataEvent struct {
		Metadata Metadata
		Removed  bool
		By       string
	}
	RoomAudioEvent  struct{ Loudest uint32 }
	RoomOpenedEvent struct{ Loudest uint32 } // what the room opens with
	RoomClosedEvent struct {
		Reason Reason
		Why    string
	}
	LimitsEvent struct{ App App }
	NodeEvent   struct {
		Draining bool
		Deadline time.Time
	}
)

// Snapshot is the complete state as of Revision.
type Snapshot struct {
	Revision      uint64
	Epoch         uint64
	Draining      bool
	Deadline      time.Time      // of draining
	Sessions      []Session      // sorted by id
	Rooms         []Room         // sorted by app, id
	Subscriptions []Subscription // sorted by id
}

// RoomSummary is a room with counts in place of what is in it.
type RoomSummary struct {
	App, ID               string
	Incarnation, Revision uint64
	Opened                time.Time
	Members, Streams      int
	Loudest               uint32
}

// Counts is what a node's load report needs.
type Counts struct {
	Sessions, Rooms, Members, Streams, Subscriptions int
}

// Page selects part of a list: up to Size items (default 100, at most 1000) after the item named by Token.
type Page struct {
	Size  int
	Token string
}

// SessionFilter selects sessions; empty fields match all.
type SessionFilter struct {
	App, User, Room string
}

// RoomFilter selects rooms; empty fields match all.
type RoomFilter struct {
	App, Prefix string
}
