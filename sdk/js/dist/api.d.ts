/** How many rooms a user may be in at once: fixed before the engine is created. */
export type RoomMode = 'single' | 'multi';
/** A user. The same id and name in all rooms of an engine. */
export interface User {
    /** 1 to 63 bytes; unique in the app. */
    userID: string;
    /** 1 to 255 bytes; the id when left out. */
    userName?: string;
}
/** Configuration of an engine. */
export interface EngineConfig {
    /** WebSocket of the signaling tier, for example `wss://example.org/signal`. `http:` and `https:` are taken as well. */
    url: string;
    /**
     * The token of the user, or a function that gets one: asked for before every connection that needs a newer one and when a
     * token is about to expire.
     */
    token: string | ((why: TokenReason) => string | Promise<string>);
    /** Receiving lines offered at the start, so that playing and switching need no negotiation. Default 4 of each. */
    spareSlots?: {
        audio?: number;
        video?: number;
    };
    /** How often qualities are told, in milliseconds; 0: never. Default 2000. */
    qualityInterval?: number;
    /** How long lost signaling and sessions are tried again for, in milliseconds. Default 1 200 000 (20 minutes). */
    reconnectFor?: number;
    /** More of RTCPeerConnection's configuration; ICE servers come from the node. */
    peer?: RTCConfiguration;
}
/** Why a token is wanted: the first one, one that was refused or expired, or one that expires soon. */
export type TokenReason = {
    reason: 'first' | 'refused' | 'expiring';
    roomID?: string;
};
/** For {@link Engine.loginRoom}. */
export interface LoginOptions {
    /** Token for this room, when it is not the engine's. */
    token?: string;
}
/** For {@link Engine.createStream}. What is left out is not captured. */
export interface CaptureOptions {
    /** Camera: constraints, or true for 640 × 360 at 30 frames per second. */
    camera?: boolean | MediaTrackConstraints;
    /** Microphone. */
    microphone?: boolean | MediaTrackConstraints;
    /** Screen, window or tab, with its sound where the browser offers it; not together with the camera. */
    screen?: boolean | DisplayMediaStreamOptions;
}
/** For {@link Engine.startPublishingStream}. */
export interface PublisherConfig {
    /** The room. Required in mode multi, else 1003070. */
    roomID?: string;
    /**
     * What is sent. The same MediaStream can be published in several rooms, and is sent once, as its first publication says. Left
     * out: camera and microphone, captured for it and stopped with the last publication.
     */
    stream?: MediaStream;
    /** Layers of the video: true for one to three by its size, or encodings of one's own, smallest first. Default false. */
    simulcast?: boolean | RTCRtpEncodingParameters[];
    /** Codec that is preferred, for example `video/VP9`. Default: the browser's choice. */
    videoCodec?: string;
    /** Most that the video may take, in bit/s; with simulcast the largest layer. */
    maxBitrate?: number;
    /** What the encoder shall keep when it cannot keep all. Default `motion`; `detail` for screens. */
    contentHint?: 'motion' | 'detail' | 'text';
    /** Said of the stream to everybody in the room; at most 1024 bytes. */
    extraInfo?: string;
}
/** For {@link Engine.startPlayingStream}. */
export interface PlayerConfig {
    /** The room. Required in mode multi, else 1004070. */
    roomID?: string;
    /** Default true. */
    audio?: boolean;
    /** Default true. */
    video?: boolean;
    /** Bounds on the video, and who gets bandwidth first. */
    preference?: PlayerPreference;
}
/** What a player can use of a video. Fields left out are no bound. */
export interface PlayerPreference {
    /** Highest spatial layer, 0 the smallest. */
    maxSpatial?: number;
    /** Highest temporal layer, 0 the base. */
    maxTemporal?: number;
    /** Size of the place where it is shown, in pixels. */
    width?: number;
    height?: number;
    /** Frames per second that are of use. */
    fps?: number;
    /** 0 to 255; larger gets bandwidth first. Default 0. */
    priority?: number;
    /** Nothing is sent. */
    paused?: boolean;
}
/** Names a stream when its id alone does not: the same id may be used in several rooms. */
export interface StreamRef {
    roomID?: string;
}
/** A stream of a room. */
export interface StreamInfo {
    roomID: string;
    streamID: string;
    user: User;
    /** Media has arrived. */
    live: boolean;
    audio: boolean;
    video: boolean;
    audioMuted: boolean;
    videoMuted: boolean;
    extraInfo: string;
    /** Why it was removed. */
    reason?: string;
}
/** Where the user stands with a room. */
export type RoomState = 'logging-in' | 'logged-in' | 'login-failed' | 'reconnecting' | 'reconnected' | 'kicked-out' | 'logged-out';
/** Where a publication stands. */
export type PublisherState = 'requesting' | 'publishing' | 'stopped';
/** Where a player stands: `pending` when there is no such stream (yet), `paused` when the link does not carry its video. */
export type PlayerState = 'requesting' | 'pending' | 'playing' | 'paused' | 'stopped';
/** A message of a room. */
export interface RoomMessage {
    roomID: string;
    messageID: string;
    from: User;
    text: string;
    /** Bytes that are not text. */
    data?: Uint8Array;
    /** Milliseconds since 1970. */
    sentAt: number;
}
/** Quality of one direction of a stream, over the last interval. */
export interface Quality {
    roomID: string;
    streamID: string;
    /** bit/s. */
    videoBitrate: number;
    audioBitrate: number;
    /** Frames per second, encoded or decoded. */
    videoFPS: number;
    width: number;
    height: number;
    /** Share of packets lost, 0 to 1. */
    packetLoss: number;
    /** Round trip to the node, in milliseconds. */
    rtt: number;
    /** In milliseconds; players only. */
    jitter: number;
    /** Mean time in the jitter buffer, in milliseconds; players only. */
    delay: number;
    /** MIME type, for example `video/VP8`. */
    videoCodec: string;
    /** Spatial and temporal layer; players: what the node sends, publishers: the layers that are being sent. */
    spatialLayer?: number;
    temporalLayer?: number;
    layers?: number;
    /** Frozen pictures since the start, as the browser counts. */
    freezes: number;
    /** 0 to 1, of the sound; players only. */
    audioLevel: number;
}
/** Who speaks; level is 0, silent, to 127, loudest. */
export interface Speaker {
    streamID: string;
    userID: string;
    level: number;
}
/** The events of an engine, with what each is called with. Everything of a room names the room. */
export interface EngineEvents {
    /** `code` is 0 unless the state is one of failure. */
    roomStateChanged: (roomID: string, state: RoomState, code: number, detail: string) => void;
    /** Users came or went; the first one after a login has those already there. Never the user itself. */
    roomUserUpdate: (roomID: string, type: 'ADD' | 'DELETE', users: User[]) => void;
    /** Streams of others came or went; the first one after a login has those already there. */
    roomStreamUpdate: (roomID: string, type: 'ADD' | 'DELETE', streams: StreamInfo[]) => void;
    /** State, muting or extra info of streams of others changed. */
    roomStreamChanged: (roomID: string, streams: StreamInfo[]) => void;
    /** Metadata of the room changed; value undefined: removed. */
    roomExtraInfoUpdate: (roomID: string, key: string, value: string | undefined) => void;
    broadcastMessage: (message: RoomMessage) => void;
    barrageMessage: (message: RoomMessage) => void;
    customCommand: (message: RoomMessage) => void;
    /** Loudest first. */
    activeSpeakers: (roomID: string, speakers: Speaker[]) => void;
    /** The user was put out of the room, or its token expired, or it logged in elsewhere; also told as a state. */
    kickedOut: (roomID: string, code: number, detail: string) => void;
    /** Call {@link Engine.renewToken}, unless the engine has a function for tokens, which is then asked. */
    tokenWillExpire: (roomID: string, inMilliseconds: number) => void;
    publisherStateUpdate: (streamID: string, roomID: string, state: PublisherState, code: number) => void;
    playerStateUpdate: (streamID: string, roomID: string, state: PlayerState, code: number) => void;
    publisherQualityUpdate: (quality: Quality) => void;
    playerQualityUpdate: (quality: Quality) => void;
    /** The connection to the signaling tier. Media goes on without it. */
    signalingStateChanged: (state: 'connecting' | 'connected' | 'disconnected') => void;
    /** The connection to the node. */
    mediaStateChanged: (state: RTCPeerConnectionState) => void;
    /** Something went wrong that no call is there to be told of. */
    error: (error: Error) => void;
}
/**
 * One user's connection: one PeerConnection and one WebSocket for all its rooms. Methods may be called at any time and in any
 * order, without waiting for the one before; those about one room take effect in order. Every promise is rejected with a
 * {@link SwitchyardError} only.
 */
export interface Engine {
    /** Enters a room. In mode multi also a second and third one, as the same user. Fails with 1002001, 1002018, 1002033, 1002034, 1002036, 1002037. */
    loginRoom(roomID: string, user: User, options?: LoginOptions): Promise<void>;
    /** Leaves a room, or all. When the promise resolves, not one more packet of it arrives. Never fails for a room one is not in. */
    logoutRoom(roomID?: string): Promise<void>;
    /** Leaves one room and enters another in one step; streams played stay on their lines where they can. */
    switchRoom(fromRoomID: string, toRoomID: string, options?: LoginOptions): Promise<void>;
    /** Shows a newer token, for one room or for all. */
    renewToken(token: string, roomID?: string): Promise<void>;
    /** The rooms that the user is in. */
    readonly rooms: readonly string[];
    /** Streams of others in a room, as known now. */
    streams(roomID: string): StreamInfo[];
    /** Others in a room, as known now. */
    users(roomID: string): User[];
    /** Metadata of a room, as known now. */
    extraInfo(roomID: string): Record<string, string>;
    /** Captures camera, microphone or screen. The caller owns the stream: {@link Engine.destroyStream} stops its tracks. */
    createStream(options: CaptureOptions): Promise<MediaStream>;
    /** Stops the tracks of a stream. Publications of it go on without media. */
    destroyStream(stream: MediaStream): void;
    /** Publishes a stream in a room. Fails with 1003070 without a room in mode multi, 1003028 when the id is taken, 1003023 when it is being published. */
    startPublishingStream(streamID: string, config: PublisherConfig): Promise<void>;
    /** Ends publications of the id: in one room, or in all. */
    stopPublishingStream(streamID: string, ref?: StreamRef): Promise<void>;
    /** Puts another track in place of the one of its kind: another device, or the screen. No negotiation. */
    replaceTrack(stream: MediaStream, track: MediaStreamTrack): Promise<void>;
    /** Uses another camera or microphone for a stream made by {@link Engine.createStream}. */
    useDevice(stream: MediaStream, kind: 'audio' | 'video', deviceID: string): Promise<void>;
    /** Mutes or unmutes publications of the id: nothing is captured for it and nothing is forwarded, and everybody is told. */
    mutePublishStream(streamID: string, mute: {
        audio?: boolean;
        video?: boolean;
    }, ref?: StreamRef): Promise<void>;
    /** Says something of one's stream to everybody in the room. */
    setStreamExtraInfo(streamID: string, extraInfo: string, ref?: StreamRef): Promise<void>;
    /**
     * Plays a stream. It need not exist yet: then the player is pending and starts by itself. The MediaStream stays the same as
     * long as it is played, through reconnects too; its tracks come when there are any. Fails with 1004070 without a room in mode multi.
     */
    startPlayingStream(streamID: string, config: PlayerConfig): Promise<MediaStream>;
    /** Stops playing the id: in one room, or in all. When the promise resolves, not one more packet of it arrives. */
    stopPlayingStream(streamID: string, ref?: StreamRef): Promise<void>;
    /** Plays another stream, perhaps of another room, in the place of one that is played: same MediaStream, no negotiation. */
    switchPlayingStream(from: {
        streamID: string;
        roomID?: string;
    }, to: {
        streamID: string;
        roomID?: string;
    }): Promise<MediaStream>;
    /** Says what can be used of a stream that is played. */
    updatePlayingStream(streamID: string, preference: PlayerPreference, ref?: StreamRef): Promise<void>;
    /** To everybody in the room. Reliable; at most 2 a second. Resolves with the message's id. */
    sendBroadcastMessage(roomID: string, text: string): Promise<string>;
    /** To everybody in the room, best effort. */
    sendBarrageMessage(roomID: string, text: string): Promise<string>;
    /** To some users of the room; to all when the list is empty. */
    sendCustomCommand(roomID: string, text: string, toUserIDs?: string[]): Promise<string>;
    /** Sets metadata of the room; undefined removes the key. Needs the manage grant. */
    setRoomExtraInfo(roomID: string, key: string, value: string | undefined): Promise<void>;
    /** Puts somebody out of a room. Needs the manage grant. */
    kickUser(roomID: string, userID: string, options?: {
        reason?: string;
        banSeconds?: number;
    }): Promise<void>;
    /** Ends a room for everybody. Needs the manage grant. */
    closeRoom(roomID: string, reason?: string): Promise<void>;
    /** Mutes somebody's stream for everybody. Needs the manage grant. */
    muteStreamOf(roomID: string, streamID: string, mute: {
        audio?: boolean;
        video?: boolean;
    }): Promise<void>;
    on<E extends keyof EngineEvents>(event: E, listener: EngineEvents[E]): this;
    off<E extends keyof EngineEvents>(event: E, listener: EngineEvents[E]): this;
    /** The one PeerConnection; undefined before the first room. For statistics; do not negotiate with it. */
    readonly peerConnection: RTCPeerConnection | undefined;
    /** How many PeerConnections there have been: 1, unless a session was lost for good. */
    readonly connections: number;
    /** How many offers were made. */
    readonly negotiations: number;
    /** Leaves all rooms and closes everything. Streams of the caller go on. The engine is of no use afterwards. */
    destroy(): Promise<void>;
}
