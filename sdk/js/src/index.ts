// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

export * from './api.js'
export * from './errors.js'
export { setRoomMode, createEngine } from './engine.js'
