// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type { Engine, EngineConfig, RoomMode } from './api.js'

/** Chooses the mode of engines created from now on; default `single`. Throws 1001020 once an engine was created and not destroyed. */
export function setRoomMode(mode: RoomMode): void { throw new Error(`not built: ${mode}`) }

/** Creates an engine. It connects with the first loginRoom. Throws {@link SwitchyardError} 1000017 for a configuration that cannot work. */
export function createEngine(config: EngineConfig): Engine { throw new Error(`not built: ${config.url}`) }
