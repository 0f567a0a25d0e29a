package httpapi

import (
	"net/http"
	"net/netip"
	"strings"
)

// address is where a request comes from: the other end of the connection, or, when that is a proxy which the configuration names, whom the
// proxy says it speaks for. Each proxy adds its client at the right end of X-Forwarded-For, so the list is read from there, and no further
// than proxies wrote it: what a client sends himself stands to the left of what is believed.
func (s *Server) address(r *http.Request) string {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return host(r.RemoteAddr)
	}
	from := remote.Addr().Unmap()
	list := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(list) - 1; i >= 0 && s.isProxy(from); i-- {
		next, ok := forwarded(strings.TrimSpace(list[i]))
		if !ok {
			break
		}
		from = next
	}
	return from.WithZone("").String()
}

func (s *Server) isProxy(a netip.Addr) bool {
	for _, p := range s.cfg.Proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// forwarded reads one entry of X-Forwarded-For; some proxies write the port too.
func forwarded(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap(), true
	}
	p, err := netip.ParseAddrPort(s)
	return p.Addr().Unmap(), err == nil
}

// guesser is an address as far as one who guesses cannot change it: in IPv6 he has at least a network of 64 bits.
func guesser(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Is4() {
		return address
	}
	p, err := a.Prefix(64)
	if err != nil {
		return address
	}
	return p.String()
}
