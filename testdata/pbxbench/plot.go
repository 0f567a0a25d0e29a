package main

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// The colours can be told apart by who sees them badly, too (Okabe and Ito).
var (
	vermillion = color.RGBA{0xd5, 0x5e, 0x00, 0xff}
	blue       = color.RGBA{0x00, 0x72, 0xb2, 0xff}
	green      = color.RGBA{0x00, 0x9e, 0x73, 0xff}
	grey       = color.Gray{0x60}
	pale       = color.Gray{0xdd}
)

// curve is one line of a plot.
type curve struct {
	name   string
	colour color.Color
	dashed bool
	of     func(streamed) float64
	where  string
}

// pane is one plot of a picture.
type pane struct {
	title, unit string
	curves      []curve
}

var panes = []pane{
	{"Processors that are busy", "processors", []curve{
		{"Asterisk, panels on it", vermillion, false, func(s streamed) float64 { return s.busy(s.Asterisk) }, onAsterisk},
		{"Asterisk, panels on Earshot", blue, false, func(s streamed) float64 { return s.busy(s.Asterisk) }, onEarshot},
		{"Asterisk and Earshot", green, true, func(s streamed) float64 { return s.busy(s.Asterisk + s.Earshot) }, onEarshot},
	}},
	{"From event to panel", "milliseconds", []curve{
		{"Asterisk, p50", vermillion, false, func(s streamed) float64 { return s.P50 }, onAsterisk},
		{"Asterisk, p99", vermillion, true, func(s streamed) float64 { return s.P99 }, onAsterisk},
		{"Earshot, p50", blue, false, func(s streamed) float64 { return s.P50 }, onEarshot},
		{"Earshot, p99", blue, true, func(s streamed) float64 { return s.P99 }, onEarshot},
	}},
	{"Memory of Earshot", "MB resident", []curve{
		{"with the panels", blue, false, func(s streamed) float64 { return s.Resident / 1e6 }, onEarshot},
		{"before the first", blue, true, func(s streamed) float64 { return s.Resting / 1e6 }, onEarshot},
	}},
}

// x is the size by which something grows.
func (g growth) x(s streamed) float64 {
	switch g.What {
	case "panels":
		return float64(s.Panels)
	case "calls":
		return s.Rate
	default:
		return float64(s.Employees)
	}
}

func (g growth) label() string {
	if g.What == "calls" {
		return "calls begun in a second"
	}
	return g.What
}

// title says what is the same in all runs of a growth.
func (g growth) title() string {
	r := g.Runs[len(g.Runs)-1]
	sound := "without sound"
	if r.Sound {
		sound = "with sound"
	}
	switch g.What {
	case "panels":
		return fmt.Sprintf("Growth with panels: %d employees, %g calls a second %s", r.Employees, r.Rate, sound)
	case "calls":
		return fmt.Sprintf("Growth with calls %s: %d panels, %d employees", sound, r.Panels, r.Employees)
	default:
		return fmt.Sprintf("Growth with employees: %d panels on Earshot, %g calls a second %s", r.Panels, r.Rate, sound)
	}
}

// draw writes the picture of a growth into a folder.
func (g growth) draw(dir, subtitle string) (err error) {
	const width, height, dpi = 27 * vg.Centimeter, 9 * vg.Centimeter, 150
	plot.DefaultFont.Variant = "Sans"
	img := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi), vgimg.UseBackgroundColor(color.White))
	all := draw.New(img)
	panesAt := draw.Crop(all, 0, 0, 7*vg.Millimeter, -11*vg.Millimeter)
	row := []*plot.Plot{}
	for _, p := range panes {
		one, err := g.pane(p)
		if err != nil {
			return err
		}
		row = append(row, one)
	}
	tiles := draw.Tiles{Rows: 1, Cols: len(row), PadX: 8 * vg.Millimeter, PadTop: 2 * vg.Millimeter, PadBottom: 2 * vg.Millimeter, PadLeft: 3 * vg.Millimeter, PadRight: 5 * vg.Millimeter}
	for i, p := range row {
		p.Draw(tiles.At(panesAt, i, 0))
	}
	style := plot.New().Title.TextStyle
	style.XAlign, style.YAlign = draw.XCenter, draw.YBottom
	style.Font.Size, style.Font.Weight = 14, xfont.WeightBold
	all.FillText(style, vg.Point{X: width / 2, Y: height - 9*vg.Millimeter}, g.title())
	style.Font.Size, style.Font.Weight, style.Color = 9, xfont.WeightNormal, grey
	all.FillText(style, vg.Point{X: width / 2, Y: 2 * vg.Millimeter}, subtitle)
	f, err := os.Create(filepath.Join(dir, "pbx-"+g.What+".png"))
	if err != nil {
		return err
	}
	if _, err := (vgimg.PngCanvas{Canvas: img}).WriteTo(f); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

func (g growth) pane(p pane) (*plot.Plot, error) {
	one := plot.New()
	one.Title.Text, one.X.Label.Text, one.Y.Label.Text = p.title, g.label(), p.unit
	one.Title.TextStyle.Font.Size, one.Title.Padding = 12, 4
	for _, a := range []*plot.Axis{&one.X, &one.Y} {
		a.Label.TextStyle.Font.Size, a.Tick.Label.Font.Size = 11, 10
	}
	one.Legend.TextStyle.Font.Size, one.Legend.Top, one.Legend.Left = 10, true, true
	one.Legend.Padding, one.Legend.XOffs = 1, 4
	grid := plotter.NewGrid()
	grid.Vertical.Width, grid.Horizontal.Color = 0, pale
	one.Add(grid)
	most := 0.0
	var ticks plot.ConstantTicks
	for _, c := range p.curves {
		var points plotter.XYs
		for _, s := range g.Runs {
			if s.Where == c.where {
				points = append(points, plotter.XY{X: g.x(s), Y: c.of(s)})
				most = max(most, c.of(s))
			}
		}
		if len(points) == 0 {
			continue
		}
		if ticks == nil {
			for _, at := range points {
				ticks = append(ticks, plot.Tick{Value: at.X, Label: fmt.Sprint(at.X)})
			}
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = c.colour, vg.Points(1.8)
		if c.dashed {
			line.Dashes = []vg.Length{vg.Points(5), vg.Points(3)}
		}
		dots.Color, dots.Shape, dots.Radius = c.colour, draw.CircleGlyph{}, vg.Points(2.8)
		one.Add(line, dots)
		one.Legend.Add(c.name, line, dots)
	}
	one.X.Tick.Marker = ticks
	one.X.Min = 0
	if g.What == "employees" { // from 200 to 10,000
		one.X.Scale, one.X.Min, one.X.Label.Text = plot.LogScale{}, ticks[0].Value*0.7, "employees (logarithmic)"
	}
	one.X.Max *= 1.05
	one.Y.Tick.Marker = plain{}
	one.Y.Min, one.Y.Max = 0, most*1.45 // room for the legend
	return one, nil
}

// plain are ticks without zeros that say nothing.
type plain struct{}

func (plain) Ticks(from, to float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(from, to)
	for i, t := range ticks {
		if t.Label != "" {
			ticks[i].Label = fmt.Sprint(math.Round(t.Value*1e4) / 1e4)
		}
	}
	return ticks
}
