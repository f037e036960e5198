// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// What the signaling tier says, as the protobuf JSON mapping of proto/sfu/signal/v1/signal.proto: fields with their default are
// absent, 64-bit numbers are strings.

/** A request without its number: one field of ClientMessage. */
export type Request = Record<string, object>

export interface ServerMessage {
  reply?: Reply
  notice?: Notice
}

export interface Reply {
  id: number
  failure?: Failure
  welcome?: Welcome
  answer?: { answerSdp: string }
  room?: WireRoom
  stream?: WireStream
  playing?: Playing
  sent?: { messageId: string }
}

export interface Failure {
  status?: string
  reason?: string
  code?: number
  message?: string
  retryAfterMs?: number
}

export interface Welcome {
  session: {
    id: string
    epoch: string
    user?: WireUser
    iceServers?: { urls?: string[]; username?: string; credential?: string }[]
    offerId?: string
  }
  resumed?: boolean
  rooms?: WireRoom[]
  playing?: Playing[]
  pingIntervalMs?: number
}

export interface WireUser { id: string; name?: string }

export interface WireRoom {
  roomId: string
  users?: WireUser[]
  streams?: WireStream[]
  metadata?: Record<string, string>
}

export interface WireStream {
  roomId: string
  streamId: string
  user?: WireUser
  live?: boolean
  audio?: boolean
  video?: boolean
  audioMuted?: boolean
  videoMuted?: boolean
  metadata?: string
  reason?: string
  own?: boolean
}

export interface Playing {
  id: string
  roomId: string
  streamId: string
  state?: string
  audio?: boolean
  video?: boolean
  audioMid?: string
  videoMid?: string
  reason?: string
  spatialLayer?: number
  temporalLayer?: number
}

export interface WireMessage {
  roomId: string
  messageId: string
  kind?: string
  from?: WireUser
  text?: string
  data?: string
  sentMs?: string | number
}

export interface Notice {
  room?: WireRoom
  roomEnded?: { roomId: string; reason?: string; detail?: string; code?: number }
  users?: { roomId?: string; added?: WireUser[]; removed?: WireUser[] }
  streams?: { roomId: string; added?: WireStream[]; removed?: WireStream[]; updated?: WireStream[] }
  roomMetadata?: { roomId: string; key: string; value?: string }
  message?: WireMessage
  speakers?: { roomId: string; speakers?: { streamId: string; userId: string; level?: number }[] }
  playing?: Playing
  negotiationNeeded?: { audio?: number; video?: number }
  tokenWillExpire?: { roomId?: string; expiresInMs?: string }
  sessionEnded?: { reason?: string; detail?: string; code?: number }
  goingAway?: { retryAfterMs?: number }
}
