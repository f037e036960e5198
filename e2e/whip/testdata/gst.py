# SPDX-FileCopyrightText: 2026 The Switchyard authors
# SPDX-License-Identifier: Apache-2.0
"""Publishes test pictures and a tone by WHIP, or plays a stream by WHEP, with GStreamer's webrtcbin.

    gst.py publish|play URL TOKEN [--trickle]

Nothing here knows the server: the two protocols, as their specifications have them, and webrtcbin. What happens is told on
standard output, one JSON object a line. The word "stop" on standard input ends the session by DELETE; so does its end.
"""

import json
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

PUBLISH = """
webrtcbin name=peer bundle-policy=max-bundle
videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=15/1 ! queue
  ! vp8enc deadline=1 cpu-used=8 keyframe-max-dist=30 target-bitrate=300000 ! rtpvp8pay
  ! application/x-rtp,media=video,encoding-name=VP8,payload=96 ! peer.
audiotestsrc is-live=true wave=sine freq=440 ! audioconvert ! audioresample ! queue
  ! opusenc ! rtpopuspay ! application/x-rtp,media=audio,encoding-name=OPUS,payload=97 ! peer.
"""

VIDEO = "application/x-rtp,media=video,encoding-name=VP8,payload=96,clock-rate=90000"
AUDIO = "application/x-rtp,media=audio,encoding-name=OPUS,payload=97,clock-rate=48000,encoding-params=(string)2"

lock = threading.Lock()


def tell(**what):
    with lock:
        print(json.dumps(what), flush=True)


class Client:
    def __init__(self, mode, url, token, trickle):
        self.url, self.token, self.trickle, self.mode = url, token, trickle, mode
        self.session = self.etag = None
        self.early = []  # candidates from before there was a session
        self.counts = {"video": 0, "audio": 0}
        self.asked = False
        self.loop = GLib.MainLoop()
        if mode == "publish":
            self.pipe = Gst.parse_launch(PUBLISH)
            self.peer = self.pipe.get_by_name("peer")
            self.direct(GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
        else:
            self.pipe = Gst.Pipeline.new()
            self.peer = Gst.ElementFactory.make("webrtcbin", "peer")
            self.peer.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
            self.pipe.add(self.peer)
            for caps in (VIDEO, AUDIO):
                self.peer.emit("add-transceiver", GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY, Gst.Caps.from_string(caps))
            self.peer.connect("pad-added", self.track)
        self.agent = self.peer.get_property("ice-agent")  # kept: the binding has taken the bin's reference for its own
        if loopback(url):
            self.agent.emit("add-local-ip-address", "127.0.0.1")  # libnice leaves loopback out by itself
        self.peer.connect("on-ice-candidate", self.candidate)
        self.peer.connect("notify::ice-gathering-state", self.gathering)
        self.peer.connect("notify::connection-state", self.state)
        self.peer.connect("on-negotiation-needed", self.negotiate)
        bus = self.pipe.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", lambda _, m: self.fail(m.parse_error()[0].message))

    def direct(self, direction):
        n = 0
        while True:
            transceiver = self.peer.emit("get-transceiver", n)
            if transceiver is None:
                return
            transceiver.set_property("direction", direction)
            n += 1

    def fail(self, why):
        tell(event="error", why=str(why))
        self.loop.quit()

    # Negotiation: the offer goes out at once when candidates are trickled, else when all of them are in it.

    def negotiate(self, _):
        if not self.asked:
            self.asked = True
            self.peer.emit("create-offer", None, Gst.Promise.new_with_change_func(self.offered))

    def offered(self, promise, *_):
        reply = promise.get_reply()  # kept: the offer is part of it
        offer = reply.get_value("offer")
        self.peer.emit("set-local-description", offer, Gst.Promise.new())
        if self.trickle:
            GLib.idle_add(self.post, offer.sdp.as_text())

    def gathering(self, *_):
        complete = self.peer.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE
        if complete and not self.trickle:
            GLib.idle_add(lambda: self.post(self.peer.get_property("local-description").sdp.as_text()))

    def candidate(self, _, line, text):
        if self.trickle:
            GLib.idle_add(self.trickled, line, text)

    def request(self, method, url, body, **fields):
        req = urllib.request.Request(url, method=method, data=body.encode() if body is not None else None)
        req.add_header("Authorization", "Bearer " + self.token)
        for name, value in fields.items():
            req.add_header(name.replace("_", "-"), value)
        return urllib.request.urlopen(req, timeout=10)

    def post(self, offer):
        try:
            res = self.request("POST", self.url, offer, Content_Type="application/sdp")
        except urllib.error.HTTPError as e:
            self.fail("POST: %d %s" % (e.code, e.read().decode()))
            return False
        self.session = urllib.parse.urljoin(self.url, res.headers["Location"])
        self.etag, self.ice = res.headers["ETag"], {}
        text = res.read().decode()
        for line in offer.splitlines():
            if line.startswith(("a=ice-ufrag:", "a=ice-pwd:")):
                self.ice[line.split(":")[0]] = line
        self.mids = [line[6:] for line in offer.splitlines() if line.startswith("a=mid:")]
        tell(event="created", status=res.status, session=self.session, offer=offer, answer=text)
        _, sdp = GstSdp.SDPMessage.new_from_text(text)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
        self.peer.emit("set-remote-description", answer, Gst.Promise.new())
        for line, candidate in self.early:
            self.trickled(line, candidate)
        return False

    def trickled(self, line, text):
        if self.session is None:
            self.early.append((line, text))
            return False
        body = "\r\n".join([
            "a=group:BUNDLE " + " ".join(self.mids), self.ice["a=ice-ufrag"], self.ice["a=ice-pwd"],
            "m=audio 9 UDP/TLS/RTP/SAVPF 0", "a=mid:" + self.mids[line], "a=" + text, ""])
        try:
            res = self.request("PATCH", self.session, body, Content_Type="application/trickle-ice-sdpfrag", If_Match=self.etag)
            tell(event="patched", status=res.status)
        except urllib.error.HTTPError as e:
            self.fail("PATCH: %d %s" % (e.code, e.read().decode()))
        return False

    def state(self, *_):
        tell(event="state", state=self.peer.get_property("connection-state").value_nick)

    # What comes in is decoded and counted.

    def track(self, _, pad):
        if pad.direction != Gst.PadDirection.SRC:
            return
        decoder = Gst.ElementFactory.make("decodebin")
        decoder.connect("pad-added", self.decoded)
        self.pipe.add(decoder)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))

    def decoded(self, _, pad):
        kind = pad.get_current_caps().get_structure(0).get_name().split("/")[0]
        sink = Gst.ElementFactory.make("fakesink")
        sink.set_property("signal-handoffs", True)
        sink.connect("handoff", self.count, kind)
        self.pipe.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def count(self, _, buffer, _pad, kind):
        self.counts[kind] += 1
        if self.counts[kind] % 10 == 0:
            tell(event="decoded", kind=kind, buffers=self.counts[kind], bytes=buffer.get_size())

    def run(self):
        tell(event="version", version=Gst.version_string())
        threading.Thread(target=self.listen, daemon=True).start()
        self.pipe.set_state(Gst.State.PLAYING)
        self.loop.run()
        if self.session is not None:
            try:
                tell(event="deleted", status=self.request("DELETE", self.session, None).status)
            except urllib.error.HTTPError as e:
                tell(event="deleted", status=e.code)
        self.pipe.set_state(Gst.State.NULL)

    def listen(self):
        for line in sys.stdin:
            if line.strip() == "stop":
                break
        GLib.idle_add(self.loop.quit)


def loopback(url):
    return urllib.parse.urlparse(url).hostname in ("127.0.0.1", "localhost")


if __name__ == "__main__":
    Gst.init(None)
    Client(sys.argv[1], sys.argv[2], sys.argv[3], "--trickle" in sys.argv[4:]).run()
