package agent_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/ami"
)

// Earshot reaches AMI by TLS as what is printed has Asterisk offer it, believes the authority that is named and no other, and works.
func TestAMIIsReachedByTLS(t *testing.T) {
	o := enter(t)
	free, err := new(net.ListenConfig).Listen(o.ctx, "tcp", "127.0.0.1:0")
	o.must(err)
	address := free.Addr().String()
	o.must(free.Close())
	cert, key := agent.Pair(t, 1, time.Now().Add(time.Hour))
	other, _ := agent.Pair(t, 2, time.Now().Add(time.Hour))
	dir := t.TempDir()
	for name, text := range map[string]string{"cert.pem": cert, "key.pem": key, "other.pem": other} {
		o.must(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	secured := func(ca string) func(c *agent.Config) {
		return func(c *agent.Config) {
			c.PBX.AMI.Address, c.PBX.AMI.TLS = address, agent.AMITLS{Enabled: true, CAFile: filepath.Join(dir, ca)}
		}
	}
	cfg, err := agent.LoadConfig(o.Path("earshot.yaml"))
	o.must(err)
	_, port, _ := net.SplitHostPort(cfg.PBX.AMI.Address)
	secured("cert.pem")(cfg)
	printed, err := agent.AsteriskConfig(cfg, nil, "manager")
	o.must(err)
	printed = strings.NewReplacer("/etc/asterisk/keys/asterisk.pem", dir+"/cert.pem", "/etc/asterisk/keys/asterisk.key", dir+"/key.pem",
		"tlsenable = yes", "port = "+port+"\ntlsenable = yes").Replace(printed) // plain AMI stays where it was, for the other tests
	path := filepath.Join(o.PBX.Dir(), "etc", "manager.conf")
	before, err := os.ReadFile(path)
	o.must(err)
	o.Cleanup(func() {
		o.must(os.WriteFile(path, before, 0o600))
		_, err := o.PBX.Command(context.Background(), "manager reload")
		o.must(err)
	})
	_, others, _ := strings.Cut(string(before), "writetimeout = 5000\n")
	o.must(os.WriteFile(path, []byte(printed+others), 0o600))
	_, err = o.PBX.Command(o.ctx, "manager reload")
	o.must(err)

	for name, c := range map[string]agent.AMITLS{
		"another authority": {Enabled: true, CAFile: dir + "/other.pem"}, "the system's": {Enabled: true},
		"another host": {Enabled: true, CAFile: dir + "/cert.pem", ServerName: "pbx.office.test"},
	} {
		settings, err := agent.TLSConfig(&c)
		o.must(err)
		client, err := ami.Dial(o.ctx, ami.Config{Addr: address, Username: "x", Secret: "y", TLS: settings})
		if untrusted := (*tls.CertificateVerificationError)(nil); !errors.As(err, &untrusted) {
			o.Errorf("%s: %v", name, err)
		}
		if err == nil {
			client.Close()
		}
	}
	openOn(o, secured("cert.pem"))
	o.scene("it works", func(o *office) {
		w := o.watch("irina")
		o.talk(stranger, "anna")
		o.supervises(w, "irina", "anna", "spy")
	})
}

func TestWhatIsWrongWithTheTLSOfAMIIsToldByCheck(t *testing.T) {
	for name, c := range map[string]struct{ yaml, want string }{
		"off, with a file":     {"tls: {ca_file: x}", "pbx.ami.tls.ca_file does nothing without enabled: true"},
		"off, with a name":     {"tls: {server_name: x}", "pbx.ami.tls.server_name does nothing without enabled: true"},
		"a file that is not":   {"tls: {enabled: true, ca_file: none.pem}", "pbx.ami.tls.ca_file: "},
		"a file without one":   {"tls: {enabled: true, ca_file: ami-secret}", "pbx.ami.tls.ca_file: there is no certificate in it"},
		"the system's, a name": {"tls: {enabled: true, server_name: pbx}", ""},
	} {
		_, dir, _ := load(t, strings.Replace(minimal, "username: manager", c.yaml+", username: manager", 1))
		put(t, dir+"/ami-secret", "s\n")
		_, err := agent.Check(dir + "/earshot.yaml")
		told := ""
		if err != nil {
			told = err.Error()
		}
		if c.want == "" && strings.Contains(told, "pbx.ami") || !strings.Contains(told, c.want) {
			t.Errorf("%s: %s", name, told)
		}
	}
}
