// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import {SwitchyardError} from './errors.js'

export const fail = (code: number, reason: string, message: string): SwitchyardError => new SwitchyardError(code, reason, message)

export const invalid = (message: string): SwitchyardError => fail(1000017, 'INVALID_ARGUMENT', message)

/** What promises are rejected with; of nothing, what says that nothing went wrong. */
export function asError(e: unknown = fail(0, '', '')): SwitchyardError {
  if (e instanceof SwitchyardError) return e
  const {name, message} = e as Error
  return fail(0, String(name).replace(/Error$/, '').replace(/\B(?=[A-Z])/g, '_').toUpperCase(), message ?? String(e))
}

/** Rejects with a SwitchyardError; for catch. */
export function rethrow(e: unknown): never {
  throw asError(e)
}

/** An enum value without the name of its enum. */
export const short = (value = ''): string => value.replace(/^(END_REASON|SUBSCRIPTION_STATE|MESSAGE_KIND)_/, '')
