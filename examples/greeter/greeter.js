// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Drives a node from Node.js, with a client that is made from the .proto files when it starts: whoever enters a room of the app
// is greeted with a room message. A small backend of one's own looks like this: one event stream that goes on where it broke,
// and calls that may be repeated.
//
//   npm install && node greeter.js [node address, default 127.0.0.1:7781]

import { fileURLToPath } from 'node:url'
import grpc from '@grpc/grpc-js'
import loader from '@grpc/proto-loader'

const app = 'demo'
const protos = fileURLToPath(new URL('../../proto', import.meta.url))
const { sfu } = grpc.loadPackageDefinition(loader.loadSync(['sfu/v1/event.proto', 'sfu/v1/message.proto'], {
  includeDirs: [protos], keepCase: true, longs: String, enums: String, oneofs: true,
}))
const address = process.argv[2] ?? '127.0.0.1:7781'
const credentials = grpc.credentials.createInsecure() // for a node elsewhere: createSsl, and a token in the metadata
const events = new sfu.v1.EventService(address, credentials)
const messages = new sfu.v1.MessageService(address, credentials)

// greet says hello in the room, to the newcomer alone.
function greet(member, revision) {
  const request = {
    request_id: `greeting-${member.session_id}-${revision}`, // a repeat does not greet twice
    app_id: app, room_id: member.room_id, incarnation: member.incarnation,
    from_user: 'greeter', from_server: true, kind: 'MESSAGE_KIND_COMMAND', to_users: [member.user.id],
    payload: Buffer.from(`Welcome to ${member.room_id}, ${member.user.name}!`),
  }
  messages.SendRoomMessage(request, { deadline: Date.now() + 5000 }, (error, reply) => {
    if (error) console.error(`greeting ${member.user.id}: ${error.message}`)
    else console.log(`greeted ${member.user.id} in ${member.room_id}, message ${reply.message_id}`)
  })
}

// watch reads events for ever. What it has seen it does not see again: after a break it asks for what came since.
function watch(seen) {
  const stream = events.WatchEvents({
    watcher_id: `greeter-${process.pid}`, snapshot: 'SNAPSHOT_MODE_ON_GAP',
    filter: { apps: [app], kinds: ['EVENT_KIND_MEMBER_JOINED'] },
    ...(seen && { after_revision: seen.revision, node_epoch: seen.node_epoch }),
  })
  stream.on('data', (response) => {
    const item = response[response.item]
    if (response.item === 'resync') return // a snapshot follows: those who are in it were greeted, or came unseen
    if (response.item === 'event') greet(item.member_joined.member, item.revision)
    if (!seen) console.log('watching')
    seen = { revision: item.revision, node_epoch: item.node_epoch }
  })
  stream.on('error', (error) => {
    console.error(`events: ${error.message}; trying again`)
    setTimeout(watch, 1000, seen)
  })
}

watch()
