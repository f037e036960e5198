// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0
//
// A client of one RTCPeerConnection. The test calls the methods of `page` and does the signaling.
'use strict';

const page = {
  pc: new RTCPeerConnection(),
  needed: 0, // negotiationneeded events
  messages: [], // of the data channel
  media: null, // MediaStream of camera and microphone
  candidates: [],

  async capture(width, height) {
    this.media = await navigator.mediaDevices.getUserMedia({audio: true, video: {width, height, frameRate: 15}});
  },

  // send adds a source and answers its index. codec: mime type, '' for the browser's choice; scales: how much smaller
  // each simulcast layer is.
  send(kind, codec, scales) {
    const track = this.media.getTracks().find((t) => t.kind === kind);
    const init = {direction: 'sendonly', streams: [this.media]};
    if (scales.length > 0) {
      init.sendEncodings = scales.map((scaleResolutionDownBy, i) => ({rid: `layer${i}`, scaleResolutionDownBy}));
    }
    const line = this.pc.addTransceiver(track, init);
    if (codec !== '') {
      const formats = RTCRtpSender.getCapabilities(kind).codecs;
      line.setCodecPreferences(formats.filter((f) => f.mimeType === codec).concat(formats.filter((f) => f.mimeType.endsWith('/rtx'))));
    }
    return this.pc.getTransceivers().indexOf(line);
  },

  // silence stops sending on a line, without negotiation.
  async silence(index) {
    await this.pc.getTransceivers()[index].sender.replaceTrack(null);
  },

  sends(codec) {
    return RTCRtpSender.getCapabilities('video').codecs.some((f) => f.mimeType === codec);
  },

  slots(audio, video) {
    for (let i = 0; i < audio; i++) this.pc.addTransceiver('audio', {direction: 'recvonly'});
    for (let i = 0; i < video; i++) this.pc.addTransceiver('video', {direction: 'recvonly'});
  },

  channel() {
    const channel = this.pc.createDataChannel('sfu', {protocol: 'sfu.v1'});
    channel.onmessage = (e) => this.messages.push(e.data);
  },

  async offer(restart) {
    if (restart) this.pc.restartIce();
    this.candidates = [];
    await this.pc.setLocalDescription(await this.pc.createOffer());
    return this.pc.localDescription.sdp;
  },

  // gathered answers the candidates of the last offer when there are no more.
  async gathered() {
    while (this.pc.iceGatheringState !== 'complete') {
      await new Promise((done) => this.pc.addEventListener('icegatheringstatechange', done, {once: true}));
    }
    return this.candidates.map((c) => ({candidate: c.candidate, mid: c.sdpMid, ufrag: c.usernameFragment}));
  },

  async answer(sdp) {
    await this.pc.setRemoteDescription({type: 'answer', sdp});
  },

  mids() {
    return this.pc.getTransceivers().map((line) => line.mid);
  },

  descriptions() {
    return [this.pc.localDescription.sdp, this.pc.remoteDescription.sdp];
  },

  // report is what getStats says, by mid and, of what is sent, by rid.
  async report() {
    const stats = await this.pc.getStats();
    const out = {state: this.pc.connectionState, ice: this.pc.iceConnectionState, needed: this.needed, transport: {}, pair: {}, received: {}, sent: []};
    for (const s of stats.values()) {
      const codec = s.codecId ? stats.get(s.codecId)?.mimeType : '';
      switch (s.type) {
        case 'transport':
          out.transport = s;
          out.pair = stats.get(s.selectedCandidatePairId) || {};
          break;
        case 'inbound-rtp': out.received[s.mid] = {...s, codec, node: stats.get(s.remoteId)}; break;
        case 'outbound-rtp': out.sent.push({...s, codec, node: stats.get(s.remoteId)}); break;
      }
    }
    return out;
  },
};

page.pc.onnegotiationneeded = () => page.needed++;
page.pc.onicecandidate = (e) => {
  if (e.candidate && e.candidate.candidate !== '') page.candidates.push(e.candidate);
};
page.pc.ontrack = (e) => {
  // Chromium decodes the sound of tracks that are played only.
  const element = document.createElement(e.track.kind);
  element.srcObject = new MediaStream([e.track]);
  element.muted = e.track.kind === 'video';
  document.body.append(element);
  element.play().catch(() => {}); // a switch while it starts
};
