package clients

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"
)

// minToken is how long the token of a CRM is at least: it may be guessed from everywhere.
const minToken = 16

// Name is the source's, as the configuration has it.
func (p *Pushed) Name() string { return p.name }

// Trusts reports whether a token is the CRM's. It takes as long whichever it is.
func (p *Pushed) Trusts(token string) bool { return isSecret(token, p.token.Load()) }

// Reload reads the token anew. When the file cannot be used, the one that was read before stays in use.
func (p *Pushed) Reload() error {
	token, err := p.config.readToken()
	if err != nil {
		return fmt.Errorf("clients: %s: %w", p.name, err)
	}
	p.token.Store(token)
	return nil
}

func (c PushedConfig) readToken() (*string, error) {
	if c.TokenFile == "" {
		return nil, nil
	}
	token, err := readSecret(c.TokenFile)
	if err == nil && (len(token) < minToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })) {
		err = fmt.Errorf("%s: at least %d letters, digits and signs of ASCII belong there, without spaces; openssl rand -hex 32 makes some", c.TokenFile, minToken)
	}
	if err != nil {
		return nil, fmt.Errorf("pushed.token_file: %w", err)
	}
	return &token, nil
}

// isSecret compares what was sent with a secret, if there is one, in constant time.
func isSecret(sent string, secret *string) bool {
	if secret == nil {
		return false
	}
	a, b := sha256.Sum256([]byte(sent)), sha256.Sum256([]byte(*secret)) // of one length, whatever was sent
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}
