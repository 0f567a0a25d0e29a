package deploy_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// dashboard is as much of Grafana's dashboards (schema version 39) as ours uses. Any other key is a fault of the file, or of this list.
type dashboard struct {
	UID           string   `json:"uid"`
	Title         string   `json:"title"`
	Description   string   `json:"description"`
	Tags          []string `json:"tags"`
	SchemaVersion int      `json:"schemaVersion"`
	Version       int      `json:"version"`
	Editable      bool     `json:"editable"`
	GraphTooltip  int      `json:"graphTooltip"`
	Timezone      string   `json:"timezone"`
	Refresh       string   `json:"refresh"`
	Time          struct {
		From string `json:"from"`
		To   string `json:"to"`
	} `json:"time"`
	Annotations struct{ List []any }    `json:"annotations"`
	Templating  struct{ List []choice } `json:"templating"`
	Links       []any                   `json:"links"`
	Panels      []panel                 `json:"panels"`
}

type choice struct {
	Name       string          `json:"name"`
	Label      string          `json:"label"`
	Type       string          `json:"type"`
	Datasource *source         `json:"datasource"`
	Query      json.RawMessage `json:"query"`
	Hide       int             `json:"hide"`
	IncludeAll bool            `json:"includeAll"`
	AllValue   string          `json:"allValue"`
	Multi      bool            `json:"multi"`
	Refresh    int             `json:"refresh"`
	Regex      string          `json:"regex"`
	Sort       int             `json:"sort"`
}

type source struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type panel struct {
	ID          int                      `json:"id"`
	Type        string                   `json:"type"`
	Title       string                   `json:"title"`
	Description string                   `json:"description"`
	Datasource  *source                  `json:"datasource"`
	GridPos     struct{ H, W, X, Y int } `json:"gridPos"`
	Collapsed   bool                     `json:"collapsed"`
	Panels      []panel                  `json:"panels"`
	Targets     []target                 `json:"targets"`
	FieldConfig json.RawMessage          `json:"fieldConfig"`
	Options     json.RawMessage          `json:"options"`
}

type target struct {
	RefID        string  `json:"refId"`
	Datasource   *source `json:"datasource"`
	Expr         string  `json:"expr"`
	LegendFormat string  `json:"legendFormat"`
	Instant      bool    `json:"instant"`
	Range        bool    `json:"range"`
}

func dashboards(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	dec := json.NewDecoder(strings.NewReader(read(t, "deploy/grafana/dashboards/earshot.json")))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		t.Fatal(err)
	}
	return d
}

// The dashboard is one that Grafana takes: everything has its own id and place, and asks the Prometheus that is chosen about metrics that there are.
func TestTheDashboardIsWhole(t *testing.T) {
	d := dashboards(t)
	all := metrics(t)
	if d.UID == "" || d.Title == "" || d.SchemaVersion != 39 || len(d.Panels) < 20 {
		t.Fatalf("%+v", d)
	}
	chosen := source{"prometheus", "${datasource}"}
	if len(d.Templating.List) != 2 || d.Templating.List[0].Name != "datasource" || d.Templating.List[1].Name != "instance" || *d.Templating.List[1].Datasource != chosen {
		t.Errorf("the choices are %+v", d.Templating.List)
	}
	knows(t, all, "the choice of an Earshot", string(d.Templating.List[1].Query))
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if p.ID == 0 || ids[p.ID] || p.Title == "" {
			t.Errorf("the panel %q has the id %d", p.Title, p.ID)
		}
		ids[p.ID] = true
		g := p.GridPos
		if g.X+g.W > 24 || g.W == 0 || g.H == 0 {
			t.Errorf("%s is at %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%s lies on %s", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Type != "stat" && p.Type != "timeseries" || p.Description == "" || p.Datasource == nil || *p.Datasource != chosen || len(p.Targets) == 0 {
			t.Errorf("%s is not whole: %+v", p.Title, p)
		}
		var refs []string
		for _, q := range p.Targets {
			if q.Instant == q.Range || q.Instant != (p.Type == "stat") || q.Datasource == nil || *q.Datasource != chosen || slices.Contains(refs, q.RefID) || q.LegendFormat == "" {
				t.Errorf("%s: the query %+v", p.Title, q)
			}
			refs = append(refs, q.RefID)
			knows(t, all, p.Title, q.Expr)
			if !strings.Contains(q.Expr, `instance=~"$instance"`) {
				t.Errorf("%s: %s does not heed the choice of an Earshot", p.Title, q.Expr)
			}
		}
	}
}

// What Grafana is told in its folder fits the containers: the source is the Prometheus there, the folder of dashboards is mounted.
func TestGrafanaIsToldWhatIsThere(t *testing.T) {
	c := compose(t)
	mounts := map[string]string{} // by where they are in the container
	for _, v := range c.Services["grafana"].Volumes {
		from, to, _ := strings.Cut(v, ":")
		mounts[strings.TrimSuffix(to, ":ro")] = from
	}
	strictly := func(name string, into any) {
		t.Helper()
		dec := yaml.NewDecoder(bytes.NewReader([]byte(read(t, filepath.Join(mounts["/etc/grafana/provisioning"], name)))))
		dec.KnownFields(true)
		if err := dec.Decode(into); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	var sources struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, Access, URL string
			IsDefault                    bool `yaml:"isDefault"`
			Editable                     bool
			JSONData                     struct {
				TimeInterval string `yaml:"timeInterval"`
			} `yaml:"jsonData"`
		}
	}
	strictly("datasources/prometheus.yaml", &sources)
	if sources.APIVersion != 1 || len(sources.Datasources) != 1 {
		t.Fatalf("%+v", sources)
	}
	s := sources.Datasources[0]
	if s.Type != "prometheus" || s.Access != "proxy" || !s.IsDefault || s.URL != "http://prometheus:9090" {
		t.Errorf("%+v", s)
	}
	if !strings.Contains(read(t, "deploy/compose/prometheus.yml"), "scrape_interval: "+s.JSONData.TimeInterval+"\n") {
		t.Errorf("Prometheus does not collect every %s", s.JSONData.TimeInterval)
	}
	graphs := func(name string) bool { return slices.Contains(c.Services[name].Networks, "graphs") }
	if !graphs("grafana") || !graphs("prometheus") || !slices.ContainsFunc(c.Services["prometheus"].Ports, func(p string) bool { return strings.HasSuffix(p, ":9090") }) {
		t.Error("Grafana cannot reach Prometheus")
	}
	var providers struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Name, Type     string
			AllowUIUpdates bool `yaml:"allowUiUpdates"`
			Options        struct{ Path string }
		}
	}
	strictly("dashboards/earshot.yaml", &providers)
	if providers.APIVersion != 1 || len(providers.Providers) != 1 || providers.Providers[0].Type != "file" {
		t.Fatalf("%+v", providers)
	}
	from, ok := mounts[providers.Providers[0].Options.Path]
	if !ok {
		t.Fatalf("nothing is mounted at %s", providers.Providers[0].Options.Path)
	}
	home := c.Services["grafana"].Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
	var found []string
	if err := filepath.WalkDir(filepath.Join(top, from), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, providers.Providers[0].Options.Path+"/"+d.Name())
		}
		return err
	}); err != nil || !slices.Equal(found, []string{home}) {
		t.Errorf("%v: there is %v, and the first page is %s", err, found, home)
	}
}
