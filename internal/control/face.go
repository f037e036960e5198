// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"log/slog"
	"sort"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

// face is what all services share; immutable after New.
type face struct {
	node      *sfu.Node
	log       *slog.Logger
	version   string
	heartbeat time.Duration
	health    func(serving bool)
	closing   <-chan struct{} // closed when watches must end
	ending    *ending

	iceServers []*sfuv1.IceServer // told to clients
}

// stop applies a command that ends something.
func (f *face) stop(ctx context.Context, command router.Command) (*sfuv1.Ended, error) {
	stopped, err := sfu.Do[router.Stopped](ctx, f.node, command)
	if err != nil {
		return nil, err
	}
	return endedOf(stopped), nil
}

// answer is a session as an answer tells it: with what its transport has agreed on, and what its sources back. Events and
// snapshots leave both out, for they say what held at a revision.
func (f *face) answer(s router.Session) *sfuv1.Session {
	out := f.session(s)
	transport := f.node.Transport(s.ID)
	out.OfferId, out.DataChannel, out.SrtpProfile = transport.OfferID, transport.DataChannel, transport.Profile
	out.Media, out.IceServers = f.lines(s.ID, s.Lines), f.iceServers
	return out
}

// session is a session with the limits that hold for it.
func (f *face) session(s router.Session) *sfuv1.Session {
	var app router.App
	var err error
	f.node.Read(func(r *router.Router) { app, err = r.App(s.App) })
	if err != nil {
		app = router.App{ID: s.App}
	}
	app.Limits = s.Limits
	return sessionOf(s, limitsOf(app))
}

// lines is a session's map of m-lines with the streams that its sources back.
func (f *face) lines(id router.SessionID, lines []router.Line) []*sfuv1.MediaLine {
	var streams []router.Stream
	f.node.Read(func(r *router.Router) { streams = r.SessionStreams(id) })
	return linesWithStreams(lines, streams)
}

// missing is what the session's client should offer more, nil when it lacks nothing.
func (f *face) missing(id router.SessionID) *sfuv1.NegotiationNeeded {
	var audio, video int
	f.node.Read(func(r *router.Router) { audio, video = r.Missing(id) })
	if audio == 0 && video == 0 {
		return nil
	}
	return &sfuv1.NegotiationNeeded{Audio: uint32(audio), Video: uint32(video)}
}

// find is the session of an id, fenced by its epoch.
func (f *face) find(id string, epoch uint64) (router.Session, error) {
	var session router.Session
	var err error
	f.node.Read(func(r *router.Router) { session, err = r.Session(router.SessionID(id)) })
	if err != nil {
		return session, err
	}
	if epoch != 0 && epoch != session.Epoch {
		return session, router.ErrStaleEpoch.About(id).Now(session.Epoch)
	}
	return session, nil
}

// app is the app meant, by its id or by a session of it.
func (f *face) app(app, session string) (string, error) {
	if session == "" {
		return app, nil
	}
	found, err := f.find(session, 0)
	if err != nil {
		return "", err
	}
	if app != "" && app != found.App {
		return "", argument("app_id", "is not the session's app")
	}
	return found.App, nil
}

// subscribers counts the subscriptions to a stream, pending ones not included.
func (f *face) subscribers(s router.Stream) uint32 {
	var n uint32
	f.node.Read(func(r *router.Router) { n = uint32(r.Subscribers(s.App, s.Room, s.ID)) })
	return n
}

// pageOf cuts a page out of a list that is sorted by key; the token is the key of the last item answered.
func pageOf[T any](list []T, p *sfuv1.Page, key func(T) string) ([]T, string) {
	size := int(min(p.GetSize(), 1000))
	if size == 0 {
		size = 100
	}
	from := 0
	if p.GetToken() != "" {
		from = sort.Search(len(list), func(i int) bool { return key(list[i]) > p.GetToken() })
	}
	list = list[from:]
	if len(list) <= size {
		return list, ""
	}
	return list[:size], key(list[size-1])
}

func dropsOf(drops sfu.Drops) map[string]uint64 {
	m := make(map[string]uint64)
	for reason, n := range drops {
		if n > 0 {
			m[sfu.DropReason(reason).String()] = n
		}
	}
	return m
}

// known is a duration that has been measured: none takes no time.
func known(d time.Duration) *durationpb.Duration {
	if d <= 0 {
		return nil
	}
	return durationpb.New(d)
}

func trackStatsOf(kind sfuv1.MediaKind, mid string, s *sfu.TrackStats) *sfuv1.TrackStats {
	return &sfuv1.TrackStats{
		Kind: kind, Mime: s.Codec.MimeType(), Mid: mid, Packets: s.Accepted, Bytes: s.Bytes, Lost: s.Lost,
		Nacks: s.NACKsSent, Plis: s.PLIsSent, Retransmits: s.Recovered, Jitter: durationpb.New(s.Jitter), Rtt: known(s.RTT),
		Bitrate: s.Bitrate, Fps: s.FrameRate, Drops: dropsOf(s.Drops),
	}
}

func downStatsOf(kind sfuv1.MediaKind, mid string, s *sfu.DownTrackStats) *sfuv1.TrackStats {
	return &sfuv1.TrackStats{
		Kind: kind, Mime: s.Codec.MimeType(), Mid: mid, Packets: s.Forwarded, Bytes: s.Bytes, Lost: uint64(max(s.Lost, 0)),
		Nacks: s.NACKs, Plis: s.PLIs, Retransmits: s.Retransmitted, Jitter: durationpb.New(s.Jitter), Rtt: known(s.RTT),
		Bitrate: s.Bitrate, Drops: dropsOf(s.Drops),
	}
}
