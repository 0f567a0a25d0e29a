package cluster

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/cache"
)

func testKeys(tb testing.TB, key string) keys {
	tb.Helper()
	k, err := newKeys([]byte(key))
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func TestWhatIsSealedOpensAtItsPlaceAlone(t *testing.T) {
	k, other := testKeys(t, strings.Repeat("k", MinKey)), testKeys(t, strings.Repeat("x", MinKey))
	me, him := newIncarnation(), newIncarnation()
	s := k.sealer(rowKind, "pbx-a", me)
	text := s.seal([]byte("text"), "a", "b")
	opens := func(a cipher.AEAD, what kind, pbx, text string, place ...string) bool {
		plain, err := open(a, what, pbx, text, place...)
		if err == nil && string(plain) != "text" {
			t.Errorf("%q", plain)
		}
		return err == nil
	}
	own := k.aead(rowKind, "pbx-a", me)
	if !opens(own, rowKind, "pbx-a", text, "a", "b") {
		t.Fatal("it does not open")
	}
	for name, ok := range map[string]bool{
		"another key":         opens(other.aead(rowKind, "pbx-a", me), rowKind, "pbx-a", text, "a", "b"),
		"another PBX":         opens(k.aead(rowKind, "pbx-b", me), rowKind, "pbx-b", text, "a", "b"),
		"another PBX's name":  opens(own, rowKind, "pbx-b", text, "a", "b"),
		"another incarnation": opens(k.aead(rowKind, "pbx-a", him), rowKind, "pbx-a", text, "a", "b"),
		"another kind":        opens(k.aead(commandKind, "pbx-a", me), commandKind, "pbx-a", text, "a", "b"),
		"another kind's name": opens(own, commandKind, "pbx-a", text, "a", "b"),
		"another place":       opens(own, rowKind, "pbx-a", text, "a", "c"),
		"a place parted else": opens(own, rowKind, "pbx-a", text, "ab", ""),
		"a part of the place": opens(own, rowKind, "pbx-a", text, "a"),
	} {
		if ok {
			t.Errorf("%s opens it", name)
		}
	}
	for i := range len(text) {
		changed := []byte(text)
		changed[i] ^= 1
		if opens(own, rowKind, "pbx-a", string(changed), "a", "b") || opens(own, rowKind, "pbx-a", text[:i], "a", "b") {
			t.Errorf("changed or cut at %d it opens", i)
		}
	}
	of, first, _ := head(text)
	if _, second, _ := head(s.seal(nil)); of != me || second <= first {
		t.Error("the revision does not rise")
	}
	if k.place("pbx-a", me, "leg/1") == k.place("pbx-a", him, "leg/1") || k.place("pbx-a", me, "leg/1") == k.place("pbx-a", me, "leg/2") {
		t.Error("two rows have one place")
	}
}

func TestOnlyWhoNamesThePresentIncarnationStands(t *testing.T) {
	c := &Cluster{pbx: "pbx-a", me: newIncarnation(), now: time.Now, met: newCounters(), told: make(map[string]struct{}), keys: testKeys(t, strings.Repeat("k", MinKey))}
	c.cfg.Silence = time.Minute
	first, second := newIncarnation(), newIncarnation()
	sealers := map[incarnation]*sealer{}
	for _, of := range []incarnation{first, second} {
		s := c.keys.sealer(rowKind, "pbx-b", of)
		sealers[of] = &s
	}
	p := &peer{name: "pbx-b"}
	says := func(of incarnation, met string) (stands bool) {
		p.greet(c, sealers[of].seal(fmt.Appendf(nil, `{"met":{"pbx-a":%q}}`, met), helloPlace))
		return p.stands(c)
	}
	me := c.me.String()
	for i, tc := range []struct {
		of   incarnation
		met  string
		want bool
	}{{first, "", false}, {first, me, true}, {first, second.String(), false}, {first, me, true}, {second, "", false}, {second, me, true}, {first, me, false}, {second, me, true}} {
		if got := says(tc.of, tc.met); got != tc.want {
			t.Errorf("%d: %v", i, got)
		}
	}
	old := sealers[second].seal([]byte(`{"met":{"pbx-a":"`+me+`"}}`), helloPlace)
	if !says(second, me) {
		t.Error("a newer one is not taken")
	}
	if p.greet(c, old); p.stands(c) {
		t.Error("an older one is taken")
	}
	if p.greet(c, "x"); p.stands(c) || !p.alien {
		t.Error("what is none is taken")
	}
}

func TestACommandThatWasKeptBackIsNotBegunWith(t *testing.T) {
	begun := time.Now()
	at := begun
	c := &Cluster{
		pbx: "pbx-a", me: newIncarnation(), now: func() time.Time { return at }, met: newCounters(), told: make(map[string]struct{}), carried: make(map[string]time.Time),
		keys: testKeys(t, strings.Repeat("k", MinKey)),
	}
	c.lives = []*life{{of: c.me, hellos: []sealedHello{{revision: 5, at: begun}, {revision: 6, at: begun.Add(time.Hour)}}}}
	c.cfg.Silence, c.cfg.Stale = 6*time.Second, 3*time.Second
	s := c.keys.sealer(commandKind, "pbx-b", newIncarnation())
	opens := func(hello uint64, deadline time.Time) (time.Time, bool) {
		plain := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, hello), 1000)
		body := s.seal(append(plain, "request"...), "pbx-a", string(c.me[:]))
		task, ok := c.open(cache.Command{From: "pbx-b", Body: body, Deadline: deadline})
		if ok && string(task.request) != "request" {
			t.Errorf("%q", task.request)
		}
		return task.until, ok
	}
	last := begun.Add(11 * time.Second) // 6 + 3 + 1 of the hello, and 1 of the command
	if until, ok := opens(5, begun.Add(time.Hour)); !ok || !until.Equal(last) {
		t.Errorf("until %v, %v", until.Sub(begun), ok)
	}
	if until, ok := opens(5, begun.Add(time.Second)); !ok || !until.Equal(begun.Add(time.Second)) {
		t.Errorf("until %v, %v", until.Sub(begun), ok)
	}
	if _, ok := opens(4, begun.Add(time.Hour)); ok {
		t.Error("it names a hello that was never said")
	}
	at = last
	if _, ok := opens(5, last.Add(time.Hour)); ok {
		t.Error("it is taken although its time is over")
	}
}

func TestPlacesTakenBackAreForgottenWithoutLettingThemComeBack(t *testing.T) {
	c := &Cluster{now: time.Now, met: newCounters(), told: make(map[string]struct{}), keys: testKeys(t, strings.Repeat("k", MinKey))}
	him := newIncarnation()
	s := c.keys.sealer(rowKind, "pbx-a", him)
	p := &peer{name: "pbx-a"}
	p.succeed(c, him, c.keys.aead(rowKind, "pbx-a", him))
	sealed := func(key string) (place, raw string) {
		place = c.keys.place("pbx-a", him, key)
		return place, s.seal(writeRow(key, []byte("value")), place)
	}
	first, raw := sealed("first")
	if r, ok := p.take(c, first, raw); !ok || r.Key != "first" || string(r.Value) != "value" {
		t.Fatal("it is not taken")
	}
	if _, ok := p.hide(first); !ok {
		t.Fatal("it is not taken back")
	}
	// What was hidden last goes on being known when many were hidden since.
	for i := range maxHidden + 1 {
		place := fmt.Sprint(i)
		p.rows[place] = &row{revision: s.revision + 1 + uint64(i), shown: true}
		p.hide(place)
	}
	if len(p.hidden) > maxHidden {
		t.Errorf("%d are remembered", len(p.hidden))
	}
	if _, ok := p.take(c, first, raw); ok {
		t.Error("what was taken back is shown again")
	}
	s.revision = 10 * maxHidden
	next, raw := sealed("next")
	if _, ok := p.take(c, next, raw); !ok {
		t.Error("a new one is not taken")
	}
}

func FuzzOpen(f *testing.F) {
	k := testKeys(f, strings.Repeat("k", MinKey))
	of := incarnation{1}
	s := k.sealer(rowKind, "pbx-a", of)
	good := map[string][]byte{}
	for _, plain := range [][]byte{nil, writeRow("leg/1", []byte("value")), []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), {5, 'a'}} {
		text := s.seal(plain, "place")
		good[text] = plain
		f.Add(text, []byte(nil))
		f.Add(text[:len(text)-1], plain)
	}
	a := k.aead(rowKind, "pbx-a", of)
	f.Fuzz(func(t *testing.T, text string, row []byte) {
		plain, err := open(a, rowKind, "pbx-a", text, "place")
		if want, sealed := good[text]; sealed != (err == nil) || !bytes.Equal(plain, want) {
			t.Errorf("%q opens as %q, %v", text, plain, err)
		}
		if key, value, ok := readRow(row); ok {
			if k2, v2, ok := readRow(writeRow(key, value)); !ok || k2 != key || !bytes.Equal(v2, value) {
				t.Errorf("%q is not what it was", row)
			}
		}
	})
}

func BenchmarkSealAndOpenARowOf500Bytes(b *testing.B) {
	k := testKeys(b, strings.Repeat("k", MinKey))
	of := newIncarnation()
	s, a := k.sealer(rowKind, "pbx-a", of), k.aead(rowKind, "pbx-a", of)
	place := k.place("pbx-a", of, "leg/1")
	row := writeRow("leg/1", bytes.Repeat([]byte("v"), 500-6))
	b.SetBytes(int64(len(row)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := open(a, rowKind, "pbx-a", s.seal(row, place), place); err != nil {
			b.Fatal(err)
		}
	}
}
