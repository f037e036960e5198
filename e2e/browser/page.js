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
  painted: [], // when each picture of paint was made, ms
  watched: {}, // by mid: what watch saw
  streams: {}, // by mid: the MediaStreams that a track came with

  async capture(width, height) {
    this.media = await navigator.mediaDevices.getUserMedia({audio: true, video: {width, height, frameRate: 15}});
  },

  // paint makes a camera of numbered pictures in place of the browser's, which shows nothing that could be told apart.
  async paint(width, height, rate, roughness) {
    const sound = await navigator.mediaDevices.getUserMedia({audio: true});
    const camera = new MediaStreamTrackGenerator({kind: 'video'});
    const writer = camera.writable.getWriter();
    const paint = picture.painter(width, height, roughness);
    setInterval(() => {
      const at = this.now();
      const data = paint(this.painted.length % 4096);
      this.painted.push(at);
      const frame = new VideoFrame(data, {format: 'I420', codedWidth: width, codedHeight: height, timestamp: performance.now() * 1000});
      writer.write(frame).catch(() => frame.close()); // the page is being closed
    }, 1000 / rate);
    this.media = new MediaStream([camera, ...sound.getAudioTracks()]);
  },

  // now is in milliseconds, the same in all pages.
  now() {
    return performance.timeOrigin + performance.now();
  },

  // watch reads every frame that is decoded on a line from now on, also while nobody looks at the page.
  watch(mid) {
    const track = this.pc.getTransceivers().find((line) => line.mid === mid).receiver.track;
    const reader = new MediaStreamTrackProcessor({track, maxBufferSize: 60}).readable.getReader();
    const seen = (this.watched[mid] = []);
    const read = async () => {
      for (;;) {
        const {value: frame, done} = await reader.read();
        if (done) return;
        const what = {at: this.now(), stamp: frame.metadata().rtpTimestamp, width: frame.codedWidth, height: frame.codedHeight};
        try {
          seen.push({...what, ...(await picture.read(frame))});
        } catch (e) {
          seen.push({...what, number: -1, error: 255, trouble: String(e)});
        }
        frame.close();
      }
    };
    read();
  },

  seen(mid, from) {
    return this.watched[mid].slice(from);
  },

  // encode adds a source of video with encodings as addTransceiver takes them, and answers its index.
  async encode(codec, sendEncodings, descriptor) {
    const line = this.pc.addTransceiver(this.media.getVideoTracks()[0], {direction: 'sendonly', streams: [this.media], sendEncodings});
    const formats = RTCRtpSender.getCapabilities('video').codecs;
    line.setCodecPreferences(formats.filter((f) => f.mimeType === codec).concat(formats.filter((f) => f.mimeType.endsWith('/rtx'))));
    this.describe(line, descriptor);
    const parameters = line.sender.getParameters();
    parameters.degradationPreference = 'maintain-resolution'; // a busy machine may cost frames, but layers keep their size
    await line.sender.setParameters(parameters);
    return this.pc.getTransceivers().indexOf(line);
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

  slots(audio, video, descriptor) {
    for (let i = 0; i < audio; i++) this.pc.addTransceiver('audio', {direction: 'recvonly'});
    for (let i = 0; i < video; i++) this.describe(this.pc.addTransceiver('video', {direction: 'recvonly'}), descriptor);
  },

  // describe has a line of video offer dependency descriptors, or not. By itself Chromium offers them where it sends layers
  // inside of a stream, and nowhere else.
  describe(line, offered) {
    const extensions = line.getHeaderExtensionsToNegotiate();
    const descriptor = extensions.find((e) => e.uri.includes('dependency-descriptor'));
    descriptor.direction = offered ? 'sendrecv' : 'stopped';
    line.setHeaderExtensionsToNegotiate(extensions);
  },

  // channel opens the node's data channel. obey: send the layers that somebody takes and no others.
  channel(obey) {
    const channel = this.pc.createDataChannel('sfu', {protocol: 'sfu.v1'});
    let done = Promise.resolve();
    channel.onmessage = (e) => {
      this.messages.push(e.data);
      const message = JSON.parse(e.data);
      if (obey && message.type === 'layers') done = done.then(() => this.heed(message)); // one at a time
    };
  },

  // heed does what the node says about a source's layers.
  async heed({mid, layers}) {
    const {sender} = this.pc.getTransceivers().find((line) => line.mid === mid);
    const parameters = sender.getParameters();
    for (const encoding of parameters.encodings) {
      const layer = layers.find((l) => l.rid === encoding.rid);
      if (layer) encoding.active = layer.wanted;
    }
    await sender.setParameters(parameters);
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

  // together answers whether two lines came as the only two tracks of one MediaStream.
  together(a, b) {
    const [stream] = this.streams[a];
    return this.streams[a].length === 1 && this.streams[b].length === 1 && stream === this.streams[b][0] && stream.getTracks().length === 2;
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
  page.streams[e.transceiver.mid] = e.streams;
  // Chromium decodes the sound of tracks that are played only.
  const element = document.createElement(e.track.kind);
  element.srcObject = new MediaStream([e.track]);
  element.muted = e.track.kind === 'video';
  document.body.append(element);
  element.play().catch(() => {}); // a switch while it starts
};
