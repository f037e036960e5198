// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"encoding/json"

	"google.golang.org/protobuf/encoding/protojson"

	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
)

// decoder takes frames of clients that are newer than the tier: what it does not know it leaves out.
var decoder = protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: 32}

// decode reads a frame of a client that has sent requests up to last. On an error that comes with an id of more than 0 the
// request can be answered, and the connection can go on.
func decode(frame []byte, last uint32) (m *signalv1.ClientMessage, id uint32, err error) {
	m = &signalv1.ClientMessage{}
	if err := decoder.Unmarshal(frame, m); err != nil {
		var head struct {
			ID uint32 `json:"id"`
		}
		if json.Unmarshal(frame, &head) != nil || head.ID <= last {
			return nil, 0, errProtocol.saying("the frame cannot be read")
		}
		return nil, head.ID, errProtocol.saying("the request cannot be read")
	}
	switch {
	case m.GetId() == 0:
		return nil, 0, errProtocol.saying("the request has no id")
	case m.GetId() <= last:
		return nil, 0, errProtocol.saying("the id is not larger than the last one")
	case m.GetRequest() == nil:
		return nil, m.GetId(), errUnknown
	}
	return m, m.GetId(), nil
}

var requestOneof = (&signalv1.ClientMessage{}).ProtoReflect().Descriptor().Oneofs().ByName("request")

// kindOf is the name of the request's field, for example "login_room".
func kindOf(m *signalv1.ClientMessage) string {
	if field := m.ProtoReflect().WhichOneof(requestOneof); field != nil {
		return string(field.Name())
	}
	return "unknown"
}

// encode makes a frame. What protojson cannot write are strings that are not UTF-8, which neither node nor decoder let in.
func encode(m *signalv1.ServerMessage) []byte {
	frame, err := protojson.Marshal(m)
	if err != nil {
		return []byte("{}")
	}
	return frame
}

func encodeReply(r *signalv1.Reply) []byte {
	return encode(&signalv1.ServerMessage{Message: &signalv1.ServerMessage_Reply{Reply: r}})
}

func encodeNotice(n *signalv1.Notice) []byte {
	return encode(&signalv1.ServerMessage{Message: &signalv1.ServerMessage_Notice{Notice: n}})
}
