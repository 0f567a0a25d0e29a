package agent_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// rest asks ARI: as an employee at Earshot's door, or past Earshot at the PBX.
type rest struct {
	o                    *office
	base, user, password string
}

// get is what a path is answered with.
func (r *rest) get(method, path string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(r.o.ctx, method, r.base+path, nil)
	if err != nil {
		return 0, "", err
	}
	req.SetBasicAuth(r.user, r.password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// object is one of ARI's models.
type object map[string]any

// at is what stands at a path of members, as text.
func (o object) at(path ...string) string {
	var v any = map[string]any(o)
	for _, name := range path {
		inner, _ := v.(map[string]any)
		v = inner[name]
	}
	return fmt.Sprint(v)
}

// form are the members of an object and of those in it.
func (o object) form() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if inner, ok := o[name].(map[string]any); ok {
			name += "(" + object(inner).form() + ")"
		}
		all = append(all, name)
	}
	return strings.Join(all, " ")
}

// view is what ARI tells of phones and trunks, in words that do not rest on the ids of channels and bridges.
type view struct {
	*rest
	told []string
	err  error // what is over between two questions
}

func (v *view) tell(words ...string) { v.told = append(v.told, strings.Join(words, " ")) }

func (v *view) read(path string, dst any) {
	status, body, err := v.get(http.MethodGet, path)
	if err == nil && status == http.StatusOK {
		err = json.Unmarshal([]byte(body), dst)
	}
	if err != nil || status != http.StatusOK {
		v.err = errors.Join(v.err, err, fmt.Errorf("%s: %d", path, status))
	}
}

func isEmployees(resource string) bool {
	return slices.ContainsFunc(site.Employees, func(e struct{ ID, Phone string }) bool { return e.Phone == resource })
}

func (r *rest) look() ([]string, error) {
	v := &view{rest: r}
	var bridges, channels, endpoints []object
	v.read("/bridges", &bridges)
	parked := ""
	for _, b := range bridges {
		if b.at("bridge_class") == "parking" {
			parked = b.at("channels")
		}
	}
	v.read("/channels", &channels)
	names := map[string]string{}
	for _, c := range channels {
		name, app := endpoint(c.at("name")), c.at("dialplan", "app_name")
		if !strings.HasPrefix(name, "PJSIP/") {
			continue // the PBX's own: what announces in a conference
		}
		names[c.at("id")] = name
		data, _, _ := strings.Cut(c.at("dialplan", "app_data"), ",")
		if app == "Dial" {
			data = ""
		}
		other := c.at("connected", "number")
		if strings.Contains(parked, c.at("id")) { // connected with nobody to Earshot, and to Asterisk with whom he was last
			other = "nobody"
		}
		v.tell("channel", name, c.at("state"), c.at("caller", "number"), other, app, data, c.at("language"), c.form())
		var one object
		if v.read("/channels/"+c.at("id"), &one); one.at("name") != c.at("name") {
			v.tell("by itself", name, "is", endpoint(one.at("name")))
		}
	}
	for _, b := range bridges {
		var in []string
		for _, id := range b["channels"].([]any) {
			if name := names[fmt.Sprint(id)]; name != "" {
				in = append(in, name)
			}
		}
		if slices.Sort(in); len(in) > 0 { // a lot's bridge stays when nobody is parked there any more
			v.tell("bridge", b.at("bridge_type"), b.at("bridge_class"), b.at("creator"), b.at("name"), b.at("video_mode"), strings.Join(in, " "), b.form())
		}
	}
	v.read("/endpoints", &endpoints)
	for _, e := range endpoints {
		if resource := e.at("resource"); e.at("technology") == "PJSIP" && isEmployees(resource) {
			v.tell("endpoint", resource, fmt.Sprint(len(e["channel_ids"].([]any))), e.form())
			var device object
			v.read("/deviceStates/PJSIP%2F"+resource, &device)
			v.tell("device", device.at("name"), device.at("state"), device.form())
		}
	}
	slices.Sort(v.told)
	return v.told, v.err
}

// agreeByARI waits until two tell the same.
func (o *office) agreeByARI(when string, pbx, door *rest) {
	o.Helper()
	o.agreement(when, pbx.look, door.look)
}

// To who sees everything Earshot's lists tell the same as the PBX's own, in the same form; what is not there is answered alike too.
func TestTheARIDoorsListsTellWhatThePBXTells(t *testing.T) {
	o := openLines(t, func(c *agent.Config) {
		c.ARI.Listen, c.ARI.Requests = "127.0.0.1:0", agent.Rate{PerMinute: 1_000_000, Burst: 1_000_000} // it asks until both agree
	})
	addr, err := o.agent.ARIAddress(o.ctx)
	o.must(err)
	account := o.PBX.Site().Admin
	pbx, door := &rest{o, o.PBX.ARI(), account.User, account.Password}, &rest{o, "http://" + addr + "/ari", "irina", o.tokens["irina"]}

	o.scene("calls of each sort", func(o *office) {
		pbx.o, door.o = o, o
		client := o.calls(vera, "101")
		inside := o.rings("anna")
		o.must(inside.Answer(o.ctx))
		o.together(client, inside)
		o.dials("sergei", "202")
		o.rings("olga")
		o.must(o.dials("pavel", "800").WaitAnswered(o.ctx))
		o.must(o.dials("maria", "800").WaitAnswered(o.ctx))
		out := o.dials("nina", pbxtest.PrefixOutside+stranger.number[1:])
		outside, err := o.Trunk.Incoming(o.ctx)
		o.must(err)
		o.must(outside.Answer(o.ctx))
		o.must(out.WaitAnswered(o.ctx))
		waiting := o.calls(oleg, "100")
		o.rings("boris")
		_, err = waiting.WaitHears(o.ctx, phone.Music)
		o.must(err)
		o.agreeByARI("while a queue rings", pbx, door)
		o.must(inside.DTMF(o.ctx, pbxtest.FeaturePark))
		_, err = client.WaitHears(o.ctx, phone.Music)
		o.must(err)
		o.agreeByARI("while somebody is parked", pbx, door)
	})

	o.scene("what is no call", func(o *office) {
		pbx.o, door.o = o, o
		for _, path := range []string{"/asterisk/info", "/asterisk/ping", "/asterisk/info?only=system,status"} {
			var want, got object
			for r, dst := range map[*rest]*object{pbx: &want, door: &got} {
				v := view{rest: r}
				v.read(path, dst)
				o.must(v.err)
			}
			if want.form() != got.form() {
				o.Errorf("%s has the form %q, not %q", path, got.form(), want.form())
			}
		}
		for _, ask := range []string{
			"GET /channels/nothing", "GET /bridges/nothing", "GET /endpoints/PJSIP/nothing", "GET /endpoints/NOTHING", "GET /applications/nothing", "GET /sounds/nothing", "GET /nothing",
			"GET /deviceStates", "PUT /channels", "GET /channels/a/b/c",
		} {
			method, path, _ := strings.Cut(ask, " ")
			status, want, err := pbx.get(method, path)
			o.must(err)
			other, got, err := door.get(method, path)
			o.must(err)
			if got, want := strings.TrimRight(got, "\r\n"), strings.TrimSuffix(strings.TrimRight(want, "\r\n"), ` NOTHING"}`); status != other || strings.TrimSuffix(got, `"}`) != strings.TrimSuffix(want, `"}`) {
				o.Errorf("%s is answered by %d %s, and by Asterisk with %d %s", ask, other, got, status, want)
			}
		}
		conn, _, err := websocket.Dial(o.ctx, "ws://"+addr+"/ari/events?app=earshot&subscribeAll=true&api_key=irina:"+o.tokens["irina"], nil)
		o.must(err)
		defer func() { _ = conn.CloseNow() }()
		var want, got object
		for r, dst := range map[*rest]*object{pbx: &want, door: &got} {
			v := view{rest: r}
			v.read("/applications/earshot", dst)
			o.must(v.err)
		}
		for _, o := range []object{want, got} {
			delete(o, "events_disallowed") // Earshot wants some events not to be sent
		}
		if fmt.Sprint(want) != fmt.Sprint(got) {
			o.Errorf("an application is %v, and Asterisk's %v", got, want)
		}
	})
}
