// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type { EngineEvents } from './api.js'

type Name = keyof EngineEvents

/** Calls an event's listeners. */
export type Emit = <E extends Name>(event: E, ...args: Parameters<EngineEvents[E]>) => void

/** Listeners by event. What one of them throws reaches neither the others nor the engine. */
export class Listeners {
  readonly #of = new Map<Name, Set<(...args: never[]) => void>>()

  on(event: Name, listener: (...args: never[]) => void): void {
    const all = this.#of.get(event) ?? new Set()
    this.#of.set(event, all.add(listener))
  }

  off(event: Name, listener: (...args: never[]) => void): void {
    this.#of.get(event)?.delete(listener)
  }

  readonly emit: Emit = (event, ...args) => {
    for (const listener of [...(this.#of.get(event) ?? [])]) {
      try {
        listener(...(args as unknown as never[]))
      } catch (e) {
        // As an event target does it: the page's own handlers of errors hear of it.
        queueMicrotask(() => { throw e })
      }
    }
  }
}
