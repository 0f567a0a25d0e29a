package pbxtest

import (
	"fmt"
	"strings"
)

// Site is where an instance listens and how one logs in: what the configuration files need beyond the Plan.
type Site struct {
	Host     string // address that everything binds: "127.0.0.1"
	SIP      int    // UDP port of PJSIP
	AMI      int    // TCP port of the manager
	HTTP     int    // TCP port of ARI
	RTPFirst int    // UDP ports of RTP, both ends included
	RTPLast  int
	// Earshot is the account with the least rights that Earshot works with, in AMI and in ARI.
	Earshot Account
	// Admin is an account with every right, for what a test does to the PBX behind Earshot's back. Without a user there is none.
	Admin Account
	// Address, a file with two lines of a PJSIP transport, external_signaling_address and external_media_address, makes SIP and RTP listen on
	// every address and tell phones that one: they are on the other side of a container's wall. AMI and ARI stay on Host. Empty: all are on Host.
	Address string
}

// Account is a user of AMI and ARI.
type Account struct{ User, Password string }

// section writes one section of a configuration file.
func section(b *strings.Builder, name string, lines ...string) {
	fmt.Fprintf(b, "[%s]\n", name)
	for _, l := range lines {
		b.WriteString(l)
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
}

// Files are the configuration files of the Plan by name, without asterisk.conf, which names directories.
func (p *Plan) Files(s Site) (map[string]string, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	files := map[string]string{
		"modules.conf":     p.modules(),
		"pjsip.conf":       p.pjsip(s),
		"extensions.conf":  p.extensions(),
		"queues.conf":      p.queues(),
		"features.conf":    features(),
		"res_parking.conf": "[general]\n\n[default]\nparkext => " + NumberPark + "\nparkpos => 701-720\ncontext => parkedcalls\nparkingtime => 600\ncomebacktoorigin => yes\nparkedcalltransfers => both\nparkedcallhangup => both\n",
		"confbridge.conf":  "[general]\n\n[default_user]\ntype=user\nquiet=yes\n\n[default_bridge]\ntype=bridge\n",
		// The music is a tone of its own, so that a test can tell it from every phone.
		"musiconhold.conf": "[general]\n\n[default]\nmode=files\ndirectory=moh\nsort=alpha\n",
		"manager.conf":     manager(s),
		"http.conf":        fmt.Sprintf("[general]\nenabled=yes\nbindaddr=%s\nbindport=%d\nenablestatic=no\nsessionlimit=200\n", s.Host, s.HTTP),
		"ari.conf":         ariConf(s),
		"rtp.conf":         fmt.Sprintf("[general]\nrtpstart=%d\nrtpend=%d\nicesupport=no\n", s.RTPFirst, s.RTPLast),
		"logger.conf":      "[general]\ndateformat=%F %T.%3q\n\n[logfiles]\n" + s.log() + " => notice,warning,error\n",
		// CDR(answer) is the one place that holds the answer time at a resync; no back end is needed for it.
		"cdr.conf":         "[general]\nenable=yes\nunanswered=yes\n",
		"cel.conf":         "[general]\nenable=no\n",
		"indications.conf": indications,
		// Asterisk logs an error for each of these that is not there.
		"acl.conf": "", "ccss.conf": "[general]\n", "pjproject.conf": "", "pjsip_notify.conf": "", "queuerules.conf": "[general]\n", "udptl.conf": "[general]\n", "websocket_client.conf": "",
	}
	for name, text := range p.Extra {
		files[name] += "\n" + text + "\n"
	}
	return files, nil
}

// manager gives Earshot the event classes that it needs and three write classes: originate, for taking a ringing call (PickupChan) or a talking one
// (Bridge, BridgeAdd), agent, for who works on a queue, and reporting for reading the AstDB. Everything else it does through ARI.
func manager(s Site) string {
	var b strings.Builder
	section(&b, "general", "enabled=yes", "webenabled=no", "displayconnects=no", "timestampevents=no",
		"bindaddr="+s.Host, fmt.Sprintf("port=%d", s.AMI))
	// call: channels, bridges, ChanSpyStart, Pickup, parking, MixMonitorStart; agent: queues.
	section(&b, s.Earshot.User, "secret="+s.Earshot.Password, "read=call,agent", "write=originate,call,agent,reporting", "deny=0.0.0.0/0.0.0.0", "permit="+s.Host+"/32", "writetimeout=5000")
	if s.Admin.User != "" {
		section(&b, s.Admin.User, "secret="+s.Admin.Password, "read=all", "write=all", "deny=0.0.0.0/0.0.0.0", "permit="+s.Host+"/32", "writetimeout=5000")
	}
	return b.String()
}

func ariConf(s Site) string {
	var b strings.Builder
	section(&b, "general", "enabled=yes", "pretty=no", "websocket_write_timeout=1000")
	for _, a := range []Account{s.Earshot, s.Admin} {
		if a.User == "" {
			continue
		}
		section(&b, a.User, "type=user", "read_only=no", "password="+a.Password, "password_format=plain")
	}
	return b.String()
}

// log is where the log goes: a container's is what it prints.
func (s Site) log() string {
	if s.Address != "" {
		return "console"
	}
	return "messages"
}

func features() string {
	var b strings.Builder
	section(&b, "general", "pickupexten="+NumberPickup, "featuredigittimeout=800", "transferdigittimeout=2",
		"atxfernoanswertimeout=15", "atxferdropcall=no", "atxferabort="+FeatureAbort, "atxfercomplete="+FeatureAtxfer,
		"atxferthreeway="+FeatureThree, "atxferswap=*4")
	section(&b, "featuremap", "blindxfer="+FeatureBlind, "atxfer="+FeatureAtxfer, "disconnect="+FeatureEnd, "parkcall="+FeaturePark)
	return b.String()
}

func (p *Plan) pjsip(s Site) string {
	var b strings.Builder
	// ip before auth_username: a trunk known by its address may claim any caller in From; username last,
	// so that a claimed From of "101" does not make an authenticated trunk a phone.
	section(&b, "global", "type=global", "user_agent=Asterisk", "endpoint_identifier_order=ip,auth_username,username")
	section(&b, "system", "type=system", "timer_t1=500", "disable_tcp_switch=yes")
	common := []string{"type=endpoint", "transport=udp", "disallow=all", "allow=ulaw"}
	if s.Address != "" {
		section(&b, "udp", "type=transport", "protocol=udp", fmt.Sprintf("bind=0.0.0.0:%d", s.SIP), "#include \""+s.Address+"\"")
		// What phones call their own address is not where Asterisk, or another phone, reaches them.
		common = append(common, "disable_direct_media_on_nat=yes")
	} else {
		section(&b, "udp", "type=transport", "protocol=udp", fmt.Sprintf("bind=%s:%d", s.Host, s.SIP))
		// Without these two RTP would bind every address of the machine.
		common = append(common, "media_address="+s.Host, "bind_rtp_to_media_address=yes")
	}
	common = append(common,
		"rtp_symmetric=yes", "force_rport=yes", "rewrite_contact=yes",
		"dtmf_mode=rfc4733", "send_pai=yes", "allow_transfer=yes", "language=en", "timers=no")
	for _, ph := range p.Phones {
		e := append([]string(nil), common...)
		e = append(e, "context=phones", "auth="+ph.ID, "aors="+ph.ID, "identify_by=username,auth_username",
			fmt.Sprintf("callerid=\"%s\" <%s>", ph.name(), ph.number()), "direct_media="+yes(ph.DirectMedia))
		if ph.Group != "" {
			e = append(e, "named_call_group="+ph.Group, "named_pickup_group="+ph.Group)
		}
		section(&b, ph.ID, e...)
		account(&b, ph.ID, ph.password(), ph.Contact)
	}
	for _, t := range p.Trunks {
		e := append([]string(nil), common...)
		e = append(e, "context=outside", "aors="+t.ID, "direct_media=no", "trust_id_inbound=yes", "from_user="+t.ID)
		if t.Contact == "" {
			e = append(e, "identify_by=auth_username", "auth="+t.ID)
		} else {
			e = append(e, "identify_by=ip")
			section(&b, t.ID+"-address", "type=identify", "endpoint="+t.ID, "match="+t.Contact, "srv_lookups=no")
		}
		section(&b, t.ID, e...)
		account(&b, t.ID, t.password(), t.Contact)
	}
	return b.String()
}

// account writes the AOR and the credentials of an endpoint.
func account(b *strings.Builder, id, password, contact string) {
	aor := []string{"type=aor", "max_contacts=1", "remove_existing=yes", "qualify_frequency=0", "minimum_expiration=10"}
	if contact != "" {
		aor = append(aor, "contact=sip:"+id+"@"+contact)
	}
	section(b, id, aor...)
	section(b, id, "type=auth", "auth_type=userpass", "username="+id, "password="+password)
}

func yes(v bool) string {
	if v {
		return "yes"
	}
	return "no"
}

func (p *Plan) queues() string {
	var b strings.Builder
	section(&b, "general", "persistentmembers=no", "autofill=yes", "shared_lastcall=no", "log_membername_as_agent=no")
	for _, q := range p.Queues {
		lines := []string{"strategy=" + or(q.Strategy, "ringall"), fmt.Sprintf("timeout=%d", max(q.Timeout, 0)), "retry=1", "wrapuptime=0",
			"ringinuse=yes", "joinempty=yes", "leavewhenempty=no", "musicclass=default", "announce-frequency=0", "reportholdtime=no", "setinterfacevar=yes"}
		if q.Timeout == 0 {
			lines[1] = "timeout=15"
		}
		for _, m := range q.Members {
			ph, _ := p.phone(m.Phone)
			if m.Local {
				lines = append(lines, fmt.Sprintf("member => Local/%s@phones/n,0,%s,PJSIP/%s", ph.number(), ph.name(), ph.ID))
			} else {
				lines = append(lines, fmt.Sprintf("member => PJSIP/%s,0,%s", ph.ID, ph.name()))
			}
		}
		section(&b, q.Name, lines...)
	}
	return b.String()
}

// indications holds one tone zone: Asterisk refuses to start without a default.
const indications = `[general]
country=us

[us]
description=United States
ringcadence=2000,4000
dial=350+440
busy=480+620/500,0/500
ring=440+480/2000,0/4000
congestion=480+620/250,0/250
callwaiting=440/300,0/10000
dialrecall=!350+440/100,!0/100,!350+440/100,!0/100,!350+440/100,!0/100,350+440
record=1400/500,0/15000
info=!950/330,!1400/330,!1800/330,0
stutter=!350+440/100,!0/100,!350+440/100,!0/100,350+440
`
