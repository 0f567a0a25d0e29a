package httpapi

import (
	"net/http"
	"net/netip"
	"net/url"
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

// origin is the address under which the door was asked, scheme and host. A proxy that the configuration names is believed about both; what
// was there before it stands to the left of what it says. It is false when the client says none that could be one.
func (s *Server) origin(r *http.Request) (string, bool) {
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if remote, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && s.isProxy(remote.Addr().Unmap()) {
		scheme = lastOf(r.Header, "X-Forwarded-Proto", scheme)
		host = lastOf(r.Header, "X-Forwarded-Host", host)
	}
	u, err := url.Parse(scheme + "://" + host)
	if err != nil || scheme != "http" && scheme != "https" || u.Host == "" || u.String() != scheme+"://"+u.Host {
		return "", false
	}
	return u.String(), true
}

// lastOf is the last entry of a header that is a list.
func lastOf(h http.Header, name, without string) string {
	list := strings.Split(strings.Join(h.Values(name), ","), ",")
	if last := strings.TrimSpace(list[len(list)-1]); last != "" {
		return last
	}
	return without
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
