// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

/** What a piece of work touches, and whether nobody else may meanwhile. */
export type Need = [name: string, alone: boolean]

interface Door { alone: Promise<unknown>; all: Promise<unknown> }

/** Runs work in the order it came in where it touches the same things, and at once where it does not. */
export class Order {
  readonly #doors = new Map<string, Door>()

  run<T>(needs: Need[], work: () => Promise<T>): Promise<T> {
    const doors = needs.map(([name, alone]): [Need, Door] => {
      const open = Promise.resolve()
      return [[name, alone], this.#doors.get(name) ?? { alone: open, all: open }]
    })
    const result = Promise.all(doors.map(([[, alone], door]) => (alone ? door.all : door.alone))).then(work)
    const settled = result.then(() => {}, () => {})
    for (const [[name, alone], door] of doors) {
      const all = Promise.all([door.all, settled])
      const next = { alone: alone ? all : door.alone, all }
      this.#doors.set(name, next)
      void all.then(() => { if (this.#doors.get(name) === next) this.#doors.delete(name) })
    }
    return result
  }

  /** The things that work is waiting or running for. */
  names(): string[] {
    return [...this.#doors.keys()]
  }
}
