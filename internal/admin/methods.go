// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// What may be called, by service: methods that look, and methods that change something. Those of clients' own doing
// (sessions, joining, publishing, subscribing) are the signaling tier's.
var (
	reading = map[string][]string{
		"NodeService":         {"GetNode", "GetLoad", "GetLimits", "DumpState"},
		"RoomService":         {"ListRooms", "GetRoom"},
		"SessionService":      {"ListSessions", "GetSession"},
		"StreamService":       {"ListStreams", "GetStreamStats"},
		"SubscriptionService": {"ListSubscriptions", "GetSubscriptionStats"},
	}
	changing = map[string][]string{
		"NodeService":         {"Drain", "Undrain", "SetLimits"},
		"RoomService":         {"CloseRoom", "KickUser", "UpdateMember", "SetRoomAudio", "SetRoomMetadata"},
		"SessionService":      {"CloseSession"},
		"StreamService":       {"MuteStream", "RequestKeyframe"},
		"SubscriptionService": {"UpdateSubscription"},
		"MessageService":      {"SendRoomMessage"},
	}
)

// method is one that may be called.
type method struct {
	full    string // /sfu.v1.RoomService/GetRoom
	in, out protoreflect.MessageType
	changes bool
	check   func(proto.Message) *failure // what this API asks for beyond the node; nil: nothing
}

// findMethods looks the lists up in the descriptors of the generated code.
func findMethods() (map[string]method, error) {
	found := make(map[string]method)
	for _, list := range []struct {
		of      map[string][]string
		changes bool
	}{{reading, false}, {changing, true}} {
		for service, names := range list.of {
			for _, name := range names {
				m, err := findMethod(service, name)
				if err != nil {
					return nil, fmt.Errorf("admin: %s/%s: %w", service, name, err)
				}
				m.changes = list.changes
				found[service+"/"+name] = m
			}
		}
	}
	m := found["MessageService/SendRoomMessage"]
	m.check = fromServer
	found["MessageService/SendRoomMessage"] = m
	return found, nil
}

func findMethod(service, name string) (method, error) {
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(sfuv1.File_sfu_v1_node_proto.Package().Append(protoreflect.Name(service)))
	if err != nil {
		return method{}, err
	}
	s, ok := d.(protoreflect.ServiceDescriptor)
	if !ok {
		return method{}, protoregistry.NotFound
	}
	m := s.Methods().ByName(protoreflect.Name(name))
	if m == nil || m.IsStreamingClient() || m.IsStreamingServer() {
		return method{}, protoregistry.NotFound
	}
	in, err := protoregistry.GlobalTypes.FindMessageByName(m.Input().FullName())
	if err != nil {
		return method{}, err
	}
	out, err := protoregistry.GlobalTypes.FindMessageByName(m.Output().FullName())
	return method{full: fmt.Sprintf("/%s/%s", s.FullName(), name), in: in, out: out}, err
}

// fromServer keeps an administrator from speaking in a member's name.
func fromServer(m proto.Message) *failure {
	if r, ok := m.(*sfuv1.SendRoomMessageRequest); ok && r.GetFromServer() {
		return nil
	}
	f := failf(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "fromServer must be true: nobody speaks for a member here")
	f.Field = "from_server"
	return f
}
