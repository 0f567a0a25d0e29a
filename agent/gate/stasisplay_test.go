package gate_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

func sounding(c *gate.Config) { c.Sounds, c.Tones = []string{"beep", "queue/please"}, []string{"ring"} }

// playing is the last order to play.
func (o *office) playing() (p pbx.Play) {
	for _, order := range o.asked() {
		if x, ok := order.(pbx.Play); ok {
			p = x
		}
	}
	return p
}

func TestOnlyWhatTheConfigurationNamesIsPlayed(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house, sounding)
		defer o.close()
		none := newOffice(t, house)
		defer none.close()
		c, _, one, _, room := o.pairOf()
		d, _, hers, _, _ := none.pairOf()
		ctx := context.Background()
		for _, x := range []struct{ kind, value, code, without string }{
			{"sound", "beep", "ok", "not_playable"},
			{"sound", "queue/please", "ok", "not_playable"},
			{"sound", "queue", "not_playable", "not_playable"},
			{"sound", "Beep", "not_playable", "not_playable"},
			{"sound", "ring", "not_playable", "not_playable"},
			{"sound", "/etc/passwd", "not_playable", "not_playable"},
			{"sound", "http://x/y", "not_playable", "not_playable"},
			{"tone", "ring", "ok", "not_playable"},
			{"tone", "beep", "not_playable", "not_playable"},
			{"tone", "440/100", "not_playable", "not_playable"},
			{"recording", "beep", "not_playable", "not_playable"},
			{"", "beep", "not_playable", "not_playable"},
			{"digits", "123*#", "ok", "ok"},
			{"digits", "12a", "not_playable", "not_playable"},
			{"digits", "", "not_playable", "not_playable"},
			{"digits", strings.Repeat("1", 41), "not_playable", "not_playable"},
			{"number", "42", "ok", "ok"},
			{"number", "-1", "not_playable", "not_playable"},
			{"number", "123456789", "ok", "ok"},
			{"number", "1234567890", "not_playable", "not_playable"},
			{"characters", "aB3", "ok", "ok"},
			{"characters", "a b", "not_playable", "not_playable"},
			{"characters", "a&sound:x", "not_playable", "not_playable"},
		} {
			m := []gate.StasisMedium{{Kind: x.kind, Value: x.value}}
			for on, want := range map[string]string{one: x.code, room: x.code} {
				p, err := c.Play(ctx, on, m)
				if code(err) != want {
					t.Errorf("%s:%s is %v", x.kind, x.value, err)
				}
				order := o.playing()
				if want == "ok" && !slices.Equal(order.Media, []string{x.kind + ":" + x.value}) || want != "ok" && order.ID != "" {
					t.Errorf("%s:%s is ordered as %+v", x.kind, x.value, order)
				}
				if err == nil {
					o.gate.Played(pbx.Played{ID: order.ID, State: "done"})
				}
				if strings.HasPrefix(p.ID, pbx.Prefix) {
					t.Errorf("its client knows the PBX's id %q", p.ID)
				}
			}
			if _, err := d.Play(ctx, hers, m); code(err) != x.without {
				t.Errorf("where nothing may be played %s:%s is %v", x.kind, x.value, err)
			}
			if p := none.playing(); p.ID != "" {
				none.gate.Played(pbx.Played{ID: p.ID, State: "done"})
			}
		}
		if got := o.gate.Sounds(); !slices.Equal(got, []string{"beep", "queue/please"}) || len(none.gate.Sounds()) != 0 {
			t.Errorf("the sounds are %q and %q", got, none.gate.Sounds())
		}
		many := make([]gate.StasisMedium, 17)
		for i := range many {
			many[i] = gate.StasisMedium{Kind: "digits", Value: "1"}
		}
		for n, want := range map[int]string{0: "not_playable", 16: "ok", 17: "not_playable"} {
			if _, err := c.Play(ctx, one, many[:n]); code(err) != want {
				t.Errorf("%d media are %v", n, err)
			}
		}
	})
}

func TestAPlaybackFromItsOrderToItsEnd(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house, sounding)
		defer o.close()
		ctx := context.Background()
		c, names, one, two, room := o.pairOf()
		leg := o.ringing() // of two
		media := []gate.StasisMedium{{Kind: "sound", Value: "beep"}, {Kind: "number", Value: "3"}}
		p, err := c.Play(ctx, two, media)
		if err != nil {
			t.Fatal(err)
		}
		want := gate.StasisPlayback{ID: p.ID, Channel: two, Media: []string{"sound:beep", "number:3"}, State: "queued"}
		if !reflect.DeepEqual(p, want) || !reflect.DeepEqual(c.View().Playbacks, []gate.StasisPlayback{want}) {
			t.Errorf("it is %+v, and among all %+v", p, c.View().Playbacks)
		}
		order := o.playing()
		if order.Leg != leg || order.Bridge != "" || !strings.HasPrefix(order.ID, pbx.Prefix) {
			t.Errorf("the order is %+v", order)
		}
		if err := c.ControlPlayback(ctx, p.ID, "pause"); code(err) != "not_playing" {
			t.Errorf("before it plays: %v", err)
		}
		o.gate.Played(pbx.Played{ID: order.ID, Media: "sound:beep", State: "playing"})
		o.gate.Played(pbx.Played{ID: order.ID, Media: "sound:beep", State: "playing"}) // it was begun anew
		for _, x := range []struct{ operation, state, code string }{
			{"pause", "paused", "ok"}, {"unpause", "playing", "ok"}, {"restart", "playing", "ok"}, {"reverse", "playing", "ok"}, {"forward", "playing", "ok"},
			{"stop", "playing", "bad_operation"}, {"", "playing", "bad_operation"},
		} {
			if err := c.ControlPlayback(ctx, p.ID, x.operation); code(err) != x.code {
				t.Errorf("%s: %v", x.operation, err)
			}
			if v := c.View().Playbacks; len(v) != 1 || v[0].State != x.state {
				t.Errorf("after %s it is %+v", x.operation, v)
			}
			if orders := o.asked(); x.code == "ok" && (len(orders) != 1 || orders[0] != controlled{order.ID, x.operation}) || x.code != "ok" && len(orders) > 0 {
				t.Errorf("%s is ordered as %+v", x.operation, orders)
			}
		}
		o.gate.Played(pbx.Played{ID: order.ID, Media: "number:3", State: "continuing"})
		o.gate.Played(pbx.Played{ID: order.ID, Media: "number:3", State: "done"})
		o.gate.Played(pbx.Played{ID: order.ID, Media: "number:3", State: "done"})
		o.gate.Played(pbx.Played{ID: "earshot-x-play", State: "playing"})
		c.tells(names, "playing two 0 playing", "next two 1 playing", "played two 1 done")

		c.puts(room, one)
		c.events(names)
		if _, err := c.Play(ctx, one, media); code(err) != "in_bridge" {
			t.Errorf("to a leg in a bridge: %v", err)
		}
		p, err = c.Play(ctx, room, media)
		if err != nil || p.Bridge != room || p.Channel != "" {
			t.Fatalf("%+v %v", p, err)
		}
		order = o.playing()
		if order.Leg != "" || !strings.HasSuffix(string(order.Bridge), "-room") {
			t.Errorf("the order is %+v", order)
		}
		if err := c.StopPlayback(ctx, p.ID); err != nil {
			t.Fatal(err)
		}
		if orders := o.asked(); len(orders) != 1 || orders[0] != (controlled{order.ID, "stop"}) {
			t.Errorf("the orders are %+v", orders)
		}
		o.gate.Played(pbx.Played{ID: order.ID, State: "failed"})
		c.tells(names, "played b 0 failed")
		if err := c.StopPlayback(ctx, p.ID); code(err) != "no_such_playback" {
			t.Error(err)
		}

		o.pbx.failing("play", errors.New("500"))
		if _, err := c.Play(ctx, room, media); code(err) != "pbx_failed" || len(c.View().Playbacks) != 0 {
			t.Errorf("what the PBX does not play: %v, %+v", err, c.View().Playbacks)
		}
		o.pbx.failing("", nil)
		if _, err := c.Play(ctx, room, media); err != nil {
			t.Fatal(err)
		}
		if err := c.DestroyBridge(ctx, room); err != nil {
			t.Fatal(err)
		}
		c.tells(names, "played b 0 failed", "left one b[]", "removed b[]")
	})
}

func TestMusicInABridge(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		c, names, _, _, room := o.pairOf()
		o.asked()
		for _, on := range []bool{true, false} {
			if err := c.Music(context.Background(), room, on); err != nil {
				t.Fatal(err)
			}
			orders := o.asked()
			if m, ok := orders[0].(pbx.Music); !ok || m.On != on || m.Leg != "" || !strings.HasSuffix(string(m.Bridge), "-room") {
				t.Errorf("the orders are %+v", orders)
			}
		}
		c.tells(names)
	})
}
