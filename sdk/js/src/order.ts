// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

/** What a piece of work touches, and whether nobody else may meanwhile. */
export type Need = [name: string, alone?: boolean]

/** Makes what runs work in the order it came in where it touches the same things, and at once where it does not. */
export function createOrder(): <T>(needs: Need[], work: () => Promise<T>) => Promise<T> {
  const before = new Map<Promise<unknown>, Need[]>()
  return (needs, work) => {
    const clash = ([, theirs]: [unknown, Need[]]): boolean => theirs.some(([name, alone]) => needs.some(need => need[0] === name && (alone || need[1])))
    const result = Promise.allSettled([...before].filter(clash).map(([one]) => one)).then(work)
    const done = (): boolean => before.delete(result)
    before.set(result, needs)
    result.then(done, done)
    return result
  }
}
