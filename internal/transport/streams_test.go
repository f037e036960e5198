// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"testing"
	"time"

	"github.com/pion/sctp"
)

// TestTooManyStreams has a client open streams without end, and close none: that ends.
func TestTooManyStreams(t *testing.T) {
	client, server := dtlsPair(t)
	tr := &Transport{maker: &Maker{cfg: Config{Loggers: quiet()}}, handler: newOwner()}
	made := make(chan *sctp.Association, 1)
	go func() {
		a, err := sctp.ServerWithOptions(sctp.WithNetConn(&channelConn{Conn: server}), sctp.WithLoggerFactory(quiet()))
		if err != nil {
			t.Error(err)
		}
		made <- a
	}()
	near, err := sctp.ClientWithOptions(sctp.WithNetConn(keptConn{client}), sctp.WithLoggerFactory(quiet()))
	if err != nil {
		t.Fatal(err)
	}
	far := <-made
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tr.acceptStreams(far)
	}()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	tick := time.NewTicker(time.Millisecond) // what comes faster than it is accepted is thrown away by SCTP
	defer tick.Stop()
	for id := uint16(0); ; id++ {
		stream, err := near.OpenStream(id, sctp.PayloadTypeWebRTCDCEP)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.WriteSCTP([]byte{0xff}, sctp.PayloadTypeWebRTCBinary); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ended:
		case <-tick.C:
			continue
		case <-limit.C:
			t.Error("a client may open streams without end")
		}

		break
	}
	_ = client.Close()
	_ = far.Close()
	_ = near.Close()
	tr.work.Wait()
	_ = server.Close()
}
