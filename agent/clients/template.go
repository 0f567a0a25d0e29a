package clients

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// template is a text in which a number stands in one or more of the forms that foreign systems want:
//
//	{e164}      +79161234567
//	{digits}    79161234567
//	{national}  9161234567   without country code and trunk prefix
//	{trunk}     89161234567  as dialled inside its own country
type template string

var (
	placeholder = regexp.MustCompile(`\{[a-z0-9]+\}`)
	forms       = []string{"{e164}", "{digits}", "{national}", "{trunk}"}
)

var errPlaceholder = fmt.Errorf("the number stands there as one of %s", strings.Join(forms, ", "))

// check reports whether every placeholder is known; used whether there is one.
func (t template) check() (used bool, err error) {
	known := strings.Join(forms, "")
	for _, p := range placeholder.FindAllString(string(t), -1) {
		if !strings.Contains(known, p) {
			return false, errPlaceholder
		}
		used = true
	}
	return used, nil
}

// fill puts a number in E.164 in, each form through escape. Nothing else of the text is changed.
func (t template) fill(number string, escape func(string) string) string {
	if !strings.Contains(string(t), "{") {
		return string(t)
	}
	pairs := make([]string, 0, 2*len(forms))
	add := func(form int, s string) { pairs = append(pairs, forms[form], escape(s)) }
	add(0, number)
	add(1, strings.TrimPrefix(number, "+"))
	if n, err := phonenumbers.Parse(number, ""); err == nil { // a number that was normalised
		add(2, phonenumbers.GetNationalSignificantNumber(n))
		add(3, digits(phonenumbers.Format(n, phonenumbers.NATIONAL)))
	}
	return strings.NewReplacer(pairs...).Replace(string(t))
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// address fills an address: percent-encoded, in the path as well as in the query.
func (t template) address(number string) string { return t.fill(number, url.QueryEscape) }

// body fills a JSON body. The forms have digits and a plus in them, which stand in a JSON text as they are.
func (t template) body(number string) string {
	return t.fill(number, func(s string) string { return s })
}

// example is a number for looking at templates.
const example = "+79161234567"

// checkAddress checks an address with or without placeholders in its path and query.
func checkAddress(t template, plain bool) (used bool, err error) {
	if used, err = t.check(); err != nil {
		return false, err
	}
	if scheme, rest, ok := strings.Cut(string(t), "://"); ok {
		if host, _, _ := strings.Cut(rest, "/"); strings.ContainsAny(scheme+host, "{}") {
			return false, errors.New("the number stands in the path or in what is asked, never in the host")
		}
	}
	u, err := url.Parse(t.address(example))
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.ContainsAny(placeholder.ReplaceAllString(string(t), ""), "{} \t\r\n"):
		return false, errors.New("it must be an address such as https://crm.example.com/clients?phone={digits}")
	case u.User != nil:
		return false, errors.New("it must hold no credentials; put them into headers_file as an Authorization header")
	case u.Fragment != "":
		return false, errors.New("it must have no #")
	case u.Scheme == "http" && !plain && !isLoopback(u.Hostname()):
		return false, errors.New("it must be https, or everybody on the way reads who calls and could answer in the CRM's place; allow_http: true where the network is your own")
	}
	return used, nil
}

func checkBody(t template) (used bool, err error) {
	if used, err = t.check(); err != nil {
		return false, err
	}
	if !json.Valid([]byte(t.body(example))) {
		return false, errors.New(`it must be JSON, such as {"phone": "{digits}"}`)
	}
	return used, nil
}
