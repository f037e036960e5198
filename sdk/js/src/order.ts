// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

/** What a piece of work touches, and whether nobody else may meanwhile. */
export type Need = [name: string, alone?: boolean]

/** Makes what runs work in the order it came in where it touches the same things, and at once where it does not. */
export function createOrder(): <T>(needs: Need[], work: () => Promise<T>) => Promise<T> {
  const doors = new Map<string, {alone: Promise<unknown> | undefined; all: Promise<unknown>}>()
  return (needs, work) => {
    const result = Promise.all(needs.map(([name, alone]) => doors.get(name)?.[alone ? 'all' : 'alone'])).then(work)
    const settled = result.then(() => {}, () => {})
    for (const [name, alone] of needs) {
      const before = doors.get(name)
      const all = Promise.all([before?.all, settled])
      const door = {alone: alone ? all : before?.alone, all}
      doors.set(name, door)
      all.then(() => {if (doors.get(name) === door) doors.delete(name)})
    }
    return result
  }
}
