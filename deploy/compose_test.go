package deploy_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
	"go.yaml.in/yaml/v3"
)

// composition is as much of the Compose specification (github.com/compose-spec/compose-spec) as docker-compose.yml uses. Any other key is a
// fault of the file, or of this list.
type composition struct {
	Name     string
	Services map[string]service
	Networks map[string]struct{ Internal bool }
	Volumes  map[string]struct{}
	Secrets  map[string]struct{ File string }
}

type service struct {
	Build           build
	Image           string
	Command         []string
	User            string
	Environment     map[string]string
	Volumes         []string
	Tmpfs           []string
	Networks        []string
	NetworkMode     string `yaml:"network_mode"`
	Ports           []string
	Secrets         []string
	ReadOnly        bool     `yaml:"read_only"`
	CapDrop         []string `yaml:"cap_drop"`
	SecurityOpt     []string `yaml:"security_opt"`
	Healthcheck     *healthcheck
	DependsOn       map[string]dependency `yaml:"depends_on"`
	StopGracePeriod time.Duration         `yaml:"stop_grace_period"`
	Restart         string
}

type build struct {
	Context string
	Args    map[string]string
}

// UnmarshalYAML reads the short form too, which is the context alone.
func (b *build) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return n.Decode(&b.Context)
	}
	type long build
	return n.Decode((*long)(b))
}

type healthcheck struct {
	Test        []string
	Interval    time.Duration
	Timeout     time.Duration
	StartPeriod time.Duration `yaml:"start_period"`
}

type dependency struct {
	Condition string
	Restart   bool
}

var variable = regexp.MustCompile(`\$\{([A-Z_]+):-([^}]*)\}`)

// compose reads docker-compose.yml as it is when no variable is set.
func compose(t *testing.T) composition {
	t.Helper()
	text := variable.ReplaceAllStringFunc(read(t, "docker-compose.yml"), func(v string) string {
		m := variable.FindStringSubmatch(v)
		if !strings.HasPrefix(m[1], "EARSHOT_") {
			t.Errorf("the variable %s may mean something else on somebody's machine", m[1])
		}
		return m[2]
	})
	if strings.Contains(text, "$") {
		t.Error("a variable without a default")
	}
	var c composition
	d := yaml.NewDecoder(bytes.NewReader([]byte(text)))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

// What a service names is there, and what is there is named by one.
func TestComposeNamesWhatIsThere(t *testing.T) {
	c := compose(t)
	if got, want := slices.Sorted(maps.Keys(c.Services)), []string{"asterisk", "earshot", "grafana", "prometheus", "redis"}; !slices.Equal(got, want) {
		t.Fatalf("services %v, want %v", got, want)
	}
	used := map[string]bool{}
	use := func(kind, name string, there bool) {
		used[kind+" "+name] = true
		if !there {
			t.Errorf("there is no %s %q", kind, name)
		}
	}
	for name, s := range c.Services {
		if (s.Image == "") == (s.Build.Context == "") {
			t.Errorf("%s is built and pulled, or neither", name)
		}
		if s.Image != "" && !regexp.MustCompile(`^[a-z/]+:v?[0-9][-.a-z0-9]*$`).MatchString(s.Image) {
			t.Errorf("%s: the image %s has no version", name, s.Image)
		}
		for _, v := range s.Volumes {
			from, to, _ := strings.Cut(v, ":")
			to, mode, _ := strings.Cut(to, ":")
			if !path.IsAbs(to) || (mode != "" && mode != "ro") {
				t.Errorf("%s: the mount %s", name, v)
			}
			if !strings.HasPrefix(from, "./") {
				_, ok := c.Volumes[from]
				use("volume", from, ok)
				continue
			}
			if _, err := os.Stat(filepath.Join(top, from)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if mode != "ro" {
				t.Errorf("%s may write %s", name, from)
			}
		}
		for _, n := range s.Networks {
			_, ok := c.Networks[n]
			use("network", n, ok)
		}
		for _, n := range s.Secrets {
			_, ok := c.Secrets[n]
			use("secret", n, ok)
		}
		for on, d := range s.DependsOn {
			other, ok := c.Services[on]
			switch {
			case !ok:
				t.Errorf("%s depends on %s, which is no service", name, on)
			case d.Condition == "service_healthy" && other.Healthcheck == nil && !strings.Contains(read(t, path.Join(other.Build.Context, "Dockerfile")), "\nHEALTHCHECK "):
				t.Errorf("%s waits for the health of %s, which nobody asks for", name, on)
			case d.Condition != "service_healthy" && d.Condition != "service_started":
				t.Errorf("%s: the condition %q", name, d.Condition)
			}
		}
	}
	for name := range c.Networks {
		use("network", name, used["network "+name])
	}
	for name := range c.Volumes {
		use("volume", name, used["volume "+name])
	}
	for name, s := range c.Secrets {
		use("secret", name, used["secret "+name])
		if _, err := os.Stat(filepath.Join(top, s.File)); err != nil {
			t.Error(err)
		}
	}
}

// No service can do more than it must, and from outside there is only what is meant for outside.
func TestComposeKeepsServicesApart(t *testing.T) {
	c := compose(t)
	for name, s := range c.Services {
		if !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) {
			t.Errorf("%s keeps powers: %v, %v", name, s.CapDrop, s.SecurityOpt)
		}
		if !s.ReadOnly && name != "asterisk" {
			t.Errorf("%s can write its own image", name)
		}
		if s.Restart != "unless-stopped" {
			t.Errorf("%s does not come back", name)
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s publishes %s to everybody", name, p)
			}
		}
	}
	pbx := pbxtest.Container
	published := []string{
		fmt.Sprintf("127.0.0.1:%d:%d/udp", pbx.SIP, pbx.SIP),
		fmt.Sprintf("127.0.0.1:%d-%d:%d-%d/udp", pbx.RTPFirst, pbx.RTPLast, pbx.RTPFirst, pbx.RTPLast),
		"127.0.0.1:8080:8080", // Earshot's door
	}
	if got := c.Services["asterisk"].Ports; !slices.Equal(got, published) {
		t.Errorf("the asterisk container publishes %v, want %v", got, published)
	}
	if s := c.Services["earshot"]; s.NetworkMode != "service:asterisk" || s.Networks != nil || s.Ports != nil {
		t.Errorf("Earshot is not where AMI and ARI are: %q, %v, %v", s.NetworkMode, s.Networks, s.Ports)
	}
	if d := c.Services["earshot"].DependsOn["asterisk"]; d.Condition != "service_healthy" || !d.Restart {
		t.Errorf("Earshot would stay in the network of an Asterisk that is gone: %v", d)
	}
	if s := c.Services["redis"]; !slices.Equal(s.Networks, []string{"cache"}) || s.Ports != nil || !c.Networks["cache"].Internal {
		t.Errorf("Redis, which has no password, is in %v and publishes %v", s.Networks, s.Ports)
	}
	if s := c.Services["grafana"]; slices.Contains(s.Networks, "metrics") || !c.Networks["metrics"].Internal {
		t.Errorf("Grafana, or somebody outside, can reach Earshot's admin listener: %v", s.Networks)
	}
	for name, s := range c.Services {
		if slices.Contains(s.Networks, "cache") && name != "redis" && name != "asterisk" {
			t.Errorf("%s can reach Redis", name)
		}
	}
}

// A secret is in a file of its own, and in no image, environment or configuration of ours.
func TestComposeTellsNoSecret(t *testing.T) {
	c := compose(t)
	ignored := ignore(t)
	for name, s := range c.Secrets {
		file := path.Clean(s.File)
		secret := strings.TrimSpace(read(t, file))
		if secret != pbxtest.Container.Earshot.Password {
			t.Errorf("the secret %s is not the one of testdata/pbx", name)
		}
		if !ignored.match(file) {
			t.Errorf("%s is sent to the builder", file)
		}
		for _, other := range []string{"docker-compose.yml", "Dockerfile", "deploy/compose/asterisk/Dockerfile", "deploy/compose/asterisk/start", "deploy/compose/earshot/earshot.yaml"} {
			if strings.Contains(read(t, other), secret) {
				t.Errorf("%s tells the secret %s", other, name)
			}
		}
	}
}

// The containers show the same company as make demo.
func TestComposeHasThePolicyOfTheDemo(t *testing.T) {
	for _, name := range []string{"policy.yaml", "clients.yaml"} {
		want, err := site.Sample(name)
		if err != nil {
			t.Fatal(err)
		}
		if read(t, "deploy/compose/earshot/"+name) != want {
			t.Errorf("deploy/compose/earshot/%s is another one than agent/pbxtest/site/files/%s", name, name)
		}
	}
	_, policy, _ := strings.Cut(read(t, "deploy/compose/earshot/policy.yaml"), "\n")
	_, next, _ := strings.Cut(read(t, "deploy/compose/earshot/next.yaml"), "\n")
	if want := strings.Replace(policy, "allow: [spy, whisper, barge]", "allow: [spy, whisper]", 1); next != want || next == policy {
		t.Error("deploy/compose/earshot/next.yaml is not the policy with the one change that earshot.yaml tells of")
	}
}
