// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
)

const (
	checkUser = "here:there"
	checkPwd  = "abcdefghijklmnopqrstuvwx"
)

func newSigner(pwd string) *signer { return &signer{mac: hmac.New(sha1.New, []byte(pwd))} }

// raw is an attribute as it is.
type raw struct {
	kind  stun.AttrType
	value []byte
}

func (r raw) AddTo(m *stun.Message) error {
	m.Add(r.kind, r.value)

	return nil
}

// build makes a binding request with attributes in the order given.
func build(t testing.TB, attributes ...stun.Setter) []byte {
	t.Helper()
	m, err := stun.Build(append([]stun.Setter{stun.BindingRequest, stun.TransactionID}, attributes...)...)
	if err != nil {
		t.Fatal(err)
	}

	return m.Raw
}

// usual is a check as clients send it, with more attributes in front of its integrity.
func usual(t testing.TB, username, pwd string, more ...stun.Setter) []byte {
	t.Helper()
	all := append([]stun.Setter{stun.NewUsername(username), ice.AttrControlling(7), ice.PriorityAttr(1 << 30)}, more...)

	return build(t, append(all, stun.NewShortTermIntegrity(pwd), stun.Fingerprint)...)
}

func TestReadCheck(t *testing.T) {
	good := usual(t, checkUser, checkPwd)
	change := func(b []byte, f func([]byte)) []byte {
		b = bytes.Clone(b)
		f(b)

		return b
	}
	user, integrity := stun.NewUsername(checkUser), stun.NewShortTermIntegrity(checkPwd)
	late := change(build(t, user, integrity, raw{stun.AttrPriority, make([]byte, 4)}, stun.Fingerprint), func([]byte) {})
	for name, c := range map[string]struct {
		b    []byte
		want bool
	}{
		"usual":                {good, true},
		"nominates":            {usual(t, checkUser, checkPwd, ice.UseCandidate()), true},
		"optional":             {usual(t, checkUser, checkPwd, raw{0xc057, []byte{0, 1, 0, 10}}, stun.NewSoftware("x")), true},
		"no role":              {build(t, user, integrity, stun.Fingerprint), true},
		"controlled":           {usual(t, checkUser, checkPwd, ice.AttrControlled(9)), false},
		"renominates":          {usual(t, checkUser, checkPwd, raw{ice.DefaultNominationAttribute, []byte{0, 0, 0, 1}}), false},
		"must be understood":   {usual(t, checkUser, checkPwd, raw{0x7ffe, []byte{1}}), false},
		"SHA-256":              {usual(t, checkUser, checkPwd, raw{stun.AttrMessageIntegritySHA256, make([]byte, 32)}), false},
		"two user names":       {usual(t, checkUser, checkPwd, stun.NewUsername("x")), false},
		"no user name":         {build(t, integrity, stun.Fingerprint), false},
		"no integrity":         {build(t, user, stun.Fingerprint), false},
		"no fingerprint":       {build(t, user, integrity), false},
		"short integrity":      {build(t, user, raw{stun.AttrMessageIntegrity, make([]byte, 16)}, stun.Fingerprint), false},
		"behind integrity":     {late, false},
		"fingerprint broken":   {change(good, func(b []byte) { b[len(b)-1] ^= 1 }), false},
		"broken before it":     {change(good, func(b []byte) { b[stunHeader+5] ^= 1 }), false},
		"indication":           {change(good, func(b []byte) { b[1] = 0x11 }), false},
		"no cookie":            {change(good, func(b []byte) { b[4] = 0 }), false},
		"length lies":          {change(good, func(b []byte) { b[3] -= 4 }), false},
		"attribute lies":       {change(good, func(b []byte) { b[stunHeader+3] = 250 }), false},
		"empty":                {nil, false},
		"a header":             {good[:stunHeader], false},
		"cut":                  {good[:len(good)-8], false},
		"twice":                {append(bytes.Clone(good), good...), false},
		"many attributes":      {usual(t, checkUser, checkPwd, manyAttributes(stunMostAttribs)...), false},
		"nearly as many":       {usual(t, checkUser, checkPwd, manyAttributes(stunMostAttribs-4)...), true},
		"fingerprint in front": {build(t, user, raw{stun.AttrFingerprint, make([]byte, 4)}, raw{stun.AttrMessageIntegrity, make([]byte, 20)}, stun.Fingerprint), false},
	} {
		t.Run(name, func(t *testing.T) {
			before := bytes.Clone(c.b)
			got, ok := readCheck(c.b)
			if ok != c.want {
				t.Fatalf("taken: %v", ok)
			}
			if !bytes.Equal(before, c.b) {
				t.Error("the datagram was changed")
			}
			if !ok {
				return
			}
			if string(got.username) != checkUser || !bytes.Equal(newSigner(checkPwd).sign(got.signed), got.integrity) {
				t.Errorf("user name %q, or not signed with the password", got.username)
			}
			if bytes.Equal(newSigner(checkPwd+"x").sign(got.signed), got.integrity) {
				t.Error("signed with another password too")
			}
		})
	}
}

func manyAttributes(n int) []stun.Setter {
	out := make([]stun.Setter, n)
	for i := range out {
		out[i] = raw{0xc100, nil}
	}

	return out
}

// TestWriteAnswer holds answers to what pion's agent would have sent, byte by byte.
func TestWriteAnswer(t *testing.T) {
	s := newSigner(checkPwd)
	for _, from := range []string{"192.0.2.1:1", "127.0.0.1:65535", "[2001:db8::1:2]:32853", "[::1]:1"} {
		request, address := usual(t, checkUser, checkPwd), netip.MustParseAddrPort(from)
		c, ok := readCheck(request)
		if !ok {
			t.Fatal("not taken")
		}
		var out [stunMostAnswer]byte
		got := out[:s.writeAnswer(out[:], &c, address)]
		asked := &stun.Message{Raw: request}
		if err := asked.Decode(); err != nil {
			t.Fatal(err)
		}
		want, err := stun.Build(asked, stun.BindingSuccess, &stun.XORMappedAddress{IP: net.IP(address.Addr().AsSlice()), Port: int(address.Port())},
			stun.NewShortTermIntegrity(checkPwd), stun.Fingerprint)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want.Raw) {
			t.Errorf("%s:\n%x, want\n%x", from, got, want.Raw)
		}
	}
}

// FuzzCheck holds what is taken to what pion's agent would take: of the bytes as they are, and of the same with everything around
// the attributes made right.
func FuzzCheck(f *testing.F) {
	f.Add(usual(f, checkUser, checkPwd))
	f.Add(usual(f, checkUser, checkPwd, ice.UseCandidate(), raw{0xc057, []byte{1, 2, 3}}))
	f.Add(usual(f, "a:b", "another password, longer"))
	f.Add(build(f, stun.NewUsername(checkUser), stun.Fingerprint))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = checkUfrag(b)
		compare(t, b)
		if len(b) < stunHeader || len(b) > 1400 {
			return
		}
		m := &stun.Message{Raw: bytes.Clone(b), Length: uint32(len(b) - stunHeader)}
		m.SetType(stun.BindingRequest)
		m.WriteHeader()
		_ = stun.Fingerprint.AddTo(m)
		compare(t, m.Raw)
	})
}

func compare(t *testing.T, b []byte) {
	before := bytes.Clone(b)
	c, ok := readCheck(b)
	if !bytes.Equal(before, b) {
		t.Error("the datagram was changed")
	}
	if !ok {
		return
	}
	m := &stun.Message{Raw: bytes.Clone(b)}
	if err := errors.Join(m.Decode(), stun.Fingerprint.Check(m)); err != nil {
		t.Fatalf("pion does not take it: %v", err)
	}
	if name, err := m.Get(stun.AttrUsername); err != nil || !bytes.Equal(name, c.username) {
		t.Errorf("user name %q, pion's %q", c.username, name)
	}
	s := newSigner(checkPwd)
	signed := stun.NewShortTermIntegrity(checkPwd).Check(m) == nil
	if hmac.Equal(s.sign(c.signed), c.integrity) != signed {
		t.Errorf("signed for pion: %v", signed)
	}
	if m.Contains(stun.AttrICEControlled) || m.Contains(ice.DefaultNominationAttribute) {
		t.Error("the agent would have done more with it than to answer")
	}
	var out [stunMostAnswer]byte
	n := s.writeAnswer(out[:], &c, netip.MustParseAddrPort("[2001:db8::1]:1234"))
	answer := &stun.Message{Raw: out[:n]}
	if err := errors.Join(answer.Decode(), stun.Fingerprint.Check(answer), stun.NewShortTermIntegrity(checkPwd).Check(answer)); err != nil {
		t.Errorf("the answer: %v", err)
	}
}
