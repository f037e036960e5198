// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package admin

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/switchyard-media/sfu/internal/auth"
	"github.com/switchyard-media/sfu/internal/httpd"
	"github.com/switchyard-media/sfu/internal/sfutest"
	"github.com/switchyard-media/sfu/internal/sfutest/chromium"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/web"
)

// hostile is a name that would run if it were ever taken for markup.
const hostile = `<img src=x onerror="window.broken=1">`

// site is a node with its admin page.
type site struct {
	*sfutest.Node
	url  string
	keys *auth.Keys
}

func startSite(t *testing.T, change func(*Config)) *site {
	t.Helper()
	n := sfutest.StartNode(t, nil)
	conn, err := grpc.NewClient(n.Target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	config := Config{Nodes: []Node{{ID: "local", Conn: conn}}, Keys: newKeys(t), AllowMutation: true}
	if change != nil {
		change(&config)
	}
	api, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	pages, err := httpd.Pages(web.Files, "admin")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(root, api)
	mux.Handle("/admin/", pages)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return &site{Node: n, url: s.URL + "/admin/", keys: config.Keys}
}

// page is the admin page in a browser.
type page struct {
	*chromium.Tab
	t *testing.T
}

func (s *site) open(t *testing.T) *page {
	t.Helper()
	return &page{Tab: chromium.Start(t, chromium.Config{}).Open(t, s.url), t: t}
}

// until waits for an expression to be true.
func (p *page) until(expression string) {
	p.t.Helper()
	chromium.Until(p.Tab, expression, "Boolean("+expression+")", func(ok bool) bool { return ok })
}

// there waits for a number of elements.
func (p *page) there(selector string, n int) {
	p.t.Helper()
	p.until(fmt.Sprintf("document.querySelectorAll(%q).length === %d", selector, n))
}

// says waits for a text in an element.
func (p *page) says(selector, text string) {
	p.t.Helper()
	p.until(fmt.Sprintf("document.querySelector(%q)?.textContent.includes(%q)", selector, text))
}

func (p *page) run(script string) {
	p.t.Helper()
	chromium.Eval[bool](p.Tab, "(() => { "+script+"; return true; })()")
}

func (p *page) visit(hash string) {
	p.t.Helper()
	p.run(fmt.Sprintf("location.hash = %q", hash))
}

// press waits until there is something to press, as people do.
func (p *page) press(selector string) {
	p.t.Helper()
	p.until(fmt.Sprintf("document.querySelector(%q)?.checkVisibility()", selector))
	p.run(fmt.Sprintf("document.querySelector(%q).click()", selector))
}

// confirm fills the dialog of an action in and agrees to it.
func (p *page) confirm(action string, fields map[string]string) {
	p.t.Helper()
	p.there("dialog[open][data-dialog="+action+"]", 1)
	for name, value := range fields {
		p.run(fmt.Sprintf("document.querySelector('dialog [name=%s]').value = %q", name, value))
	}
	p.press("dialog [data-action=confirm]")
}

// done waits until the dialog has closed, and for what was said then.
func (p *page) done(text string) {
	p.t.Helper()
	p.there("dialog", 0)
	p.says("[data-notice=ok]:last-child", text)
}

// class brings ada, who publishes cam in a room, and ben, who plays it.
func (s *site) class(t *testing.T) (ada, ben *sfutest.Client) {
	t.Helper()
	ada = s.ClientWith(t, sfutest.ClientConfig{User: "ada", Name: hostile, DataChannel: true})
	ben = s.ClientWith(t, sfutest.ClientConfig{User: "ben", Name: "Ben"})
	audio, video, err := ada.Media()
	if err == nil {
		err = ben.AddSlots(1, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*sfutest.Client{ada, ben} {
		if _, err := c.Negotiate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Join(t.Context(), "class"); err != nil {
			t.Fatal(err)
		}
	}
	audio.Play()
	video.Play()
	if _, err := ada.Publish(t.Context(), "class", "cam", audio, video); err != nil {
		t.Fatal(err)
	}
	if _, err := ben.Subscribe(t.Context(), "class", "cam"); err != nil {
		t.Fatal(err)
	}
	return ada, ben
}

func (s *site) join(t *testing.T, user, room string) {
	t.Helper()
	made, err := s.Session.CreateSession(t.Context(), &sfuv1.CreateSessionRequest{AppId: "demo", User: &sfuv1.User{Id: user, Name: user}})
	if err == nil {
		_, err = s.Room.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: made.GetSession().GetId(), RoomId: room})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (p *page) checkConsole() {
	p.t.Helper()
	for _, trouble := range p.Troubles() {
		p.t.Error(trouble)
	}
	if chromium.Eval[bool](p.Tab, "'broken' in window") {
		p.t.Error("text from outside ran as a script")
	}
}

// What goes on is shown, and what changes is shown without asking for it.
func TestPageShows(t *testing.T) {
	s := startSite(t, nil)
	_, ben := s.class(t)
	p := s.open(t)
	p.until("admin.ready && document.body.dataset.connection === 'live'")
	p.says("[data-stat=rooms] .value", "1")
	p.says("[data-stat=sessions] .value", "2")
	p.until("/[1-9].* [km]?b\\/s/i.test(document.querySelector('[data-stat=bits-out] .value').textContent)")
	p.until("document.querySelector('[data-stat=cpu] .line').getAttribute('d').includes('L')")
	p.there("[data-address=media]", 1)
	p.there("[data-shard]", 2)

	p.visit("#/rooms")
	p.says("[data-list=rooms] [data-room=class]", "2 in")
	p.visit("#/rooms/demo/class")
	p.says("[data-part=users] [data-user=ada] b", hostile)
	p.there("[data-part=users] [data-user=ben][data-state=connected] [data-grant]", 3)
	p.there("[data-part=streams] [data-stream=cam][data-publisher=ada][data-state=live] [data-layer='0'][data-live=true]", 1)
	p.there("[data-part=subscriptions] [data-user=ben][data-of=cam][data-state=active][data-limit=nothing]", 1)
	p.until("/[1-9]\\d* kb/.test(document.querySelector('[data-subscription] [data-label=Rate]').textContent)")

	s.join(t, "late", "class")
	p.there("[data-part=users] [data-user=late][data-state=new]", 1)
	s.join(t, "other", "another")
	p.says("[data-list=rooms] [data-room=another]", "1 in")
	for i := range 30 {
		s.join(t, fmt.Sprintf("u%02d", i), "class")
	}
	p.there("[data-part=users] [data-user]", 25)
	p.press("[data-action=more-users]")
	p.there("[data-part=users] [data-user]", 33)
	p.run("const i = document.querySelector('[data-filter=room-text]'); i.value = 'u1'; i.dispatchEvent(new Event('input'))")
	p.there("[data-part=users] [data-user]", 10)
	p.there("[data-part=users] [data-user=ben]", 0)

	p.visit("#/sessions/" + ben.ID)
	p.there("[data-part=session][data-state=connected] [data-mid]", 2)
	p.there("[data-part=session] [data-subscription][data-of=cam]", 1)
	p.visit("#/events")
	p.there("[data-event=room_opened][data-room=another]", 1)
	p.press("[data-action=pause-events]")
	s.join(t, "unseen", "quiet")
	p.says("[data-view=events] [role=status]", "more came")
	p.there("[data-event=room_opened][data-room=quiet]", 0)
	p.press("[data-action=pause-events]")
	p.there("[data-event=room_opened][data-room=quiet]", 1)
	p.checkConsole()
}

// What is done on the page is done on the node.
func TestPageActs(t *testing.T) {
	s := startSite(t, nil)
	ada, ben := s.class(t)
	s.join(t, "eve", "class")
	p := s.open(t)
	p.visit("#/rooms/demo/class")

	p.press("[data-stream=cam] [data-action=mute-video]")
	p.confirm("mute", nil)
	p.done("muted")
	p.there("[data-stream=cam][data-video-muted=true][data-audio-muted=false]", 1)
	p.press("[data-stream=cam] [data-action=mute-video]")
	p.confirm("mute", nil)
	p.there("[data-stream=cam][data-video-muted=false]", 1)
	p.press("[data-stream=cam] [data-action=keyframe]")
	p.confirm("keyframe", nil)
	p.done("keyframe")

	p.press("[data-action=message]")
	p.confirm("message", map[string]string{"payload": "ünder way", "kind": "MESSAGE_KIND_COMMAND", "to": "ada, nobody"})
	p.done("went to 1\u00a0member, and not to 1")
	p.press("[data-part=room] [data-action=room-audio]")
	p.confirm("room-audio", map[string]string{"loudest": "3"})
	p.done("3 loudest")
	p.press("[data-user=ben] [data-action=grants]")
	p.confirm("grants", map[string]string{"subscribe": "false"})
	p.there("[data-part=subscriptions] [data-subscription]", 0)

	p.press("[data-user=eve] [data-action=kick]")
	p.press("dialog [data-action=cancel]")
	p.there("dialog", 0)
	p.press("[data-user=eve] [data-action=kick]")
	p.confirm("kick", map[string]string{"reason": "noise", "ban": "3600s"})
	p.done("eve is out of class")
	p.there("[data-part=users] [data-user=eve]", 0)

	// What the node refuses is said in the dialog, and nothing is lost.
	p.press("[data-user=ben] [data-action=kick]")
	if _, err := ben.Leave(t.Context(), "class"); err != nil {
		t.Fatal(err)
	}
	p.confirm("kick", nil)
	p.says("dialog [role=alert]", "NOT_FOUND NOT_A_MEMBER (1002002)")
	p.press("dialog [data-action=cancel]")

	p.press("[data-action=close-room]")
	p.confirm("close-room", map[string]string{"reason": "over"})
	p.done("is closed")
	p.says("[data-part=room]", "The room is closed (room closed: over)")
	p.visit("#/sessions/" + ada.ID)
	p.press("[data-action=close-session]")
	p.confirm("close-session", nil)
	p.says("[data-part=session]", "no such session")

	p.visit("#/overview")
	p.press("[data-action=drain]")
	p.confirm("drain", map[string]string{"deadline": ""})
	p.says("[data-part=draining]", "Draining")
	p.press("[data-action=undrain]")
	p.confirm("undrain", nil)
	p.until("document.querySelector('[data-part=draining]').hidden")
	troubles := p.Troubles()
	for _, trouble := range troubles { // the browser tells of the answers 404, which are meant
		if !strings.Contains(trouble, "404") {
			t.Error(trouble)
		}
	}
}

// A page that is refused asks for a token, and keeps it where it ends with the tab.
func TestPageAsksForToken(t *testing.T) {
	s := startSite(t, func(c *Config) { c.TokenOnly, c.AllowMutation = true, false })
	s.join(t, "ann", "class")
	p := s.open(t)
	p.says("dialog[data-dialog=token]", "TOKEN_REQUIRED")
	p.confirm("token", map[string]string{"token": sign(t, s.keys, auth.Claims{UserID: "u"})})
	p.says("dialog[data-dialog=token]", "ADMIN_REQUIRED")
	p.confirm("token", map[string]string{"token": "nonsense"})
	p.says("dialog[data-dialog=token]", "TOKEN_INVALID")
	good := sign(t, s.keys, auth.Claims{Admin: true})
	p.confirm("token", map[string]string{"token": good})
	p.there("dialog", 0)
	p.says("[data-stat=rooms] .value", "1")
	kept := chromium.Eval[[]string](p.Tab, "[sessionStorage.getItem('switchyard-admin-token'), location.href + JSON.stringify(localStorage) + document.cookie]")
	if kept[0] != good || strings.Contains(kept[1], good[:20]) {
		t.Errorf("the token is kept in %q", kept)
	}
	p.visit("#/rooms/demo/class")
	p.there("[data-part=users] [data-user=ann]", 1)
	p.there("[data-part=users] [data-action]", 1) // "more" alone: nothing can be changed here
	p.until("document.querySelector('[data-action=close-room]').offsetParent === null")
}

// A page that lost the node finds it again, and goes on where it was.
func TestPageComesBack(t *testing.T) {
	var out context.CancelFunc
	ctx := t.Context()
	s := startSite(t, func(c *Config) {
		inner := c.Nodes[0].Conn
		var gone context.Context
		gone, out = context.WithCancel(ctx)
		c.Nodes[0].Conn = &cutting{ClientConnInterface: inner, gone: gone}
	})
	p := s.open(t)
	p.visit("#/events")
	p.until("document.body.dataset.connection === 'live'")
	out() // the event streams of the page break
	for i := range 3 {
		s.join(t, fmt.Sprintf("u%d", i), fmt.Sprintf("room-%d", i))
	}
	for i := range 3 {
		p.there(fmt.Sprintf("[data-event=room_opened][data-room=room-%d]", i), 1)
	}
	p.until("document.body.dataset.connection === 'live' && document.getElementById('problem').hidden")
}

// cutting ends the streams that are open when gone ends, and none after.
type cutting struct {
	grpc.ClientConnInterface
	gone context.Context
}

func (c *cutting) NewStream(ctx context.Context, d *grpc.StreamDesc, method string, o ...grpc.CallOption) (grpc.ClientStream, error) {
	if c.gone.Err() == nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		context.AfterFunc(c.gone, cancel)
	}
	return c.ClientConnInterface.NewStream(ctx, d, method, o...)
}
