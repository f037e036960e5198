// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type {EngineEvents} from './api.js'

/** Calls an event's listeners. */
export type Emit = <E extends keyof EngineEvents>(event: E, ...args: Parameters<EngineEvents[E]>) => void

type Listener = (...args: never[]) => void

/** Listeners by event. What one of them throws reaches neither the others nor the engine. */
export function createListeners() {
  const all: Record<string, Set<Listener>> = {}
  return {
    emit: ((event, ...args) => {
      for (const listener of [...all[event] ?? []]) {
        try {
          listener(...(args as unknown as never[]))
        } catch (e) {
          // As an event target does it: the page's own handlers of errors hear of it.
          queueMicrotask(() => {throw e})
        }
      }
    }) as Emit,
    on<T>(this: T, event: string, listener: Listener): T {
      (all[event] ??= new Set()).add(listener)
      return this
    },
    off<T>(this: T, event: string, listener: Listener): T {
      all[event]?.delete(listener)
      return this
    },
  }
}
