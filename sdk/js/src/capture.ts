// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type {CaptureOptions} from './api.js'

/** Captures camera, microphone or screen. */
export async function capture({camera = false, microphone: audio = false, screen}: CaptureOptions): Promise<MediaStream> {
  const {mediaDevices} = navigator
  if (!screen) {
    const video = camera === true ? {width: 640, height: 360, frameRate: 30} : camera
    return mediaDevices.getUserMedia({audio, video})
  }
  // A stream has one sound: who speaks comes before what the tab plays.
  const shown = await mediaDevices.getDisplayMedia({...(screen === true ? {audio: true} : screen), ...(audio && {audio: false})})
  const spoken = audio && await mediaDevices.getUserMedia({audio}).catch(e => {
    stopTracks(shown)
    throw e
  })
  if (spoken) shown.addTrack(spoken.getTracks()[0] as MediaStreamTrack)
  return shown
}

/** A track of another device, captured as the one before was. */
export const recapture = async (before: MediaStreamTrack | undefined, kind: 'audio' | 'video', deviceID: string): Promise<MediaStreamTrack> =>
  (await navigator.mediaDevices.getUserMedia({[kind]: {...before?.getConstraints(), deviceId: {exact: deviceID}}})).getTracks()[0] as MediaStreamTrack

export const stopTracks = (stream: MediaStream): void => stream.getTracks().forEach(track => track.stop())

/** The track of a kind. */
export const trackOf = (stream: MediaStream, kind: string): MediaStreamTrack | undefined => stream.getTracks().find(track => track.kind === kind)
