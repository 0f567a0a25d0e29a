package pbx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/ami"
	"github.com/earshot-pbx/earshot/ari"
)

// patience bounds each wait of a test; what is waited for comes within a second or two.
const patience = 20 * time.Second

// office is the one PBX of this package's tests, with its phones. Tests that use it do not run at the same time.
type office struct {
	pbx    *pbxtest.PBX
	phones map[string]*phone.Phone
	http   *http.Transport
}

var shared struct {
	sync.Mutex
	office *office
	err    error
}

// numbers of the office beside those of the demo company.
const (
	forwarded      = "401" // leads to 102 at once
	forwardedLater = "402" // leads to 102 when nobody has answered for a second
	chanSpy        = "555" // spies on the phone 101
	recording      = "556" // calls the phone 102 and records it, from the second attempt on
	parked         = "701" // the first slot of those who are parked
	outsideNumber  = "74950000"
	asSet          = "77" // before a phone's number: as it is set in the AstDB, by the README's lines
)

// openOffice starts the PBX when the first test needs it.
func openOffice(t *testing.T) *office {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.office == nil && shared.err == nil {
		shared.office, shared.err = startOffice()
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.office
}

func startOffice() (*office, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // the first one on a machine downloads Asterisk
	defer cancel()
	plan := company()
	plan.Extensions = append(plan.Extensions, floor("").spying(), floor("").recording())
	for _, f := range floors() {
		f.add(&plan)
	}
	plan.Modules = append(plan.Modules, "app_chanspy.so")
	settings, err := readmeSettings()
	if err != nil {
		return nil, err
	}
	plan.Extensions = append(plan.Extensions, pbxtest.Extension{Number: "_" + asSet + "XXX", Steps: []string{"Goto(asset,${EXTEN:2},1)"}})
	// Accounts that lack one right each.
	local := "\nsecret = lacks\ndeny = 0.0.0.0/0.0.0.0\npermit = 127.0.0.1/255.255.255.255\n"
	plan.Extra = map[string]string{
		"manager.conf": "[mute]" + local + "read = call\n[still]" + local + "read = call,agent\nwrite = originate,agent,reporting\n[deaf]" + local + "write = originate\n",
		"ari.conf":     "[reader]\ntype = user\nread_only = yes\npassword = lacks\n",
		// Asterisk waits for as long for the number to which somebody transfers, and for an answer there.
		"extensions.conf": settings,
		// This phone is told when it is put on hold; the others hear music.
		"pjsip.conf":    "[" + forwarded + "](+type=endpoint)\nmoh_passthrough = yes\n",
		"features.conf": "[general](+)\ntransferdigittimeout=30\natxfernoanswertimeout=60\n",
	}
	p, err := pbxtest.Start(ctx, pbxtest.Options{Plan: plan})
	if err != nil {
		return nil, err
	}
	o := &office{pbx: p, phones: map[string]*phone.Phone{}, http: &http.Transport{}}
	if err := o.open(ctx); err != nil {
		return nil, errors.Join(err, o.close())
	}
	return o, nil
}

// company is the demo company, with the numbers above.
func company() pbxtest.Plan {
	plan := pbxtest.Demo()
	plan.Phones = append(plan.Phones,
		pbxtest.Phone{ID: forwarded, Name: "Forwarded", Forward: "102"},
		pbxtest.Phone{ID: forwardedLater, Name: "Forwarded Later", Forward: "102", ForwardAfter: 1})
	plan.Incoming = append(plan.Incoming, pbxtest.Incoming{Number: outsideNumber + forwarded, To: forwarded})
	return plan
}

func (o *office) open(ctx context.Context) error {
	plan := o.pbx.Plan()
	ids := []string{"trunk"}
	for _, p := range company().Phones {
		ids = append(ids, p.ID)
	}
	for i, id := range ids {
		secret, ok := plan.Secret(id)
		if !ok {
			return fmt.Errorf("the plan has no secret for %s", id)
		}
		p, err := phone.Listen(phone.Config{User: id, Password: secret, Server: o.pbx.SIP(), Tone: phone.Tone(i + 1)})
		if err != nil {
			return err
		}
		o.phones[id] = p
	}
	return o.register(ctx)
}

// register registers every phone, again after a restart of the PBX.
func (o *office) register(ctx context.Context) error { return register(ctx, o.phones) }

func register(ctx context.Context, phones map[string]*phone.Phone) error {
	errs := make(chan error, len(phones))
	for _, p := range phones {
		go func() { errs <- p.Register(ctx) }()
	}
	var all error
	for range phones {
		all = errors.Join(all, <-errs)
	}
	return all
}

func (o *office) close() error {
	err := errors.Join(closePhones(o.phones), o.pbx.Stop())
	o.http.CloseIdleConnections()
	return err
}

func closeOffice() error {
	if shared.office == nil {
		return nil
	}
	return shared.office.close()
}

// ari is how one gets at ARI as Earshot, or with every right.
func (o *office) ari(a pbxtest.Account) ari.Config {
	return ari.Config{BaseURL: o.pbx.ARI(), Username: a.User, Password: a.Password, HTTPClient: &http.Client{Transport: o.http}}
}

func (o *office) ami(a pbxtest.Account) ami.Config {
	return ami.Config{Addr: o.pbx.AMI(), Username: a.User, Secret: ami.Secret(a.Password), Events: "call"}
}
