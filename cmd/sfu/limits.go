// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/switchyard-media/sfu/internal/httpd"
)

// What a machine should have. A node of a few hundred clients bursts some megabytes; each TCP client takes a descriptor.
const (
	wantBufferBytes = 2 << 20
	wantOpenFiles   = 4096
)

// examineLimits looks at socket buffers, descriptors and what the kernel can do.
func examineLimits(m machine) []finding {
	out := []finding{examineFiles(m)}
	if !m.linux {
		return append(out, finding{note, "kernel", "not Linux: socket buffers and segmentation are not looked at", ""})
	}
	out = append(out,
		examineBuffer(m, "rmem_max", "received packets are lost when many come at once"),
		examineBuffer(m, "wmem_max", "packets to send are lost when many go at once"))
	send, receive := m.segmentation()
	return append(out, examineKernel("UDP GSO", "UDP_SEGMENT", send), examineKernel("UDP GRO", "UDP_GRO", receive))
}

func examineFiles(m machine) finding {
	n, err := m.openFiles()
	switch {
	case err != nil:
		return finding{note, "open files", "the limit cannot be read: " + err.Error(), ""}
	case n < wantOpenFiles:
		return finding{
			warning, "open files", fmt.Sprintf("at most %d: fewer connections than that fit", n),
			fmt.Sprintf("raise it to %d or more: ulimit -n, or LimitNOFILE= in the unit", wantOpenFiles),
		}
	}
	return finding{fine, "open files", fmt.Sprintf("at most %d", n), ""}
}

func examineBuffer(m machine, name, otherwise string) finding {
	about := "net.core." + name
	text, err := m.readFile("/proc/sys/net/core/" + name)
	if err != nil {
		return finding{note, about, "cannot be read: " + err.Error(), ""}
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	switch {
	case err != nil:
		return finding{note, about, "is not a number: " + strings.TrimSpace(string(text)), ""}
	case n < wantBufferBytes:
		return finding{
			warning, about, fmt.Sprintf("%d bytes: %s", n, otherwise),
			fmt.Sprintf("sysctl -w %s=%d, and the same in /etc/sysctl.d", about, 2*wantBufferBytes),
		}
	}
	return finding{fine, about, fmt.Sprintf("%d bytes", n), ""}
}

func examineKernel(about, option string, err error) finding {
	if err != nil {
		return finding{note, about, "not in this kernel (" + option + ": " + err.Error() + "): each packet takes a system call of its own", ""}
	}
	return finding{fine, about, "the kernel has it", ""}
}

// machineWarnings are what the log of a starting node says of its machine.
func machineWarnings(m machine) []string {
	var out []string
	for _, f := range examineLimits(m) {
		if f.verdict == warning {
			out = append(out, f.about+": "+f.text+" ("+f.remedy+")")
		}
	}
	return out
}

func readFile(name string) ([]byte, error) { return os.ReadFile(name) }

// nodeAnswers asks an HTTP address whether a node of ours is there, over TLS or not.
func nodeAnswers(address string) bool {
	host := address
	if strings.HasPrefix(host, ":") {
		host = "127.0.0.1" + host
	}
	return isOurs("http://"+host+"/livez") || isOurs("https://"+host+"/livez")
}

func isOurs(url string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	// Whose certificate it is does not matter: nothing is told, and nothing that comes back is trusted.
	transport := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}, DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }() // it is not read
	return resp.StatusCode == http.StatusOK && resp.Header.Get("Server") == httpd.ServerName
}
