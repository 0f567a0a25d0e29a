package agent

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// AMITLS is how the connection to AMI is secured.
type AMITLS struct {
	Enabled    bool   `yaml:"enabled"`     // false: plain TCP
	CAFile     string `yaml:"ca_file"`     // PEM: the authorities that are trusted, or the PBX's own certificate; the system's
	ServerName string `yaml:"server_name"` // the name that its certificate has to have; the host of address
}

func (t *AMITLS) validate(bad func(key, format string, args ...any)) {
	for _, k := range []struct{ key, value string }{{"ca_file", t.CAFile}, {"server_name", t.ServerName}} {
		if !t.Enabled && k.value != "" {
			bad("pbx.ami.tls."+k.key, "pbx.ami.tls.%s does nothing without enabled: true", k.key)
		}
	}
}

// config is what the client takes; nil where the connection is a plain one.
func (t *AMITLS) config() (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile == "" {
		return c, nil
	}
	pem, err := os.ReadFile(t.CAFile)
	if err != nil {
		return nil, fmt.Errorf("pbx.ami.tls.ca_file: %w", err)
	}
	if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("pbx.ami.tls.ca_file: there is no certificate in it")
	}
	return c, nil
}
