package doctor

import "context"

// PBX is an Asterisk that can be looked at. Its methods may be called one after the other.
type PBX interface {
	// Source says how it is read: "live" or "files".
	Source() string
	// Config is a configuration file, such as "manager.conf". One that does not exist is no error.
	Config(ctx context.Context, name string) (*Config, error)
	// Dialplan is what calls run through.
	Dialplan(ctx context.Context) (*Dialplan, error)
	// Modules are the modules that are loaded or, of files, that will be.
	Modules(ctx context.Context) ([]Module, error)
	// Applications are the Stasis applications that are connected by ARI. Files know of none.
	Applications(ctx context.Context) ([]Application, error)
}

// Dialplan is the steps of all contexts in their order, with what else is in them.
type Dialplan struct {
	Steps    []Step
	Hints    []Hint
	Includes []Include
	// Elsewhere are places that lead to a dialplan which is not seen here: a switch, another language.
	Elsewhere []Elsewhere
}

// Step is one priority of an extension.
type Step struct {
	Context, Exten, Priority string
	App, Data                string
	// Registrar is the module that made it: "pbx_config" for extensions.conf, "res_parking/default" for a parking lot.
	Registrar string
	Place     Place
}

// Hint is what a subscription to an extension shows the state of.
type Hint struct {
	Context, Exten string
	Place          Place
}

// Include says that a context has the extensions of another.
type Include struct{ Context, Of string }

// Elsewhere is a dialplan that is not seen.
type Elsewhere struct {
	What  string // "switch => Realtime", "extensions.lua"
	Where string // the context, where there is one
	Place Place
}

// Module is a loadable module of Asterisk, by its file: "app_chanspy.so".
type Module struct {
	Name  string
	Place Place // of the line that loads it
	Maybe bool  // it is loaded if it is installed, which cannot be seen
}

// Application is a Stasis application that is connected.
type Application struct {
	Name string
	All  bool // subscribeAll: it gets the events of everything
}
