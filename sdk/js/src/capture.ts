// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type { CaptureOptions } from './api.js'

/** Captures camera, microphone or screen. */
export async function capture({ camera, microphone, screen }: CaptureOptions): Promise<MediaStream> {
  const { mediaDevices } = navigator
  const audio = microphone ?? false
  if (!screen) {
    const video = camera === true ? { width: { ideal: 640 }, height: { ideal: 360 }, frameRate: { ideal: 30 } } : camera ?? false
    return mediaDevices.getUserMedia({ audio, video })
  }
  const shown = await mediaDevices.getDisplayMedia(screen === true ? { video: true, audio: !audio } : screen)
  if (audio) {
    try {
      // A stream has one sound: who speaks comes before what the tab plays.
      const spoken = await mediaDevices.getUserMedia({ audio })
      for (const track of shown.getAudioTracks()) shown.removeTrack(track)
      for (const track of spoken.getTracks()) shown.addTrack(track)
    } catch (e) {
      stopTracks(shown)
      throw e
    }
  }
  return shown
}

/** A track of another device, captured as the one before was. */
export async function recapture(before: MediaStreamTrack | undefined, kind: 'audio' | 'video', deviceID: string): Promise<MediaStreamTrack> {
  const constraints = { [kind]: { ...before?.getConstraints(), deviceId: { exact: deviceID } } }
  const get = (): Promise<MediaStream> => navigator.mediaDevices.getUserMedia(constraints)
  let stream: MediaStream
  try {
    stream = await get()
  } catch (e) {
    // Phones open one camera at a time.
    if ((e as Error).name !== 'NotReadableError' || !before) throw e
    before.stop()
    stream = await get()
  }
  return stream.getTracks()[0] as MediaStreamTrack
}

export function stopTracks(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop()
}
