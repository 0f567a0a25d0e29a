package agent_test

import (
	"net/http"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

func (b *branches) killsWest() {
	west := b.at["west"]
	outside, inside := west.talk(stranger, "gleb")
	b.state("gleb", "talking", "north", "south")
	b.west.Kill()
	killed := time.Now()
	b.unknown("gleb", "north", "south")
	if took := time.Since(killed); took > 5*time.Second { // two of the lease, and what a busy machine takes
		b.Errorf("its calls left the boards after %s", took)
	}
	b.state("anna", "idle", "north", "south")
	_, err := b.at["north"].as("maria").Supervise(b.ctx, "gleb", "spy")
	b.refused(err, http.StatusServiceUnavailable, "other_pbx_unreachable")
	west.hear(0, map[*phone.Call][]phone.Tone{inside: {outside.Tone()}, outside: {inside.Tone()}})
	binary, err := earshot()
	b.must(err)
	b.west, err = west.Site.Run(b.ctx, binary, west.log)
	b.must(err)
	b.state("gleb", "talking", site.PBXs...)
}

// hangs has the Earshot at west hang while it is asked for something, and go on: it does not do so late what nobody knew to be done.
func (b *branches) hangs() {
	north, west := b.at["north"], b.at["west"]
	outside, inside := west.talk(stranger, "gleb")
	b.state("gleb", "talking", "north")
	b.must(b.west.Pause())
	asked := time.Now()
	_, err := north.as("maria").Supervise(b.ctx, "gleb", "spy") // her phone is on west
	took := time.Since(asked)
	b.unknown("gleb", "north", "south") // or what was shown before could be taken for what is shown after
	b.must(b.west.Continue())
	b.refused(err, http.StatusServiceUnavailable, "outcome_unknown") // it had been sent
	if took > 10*time.Second {
		b.Errorf("it was answered after %s", took)
	}
	b.state("gleb", "talking", "north", "south")
	_, _, sup := b.supervises("north", "maria", "gleb", "spy")
	west.hear(0, map[*phone.Call][]phone.Tone{sup: {inside.Tone(), outside.Tone()}})
	if calls := west.Phones["maria"].Calls(); len(calls) != 1 {
		b.Errorf("maria's phone has %d calls", len(calls))
	}
}

// supervised has irina listen to boris, beside whose PBX she asks, and gleb talk on another.
func (b *branches) supervised() (s site.Supervision, sup, inside, outside *phone.Call) {
	b.Helper()
	outside, inside = b.at["north"].talk(vera, "boris")
	b.at["west"].talk(stranger, "gleb")
	b.state("boris", "talking", site.PBXs...)
	b.state("gleb", "talking", site.PBXs...)
	_, s, sup = b.supervises("north", "irina", "boris", "spy")
	b.at["north"].hear(0, map[*phone.Call][]phone.Tone{sup: {inside.Tone(), outside.Tone()}})
	return s, sup, inside, outside
}

// heard makes sure that a supervision has been heard all the time since.
func (b *branches) heard(sup *phone.Call, since time.Time, voices ...phone.Tone) {
	b.Helper()
	for _, t := range voices {
		if lost := sup.Missing(t, since, time.Now()); lost > 25 { // half a second, on a machine that does much else
			b.Errorf("%d frames of 20 ms of %v were not heard", lost, t)
		}
	}
}

// crosses makes sure that what is asked at one PBX is done at another.
func (b *branches) crosses(s site.Supervision, sup, inside, outside *phone.Call) {
	b.Helper()
	north := b.at["north"]
	for _, name := range site.PBXs {
		b.state("boris", "talking", name)
		b.state("gleb", "talking", name)
	}
	w := b.at["south"].watch("irina")
	_, err := b.at["south"].as("irina").Change(b.ctx, s.ID, "barge")
	b.must(err)
	north.hear(0, map[*phone.Call][]phone.Tone{inside: {outside.Tone(), sup.Tone()}, outside: {inside.Tone(), sup.Tone()}})
	b.must(b.at["west"].as("irina").End(b.ctx, s.ID))
	north.over(w, s.ID, sup, "ended_by_supervisor")
}

func (b *branches) emptied() {
	s, sup, inside, outside := b.supervised()
	since := time.Now()
	b.must(b.Redis.Empty(b.ctx))
	// What was shown is shown again: a call that begins now is on all boards, and so are those before.
	b.at["west"].talk(oleg, "nina")
	b.state("nina", "talking", site.PBXs...)
	b.heard(sup, since, inside.Tone(), outside.Tone())
	b.crosses(s, sup, inside, outside)
}

func (b *branches) fill()    { b.must(b.Redis.Limit(b.ctx, "1")) }
func (b *branches) widen()   { b.must(b.Redis.Limit(b.ctx, "0")) }
func (b *branches) pause()   { b.must(b.Redis.Pause()) }
func (b *branches) resume()  { b.must(b.Redis.Resume()) }
func (b *branches) kill()    { b.must(b.Redis.Kill()) }
func (b *branches) replace() { b.must(b.Redis.Run()) }

// away has the Redis go while a supervision runs, and come back. Within a time the other PBXs' calls are off the boards.
func (b *branches) away(goes, comes func(*branches), within time.Duration) {
	s, sup, inside, outside := b.supervised()
	north, south := b.at["north"], b.at["south"]
	since := time.Now()
	goes(b)
	back := false
	defer func() {
		if !back {
			comes(b)
		}
	}()
	quick := func(what string, f func()) {
		b.Helper()
		began := time.Now()
		f()
		if took := time.Since(began); took > 2*time.Second {
			b.Errorf("%s took %s while Redis was away", what, took)
		}
	}
	// At once, and while the others still count as known.
	quick("a change of the mode", func() {
		_, err := north.as("irina").Change(b.ctx, s.ID, "whisper")
		b.must(err)
	})
	north.hear(0, map[*phone.Call][]phone.Tone{inside: {outside.Tone(), sup.Tone()}, outside: {inside.Tone()}})
	b.unknown("gleb", "north", "south")
	if took := time.Since(since); took > within {
		b.Errorf("the other PBXs' calls left the boards after %s", took)
	}
	b.unknown("boris", "south", "west")
	south.reaches(`earshot_cluster_members{state="gone"}`, 2)
	b.state("boris", "talking", "north")
	quick("a refusal", func() {
		_, err := south.as("irina").Supervise(b.ctx, "boris", "spy")
		b.refused(err, http.StatusServiceUnavailable, "other_pbx_unreachable")
	})
	quick("a call beside one's own PBX", func() {
		north.talk(stranger, "anna")
		b.state("anna", "talking", "north")
	})
	b.heard(sup, since, inside.Tone(), outside.Tone())
	comes(b)
	back = true
	b.state("anna", "talking", site.PBXs...) // which began meanwhile
	south.reaches(`earshot_cluster_members{state="gone"}`, 0)
	b.crosses(s, sup, inside, outside)
}
