// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"sync"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// Callers that change different limits of an app at once all get what they asked for.
func TestSetLimitsLosesNothing(t *testing.T) {
	_, target := start(t, Config{})
	node := sfuv1.NewNodeServiceClient(dial(t, target, nil))
	var fields []protoreflect.FieldDescriptor
	list := (&sfuv1.Limits{}).ProtoReflect().Descriptor().Fields()
	for i := range list.Len() {
		if list.Get(i).Kind() == protoreflect.Uint32Kind {
			fields = append(fields, list.Get(i))
		}
	}
	if len(fields) < 8 {
		t.Fatalf("only %d numbers in Limits", len(fields))
	}
	value := func(i int, round uint32) uint32 { // another one for each field and round
		if fields[i].Name() == "loudest_audio" {
			return 1 + round // has a small range
		}
		return 1 + round*100 + uint32(i)
	}
	for round := range uint32(30) {
		var group sync.WaitGroup
		for i, field := range fields {
			group.Go(func() {
				limits := &sfuv1.Limits{}
				limits.ProtoReflect().Set(field, protoreflect.ValueOfUint32(value(i, round)))
				if _, err := node.SetLimits(t.Context(), &sfuv1.SetLimitsRequest{AppId: "a", Limits: limits}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		reply, err := node.GetLimits(t.Context(), &sfuv1.GetLimitsRequest{AppId: "a"})
		if err != nil {
			t.Fatal(err)
		}
		for i, field := range fields {
			if got, want := reply.GetLimits().ProtoReflect().Get(field).Uint(), uint64(value(i, round)); got != want {
				t.Errorf("round %d: %s is %d, want %d", round, field.Name(), got, want)
			}
		}
	}
}

// What apps without settings of their own get is asked for without an app.
func TestGetLimitsOfNoApp(t *testing.T) {
	_, target := start(t, Config{})
	reply, err := sfuv1.NewNodeServiceClient(dial(t, target, nil)).GetLimits(t.Context(), &sfuv1.GetLimitsRequest{})
	if err != nil || reply.GetLimits().GetMaxRoomsPerUser() != 5 || !reply.GetLimits().GetMultiRoomEnabled() {
		t.Errorf("%v, %v", reply, err)
	}
}
