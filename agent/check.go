package agent

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/policy"
)

// Check checks a configuration and every file that it names. It opens no connection and changes nothing. The error joins all faults, a line
// each; the warnings are about what is legal and surely not meant.
func Check(path string) (warnings []string, err error) {
	cfg, err := LoadConfig(path)
	if err != nil {
		return nil, err
	}
	var errs []error
	note := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	warnings, err = CheckPolicy(cfg.Policy)
	note(err)
	_, err = auth.OpenTokens(cfg.Tokens, auth.Options{})
	note(err)
	if cfg.Clients != "" {
		_, err = clients.Open(cfg.Clients, clients.Options{})
		note(err)
	}
	for _, path := range []string{cfg.PBX.AMI.SecretFile, cfg.PBX.ARI.PasswordFile, cfg.Audit.KeyFile} {
		if path != "" {
			_, err = readSecret(path)
			note(err)
		}
	}
	return warnings, errors.Join(errs...)
}

// CheckPolicy checks one policy file.
func CheckPolicy(path string) (warnings []string, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	_, problems, err := policy.Load(path, data, time.Now())
	for _, p := range problems {
		warnings = append(warnings, p.String())
	}
	return warnings, err
}
