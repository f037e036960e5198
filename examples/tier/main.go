// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Command tier is the smallest signaling tier that is of use: a page on which people of one room see each other. It shows
// what a tier of one's own has to do, and nothing else: let users in (join), tell them who publishes (events), let them play
// (play), and take them out (leave). Start a node, then this, and open the page twice.
//
// What it leaves out, a tier that is in front of the world needs: who a user is and what it may do. Here everybody may
// everything, and a session's id is all that a page needs to speak for it.
//
// Goroutines:
//   - go (*tier).watch: reads the node's events; ended with its context
//   - go run: stops the HTTP server when the context ends
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

const app = "demo"

//go:embed page.html
var page []byte

func main() {
	node := flag.String("node", "127.0.0.1:7781", "gRPC address of the node")
	listen := flag.String("listen", "127.0.0.1:7790", "where the page is served")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	listener, err := net.Listen("tcp", *listen)
	if err == nil {
		fmt.Printf("open http://%s/ twice\n", listener.Addr())
		err = run(ctx, *node, listener)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tier:", err)
		os.Exit(1)
	}
}

// tier turns requests of pages into calls, and events of the node into events of pages. It remembers nothing that the node
// does not know: it can be stopped and started while people talk.
type tier struct {
	// immutable after run
	sessions      sfuv1.SessionServiceClient
	rooms         sfuv1.RoomServiceClient
	subscriptions sfuv1.SubscriptionServiceClient
	events        sfuv1.EventServiceClient
	pages         *pages
	watching      chan struct{} // closed by watch when events have begun
	once          sync.Once     // guards that close
}

func run(ctx context.Context, node string, listener net.Listener) error {
	conn, err := grpc.NewClient(node, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	t := &tier{
		sessions: sfuv1.NewSessionServiceClient(conn), rooms: sfuv1.NewRoomServiceClient(conn),
		subscriptions: sfuv1.NewSubscriptionServiceClient(conn), events: sfuv1.NewEventServiceClient(conn),
		pages: &pages{queues: make(map[chan news]string)}, watching: make(chan struct{}),
	}
	go t.watch(ctx)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(page) })
	mux.HandleFunc("POST /join", answered(t.join))
	mux.HandleFunc("POST /play", answered(t.play))
	mux.HandleFunc("POST /leave", answered(t.leave))
	mux.HandleFunc("GET /events", t.tellPage)
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx }, // event streams end with it
	}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

type joinRequest struct {
	Room, User, Offer  string
	AudioMid, VideoMid string // of the lines that the page sends on
}

type joinReply struct{ Session, Answer string }

// join is one call: a session, the answer to its offer, the room, and what it publishes there; all or nothing.
func (t *tier) join(ctx context.Context, in joinRequest) (joinReply, error) {
	reply, err := t.sessions.Connect(ctx, &sfuv1.ConnectRequest{
		AppId: app, User: &sfuv1.User{Id: in.User, Name: in.User}, RoomMode: sfuv1.RoomMode_ROOM_MODE_MULTI,
		OfferSdp: in.Offer, OfferId: 1,
		Joins:     []*sfuv1.JoinSpec{{RoomId: in.Room}},
		Publishes: []*sfuv1.PublishSpec{{RoomId: in.Room, StreamId: in.User, AudioMid: in.AudioMid, VideoMid: in.VideoMid}},
	})
	if err != nil {
		return joinReply{}, err
	}
	return joinReply{reply.GetSession().GetId(), reply.GetAnswerSdp()}, nil
}

type playRequest struct{ Session, Room, Stream string }

type playReply struct{ AudioMid, VideoMid string }

// play needs no negotiation: the page has offered lines to receive on.
func (t *tier) play(ctx context.Context, in playRequest) (playReply, error) {
	reply, err := t.subscriptions.Subscribe(ctx, &sfuv1.SubscribeRequest{
		SessionId: in.Session, RoomId: in.Room, StreamId: in.Stream, Audio: true, Video: true,
	})
	sub := reply.GetSubscription()
	return playReply{sub.GetAudioMid(), sub.GetVideoMid()}, err
}

// leave answers when not one more packet goes to the page.
func (t *tier) leave(ctx context.Context, in struct{ Session string }) (struct{}, error) {
	_, err := t.sessions.CloseSession(ctx, &sfuv1.CloseSessionRequest{SessionId: in.Session, Reason: "left"})
	return struct{}{}, err
}

// answered makes a handler of a function from one JSON text to another.
func answered[In, Out any](f func(context.Context, In) (Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 256<<10)).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		out, err := f(ctx, in)
		if err != nil {
			http.Error(w, status.Convert(err).Message(), http.StatusConflict)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out)
	}
}
