// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0
//
// Runs before the scripts of any page: counts the PeerConnections it makes and what they ask for, and can put the page behind
// another port of the node's.
'use strict';

window.peers = {
  all: [],
  needed: 0, // negotiationneeded events
  breaches: [], // of the content security policy
  behind: null, // {from, to}: ports of candidates in answers

  rewritten(description) {
    if (!this.behind || !description?.sdp) return description;
    return {type: description.type, sdp: description.sdp.replaceAll(` ${this.behind.from} typ `, ` ${this.behind.to} typ `)};
  },

  // descriptions of the last connection, as SDP.
  descriptions() {
    const pc = this.all.at(-1);
    return [pc.localDescription.sdp, pc.remoteDescription.sdp];
  },
};

window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...args) {
    super(...args);
    peers.all.push(this);
    this.addEventListener('negotiationneeded', () => peers.needed++);
  }

  setRemoteDescription(description, ...rest) {
    return super.setRemoteDescription(peers.rewritten(description), ...rest);
  }
};

addEventListener('securitypolicyviolation', (e) => peers.breaches.push(`${e.violatedDirective}: ${e.blockedURI} at ${e.sourceFile}:${e.lineNumber}`));
