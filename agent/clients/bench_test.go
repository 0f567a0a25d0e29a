package clients_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/cache"
)

const many = 100_000

func book(n int) string {
	var b strings.Builder
	b.WriteString("region: RU\nclients:\n")
	for i := range n {
		fmt.Fprintf(&b, "- {number: \"+7916%07d\", name: Client %d, responsible: e%d}\n", i, i, i%1000)
	}
	return b.String()
}

// One op is one look-up among 100,000 clients. Known and stranger in E.164, told in the national form and asked for lately, and
// told so for the first time, which is the only one that parses. The floor looks the number up in a map that has it in the very form in
// which it is told.
func BenchmarkLookup(b *testing.B) {
	d := mustParse(b, book(many))
	numbers := func(format string, n, of int) []string {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprintf(format, i*(of/n))
		}
		return all
	}
	for _, bm := range []struct {
		name    string
		numbers []string
		found   bool
	}{
		{"E.164", numbers("+7916%07d", many, many), true},
		{"E.164 written", numbers("+7 (916) %07d", many, many), true},
		{"E.164 stranger, lately", numbers("+7926%07d", 1000, many), false},
		{"national, lately", numbers("8916%07d", 1000, many), true},
		{"national, first time", numbers("8916%07d", many, many), true},
		{"short", numbers("%03d", 1000, 1000), false},
		{"withheld", []string{"anonymous"}, false},
	} {
		b.Run(bm.name+"/floor", func(b *testing.B) {
			plain := make(map[string]clients.Client, many)
			for i := range many {
				n := fmt.Sprintf("+7916%07d", i)
				if bm.found && !strings.HasPrefix(bm.numbers[0], "+7916") {
					n = bm.numbers[i%len(bm.numbers)]
				}
				plain[n] = clients.Client{Number: n, Name: "Client"}
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, ok := plain[bm.numbers[i]]; ok != bm.found {
					b.Fatal(bm.numbers[i])
				}
				if i++; i == len(bm.numbers) {
					i = 0
				}
			}
		})
		b.Run(bm.name+"/earshot", func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, ok := d.Lookup(bm.numbers[i]); ok != bm.found {
					b.Fatal(bm.numbers[i])
				}
				if i++; i == len(bm.numbers) {
					i = 0
				}
			}
			if bm.name != "national, first time" {
				b.ReportMetric(0, "max-allocs")
			}
		})
	}
}

func BenchmarkLookupParallel(b *testing.B) {
	d := mustParse(b, book(many))
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, ok := d.Lookup("89160000007"); !ok {
				b.Fatal("not found")
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	text := []byte(book(many))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if d, err := clients.Parse("c", text, clients.Options{}); err != nil || d.Len() != many {
			b.Fatal(err)
		}
	}
}

// One op is one look-up among 100,000 clients of whom a CRM has told, and the same in a plain map.
func BenchmarkRemote(b *testing.B) {
	memory := cache.NewMemory(cache.Options{Entries: many + 10})
	h := plain()
	h.Queue, h.TTL, h.Concurrency = 100_000, 24*time.Hour, 10
	reached := make(chan struct{}, many)
	r, err := clients.NewRemote("crm", "RU", h, clients.Environment{
		Cache: memory, OnChange: func(string) { reached <- struct{}{} },
		Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			answer(`{"found": true, "name": "Vera", "manager": "anna"}`)(w, nil)
			return w.Result(), nil
		}),
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = r.Run(ctx) }()
	numbers, table := make([]string, many), make(map[string]clients.Client, many)
	for n := range many {
		numbers[n] = fmt.Sprintf("+7916%07d", n)
		r.Find(numbers[n])
		table[numbers[n]] = clients.Client{Name: "Vera"}
	}
	for range many {
		<-reached
	}
	cancel()
	<-done
	b.Run("E.164", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i = (i + 1) % many {
			if _, a := r.Find(numbers[i]); a != clients.Found {
				b.Fatal(a)
			}
		}
	})
	b.Run("map", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i = (i + 1) % many {
			if _, ok := table[numbers[i]]; !ok {
				b.Fatal("lost")
			}
		}
	})
}
