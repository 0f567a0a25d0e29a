// Package journal keeps what has been: past calls with their legs, times and outcomes, who listened in, recordings and grades, and the
// figures that are made of them, in one SQLite file.
//
// A [Scribe] follows the live table and hands what is worth keeping to a [Store], from which calls, rows and figures are read. What is in the
// store is as it was, of everybody and unmasked: who may read which row, and what of it, is for the gate to decide.
//
// The invariant: nothing that the scribe has been told is dropped in silence. What cannot be saved is kept, within a bound; what is lost beyond
// it, and every time in which Earshot saw nothing, is in the store as a [Gap], and a call that was cut by one says so.
//
// Times are Asterisk's, as the facts about the calls have them. How long Earshot has heard nothing is measured by its own clock, and only that.
package journal
