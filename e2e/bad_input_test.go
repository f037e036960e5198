// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/switchyard-media/sfu/internal/control"
	"github.com/switchyard-media/sfu/internal/sfutest"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/sfu"
)

// raw passes bytes as they are where gRPC expects a codec.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}
func (raw) Name() string { return "proto" }

func dial(t *testing.T, n *sfutest.Node) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(n.Target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// invoke calls a method with a request of any bytes.
func invoke(t *testing.T, conn *grpc.ClientConn, method string, request []byte) ([]byte, error) {
	t.Helper()
	var reply []byte
	err := conn.Invoke(t.Context(), method, &request, &reply, grpc.ForceCodec(raw{}))
	return reply, err
}

const createSession = "/sfu.v1.SessionService/CreateSession"

// alive checks that the node still does its work.
func alive(t *testing.T, n *sfutest.Node) {
	t.Helper()
	s := signIn(t, n.API, "still-here", multi)
	s.join("still-here")
	if _, err := n.Session.CloseSession(t.Context(), &sfuv1.CloseSessionRequest{SessionId: s.id}); err != nil {
		t.Error(err)
	}
}

func TestBadMessages(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	conn := dial(t, n)
	good, err := proto.Marshal(&sfuv1.CreateSessionRequest{AppId: app, User: &sfuv1.User{Id: "ann", Name: "Ann"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("20 MB", func(t *testing.T) {
		_, err := invoke(t, conn, createSession, append(bytes.Clone(good), protowire.AppendBytes(protowire.AppendTag(nil, 999, protowire.BytesType), make([]byte, 20<<20))...))
		if status.Code(err) != codes.ResourceExhausted {
			t.Errorf("%v, want RESOURCE_EXHAUSTED", err)
		}
	})
	for name, request := range map[string][]byte{
		"invalid UTF-8":        protowire.AppendString(protowire.AppendTag(nil, 2, protowire.BytesType), "de\xff\xfemo"),
		"length beyond end":    {0x12, 0x7f, 'x'},
		"varint without end":   bytes.Repeat([]byte{0xff}, 32),
		"group without end":    {0x0b},
		"field number 0":       {0x02, 0x00},
		"message as a varint":  {0x18, 0x01, 0x12},
		"deeply nested groups": bytes.Repeat([]byte{0x0b}, 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := invoke(t, conn, createSession, request)
			if code := status.Code(err); code != codes.InvalidArgument && code != codes.Internal {
				t.Errorf("%v, want a refusal", err)
			}
		})
	}
	t.Run("unknown fields", func(t *testing.T) {
		request := protowire.AppendString(protowire.AppendTag(bytes.Clone(good), 4000, protowire.BytesType), "of a later version")
		request = protowire.AppendVarint(protowire.AppendTag(request, 4001, protowire.VarintType), 42)
		reply, err := invoke(t, conn, createSession, request)
		if err != nil {
			t.Fatal(err)
		}
		var created sfuv1.CreateSessionResponse
		if err := proto.Unmarshal(reply, &created); err != nil || created.GetSession().GetUser().GetId() != "ann" {
			t.Errorf("%v, %v", &created, err)
		}
	})
	t.Run("unknown mode", func(t *testing.T) {
		_, err := n.Session.CreateSession(t.Context(), &sfuv1.CreateSessionRequest{AppId: app, User: &sfuv1.User{Id: "bob", Name: "Bob"}, RoomMode: 17})
		wantError(t, err, codes.InvalidArgument, "INVALID_ARGUMENT", "1000017")
	})
	for _, method := range []string{"no-slash", "/", "//", "/sfu.v1.SessionService", "/sfu.v1.SessionService/", "/sfu.v1.NoService/Call", "/sfu.v1.RoomService/JoinRoom/more"} {
		t.Run("method "+method, func(t *testing.T) {
			_, err := invoke(t, conn, method, nil)
			if code := status.Code(err); code != codes.Unimplemented && code != codes.Internal {
				t.Errorf("%v, want UNIMPLEMENTED", err)
			}
		})
	}
	alive(t, n)
}

// methods lists all unary methods of the API.
func methods() (list []protoreflect.MethodDescriptor) {
	for _, file := range []protoreflect.FileDescriptor{
		sfuv1.File_sfu_v1_session_proto, sfuv1.File_sfu_v1_room_proto, sfuv1.File_sfu_v1_stream_proto, sfuv1.File_sfu_v1_subscription_proto,
		sfuv1.File_sfu_v1_message_proto, sfuv1.File_sfu_v1_node_proto, sfuv1.File_sfu_v1_event_proto,
	} {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				if m := service.Methods().Get(j); !m.IsStreamingServer() {
					list = append(list, m)
				}
			}
		}
	}
	return list
}

// fill sets every field of a message to something that nobody should send.
func fill(m protoreflect.Message, depth int) {
	for i := range m.Descriptor().Fields().Len() {
		f := m.Descriptor().Fields().Get(i)
		if f.Name() == "request_id" || f.IsMap() || depth > 4 {
			continue
		}
		var v protoreflect.Value
		switch f.Kind() {
		case protoreflect.StringKind:
			v = protoreflect.ValueOfString("\x00 ../" + strings.Repeat("é", 500))
		case protoreflect.BytesKind:
			v = protoreflect.ValueOfBytes(make([]byte, 5000))
		case protoreflect.BoolKind:
			v = protoreflect.ValueOfBool(true)
		case protoreflect.EnumKind:
			v = protoreflect.ValueOfEnum(-7)
		case protoreflect.Int32Kind:
			v = protoreflect.ValueOfInt32(-1)
		case protoreflect.Int64Kind:
			v = protoreflect.ValueOfInt64(-1 << 63)
		case protoreflect.Uint32Kind:
			v = protoreflect.ValueOfUint32(1<<32 - 1)
		case protoreflect.Uint64Kind:
			v = protoreflect.ValueOfUint64(1<<64 - 1)
		case protoreflect.DoubleKind:
			v = protoreflect.ValueOfFloat64(-1)
		case protoreflect.MessageKind:
			inner := dynamicpb.NewMessage(f.Message())
			fill(inner, depth+1)
			v = protoreflect.ValueOfMessage(inner)
		default:
			continue
		}
		if f.IsList() {
			list := m.Mutable(f).List()
			for range 3 {
				list.Append(v)
			}
			continue
		}
		m.Set(f, v)
	}
}

// TestEveryMethodRefusesNonsense calls every method with nothing and with nonsense in all fields: a refusal names a documented
// reason, and nothing of it is a fault of the node.
func TestEveryMethodRefusesNonsense(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	conn := dial(t, n)
	mayBeEmpty := map[protoreflect.Name]bool{
		"GetNode": true, "GetLoad": true, "GetLimits": true, "Undrain": true, "DumpState": true, "ListSessions": true, "ListRooms": true,
	}
	for _, m := range methods() {
		if m.Name() == "Drain" {
			continue // asks for nothing; TestDrain has it
		}
		method := fmt.Sprintf("/%s/%s", m.Parent().FullName(), m.Name())
		nonsense := dynamicpb.NewMessage(m.Input())
		fill(nonsense, 0)
		full, err := proto.Marshal(nonsense)
		if err != nil {
			t.Fatal(err)
		}
		for name, request := range map[string][]byte{"empty": nil, "nonsense": full} {
			t.Run(string(m.Name())+" "+name, func(t *testing.T) {
				_, err := invoke(t, conn, method, request)
				switch code := status.Code(err); code {
				case codes.InvalidArgument, codes.NotFound, codes.FailedPrecondition, codes.PermissionDenied, codes.ResourceExhausted:
					wantDocumented(t, err)
				case codes.OK:
					if !mayBeEmpty[m.Name()] {
						t.Error("done, want a refusal")
					}
				default:
					t.Errorf("%v", err)
				}
			})
		}
	}
	if got := n.SFU.Load().Counts.Sessions; got != 0 {
		t.Errorf("%d sessions made by nonsense", got)
	}
	alive(t, n)
}

func wantDocumented(t *testing.T, err error) {
	t.Helper()
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			wantError(t, err, status.Code(err), info.GetReason(), info.GetMetadata()["zego_code"])
			return
		}
	}
	t.Errorf("%v has no ErrorInfo", err)
}

func TestBadOffers(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann := signIn(t, n.API, "ann", multi)
	good := offerOf(t, 1, 1)
	head, _, _ := strings.Cut(good, "m=")
	lines := func(n int) string { return good + strings.Repeat("a=x-nothing:1\r\n", n) }
	sections := func(count int) string {
		_, section, _ := strings.Cut(good, "m=")
		section, _, _ = strings.Cut(section, "m=")
		var b strings.Builder
		b.WriteString(head)
		for i := range count {
			b.WriteString("m=" + strings.Replace(section, "a=mid:0", fmt.Sprint("a=mid:", i), 1))
		}
		return b.String()
	}
	negotiate := func(sdp string) error {
		_, err := n.Session.Negotiate(t.Context(), &sfuv1.NegotiateRequest{SessionId: ann.id, OfferSdp: sdp, OfferId: 1})
		return err
	}
	for name, sdp := range map[string]string{
		"empty":            "",
		"not SDP":          "hello",
		"control bytes":    "v=0\x00\x01\x02\r\n",
		"1 MB of one line": "v=0\r\ns=" + strings.Repeat("x", 1_000_000),
		"1 MB of offer":    lines(1_000_000/15 - 1000),
		"long attribute":   strings.Replace(good, "a=mid:0", "a=mid:"+strings.Repeat("0", 200_000), 1),
		"same mid twice":   strings.Replace(good, "a=mid:1", "a=mid:0", 1),
		"no mid":           strings.Replace(good, "a=mid:0\r\n", "", 1),
		"no media":         head,
		"cut off":          good[:len(good)/2],
		"no fingerprint":   without(good, "a=fingerprint:"),
		"bad fingerprint":  replaceLines(good, "a=fingerprint:", "a=fingerprint:sha-256 nonsense"),
		"no ICE user":      without(good, "a=ice-ufrag:"),
		"no ICE password":  without(good, "a=ice-pwd:"),
	} {
		t.Run(name, func(t *testing.T) {
			err := negotiate(sdp)
			reason := "SDP_INVALID"
			if len(sdp) > 256<<10 {
				reason = "SDP_TOO_LARGE"
			}
			f := wantError(t, err, codes.InvalidArgument, reason, "")
			if v := f.bad.GetFieldViolations(); len(v) != 1 || v[0].GetField() != "offer_sdp" {
				t.Errorf("BadRequest %v, want the field offer_sdp", v)
			}
			if len(status.Convert(err).Message()) > 500 {
				t.Errorf("message of %d bytes: it repeats the offer", len(status.Convert(err).Message()))
			}
		})
	}
	t.Run("more sections than lines allowed", func(t *testing.T) {
		if small := sections(300); len(small) > 256<<10 {
			t.Errorf("the offer has %d bytes: it is refused for its size", len(small))
		}
		wantError(t, negotiate(sections(300)), codes.ResourceExhausted, "MEDIA_LINE_LIMIT", "")
	})
	t.Run("500 sections", func(t *testing.T) {
		wantError(t, negotiate(sections(500)), codes.InvalidArgument, "SDP_TOO_LARGE", "")
	})
	t.Run("over the message limit", func(t *testing.T) {
		if err := negotiate(strings.Repeat("x", 2<<20)); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("%v, want RESOURCE_EXHAUSTED", err)
		}
	})
	if err := negotiate(good); err != nil {
		t.Errorf("a good offer after the bad ones: %v", err)
	}
	ann.join("a")
	ann.publish("a", "cam", 0)
}

func TestOfferIDs(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann := signIn(t, n.API, "ann", multi)
	first := offerOf(t, 1, 1)
	negotiate := func(id uint64, sdp string) (*sfuv1.NegotiateResponse, error) {
		return n.Session.Negotiate(t.Context(), &sfuv1.NegotiateRequest{SessionId: ann.id, OfferSdp: sdp, OfferId: id})
	}
	answer, err := negotiate(5, first)
	if err != nil {
		t.Fatal(err)
	}
	again, err := negotiate(5, first)
	if err != nil || again.GetAnswerSdp() != answer.GetAnswerSdp() || again.GetOfferId() != 5 {
		t.Errorf("the same offer again: %v, want the same answer", err)
	}
	_, err = negotiate(4, first)
	f := wantError(t, err, codes.Aborted, "STALE_OFFER", "")
	if f.info.GetMetadata()["current"] != "5" {
		t.Errorf("current offer %q, want 5", f.info.GetMetadata()["current"])
	}
	_, err = negotiate(5, offerOf(t, 1, 2))
	wantError(t, err, codes.Aborted, "STALE_OFFER", "")
	_, err = n.Session.Negotiate(t.Context(), &sfuv1.NegotiateRequest{SessionId: "none", OfferSdp: first, OfferId: 1})
	wantError(t, err, codes.NotFound, "SESSION_NOT_FOUND", "")
	for _, candidate := range []string{"x", "candidate:", strings.Repeat("c", 5000), "\x00"} {
		_, err = n.Session.AddIceCandidates(t.Context(), &sfuv1.AddIceCandidatesRequest{SessionId: ann.id, Candidates: []*sfuv1.IceCandidate{{Candidate: candidate, SdpMid: "0"}}})
		wantError(t, err, codes.InvalidArgument, "CANDIDATE_INVALID", "")
	}
}

// replaceLines replaces every line that begins with prefix; without takes them out.
func replaceLines(sdp, prefix, line string) string {
	var b strings.Builder
	for _, l := range strings.SplitAfter(sdp, "\r\n") {
		switch {
		case !strings.HasPrefix(l, prefix):
			b.WriteString(l)
		case line != "":
			b.WriteString(line + "\r\n")
		}
	}
	return b.String()
}

func without(sdp, prefix string) string { return replaceLines(sdp, prefix, "") }

func TestAuthentication(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte("# of the signaling tier\ns3cret-one\n\ns3cret-two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := controlled(t, func(_ *sfu.Config, face *control.Config) { face.TokenFile, face.Reflection = file, true })
	conn := dial(t, n)
	call := func(ctx context.Context) error {
		_, err := n.Node.GetNode(ctx, &sfuv1.GetNodeRequest{})
		return err
	}
	list := func(ctx context.Context) error {
		stream, err := grpc_reflection_v1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
		if err != nil {
			return err
		}
		_ = stream.Send(&grpc_reflection_v1.ServerReflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{}})
		reply, err := stream.Recv()
		if err == nil && len(reply.GetListServicesResponse().GetService()) < 7 {
			t.Errorf("reflection lists %v", reply)
		}
		return err
	}
	watching := func(ctx context.Context) error {
		stream, err := n.Event.WatchEvents(ctx, &sfuv1.WatchEventsRequest{WatcherId: "w"})
		if err != nil {
			return err
		}
		_, err = stream.Recv()
		return err
	}
	for name, f := range map[string]func(context.Context) error{"call": call, "reflection": list, "watch": watching} {
		for _, header := range []string{"", "Bearer", "Bearer ", "Bearer wrong", "Bearer s3cret-on", "Bearer s3cret-one2", "Basic s3cret-one", "s3cret-one", "Bearer # of the signaling tier"} {
			ctx, cancel := context.WithCancel(t.Context())
			if header != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", header)
			}
			t.Run(name+" with "+header, func(t *testing.T) { wantError(t, f(ctx), codes.Unauthenticated, "BAD_CREDENTIALS", "1002033") })
			cancel()
		}
		for _, token := range []string{"s3cret-one", "s3cret-two"} {
			ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token))
			if err := f(ctx); err != nil {
				t.Errorf("%s with a token: %v", name, err)
			}
			cancel()
		}
	}
}

func TestReflectionIsOffByDefault(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	stream, err := grpc_reflection_v1.NewServerReflectionClient(dial(t, n)).ServerReflectionInfo(t.Context())
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("%v, want UNIMPLEMENTED", err)
	}
}

// flood opens streams on one raw HTTP/2 connection as fast as it can, and resets each at once if told to. It ends when the node
// closes the connection, or after count streams.
func flood(t *testing.T, target string, count int, reset bool) {
	t.Helper()
	conn, err := net.Dial("tcp", target)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	go func() { // what the node answers does not matter, but its window must not fill
		var sink [4096]byte
		for {
			if _, err := conn.Read(sink[:]); err != nil {
				return
			}
		}
	}()
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	for i := range count {
		var block bytes.Buffer
		encoder := hpack.NewEncoder(&block)
		for _, f := range []hpack.HeaderField{
			{Name: ":method", Value: "POST"},
			{Name: ":scheme", Value: "http"},
			{Name: ":path", Value: "/sfu.v1.EventService/WatchEvents"},
			{Name: ":authority", Value: "x"},
			{Name: "content-type", Value: "application/grpc"},
			{Name: "te", Value: "trailers"},
		} {
			if err := encoder.WriteField(f); err != nil {
				t.Fatal(err)
			}
		}
		id := uint32(2*i + 1)
		err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true})
		if err == nil && reset {
			err = framer.WriteRSTStream(id, http2.ErrCodeCancel)
		}
		if err != nil {
			return // the node has had enough: as good
		}
	}
}

func TestFloodOfStreams(t *testing.T) {
	for name, reset := range map[string]bool{"10k streams": false, "rapid reset": true} {
		t.Run(name, func(t *testing.T) {
			n := controlled(t, func(_ *sfu.Config, face *control.Config) { face.MaxConcurrentStreams = 32 })
			alive(t, n)
			before, ok := sfutest.AtRest(deadline(t))
			if !ok {
				t.Fatalf("the process never came to rest: %v", before)
			}
			most := 0
			done := make(chan struct{})
			go func() {
				defer close(done)
				flood(t, n.Target, 10_000, reset)
			}()
			for running := true; running; {
				alive(t, n) // others are served meanwhile
				most = max(most, runtime.NumGoroutine())
				select {
				case <-done:
					running = false
				default:
				}
			}
			if most > before.Total()+400 {
				t.Errorf("%d goroutines during the flood, %d before", most, before.Total())
			}
			for _, more := range sfutest.NoMore(deadline(t), before) {
				t.Errorf("goroutines after the flood: %s", more)
			}
		})
	}
}

func TestManyConnections(t *testing.T) {
	t.Parallel()
	n := controlled(t, func(_ *sfu.Config, face *control.Config) { face.MaxConnections = 8 })
	alive(t, n) // its connection is one of the eight
	refused := 0
	for range 40 {
		conn, err := net.Dial("tcp", n.Target)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(patience))
		if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
			refused++
			continue
		}
		framer := http2.NewFramer(conn, conn)
		if err := framer.WriteSettings(); err != nil {
			refused++
			continue
		}
		if _, err := framer.ReadFrame(); err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Fatal("a connection over the limit is neither served nor closed")
			}
			refused++
		}
	}
	if refused < 40-8 {
		t.Errorf("%d of 40 connections refused, want at least 32", refused)
	}
	alive(t, n)
}
